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
    TERMINAL,
    AtFlinks,
    Connection,
    Hint,
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
from landing.domain.transitions import swept
from landing.error_names import NOT_SERVED, Cause, cause_of
from landing.flinks.answer import Answer
from landing.flinks.client import FlinksClient
from landing.flinks.codes import ANOTHER_OWNER, OWNER_UNPROVEN, Kind, cause_in, what_to_do
from landing.flinks.wire import Fault
from landing.metrics import Metric
from landing.stores.connection_row import UnreadableRow
from landing.stores.connection_table import ConnectionTable, RowChanged
from landing.stores.drop_store import DropStore, NotSwept
from landing.stores.index_key import IndexKey
from landing.stores.login_seal import LoginSeal, Purpose
from landing.stores.queues import EraseQueue
from landing.verbs.fetch_steps import ROW_WITHOUT_LOGIN
from landing.verbs.receipt import TOMBSTONE_FOR, completed_at_of, counts_of, erasure_of, receipt_of

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
    others_settle_for: timedelta = timedelta(hours=24)
    """How long an erasure waits for another connection to the login to prove itself: as long as a fetch may take."""
    backups_for: timedelta = timedelta(days=7)


class Sharing(StrEnum):
    """Whether another connection has the same login."""

    ALONE = "alone"
    UNSETTLED = "unsettled"
    """One is still being fetched: it may yet prove to be an owner's."""
    SHARED = "shared"


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
    cause: Cause | None = None
    """What ended the run before its end."""
    is_news: bool = True
    """Whether anything is now as it was not before."""


@dataclass(frozen=True)
class Later:
    """Why a run stops before its end; `due_at` when it is known, else the backoff says."""

    reason: Reason
    metric: str | None = None
    not_before: float | None = None
    due_at: datetime | None = None
    cause: Cause | None = None
    unanswered: bool = False


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
        """The ids of all connections of an app user, tombstones too."""
        return [*self.table.ids_of_owner(owner), *self.table.ids_of_owner_ref(self.index.owner_ref(owner))]

    def look(self, connection_id: str) -> EraseOutcome:
        """What erasing would do; changes nothing. Raises one of `NOT_SERVED` when AWS cannot serve."""
        row = self.table.get(connection_id)
        if row is None:
            return EraseOutcome(None, EraseEnding.UNKNOWN)
        if row.status in ERASED:
            return self._standing(row)
        there = self.drops.contents(connection_id)
        spared = AtFlinks.KEPT.value if self._sharing(row) is Sharing.SHARED else "would_be_asked"
        would_erase = {"status": row.public_status, "flinks": spared, "drops": counts_of(there)}
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
            return EraseOutcome(hint.connection_id, EraseEnding.EARLY, is_news=False)
        now = self.clock()
        try:
            claim = self._claim(hint, now, even_if_early=False)
        except RowChanged as refusal:
            row = refusal.row
            if row is not None and row.status not in ERASED and row.uncommitted:
                return self._sweep_uncommitted(row, now)
            if row is None or row.hint != hint or row.status is not Status.DELETING or row.due_at is None:
                return EraseOutcome(hint.connection_id, EraseEnding.STALE, is_news=False)
            self.queue.wake(hint, row.due_at - now)
            return EraseOutcome(hint.connection_id, EraseEnding.EARLY, due_at=row.due_at, is_news=False)
        return self._work(claim, time_left)

    def _sweep_uncommitted(self, row: Connection, now: datetime) -> EraseOutcome:
        """Delete the drops that a living connection put and never committed, once no more of them can land."""
        if row.sweepable_at is not None and now < row.sweepable_at:
            self.queue.wake(row.hint, row.sweepable_at - now)
            return EraseOutcome(row.connection_id, EraseEnding.EARLY, due_at=row.sweepable_at, is_news=False)
        try:
            self.drops.sweep_generations(row.connection_id, row.uncommitted or ())
        except NotSwept as refusal:
            self.queue.wake(row.hint, self.limits.backoff.last)
            counted, why = (Metric.ERASE_ERROR,), Reason.SWEEP_UNFINISHED
            return EraseOutcome(row.connection_id, EraseEnding.EARLY, why, metrics=counted, cause=refusal.cause)
        try:
            self.table.apply(row.connection_id, swept(row, self.clock()))
        except RowChanged:  # whoever changed it knows that there is something to sweep, and has it swept
            return EraseOutcome(row.connection_id, EraseEnding.STALE, is_news=False)
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
                broken_off = Later(Reason.SERVICE_UNAVAILABLE, Metric.ERASE_ERROR, cause=cause_of(error))
                return self._later(claim, broken_off)
            except NotSwept as refusal:
                return self._later(claim, Later(Reason.SWEEP_UNFINISHED, Metric.ERASE_ERROR, cause=refusal.cause))
        except RowChanged as loss:  # our lease is over, and someone else goes on
            return self._standing(loss.row or claim)

    def _steps(self, claim: Connection, time_left: TimeLeft) -> EraseOutcome:
        erasure = erasure_of(claim)
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
            owner_ref = self.index.owner_ref(claim.owner) if claim.owner is not None else None
            claim = self._write(claim, forgotten(claim, now, now + self.limits.backups_for, owner_ref=owner_ref))
        self.drops.put_receipt(claim.connection_id, erasure.requested_at, receipt_of(claim))
        now = self.clock()
        row = self._write(claim, erased(claim, now, completed_at_of(claim) + TOMBSTONE_FOR))
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
        sharing = self._sharing(claim)
        if sharing is Sharing.SHARED:
            return AtFlinks.KEPT
        if (
            sharing is Sharing.UNSETTLED
            and self.clock() < erasure_of(claim).requested_at + self.limits.others_settle_for
        ):
            return Later(Reason.ANOTHER_CONNECTION_UNDER_WAY)
        if claim.sealed_login is None:
            return Later(Reason.LOGIN_MISSING, Metric.ERASE_ERROR, cause=ROW_WITHOUT_LOGIN)
        login_id = self.seal.open(claim.sealed_login, claim.connection_id, Purpose.LOGIN)
        answer = self.flinks.delete_card(login_id)
        verdict = what_to_do(answer)
        if verdict.kind is Kind.DELETED:
            return AtFlinks.DELETED
        if verdict.kind is Kind.GONE:
            return self._gone(claim, answer)
        unanswered = answer.fault is Fault.TIMEOUT or answer.fault is Fault.UNREACHABLE
        return Later(verdict.reason, verdict.metric, answer.retry_after, cause=cause_in(answer), unanswered=unanswered)

    def _gone(self, claim: Connection, answer: Answer) -> AtFlinks | Later:
        """Flinks knows no such login: which is what a wrong address or customerId would hear of every login.

        So it counts only from the Flinks that once opened this login, and with credentials that are good there now.
        """
        if claim.flinks_home not in (None, self.flinks.home):
            return Later(Reason.ANOTHER_FLINKS, Metric.FLINKS_HOME_MISMATCH, cause=cause_in(answer))
        minted = self.flinks.generate_authorize_token()
        if minted.token is None:
            verdict = what_to_do(minted)
            return Later(verdict.reason, verdict.metric, minted.retry_after, cause=cause_in(minted))
        if claim.flinks_home is not None:
            return AtFlinks.ALREADY_GONE
        return AtFlinks.UNANSWERED if erasure_of(claim).unanswered else AtFlinks.UNKNOWN

    def _sharing(self, row: Connection) -> "Sharing":
        """Whether someone else has this login: only who is known to be its owner too may keep its card alive."""
        others = [other for other in self._others(row) if other.status not in ERASED]
        if any(other.is_known_to_own_its_login and not _was_refused(other) for other in others):
            return Sharing.SHARED
        return Sharing.UNSETTLED if any(other.status not in TERMINAL for other in others) else Sharing.ALONE

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
        overdue = now >= erasure_of(claim).requested_at + self.limits.overdue_after
        backoff = self.limits.backoff
        pause = backoff.last if overdue else backoff.delay(claim.retries, self.jitter, later.not_before)
        due_at = later.due_at or now + pause
        cause = later.cause.text if later.cause else None
        still = still_erasing(claim, now, due_at, reason=later.reason, cause=cause, unanswered=later.unanswered)
        row = self._write(claim, still)
        self.queue.wake(row.hint, due_at - now)
        metrics = (*([later.metric] if later.metric else []), *([Metric.ERASURE_OVERDUE] if overdue else []))
        return EraseOutcome(
            row.connection_id, EraseEnding.DELETING, later.reason, due_at, metrics=metrics, cause=later.cause
        )

    def _standing(self, row: Connection) -> EraseOutcome:
        """How it stands with a connection that is erased, or being erased."""
        if row.status is not Status.DELETED:
            return EraseOutcome(row.connection_id, EraseEnding.DELETING, row.reason or Reason.IN_PROGRESS, row.due_at)
        unknown = erasure_of(row).at_flinks is AtFlinks.UNKNOWN
        ending = EraseEnding.UNKNOWN_AT_FLINKS if unknown else EraseEnding.DELETED
        return EraseOutcome(row.connection_id, ending, receipt=receipt_of(row))


def _was_refused(row: Connection) -> bool:
    return row.status is Status.FAILED and row.reason in _REFUSED_AS_OWNER


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
