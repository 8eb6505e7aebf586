"""DynamoDB: items, indexes, conditions, change records, expiry. Of its API, what the service and its readers call."""

import zlib
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.world.clock import VirtualClock
from tests.world.expressions import (
    COMPARISONS,
    Evaluation,
    ExpressionError,
    Item,
    Node,
    Parsed,
    Value,
    copied,
    number,
    parse,
)
from tests.world.wire import ACCOUNT, REGION, Answer, AwsError, Parameters

type Key = tuple[Any, ...]  # the values of an item's key attributes
ITEM_LIMIT, PAGE_LIMIT = 400 * 1024, 1024 * 1024  # bytes
STREAM_RETENTION = timedelta(hours=24)
SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
KINDS = {  # expression parameter: its grammar
    "ConditionExpression": "condition",
    "FilterExpression": "condition",
    "KeyConditionExpression": "condition",
    "UpdateExpression": "update",
}


def refused(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def stored(value: Value) -> Value:
    """Return a copy of one attribute value as the table keeps it; raise AwsError when AWS refuses it."""
    if len(value) != 1:
        raise refused("Supplied AttributeValue must contain exactly one of the supported datatypes")
    [(kind, content)] = value.items()
    if kind == "M":
        return {"M": {name: stored(inner) for name, inner in content.items()}}
    if kind == "L":
        return {"L": [stored(inner) for inner in content]}
    if kind in {"SS", "NS", "BS"}:
        members = sorted({number(n) for n in content} if kind == "NS" else set(content))
        if not members or len(members) != len(content):
            raise refused("One or more parameter values were invalid: empty set, or duplicates in a set")
        return {kind: members}
    if kind == "N":
        try:
            return {"N": number(content)}
        except InvalidOperation:
            raise refused("A value provided cannot be converted into a number") from None
    return {kind: content}


def size_of(value: Any) -> int:
    """Bytes as AWS counts them, near enough: names and values in UTF-8, a few for each nested value."""
    kind = type(value)
    if kind is dict:
        return sum(map(len, value)) + sum(map(size_of, value.values()))
    if kind is list:
        return 3 + len(value) + sum(map(size_of, value))
    if kind is str:
        return len(value) if value.isascii() else len(value.encode())
    return len(value) if kind is bytes else 1


@dataclass(frozen=True)
class Index:
    """A key, and which attributes are seen through it (None: all)."""

    attributes: tuple[str, ...]
    projected: frozenset[str] | None = None

    def key(self, item: Item) -> Key:
        return tuple(next(iter(item[name].values())) for name in self.attributes)

    def order(self, item: Item) -> Key:
        """Sort attribute first as its own type, so that numbers sort as numbers."""
        return tuple(
            Decimal(item[name]["N"]) if "N" in item[name] else next(iter(item[name].values()))
            for name in self.attributes[1:]
        )


@dataclass
class Table:
    """One table. `lag`, in seconds: how far index reads, and reads that are not consistent, trail behind."""

    name: str
    clock: VirtualClock
    keys: Index
    kinds: dict[str, str]
    indexes: dict[str, Index] = field(default_factory=dict)
    view: str | None = None
    ttl: str | None = None
    lag: float = 0
    items: dict[Key, Item] = field(default_factory=dict)
    shards: list[list[dict[str, Any]]] = field(default_factory=lambda: [[]])
    written: int = 0
    watchers: list[Callable[[Item], None]] = field(default_factory=list)
    """Told of every item that is written, at once: what two writes within one step leave is only the second."""
    _replaced: list[tuple[datetime, Key, Item | None]] = field(default_factory=list)

    @property
    def stream_arn(self) -> str:
        return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{self.name}/stream/2026-01-05T12:00:00.000"

    def key_of(self, given: Item, *, exact: bool = False) -> Key:
        names = self.keys.attributes
        if any(self.kinds[name] not in given.get(name, {}) for name in names) or (exact and len(given) > len(names)):
            raise refused("The provided key element does not match the schema")
        return self.keys.key(given)

    def write(self, key: Key, new: Item | None, by: dict[str, str] | None = None) -> None:
        """Replace the item; a write that changes nothing leaves no record in the stream."""
        old = self.items.get(key)
        size = size_of(new or {})
        if new is not None:
            self._check(new, size)
            self.items[key] = new  # an item is replaced, never changed in place
        elif old is not None:
            del self.items[key]
        if new == old:
            return
        if new is not None:
            for watcher in self.watchers:
                watcher(new)
        if self.lag:
            self._replaced.append((self.clock.now(), key, old))
        if self.view:
            self._record(old, new, size, by)

    def _check(self, item: Item, size: int) -> None:
        if size > ITEM_LIMIT:
            raise refused("Item size has exceeded the maximum allowed size")
        for name, kind in self.kinds.items():
            if name in item and (kind not in item[name] or item[name][kind] in ("", b"")):
                raise refused(f"One or more parameter values were invalid: Type mismatch for key {name}")

    def _record(self, old: Item | None, new: Item | None, size: int, by: dict[str, str] | None) -> None:
        self.written += 1
        image = new or old or {}
        change: dict[str, Any] = {
            "ApproximateCreationDateTime": self.clock.now().replace(microsecond=0),
            "Keys": {name: image[name] for name in self.keys.attributes},
            "SequenceNumber": f"1{self.written:020d}",
            "SizeBytes": size,
            "StreamViewType": self.view,
        }
        if new is not None and "NEW" in str(self.view):
            change["NewImage"] = new
        if old is not None and "OLD" in str(self.view):
            change["OldImage"] = old
        self.shards[zlib.crc32(repr(self.keys.key(image)[0]).encode()) % len(self.shards)].append(
            {
                "eventID": f"{self.written:032x}",
                "eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": REGION,
                "dynamodb": change,
                **({"userIdentity": by} if by else {}),
            }
        )

    def seen(self, *, consistent: bool) -> dict[Key, Item]:
        """Return the items as a reader sees them: now, or `lag` seconds ago."""
        if consistent or not self.lag:
            return self.items
        since = self.clock.now() - timedelta(seconds=self.lag)
        seen: dict[Key, Item | None] = dict(self.items)
        self._replaced = [entry for entry in self._replaced if entry[0] > since]
        seen.update((key, old) for _, key, old in reversed(self._replaced))
        return {key: item for key, item in seen.items() if item is not None}

    def shard(self, number: int) -> list[dict[str, Any]]:
        """Return what the stream still holds of one shard, oldest first."""
        records, oldest = self.shards[number], self.clock.now() - STREAM_RETENTION
        del records[: bisect_right(records, oldest, key=lambda r: r["dynamodb"]["ApproximateCreationDateTime"])]
        return records

    def expire(self) -> None:
        """Delete what the TTL attribute says is over; AWS does so at some time within days."""
        now = self.clock.now().timestamp()
        for key, item in list(self.items.items()):
            if self.ttl and float(item.get(self.ttl, {}).get("N", "inf")) < now:
                self.write(key, None, by=SERVICE)


class _Request:
    """One call's table, placeholders and parsed expressions; refuses what AWS refuses about them."""

    def __init__(self, table: Table, call: Parameters) -> None:
        self.table = table
        self.call = call
        self.names: dict[str, str] = call.get("ExpressionAttributeNames", {})
        self.values = {name: stored(v) for name, v in call.get("ExpressionAttributeValues", {}).items()}
        try:
            self.parsed: dict[str, Parsed] = {
                parameter: parse(kind, call.get(parameter)) for parameter, kind in KINDS.items() if parameter in call
            }
        except ExpressionError as error:
            raise refused(f"Invalid expression: {error}") from None
        given, used = {*self.names, *self.values}, {each for p in self.parsed.values() for each in p.placeholders}
        if unused := given - used:
            raise refused(f"Value provided in expression attributes unused in expressions: keys: {unused}")
        if undefined := used - given:
            raise refused(f"An expression attribute used in expression is not defined: {undefined}")

    def on(self, item: Item | None) -> Evaluation:
        return Evaluation(item or {}, self.names, self.values)

    def tree(self, parameter: str) -> Any:
        return self.parsed[parameter].tree if parameter in self.parsed else None

    def change(self, key: Key, update: Callable[[Item | None], Item | None]) -> Item | None:
        """Write what `update` makes of the old item if the condition holds, and return it."""
        old = self.table.items.get(key)
        condition = self.tree("ConditionExpression")
        keep = self.call.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        try:
            if condition and not self.on(old).holds(condition):
                item: Answer = {"Item": copied(old)} if keep and old else {}
                message = "The conditional request failed"
                raise AwsError("ConditionalCheckFailedException", message, more=item)
            new = update(old)
        except ExpressionError as error:
            raise refused(str(error)) from None
        self.table.write(key, new)
        return new


class Tables:
    """The `dynamodb` client's side."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.tables: dict[str, Table] = {}

    def create_table(self, call: Parameters) -> Answer:
        kinds = {a["AttributeName"]: a["AttributeType"] for a in call["AttributeDefinitions"]}
        keys = tuple(k["AttributeName"] for k in call["KeySchema"])
        table = Table(call["TableName"], self.clock, Index(keys), kinds)
        for index in call.get("GlobalSecondaryIndexes", []):
            own = tuple(k["AttributeName"] for k in index["KeySchema"])
            projection = index["Projection"]
            named = frozenset((*keys, *own, *projection.get("NonKeyAttributes", [])))
            seen = None if projection["ProjectionType"] == "ALL" else named
            table.indexes[index["IndexName"]] = Index(own, seen)
        if (stream := call.get("StreamSpecification", {})).get("StreamEnabled"):
            table.view = stream["StreamViewType"]
        self.tables[table.name] = table
        return self.describe_table(call)

    def describe_table(self, call: Parameters) -> Answer:
        table = self._table(call)
        stream = {"LatestStreamArn": table.stream_arn} if table.view else {}
        return {"Table": {"TableName": table.name, "TableStatus": "ACTIVE", **stream}}

    def update_time_to_live(self, call: Parameters) -> Answer:
        specification = call["TimeToLiveSpecification"]
        self._table(call).ttl = specification["AttributeName"] if specification["Enabled"] else None
        return {"TimeToLiveSpecification": specification}

    def put_item(self, call: Parameters) -> Answer:
        request = self._request(call)
        item = {name: stored(value) for name, value in call["Item"].items()}
        request.change(request.table.key_of(item), lambda _: item)
        return {}

    def delete_item(self, call: Parameters) -> Answer:
        request = self._request(call)
        request.change(request.table.key_of(call["Key"], exact=True), lambda _: None)
        return {}

    def update_item(self, call: Parameters) -> Answer:
        request = self._request(call)
        table, given = request.table, copied(call["Key"])
        changes = request.tree("UpdateExpression") or {}
        keys = frozenset(table.keys.attributes)
        new = request.change(
            table.key_of(given, exact=True), lambda old: request.on(old or given).updated(changes, keys)
        )
        match call.get("ReturnValues", "NONE"):
            case "NONE":
                return {}
            case "ALL_NEW":
                return {"Attributes": copied(new)}
        raise NotImplementedError(f"the world does not model ReturnValues {call['ReturnValues']}")

    def get_item(self, call: Parameters) -> Answer:
        request = self._request(call)
        key = request.table.key_of(call["Key"], exact=True)
        item = request.table.seen(consistent=call.get("ConsistentRead", False)).get(key)
        return {} if item is None else {"Item": copied(item)}

    def query(self, call: Parameters) -> Answer:
        request = self._request(call)
        index = self._index(request.table, call)
        condition = request.tree("KeyConditionExpression")
        partition = self._partition(condition, request, index)
        try:
            found = [
                item
                for item in request.table.seen(consistent=call.get("ConsistentRead", False)).values()
                if item.get(index.attributes[0]) == partition
                and all(name in item for name in index.attributes)
                and request.on(item).holds(condition)
            ]
        except ExpressionError as error:
            raise refused(str(error)) from None
        return self._page(request, index, found, index.order)

    def scan(self, call: Parameters) -> Answer:
        request = self._request(call)
        index = self._index(request.table, call)
        items = request.table.seen(consistent=call.get("ConsistentRead", False)).values()
        found = [item for item in items if all(name in item for name in index.attributes)]
        return self._page(request, index, found, lambda item: (zlib.crc32(repr(index.key(item)).encode()),))

    def _page(self, request: _Request, index: Index, found: list[Item], order: Callable[[Item], Key]) -> Answer:
        call, table = request.call, request.table
        backwards = not call.get("ScanIndexForward", True)

        def place(item: Item) -> Key:
            return (*order(item), *table.keys.key(item))

        found.sort(key=place, reverse=backwards)
        if start := call.get("ExclusiveStartKey"):
            at = place(start)
            found = [item for item in found if (place(item) < at if backwards else place(item) > at)]
        page, more = self._cut(found, call.get("Limit"))
        condition = request.tree("FilterExpression")
        kept = [item for item in page if not condition or request.on(item).holds(condition)]
        items = [copied(self._through(index, item)) for item in kept]
        answer: Answer = {"Count": len(kept), "ScannedCount": len(page), "Items": items}
        if more:
            names = {*table.keys.attributes, *index.attributes}
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in sorted(names)}
        return answer

    @staticmethod
    def _cut(found: list[Item], limit: int | None) -> tuple[list[Item], bool]:
        """Return one page, and whether the reader must come back (also when exactly `limit` were left)."""
        read = 0
        for count, item in enumerate(found, 1):
            read += size_of(item)
            if count == limit or read > PAGE_LIMIT:
                return found[:count], True
        return found, False

    @staticmethod
    def _through(index: Index, item: Item) -> Item:
        return {n: v for n, v in item.items() if index.projected is None or n in index.projected}

    @staticmethod
    def _partition(condition: Node, request: _Request, index: Index) -> Value:
        equal, *rest = condition[1:] if condition[0] == "AND" else (condition,)
        names = [request.on(None).steps(part[1]) for part in (equal, *rest)]
        operators = [part[0] for part in rest]
        if (
            equal[0] != "="
            or names != [(n,) for n in index.attributes[: len(names)]]
            or set(operators) - {*COMPARISONS}
        ):
            raise refused("Query key condition not supported")
        return request.values[equal[2]]

    def _index(self, table: Table, call: Parameters) -> Index:
        if not (name := call.get("IndexName")):
            return table.keys
        if name not in table.indexes:
            raise refused(f"The table does not have the specified index: {name}")
        if call.get("ConsistentRead"):
            raise refused("Consistent reads are not supported on global secondary indexes")
        return table.indexes[name]

    def _request(self, call: Parameters) -> _Request:
        return _Request(self._table(call), call)

    def _table(self, call: Parameters) -> Table:
        if (name := call["TableName"]) not in self.tables:
            raise AwsError("ResourceNotFoundException", f"Requested resource not found: Table: {name}")
        return self.tables[name]
