"""A connection as a row of its table, and a transition as one conditional write: all that is DynamoDB's language.

Names are a connection's in camelCase. What is None, or a flag that is False, has no attribute. Times are texts that
compare as the times they are, but for the TTL, which DynamoDB wants in seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from datetime import UTC, datetime
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from landing.domain.change import (
    Absent,
    AllOf,
    AnyOf,
    Before,
    Equals,
    Expectation,
    Field,
    NotAfter,
    NotBefore,
    OneOf,
    Present,
    Transition,
)
from landing.domain.connection import Connection, Hint, Settled, Status, due_shard, instant, timestamp
from landing.error_names import Defect

_UNREADABLE = (ArithmeticError, AttributeError, KeyError, OSError, TypeError, ValueError, Defect)
"""What reading raises of what is of another type than ours, or lacks what it must have."""

type Attribute = dict[str, Any]
"""As DynamoDB writes a value: `{"S": "text"}`."""
type Item = Mapping[str, Attribute]

DUE_SHARD = "dueShard"
"""The partition in the index `by-due`; it comes and goes with `dueAt`."""


class UnreadableRow(Defect):
    """A row that this release cannot read, or an entry of an index: it says whose, and not what is in it."""

    def __init__(self, connection_id: str) -> None:
        super().__init__(f"the row of {connection_id}")
        self.connection_id = connection_id


type Read = Connection | UnreadableRow
"""What reading many rows gives for each: one that cannot be read stops no other."""


@dataclass(frozen=True)
class Due:
    """An entry of the index `by-due`: what must be looked at, when, and since when it has been due in vain."""

    hint: Hint
    status: Status
    at: datetime
    overdue_since: datetime
    announce_by: datetime | None = None


# --- rows


def to_item(connection: Connection) -> dict[str, Attribute]:
    """A row as DynamoDB keeps it."""
    item = _members(connection)
    if connection.due_at is not None:
        item[DUE_SHARD] = attribute(due_shard(connection.connection_id))
    return item


def from_item(item: Item) -> Connection:
    """A connection from a whole row; what this release does not know is no part of it.

    Raises UnreadableRow when a member is missing, or is not of its type: nothing is guessed or converted.
    """
    try:
        connection: Connection = _built(Connection, item)
    except _UNREADABLE:
        raise UnreadableRow(id_in(item)) from None
    return connection


def read(item: Item) -> Read:
    """As `from_item`, with the error in the place of what cannot be read."""
    try:
        return from_item(item)
    except UnreadableRow as unreadable:
        return unreadable


def hint_of(item: Item) -> Hint:
    """The hint in a row, an index entry or a stream's NewImage. Raises UnreadableRow."""
    try:
        return Hint(item["connectionId"]["S"], int(item["generation"]["N"]), int(item["attempt"]["N"]))
    except _UNREADABLE:
        raise UnreadableRow(id_in(item)) from None


def due_of(item: Item) -> Due:
    """An entry of the index `by-due`. Raises UnreadableRow."""
    try:
        at, announce_by = item["dueAt"], item.get("announceBy")
        since = item.get("overdueSince", at)
        return Due(
            hint_of(item),
            Status(item["status"]["S"]),
            _instant(at["S"]),
            _instant(since["S"]),
            _instant(announce_by["S"]) if announce_by else None,
        )
    except _UNREADABLE:
        raise UnreadableRow(id_in(item)) from None


def settled_of(item: Item) -> Settled:
    """How a generation ended, in a stream's NewImage. Raises UnreadableRow."""
    try:
        hint = hint_of(item)
        return Settled(hint.connection_id, hint.generation, Status(item["status"]["S"]))
    except _UNREADABLE:
        raise UnreadableRow(id_in(item)) from None


def id_in(item: Item) -> str:
    """The connectionId of an item that may hold anything."""
    id_ = (item.get("connectionId") or {}).get("S")
    return id_ if isinstance(id_, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id_) else "unknown"


def key_of(connection_id: str) -> dict[str, Attribute]:
    return {"connectionId": attribute(connection_id)}


@cache
def name_of(field: str) -> str:
    """A field's attribute: `lease_until` is kept as `leaseUntil`."""
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


def attribute(value: Any, field: str | None = None) -> Attribute:
    """A value as DynamoDB writes it. Raises TypeError for what no row may hold."""
    match value:
        case datetime() if field == Field.EXPIRES_AT:
            return {"N": str(int(value.timestamp()))}
        case datetime():
            return {"S": timestamp(value)}
        case str():
            return {"S": str(value)}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(int(value))}
        case bytes():
            return {"B": value}
        case tuple():
            return {"L": [attribute(member) for member in value]}
        case _ if is_dataclass(value):
            return {"M": _members(value)}
    raise TypeError(f"no DynamoDB attribute for a {type(value).__name__}")


def _members(of: Any) -> dict[str, Attribute]:
    """The attributes of a dataclass: one for each field that is something."""
    kept = {name: getattr(of, name) for name in _TYPES[type(of)]}
    return {name_of(name): attribute(value, name) for name, value in kept.items() if _is_something(value)}


def _is_something(value: Any) -> bool:
    return value is not None and value is not False


def _built(kind: Any, item: Item) -> Any:
    """What `_members` made of a dataclass of this type."""
    known = [(field, name_of(field), of) for field, of in _TYPES[kind].items()]
    return kind(**{field: _decoded(of, item[name]) for field, name, of in known if name in item})


def _decoded(kind: Any, given: Attribute) -> Any:
    """What `attribute` made of a value of this type. An attribute of another type has no member of its name."""
    if kind in _TYPES:
        return _built(kind, given["M"])
    if kind is datetime:
        return _instant(given["S"]) if "S" in given else datetime.fromtimestamp(int(given["N"]), UTC)
    if kind in (bool, bytes):
        return given["BOOL" if kind is bool else "B"]
    if get_origin(kind) is tuple:
        return tuple(_decoded(get_args(kind)[0], member) for member in given["L"])
    return kind(int(given["N"]) if issubclass(kind, int) else given["S"])


def _instant(plain: str) -> datetime:
    moment = instant(plain)
    if moment.tzinfo is None:
        raise ValueError("a time of no zone")
    return moment


def _types_of(kind: Any, into: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """The type of every field of a dataclass, and of the dataclasses within, without its `| None`."""
    into[kind] = {}
    for name, hint in get_type_hints(kind).items():
        (of,) = [each for each in get_args(hint) if each is not type(None)] if isinstance(hint, UnionType) else [hint]
        into[kind][name] = of
        if is_dataclass(of):
            _types_of(of, into)
    return into


_TYPES = _types_of(Connection, {})


# --- expressions


class Expressions:
    """The expressions of one request, with the aliases of every name and value in them: half of ours are reserved."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Attribute] = {}

    @property
    def aliases(self) -> dict[str, Any]:
        """The parameters that go with the expressions."""
        given = {"ExpressionAttributeNames": self._names, "ExpressionAttributeValues": self._values}
        return {name: aliases for name, aliases in given.items() if aliases}

    def condition(self, expects: Expectation) -> str:
        match expects:
            case AllOf(all_of):
                return " AND ".join(self._nested(each) for each in all_of)
            case AnyOf(any_of):
                return " OR ".join(self._nested(each) for each in any_of)
            case Present(field):
                return f"attribute_exists({self._path(field)})"
            case Absent(field):
                return f"attribute_not_exists({self._path(field)})"
            case Equals(field, value):
                return f"{self._path(field)} = {self._value(value, field)}"
            case OneOf(field, values):
                return f"{self._path(field)} IN ({', '.join(self._value(value, field) for value in values)})"
            case Before(field, moment):
                return f"{self._path(field)} < {self._value(moment, field)}"
            case NotAfter(field, moment):
                return f"{self._path(field)} <= {self._value(moment, field)}"
            case NotBefore(field, moment):
                return f"{self._path(field)} >= {self._value(moment, field)}"

    def in_due_shard(self, shard: str) -> str:
        return f"{self._name(DUE_SHARD)} = {self._value(shard)}"

    def update(self, connection_id: str, transition: Transition) -> str:
        sets = [f"{self._path(field)} = {self._value(value, field)}" for field, value in transition.sets.items()]
        removes = [self._path(field) for field in sorted(transition.clears)]
        if Field.DUE_AT in transition.sets:
            sets.append(self.in_due_shard(due_shard(connection_id)))
        if Field.DUE_AT in transition.clears:
            removes.append(self._name(DUE_SHARD))
        return " ".join(f"{word} {', '.join(each)}" for word, each in (("SET", sets), ("REMOVE", removes)) if each)

    def _nested(self, expects: Expectation) -> str:
        inner = self.condition(expects)
        return f"({inner})" if isinstance(expects, (AllOf, AnyOf)) else inner

    def _path(self, field: Field) -> str:
        return ".".join(self._name(name_of(step)) for step in field.steps)

    def _name(self, name: str) -> str:
        self._names[f"#{name}"] = name
        return f"#{name}"

    def _value(self, value: Any, field: Field | None = None) -> str:
        alias = f":v{len(self._values)}"
        self._values[alias] = attribute(value, field)
        return alias
