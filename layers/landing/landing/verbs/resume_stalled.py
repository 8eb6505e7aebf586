"""Finds what nobody came back to: wakes someone for each connection, announces each ending; late, never lost."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched

from landing.deadlines import TimeIsUp
from landing.domain.change import Transition
from landing.domain.connection import TERMINAL, Settled, Status
from landing.domain.transitions import put_off
from landing.error_names import NOT_SERVED
from landing.stores.connection_row import Due, UnreadableRow
from landing.stores.connection_table import ConnectionTable, RowChanged
from landing.stores.queues import EraseQueue, FetchQueue
from landing.verbs.publish_events import AnnounceOutcome, Announcer, Fate

OVERDUE_AFTER = timedelta(minutes=2)
"""A message is rarely this late; a row that is has been forgotten, or its worker has died."""

NOT_AGAIN_FOR = timedelta(minutes=3)
"""With `OVERDUE_AFTER` it makes up the schedule's period, so that the next run does not wake the same one again."""

DELETION_OVERDUE_AFTER = timedelta(hours=24)
"""From then on a deletion pages, whether or not `delete_connection` runs to say so itself."""

_FETCHED = frozenset({Status.RECEIVED, Status.FETCHING, Status.PENDING, Status.WAITING})
"""Whose next step is a fetch; the others are erased, or have drops swept that nobody committed."""

_ANNOUNCED_AT_ONCE = 100
"""So many endings are read before the first of them is announced."""


@dataclass
class Resumed:
    """What one run found and did."""

    woken: int = 0
    oldest: timedelta = timedelta()
    """How long the most overdue connection has been due; a deletion, ordered."""
    overdue_deletions: int = 0
    """How many of the woken are deletions that were ordered more than a day ago."""
    announcements: dict[Settled, AnnounceOutcome] = field(default_factory=dict)
    """Endings that nobody announced in time, and what became of them."""
    unreadable: list[str] = field(default_factory=list)
    """Whose rows this release cannot read: nobody can be woken for them."""
    complete: bool = False
    """False when the run's bound was reached, or its time was up: the next one goes on."""


@dataclass(frozen=True)
class Resumer:
    """What a run works with; `at_most` bounds the connections it wakes, and likewise the endings it announces."""

    table: ConnectionTable
    fetch_queue: FetchQueue
    erase_queue: EraseQueue
    announcer: Announcer
    clock: Callable[[], datetime]
    at_most: int

    def run(self) -> Resumed:
        """Wake someone for what is overdue; only then announce. Raises one of `NOT_SERVED` when AWS cannot serve."""
        started, resumed = self.clock(), Resumed()
        endings: list[Due] = []
        with suppress(TimeIsUp):
            resumed.complete = self._wake(started, resumed, endings)
        for some in batched(endings, _ANNOUNCED_AT_ONCE, strict=False):
            self._announce(some, started, resumed)
        return resumed

    # --- connections

    def _wake(self, started: datetime, resumed: Resumed, endings: list[Due]) -> bool:
        """Wake someone for each connection and collect the endings; whether all that is overdue was seen."""
        all_seen = True
        for due in self.table.due_before(started - OVERDUE_AFTER):
            if isinstance(due, UnreadableRow):
                resumed.unreadable.append(due.connection_id)
            elif _is_to_be_announced(due, started):
                if len(endings) < self.at_most:
                    endings.append(due)
                else:
                    all_seen = False
            elif resumed.woken == self.at_most:
                return False
            else:
                self._wake_one(due, started, resumed)
        return all_seen

    def _wake_one(self, due: Due, started: datetime, resumed: Resumed) -> None:
        since = due.overdue_since
        try:
            row = self.table.apply(due.hint.connection_id, _later(due, started))
        except RowChanged:
            return  # somebody did come back
        except UnreadableRow as of_whom:
            resumed.unreadable.append(of_whom.connection_id)
            return
        if row.status is Status.DELETING and row.erasure is not None:
            since = row.erasure.requested_at
            resumed.overdue_deletions += started - since >= DELETION_OVERDUE_AFTER
        resumed.oldest = max(resumed.oldest, started - since)
        queue = self.fetch_queue if due.status in _FETCHED else self.erase_queue
        # What waits for its time may only be claimed then; what was just received, or left behind, at once.
        at_once = due.status not in (Status.PENDING, Status.WAITING, Status.DELETING)
        queue.send(due.hint, timedelta() if at_once else NOT_AGAIN_FOR)
        resumed.woken += 1

    # --- endings

    def _announce(self, endings: tuple[Due, ...], started: datetime, resumed: Resumed) -> None:
        meant = {Settled(due.hint.connection_id, due.hint.generation, due.status): due for due in endings}
        outcomes = self.announcer.announce(meant)
        resumed.announcements |= outcomes
        for settled, outcome in outcomes.items():
            if outcome.fate is Fate.NOT_NOW:  # that the next run comes to others first
                with suppress(RowChanged, UnreadableRow, *NOT_SERVED):
                    self.table.apply(settled.connection_id, _later(meant[settled], started))


def _is_to_be_announced(due: Due, now: datetime) -> bool:
    """It has ended and is late for its announcement; before that it can only be due for having drops swept."""
    return due.status in TERMINAL and due.announce_by is not None and due.announce_by < now


def _later(due: Due, started: datetime) -> Transition:
    return put_off(
        due.hint, started + NOT_AGAIN_FOR, seen_before=started - OVERDUE_AFTER, overdue_since=due.overdue_since
    )
