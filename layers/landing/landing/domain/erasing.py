"""What may follow what once a connection is to be erased: like `transitions`, each change of a row a pure function."""

from datetime import datetime

from landing.domain.change import (
    Absent,
    AllOf,
    AnyOf,
    Equals,
    Expectation,
    Field,
    NotAfter,
    Present,
    Transition,
    every_field,
)
from landing.domain.connection import Action, AtFlinks, Connection, Erasure, Hint, Status
from landing.domain.reasons import Reason
from landing.domain.transitions import ANNOUNCED_WITHIN, as_in

KEPT = frozenset(
    {
        Field.CONNECTION_ID,
        Field.LOGIN_REF,
        Field.OWNER_REF,
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
    clears = {
        Field.REASON,
        Field.CAUSE,
        Field.STARTED_AT,
        Field.POLL_UNTIL,
        Field.REFETCH_WANTED,
        Field.OVERDUE_SINCE,
        Field.ANNOUNCE_BY,
    }
    return Transition(AllOf((Present(Field.CONNECTION_ID), Absent(Field.ERASURE))), sets, clears)


def claimed_for_erasing(hint: Hint, now: datetime, lease_until: datetime, *, even_if_early: bool) -> Transition:
    """Take a connection that is being erased, if nobody else is at it."""
    nobody_is_at_it = AnyOf((Absent(Field.ERASURE_LEASE_UNTIL), NotAfter(Field.ERASURE_LEASE_UNTIL, now)))
    is_due = () if even_if_early else (NotAfter(Field.DUE_AT, now),)
    sets = {
        Field.UPDATED_AT: now,
        Field.ATTEMPT: hint.attempt + 1,
        Field.DUE_AT: lease_until,
        Field.ERASURE_LEASE_UNTIL: lease_until,
    }
    deleting = Equals(Field.STATUS, Status.DELETING)
    return Transition(AllOf((deleting, *as_in(hint), nobody_is_at_it, *is_due)), sets, {Field.OVERDUE_SINCE})


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


def still_erasing(
    claim: Connection,
    now: datetime,
    due_at: datetime,
    *,
    reason: Reason,
    cause: str | None = None,
    unanswered: bool = False,
) -> Transition:
    """Go on at `due_at`: this run is over. `unanswered`: a DeleteCard may have taken effect."""
    sets = {
        Field.UPDATED_AT: now,
        Field.REASON: reason,
        Field.CAUSE: cause,
        Field.RETRIES: claim.retries + 1,
        Field.DUE_AT: due_at,
    }
    if unanswered:
        sets[Field.ERASURE_UNANSWERED] = True
    return Transition(_fenced_erasing(claim), sets, {Field.ERASURE_LEASE_UNTIL})


def forgotten(claim: Connection, now: datetime, backups_until: datetime, *, owner_ref: str | None = None) -> Transition:
    """Drop all that is the person's or opens anything; what the receipt says is fixed with it.

    `owner_ref` stays, for whoever asks for the receipts of an owner.
    """
    sets = {
        Field.UPDATED_AT: now,
        Field.OWNER_REF: owner_ref,
        Field.ERASURE_COMPLETED_AT: now,
        Field.ERASURE_BACKUPS_UNTIL: backups_until,
    }
    return Transition(_fenced_erasing(claim), sets, every_field() - KEPT)


def erased(claim: Connection, now: datetime, expires_at: datetime) -> Transition:
    """Everything is gone and the receipt is written."""
    sets = {
        Field.UPDATED_AT: now,
        Field.STATUS: Status.DELETED,
        Field.EXPIRES_AT: expires_at.replace(microsecond=0),
        Field.ANNOUNCE_BY: now + ANNOUNCED_WITHIN,
        Field.DUE_AT: now + ANNOUNCED_WITHIN,
    }
    return Transition(_fenced_erasing(claim), sets, {Field.REASON, Field.CAUSE, Field.ERASURE_LEASE_UNTIL})


def _fenced_erasing(claim: Connection) -> Expectation:
    return AllOf((Equals(Field.STATUS, Status.DELETING), Equals(Field.ATTEMPT, claim.attempt)))
