"""The secrets of a walk over every path are in none of the places where the service leaves anything behind (P5)."""

import base64
from collections.abc import Iterator

import pytest

from tests.every_path import Walk
from tests.sinks import KEEPS_NOTHING, Sinks, disguises, search

PLANTED = "0b8f3ac2-6d1e-4f57-a9c4-2e7d51f08b63"
LEAST_SECRETS = 30


def test_every_type_of_resource_is_searched_or_keeps_nothing(sinks: Sinks) -> None:
    assert sinks.unknown_types() == set()
    assert all(len(why) > 3 for why in KEEPS_NOTHING.values())


def test_no_secret_of_the_walk_is_left_anywhere(walked: Walk, sinks: Sinks) -> None:
    with sinks.nobody_consumes():
        found = search(sinks.all(), walked.secrets)

    print(found)
    assert found.hits == []
    assert len(walked.secrets) >= LEAST_SECRETS
    assert found.encodings >= 12
    assert {name for name, size in found.sinks.items() if size == 0} == set()


def test_names_and_numbers_of_people_are_in_drops_alone(walked: Walk, sinks: Sinks) -> None:
    """Holders are what a drop is for: they stand there, and nowhere else."""
    with sinks.nobody_consumes():
        found = search(sinks.all(), walked.holders)

    assert {hit.sink for hit in found.hits} == {"DropBucket"}


@pytest.fixture
def leaks(sinks: Sinks) -> Iterator[dict[str, str]]:
    """In each sink a secret in another disguise: `{sink: encoding}`. Gone afterwards."""
    texts = {name: each for name, each in disguises(PLANTED).items() if each.isascii() and b"\0" not in each}
    planted: dict[str, str] = {}
    with sinks.nobody_consumes():
        for sink, (encoding, disguised) in zip(sinks.all(), [*texts.items()] * 3, strict=False):
            sink.leak(disguised)
            planted[sink.name] = encoding
        yield planted
        sinks.mop_up()


def test_a_leak_in_any_sink_would_be_found(sinks: Sinks, leaks: dict[str, str]) -> None:
    found = search(sinks.all(), {"planted": PLANTED})

    missed = set(leaks.items()) - {(hit.sink, hit.encoding) for hit in found.hits}
    print(f"{len(leaks) - len(missed)}/{len(leaks)} planted leaks are found")
    assert missed == set()
    assert len(leaks) == len(sinks.all())


def test_a_disguise_is_what_it_is_called() -> None:
    found = disguises(PLANTED)

    whole = base64.b64encode(b"ab" + PLANTED.encode() + b"c")
    assert found["base64, shifted by 2"] in whole
    assert found["base64, shifted by 1"] not in whole
    assert found["GUID, bytes reversed"].hex() == "c23a8f0b1e6d574fa9c42e7d51f08b63"
    assert len(found) >= 12
