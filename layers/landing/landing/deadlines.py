"""How long anything may take: one table of numbers, and the rule that nothing begins which might outlive its function.

Lambda kills a function at its timeout, with everybody's work in it and without a word to the caller. So an AWS call
begins only if its longest still fits into what is left, and a call of Flinks is given up in time for what must follow.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

type TimeLeft = Callable[[], timedelta]


@dataclass(frozen=True)
class AwsCalls:
    """How one client calls: seconds to connect, seconds for each read, and how often it tries in all."""

    connect: float
    read: float
    attempts: int
    then: float = 0
    """Seconds to leave for what must follow: whoever cannot write down how far he came has done it in vain."""

    @cached_property
    def longest(self) -> float:
        """Seconds. Between tries botocore's standard mode pauses up to 1, 2, 4… and no more than 20."""
        pauses = sum(min(2.0**tried, 20.0) for tried in range(self.attempts - 1))
        return self.attempts * (self.connect + self.read) + pauses


USUAL = AwsCalls(connect=1, read=3, attempts=2)
"""DynamoDB, KMS, SQS, EventBridge, Secrets Manager: what does not answer by then is ill."""

PUT = AwsCalls(connect=2, read=20, attempts=1, then=USUAL.longest)
"""A drop is put by us alone: a retry of the client's own would be a PUT that we know nothing of."""

SWEEP = AwsCalls(connect=2, read=10, attempts=2, then=USUAL.longest)
"""S3 for an erasure: it lists and deletes a thousand versions at a time."""

MINT, AUTHORIZE, DATA, DELETE_CARD = 15.0, 20.0, 45.0, 60.0
"""Seconds for a whole call of Flinks. A data call may work there for 210 s (flinks.md §6.3): after its timeout
we ask again."""

MINT_FOR_A_PERSON = 6.0
"""Somebody waits for the page to open."""

AFTER_FLINKS = 2 * USUAL.longest
"""Seconds to leave after a call of Flinks: to seal what it gave us, and to write it down."""

CLAIM_TAKES = timedelta(seconds=MINT + AUTHORIZE + DATA + AFTER_FLINKS)
"""What must be left of an invocation for one more claim of a fetch."""

RUN_TAKES = timedelta(seconds=2 * (DELETE_CARD + MINT) + AFTER_FLINKS)
"""What must be left of an invocation for one more run of an erasure: DeleteCard and a token, each with keys anew."""


class TimeIsUp(Exception):
    """What was to begin might not have ended before its function: it was not begun."""


class Invocation:
    """The one that runs; an execution environment has no two at a time. Its threads share it."""

    def __init__(self) -> None:
        self._ends_at = float("inf")

    def begin(self, left: timedelta) -> None:
        self._ends_at = time.monotonic() + left.total_seconds()

    def left(self) -> float:
        """Seconds."""
        return self._ends_at - time.monotonic()

    def check(self, calls: AwsCalls) -> None:
        """Raises TimeIsUp unless such a call may begin."""
        if self.left() < calls.longest + calls.then:
            raise TimeIsUp

    def of_flinks(self, deadline: float, after: float | None = None) -> float:
        """Seconds for a call of Flinks, `deadline` at the most; 0 when there is no time for any.

        `after` are seconds to leave for what follows: AFTER_FLINKS, unless told otherwise.
        """
        return max(0.0, min(deadline, self.left() - (AFTER_FLINKS if after is None else after)))


INVOCATION = Invocation()
