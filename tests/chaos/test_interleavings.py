"""The code itself, through the interleavings of fetch and erase: at every call of one, every step of the other.

A worker stops before each call that leaves it (AWS or Flinks) until the schedule lets it go on, or it dies there.
What a schedule leaves behind is then delivered, redelivered and resumed in virtual time until nothing is due.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from landing import wiring
from landing.domain.connection import Status
from landing.verbs import fetch_accounts
from tests.chaos.workers import Inline, Worker, Workers
from tests.world.erasing import LAMBDA_SECONDS, Erasing, with_erasing
from tests.world.service import Service, running_service
from tests.world.world import World


class Stage:
    """A service with one connection that waits to be fetched, and the workers that meet on it."""

    def __init__(self, service: Service, erasing: Erasing) -> None:
        self.service, self.erasing, self.world = service, erasing, service.world
        self.workers = Workers(service.world)
        self.connection_id = ""

    def fetch(self) -> Worker:
        wiring.reset()  # workers share nothing but AWS and Flinks
        hint, fetcher = self.service.row(self.connection_id).hint, wiring.fetcher()
        return Worker(self.workers, lambda: fetcher.fetch(hint))

    def erase(self) -> Worker:
        wiring.reset()
        time_left, eraser = timedelta(seconds=LAMBDA_SECONDS), wiring.eraser()
        return Worker(self.workers, lambda: eraser.erase(self.connection_id, "T-1", lambda: time_left))

    def deliveries(self, *, enabled: bool) -> None:
        self.service.stream.enabled = self.service.queue.enabled = self.service.schedule.enabled = enabled

    def settle(self) -> None:
        """Everything is delivered, resumed, and then delivered once more."""
        self.deliveries(enabled=True)
        if self.service.row(self.connection_id).erasure is None:
            self.erasing.erase(self.connection_id)
        self.erasing.settle()
        row = self.service.row(self.connection_id)
        old = [{"connectionId": row.connection_id, "generation": 1, "attempt": n} for n in range(row.attempt + 1)]
        for queue, hints in (("fetch", old), ("erase", old[-1:])):
            for hint in hints:
                self.world.queues[queue].send(json.dumps(hint))
        self.erasing.settle()

    def check(self, schedule: str) -> None:
        row = self.service.row(self.connection_id)
        assert row.status is Status.DELETED, schedule
        assert (row.sealed_login, row.sealed_request, row.owner, row.drop) == (None, None, None, None), schedule
        assert self.erasing.left_of(self.connection_id) == [], schedule
        assert self.service.bank.vault.cards == {}, schedule
        assert self.erasing.receipt(self.connection_id) == self.erasing.erase(self.connection_id)["receipt"], schedule


@contextmanager
def stage(monkeypatch: pytest.MonkeyPatch, *, polled: bool = False) -> Iterator[Stage]:
    """A connection that waits to be fetched: for the first time, or, `polled`, for what Flinks was collecting."""
    monkeypatch.setattr(fetch_accounts, "ThreadPoolExecutor", Inline)
    with running_service(World(), monkeypatch) as service:
        on = Stage(service, with_erasing(service, monkeypatch))
        on.connection_id = service.connect_and_post(pending={"polls": int(polled)})
        on.deliveries(enabled=False)
        if polled:
            on.fetch().advance()
            service.world.clock.advance(10)
        yield on


@pytest.fixture(params=[False, True], ids=["first call", "poll"])
def polled(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def calls_of_a_fetch(monkeypatch: pytest.MonkeyPatch, *, polled: bool) -> list[str]:
    with stage(monkeypatch, polled=polled) as on:
        fetch = on.fetch()
        fetch.advance()
        assert on.service.row(on.connection_id).status is Status.READY
        return fetch.calls


def calls_of_an_erase(monkeypatch: pytest.MonkeyPatch, *, polled: bool, after: int) -> list[str]:
    """The calls of an erase that begins when a fetch has made `after` of its calls."""
    with stage(monkeypatch, polled=polled) as on:
        fetch, erase = on.fetch(), on.erase()
        fetch.advance(after)
        erase.advance()
        fetch.die()
        return erase.calls


type Ending = Callable[[Worker, Worker], None]


def fetch_then_erase_go_on(fetch: Worker, erase: Worker) -> None:
    fetch.advance()
    erase.advance()


def erase_then_fetch_go_on(fetch: Worker, erase: Worker) -> None:
    erase.advance()
    fetch.advance()


def fetch_dies(fetch: Worker, erase: Worker) -> None:
    fetch.die()
    erase.advance()


def erase_dies(fetch: Worker, erase: Worker) -> None:
    erase.die()
    fetch.advance()


def both_die(fetch: Worker, erase: Worker) -> None:
    fetch.die()
    erase.die()


@pytest.mark.parametrize(
    "ending",
    [
        fetch_then_erase_go_on,
        erase_then_fetch_go_on,
        both_die,
        pytest.param(fetch_dies, marks=pytest.mark.long),  # the walks and crash points have these too
        pytest.param(erase_dies, marks=pytest.mark.long),
    ],
    ids=lambda e: e.__name__,
)
def test_an_erase_may_take_any_step_between_any_two_calls_of_a_fetch(
    monkeypatch: pytest.MonkeyPatch, polled: bool, ending: Ending
) -> None:
    tried = 0
    for fetched in range(len(calls_of_a_fetch(monkeypatch, polled=polled)) + 1):
        for erased in range(len(calls_of_an_erase(monkeypatch, polled=polled, after=fetched)) + 1):
            with stage(monkeypatch, polled=polled) as on:
                fetch, erase = on.fetch(), on.erase()
                fetch.advance(fetched)
                erase.advance(erased)
                ending(fetch, erase)

                on.settle()

                on.check(f"fetch at {fetched} {fetch.calls[-1:]}, erase at {erased} {erase.calls[-1:]}")
                tried += 1
    print(f"{tried} interleavings: {ending.__name__}")


@pytest.mark.parametrize("lands_after", [1, 149, 179])
@pytest.mark.parametrize("eraser_dies", [False, True])
def test_a_put_may_land_late_at_any_step_of_an_erase(
    monkeypatch: pytest.MonkeyPatch, polled: bool, lands_after: float, eraser_dies: bool
) -> None:
    put = calls_of_a_fetch(monkeypatch, polled=polled).index("s3 put_object")
    tried = 0
    for erased in range(len(calls_of_an_erase(monkeypatch, polled=polled, after=put)) + 1):
        with stage(monkeypatch, polled=polled) as on:
            fetch, erase = on.fetch(), on.erase()
            fetch.advance(put)
            erase.advance(erased)
            fetch.die_with_a_late_put(lands_after)
            if eraser_dies:
                erase.die()
            erase.advance()

            on.settle()

            on.check(f"PUT after {lands_after} s, erase at {erased} {erase.calls[-1:]}")
            assert on.erasing.receipt(on.connection_id)["erased"]["drops"]["versions"] == 1
            tried += 1
    print(f"{tried} interleavings: a PUT lands {lands_after} s late")


@pytest.mark.parametrize("first_goes_on", [pytest.param(False, marks=pytest.mark.long), True])
def test_an_erase_may_take_any_step_between_any_two_steps_of_another(
    monkeypatch: pytest.MonkeyPatch, first_goes_on: bool
) -> None:
    steps = len(calls_of_an_erase(monkeypatch, polled=False, after=len(calls_of_a_fetch(monkeypatch, polled=False))))
    tried = 0
    for first in range(steps + 1):
        for second in range(steps + 1):
            with stage(monkeypatch) as on:
                on.fetch().advance()
                slow, other = on.erase(), on.erase()
                slow.advance(first)
                on.world.clock.advance(331)  # its lease is over, and it does not know
                other.advance(second)
                if first_goes_on:
                    slow.advance()
                else:
                    slow.die()
                other.advance()

                on.settle()

                on.check(f"one erase at {first}, another at {second}")
                tried += 1
    print(f"{tried} interleavings: two erasers")


def test_a_drop_whose_put_went_unheard_is_not_put_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with stage(monkeypatch) as on:
        on.world.fail("s3", "put_object", "Timeout", effect=True)
        on.deliveries(enabled=True)

        on.service.settle()

        assert on.service.row(on.connection_id).status is Status.READY
        assert len(on.erasing.left_of(on.connection_id)) == 1
