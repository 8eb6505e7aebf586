"""What a fetch goes by: its numbers, where a claim stands, and how it can end."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from landing.domain.backoff import USUAL, Backoff
from landing.domain.connection import Connection, Hint
from landing.domain.reasons import Reason
from landing.domain.transitions import Put
from landing.error_names import Cause

ROW_WITHOUT_LOGIN = Cause("row_without_login", "row_without_login")

WAITED_FOR_OTHERS = frozenset(
    {
        Reason.BANK_UNAVAILABLE,
        Reason.DROP_NOT_STORED,
        Reason.FLINKS_THROTTLES,
        Reason.FLINKS_UNAVAILABLE,
        Reason.LOGIN_BUSY_AT_FLINKS,
        Reason.SERVICE_MISCONFIGURED,
        Reason.SERVICE_UNAVAILABLE,
    }
)
"""Reasons to wait that no session can help: one that ended meanwhile is not the connection's to pay for."""


@dataclass(frozen=True)
class Limits:
    """The numbers of a fetch.

    A lease outlives the function, which may run for 120 s. Flinks asks to be polled every 10 s, and for 30 minutes at
    the most (flinks.md §7). A day is longer than the outages that pass by themselves; three sessions that ended in
    the same way will not be followed by a better one.
    """

    lease: timedelta = timedelta(seconds=150)
    poll_every: timedelta = timedelta(seconds=10)
    poll_for: timedelta = timedelta(minutes=30)
    backoff: Backoff = USUAL
    retry_for: timedelta = timedelta(hours=24)
    sessions: int = 3
    refusals: int = 8
    """Sessions that Flinks may refuse to open: with the backoff half an hour or so, to put a key of ours right."""
    session_idles: timedelta = timedelta(minutes=5)
    """Flinks ends a session after eight idle minutes (flinks.md §14): an open one is never left alone for longer."""
    call_again_within: timedelta = timedelta(seconds=5)
    """Since the claim began: after a refusal that took longer, no time is left for the same call again."""


class FetchEnding(StrEnum):
    """How the work on one hint ended."""

    READY = "ready"
    PENDING = "pending"
    WAITING = "waiting"
    ACTION_REQUIRED = "action_required"
    FAILED = "failed"
    NEXT_GENERATION = "next_generation"
    HANDED_ON = "handed_on"
    """No time left in this invocation: back to the fetch queue, unclaimed."""
    EARLY = "early"
    """Not due yet: delayed again for the remainder."""
    STALE = "stale"
    """The row has moved on since the hint was made."""
    SUPERSEDED = "superseded"
    """The claim was lost while we worked: to an erase, or to whoever claimed after our lease."""


@dataclass(frozen=True)
class FetchOutcome:
    """What became of a hint, for one log line and the metrics."""

    hint: Hint
    ending: FetchEnding
    reason: Reason | None = None
    metrics: tuple[str, ...] = ()
    correlation_id: str | None = None
    cause: Cause | None = None
    """What ended the claim without data: a call of AWS or Flinks, and what it was answered with."""
    is_news: bool = True
    """Whether anything is now as it was not before; a poll that finds Flinks still at it is none."""


@dataclass
class Sent:
    """What a claim has put so far, whatever step it breaks off at."""

    put: Put = Put.NONE


@dataclass(frozen=True)
class Step:
    """Where a claim stands: what it has learned; the login and the requestId once opened; what is to be counted."""

    claim: Connection
    login_id: str | None = field(default=None, repr=False)
    request_id: str | None = field(default=None, repr=False)
    metrics: tuple[str, ...] = ()
    sent: Sent = field(default_factory=Sent)

    def noting(self, metric: str | None) -> "Step":
        return replace(self, metrics=(*self.metrics, metric)) if metric else self
