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

DELETION_OVERDUE_AFTER = timedelta(hours=24)
"""From then on a deletion pages, whether or not `delete_connection` runs to say so itself."""

_FETCHED = frozenset({Status.RECEIVED, Status.FETCHING, Status.PENDING, Status.WAITING})
"""Whose next step is a fetch; the others are erased, or have drops swept that nobody committed."""


@dataclass(frozen=True)
class Resumed:
    """What one run found. `oldest` is how long the most overdue connection has been due; a deletion, ordered."""

    woken: int
    oldest: timedelta
    complete: bool
    """False when the run's bound was reached: the next one goes on."""
    unreadable: tuple[str, ...] = ()
    """Whose rows this release cannot read: nobody can be woken for them."""
    overdue_deletions: int = 0
    """How many of the woken are deletions that were ordered more than a day ago."""


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
    overdue_before, again = started - OVERDUE_AFTER, started + NOT_AGAIN_FOR
    woken, oldest, overdue_deletions, complete = 0, timedelta(), 0, True
    unreadable: list[str] = []
    for due in table.due_before(overdue_before):
        if isinstance(due, UnreadableRow):
            unreadable.append(due.connection_id)
            continue
        if woken == at_most:
            complete = False
            break
        since = due.overdue_since
        transition = put_off(due.hint, again, seen_before=overdue_before, overdue_since=since)
        try:
            row = table.apply(due.hint.connection_id, transition)
        except RowChanged:
            continue  # somebody did come back
        except UnreadableRow as of_whom:
            unreadable.append(of_whom.connection_id)
            continue
        if row.status is Status.DELETING and row.erasure is not None:
            since = row.erasure.requested_at
            overdue_deletions += started - since >= DELETION_OVERDUE_AFTER
        oldest = max(oldest, started - since)
        queue = fetch_queue if due.status in _FETCHED else erase_queue
        # What waits for its time may only be claimed then; what was just received, or left behind, at once.
        at_once = due.status not in (Status.PENDING, Status.WAITING, Status.DELETING)
        queue.send(due.hint, timedelta() if at_once else NOT_AGAIN_FOR)
        woken += 1
    return Resumed(woken, oldest, complete, tuple(unreadable), overdue_deletions)
