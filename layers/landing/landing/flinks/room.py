"""Memory for answers in flight: small ones always have room, large ones wait for theirs, and nobody waits for ever.

The first `SMALL` bytes of each answer are counted in advance, for every thread. What is larger shares a fixed room.
Whoever has been reading longest can always read on to the largest size allowed, so no two block each other; younger
ones read along as long as that stays true.
"""

import time
from threading import Condition
from types import TracebackType
from typing import Self

MEGABYTE = 1024 * 1024
SMALL = MEGABYTE
_STEP = MEGABYTE


class Room:
    """Room for all large answers together, of which none is larger than `largest`. Both in bytes."""

    def __init__(self, total: int, largest: int) -> None:
        if total < largest:
            raise ValueError("the largest answer must find room")
        self.changed = Condition()
        self.taken = 0
        """Bytes, at this moment."""
        self._total = total
        self._largest = largest
        self._reading: dict[Place, None] = {}
        """Who may still grow, oldest first."""

    def fits(self, place: "Place", size: int) -> bool:
        """Whether `place` may grow to `size`; the caller holds `changed`."""
        self._reading.setdefault(place)
        taken = self.taken + size - place.size
        oldest = next(iter(self._reading))
        kept_free = 0 if place is oldest else self._largest - oldest.size
        return taken + kept_free <= self._total

    def no_longer_reads(self, place: "Place") -> None:
        """`place` has all it needs; the caller holds `changed`."""
        self._reading.pop(place, None)


class Place:
    """What one answer takes up in a room. As a context manager it is given up at the end of the block."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0
        """Bytes beyond the small ones."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.shrink(0)

    def grow(self, size: int, until: float) -> bool:
        """Have room for `size` bytes, from the monotonic time `until` on no more: False when there is none by then."""
        if size <= SMALL + self.size:
            return True
        wanted = -(-(size - SMALL) // _STEP) * _STEP
        with self._room.changed:
            seconds = max(0.0, until - time.monotonic())
            if not self._room.changed.wait_for(lambda: self._room.fits(self, wanted), seconds):
                return False
            self._room.taken += wanted - self.size
            self.size = wanted
        return True

    def shrink(self, size: int) -> None:
        """Need `size` bytes from here on, and never more again."""
        with self._room.changed:
            self._room.no_longer_reads(self)
            left = min(self.size, max(0, size - SMALL))
            self._room.taken -= self.size - left
            self.size = left
            self._room.changed.notify_all()
