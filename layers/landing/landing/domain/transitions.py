"""What may follow what in the life of a connection: every change that is ever made to a row, as a pure function.

Each gives a `Transition`: what it expects of the row, what it sets, what it clears. The table applies it in one
conditional write, so two workers never both succeed where only one may. `docs/states.md` is made from this module.

A *claim* is a row as a worker took it; its writes hold only while the row is still that claim's (`_fenced`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

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
    every_field,
)
from landing.domain.connection import (
    ERASED,
    PUTS_SETTLE,
    TERMINAL,
    Action,
    AtFlinks,
    Connection,
    Drop,
    Erasure,
    Hint,
    Status,
)
from landing.domain.reasons import Reason

SAME_ANSWER_FOR = timedelta(seconds=60)
"""How long after it became ready a repeated POST asks for nothing new."""

REPEATABLE = TERMINAL - ERASED
"""Where a connection can be when ops ask for its next generation: it has come to an end, and was not erased."""

KEPT = frozenset(
    {
        Field.CONNECTION_ID,
        Field.LOGIN_REF,
        Field.STATUS,
        Field.GENERATION,
        Field.ATTEMPT,
        Field.DUE_AT,
        Field.REASON,
        Field.ACTION,
        Field.RECEIVED_AT,
        Field.UPDATED_AT,
        Field.EXPIRES_AT,
        Field.ERASURE,
    }
)
"""What `forgotten` leaves of a connection. A field that is not named here is forgotten, whoever adds it."""

_WORK = frozenset(
    {Field.LEASE_UNTIL, Field.DUE_AT, Field.STARTED_AT, Field.SEALED_REQUEST, Field.POLL_UNTIL},
)
"""What belongs to work in progress and goes when it ends."""

_LEFT_BEHIND = frozenset(
    {Field.REASON, Field.SEALED_REQUEST, Field.POLL_UNTIL, Field.REFETCH_WANTED, Field.LEASE_UNTIL},
)
"""What the next generation does not take over."""


# --- a POST, and ops who ask again


class AfterPost(StrEnum):
    """What a POST does to a connection that is already there."""

    NOTHING = "nothing"
    START_AGAIN = "start_again"
    """Same generation, due now, the backoff forgotten."""
    STORE_ACCOUNTS = "store_accounts"
    """Keep the new choice of accounts; nobody has asked Flinks for this generation yet."""
    STORE_ACCOUNTS_FOR_NEXT = "store_accounts_for_next"
    """Keep the new choice; the running claim hands over to the next generation when it ends."""
    NEXT_GENERATION = "next_generation"
    REFUSE = "refuse"
    """It was erased."""


def after_post(row: Connection, account_ids: tuple[str, ...] | None, now: datetime) -> AfterPost:
    """What a repeated POST means for `row`. Omitted `account_ids` leave the choice as it is; order does not matter."""
    other_accounts = account_ids is not None and set(account_ids) != set(row.account_ids or ())
    match row.status:
        case Status.DELETING | Status.DELETED:
            return AfterPost.REFUSE
        case Status.RECEIVED:
            return AfterPost.STORE_ACCOUNTS if other_accounts else AfterPost.NOTHING
        case Status.FETCHING:
            return AfterPost.STORE_ACCOUNTS_FOR_NEXT if other_accounts else AfterPost.NOTHING
        case Status.PENDING:
            return AfterPost.NEXT_GENERATION if other_accounts else AfterPost.NOTHING
        case Status.WAITING:
            return AfterPost.NEXT_GENERATION if other_accounts else AfterPost.START_AGAIN
        case Status.READY if not other_accounts and now <= row.updated_at + SAME_ANSWER_FOR:
            return AfterPost.NOTHING
        case _:
            return AfterPost.NEXT_GENERATION


def reposted(
    row: Connection,
    what: AfterPost,
    now: datetime,
    *,
    account_ids: tuple[str, ...] | None,
    institution: str | None,
    correlation_id: str | None,
) -> Transition:
    """Do what a repeated POST asks for, as `after_post` has said."""
    sets: dict[Field, Any] = {Field.UPDATED_AT: now}
    clears: frozenset[Field] = frozenset()
    if what is AfterPost.START_AGAIN:
        sets |= {Field.STATUS: Status.RECEIVED, Field.RETRIES: 0, Field.DUE_AT: now}
    if what is AfterPost.STORE_ACCOUNTS_FOR_NEXT:
        sets |= {Field.REFETCH_WANTED: True}
    if what is AfterPost.NEXT_GENERATION:
        sets |= _next(row, now) | _if_given({Field.INSTITUTION: institution})
        clears = _LEFT_BEHIND
    if what in (AfterPost.STORE_ACCOUNTS_FOR_NEXT, AfterPost.NEXT_GENERATION):
        sets |= _if_given({Field.CORRELATION_ID: correlation_id})
    return Transition(_unchanged(row), sets | _if_given({Field.ACCOUNT_IDS: account_ids}), clears)


def refetched(row: Connection, now: datetime, correlation_id: str) -> Transition:
    """Ops ask for the next generation."""
    return Transition(
        _unchanged(row),
        {Field.UPDATED_AT: now, Field.CORRELATION_ID: correlation_id, **_next(row, now)},
        _LEFT_BEHIND,
    )


# --- fetching


def claimed(hint: Hint, now: datetime, lease_until: datetime) -> Transition:
    """Take a connection that is due and still as `hint` says, to work on it alone until `lease_until`.

    A claim whose worker died is taken over once nothing that it sent can land any more.
    """
    is_due = AnyOf(
        (
            Equals(Field.STATUS, Status.RECEIVED),
            AllOf((OneOf(Field.STATUS, (Status.WAITING, Status.PENDING)), NotAfter(Field.DUE_AT, now))),
            AllOf((Equals(Field.STATUS, Status.FETCHING), Before(Field.LEASE_UNTIL, now - PUTS_SETTLE))),
        )
    )
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: Status.FETCHING,
        Field.ATTEMPT: hint.attempt + 1,
        Field.LEASE_UNTIL: lease_until,
        Field.DUE_AT: lease_until + PUTS_SETTLE,
    }
    return Transition(AllOf((*_as_in(hint), is_due)), sets)


def pending(
    claim: Connection, now: datetime, due_at: datetime, *, sealed_request: bytes | None, poll_until: datetime | None
) -> Transition:
    """Flinks is processing: keep the open request and when to look again. `poll_until` never moves."""
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: Status.PENDING,
        Field.RETRIES: claim.retries,
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
    sealed_request: bytes | None,
    put_unanswered: bool,
) -> Transition:
    """Try again at `due_at`. An unanswered PUT may still land: that is remembered, for an erase must wait."""
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: Status.WAITING,
        Field.REASON: reason,
        Field.RETRIES: claim.retries + 1,
        Field.STARTED_AT: claim.started_at or claim.received_at,
        Field.SEALED_REQUEST: sealed_request,
        Field.DUE_AT: due_at,
        **_learned(claim),
        **_if_given({Field.POLL_UNTIL: claim.poll_until}),
        **_if_given({Field.DRAIN_UNTIL: claim.lease_until if put_unanswered else None}),
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
    }
    return Transition(_fenced(claim, Absent(Field.REFETCH_WANTED)), sets, _WORK | {Field.REASON})


def gave_up(claim: Connection, now: datetime, status: Status, *, reason: Reason, action: Action) -> Transition:
    """End this generation as `action_required` or `failed`, unless a POST has asked for other accounts meanwhile."""
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: status,
        Field.REASON: reason,
        Field.ACTION: action,
        **_learned(claim),
    }
    return Transition(_fenced(claim, Absent(Field.REFETCH_WANTED)), sets, _WORK)


def next_generation(claim: Connection, now: datetime) -> Transition:
    """Hand a claim over to the generation that a POST asked for while it ran."""
    return Transition(_fenced(claim), {Field.UPDATED_AT: now, **_next(claim, now)}, _LEFT_BEHIND)


def put_off(hint: Hint, due_at: datetime, seen_before: datetime) -> Transition:
    """Look again at `due_at`, if nobody has moved since `hint` and it was still due before `seen_before`."""
    return Transition(AllOf((*_as_in(hint), Before(Field.DUE_AT, seen_before))), {Field.DUE_AT: due_at})


# --- erasing


def tombstoned(now: datetime, ticket: str | None) -> Transition:
    """Put up the tombstone, whatever the connection was doing: from here on no claim succeeds.

    The lease stays: it says how long a PUT may still be under way.
    """
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: Status.DELETING,
        Field.ACTION: Action.NONE,
        Field.RETRIES: 0,
        Field.DUE_AT: now,
        Field.ERASURE: Erasure(requested_at=now, ticket=ticket),
    }
    clears = {Field.REASON, Field.STARTED_AT, Field.POLL_UNTIL, Field.REFETCH_WANTED}
    return Transition(AllOf((Present(Field.CONNECTION_ID), Absent(Field.ERASURE))), sets, clears)


def claimed_for_erasing(hint: Hint, now: datetime, lease_until: datetime, *, even_if_early: bool) -> Transition:
    """Take a connection that is being erased, if nobody else is at it."""
    nobody_is_at_it = AnyOf((Absent(Field.ERASURE_LEASE_UNTIL), Before(Field.ERASURE_LEASE_UNTIL, now)))
    is_due = () if even_if_early else (NotAfter(Field.DUE_AT, now),)
    sets = {
        Field.UPDATED_AT: now,
        Field.ATTEMPT: hint.attempt + 1,
        Field.DUE_AT: lease_until,
        Field.ERASURE_LEASE_UNTIL: lease_until,
    }
    deleting = Equals(Field.STATUS, Status.DELETING)
    return Transition(AllOf((deleting, *_as_in(hint), nobody_is_at_it, *is_due)), sets)


def ended_at_flinks(claim: Connection, now: datetime, how: AtFlinks) -> Transition:
    """Flinks has answered for good, or need not be asked."""
    sets = {Field.UPDATED_AT: now, Field.ERASURE_AT_FLINKS: how, Field.ERASURE_FLINKS_ANSWERED_AT: now}
    return Transition(_fenced_erasing(claim), sets)


def found_in_store(claim: Connection, now: datetime, *, versions: int, markers: int, uploads: int) -> Transition:
    """What there is to sweep, written before the first of it goes: no death of a worker makes it count less."""
    sets = {
        Field.UPDATED_AT: now,
        Field.ERASURE_VERSIONS: versions,
        Field.ERASURE_MARKERS: markers,
        Field.ERASURE_UPLOADS: uploads,
    }
    return Transition(_fenced_erasing(claim), sets)


def still_erasing(claim: Connection, now: datetime, due_at: datetime, *, reason: Reason) -> Transition:
    """Go on at `due_at`: this run is over."""
    sets = {Field.UPDATED_AT: now, Field.REASON: reason, Field.RETRIES: claim.retries + 1, Field.DUE_AT: due_at}
    return Transition(_fenced_erasing(claim), sets, {Field.ERASURE_LEASE_UNTIL})


def forgotten(claim: Connection, now: datetime, backups_until: datetime) -> Transition:
    """Drop all that is the person's or opens anything; what the receipt says is fixed with it."""
    sets = {Field.UPDATED_AT: now, Field.ERASURE_COMPLETED_AT: now, Field.ERASURE_BACKUPS_UNTIL: backups_until}
    return Transition(_fenced_erasing(claim), sets, every_field() - KEPT)


def erased(claim: Connection, now: datetime, expires_at: datetime) -> Transition:
    """Everything is gone and the receipt is written."""
    sets = {Field.UPDATED_AT: now, Field.STATUS: Status.DELETED, Field.EXPIRES_AT: expires_at.replace(microsecond=0)}
    return Transition(_fenced_erasing(claim), sets, {Field.REASON, Field.DUE_AT, Field.ERASURE_LEASE_UNTIL})


# --- what they have in common


def _next(row: Connection, now: datetime) -> dict[Field, Any]:
    return {
        Field.STATUS: Status.RECEIVED,
        Field.GENERATION: row.generation + 1,
        Field.ACTION: Action.NONE,
        Field.RETRIES: 0,
        Field.SESSIONS: 0,
        Field.STARTED_AT: now,
        Field.DUE_AT: now,
    }


def _learned(claim: Connection) -> dict[Field, Any]:
    """What a claim learned on the way and every way out of it keeps."""
    learned = {Field.FLINKS_HOME: claim.flinks_home, Field.OWNER_PROVEN: claim.owner_proven or None}
    return {Field.SESSIONS: claim.sessions, **_if_given(learned)}


def _if_given(values: Mapping[Field, Any]) -> dict[Field, Any]:
    """What is None is left as it is, not cleared."""
    return {field: value for field, value in values.items() if value is not None}


def _as_in(hint: Hint) -> tuple[Expectation, ...]:
    return (Equals(Field.GENERATION, hint.generation), Equals(Field.ATTEMPT, hint.attempt))


def _unchanged(row: Connection) -> Expectation:
    """Nobody has written since `row` was read."""
    return AllOf((Equals(Field.STATUS, row.status), *_as_in(row.hint), Equals(Field.UPDATED_AT, row.updated_at)))


def _fenced(claim: Connection, *and_also: Expectation) -> Expectation:
    """The row is still this claim's; a POST may have written into it meanwhile."""
    return AllOf((Equals(Field.STATUS, Status.FETCHING), *_as_in(claim.hint), *and_also))


def _fenced_erasing(claim: Connection) -> Expectation:
    return AllOf((Equals(Field.STATUS, Status.DELETING), Equals(Field.ATTEMPT, claim.attempt)))
