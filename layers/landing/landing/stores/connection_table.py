"""The connections table: rows one by one, the transitions that change them, and the queries that find them."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from landing.domain.change import (
    AllOf,
    Before,
    Equals,
    Expectation,
    Field,
    NotBefore,
    OneOf,
    Present,
    Transition,
    meets,
)
from landing.domain.connection import (
    CONNECTION_ID,
    DUE_SHARDS,
    Connection,
    Status,
    instant,
)
from landing.stores.connection_row import (
    Due,
    Expressions,
    Item,
    Read,
    UnreadableRow,
    attribute,
    due_of,
    from_item,
    key_of,
    read,
    to_item,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class RowChanged(Exception):
    """The row was no longer as the writer believed; `row` is what it is now, None if it is gone."""

    def __init__(self, row: Connection | None) -> None:
        super().__init__("the row has changed")
        self.row = row


@dataclass(frozen=True)
class Page:
    """Some of an owner's connections, newest first; `next_token` asks for the ones after them."""

    connections: tuple[Read, ...]
    next_token: str | None


@dataclass(frozen=True)
class Criteria:
    """Which connections are meant: all that is given must hold. A time counts from `..._from` to before `..._to`."""

    statuses: frozenset[Status]
    reason: str | None = None
    updated_from: datetime | None = None
    updated_to: datetime | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    due: bool = False
    """Only those that somebody will look at by themselves: what is kept for later is not meant."""

    @property
    def expects(self) -> Expectation:
        """What a connection that is meant meets."""
        times = (
            (NotBefore, Field.UPDATED_AT, self.updated_from),
            (Before, Field.UPDATED_AT, self.updated_to),
            (NotBefore, Field.RECEIVED_AT, self.received_from),
            (Before, Field.RECEIVED_AT, self.received_to),
        )
        reason = () if self.reason is None else (Equals(Field.REASON, self.reason),)
        given = (kind(field, moment) for kind, field, moment in times if moment is not None)
        due = (Present(Field.DUE_AT),) if self.due else ()
        return AllOf((OneOf(Field.STATUS, tuple(sorted(self.statuses))), *reason, *due, *given))


class BadToken(ValueError):
    """A page token that we did not make."""


class ConnectionTable:
    """DynamoDB in the words of a connection. Raises one of `NOT_SERVED` when DynamoDB cannot serve.

    A row that cannot be read raises UnreadableRow where one is asked for; among many it stands in its own place.
    """

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    # --- one row

    def get(self, connection_id: str) -> Connection | None:
        answer: Any = self._dynamodb.get_item(TableName=self._table, Key=key_of(connection_id), ConsistentRead=True)
        item = answer.get("Item")
        return from_item(item) if item else None

    def get_of_owner(self, owner: str, connection_id: str) -> Connection | None:
        """The connection, if there is one and it is this owner's."""
        row = self.get(connection_id)
        return row if row is not None and row.owner == owner else None

    def add(self, connection: Connection) -> None:
        """Keep a connection that was never here. Raises RowChanged when it is here already."""
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=to_item(connection),
                ConditionExpression="attribute_not_exists(connectionId)",
            )
        except ClientError as error:
            raise _row_changed(error) from None

    def apply(self, connection_id: str, transition: Transition) -> Connection:
        """Do what a transition says, all or nothing; gives the row afterwards.

        Raises RowChanged, with the row, when it is not as the transition expects it.
        """
        expressions = Expressions()
        try:
            answer: Any = self._dynamodb.update_item(
                TableName=self._table,
                Key=key_of(connection_id),
                UpdateExpression=expressions.update(connection_id, transition),
                ConditionExpression=expressions.condition(transition.expects),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **expressions.aliases,
            )
        except ClientError as error:
            raise _row_changed(error) from None
        return from_item(answer["Attributes"])

    # --- many rows

    def page_of_owner(self, owner: str, limit: int, token: str | None = None) -> Page:
        """An owner's connections, as many as `limit`. Raises BadToken for a token that `next_token` did not give."""
        start: dict[str, Any] = _start_of_page(owner, token)
        theirs = Equals(Field.OWNER, owner)
        rows: list[Read] = []
        while True:
            key = Expressions()
            answer: Any = self._dynamodb.query(
                TableName=self._table,
                IndexName="by-owner",
                KeyConditionExpression=key.condition(theirs),
                ScanIndexForward=False,
                Limit=limit,
                **key.aliases,
                **start,
            )
            rows += self._still_there(answer["Items"], theirs)
            last = answer.get("LastEvaluatedKey")
            # The next page begins after the last entry whose place can be told.
            next_token = next((place for entry in reversed(answer["Items"]) if (place := _token(entry))), None)
            if last is None or next_token is not None:
                return Page(tuple(rows), next_token if last else None)
            start = {"ExclusiveStartKey": last}

    def ids_of_owner(self, owner: str) -> list[str]:
        """The ids of every connection of an owner that is not forgotten: an id's owner never changes."""
        return self._ids_in_index("by-owner", Equals(Field.OWNER, owner))

    def ids_of_owner_ref(self, owner_ref: str) -> list[str]:
        """The ids of an owner's tombstones."""
        return self._ids_in_index("by-owner-ref", Equals(Field.OWNER_REF, owner_ref))

    def all_of_login(self, login_ref: str) -> Iterator[Read]:
        """Every connection to a login, tombstones too."""
        return self._in_index("by-login", Equals(Field.LOGIN_REF, login_ref))

    def due_before(self, moment: datetime) -> Iterator[Due | UnreadableRow]:
        """Every connection whose `due_at` lies before `moment`, oldest first within each shard."""
        for shard in range(DUE_SHARDS):
            key = Expressions()
            condition = f"{key.in_due_shard(str(shard))} AND {key.condition(Before(Field.DUE_AT, moment))}"
            for item in self._query("by-due", condition, key):
                try:
                    yield due_of(item)
                except UnreadableRow as unreadable:
                    yield unreadable

    def page_of_all(self, criteria: Criteria, after: str | None = None) -> tuple[list[Read], str | None]:
        """One page of the connections meant, from after connectionId `after`; with where the next page begins.

        It reads the whole table, page by page: for ops, who rarely ask.
        """
        start: dict[str, Any] = {"ExclusiveStartKey": key_of(after)} if after else {}
        wanted = Expressions()
        answer: Any = self._dynamodb.scan(
            TableName=self._table,
            ConsistentRead=True,
            FilterExpression=wanted.condition(criteria.expects),
            **wanted.aliases,
            **start,
        )
        last = answer.get("LastEvaluatedKey")
        return [read(item) for item in answer["Items"]], last["connectionId"]["S"] if last else None

    def _ids_in_index(self, index: str, expects: Equals) -> list[str]:
        key = Expressions()
        return [entry["connectionId"]["S"] for entry in self._query(index, key.condition(expects), key)]

    def _in_index(self, index: str, expects: Equals) -> Iterator[Read]:
        key = Expressions()
        return self._still_there(self._query(index, key.condition(expects), key), expects)

    def _query(self, index: str, condition: str, key: Expressions) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            page: Any = self._dynamodb.query(
                TableName=self._table, IndexName=index, KeyConditionExpression=condition, **key.aliases, **start
            )
            yield from page["Items"]
            if (last := page.get("LastEvaluatedKey")) is None:
                return
            start = {"ExclusiveStartKey": last}

    def _still_there(self, entries: Iterable[Item], expects: Equals) -> Iterator[Read]:
        """The rows of an index's entries, as the table has them, of those that still belong there.

        An index is eventually consistent: by it alone, two co-owners who are erased at once would each spare the
        card for the other.
        """
        for entry in entries:
            try:
                row = self.get(entry["connectionId"]["S"])
            except UnreadableRow as unreadable:
                yield unreadable
            else:
                if row is not None and meets(row, expects):
                    yield row


def _row_changed(error: ClientError) -> Exception:
    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
        return error
    item: Item | None = error.response.get("Item")  # type: ignore[assignment]  # not in the stubs
    return RowChanged(from_item(item) if item else None)


# --- page tokens: a place in the owner's own list, so that a made-up one shows nobody else's connections

_PLACE = re.compile(rf"([0-9]{{13}})\.({CONNECTION_ID})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _token(entry: Item) -> str | None:
    """None where the entry is not of our making."""
    with suppress(ValueError, TypeError, OverflowError):
        received = (instant(entry["receivedAt"]["S"]) - _EPOCH) // timedelta(milliseconds=1)
        token = f"{received:013d}.{entry['connectionId']['S']}"
        return token if _PLACE.fullmatch(token) else None
    return None


def _start_of_page(owner: str, token: str | None) -> dict[str, Any]:
    if token is None:
        return {}
    place = _PLACE.fullmatch(token)
    if place is None:
        raise BadToken("not a page token of ours")
    key = {
        "owner": attribute(owner),
        "receivedAt": attribute(_EPOCH + timedelta(milliseconds=int(place[1]))),
        **key_of(place[2]),
    }
    return {"ExclusiveStartKey": key}
