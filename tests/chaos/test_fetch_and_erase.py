"""The protocol of fetch and erase keeps its promises in every interleaving, and each guard of it is needed."""

import pytest

from tests.chaos.fetch_and_erase import GUARDS, Model


@pytest.mark.parametrize(
    ("deliveries", "erasures"),
    [
        pytest.param(3, (2,), id="three deliveries and two erasers"),
        pytest.param(1, (2, 1), id="a delivery, and two owners of one login with three erasers"),
        pytest.param(0, (2, 2), id="two owners of one login with two erasers each"),
    ],
)
def test_no_interleaving_breaks_a_promise(deliveries: int, erasures: tuple[int, ...]) -> None:
    model = Model(deliveries=deliveries, erasures=erasures)

    found = model.search()

    print(f"{found.states} states, {found.erased} of them with everything erased")
    assert found.violation is None, found.trace
    assert found.erased > 100


@pytest.mark.parametrize(
    ("without", "breaks"),
    [
        ("put_once", "P2"),
        ("fence", "P4"),
        ("late_takeover", "P3"),
        ("unheard_put_remembered", "P3"),
        ("tombstone_first", "P4"),
        ("consistent_sibling_read", "P4"),
        ("ask_before_forget", "P4"),
        ("drain", "P3"),
    ],
)
def test_without_any_one_guard_a_promise_breaks(without: str, breaks: str) -> None:
    shared = without == "consistent_sibling_read"
    model = Model(deliveries=0 if shared else 3, erasures=(1, 1) if shared else (1,), without=without)

    found = model.search()

    print(f"{without}: {found.violation}, after {len(found.trace)} steps")
    assert found.violation is not None
    assert found.violation.startswith(breaks)


def test_the_model_tries_every_guard() -> None:
    marks = test_without_any_one_guard_a_promise_breaks.pytestmark  # type: ignore[attr-defined]  # pytest puts it there
    (tried,) = (mark for mark in marks if mark.name == "parametrize")

    assert {guard for guard, _ in tried.args[1]} == GUARDS
