"""Memory for answers in flight: bounded, without deadlock, and small answers never wait."""

import time
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from landing.flinks.room import MEGABYTE, SMALL, Place, Room

LARGEST = 8 * MEGABYTE
LONG_ENOUGH = 60.0


def soon() -> float:
    return time.monotonic() + 0.05


def test_small_answers_pass_while_the_room_is_full() -> None:
    room = Room(LARGEST, LARGEST)
    assert Place(room).grow(SMALL + LARGEST, soon())

    passed = [Place(room).grow(SMALL, soon()) for _ in range(100)]

    assert passed == [True] * 100


def test_a_large_answer_waits_until_its_deadline_and_no_longer() -> None:
    room = Room(LARGEST, LARGEST)
    Place(room).grow(SMALL + LARGEST, soon())

    started = time.monotonic()
    found = Place(room).grow(SMALL + 1, started + 0.2)

    assert not found
    assert time.monotonic() - started >= 0.2


def test_a_large_answer_that_waits_goes_on_when_another_needs_less() -> None:
    room = Room(LARGEST, LARGEST)
    first, second = Place(room), Place(room)
    first.grow(SMALL + LARGEST, soon())

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.grow, SMALL + MEGABYTE, time.monotonic() + LONG_ENOUGH)
        first.shrink(SMALL + LARGEST - MEGABYTE)

        assert waiting.result()


def test_who_has_read_longest_can_always_read_on() -> None:
    room = Room(LARGEST + MEGABYTE, LARGEST)
    oldest, younger = Place(room), Place(room)
    oldest.grow(SMALL + MEGABYTE, soon())

    grew = [younger.grow(SMALL + size * MEGABYTE, soon()) for size in range(1, 9)]

    assert grew == [True] + [False] * 7
    assert oldest.grow(SMALL + LARGEST, soon())


def test_a_place_is_given_up_whatever_happens_in_it() -> None:
    room = Room(LARGEST, LARGEST)

    def fails() -> None:
        with Place(room) as place:
            place.grow(SMALL + LARGEST, soon())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert room.taken == 0


@pytest.mark.parametrize("seed", range(5))
def test_any_crowd_gets_through_and_never_takes_more_than_the_room(seed: int) -> None:
    total = 2 * LARGEST
    room = Room(total, LARGEST)
    most = 0

    def read(size: int) -> bool:
        nonlocal most
        with Place(room) as place:
            for grown in range(0, size, 256 * 1024):
                if not place.grow(grown, time.monotonic() + LONG_ENOUGH):
                    return False
                most = max(most, room.taken)
            place.shrink(size // 4)
        return True

    dice = Random(seed)  # noqa: S311 - no secret
    sizes = [int(LARGEST * dice.random() ** 3) for _ in range(200)]
    with ThreadPoolExecutor(32) as pool:
        finished = list(pool.map(read, sizes))

    assert all(finished)
    assert most <= total
    assert room.taken == 0
