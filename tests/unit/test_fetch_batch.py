"""A batch works its connections at once, in real threads against a real server."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from landing import wiring
from landing.flinks.answer import Call
from landing.flinks.client import DEADLINES
from landing.verbs.fetch_accounts import fetch_all
from landing.verbs.fetch_steps import FetchEnding, FetchOutcome
from tests.world.over_http import over_http
from tests.world.service import Service

THREADS = 8


@pytest.fixture
def real(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with over_http(service, monkeypatch) as real:
        yield real


def fetch_batch(service: Service, connection_ids: list[str]) -> list[FetchEnding]:
    """Each connection's ending, in their order."""
    hints = [service.row(connection_id).hint for connection_id in connection_ids]
    outcomes = fetch_all(hints, wiring.fetcher(), threads=THREADS, time_left=lambda: timedelta(minutes=2))
    return [outcome.ending for outcome in outcomes if isinstance(outcome, FetchOutcome)]


def test_flinks_sees_as_many_calls_at_once_as_there_are_threads_and_no_more(real: Service) -> None:
    real.script(steps=[{"fault": "ok", "hang": 0.1, "times": "forever"}])
    connection_ids = [real.connect_and_post(f"user-{n}") for n in range(4 * THREADS)]

    endings = fetch_batch(real, connection_ids)

    traffic = real.bank.traffic.as_json()
    assert endings == [FetchEnding.READY] * len(connection_ids)
    assert traffic["maxInFlight"] == THREADS
    assert {tally["maxInFlight"] for tally in traffic["cards"].values()} == {1}


def test_one_that_hangs_ends_at_its_own_deadline_and_takes_nobody_with_it(
    real: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DEADLINES, Call.AUTHORIZE, 1.0)
    slow = real.connect_bank("slow")
    real.script(endpoint="Authorize", loginId=slow, steps=[{"fault": "hang", "seconds": 30}])
    first = str(json.loads(real.post(slow)["body"])["connectionId"])
    others = [real.connect_and_post(f"user-{n}") for n in range(3 * THREADS)]

    endings = fetch_batch(real, [first, *others])

    assert endings == [FetchEnding.WAITING, *[FetchEnding.READY] * len(others)]
    assert real.row(first).reason == "flinks_unavailable"
