"""The simulator's time: real time, or a standing instant, moved forward when somebody says so."""

from datetime import UTC, datetime, timedelta


class Clock:
    """`standing_at` (an aware datetime) makes a clock that moves only by `advance`."""

    def __init__(self, standing_at: datetime | None = None) -> None:
        self._standing_at = standing_at
        self._offset = timedelta()

    def now(self) -> datetime:
        return (self._standing_at or datetime.now(UTC)) + self._offset

    def advance(self, seconds: float) -> None:
        """Raise ValueError for a step back."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._offset += timedelta(seconds=seconds)
