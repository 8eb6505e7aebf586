"""docs/states.md shows what the rules are, and all of them."""

from landing.domain import erasing, transitions
from landing.domain.change import Transition
from landing.domain.connection import ERASED, Status
from ops.states import STATES, WAYS, arrows, page


def test_the_page_is_made_of_the_rules() -> None:
    assert STATES.read_text() == page(), "run `make states`"


def test_every_transition_is_on_the_page() -> None:
    made = {
        name
        for name, function in {**vars(transitions), **vars(erasing)}.items()
        if callable(function) and getattr(function, "__annotations__", {}).get("return") is Transition
    }

    assert set(WAYS) == made == {each.name for each in arrows()}


def test_every_status_is_reached_and_nothing_leads_out_of_erasing() -> None:
    moves = {(each.before, each.after) for each in arrows()}

    assert {after for _, after in moves} == set(Status)
    assert {after for before, after in moves if before in ERASED} <= ERASED
    assert not {after for before, after in moves if before is Status.DELETED} - {Status.DELETED}
