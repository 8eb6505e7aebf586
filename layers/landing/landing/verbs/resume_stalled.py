"""Finds the connections that nobody came back to, and wakes someone for each: late, never lost."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from landing.domain.connection import Status
from landing.domain.transitions import put_off
from landing.stores.connection_row import UnreadableRow
from landing.stores.connection_table import ConnectionTable, RowChanged
from landing.stores.queues import EraseQueue, FetchQueue

OVERDUE_AFTER = timedelta(minutes=2)
"""A message is rarely this late; a row that is has been forgotten, or its worker has died."""

NOT_AGAIN_FOR = timedelta(minutes=3)
"""With `OVERDUE_AFTER` it makes up the schedule's period, so that the next run does not wake the same one again."""


_FETCHED = frozenset({Status.RECEIVED, Status.FETCHING, Status.PENDING, Status.WAITING})
"""Whose next step is a fetch; the others are erased, or have drops swept that nobody committed."""


@dataclass(frozen=True)
class Resumed:
    """What one run found. `oldest` is how long the most overdue connection had been due."""

    woken: int
    oldest: timedelta
    complete: bool
    """False when the run's bound was reached: the next one goes on."""
    unreadable: tuple[str, ...] = ()
    """Whose rows this release cannot read: nobody can be woken for them."""


def resume_stalled(
    table: ConnectionTable,
    fetch_queue: FetchQueue,
    erase_queue: EraseQueue,
    clock: Callable[[], datetime],
    *,
    at_most: int,
) -> Resumed:
    """Wake up to `at_most` overdue connections. Raises one of `NOT_SERVED` when AWS cannot serve."""
    started = clock()
    woken, oldest = 0, timedelta()
    unreadable: list[str] = []
    for due in table.due_before(started - OVERDUE_AFTER):
        if isinstance(due, UnreadableRow):
            unreadable.append(due.connection_id)
            continue
        if woken == at_most:
            return Resumed(woken, oldest, complete=False, unreadable=tuple(unreadable))
        oldest = max(oldest, started - due.at)
        again = started + NOT_AGAIN_FOR
        try:
            table.apply(due.hint.connection_id, put_off(due.hint, again, seen_before=started - OVERDUE_AFTER))
        except RowChanged:
            continue  # somebody did come back
        except UnreadableRow as row:
            unreadable.append(row.connection_id)
            continue
        queue = fetch_queue if due.status in _FETCHED else erase_queue
        # What waits for its time may only be claimed then; what was just received, or left behind, at once.
        at_once = due.status not in (Status.PENDING, Status.WAITING, Status.DELETING)
        queue.send(due.hint, timedelta() if at_once else NOT_AGAIN_FOR)
        woken += 1
    return Resumed(woken, oldest, complete=True, unreadable=tuple(unreadable))
