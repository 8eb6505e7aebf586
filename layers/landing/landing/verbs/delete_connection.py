"""Erases a connection here and at Flinks: tombstone, DeleteCard, drain, sweep, forget, receipt.

Every step may be cut off and run again. The order of the steps makes that safe:

1. The tombstone: no claim of a fetch succeeds any more.
2. DeleteCard while we still hold the login; the sealed login goes only after Flinks has answered for good.
3. Drain: a fetch that was under way when the tombstone went up may still put its drop until its lease is over. A
   PUT that lands after the sweep would outlive everything else here, so the sweep waits for the last lease.
4. Sweep until a listing is empty. 5. Forget what is the person's. 6. The receipt, and `deleted`.

Nobody sleeps: what must wait becomes a delayed message, and `resume_stalled` finds a row whose message got lost.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from landing.deadlines import RUN_TAKES, TimeLeft
from landing.domain.backoff import USUAL, Backoff
from landing.domain.change import Transition
from landing.domain.connection import (
    ERASED,
    AtFlinks,
    Connection,
    Erasure,
    Hint,
    Status,
    timestamp,
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
from landing.domain.transitions import swept
from landing.error_names import NOT_SERVED, name_of, place_of
from landing.flinks.client import FlinksClient
from landing.flinks.codes import ANOTHER_OWNER, OWNER_UNPROVEN, Kind, what_to_do
from landing.metrics import Metric
from landing.stores.connection_row import UnreadableRow
from landing.stores.connection_table import ConnectionTable, RowChanged
from landing.stores.drop_store import Contents, DropStore
from landing.stores.index_key import IndexKey
from landing.stores.login_seal import LoginSeal, Purpose
from landing.stores.queues import EraseQueue

TOMBSTONE_FOR = timedelta(days=60)
"""Longer than a stream (24 h), a queue (14 days) or a backup (35 days) can bring anything back."""

_REFUSED_AS_OWNER = frozenset(verdict.reason for verdict in (ANOTHER_OWNER, OWNER_UNPROVEN))


@dataclass(frozen=True)
class Limits:
    """The numbers of an erasure.

    A lease outlives the function, which may run for 300 s. After a day, a deletion that is not done pages ops.
    `backups_for` is how far back the table can be restored.
    """

    lease: timedelta = timedelta(seconds=330)
    backoff: Backoff = USUAL
    overdue_after: timedelta = timedelta(hours=24)
    backups_for: timedelta = timedelta(days=7)


class EraseEnding(StrEnum):
    """How one run ended."""

    DELETED = "deleted"
    UNKNOWN_AT_FLINKS = "unknown_at_flinks"
    """Erased here; Flinks does not know the login, and we never saw it do so."""
    DELETING = "deleting"
    UNKNOWN = "unknown"
    WOULD_DELETE = "would_delete"
    SWEPT = "swept"
    """It lives; what it had put and never committed is gone."""
    EARLY = "early"
    """Not due yet: delayed again for the remainder."""
    STALE = "stale"
    """The row has moved on since the message was made."""


@dataclass(frozen=True)
class EraseOutcome:
    """What became of an order or a message; `connection_id` is None where there is no such connection."""

    connection_id: str | None
    ending: EraseEnding
    reason: Reason | None = None
    due_at: datetime | None = None
    receipt: dict[str, Any] | None = None
    would_erase: dict[str, Any] | None = None
    metrics: tuple[str, ...] = ()
    cause: str | None = None
    """The call of AWS that failed, for the log."""


@dataclass(frozen=True)
class Later:
    """Why a run stops before its end; `due_at` when it is known, else the backoff says."""

    reason: Reason
    metric: str | None = None
    not_before: float | None = None
    due_at: datetime | None = None
    cause: str | None = None


@dataclass(frozen=True)
class Eraser:
    """What an erasure works with. `jitter` draws a number from 0 to 1."""

    table: ConnectionTable
    seal: LoginSeal
    index: IndexKey
    flinks: FlinksClient
    drops: DropStore
    queue: EraseQueue
    clock: Callable[[], datetime]
    limits: Limits = Limits()
    jitter: Callable[[], float] = random.random

    # --- what is asked for

    def with_login(self, login_id: str) -> list[str]:
        """The ids of all connections to a canonical loginId, tombstones too."""
        return [row.connection_id for row in self.table.all_of_login(self.index.login_ref(login_id))]

    def of_owner(self, owner: str) -> list[str]:
        """The ids of all connections of an app user; a tombstone no longer knows whose it was."""
        return [row.connection_id for row in self.table.all_of_owner(owner)]

    def look(self, connection_id: str) -> EraseOutcome:
        """What erasing would do; changes nothing. Raises one of `NOT_SERVED` when AWS cannot serve."""
        row = self.table.get(connection_id)
        if row is None:
            return EraseOutcome(None, EraseEnding.UNKNOWN)
        if row.status in ERASED:
            return self._standing(row)
        there = self.drops.contents(connection_id)
        spared = AtFlinks.KEPT.value if self._is_shared(row) else "would_be_asked"
        would_erase = {"status": row.public_status, "flinks": spared, "drops": _counts(there)}
        return EraseOutcome(connection_id, EraseEnding.WOULD_DELETE, would_erase=would_erase)

    def erase(self, connection_id: str, ticket: str | None, time_left: TimeLeft) -> EraseOutcome:
        """Erase a connection, as far as it goes at once; the erase queue does the rest.

        Once the tombstone stands the erasure goes on by itself. Raises one of `NOT_SERVED` when the table
        cannot serve.
        """
        try:
            row = self.table.apply(connection_id, tombstoned(self.clock(), ticket))
        except RowChanged as refusal:
            if refusal.row is None:
                return EraseOutcome(None, EraseEnding.UNKNOWN)
            row = refusal.row
        return self._run(row, time_left)

    def resume(self, hint: Hint, time_left: TimeLeft) -> EraseOutcome:
        """Go on with what a message says is due. Raises one of `NOT_SERVED` when the table cannot serve."""
        if time_left() < RUN_TAKES:
            self.queue.send(hint)
            return EraseOutcome(hint.connection_id, EraseEnding.EARLY)
        now = self.clock()
        try:
            claim = self._claim(hint, now, even_if_early=False)
        except RowChanged as refusal:
            row = refusal.row
            if row is not None and row.status not in ERASED and row.uncommitted:
                return self._sweep_uncommitted(row, now)
            if row is None or row.hint != hint or row.status is not Status.DELETING or row.due_at is None:
                return EraseOutcome(hint.connection_id, EraseEnding.STALE)
            self.queue.wake(hint, row.due_at - now)
            return EraseOutcome(hint.connection_id, EraseEnding.EARLY, due_at=row.due_at)
        return self._work(claim, time_left)

    def _sweep_uncommitted(self, row: Connection, now: datetime) -> EraseOutcome:
        """Delete the drops that a living connection put and never committed, once no more of them can land."""
        if row.sweepable_at is not None and now < row.sweepable_at:
            self.queue.wake(row.hint, row.sweepable_at - now)
            return EraseOutcome(row.connection_id, EraseEnding.EARLY, due_at=row.sweepable_at)
        if not self.drops.sweep_generations(row.connection_id, row.uncommitted or ()):
            self.queue.wake(row.hint, self.limits.backoff.last)
            return EraseOutcome(row.connection_id, EraseEnding.EARLY, Reason.SWEEP_UNFINISHED)
        try:
            self.table.apply(row.connection_id, swept(row))
        except RowChanged:  # whoever changed it knows that there is something to sweep, and has it swept
            return EraseOutcome(row.connection_id, EraseEnding.STALE)
        return EraseOutcome(row.connection_id, EraseEnding.SWEPT)

    # --- one run

    def _run(self, row: Connection, time_left: TimeLeft) -> EraseOutcome:
        if row.status is Status.DELETED:
            return self._standing(row)
        if time_left() < RUN_TAKES:
            self.queue.wake(row.hint, timedelta())
            return self._standing(row)
        now = self.clock()
        try:
            claim = self._claim(row.hint, now, even_if_early=True)
        except RowChanged as refusal:
            return self._standing(refusal.row or row)
        return self._work(claim, time_left)

    def _work(self, claim: Connection, time_left: TimeLeft) -> EraseOutcome:
        try:
            try:
                return self._steps(claim, time_left)
            except (*NOT_SERVED, UnreadableRow) as error:
                cause = f"{name_of(error)} at {place_of(error)}"
                return self._later(claim, Later(Reason.SERVICE_UNAVAILABLE, Metric.ERASE_ERROR, cause=cause))
        except RowChanged as loss:  # our lease is over, and someone else goes on
            return self._standing(loss.row or claim)

    def _steps(self, claim: Connection, time_left: TimeLeft) -> EraseOutcome:
        erasure = _of(claim)
        if erasure.at_flinks is None:
            how = self._end_at_flinks(claim)
            if isinstance(how, Later):
                return self._later(claim, how)
            claim = self._write(claim, ended_at_flinks(claim, self.clock(), how))
        if erasure.completed_at is None:
            under_way = self._fetch_under_way(claim)
            if under_way is not None:
                return self._later(claim, under_way)
            if erasure.versions is None:
                there = self.drops.contents(claim.connection_id)
                found = found_in_store(
                    claim, self.clock(), versions=there.versions, markers=there.markers, uploads=there.uploads
                )
                claim = self._write(claim, found)
            if not self.drops.sweep(claim.connection_id, time_left):
                return self._later(claim, Later(Reason.SWEEP_UNFINISHED))
            now = self.clock()
            claim = self._write(claim, forgotten(claim, now, now + self.limits.backups_for))
        self.drops.put_receipt(claim.connection_id, erasure.requested_at, receipt_of(claim))
        now = self.clock()
        row = self._write(claim, erased(claim, now, _completed(claim) + TOMBSTONE_FOR))
        ended = self._standing(row)
        unknown = (Metric.ERASURE_UNKNOWN_AT_FLINKS,) if ended.ending is EraseEnding.UNKNOWN_AT_FLINKS else ()
        return EraseOutcome(ended.connection_id, ended.ending, receipt=ended.receipt, metrics=unknown)

    def _claim(self, hint: Hint, now: datetime, *, even_if_early: bool) -> Connection:
        claim = claimed_for_erasing(hint, now, now + self.limits.lease, even_if_early=even_if_early)
        return self.table.apply(hint.connection_id, claim)

    def _write(self, claim: Connection, transition: Transition) -> Connection:
        """Write while the claim holds. Raises RowChanged when it was lost."""
        return self.table.apply(claim.connection_id, transition)

    # --- Flinks

    def _end_at_flinks(self, claim: Connection) -> AtFlinks | Later:
        if self._is_shared(claim):
            return AtFlinks.KEPT
        if claim.sealed_login is None:
            return Later(Reason.LOGIN_MISSING, Metric.ERASE_ERROR)
        login_id = self.seal.open(claim.sealed_login, claim.connection_id, Purpose.LOGIN)
        answer = self.flinks.delete_card(login_id)
        verdict = what_to_do(answer)
        if verdict.kind is Kind.DELETED:
            return AtFlinks.DELETED
        if verdict.kind is Kind.GONE:
            return self._gone(claim)
        return Later(verdict.reason, verdict.metric, answer.retry_after)

    def _gone(self, claim: Connection) -> AtFlinks | Later:
        """Flinks knows no such login: which is what a wrong address or customerId would hear of every login.

        So it counts only from the Flinks that once opened this login, and with credentials that are good there now.
        """
        if claim.flinks_home not in (None, self.flinks.home):
            return Later(Reason.ANOTHER_FLINKS, Metric.FLINKS_HOME_MISMATCH)
        minted = self.flinks.generate_authorize_token()
        if minted.token is None:
            verdict = what_to_do(minted)
            return Later(verdict.reason, verdict.metric, minted.retry_after)
        return AtFlinks.ALREADY_GONE if claim.flinks_home is not None else AtFlinks.UNKNOWN

    def _is_shared(self, row: Connection) -> bool:
        """Whether someone else is connected to the same login; who was refused as not its owner is not."""
        return any(
            other.status not in ERASED and not (other.status is Status.FAILED and other.reason in _REFUSED_AS_OWNER)
            for other in self._others(row)
        )

    def _others(self, row: Connection) -> Iterator[Connection]:
        """Who else has this login. Raises UnreadableRow, for nobody knows then whether the card may go."""
        for other in self.table.all_of_login(row.login_ref):
            if isinstance(other, UnreadableRow):
                raise other
            if other.connection_id != row.connection_id:
                yield other

    # --- the ways out of a run

    def _fetch_under_way(self, claim: Connection) -> Later | None:
        settled_at = claim.settled_at
        if settled_at is None or settled_at <= self.clock():
            return None
        return Later(Reason.FETCH_UNDER_WAY, due_at=settled_at)

    def _later(self, claim: Connection, later: Later) -> EraseOutcome:
        now = self.clock()
        overdue = now >= _of(claim).requested_at + self.limits.overdue_after
        backoff = self.limits.backoff
        pause = backoff.last if overdue else backoff.delay(claim.retries, self.jitter, later.not_before)
        due_at = later.due_at or now + pause
        row = self._write(claim, still_erasing(claim, now, due_at, reason=later.reason))
        self.queue.wake(row.hint, due_at - now)
        metrics = (*([later.metric] if later.metric else []), *([Metric.ERASURE_OVERDUE] if overdue else []))
        return EraseOutcome(
            row.connection_id, EraseEnding.DELETING, later.reason, due_at, metrics=metrics, cause=later.cause
        )

    def _standing(self, row: Connection) -> EraseOutcome:
        """How it stands with a connection that is erased, or being erased."""
        if row.status is not Status.DELETED:
            return EraseOutcome(row.connection_id, EraseEnding.DELETING, row.reason or Reason.IN_PROGRESS, row.due_at)
        unknown = _of(row).at_flinks is AtFlinks.UNKNOWN
        ending = EraseEnding.UNKNOWN_AT_FLINKS if unknown else EraseEnding.DELETED
        return EraseOutcome(row.connection_id, ending, receipt=receipt_of(row))


# --- the receipt


def receipt_of(row: Connection) -> dict[str, Any]:
    """The statement of what was erased, of a row that is past `forgotten`. No personal data; the same every time."""
    erasure, completed_at = _of(row), _completed(row)
    return {
        "version": 1,
        "connectionId": row.connection_id,
        "ticket": erasure.ticket,
        "requestedAt": timestamp(erasure.requested_at),
        "completedAt": timestamp(completed_at),
        "complete": True,
        "erased": {
            "flinks": {"answer": erasure.at_flinks, "answeredAt": _when(erasure.flinks_answered_at)},
            "drops": _counts(Contents(erasure.versions or 0, erasure.markers or 0, erasure.uploads or 0)),
            "table": {"rows": 1, "attributes": ["login", "request", "owner", "accountIds", "drop", "institution"]},
        },
        "remains": [
            {"what": "tombstone", "until": timestamp(completed_at + TOMBSTONE_FOR)},
            {"what": "table backup, with the login sealed", "until": _when(erasure.backups_until)},
            {"what": "this receipt", "until": None},
        ],
    }


def _counts(there: Contents) -> dict[str, int]:
    return {"versions": there.versions, "deleteMarkers": there.markers, "unfinishedUploads": there.uploads}


def _of(row: Connection) -> Erasure:
    assert row.erasure is not None  # noqa: S101 - `tombstoned` sets it, and nothing removes it
    return row.erasure


def _completed(row: Connection) -> datetime:
    completed_at = _of(row).completed_at
    assert completed_at is not None  # noqa: S101 - callers are past `forgotten`
    return completed_at


def _when(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None


# --- many at once


def erase_all(work: Iterable[Callable[[], EraseOutcome]], threads: int) -> list[EraseOutcome | Exception]:
    """Do all of it side by side, so that one slow card holds up no other; an exception stands in an outcome's place."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(outcome_of, work))


def outcome_of(work: Callable[[], EraseOutcome]) -> EraseOutcome | Exception:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - the handler logs it and answers for this one connection
        return error
