"""The connections table: every conditional write that the life of a connection needs, by name."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from landing.domain.connection import (
    CONNECTION_ID,
    DUE_SHARDS,
    PUTS_SETTLE,
    Action,
    AfterPost,
    AtFlinks,
    Connection,
    Drop,
    Erasure,
    Hint,
    Status,
    instant,
    timestamp,
)
from landing.domain.reasons import Reason
from landing.stores.connection_row import Attribute, Item, attribute, from_item, hint_of, to_item
from landing.stores.row_change import Change, due

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

    connections: tuple[Connection, ...]
    next_token: str | None


@dataclass(frozen=True)
class Due:
    """An entry of the index `by-due`: what must be looked at, and since when."""

    hint: Hint
    status: Status
    at: datetime


@dataclass(frozen=True)
class Criteria:
    """Which connections are meant: all that is given must hold. A time counts from `..._from` to before `..._to`."""

    statuses: frozenset[Status]
    reason: str | None = None
    updated_from: datetime | None = None
    updated_to: datetime | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None


class BadToken(ValueError):
    """A page token that we did not make."""


class ConnectionTable:
    """DynamoDB in the words of a connection. Raises ClientError when the service cannot serve."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    # --- reading

    def get(self, connection_id: str) -> Connection | None:
        answer: Any = self._dynamodb.get_item(TableName=self._table, Key=_key(connection_id), ConsistentRead=True)
        item = answer.get("Item")
        return from_item(item) if item else None

    def of(self, owner: str, connection_id: str) -> Connection | None:
        """The connection, if there is one and it is this owner's."""
        row = self.get(connection_id)
        return row if row is not None and row.owner == owner else None

    def all_of(self, owner: str, limit: int, token: str | None = None) -> Page:
        """Raises BadToken for a token that `next_token` did not give."""
        start: dict[str, Any] = _start_of_page(owner, token)
        answer: Any = self._dynamodb.query(
            TableName=self._table,
            IndexName="by-owner",
            KeyConditionExpression="#owner = :owner",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}},
            ScanIndexForward=False,
            Limit=limit,
            **start,
        )
        rows = (self.get(item["connectionId"]["S"]) for item in answer["Items"])
        # The index lags: what has left this owner meanwhile is not theirs to see.
        mine = tuple(row for row in rows if row is not None and row.owner == owner)
        return Page(mine, _token(answer.get("LastEvaluatedKey")))

    def due_before(self, moment: datetime) -> Iterator[Due]:
        """Every connection whose `dueAt` lies before `moment`, oldest first within each shard."""
        for shard in range(DUE_SHARDS):
            start: dict[str, Any] = {}
            while True:
                answer: Any = self._dynamodb.query(
                    TableName=self._table,
                    IndexName="by-due",
                    KeyConditionExpression="dueShard = :shard AND dueAt < :moment",
                    ExpressionAttributeValues={
                        ":shard": {"S": str(shard)},
                        ":moment": {"S": timestamp(moment)},
                    },
                    **start,
                )
                for item in answer["Items"]:
                    yield Due(hint_of(item), Status(item["status"]["S"]), instant(item["dueAt"]["S"]))
                if "LastEvaluatedKey" not in answer:
                    break
                start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def ended(self, criteria: Criteria, after: str | None = None) -> tuple[list[Connection], str | None]:
        """One page of the connections meant, from after connectionId `after`; with where the next page begins.

        It reads the whole table, page by page: for ops, who rarely ask.
        """
        tests = [
            ("reason", "=", criteria.reason),
            ("updatedAt", ">=", criteria.updated_from),
            ("updatedAt", "<", criteria.updated_to),
            ("receivedAt", ">=", criteria.received_from),
            ("receivedAt", "<", criteria.received_to),
        ]
        given = [(f":value{n}", *test) for n, test in enumerate(tests) if test[2] is not None]
        statuses = {f":status{n}": attribute(status) for n, status in enumerate(sorted(criteria.statuses))}
        conditions = [f"#status IN ({', '.join(statuses)})", *(f"{name} {is_} {key}" for key, name, is_, _ in given)]
        start: dict[str, Any] = {"ExclusiveStartKey": _key(after)} if after else {}
        answer: Any = self._dynamodb.scan(
            TableName=self._table,
            ConsistentRead=True,
            FilterExpression=" AND ".join(conditions),
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=statuses | {key: attribute(value) for key, _, _, value in given},
            **start,
        )
        last = answer.get("LastEvaluatedKey")
        return [from_item(item) for item in answer["Items"]], last["connectionId"]["S"] if last else None

    # --- intake

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

    def repost(
        self,
        row: Connection,
        what: AfterPost,
        now: datetime,
        *,
        account_ids: tuple[str, ...] | None,
        institution: str | None,
        correlation_id: str | None,
    ) -> Connection:
        """Do what a repeated POST asks for, if `row` is still as it was read. Raises RowChanged otherwise."""
        change = Change(updatedAt=now)
        if account_ids is not None:
            change.set(accountIds=account_ids)
        if what is AfterPost.STORE_ACCOUNTS_FOR_NEXT:
            change.set(refetchWanted=True)
        if what in (AfterPost.STORE_ACCOUNTS_FOR_NEXT, AfterPost.NEXT_GENERATION) and correlation_id is not None:
            change.set(correlationId=correlation_id)
        if what is AfterPost.START_AGAIN:
            change.set(status=Status.RECEIVED, retries=0, **due(row.connection_id, now))
        if what is AfterPost.NEXT_GENERATION:
            if institution is not None:
                change.set(institution=institution)
            change.next_generation(row, now)
        return self._unless_changed(row, change)

    def refetch(self, row: Connection, now: datetime, correlation_id: str) -> Connection:
        """Ask for the next generation, if `row` is still as it was read. Raises RowChanged otherwise."""
        change = Change(updatedAt=now, correlationId=correlation_id)
        change.next_generation(row, now)
        return self._unless_changed(row, change)

    # --- claims

    def claim(self, hint: Hint, now: datetime, lease_until: datetime) -> Connection:
        """Take a connection that is due and still as `hint` says.

        Whoever gets the row back works on it alone until `lease_until`. Raises RowChanged, with the row, when
        someone else has it, when it is early, or when it is done.
        """
        change = Change(
            updatedAt=now,
            status=Status.FETCHING,
            attempt=hint.attempt + 1,
            leaseUntil=lease_until,
            **due(hint.connection_id, lease_until + PUTS_SETTLE),
        )
        return self._write(
            hint.connection_id,
            change,
            "generation = :generation AND attempt = :was AND (#status = :received"
            " OR (#status IN (:waiting, :pending) AND dueAt <= :now)"
            " OR (#status = :fetching AND leaseUntil < :settled))",
            {
                ":generation": hint.generation,
                ":was": hint.attempt,
                ":received": Status.RECEIVED,
                ":waiting": Status.WAITING,
                ":pending": Status.PENDING,
                ":fetching": Status.FETCHING,
                ":now": now,
                ":settled": now - PUTS_SETTLE,
            },
        )

    def keep_pending(
        self,
        claim: Connection,
        now: datetime,
        due_at: datetime,
        *,
        sealed_request: bytes | None,
        poll_until: datetime | None,
    ) -> Connection:
        """Flinks is processing: keep the open request and when to look again. `poll_until` never moves."""
        change = Change(
            updatedAt=now,
            status=Status.PENDING,
            retries=claim.retries,
            **_progress(claim),
            **due(claim.connection_id, due_at),
        )
        if sealed_request is not None:
            change.set(sealedRequest=sealed_request)
        if poll_until is not None:
            change.set(pollUntil=poll_until)
        change.remove("leaseUntil", "reason")
        return self._fenced(claim, change)

    def keep_waiting(
        self,
        claim: Connection,
        now: datetime,
        due_at: datetime,
        *,
        reason: Reason,
        sealed_request: bytes | None,
        put_unanswered: bool,
    ) -> Connection:
        """Try again at `due_at`. An unanswered PUT may still land: that is remembered, for an erase must wait."""
        change = Change(
            updatedAt=now,
            status=Status.WAITING,
            reason=reason,
            retries=claim.retries + 1,
            startedAt=claim.started_at or claim.received_at,
            **_progress(claim),
            **due(claim.connection_id, due_at),
        )
        if claim.poll_until is not None:
            change.set(pollUntil=claim.poll_until)
        if sealed_request is not None:
            change.set(sealedRequest=sealed_request)
        else:
            change.remove("sealedRequest")
        if put_unanswered and claim.lease_until is not None:
            change.set(drainUntil=claim.lease_until)
        change.remove("leaseUntil")
        return self._fenced(claim, change)

    def commit_ready(self, claim: Connection, now: datetime, drop: Drop) -> Connection:
        """The drop lies in S3: say so."""
        change = Change(updatedAt=now, status=Status.READY, action=Action.NONE, drop=drop, **_progress(claim))
        change.remove("reason", *_WORK)
        return self._fenced(claim, change, and_condition="attribute_not_exists(refetchWanted)")

    def give_up(
        self, claim: Connection, now: datetime, status: Status, *, reason: Reason, action: Action
    ) -> Connection:
        """End this generation as `action_required` or `failed`."""
        change = Change(updatedAt=now, status=status, reason=reason, action=action, **_progress(claim))
        change.remove(*_WORK)
        return self._fenced(claim, change, and_condition="attribute_not_exists(refetchWanted)")

    def begin_next_generation(self, claim: Connection, now: datetime) -> Connection:
        """Hand a claim over to the generation that a POST asked for while it ran."""
        change = Change(updatedAt=now)
        change.next_generation(claim, now)
        return self._fenced(claim, change)

    def put_off(self, hint: Hint, due_at: datetime, seen_before: datetime) -> None:
        """Move `dueAt` on, if nobody has moved since `hint` and it still lies before `seen_before`.

        Raises RowChanged otherwise.
        """
        self._write(
            hint.connection_id,
            Change(**due(hint.connection_id, due_at)),
            "generation = :generation AND attempt = :attempt AND dueAt < :seen",
            {":generation": hint.generation, ":attempt": hint.attempt, ":seen": seen_before},
        )

    # --- erasing

    def sharing(self, login_ref: str) -> Iterator[Connection]:
        """Every connection to a login, tombstones too.

        The index says which, the table itself how they are: from a late index, two co-owners who are erased at
        once would each spare the card for the other.
        """
        for item in self._in_index("by-login", "loginRef = :value", login_ref):
            row = self.get(item["connectionId"]["S"])
            if row is not None and row.login_ref == login_ref:
                yield row

    def every_of(self, owner: str) -> Iterator[Connection]:
        for item in self._in_index("by-owner", "#owner = :value", owner, {"#owner": "owner"}):
            row = self.get(item["connectionId"]["S"])
            if row is not None and row.owner == owner:
                yield row

    def _in_index(
        self, index: str, condition: str, value: str, names: Mapping[str, str] | None = None
    ) -> Iterator[Item]:
        aliases: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        pages: Any = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression=condition,
            ExpressionAttributeValues={":value": {"S": value}},
            **aliases,
        )
        for page in pages:
            yield from page["Items"]

    def begin_erasing(self, connection_id: str, now: datetime, ticket: str | None) -> Connection:
        """Put up the tombstone, whatever the connection was doing: from here on no claim succeeds.

        Raises RowChanged when it stands already, or when there is no such connection.
        """
        change = Change(
            updatedAt=now,
            status=Status.DELETING,
            action=Action.NONE,
            retries=0,
            erasure=Erasure(requested_at=now, ticket=ticket),
            **due(connection_id, now),
        )
        # The lease stays: it says how long a PUT may still be under way.
        change.remove("reason", "startedAt", "pollUntil", "refetchWanted")
        return self._write(
            connection_id, change, "attribute_exists(connectionId) AND attribute_not_exists(#erasure)", {}
        )

    def claim_erasing(self, hint: Hint, now: datetime, lease_until: datetime, *, even_if_early: bool) -> Connection:
        """Take a connection that is being erased, if nobody else is at it. Raises RowChanged, with the row."""
        change = Change(
            updatedAt=now,
            attempt=hint.attempt + 1,
            **{"erasure.leaseUntil": lease_until},
            **due(hint.connection_id, lease_until),
        )
        return self._write(
            hint.connection_id,
            change,
            "#status = :deleting AND generation = :generation AND attempt = :was"
            " AND (attribute_not_exists(#erasure.#leaseUntil) OR #erasure.#leaseUntil < :now)"
            + ("" if even_if_early else " AND dueAt <= :now"),
            {":deleting": Status.DELETING, ":generation": hint.generation, ":was": hint.attempt, ":now": now},
        )

    def ended_at_flinks(self, claim: Connection, now: datetime, how: AtFlinks) -> Connection:
        """Flinks has answered for good, or need not be asked."""
        change = Change(updatedAt=now, **{"erasure.atFlinks": how, "erasure.flinksAnsweredAt": now})
        return self._fenced_erasing(claim, change)

    def found_in_store(
        self, claim: Connection, now: datetime, *, versions: int, markers: int, uploads: int
    ) -> Connection:
        """What there is to sweep, written before the first of it goes: no death of a worker makes it count less."""
        found = {"erasure.versions": versions, "erasure.markers": markers, "erasure.uploads": uploads}
        return self._fenced_erasing(claim, Change(updatedAt=now, **found))

    def keep_erasing(self, claim: Connection, now: datetime, due_at: datetime, *, reason: Reason) -> Connection:
        """Go on at `due_at`: this run is over."""
        change = Change(updatedAt=now, reason=reason, retries=claim.retries + 1, **due(claim.connection_id, due_at))
        change.remove("erasure.leaseUntil")
        return self._fenced_erasing(claim, change)

    def forget(self, claim: Connection, now: datetime, backups_until: datetime) -> Connection:
        """Drop all that is the person's or opens anything; what the receipt says is fixed with it."""
        change = Change(updatedAt=now, **{"erasure.completedAt": now, "erasure.backupsUntil": backups_until})
        change.remove(*_FORGOTTEN)
        return self._fenced_erasing(claim, change)

    def end_erasing(self, claim: Connection, now: datetime, expires_at: datetime) -> Connection:
        """Everything is gone and the receipt is written."""
        change = Change(updatedAt=now, status=Status.DELETED, expiresAt=int(expires_at.timestamp()))
        change.remove("reason", "dueAt", "dueShard", "erasure.leaseUntil")
        return self._fenced_erasing(claim, change)

    def _fenced_erasing(self, claim: Connection, change: "Change") -> Connection:
        return self._write(
            claim.connection_id,
            change,
            "#status = :deleting AND attempt = :attempt",
            {":deleting": Status.DELETING, ":attempt": claim.attempt},
        )

    def _unless_changed(self, row: Connection, change: "Change") -> Connection:
        return self._write(
            row.connection_id,
            change,
            "#status = :was AND generation = :generation AND attempt = :attempt AND updatedAt = :seen",
            {
                ":was": row.status,
                ":generation": row.generation,
                ":attempt": row.attempt,
                ":seen": row.updated_at,
            },
        )

    def _fenced(self, claim: Connection, change: "Change", and_condition: str = "") -> Connection:
        return self._write(
            claim.connection_id,
            change,
            "#status = :fetching AND generation = :generation AND attempt = :attempt"
            + (f" AND {and_condition}" if and_condition else ""),
            {
                ":fetching": Status.FETCHING,
                ":generation": claim.generation,
                ":attempt": claim.attempt,
            },
        )

    def _write(self, connection_id: str, change: "Change", condition: str, values: Mapping[str, Any]) -> Connection:
        names = {"#status": "status"} if "#status" in condition else {}
        try:
            answer: Any = self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(connection_id),
                UpdateExpression=change.expression,
                ConditionExpression=condition,
                ExpressionAttributeNames=names | change.names,
                ExpressionAttributeValues={name: attribute(value) for name, value in values.items()} | change.values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            raise _row_changed(error) from None
        return from_item(answer["Attributes"])


# What belongs to work in progress and goes when it ends.
_WORK = ("leaseUntil", "dueAt", "dueShard", "startedAt", "sealedRequest", "pollUntil")


# What a tombstone does without: connectionId, loginRef, status, generation, erasure and the TTL stay.
_FORGOTTEN = (
    *("sealedLogin", "sealedRequest", "owner", "accountIds", "drop", "institution", "flinksHome", "ownerProven"),
    *("correlationId", "retries", "sessions", "leaseUntil", "drainUntil", "startedAt"),
    *("pollUntil", "refetchWanted"),
)


def _progress(claim: Connection) -> dict[str, Any]:
    """What a claim learned on the way and every way out of it keeps."""
    learned: dict[str, Any] = {"sessions": claim.sessions}
    if claim.flinks_home is not None:
        learned["flinksHome"] = claim.flinks_home
    if claim.owner_proven:
        learned["ownerProven"] = True
    return learned


def _key(connection_id: str) -> dict[str, Attribute]:
    return {"connectionId": {"S": connection_id}}


def _row_changed(error: ClientError) -> Exception:
    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
        return error
    item: Item | None = error.response.get("Item")  # type: ignore[assignment]  # not in the stubs
    return RowChanged(from_item(item) if item else None)


# --- page tokens: a place in the owner's own list, so that a made-up one shows nobody else's connections

_PLACE = re.compile(rf"([0-9]{{13}})\.({CONNECTION_ID})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _token(last: Item | None) -> str | None:
    if not last:
        return None
    received = (instant(last["receivedAt"]["S"]) - _EPOCH) // timedelta(milliseconds=1)
    return f"{received:013d}.{last['connectionId']['S']}"


def _start_of_page(owner: str, token: str | None) -> dict[str, Any]:
    if token is None:
        return {}
    place = _PLACE.fullmatch(token)
    if place is None:
        raise BadToken("not a page token of ours")
    key = {
        "owner": {"S": owner},
        "receivedAt": {"S": timestamp(_EPOCH + timedelta(milliseconds=int(place[1])))},
        "connectionId": {"S": place[2]},
    }
    return {"ExclusiveStartKey": key}
