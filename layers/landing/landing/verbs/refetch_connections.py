"""Asks Flinks again, tries again at once, or announces again, for what ops names by id, reason or time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from landing.deadlines import TimeLeft
from landing.domain.announcements import announcement_of
from landing.domain.connection import ERASED, Connection, Status
from landing.domain.transitions import AT_WORK, REPEATABLE, refetched, retried
from landing.error_names import NOT_SERVED
from landing.stores.bus import Bus
from landing.stores.connection_row import Read, UnreadableRow
from landing.stores.connection_table import ConnectionTable, Criteria, RowChanged

TIME_TO_STOP = timedelta(seconds=30)
"""What must be left of an invocation for one more connection, however slowly AWS answers."""


class Verb(StrEnum):
    REFETCH = "refetch"
    REANNOUNCE = "reannounce"
    RETRY = "retry"


class RefetchEnding(StrEnum):
    """What was done about a connection; in a dry run, what would have been."""

    REFETCHED = "refetched"
    ANNOUNCED = "announced"
    RETRIED = "retried"
    RUNNING = "running"
    """Its fetch has not ended: there is nothing to repeat."""
    ENDED = "ended"
    """Its fetch has ended: there is nothing to try again; a re-fetch asks anew."""
    ERASED = "erased"
    UNKNOWN = "unknown"
    UNREADABLE = "unreadable"
    """This release cannot read the row: it must be repaired first."""
    NOT_DONE = "not_done"
    """AWS did not serve, or the row cannot be announced: see the log, and ask again."""


@dataclass(frozen=True)
class Order:
    """What ops wants. Either `ids`, or `criteria`. `limit` bounds what one run does, or would do."""

    verb: Verb
    correlation_id: str
    dry_run: bool
    limit: int
    ids: tuple[str, ...] | None = None
    criteria: Criteria | None = None
    after: str | None = None
    """Where the run before ended."""


@dataclass
class Run:
    """What one run did, by connectionId; `after` is where the next goes on, None when all was seen."""

    endings: dict[str, RefetchEnding] = field(default_factory=dict)
    after: str | None = None
    complete: bool = False

    @property
    def counts(self) -> Counter[RefetchEnding]:
        return Counter(self.endings.values())

    @property
    def unreadable(self) -> list[str]:
        """Whose rows must be repaired."""
        return [id_ for id_, ending in self.endings.items() if ending is RefetchEnding.UNREADABLE]

    @property
    def done(self) -> int:
        return sum(
            self.counts[each] for each in (RefetchEnding.REFETCHED, RefetchEnding.ANNOUNCED, RefetchEnding.RETRIED)
        )


@dataclass(frozen=True)
class Refetcher:
    """What a run works with. `bucket` is named in announcements and never touched."""

    table: ConnectionTable
    bus: Bus
    bucket: str
    clock: Callable[[], datetime]

    def run(self, order: Order, time_left: TimeLeft) -> Run:
        """Do what `order` says until its limit, or until the time is up; a run that AWS cuts short is incomplete."""
        run = Run(after=order.after)
        while time_left() >= TIME_TO_STOP:
            try:
                rows, after = self._page(order, run.after)
            except NOT_SERVED:
                return run
            for connection_id, row in rows:
                if run.done >= order.limit or time_left() < TIME_TO_STOP:
                    return run
                run.endings[connection_id] = self._one(order, connection_id, row)
                run.after = connection_id
            run.after = after
            if after is None:
                run.complete = True
                break
        return run

    def _page(self, order: Order, after: str | None) -> tuple[list[tuple[str, Read | None]], str | None]:
        if order.criteria is not None:
            rows, next_after = self.table.page_of_all(order.criteria, after)
            return [(row.connection_id, row) for row in rows], next_after
        ids = order.ids or ()
        rest = ids[ids.index(after) + 1 :] if after in ids else ids
        return [(id_, None) for id_ in rest], None

    def _one(self, order: Order, connection_id: str, seen: Read | None) -> RefetchEnding:
        try:
            # A page may be old by now, and what was deleted since must not be announced.
            row = seen if isinstance(seen, Connection) and order.dry_run else self.table.get(connection_id)
            if row is None:
                return RefetchEnding.UNKNOWN
            if order.verb is Verb.REFETCH:
                return self._refetch(row, order)
            if order.verb is Verb.RETRY:
                return self._retry(row, order)
            return self._announce(row, order)
        except UnreadableRow:
            return RefetchEnding.UNREADABLE
        except (*NOT_SERVED, ValueError):  # a ValueError is of a row that cannot be put into words
            return RefetchEnding.NOT_DONE

    def _refetch(self, row: Connection, order: Order) -> RefetchEnding:
        if row.status in ERASED:
            return RefetchEnding.ERASED
        if row.status not in REPEATABLE:
            return RefetchEnding.RUNNING
        if not order.dry_run:
            try:
                self.table.apply(row.connection_id, refetched(row, self.clock(), order.correlation_id))
            except RowChanged:
                return RefetchEnding.RUNNING  # somebody was faster: a POST, or an erase
        return RefetchEnding.REFETCHED

    def _retry(self, row: Connection, order: Order) -> RefetchEnding:
        if row.status not in AT_WORK:
            return RefetchEnding.ERASED if row.status in ERASED else RefetchEnding.ENDED
        if not order.dry_run:
            try:
                self.table.apply(row.connection_id, retried(row, self.clock(), order.correlation_id))
            except RowChanged:
                return RefetchEnding.RUNNING  # somebody is at it
        return RefetchEnding.RUNNING if row.status is Status.FETCHING else RefetchEnding.RETRIED

    def _announce(self, row: Connection, order: Order) -> RefetchEnding:
        announcement = announcement_of(row, self.bucket)
        if announcement is None:
            return RefetchEnding.ERASED if row.status in ERASED else RefetchEnding.RUNNING
        if order.dry_run:
            return RefetchEnding.ANNOUNCED
        (code,) = self.bus.put([announcement])
        return RefetchEnding.ANNOUNCED if code is None else RefetchEnding.NOT_DONE
