"""The hour in which Flinks does not answer, and what follows: a model of the queue with the product's own backoff.

    python -m tests.benchmarks.outage        writes docs/images/outage.svg and prints a table

Connections come at a steady rate. A first try is made from the stream, every other one from the fetch queue, in as
many places as the template's defaults give. While Flinks is out a try takes 20 s (its deadline) and fails; else 1.5 s.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass

from landing.domain.backoff import USUAL
from tests.processed_template import ROOT

STREAM_PLACES = 2 * 32  # batches at once for each shard, threads
QUEUE_PLACES = 10 * 10  # MaxFetchers, messages in a batch
HANGS, ANSWERS = 20.0, 1.5  # seconds
BEGINS, ENDS, WATCHED = 600.0, 4200.0, 4 * 3600.0
EVERY = 60.0


@dataclass
class Hour:
    """What one rate did: waiting connections by the minute, and when the last of the outage was through."""

    rate: float
    waiting: list[tuple[float, int]]
    over: float | None
    """Seconds after Flinks was back; None when it was not within the time watched."""
    worst_tries: int


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
            if ending == "failed":
                worst = max(worst, tries + 1)
                plan(now + USUAL.delay(tries, dice.random).total_seconds(), "due", connection, tries + 1)
            else:
                waiting -= 1
                behind.discard(connection)
                if now > ENDS and not behind and over is None:
                    over = now - ENDS
            work(now, place)
    return Hour(rate, watched, over, worst)


def drawn(hours: list[Hour]) -> str:
    width, height, margin = 640, 260, 50
    top = max(count / hour.rate for hour in hours for _, count in hour.waiting) * 1.1
    colours = ("#2456a6", "#b4541a", "#3a7d44")

    def across(seconds: float) -> float:
        return margin + seconds / WATCHED * (width - 2 * margin)

    def up(value: float) -> float:
        return height - margin - value / top * (height - 2 * margin)

    lines = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
        + " ".join(f"{across(at):.1f},{up(count / hour.rate):.1f}" for at, count in hour.waiting)
        + f'"/><text x="{width - margin - 130}" y="{40 + 15 * n}" fill="{colour}">{hour.rate:g} a second</text>'
        for n, (hour, colour) in enumerate(zip(hours, colours, strict=True))
    )
    out = f'<rect x="{across(BEGINS):.1f}" y="{margin}" width="{across(ENDS) - across(BEGINS):.1f}" '
    out += f'height="{height - 2 * margin}" fill="#eee"/>'
    marks = "".join(
        f'<text x="{across(hour * 3600):.1f}" y="{height - margin + 16}" text-anchor="middle">{hour} h</text>'
        for hour in range(5)
    )
    title = f'<text x="{margin}" y="20">connections not ready yet, in seconds of arrivals; grey: Flinks is out</text>'
    scale = f'<text x="{margin - 8}" y="{up(3600) + 4:.1f}" text-anchor="end">3600</text>'
    style = "<style>text{font:12px sans-serif;fill:#333}</style>"
    size = f'width="{width}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}{out}{title}{scale}{marks}{lines}</svg>\n'


def rows(hours: list[Hour]) -> Iterator[str]:
    yield "| Connections a second | waiting at the end of the outage | all of them ready after | tries at the most |"
    yield "| --- | --- | --- | --- |"
    for hour in hours:
        most = max(count for _, count in hour.waiting)
        over = f"{hour.over / 60:.0f} min" if hour.over is not None else "more than 2 h 50 min"
        yield f"| {hour.rate:g} | {most:,} | {over} | {hour.worst_tries} |"


def main() -> None:
    hours = [simulate(rate) for rate in (1, 10, 50)]
    (ROOT / "docs/images/outage.svg").write_text(drawn(hours))
    print("\n".join(rows(hours)))


if __name__ == "__main__":
    main()
