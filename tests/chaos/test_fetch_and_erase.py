"""The protocol of fetch and erase keeps its promises in every interleaving, and each guard of it is needed."""

from typing import Any

import pytest

from tests.chaos.fetch_and_erase import GUARDS, Model


@pytest.mark.parametrize(
    ("size", "erased"),
    [
        pytest.param({"deliveries": 3, "erasures": (2,)}, 600, id="three deliveries and two erasers"),
        pytest.param(
            {"deliveries": 1, "erasures": (2, 1)}, 120, id="a delivery, two owners of one login, three erasers"
        ),
        pytest.param({"deliveries": 0, "erasures": (2, 2)}, 90, id="two owners of one login with two erasers each"),
        pytest.param({"deliveries": 2, "erasures": (1,), "choices": 2}, 400, id="choices that change, and an eraser"),
        pytest.param(
            {"deliveries": 1, "erasures": (1, 1), "other": "unproven"}, 20, id="somebody who may prove a stranger"
        ),
        pytest.param(
            {"deliveries": 3, "erasures": (1,), "choices": 2, "restores": 1}, 1000, id="a table that is restored"
        ),
    ],
)
def test_no_interleaving_breaks_a_promise(size: dict[str, Any], erased: int) -> None:
    model = Model(**size)

    found = model.search()

    print(f"{found.states} states, {found.erased} of them with everything erased")
    assert found.violation is None, found.trace
    assert found.erased > erased, "a search that never got there has shown nothing"


SMALL: dict[str, Any] = {"deliveries": 3, "erasures": (1,)}


@pytest.mark.parametrize(
    ("without", "breaks", "size"),
    [
        ("put_once", "P2", SMALL),
        ("fence", "P4", SMALL),
        ("late_takeover", "P3", SMALL),
        ("unheard_put_remembered", "P3", SMALL),
        ("tombstone_first", "P4", SMALL),
        ("consistent_sibling_read", "P4", {"deliveries": 0, "erasures": (1, 1), "other": "ready"}),
        ("ask_before_forget", "P4", SMALL),
        ("drain", "P3", SMALL),
        ("choice_after_asking_begins_anew", "P1", SMALL | {"choices": 1}),
        ("choice_while_fetching_is_waited_for", "P1", SMALL | {"choices": 1}),
        ("drop_names_its_origin", "P1", SMALL | {"restores": 1}),
        ("only_known_owners_spare", "P4", {"deliveries": 0, "erasures": (1, 1), "other": "unproven"}),
        ("restored_above_every_key", "P2", SMALL | {"choices": 2, "restores": 1}),
        ("receipts", "P3", SMALL | {"choices": 1, "restores": 1}),
    ],
)
def test_without_any_one_guard_a_promise_breaks(without: str, breaks: str, size: dict[str, Any]) -> None:
    model = Model(**size, without=without)

    found = model.search()

    print(f"{without}: {found.violation}, after {len(found.trace)} steps")
    assert found.violation is not None
    assert found.violation.startswith(breaks)


def test_the_model_tries_every_guard() -> None:
    marks = test_without_any_one_guard_a_promise_breaks.pytestmark
    (tried,) = (mark for mark in marks if mark.name == "parametrize")

    assert {guard for guard, *_ in tried.args[1]} == GUARDS
