"""A connection as a row of its table, and back."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from landing.domain.connection import (
    Action,
    AtFlinks,
    Connection,
    Drop,
    Erasure,
    Hint,
    Status,
    due_shard,
    instant,
    timestamp,
)
from landing.domain.reasons import Reason

type Attribute = dict[str, Any]
"""As DynamoDB writes a value: `{"S": "text"}`."""
type Item = Mapping[str, Attribute]


def to_item(connection: Connection) -> dict[str, Attribute]:
    """A row as DynamoDB keeps it; what is None has no attribute."""
    item = {
        name: attribute(value)
        for field, name, _ in _ATTRIBUTES
        if (value := getattr(connection, field)) is not None and value is not False
    }
    if connection.due_at is not None:
        item["dueShard"] = {"S": due_shard(connection.connection_id)}
    return item


def from_item(item: Item) -> Connection:
    """A connection from a whole row."""
    return Connection(
        **{field: decode(next(iter(item[name].values()))) for field, name, decode in _ATTRIBUTES if name in item}
    )


def hint_of(item: Item) -> Hint:
    """The hint in a row, an index entry or a stream's NewImage."""
    return Hint(
        connection_id=item["connectionId"]["S"],
        generation=int(item["generation"]["N"]),
        attempt=int(item["attempt"]["N"]),
    )


def _text(value: str) -> str:
    return value


def _drop(members: Item) -> Drop:
    plain = {name: next(iter(value.values())) for name, value in members.items()}
    return Drop(
        key=plain["key"],
        version_id=plain["versionId"],
        sha256=plain["sha256"],
        bytes=int(plain["bytes"]),
        accounts=int(plain["accounts"]),
        transactions=int(plain["transactions"]),
        last_refresh=plain.get("lastRefresh"),
    )


def _erasure(members: Item) -> Erasure:
    return Erasure(
        **{field: decode(next(iter(members[name].values()))) for field, name, decode in _OF_ERASURE if name in members}
    )


def _texts(members: list[Attribute]) -> tuple[str, ...]:
    return tuple(member["S"] for member in members)


_OF_ERASURE: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("requested_at", "requestedAt", instant),
    ("ticket", "ticket", _text),
    ("lease_until", "leaseUntil", instant),
    ("at_flinks", "atFlinks", AtFlinks),
    ("flinks_answered_at", "flinksAnsweredAt", instant),
    ("versions", "versions", int),
    ("markers", "markers", int),
    ("uploads", "uploads", int),
    ("completed_at", "completedAt", instant),
    ("backups_until", "backupsUntil", instant),
)

_ATTRIBUTES: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("connection_id", "connectionId", _text),
    ("login_ref", "loginRef", _text),
    ("owner", "owner", _text),
    ("institution", "institution", _text),
    ("sealed_login", "sealedLogin", bytes),
    ("account_ids", "accountIds", _texts),
    ("refetch_wanted", "refetchWanted", bool),
    ("owner_proven", "ownerProven", bool),
    ("status", "status", Status),
    ("generation", "generation", int),
    ("attempt", "attempt", int),
    ("lease_until", "leaseUntil", instant),
    ("drain_until", "drainUntil", instant),
    ("due_at", "dueAt", instant),
    ("started_at", "startedAt", instant),
    ("retries", "retries", int),
    ("sessions", "sessions", int),
    ("sealed_request", "sealedRequest", bytes),
    ("poll_until", "pollUntil", instant),
    ("flinks_home", "flinksHome", _text),
    ("drop", "drop", _drop),
    ("reason", "reason", Reason),
    ("action", "action", Action),
    ("erasure", "erasure", _erasure),
    ("correlation_id", "correlationId", _text),
    ("received_at", "receivedAt", instant),
    ("updated_at", "updatedAt", instant),
)


def attribute(value: Any) -> Attribute:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": str(value)}
        case bytes():
            return {"B": value}
        case datetime():
            return {"S": timestamp(value)}
        case tuple():
            return {"L": [attribute(member) for member in value]}
        case Drop():
            members = {
                "key": value.key,
                "versionId": value.version_id,
                "sha256": value.sha256,
                "bytes": value.bytes,
                "accounts": value.accounts,
                "transactions": value.transactions,
                "lastRefresh": value.last_refresh,
            }
            return {"M": {name: attribute(member) for name, member in members.items() if member is not None}}
        case Erasure():
            known = ((name, getattr(value, field)) for field, name, _ in _OF_ERASURE)
            return {"M": {name: attribute(member) for name, member in known if member is not None}}
        case _:
            raise TypeError(f"no DynamoDB attribute for a {type(value).__name__}")
