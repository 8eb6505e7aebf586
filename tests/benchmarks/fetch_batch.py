"""`make benchmark`: a batch of connections against a Flinks that takes 300 ms for each call.

Prints ratios within this run: the wall time over the ideal (every thread does nothing but wait), and over the same
work one connection after the other. AWS is in memory and the simulator shares the interpreter, so the ratio is an
upper bound of what our own work adds.
"""

import contextlib
import io
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from math import ceil

import pytest

from landing import wiring
from landing.verbs.fetch_accounts import FetchEnding, FetchOutcome, fetch_all
from tests.world.over_http import over_http
from tests.world.service import Service, running_service
from tests.world.world import World

FLINKS_TAKES = 0.3  # seconds
CALLS = 3  # token, Authorize, data
ROUNDS = 3


@contextlib.contextmanager
def slow_flinks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Each answer is held back."""
    with running_service(World(), monkeypatch) as service, over_http(service, monkeypatch):
        service.script(steps=[{"fault": "ok", "hang": FLINKS_TAKES, "times": "forever"}])
        yield service


def seconds(threads: int, connections: int) -> float:
    """The wall time of one batch."""
    with pytest.MonkeyPatch.context() as monkeypatch, slow_flinks(monkeypatch) as service:
        with contextlib.redirect_stdout(io.StringIO()):
            ids = [service.connect_and_post(f"user-{n}") for n in range(connections)]
        hints = [service.row(connection_id).hint for connection_id in ids]
        fetcher = wiring.fetcher()
        started = time.monotonic()
        outcomes = fetch_all(hints, fetcher, threads=threads, time_left=lambda: timedelta(minutes=5))
        took = time.monotonic() - started
        endings = {outcome.ending for outcome in outcomes if isinstance(outcome, FetchOutcome)}
        assert endings == {FetchEnding.READY}
        assert len(service.drops()) == connections
        return took


def main() -> None:
    one = seconds(threads=1, connections=5) / 5
    print(f"one after the other: {one:.2f} s a connection, {one / (CALLS * FLINKS_TAKES):.2f} x its waiting")
    print(f"{'threads':>8}{'connections':>13}{'wall / ideal':>14}{'one after the other / wall':>28}")
    for threads, connections in ((8, 40), (32, 100)):
        ideal = ceil(connections / threads) * CALLS * FLINKS_TAKES
        walls = [seconds(threads, connections) for _ in range(ROUNDS)]
        middle = statistics.median(walls)
        print(f"{threads:>8}{connections:>13}{middle / ideal:>14.2f}{one * connections / middle:>28.1f}")


if __name__ == "__main__":
    main()
