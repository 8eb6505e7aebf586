"""A connection as a row of its table, and a transition as one conditional write: all that is DynamoDB's language.

Names are a connection's in camelCase. What is None, or a flag that is False, has no attribute. Times are texts that
compare as the times they are, but for the TTL, which DynamoDB wants in seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

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

_serialized: Any = TypeSerializer().serialize
_plain: Any = TypeDeserializer().deserialize


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
    kept = {each.name: getattr(connection, each.name) for each in fields(connection)}
    item = {name_of(field): attribute(value, field) for field, value in kept.items() if _is_something(value)}
    if connection.due_at is not None:
        item[DUE_SHARD] = attribute(due_shard(connection.connection_id))
    return item


def from_item(item: Item) -> Connection:
    """A connection from a whole row; what this release does not know is no part of it.

    Raises UnreadableRow when a member is missing, or is not of its type: nothing is guessed or converted.
    """
    try:
        connection: Connection = _decoded(
            Connection, {name: _plain(value) for name, value in item.items() if name in _KNOWN}
        )
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


def name_of(field: str) -> str:
    """A field's attribute: `lease_until` is kept as `leaseUntil`."""
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


def attribute(value: Any, field: str | None = None) -> Attribute:
    """A value as DynamoDB writes it. Raises TypeError for what no row may hold."""
    written: Attribute = _serialized(int(value.timestamp()) if field == Field.EXPIRES_AT else _encoded(value))
    return written


def _encoded(value: Any) -> Any:
    match value:
        case StrEnum():
            return value.value
        case datetime():
            return timestamp(value)
        case tuple():
            return [_encoded(member) for member in value]
        case _ if is_dataclass(value):
            members = {each.name: getattr(value, each.name) for each in fields(value)}
            return {name_of(name): _encoded(member) for name, member in members.items() if _is_something(member)}
        case bool() | int() | str() | bytes():
            return value
    raise TypeError(f"no DynamoDB attribute for a {type(value).__name__}")


def _is_something(value: Any) -> bool:
    return value is not None and value is not False


def _decoded(kind: Any, plain: Any) -> Any:
    """What `_encoded` made of a value of this type."""
    if kind in _TYPES:
        _expect(plain, dict)
        known = [(each.name, name_of(each.name)) for each in fields(kind)]
        return kind(**{field: _decoded(_TYPES[kind][field], plain[name]) for field, name in known if name in plain})
    if kind is datetime:
        return _instant(plain) if isinstance(plain, str) else datetime.fromtimestamp(_whole(plain), UTC)
    if kind is bytes:
        return bytes(_expect(plain, Binary).value)  # type: ignore[attr-defined]  # not in the stubs
    if get_origin(kind) is tuple:
        return tuple(_decoded(get_args(kind)[0], member) for member in _expect(plain, list))
    if issubclass(kind, int) and kind is not bool:
        return kind(_whole(plain))
    return kind(_expect(plain, bool if kind is bool else str))


def _expect[T](plain: Any, kind: type[T]) -> T:
    if not isinstance(plain, kind):
        raise TypeError(f"no {kind.__name__}")
    return plain


def _whole(plain: Any) -> int:
    if _expect(plain, Decimal) % 1:
        raise ValueError("no whole number")
    return int(plain)


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
_KNOWN = {name_of(each.name) for each in fields(Connection)}


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
