"""A connection: what it consists of, where it can be, and how it is named."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum

from landing.domain.reasons import Reason

CLOCKS_DISAGREE = timedelta(minutes=2)
"""How far the clocks of two hosts may lie apart before a promise hangs on it: far more than Lambda's ever do."""

PUTS_SETTLE = timedelta(seconds=30) + CLOCKS_DISAGREE
"""How long after its lease, by anybody's clock, a claim's PUT may still land: half a minute for slow wires."""

DUE_SHARDS = 8

CONNECTION_ID = "con_[a-z2-7]{26}"
"""The public id, as a regular expression that every room uses; `connection_id` makes what it matches."""


class Status(StrEnum):
    """Where a connection is; what may follow what is in `transitions`."""

    RECEIVED = "received"
    FETCHING = "fetching"
    PENDING = "pending"
    WAITING = "waiting"
    READY = "ready"
    ACTION_REQUIRED = "action_required"
    FAILED = "failed"
    DELETING = "deleting"
    DELETED = "deleted"


TERMINAL = frozenset({Status.READY, Status.ACTION_REQUIRED, Status.FAILED, Status.DELETED})
ERASED = frozenset({Status.DELETING, Status.DELETED})


class Action(StrEnum):
    """What the person or ops should do about a connection that is not ready."""

    NONE = "none"
    WAIT = "wait"
    RECONNECT = "reconnect"
    CONTACT_SUPPORT = "contact_support"


@dataclass(frozen=True)
class Hint:
    """The row as it was when a message was made: a worker acts on it only while it still is."""

    connection_id: str
    generation: int
    attempt: int


@dataclass(frozen=True)
class Settled:
    """What the table's stream said: how a generation of a connection ended."""

    connection_id: str
    generation: int
    status: Status


@dataclass(frozen=True)
class Drop:
    """Where the account data of one generation lies, and what it holds; sizes in bytes."""

    key: str
    version_id: str
    sha256: str
    bytes: int
    accounts: int
    transactions: int
    last_refresh: str | None = None


class Language(StrEnum):
    """What a person speaks with her bank: Flinks gives her another loginId in another language (flinks.md §14)."""

    ENGLISH = "en"
    FRENCH = "fr"


class DaysOfTransactions(IntEnum):
    """How much history Flinks collects and gives: one of two, in days."""

    DAYS_90 = 90
    DAYS_365 = 365


class AtFlinks(StrEnum):
    """How an erasure ended at Flinks, in the words of the receipt."""

    DELETED = "deleted"
    ALREADY_GONE = "already_gone"
    """Flinks no longer knew the login, and was the Flinks that once did."""
    UNKNOWN = "unknown_at_flinks"
    """Flinks does not know the login, and we never saw it do so."""
    UNANSWERED = "gone_after_an_unanswered_deletion"
    """Our DeleteCard was not answered, and after it Flinks no longer knew the login."""
    KEPT = "kept_for_another_connection"
    """Another owner is connected to the same login: the card goes when the last of them does."""


@dataclass(frozen=True)
class Erasure:
    """How far the erasing of a connection is. What is None has not happened yet."""

    requested_at: datetime
    ticket: str | None = None
    lease_until: datetime | None = None
    at_flinks: AtFlinks | None = None
    flinks_answered_at: datetime | None = None
    versions: int | None = None
    markers: int | None = None
    uploads: int | None = None
    completed_at: datetime | None = None
    backups_until: datetime | None = None
    """Until when the table can be restored to a time before `completed_at`."""
    unanswered: bool = False
    """A DeleteCard was sent, and nobody knows whether it took effect."""


@dataclass(frozen=True)
class Connection:
    """One app user's link to one bank login. Times are aware UTC datetimes in whole milliseconds."""

    connection_id: str
    login_ref: str
    status: Status
    generation: int
    attempt: int
    received_at: datetime
    updated_at: datetime
    owner: str | None = None
    owner_ref: str | None = None
    """Of a tombstone: whose it was, as a keyed hash that only who names the owner can find."""
    institution: str | None = None
    language: Language | None = None
    """Of the Connect session that gave the login, as far as it is known."""
    days_of_transactions: DaysOfTransactions | None = None
    """As was asked for; None: the deployment's."""
    sealed_login: bytes | None = None
    account_ids: tuple[str, ...] | None = None
    refetch_wanted: bool = False
    asked: bool = False
    """There was a claim of this generation: Flinks may have been asked, under the choice of accounts of then."""
    owner_proven: bool = False
    lease_until: datetime | None = None
    drain_until: datetime | None = None
    """The lease under which S3 left a PUT unanswered: it outlives the claims that follow, for an erase to wait out."""
    due_at: datetime | None = None
    overdue_since: datetime | None = None
    """Since when it has been due without anybody taking it; `resume_stalled` writes it, whoever takes it clears it."""
    announce_by: datetime | None = None
    """Of an ending that can be announced and was not: when the schedule announces it, if the stream did not."""
    started_at: datetime | None = None
    retries: int = 0
    sessions: int = 0
    refusals: int | None = None
    """Sessions that Flinks refused to open in this generation."""
    put_open: bool = False
    """A PUT of this generation may have landed, or may yet, and nobody has committed it."""
    uncommitted: tuple[int, ...] | None = None
    """Generations that ended while a PUT was open: what lies under their keys is nobody's data, and is to be swept."""
    generations_given: int | None = None
    """Of a restored row: up to where generations may have been given before the table was lost."""
    sealed_request: bytes | None = None
    poll_until: datetime | None = None
    flinks_home: str | None = None
    drop: Drop | None = None
    reason: Reason | None = None
    cause: str | None = None
    """What ended the last claim without data, for ops alone: a call, and what it was answered with."""
    action: Action = Action.NONE
    correlation_id: str | None = None
    """The request that asked for this generation; an id of AWS's, for logs and events."""
    expires_at: datetime | None = None
    """When the table's TTL takes the tombstone away; in whole seconds."""
    erasure: Erasure | None = None

    @property
    def hint(self) -> Hint:
        return Hint(self.connection_id, self.generation, self.attempt)

    @property
    def is_known_to_own_its_login(self) -> bool:
        """Whether it was proven to be the owner's, or had its data once: only then may it keep a card alive."""
        return self.owner_proven or self.drop is not None

    @property
    def settled_at(self) -> datetime | None:
        """When the last PUT of every claim so far must have landed; None if no claim could have sent one."""
        leases = [lease for lease in (self.lease_until, self.drain_until) if lease is not None]
        return max(leases) + PUTS_SETTLE if leases else None

    @property
    def sweepable_at(self) -> datetime | None:
        """From when on nothing more can land under the keys of `uncommitted`; None: nothing can."""
        return self.drain_until + PUTS_SETTLE if self.drain_until is not None else None

    @property
    def holds_what_nobody_committed(self) -> bool:
        """It came to nothing, and S3 may still hold what it put: nobody may be told that nothing was kept."""
        return self.status in (Status.ACTION_REQUIRED, Status.FAILED) and bool(self.uncommitted)

    @property
    def public_status(self) -> str:
        """The six words that the API and the events know."""
        if self.holds_what_nobody_committed:
            return "processing"
        if self.status in TERMINAL or self.status in ERASED:
            return self.status.value
        return "processing"


def connection_id(login_ref: str, owner: str) -> str:
    """The public id: the same owner and login always give the same one, and nobody else can compute it."""
    digest = hashlib.sha256(f"{len(login_ref)}:{login_ref}{owner}".encode()).digest()[:16]
    return "con_" + base64.b32encode(digest).decode().rstrip("=").lower()


def due_shard(connection_id: str) -> str:
    """Which of the `DUE_SHARDS` partitions of the index `by-due` a connection lies in."""
    return str(hashlib.sha256(connection_id.encode()).digest()[0] % DUE_SHARDS)


def utc_now() -> datetime:
    """The wall clock, in the whole milliseconds that the table can keep."""
    return whole_milliseconds(datetime.now(UTC))


def whole_milliseconds(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def timestamp(instant: datetime) -> str:
    """RFC 3339 UTC of fixed width, so that comparing the strings compares the times."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def instant(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)
