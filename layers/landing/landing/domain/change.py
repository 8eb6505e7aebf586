"""A change of a connection as a value: what it expects of the row, what it sets, what it clears. Pure.

`stores/connection_row.py` writes a transition as one conditional write; `meets` and `changed` say what that write does.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from landing.domain.connection import Connection, Erasure


class Field(StrEnum):
    """Every field of a connection by name; with a dot, the members of its erasure. `every_field` finds one left out."""

    CONNECTION_ID = "connection_id"
    LOGIN_REF = "login_ref"
    STATUS = "status"
    GENERATION = "generation"
    ATTEMPT = "attempt"
    RECEIVED_AT = "received_at"
    UPDATED_AT = "updated_at"
    OWNER = "owner"
    OWNER_REF = "owner_ref"
    INSTITUTION = "institution"
    LANGUAGE = "language"
    DAYS_OF_TRANSACTIONS = "days_of_transactions"
    SEALED_LOGIN = "sealed_login"
    ACCOUNT_IDS = "account_ids"
    REFETCH_WANTED = "refetch_wanted"
    ASKED = "asked"
    OWNER_PROVEN = "owner_proven"
    LEASE_UNTIL = "lease_until"
    DRAIN_UNTIL = "drain_until"
    DUE_AT = "due_at"
    OVERDUE_SINCE = "overdue_since"
    ANNOUNCE_BY = "announce_by"
    STARTED_AT = "started_at"
    RETRIES = "retries"
    SESSIONS = "sessions"
    REFUSALS = "refusals"
    PUT_OPEN = "put_open"
    UNCOMMITTED = "uncommitted"
    GENERATIONS_GIVEN = "generations_given"
    SEALED_REQUEST = "sealed_request"
    POLL_UNTIL = "poll_until"
    FLINKS_HOME = "flinks_home"
    DROP = "drop"
    REASON = "reason"
    CAUSE = "cause"
    ACTION = "action"
    CORRELATION_ID = "correlation_id"
    EXPIRES_AT = "expires_at"
    ERASURE = "erasure"
    ERASURE_REQUESTED_AT = "erasure.requested_at"
    ERASURE_TICKET = "erasure.ticket"
    ERASURE_LEASE_UNTIL = "erasure.lease_until"
    ERASURE_UNANSWERED = "erasure.unanswered"
    ERASURE_AT_FLINKS = "erasure.at_flinks"
    ERASURE_FLINKS_ANSWERED_AT = "erasure.flinks_answered_at"
    ERASURE_VERSIONS = "erasure.versions"
    ERASURE_MARKERS = "erasure.markers"
    ERASURE_UPLOADS = "erasure.uploads"
    ERASURE_COMPLETED_AT = "erasure.completed_at"
    ERASURE_BACKUPS_UNTIL = "erasure.backups_until"

    @property
    def steps(self) -> tuple[str, ...]:
        """The names that lead to it: its own, or for a member of the erasure that of the erasure first."""
        return tuple(self.value.split("."))


def every_field() -> frozenset[Field]:
    """The fields of a connection itself. Raises ValueError for one that `Field` does not name."""
    return frozenset(Field(each.name) for each in fields(Connection))


@dataclass(frozen=True)
class Equals:
    field: Field
    value: Any


@dataclass(frozen=True)
class OneOf:
    field: Field
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Before:
    """The field is there, and earlier than `moment`."""

    field: Field
    moment: datetime


@dataclass(frozen=True)
class NotAfter:
    """The field is there, and no later than `moment`."""

    field: Field
    moment: datetime


@dataclass(frozen=True)
class NotBefore:
    """The field is there, and no earlier than `moment`."""

    field: Field
    moment: datetime


@dataclass(frozen=True)
class Present:
    field: Field


@dataclass(frozen=True)
class Absent:
    """Nothing is kept there: None or, of a flag, False."""

    field: Field


@dataclass(frozen=True)
class AllOf:
    expectations: tuple["Expectation", ...]


@dataclass(frozen=True)
class AnyOf:
    expectations: tuple["Expectation", ...]


type Expectation = Equals | OneOf | Before | NotAfter | NotBefore | Present | Absent | AllOf | AnyOf


@dataclass(frozen=True)
class Transition:
    """One conditional write: done whole if the row meets `expects`, else not at all."""

    expects: Expectation
    sets: Mapping[Field, Any] = field(default_factory=dict)
    """The new values. A None or a False means the same as the field in `clears`."""
    clears: AbstractSet[Field] = frozenset()

    def __post_init__(self) -> None:
        """Keep only what is something in `sets`; No field is in both."""
        nothing = {each for each, value in self.sets.items() if value is None or value is False}
        kept = {each: value for each, value in self.sets.items() if each not in nothing}
        if both := kept.keys() & self.clears:
            raise ValueError(f"set and cleared: {', '.join(sorted(both))}")
        object.__setattr__(self, "sets", kept)
        object.__setattr__(self, "clears", frozenset(self.clears) | nothing)


def meets(row: Connection, expects: Expectation) -> bool:
    """Whether a row is as a transition expects it."""
    match expects:
        case AllOf(all_of):
            return all(meets(row, each) for each in all_of)
        case AnyOf(any_of):
            return any(meets(row, each) for each in any_of)
    value = value_of(row, expects.field)
    match expects:
        case Absent():
            return value is None
        case Present():
            return value is not None
        case Equals(value=wanted):
            return bool(value == wanted)
        case OneOf(values=wanted):
            return value in wanted
        case Before(moment=moment):
            return value is not None and value < moment
        case NotAfter(moment=moment):
            return value is not None and value <= moment
        case NotBefore(moment=moment):
            return value is not None and value >= moment


def changed(row: Connection, transition: Transition) -> Connection:
    """The row as a transition leaves it. Raises ValueError when `row` is not as it expects."""
    if not meets(row, transition.expects):
        raise ValueError("the row is not as the transition expects")
    values = {each: _DEFAULTS[each] for each in transition.clears} | dict(transition.sets)
    own = {each.value: value for each, value in values.items() if len(each.steps) == 1}
    within = {each.steps[1]: value for each, value in values.items() if len(each.steps) > 1}
    row = replace(row, **own)
    return replace(row, erasure=replace(cast("Erasure", row.erasure), **within)) if within else row


def value_of(row: Connection, field: Field) -> Any:
    """What a row keeps there; None if nothing is kept, as for a flag that is False."""
    value: Any = row
    for step in field.steps:
        value = getattr(value, step, None)
    return None if value is False else value


_DEFAULTS: Mapping[Field, Any] = {
    Field(prefix + each.name): None if each.default is MISSING else each.default
    for kind, prefix in ((Connection, ""), (Erasure, "erasure."))
    for each in fields(kind)
}
