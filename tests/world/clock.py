"""Virtual time: it stands still until a test, or the world's driver, moves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


class VirtualClock:
    """A clock that only goes forward, but for `apart`.

    `now` is an aware UTC datetime, `monotonic` seconds since the start.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = self._now = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def advance(self, seconds: float | timedelta) -> None:
        step = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        self.advance_to(self._now + step)

    def advance_to(self, moment: datetime) -> None:
        """Move to `moment`; a moment already past changes nothing."""
        self._now = max(self._now, moment)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Time that is spent within is another's: afterwards the clock is where it was."""
        here = self._now
        try:
            yield
        finally:
            self._now = here
