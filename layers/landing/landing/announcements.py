"""What consumers are told: the contract of every event, and the bus that carries only what the table confirms."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import batched
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from landing.connection import Action, Connection, Status, timestamp
from landing.connection_table import ConnectionTable
from landing.trouble import name_of

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_sqs import SQSClient

SOURCE = "flinks-landing"
LARGEST_PUT = 10
_TRIES = 3

# What EventBridge says of an entry that no repetition makes good. AccessDenied is not among them: that is a grant
# of ours, and what waits for it must not be given up.
PERMANENT = frozenset(
    {
        "InvalidAccountIdException",
        "InvalidArgument",
        "MalformedDetail",
        "NotAuthorizedForDetailTypeException",
        "NotAuthorizedForSourceException",
        "RedactionFailure",
        "ValidationException",
    }
)


# --- contracts


class Contract(BaseModel):
    """camelCase outside. Members may be added, so readers ignore what they do not know."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        frozen=True,
        hide_input_in_errors=True,
        json_schema_serialization_defaults_required=True,
    )


class DropLocation(Contract):
    """One object version in S3, and what it holds. It is put once and never replaced."""

    bucket: str
    key: str
    version_id: Annotated[str, Field(description="Read this version: it is what was announced.")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="Of the stored (compressed) bytes.")]
    bytes: Annotated[int, Field(ge=1, description="Size of the stored (compressed) object.")]
    accounts: Annotated[int, Field(ge=0)]
    transactions: Annotated[int, Field(ge=0, description="In all accounts together.")]
    last_refresh: Annotated[
        str | None,
        Field(description="When Flinks read the bank: UTC without a zone; 0001-01-01T00:00:00 for never."),
    ]


type Owner = Annotated[str, Field(description="The app user, as the access token's `sub` names them: opaque.")]
type Reason = Annotated[str, Field(description="Why, in a word of ours; new words may come.")]


class Announcement(Contract):
    """What all announcements say. Thin: ids, state and the place of the data; nothing about the person."""

    detail_type: ClassVar[str]

    id: Annotated[
        str,
        Field(description="The same whenever the same is announced again. Opaque: compare it, do not parse it."),
    ]
    version: Annotated[Literal[1], Field(description="Of this contract.")] = 1
    connection_id: Annotated[str, Field(pattern="^con_[a-z2-7]{26}$")]
    generation: Annotated[
        int, Field(ge=1, description="Counts the fetches of this connection; the order of its announcements.")
    ]
    occurred_at: Annotated[
        str,
        Field(
            pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
            description="When the connection came to be so; not when it was announced. UTC.",
        ),
    ]
    correlation_id: Annotated[
        str | None, Field(description="The request that asked for this generation, as in our logs.")
    ]


class AccountDataReady(Announcement):
    """The account data of this generation lies in S3."""

    detail_type = "Account Data Ready"

    status: Literal["ready"] = "ready"
    owner: Owner
    reason: None = None
    action: Literal["none"] = "none"
    drop: DropLocation


class ConnectionActionRequired(Announcement):
    """The person must do something, as `action` says, before there is new data; data announced before stays."""

    detail_type = "Connection Action Required"

    status: Literal["action_required"] = "action_required"
    owner: Owner
    reason: Reason
    action: Action


class ConnectionFailed(Announcement):
    """This generation was given up; data announced before stays."""

    detail_type = "Connection Failed"

    status: Literal["failed"] = "failed"
    owner: Owner
    reason: Reason
    action: Action


class ConnectionDeleted(Announcement):
    """The person's data was erased here and at Flinks: erase what was made of it."""

    detail_type = "Connection Deleted"

    status: Literal["deleted"] = "deleted"
    reason: None = None
    action: Literal["none"] = "none"


KINDS: dict[Status, type[Announcement]] = {
    Status.READY: AccountDataReady,
    Status.ACTION_REQUIRED: ConnectionActionRequired,
    Status.FAILED: ConnectionFailed,
    Status.DELETED: ConnectionDeleted,
}


def announcement_of(row: Connection, bucket: str) -> Announcement | None:
    """What there is to announce of `row`; None while it is being worked on or erased.

    Raises ValueError for a row that lacks what the contract promises; it quotes nothing of it.
    """
    kind = KINDS.get(row.status)
    if kind is None:
        return None
    said: dict[str, Any] = {
        "id": f"{row.connection_id}/{row.generation}/{row.status}",
        "connection_id": row.connection_id,
        "generation": row.generation,
        "occurred_at": timestamp(row.updated_at),
        "correlation_id": row.correlation_id,
        "owner": row.owner,  # which a deletion has no room for
    }
    if row.status is Status.READY:
        said["drop"] = DropLocation.model_validate({"bucket": bucket, **vars(row.drop)}) if row.drop else None
    if row.status in (Status.ACTION_REQUIRED, Status.FAILED):
        said |= {"reason": row.reason, "action": row.action}
    return kind.model_validate(said)


# --- the bus


class Bus:
    """EventBridge in the words of an announcement."""

    def __init__(self, events: "EventBridgeClient", name: str) -> None:
        self._events = events
        self._name = name

    def put(self, announcements: Iterable[Announcement]) -> list[str | None]:
        """Put them in this order; gives for each the code with which it was refused at last, None if it was taken."""
        return [code for batch in batched(announcements, LARGEST_PUT, strict=False) for code in self._put(batch)]

    def _put(self, batch: Sequence[Announcement]) -> Iterator[str | None]:
        codes: dict[Announcement, str | None] = dict.fromkeys(batch, "NotTried")
        for _ in range(_TRIES):
            again = [announcement for announcement, code in codes.items() if code is not None and code not in PERMANENT]
            if again:
                codes |= zip(again, self._try(again), strict=True)
        return (codes[announcement] for announcement in batch)

    def _try(self, batch: list[Announcement]) -> list[str | None]:
        try:
            answer = self._events.put_events(Entries=[self._entry(announcement) for announcement in batch])
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else name_of(error)
            if code == "ValidationException" and len(batch) > 1:  # one of them is at fault: find out which
                return [code for announcement in batch for code in self._try([announcement])]
            return [code] * len(batch)
        return [result.get("ErrorCode") for result in answer["Entries"]]

    def _entry(self, announcement: Announcement) -> "PutEventsRequestEntryTypeDef":
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": announcement.detail_type,
            "Detail": announcement.model_dump_json(by_alias=True),
        }


class RefusedAnnouncements:
    """The queue of what EventBridge will never take: ids for ops, who announce again once the cause is gone."""

    def __init__(self, sqs: "SQSClient", queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def keep(self, settled: "Settled", code: str) -> None:
        """Raises ClientError or BotoCoreError when SQS cannot serve."""
        message = {
            "connectionId": settled.connection_id,
            "generation": settled.generation,
            "status": settled.status,
            "code": code,
        }
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps(message))


# --- the outbox


@dataclass(frozen=True)
class Settled:
    """What the table's stream said: how a generation of a connection ended."""

    connection_id: str
    generation: int
    status: Status


class Fate(StrEnum):
    """What became of something that the stream said."""

    ANNOUNCED = "announced"
    SUPERSEDED = "superseded"
    """It is no longer so: what came after it will be announced, and nothing of a deleted connection but that."""
    REFUSED = "refused"
    """EventBridge will never take it; it lies in the queue for ops."""
    NOT_NOW = "not_now"
    """AWS did not serve: the stream must deliver it again."""


@dataclass(frozen=True)
class Outcome:
    """What became of one `Settled`, for one log line."""

    fate: Fate
    code: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True)
class Announcer:
    """The stream is the outbox: what it says was committed, and is announced if the table still says so."""

    table: ConnectionTable
    bus: Bus
    refused: RefusedAnnouncements
    bucket: str

    def announce(self, settled: Iterable[Settled]) -> dict[Settled, Outcome]:
        """Announce each that is still so, at least once and, of one connection, never a later one first.

        Every row is read after all of `settled` was written: so of one connection at most one is still so, and
        their order needs no care.
        """
        outcomes: dict[Settled, Outcome] = {}
        due: dict[Settled, Announcement] = {}
        for each in dict.fromkeys(settled):
            try:
                announcement = self._confirmed(each)
            except (ClientError, BotoCoreError) as error:
                outcomes[each] = Outcome(Fate.NOT_NOW, name_of(error))
            except (ValueError, KeyError) as error:  # a row that this release cannot read or put into words
                outcomes[each] = self._give_up(each, type(error).__name__)
            else:
                outcomes[each] = Outcome(Fate.SUPERSEDED)
                if announcement is not None:
                    due[each] = announcement
        for (each, announcement), code in zip(due.items(), self.bus.put(due.values()), strict=True):
            outcomes[each] = self._outcome(each, announcement, code)
        return outcomes

    def _confirmed(self, settled: Settled) -> Announcement | None:
        row = self.table.get(settled.connection_id)
        if row is None or (row.generation, row.status) != (settled.generation, settled.status):
            return None
        return announcement_of(row, self.bucket)

    def _outcome(self, settled: Settled, announcement: Announcement, code: str | None) -> Outcome:
        if code is None:
            return Outcome(Fate.ANNOUNCED, correlation_id=announcement.correlation_id)
        return self._give_up(settled, code) if code in PERMANENT else Outcome(Fate.NOT_NOW, code)

    def _give_up(self, settled: Settled, code: str) -> Outcome:
        try:
            self.refused.keep(settled, code)
        except (ClientError, BotoCoreError) as error:
            return Outcome(Fate.NOT_NOW, name_of(error))
        return Outcome(Fate.REFUSED, code)
