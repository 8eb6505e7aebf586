"""Connections as operators look at them: counted, listed, or one from its row and its log lines."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from landing.domain.connection import ERASED, TERMINAL, Connection, Status
from landing.stores.connection_row import from_item
from ops.orders import NotDone
from ops.target import Target


@dataclass(frozen=True)
class Unreadable:
    """A row that this release cannot read."""

    connection_id: str


OVERDUE_AFTER = timedelta(minutes=10)
"""Longer than a message and a tick of the schedule take."""

type Row = Connection | Unreadable


def read(item: Any) -> Row:
    try:
        return from_item(item)
    except (KeyError, ValueError, TypeError, AttributeError, StopIteration):
        return Unreadable(str(item.get("connectionId", {}).get("S", "unknown")))


def every_row(target: Target, seen: Callable[[int], None] = lambda _: None) -> Iterator[Row]:
    """The whole table, page by page; `seen` hears how many each page had."""
    pages = target.client("dynamodb").get_paginator("scan").paginate(TableName=target.output("ConnectionsTable"))
    for page in pages:
        seen(len(page["Items"]))
        yield from (read(item) for item in page["Items"])


def ids_of_owner(target: Target, owner: str) -> Iterator[str]:
    """The connectionIds of an owner, from the table's index."""
    pages = (
        target.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=target.output("ConnectionsTable"),
            IndexName="by-owner",
            KeyConditionExpression="#owner = :owner",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}},
        )
    )
    for page in pages:
        yield from (item["connectionId"]["S"] for item in page["Items"])


def of_owner(target: Target, owner: str) -> Iterator[Row]:
    for connection_id in ids_of_owner(target, owner):
        if (row := find(target, connection_id)) is not None:
            yield row


def find(target: Target, connection_id: str) -> Row | None:
    answer = target.client("dynamodb").get_item(
        TableName=target.output("ConnectionsTable"),
        Key={"connectionId": {"S": connection_id}},
        ConsistentRead=True,
    )
    return read(answer["Item"]) if "Item" in answer else None


def one(target: Target, connection_id: str) -> Row:
    """Raises NotDone when there is no such row."""
    row = find(target, connection_id)
    if row is None:
        raise NotDone(
            f"There is no {connection_id} on {target}. If it was deleted more than 60 days ago, "
            f"its receipt is still there: bin/landing receipt {connection_id}."
        )
    return row


@dataclass
class Overview:
    """How many connections there are, by what they are."""

    by_status: Counter[str] = field(default_factory=Counter)
    by_reason: Counter[tuple[str, str]] = field(default_factory=Counter)
    oldest: dict[str, datetime] = field(default_factory=dict)
    """Per status that is not over: when the connection that has been longest in it came there."""
    overdue: int = 0
    unreadable: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.by_status.values()) + len(self.unreadable)


def overview(rows: Iterable[Row], now: datetime) -> Overview:
    counted = Overview()
    for row in rows:
        if isinstance(row, Unreadable):
            counted.unreadable.append(row.connection_id)
            continue
        counted.by_status[row.status] += 1
        if row.reason is not None and row.status not in ERASED:
            counted.by_reason[row.status, row.reason] += 1
        if row.status not in TERMINAL:
            counted.oldest[row.status] = min(row.updated_at, counted.oldest.get(row.status, row.updated_at))
            counted.overdue += is_overdue(row, now)
    return counted


def is_overdue(row: Connection, now: datetime) -> bool:
    since = row.overdue_since or row.due_at
    return since is not None and since + OVERDUE_AFTER < now


@dataclass(frozen=True)
class Wanted:
    """Which connections to list; what is None does not matter."""

    statuses: frozenset[Status] = frozenset()
    reason: str | None = None
    older: timedelta | None = None
    """At least so long as it is now."""
    overdue: bool = False

    def __call__(self, row: Row, now: datetime) -> bool:
        if isinstance(row, Unreadable):
            return self == Wanted()
        return (
            (not self.statuses or row.status in self.statuses)
            and (self.reason is None or row.reason == self.reason)
            and (self.older is None or row.updated_at + self.older <= now)
            and (not self.overdue or is_overdue(row, now))
        )


def now() -> datetime:
    return datetime.now(UTC)
