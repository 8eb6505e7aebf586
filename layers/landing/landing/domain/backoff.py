"""How long to wait before trying again: full jitter, so that those who failed together do not come back together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

LONGEST_DELAY = timedelta(minutes=15)
"""SQS holds a message back no longer; what is due later is delayed again when it arrives."""


@dataclass(frozen=True)
class Backoff:
    """Up to `first` after the first failure, twice that after the next, never more than `last`."""

    first: timedelta = timedelta(seconds=10)
    last: timedelta = timedelta(minutes=15)

    def delay(self, retries: int, draw: Callable[[], float], not_before: float | None = None) -> timedelta:
        """A second at least, in whole milliseconds. `draw` gives 0 to 1; `not_before` is a Retry-After, in seconds."""
        longest = min(self.last, self.first * 2 ** min(retries, 20))
        delay = max(longest * draw(), timedelta(seconds=1))
        if not_before is not None and not_before > 0:
            delay = max(delay, timedelta(seconds=min(not_before, LONGEST_DELAY.total_seconds())))
        return timedelta(milliseconds=delay // timedelta(milliseconds=1))


USUAL = Backoff()
