"""What may follow what, tried on rows alone; and that the table does with a transition what `changed` says."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from landing.domain import erasing, transitions
from landing.domain.after_post import AfterPost
from landing.domain.change import (
    Absent,
    AllOf,
    AnyOf,
    Before,
    Equals,
    Field,
    NotAfter,
    NotBefore,
    OneOf,
    Present,
    Transition,
    changed,
    every_field,
    meets,
)
from landing.domain.connection import (
    ERASED,
    TERMINAL,
    Action,
    AtFlinks,
    Connection,
    Drop,
    Erasure,
    Hint,
    Settled,
    Status,
)
from landing.domain.erasing import (
    claimed_for_erasing,
    ended_at_flinks,
    erased,
    forgotten,
    found_in_store,
    still_erasing,
    tombstoned,
)
from landing.domain.reasons import Reason
from landing.domain.transitions import (
    ANNOUNCED_WITHIN,
    Put,
    announced,
    claimed,
    gave_up,
    next_generation,
    pending,
    put_off,
    ready,
    refetched,
    reposted,
    retried,
    swept,
    taken_over,
    waiting,
)
from landing.stores.connection_row import to_item
from landing.stores.connection_table import ConnectionTable, RowChanged
from tests.world.service import TABLE, TEMPLATE
from tests.world.world import World

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=150)
DROP = Drop("key", "v1", "aa", 1204, 2, 30)


def a_row(status: Status = Status.RECEIVED, **members: Any) -> Connection:
    row = Connection("con_aaaaaaaaaaaaaaaaaaaaaaaaaa", "ref", status, 1, 3, NOON, NOON, "alice", due_at=NOON)
    return replace(row, **members)


def a_claim(**members: Any) -> Connection:
    row = a_row(Status.FETCHING, lease_until=NOON + LEASE, due_at=NOON + LEASE, started_at=NOON)
    return replace(row, **members)


def an_erasing(**members: Any) -> Connection:
    erasing = Erasure(requested_at=NOON, lease_until=NOON + LEASE)
    return replace(a_row(Status.DELETING, sealed_login=b"sealed", drop=DROP, erasure=erasing), **members)


# --- the algebra


@pytest.mark.parametrize(
    ("expects", "is_met"),
    [
        (Equals(Field.GENERATION, 1), True),
        (Equals(Field.GENERATION, 2), False),
        (Equals(Field.OWNER, "bob"), False),
        (OneOf(Field.STATUS, (Status.RECEIVED, Status.READY)), True),
        (OneOf(Field.STATUS, (Status.READY,)), False),
        (Before(Field.DUE_AT, NOON + SECOND), True),
        (Before(Field.DUE_AT, NOON), False),
        (Before(Field.LEASE_UNTIL, NOON), False),
        (NotAfter(Field.DUE_AT, NOON), True),
        (NotAfter(Field.DUE_AT, NOON - SECOND), False),
        (NotAfter(Field.LEASE_UNTIL, NOON), False),
        (NotBefore(Field.DUE_AT, NOON), True),
        (NotBefore(Field.DUE_AT, NOON + SECOND), False),
        (NotBefore(Field.LEASE_UNTIL, NOON), False),
        (Present(Field.OWNER), True),
        (Present(Field.DROP), False),
        (Present(Field.REFETCH_WANTED), False),
        (Absent(Field.REFETCH_WANTED), True),
        (Absent(Field.ERASURE_LEASE_UNTIL), True),
        (Absent(Field.OWNER), False),
        (AllOf((Present(Field.OWNER), Absent(Field.DROP))), True),
        (AllOf((Present(Field.OWNER), Present(Field.DROP))), False),
        (AnyOf((Present(Field.DROP), Present(Field.OWNER))), True),
        (AnyOf((Present(Field.DROP), Absent(Field.OWNER))), False),
    ],
)
def test_an_expectation_is_met_or_not(expects: Any, is_met: bool) -> None:
    assert meets(a_row(), expects) is is_met


def test_every_field_of_a_connection_and_of_its_erasure_has_a_name_and_no_other() -> None:
    within = {f"erasure.{each.name}" for each in fields(Erasure)}

    assert {each.value for each in Field} == {each.name for each in fields(Connection)} | within


def test_a_transition_sets_what_is_something_and_clears_the_rest() -> None:
    transition = Transition(Present(Field.OWNER), {Field.ATTEMPT: 0, Field.REASON: None, Field.OWNER_PROVEN: False})

    assert transition.sets == {Field.ATTEMPT: 0}
    assert transition.clears == {Field.REASON, Field.OWNER_PROVEN}


def test_a_transition_does_not_set_what_it_clears() -> None:
    with pytest.raises(ValueError, match="due_at"):
        Transition(Present(Field.OWNER), {Field.DUE_AT: NOON}, {Field.DUE_AT})


def test_a_row_that_is_not_as_expected_is_not_changed() -> None:
    with pytest.raises(ValueError, match="not as the transition expects"):
        changed(a_row(), ready(a_claim(), NOON, DROP))


# --- claims of a fetch


@pytest.mark.parametrize(
    ("row", "may_be_claimed"),
    [
        (a_row(Status.RECEIVED, due_at=NOON + SECOND), True),
        (a_row(Status.WAITING), True),
        (a_row(Status.WAITING, due_at=NOON + SECOND), False),
        (a_row(Status.PENDING), True),
        (a_row(Status.PENDING, due_at=NOON + SECOND), False),
        *((a_row(status, lease_until=NOON - LEASE), False) for status in (TERMINAL | ERASED | {Status.FETCHING})),
    ],
)
def test_only_what_is_due_may_be_claimed(row: Connection, may_be_claimed: bool) -> None:
    assert meets(row, claimed(row.hint, NOON, NOON + LEASE).expects) is may_be_claimed


@pytest.mark.parametrize(
    ("row", "may_be_taken_over"),
    [
        (a_row(Status.FETCHING, lease_until=NOON), False),
        (a_row(Status.FETCHING, lease_until=NOON - 149 * SECOND), False),
        (a_row(Status.FETCHING, lease_until=NOON - 150 * SECOND), True),
        *((a_row(status, lease_until=NOON - LEASE), False) for status in set(Status) - {Status.FETCHING}),
    ],
)
def test_only_a_claim_of_which_nothing_can_land_any_more_is_taken_over(
    row: Connection, may_be_taken_over: bool
) -> None:
    assert meets(row, taken_over(row.hint, NOON, NOON + LEASE).expects) is may_be_taken_over


@pytest.mark.parametrize("hint", [Hint("con", 2, 3), Hint("con", 1, 2), Hint("con", 1, 4)])
def test_a_hint_of_another_time_claims_nothing(hint: Hint) -> None:
    assert not meets(a_row(), claimed(hint, NOON, NOON + LEASE).expects)
    assert not meets(a_claim(lease_until=NOON - LEASE), taken_over(hint, NOON, NOON + LEASE).expects)


def test_a_claim_is_due_again_when_nothing_of_it_can_land_any_more() -> None:
    row = a_row()

    claim = changed(row, claimed(row.hint, NOON, NOON + LEASE))

    assert claim.due_at is not None
    assert meets(claim, taken_over(claim.hint, claim.due_at, claim.due_at + LEASE).expects), "due, and to be had"

    assert (claim.status, claim.attempt, claim.lease_until) == (Status.FETCHING, 4, NOON + LEASE)
    assert claim.due_at == NOON + LEASE + 150 * SECOND


ENDINGS: list[Callable[[Connection], Transition]] = [
    lambda claim: pending(claim, NOON, NOON + SECOND, sealed_request=b"request", poll_until=NOON),
    lambda claim: waiting(claim, NOON, NOON + SECOND, reason=Reason.DROP_NOT_STORED, sealed_request=None, put=Put.NONE),
    lambda claim: ready(claim, NOON, DROP),
    lambda claim: gave_up(
        claim, NOON, Status.FAILED, reason=Reason.TIMED_OUT, action=Action.CONTACT_SUPPORT, put=Put.NONE
    ),
    lambda claim: next_generation(claim, NOON, put=Put.NONE),
]


@pytest.mark.parametrize("ending", ENDINGS, ids=["pending", "waiting", "ready", "gave_up", "next_generation"])
@pytest.mark.parametrize(
    "lost_to",
    [{"attempt": 4}, {"generation": 2}, {"status": Status.DELETING}, {"status": Status.WAITING}],
    ids=["another worker", "the next generation", "an erase", "its own end"],
)
def test_a_claim_that_was_lost_writes_nothing(
    ending: Callable[[Connection], Transition], lost_to: dict[str, Any]
) -> None:
    claim = a_claim()

    assert meets(claim, ending(claim).expects)
    assert not meets(replace(claim, **lost_to), ending(claim).expects)


@pytest.mark.parametrize("ending", ENDINGS[2:4], ids=["ready", "gave_up"])
def test_a_claim_does_not_end_for_good_under_a_choice_that_came_meanwhile(
    ending: Callable[[Connection], Transition],
) -> None:
    claim = a_claim()

    assert not meets(replace(claim, refetch_wanted=True), ending(claim).expects)


@pytest.mark.parametrize("ending", ENDINGS, ids=["pending", "waiting", "ready", "gave_up", "next_generation"])
def test_every_end_of_a_claim_gives_up_its_lease(ending: Callable[[Connection], Transition]) -> None:
    claim = a_claim()

    assert changed(claim, ending(claim)).lease_until is None


@pytest.mark.parametrize("ending", ENDINGS[:4], ids=["pending", "waiting", "ready", "gave_up"])
def test_what_a_claim_has_learned_outlives_it(ending: Callable[[Connection], Transition]) -> None:
    claim = a_claim(sessions=2, flinks_home="home", owner_proven=True)
    as_it_was = a_claim()

    after = changed(as_it_was, ending(claim))

    assert (after.sessions, after.flinks_home, after.owner_proven) == (2, "home", True)


def test_what_was_proven_or_seen_before_is_not_unlearned() -> None:
    row = a_claim(flinks_home="home", owner_proven=True)

    after = changed(row, ready(a_claim(), NOON, DROP))

    assert (after.flinks_home, after.owner_proven) == ("home", True)


def test_an_unheard_put_is_remembered_until_the_connection_is_erased() -> None:
    claim = a_claim()
    unheard = waiting(claim, NOON, NOON, reason=Reason.DROP_NOT_STORED, sealed_request=None, put=Put.UNANSWERED)

    row = changed(claim, unheard)
    again = changed(row, claimed(row.hint, NOON, NOON + LEASE))
    after = changed(again, ENDINGS[1](again))

    assert row.drain_until == after.drain_until == NOON + LEASE
    assert after.settled_at == NOON + LEASE + 150 * SECOND


def test_no_work_is_left_when_a_generation_has_ended() -> None:
    claim = a_claim(sealed_request=b"request", poll_until=NOON, reason=Reason.FLINKS_THROTTLES)

    well = changed(claim, ready(claim, NOON, DROP))
    ill = changed(claim, gave_up(claim, NOON, Status.FAILED, reason=Reason.TIMED_OUT, action=Action.WAIT, put=Put.NONE))

    for row in (well, ill):
        assert (row.started_at, row.sealed_request, row.poll_until) == (None, None, None)
        assert row.due_at == row.announce_by == NOON + ANNOUNCED_WITHIN
    assert (well.status, well.reason, well.action, well.drop) == (Status.READY, None, Action.NONE, DROP)
    assert (ill.status, ill.reason, ill.action) == (Status.FAILED, Reason.TIMED_OUT, Action.WAIT)


# --- what nobody committed


@pytest.mark.parametrize("put", [Put.LANDED, Put.UNANSWERED])
def test_a_generation_that_ends_with_an_open_put_is_to_be_swept(put: Put) -> None:
    claim = a_claim(uncommitted=(0,))
    gives_up = gave_up(claim, NOON, Status.FAILED, reason=Reason.TIMED_OUT, action=Action.WAIT, put=put)

    ended, handed_over = changed(claim, gives_up), changed(claim, next_generation(claim, NOON, put=put))

    settled = NOON + LEASE + 150 * SECOND if put is Put.UNANSWERED else None
    assert ended.uncommitted == handed_over.uncommitted == (0, 1)
    assert ended.sweepable_at == handed_over.sweepable_at == settled
    assert (ended.due_at, ended.announce_by) == ((settled or NOON), None)
    assert ended.public_status == "processing"
    assert (ended.put_open, handed_over.put_open) == (False, False)


def test_an_open_put_stays_open_until_its_generation_ends() -> None:
    claim = a_claim(sealed_request=b"request")
    row = changed(claim, waiting(claim, NOON, NOON, reason=Reason.DROP_NOT_STORED, sealed_request=None, put=Put.LANDED))
    again = changed(row, claimed(row.hint, NOON, NOON + LEASE))

    kept = changed(again, pending(again, NOON, NOON, sealed_request=b"request", poll_until=NOON))
    well = changed(again, ready(again, NOON, DROP))
    ill = changed(again, ENDINGS[3](again))

    assert (row.put_open, again.put_open, kept.put_open) == (True, True, True)
    assert (well.put_open, well.uncommitted, well.due_at) == (False, None, well.announce_by)
    assert (ill.put_open, ill.uncommitted) == (False, (1,))


def test_whether_a_dead_worker_put_a_drop_is_not_known() -> None:
    row = a_claim(lease_until=NOON - LEASE)

    claim = changed(row, taken_over(row.hint, NOON, NOON + LEASE))

    assert claim.put_open
    assert (claim.attempt, claim.lease_until) == (4, NOON + LEASE)


def test_a_post_that_asks_for_the_next_generation_leaves_the_open_put_to_be_swept() -> None:
    row = a_row(Status.WAITING, put_open=True, asked=True)

    after = changed(row, refetched(row, NOON, "ops"))

    assert (after.uncommitted, after.put_open, after.asked) == ((1,), False, False)


def test_what_was_swept_leaves_only_the_announcement_to_do_and_moves_no_time() -> None:
    row = a_row(Status.FAILED, uncommitted=(1,), reason=Reason.OWNERSHIP_MISMATCH)

    after = changed(row, swept(row, NOON + LEASE))

    assert (after.uncommitted, after.updated_at) == (None, row.updated_at)
    assert after.due_at == after.announce_by == NOON + LEASE + ANNOUNCED_WITHIN
    assert (row.public_status, after.public_status) == ("processing", "failed")


@pytest.mark.parametrize("announce_by", [None, NOON + LEASE])
def test_what_was_swept_beside_an_ending_is_due_for_its_announcement_only_if_nobody_announced_it(
    announce_by: datetime | None,
) -> None:
    row = a_row(Status.READY, uncommitted=(1,), announce_by=announce_by)

    after = changed(row, swept(row, NOON))

    assert (after.uncommitted, after.due_at, after.announce_by) == (None, announce_by, announce_by)


def test_a_sweep_of_a_connection_at_work_leaves_it_due() -> None:
    row = a_row(Status.WAITING, uncommitted=(1,))

    assert changed(row, swept(row, NOON + LEASE)).due_at == NOON


@pytest.mark.parametrize(
    "since",
    [{"uncommitted": (1, 2)}, {"updated_at": NOON + SECOND}, {"attempt": 4}, {"announce_by": NOON}],
    ids=str,
)
def test_a_sweep_does_not_forget_what_came_meanwhile(since: dict[str, Any]) -> None:
    row = a_row(Status.FAILED, uncommitted=(1,))

    assert not meets(replace(row, **since), swept(row, NOON).expects)


# --- announcing

ENDED = [Status.READY, Status.ACTION_REQUIRED, Status.FAILED, Status.DELETED]


@pytest.mark.parametrize("status", ENDED)
def test_an_ending_is_due_until_it_was_announced_and_nothing_else_of_it_changes(status: Status) -> None:
    row = a_row(status, due_at=NOON, announce_by=NOON, overdue_since=NOON)

    after = changed(row, announced(settled(row), is_swept=True))

    assert after == replace(row, due_at=None, announce_by=None, overdue_since=None)
    assert not meets(after, announced(settled(row), is_swept=True).expects)


def test_an_ending_that_was_announced_stays_due_while_there_is_something_to_sweep() -> None:
    row = a_row(Status.READY, due_at=NOON, announce_by=NOON + LEASE, uncommitted=(1,))

    after = changed(row, announced(settled(row), is_swept=False))

    assert after == replace(row, announce_by=None)
    assert not meets(row, announced(settled(row), is_swept=True).expects)


@pytest.mark.parametrize("since", [{"generation": 2}, {"status": Status.RECEIVED}, {"announce_by": None}], ids=str)
def test_what_was_announced_says_nothing_of_another_ending(since: dict[str, Any]) -> None:
    row = a_row(Status.READY, due_at=NOON, announce_by=NOON)

    assert not meets(replace(row, **since), announced(settled(row), is_swept=True).expects)


def test_what_begins_anew_is_no_longer_due_for_the_ending_before() -> None:
    row = a_row(Status.READY, due_at=NOON, announce_by=NOON)

    again, erasing = changed(row, refetched(row, NOON, "ops")), changed(row, tombstoned(NOON, "T-1"))

    assert (again.announce_by, erasing.announce_by) == (None, None)


def settled(row: Connection) -> Settled:
    return Settled(row.connection_id, row.generation, row.status)


def test_a_restored_row_goes_on_above_what_may_have_been_given() -> None:
    row = a_row(Status.READY, generations_given=41)

    assert changed(row, refetched(row, NOON, "ops")).generation == 42


# --- POSTs, and ops


@pytest.mark.parametrize(
    ("what", "status", "generation", "refetch_wanted", "correlation_id"),
    [
        (AfterPost.STORE_ACCOUNTS, Status.WAITING, 1, False, None),
        (AfterPost.STORE_ACCOUNTS_FOR_NEXT, Status.WAITING, 1, True, "new"),
        (AfterPost.START_AGAIN, Status.RECEIVED, 1, False, None),
        (AfterPost.NEXT_GENERATION, Status.RECEIVED, 2, False, "new"),
    ],
)
def test_a_post_does_what_was_decided(
    what: AfterPost, status: Status, generation: int, refetch_wanted: bool, correlation_id: str | None
) -> None:
    row = a_row(Status.WAITING, retries=5)

    after = changed(row, reposted(row, what, NOON, account_ids=("a",), institution="Other", correlation_id="new"))

    assert (after.status, after.generation, after.refetch_wanted) == (status, generation, refetch_wanted)
    assert after.account_ids == ("a",)
    assert after.correlation_id == correlation_id
    assert after.retries == (0 if status is Status.RECEIVED else 5)


def test_a_post_without_a_choice_leaves_the_choice() -> None:
    row = a_row(Status.FAILED, account_ids=("a",))

    after = changed(
        row,
        reposted(row, AfterPost.NEXT_GENERATION, NOON, account_ids=None, institution=None, correlation_id=None),
    )

    assert after.account_ids == ("a",)


@pytest.mark.parametrize(
    "since",
    [{"status": Status.READY}, {"generation": 2}, {"attempt": 4}, {"updated_at": NOON + SECOND}],
    ids=str,
)
def test_who_decided_on_an_old_row_writes_nothing(since: dict[str, Any]) -> None:
    row = a_row(Status.FAILED)
    post = reposted(row, AfterPost.NEXT_GENERATION, NOON, account_ids=None, institution=None, correlation_id=None)

    assert meets(row, post.expects)
    assert not meets(replace(row, **since), post.expects)
    assert not meets(replace(row, **since), refetched(row, NOON, "c").expects)


def test_the_next_generation_begins_without_what_the_one_before_was_at() -> None:
    row = a_row(
        Status.FAILED, sealed_request=b"request", poll_until=NOON, sessions=3, retries=7, reason=Reason.TIMED_OUT
    )

    after = changed(row, refetched(row, NOON + SECOND, "ops"))

    assert (after.status, after.generation, after.due_at) == (Status.RECEIVED, 2, NOON + SECOND)
    assert (after.sessions, after.retries, after.reason, after.action) == (0, 0, None, Action.NONE)
    assert (after.sealed_request, after.poll_until) == (None, None)
    assert after.started_at == NOON + SECOND
    assert after.correlation_id == "ops"


def test_a_retry_begins_every_budget_anew_and_keeps_the_open_session() -> None:
    row = a_row(
        Status.PENDING, sealed_request=b"r", poll_until=NOON, sessions=3, retries=7, refusals=2, started_at=NOON
    )

    after = changed(row, retried(row, NOON + SECOND, "ops"))

    assert (after.status, after.generation, after.due_at) == (Status.RECEIVED, 1, NOON + SECOND)
    assert (after.sessions, after.retries, after.refusals) == (1, 0, None)
    assert (after.sealed_request, after.poll_until, after.started_at) == (b"r", None, NOON + SECOND)


def test_a_retry_of_a_running_claim_gives_it_time_and_takes_nothing_from_it() -> None:
    row = a_row(Status.FETCHING, lease_until=NOON + LEASE, poll_until=NOON, started_at=NOON)

    after = changed(row, retried(row, NOON + SECOND, "ops"))

    assert after == replace(row, started_at=NOON + SECOND, poll_until=None)


@pytest.mark.parametrize(
    ("row", "may_be_put_off"),
    [
        (a_row(due_at=NOON - SECOND), True),
        (a_row(due_at=NOON), False),
        (a_row(due_at=NOON - SECOND, attempt=4), False),
        (a_row(due_at=NOON - SECOND, generation=2), False),
    ],
)
def test_only_what_nobody_came_back_to_is_put_off(row: Connection, may_be_put_off: bool) -> None:
    assert (
        meets(row, put_off(a_row().hint, NOON + LEASE, seen_before=NOON, overdue_since=NOON).expects) is may_be_put_off
    )


# --- erasing


@pytest.mark.parametrize("status", sorted(set(Status) - ERASED))
def test_a_tombstone_goes_up_over_whatever_the_connection_was_doing(status: Status) -> None:
    row = a_row(status, lease_until=NOON + LEASE, sealed_login=b"sealed", refetch_wanted=True, retries=4)

    after = changed(row, tombstoned(NOON, "T-1"))

    assert (after.status, after.erasure) == (Status.DELETING, Erasure(NOON, "T-1"))
    assert (after.lease_until, after.sealed_login) == (NOON + LEASE, b"sealed")
    assert (after.due_at, after.retries, after.refetch_wanted) == (NOON, 0, False)


def test_a_tombstone_stands_once() -> None:
    assert not meets(an_erasing(), tombstoned(NOON, "T-2").expects)


@pytest.mark.parametrize("status", ERASED)
def test_what_is_erased_is_never_claimed_or_taken_up_again(status: Status) -> None:
    row = an_erasing(status=status, lease_until=NOON - LEASE)

    takes = (claimed(row.hint, NOON, NOON + LEASE), taken_over(row.hint, NOON, NOON + LEASE))
    for transition in (*takes, *(ending(row) for ending in ENDINGS)):
        assert not meets(row, transition.expects)


@pytest.mark.parametrize(
    ("lease_until", "due_at", "even_if_early", "may_be_claimed"),
    [
        (None, NOON, False, True),
        (None, NOON + SECOND, False, False),
        (None, NOON + SECOND, True, True),
        (NOON + SECOND, NOON, True, False),
        (NOON, NOON, False, True),
        (NOON - SECOND, NOON, False, True),
    ],
)
def test_one_eraser_works_at_a_time(
    lease_until: datetime | None, due_at: datetime, even_if_early: bool, may_be_claimed: bool
) -> None:
    row = an_erasing(due_at=due_at, erasure=Erasure(NOON, lease_until=lease_until))

    claim = claimed_for_erasing(row.hint, NOON, NOON + LEASE, even_if_early=even_if_early)

    assert meets(row, claim.expects) is may_be_claimed


def test_an_eraser_who_was_overtaken_writes_nothing() -> None:
    claim = an_erasing()
    steps = (
        ended_at_flinks(claim, NOON, AtFlinks.DELETED),
        found_in_store(claim, NOON, versions=1, markers=0, uploads=0),
        still_erasing(claim, NOON, NOON, reason=Reason.SWEEP_UNFINISHED),
        forgotten(claim, NOON, NOON),
        erased(claim, NOON, NOON),
    )

    for step in steps:
        assert meets(claim, step.expects)
        assert not meets(replace(claim, attempt=4), step.expects)
        assert not meets(replace(claim, status=Status.DELETED), step.expects)


def test_an_erasure_goes_its_way() -> None:
    row = an_erasing(erasure=Erasure(NOON, "T-1"))

    claim = changed(row, claimed_for_erasing(row.hint, NOON, NOON + LEASE, even_if_early=True))
    claim = changed(claim, ended_at_flinks(claim, NOON, AtFlinks.DELETED))
    claim = changed(claim, found_in_store(claim, NOON, versions=2, markers=1, uploads=0))
    claim = changed(claim, forgotten(claim, NOON + SECOND, NOON + 7 * LEASE))
    after = changed(claim, erased(claim, NOON + SECOND, NOON + 60 * LEASE))

    assert after.erasure == Erasure(NOON, "T-1", None, AtFlinks.DELETED, NOON, 2, 1, 0, NOON + SECOND, NOON + 7 * LEASE)
    assert (after.status, after.expires_at) == (Status.DELETED, NOON + 60 * LEASE)
    assert after.due_at == after.announce_by == NOON + SECOND + ANNOUNCED_WITHIN
    assert (after.sealed_login, after.owner, after.drop) == (None, None, None)


def test_everything_is_forgotten_but_what_is_named() -> None:
    """A field added without a word about erasing is forgotten, and turns this red: say which it is to be."""
    claim = an_erasing()

    clears = forgotten(claim, NOON, NOON, owner_ref="ref").clears

    assert {each.value for each in clears} == {
        *("language", "days_of_transactions"),
        *(
            "owner",
            "institution",
            "account_ids",
            "drop",
            "owner_proven",
            "flinks_home",
            "correlation_id",
        ),
        *("sealed_login", "sealed_request", "sessions", "refusals", "retries", "refetch_wanted"),
        *("cause", "lease_until", "overdue_since", "announce_by", "drain_until", "started_at", "poll_until"),
        *("asked", "put_open", "uncommitted", "generations_given"),
    }
    assert {each.value for each in every_field() - clears} == {
        *("connection_id", "login_ref", "owner_ref", "status", "generation", "attempt", "received_at", "updated_at"),
        *("due_at", "reason", "action", "expires_at", "erasure"),
    }


# --- the table does what the rules say


class AnyRow:
    """Random rows, and random transitions of rows much like them."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - chooses cases, keeps no secret

    def moment(self) -> datetime:
        return NOON + self._random.randint(-6, 6) * 30 * SECOND

    def maybe[T](self, value: T) -> T | None:
        return self._random.choice([value, None])

    def row(self) -> Connection:
        status = self._random.choice(list(Status))
        erasure = Erasure(NOON, self.maybe("T-1"), self.maybe(self.moment()), self.maybe(AtFlinks.KEPT))
        return Connection(
            "con_aaaaaaaaaaaaaaaaaaaaaaaaaa",
            "ref",
            status,
            self._random.randint(1, 2),
            self._random.randint(0, 1),
            NOON,
            self.moment(),
            owner=self.maybe("alice"),
            sealed_login=self.maybe(b"sealed"),
            account_ids=self.maybe(("a", "b")),
            refetch_wanted=self._random.random() < 0.3,
            owner_proven=self._random.random() < 0.5,
            lease_until=self.maybe(self.moment()),
            drain_until=self.maybe(self.moment()),
            due_at=self.maybe(self.moment()),
            announce_by=self.maybe(self.moment()),
            started_at=self.maybe(self.moment()),
            retries=self._random.randint(0, 2),
            asked=self._random.random() < 0.5,
            put_open=self._random.random() < 0.5,
            uncommitted=self.maybe((1, 2)),
            generations_given=self.maybe(7),
            sealed_request=self.maybe(b"request"),
            poll_until=self.maybe(self.moment()),
            flinks_home=self.maybe("home"),
            drop=self.maybe(DROP),
            reason=self.maybe(Reason.TIMED_OUT),
            erasure=erasure if status in ERASED else None,
        )

    def transition(self, row: Connection) -> Transition:
        now, later = self.moment(), self.moment()
        flag, put = self._random.random() < 0.5, self._random.choice(list(Put))
        post = self._random.choice([what for what in AfterPost if what not in (AfterPost.NOTHING, AfterPost.REFUSE)])
        possible: list[Callable[[], Transition]] = [
            lambda: reposted(
                row,
                post,
                now,
                account_ids=self.maybe(("c",)),
                institution=self.maybe("Bank"),
                correlation_id=self.maybe("id"),
            ),
            lambda: refetched(row, now, "id"),
            lambda: retried(row, now, "id"),
            lambda: claimed(row.hint, now, later),
            lambda: taken_over(row.hint, now, later),
            lambda: swept(row if row.uncommitted else replace(row, uncommitted=(3,)), now),
            lambda: announced(settled(row), is_swept=flag),
            lambda: pending(row, now, later, sealed_request=self.maybe(b"new"), poll_until=self.maybe(later)),
            lambda: waiting(
                row,
                now,
                later,
                reason=Reason.FLINKS_THROTTLES,
                sealed_request=self.maybe(b"new"),
                put=put,
            ),
            lambda: ready(row, now, DROP),
            lambda: gave_up(row, now, Status.FAILED, reason=Reason.TIMED_OUT, action=Action.WAIT, put=put),
            lambda: next_generation(row, now, put=put),
            lambda: put_off(row.hint, later, seen_before=now, overdue_since=now),
            lambda: tombstoned(now, self.maybe("T-2")),
            lambda: claimed_for_erasing(row.hint, now, later, even_if_early=flag),
            lambda: ended_at_flinks(row, now, AtFlinks.DELETED),
            lambda: found_in_store(row, now, versions=1, markers=0, uploads=2),
            lambda: still_erasing(row, now, later, reason=Reason.SWEEP_UNFINISHED),
            lambda: forgotten(row, now, later),
            lambda: erased(row, now, later),
        ]
        return self._random.choice(possible)()


def a_table() -> tuple[World, ConnectionTable]:
    world = World()
    made: Any = TEMPLATE["ConnectionsTable"]["Properties"]
    world.dynamodb.create_table(
        TableName=TABLE,
        **{name: made[name] for name in ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes")},
        BillingMode="PAY_PER_REQUEST",
    )
    return world, ConnectionTable(world.dynamodb, TABLE)


def outcome_of(
    table: ConnectionTable, connection_id: str, transition: Transition
) -> tuple[Connection | None, Connection | None]:
    """The row as it was changed, or the one for which that was refused."""
    try:
        return table.apply(connection_id, transition), None
    except RowChanged as refusal:
        return None, refusal.row


def test_the_table_does_what_the_rules_say_of_any_row_and_any_transition() -> None:
    world, table = a_table()
    applied = 0
    for seed in range(3000):
        any_row = AnyRow(seed)
        row, believed = any_row.row(), any_row.row()
        transition = any_row.transition(row if seed % 3 else believed)
        world.dynamodb.put_item(TableName=TABLE, Item=to_item(row))
        expected = changed(row, transition) if meets(row, transition.expects) else None

        after, refused = outcome_of(table, row.connection_id, transition)

        assert after == expected, seed
        assert refused == (row if expected is None else None), seed
        assert table.get(row.connection_id) == (after or row), seed
        item = world.tables[TABLE].items[row.connection_id,]
        assert ("dueShard" in item) == ("dueAt" in item), seed
        applied += after is not None
    print(f"{applied} of 3000 transitions were applied")
    assert applied > 500


def test_every_transition_of_the_module_is_tried() -> None:
    made = {
        name
        for name, function in {**vars(transitions), **vars(erasing)}.items()
        if callable(function) and getattr(function, "__annotations__", {}).get("return") is Transition
    }

    assert made == {
        *(
            "taken_over",
            "swept",
            "announced",
            "reposted",
            "refetched",
            "retried",
            "claimed",
            "pending",
            "waiting",
            "ready",
            "gave_up",
            "next_generation",
            "put_off",
        ),
        *("tombstoned", "claimed_for_erasing", "ended_at_flinks", "found_in_store", "still_erasing", "forgotten"),
        "erased",
    }
