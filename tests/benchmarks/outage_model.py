"""The hour without Flinks at rates that are too many for the virtual world: a model with the product's own backoff.

A first try is made from the stream, every other one from the fetch queue, in as many places as the template's defaults
give. While Flinks is out a try takes 15 s (what the client gives the minting of a token) and fails; else 1.5 s.
"""

import heapq
import random

from landing.domain.backoff import USUAL
from tests.benchmarks.outage import BEGINS, ENDS, EVERY, WATCHED, Hour

STREAM_PLACES = 2 * 32  # batches at once for each shard, threads
QUEUE_PLACES = 10 * 10  # MaxFetchers, messages in a batch
HANGS, ANSWERS = 15.0, 1.5  # seconds


def simulate(rate: float, seed: int = 1) -> Hour:  # noqa: C901 - one loop of a discrete-event model
    dice = random.Random(seed)  # noqa: S311 - no secret
    shards = max(1, round(rate / 300))
    free = {"stream": STREAM_PLACES * shards, "queue": QUEUE_PLACES}
    lines: dict[str, list[tuple[float, int, int]]] = {"stream": [], "queue": []}
    events: list[tuple[float, int, str, int, int]] = []
    number = waiting = worst = 0
    behind: set[int] = set()
    over: float | None = None
    watched: list[tuple[float, int]] = []

    def plan(at: float, what: str, connection: int, tries: int) -> None:
        nonlocal number
        number += 1
        heapq.heappush(events, (at, number, what, connection, tries))

    def work(now: float, place: str) -> None:
        while free[place] and lines[place]:
            _, connection, tries = heapq.heappop(lines[place])
            free[place] -= 1
            takes = HANGS if BEGINS <= now < ENDS else ANSWERS
            plan(now + takes, f"{place} {'failed' if takes == HANGS else 'done'}", connection, tries)

    plan(0.0, "arrives", 0, 0)
    plan(0.0, "looks", 0, 0)
    while events:
        now, _, what, connection, tries = heapq.heappop(events)
        if now > WATCHED:
            break
        place, _, ending = what.partition(" ")
        if what == "looks":
            watched.append((now, waiting))
            plan(now + EVERY, "looks", 0, 0)
        elif what == "arrives":
            waiting += 1
            if BEGINS <= now < ENDS:
                behind.add(connection)
            heapq.heappush(lines["stream"], (now, connection, 0))
            plan(now + dice.expovariate(rate), "arrives", connection + 1, 0)
            work(now, "stream")
        elif what == "due":
            heapq.heappush(lines["queue"], (now, connection, tries))
            work(now, "queue")
        else:
            free[place] += 1
            worst = max(worst, tries + 1)
            if ending == "failed":
                plan(now + USUAL.delay(tries, dice.random).total_seconds(), "due", connection, tries + 1)
            else:
                waiting -= 1
                behind.discard(connection)
                if now > ENDS and not behind and over is None:
                    over = now - ENDS
            work(now, place)
    return Hour(f"{rate:g} a second, by the model", rate, watched, over, worst)
