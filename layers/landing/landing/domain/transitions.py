"""What may follow what in the life of a connection: every change of a row until it is erased, as a pure function.

Each gives a `Transition`: what it expects of the row, what it sets, what it clears. The table applies it in one
conditional write, so two workers never both succeed where only one may. `erasing` has the rest;
`docs/states.md` is made from both.

A *claim* is a row as a worker took it; its writes hold only while the row is still that claim's (`_fenced`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from landing.domain.after_post import AfterPost
from landing.domain.change import (
    Absent,
    AllOf,
    AnyOf,
    Before,
    Equals,
    Expectation,
    Field,
    NotAfter,
    OneOf,
    Present,
    Transition,
)
from landing.domain.connection import (
    ERASED,
    PUTS_SETTLE,
    TERMINAL,
    Action,
    Connection,
    DaysOfTransactions,
    Drop,
    Hint,
    Language,
    Settled,
    Status,
)
from landing.domain.reasons import Reason

AT_WORK = frozenset({Status.RECEIVED, Status.FETCHING, Status.PENDING, Status.WAITING})
"""Where a connection can be when ops have its budgets begin anew: its fetch has not ended."""

REPEATABLE = TERMINAL - ERASED
"""Where a connection can be when ops ask for its next generation: it has come to an end, and was not erased."""

ANNOUNCED_WITHIN = timedelta(minutes=10)
"""An ending is due for its announcement, like everything else that must happen: the schedule finds what the stream did
not bring."""

_WORK = frozenset(
    {
        Field.LEASE_UNTIL,
        Field.DUE_AT,
        Field.OVERDUE_SINCE,
        Field.STARTED_AT,
        Field.SEALED_REQUEST,
        Field.POLL_UNTIL,
        Field.ASKED,
        Field.PUT_OPEN,
    }
)
"""What belongs to work in progress and goes when it ends."""

_LEFT_BEHIND = frozenset(
    {
        Field.REASON,
        Field.CAUSE,
        Field.SEALED_REQUEST,
        Field.POLL_UNTIL,
        Field.REFETCH_WANTED,
        Field.LEASE_UNTIL,
        Field.ASKED,
        Field.PUT_OPEN,
        Field.OVERDUE_SINCE,
        Field.ANNOUNCE_BY,
        Field.REFUSALS,
    }
)
"""What the next generation does not take over."""


# --- a POST, and ops who ask again


def reposted(
    row: Connection,
    what: AfterPost,
    now: datetime,
    *,
    account_ids: tuple[str, ...] | None,
    institution: str | None,
    correlation_id: str | None,
    language: Language | None = None,
    days_of_transactions: DaysOfTransactions | None = None,
) -> Transition:
    """Do what a repeated POST asks for, as `after_post` has said."""
    sets: dict[Field, Any] = {Field.UPDATED_AT: now}
    clears: frozenset[Field] = frozenset()
    if what is AfterPost.START_AGAIN:
        sets |= {Field.STATUS: Status.RECEIVED, Field.RETRIES: 0, Field.DUE_AT: now}
        if row.reason is Reason.KEPT_FOR_LATER:  # it has waited for nobody: its time begins now
            sets |= {Field.STARTED_AT: now}
            clears = frozenset({Field.REASON})
    if what is AfterPost.STORE_ACCOUNTS_FOR_NEXT:
        sets |= {Field.REFETCH_WANTED: True}
    if what is AfterPost.NEXT_GENERATION:
        sets |= _next(row, now) | _if_given({Field.INSTITUTION: institution, Field.LANGUAGE: language})
        clears = _LEFT_BEHIND
    if what in (AfterPost.STORE_ACCOUNTS_FOR_NEXT, AfterPost.NEXT_GENERATION):
        sets |= _if_given({Field.CORRELATION_ID: correlation_id})
    chosen = _if_given({Field.ACCOUNT_IDS: account_ids or None, Field.DAYS_OF_TRANSACTIONS: days_of_transactions})
    taken_back = {Field.ACCOUNT_IDS} if account_ids == () else set()
    return Transition(_unchanged(row), sets | chosen, clears | taken_back)


def refetched(row: Connection, now: datetime, correlation_id: str) -> Transition:
    """Ops ask for the next generation."""
    return Transition(
        _unchanged(row),
        {Field.UPDATED_AT: now, Field.CORRELATION_ID: correlation_id, **_next(row, now)},
        _LEFT_BEHIND,
    )


def retried(row: Connection, now: datetime, correlation_id: str) -> Transition:
    """Ops begin the budgets of this generation anew and have it tried at once; a running claim goes on undisturbed."""
    clears = {Field.POLL_UNTIL, Field.REFUSALS, Field.OVERDUE_SINCE}
    if row.status is Status.FETCHING:
        return Transition(_unchanged(row), {Field.STARTED_AT: now}, {Field.POLL_UNTIL})
    if row.reason is Reason.KEPT_FOR_LATER:
        clears |= {Field.REASON}
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: Status.RECEIVED,
        Field.RETRIES: 0,
        Field.SESSIONS: 0 if row.sealed_request is None else 1,
        Field.STARTED_AT: now,
        Field.DUE_AT: now,
        Field.CORRELATION_ID: correlation_id,
    }
    return Transition(_unchanged(row), sets, clears)


# --- fetching


class Put(StrEnum):
    """What became of the PUT of a claim that does not commit it."""

    NONE = "none"
    """None was sent, or S3 refused it."""
    LANDED = "landed"
    UNANSWERED = "unanswered"
    """It may land as long as the lease runs."""


def claimed(hint: Hint, now: datetime, lease_until: datetime) -> Transition:
    """Take a connection that is due and still as `hint` says, to work on it alone until `lease_until`."""
    is_due = AnyOf(
        (
            Equals(Field.STATUS, Status.RECEIVED),
            AllOf((OneOf(Field.STATUS, (Status.WAITING, Status.PENDING)), NotAfter(Field.DUE_AT, now))),
        )
    )
    return Transition(AllOf((*as_in(hint), is_due)), _claim(hint, now, lease_until), {Field.OVERDUE_SINCE})


def taken_over(hint: Hint, now: datetime, lease_until: datetime) -> Transition:
    """Take a claim over from a worker who died, once nothing that it sent can land any more.

    Whether it put a drop nobody knows.
    """
    left_behind = AllOf((Equals(Field.STATUS, Status.FETCHING), NotAfter(Field.LEASE_UNTIL, now - PUTS_SETTLE)))
    sets = {**_claim(hint, now, lease_until), Field.PUT_OPEN: True}
    return Transition(AllOf((*as_in(hint), left_behind)), sets, {Field.OVERDUE_SINCE})


def _claim(hint: Hint, now: datetime, lease_until: datetime) -> dict[Field, Any]:
    return {
        Field.UPDATED_AT: now,
        Field.STATUS: Status.FETCHING,
        Field.ATTEMPT: hint.attempt + 1,
        Field.LEASE_UNTIL: lease_until,
        Field.DUE_AT: lease_until + PUTS_SETTLE,
        Field.ASKED: True,
    }


def pending(
    claim: Connection,
    now: datetime,
    due_at: datetime,
    *,
    sealed_request: bytes | None,
    poll_until: datetime | None,
    cause: str | None = None,
) -> Transition:
    """Flinks is processing: keep the open request and when to look again. `poll_until` never moves.

    `cause` is of an answer that did not come, and leaves open whether Flinks is at it.
    """
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: Status.PENDING,
        Field.RETRIES: claim.retries,
        Field.CAUSE: cause,
        Field.DUE_AT: due_at,
        **_learned(claim),
        **_if_given({Field.SEALED_REQUEST: sealed_request, Field.POLL_UNTIL: poll_until}),
    }
    return Transition(_fenced(claim), sets, {Field.LEASE_UNTIL, Field.REASON})


def waiting(
    claim: Connection,
    now: datetime,
    due_at: datetime,
    *,
    reason: Reason,
    cause: str | None = None,
    sealed_request: bytes | None,
    put: Put,
) -> Transition:
    """Try again at `due_at`. A PUT that was not committed is remembered."""
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: Status.WAITING,
        Field.REASON: reason,
        Field.CAUSE: cause,
        Field.RETRIES: claim.retries + 1,
        Field.STARTED_AT: claim.started_at or claim.received_at,
        Field.SEALED_REQUEST: sealed_request,
        Field.DUE_AT: due_at,
        **_learned(claim),
        **_if_given({Field.POLL_UNTIL: claim.poll_until}),
        **_if_given({Field.PUT_OPEN: True if put is not Put.NONE else None}),
        **_drain(claim, put),
    }
    return Transition(_fenced(claim), sets, {Field.LEASE_UNTIL})


def ready(claim: Connection, now: datetime, drop: Drop) -> Transition:
    """The drop lies in S3: say so, unless a POST has asked for other accounts meanwhile."""
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: Status.READY,
        Field.ACTION: Action.NONE,
        Field.DROP: drop,
        **_learned(claim),
        **_due_when_over(claim, now, claim.uncommitted, is_announced=True),
    }
    clears = (_WORK | {Field.REASON, Field.CAUSE}) - sets.keys()
    return Transition(_fenced(claim, Absent(Field.REFETCH_WANTED)), sets, clears)


def gave_up(
    claim: Connection,
    now: datetime,
    status: Status,
    *,
    reason: Reason,
    cause: str | None = None,
    action: Action,
    put: Put,
) -> Transition:
    """End this generation as `action_required` or `failed`, unless a POST has asked for other accounts meanwhile."""
    drain, uncommitted = _drain(claim, put), _uncommitted(claim, put)
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: status,
        Field.REASON: reason,
        Field.CAUSE: cause,
        Field.ACTION: action,
        **_learned(claim),
        **drain,
        **_due_when_over(claim, now, uncommitted, drain.get(Field.DRAIN_UNTIL), is_announced=not uncommitted),
    }
    return Transition(_fenced(claim, Absent(Field.REFETCH_WANTED)), sets, _WORK - sets.keys())


def next_generation(claim: Connection, now: datetime, *, put: Put) -> Transition:
    """Hand a claim over to the next generation: a POST asked for it, or this one's key holds what is not its data."""
    sets = {Field.UPDATED_AT: now, **_next(claim, now, put), **_drain(claim, put)}
    return Transition(_fenced(claim), sets, _LEFT_BEHIND)


def swept(row: Connection, now: datetime) -> Transition:
    """What lay under the keys of `uncommitted` is gone. When it came to be as it is stays as it was."""
    announce_by = Equals(Field.ANNOUNCE_BY, row.announce_by) if row.announce_by else Absent(Field.ANNOUNCE_BY)
    expects = AllOf((_unchanged(row), Equals(Field.UNCOMMITTED, row.uncommitted), announce_by))
    sets: dict[Field, Any] = {}
    if row.holds_what_nobody_committed:  # only now may somebody be told how it ended
        sets = {Field.ANNOUNCE_BY: now + ANNOUNCED_WITHIN, Field.DUE_AT: now + ANNOUNCED_WITHIN}
    elif row.status in TERMINAL:
        sets = {Field.DUE_AT: row.announce_by}
    return Transition(expects, sets, {Field.UNCOMMITTED, Field.OVERDUE_SINCE})


def announced(settled: Settled, *, is_swept: bool) -> Transition:
    """How it ended was announced, or put aside for ops; it is due no more, unless there is something to sweep."""
    is_still_so = (Equals(Field.STATUS, settled.status), Equals(Field.GENERATION, settled.generation))
    sweeping = Absent(Field.UNCOMMITTED) if is_swept else Present(Field.UNCOMMITTED)
    clears = {Field.ANNOUNCE_BY} | ({Field.DUE_AT, Field.OVERDUE_SINCE} if is_swept else set())
    return Transition(AllOf((*is_still_so, sweeping, Present(Field.ANNOUNCE_BY))), {}, clears)


def put_off(hint: Hint, due_at: datetime, seen_before: datetime, *, overdue_since: datetime) -> Transition:
    """Look again at `due_at`, if nobody has moved since `hint` and it was still due before `seen_before`.

    However often it is put off, `overdue_since` says when it was first due.
    """
    sets = {Field.DUE_AT: due_at, Field.OVERDUE_SINCE: overdue_since}
    return Transition(AllOf((*as_in(hint), Before(Field.DUE_AT, seen_before))), sets)


# --- what they have in common


def _next(row: Connection, now: datetime, put: Put = Put.NONE) -> dict[Field, Any]:
    return {
        Field.STATUS: Status.RECEIVED,
        Field.GENERATION: max(row.generation, row.generations_given or 0) + 1,
        Field.ACTION: Action.NONE,
        Field.RETRIES: 0,
        Field.SESSIONS: 0,
        Field.STARTED_AT: now,
        Field.DUE_AT: now,
        **_if_given({Field.UNCOMMITTED: _uncommitted(row, put)}),
    }


def _uncommitted(row: Connection, put: Put) -> tuple[int, ...] | None:
    """The generations to be swept once this one is over without a commit."""
    if not row.put_open and put is Put.NONE:
        return row.uncommitted
    return (*(row.uncommitted or ()), row.generation)


def _drain(claim: Connection, put: Put) -> dict[Field, Any]:
    """A PUT that S3 left unanswered may land until the lease is over: an erase and a sweep must wait for that."""
    return _if_given({Field.DRAIN_UNTIL: claim.lease_until if put is Put.UNANSWERED else None})


def _due_when_over(
    claim: Connection,
    now: datetime,
    uncommitted: tuple[int, ...] | None,
    drain_until: datetime | None = None,
    *,
    is_announced: bool,
) -> dict[Field, Any]:
    """Have somebody look when it should have been announced, and when what may be there can be swept."""
    announce_by = {Field.ANNOUNCE_BY: now + ANNOUNCED_WITHIN} if is_announced else {}
    if not uncommitted:
        return {Field.DUE_AT: now + ANNOUNCED_WITHIN, **announce_by}
    drain_until = drain_until or claim.drain_until
    sweep_at = max(now, drain_until + PUTS_SETTLE) if drain_until else now
    return {Field.UNCOMMITTED: uncommitted, Field.DUE_AT: min([sweep_at, *announce_by.values()]), **announce_by}


def _learned(claim: Connection) -> dict[Field, Any]:
    """What a claim learned on the way and every way out of it keeps."""
    learned = {
        Field.FLINKS_HOME: claim.flinks_home,
        Field.OWNER_PROVEN: claim.owner_proven or None,
        Field.REFUSALS: claim.refusals,
    }
    return {Field.SESSIONS: claim.sessions, **_if_given(learned)}


def _if_given(values: Mapping[Field, Any]) -> dict[Field, Any]:
    """What is None is left as it is, not cleared."""
    return {field: value for field, value in values.items() if value is not None}


def as_in(hint: Hint) -> tuple[Expectation, ...]:
    return (Equals(Field.GENERATION, hint.generation), Equals(Field.ATTEMPT, hint.attempt))


def _unchanged(row: Connection) -> Expectation:
    """Nobody has written since `row` was read."""
    return AllOf((Equals(Field.STATUS, row.status), *as_in(row.hint), Equals(Field.UPDATED_AT, row.updated_at)))


def _fenced(claim: Connection, *and_also: Expectation) -> Expectation:
    """The row is still this claim's; a POST may have written into it meanwhile."""
    return AllOf((Equals(Field.STATUS, Status.FETCHING), *as_in(claim.hint), *and_also))
