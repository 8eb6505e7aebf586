"""What consumers are told: the contract of every event, and what there is to announce of a connection."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from landing.domain.connection import CONNECTION_ID, Action, Connection, Status, timestamp


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
    connection_id: Annotated[str, Field(pattern=f"^{CONNECTION_ID}$")]
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
    """What there is to announce of `row`; None while it is being worked on, swept or erased.

    Raises ValueError for a row that lacks what the contract promises; it quotes nothing of it.
    """
    kind = KINDS.get(row.status)
    if kind is None or row.holds_what_nobody_committed:
        return None
    said: dict[str, Any] = {
        "id": f"{row.connection_id}/{row.generation}/{row.status}",
        "connection_id": row.connection_id,
        "generation": row.generation,
        "occurred_at": timestamp(row.updated_at),
        "correlation_id": row.correlation_id,
        "owner": row.owner,  # ConnectionDeleted has no such member, and leaves it out
    }
    if row.status is Status.READY:
        said["drop"] = DropLocation.model_validate({"bucket": bucket, **vars(row.drop)}) if row.drop else None
    if row.status in (Status.ACTION_REQUIRED, Status.FAILED):
        said |= {"reason": row.reason, "action": row.action}
    return kind.model_validate(said)
