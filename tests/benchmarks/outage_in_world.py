"""An hour without Flinks, played by the service itself in the virtual world, and by the model beside it.

    PYTHONPATH=.:layers/landing .venvs/test/bin/python -m tests.benchmarks.outage_in_world

Writes docs/images/outage.svg and prints the table of docs/scaling.md. Real handlers, table, stream, queue and schedule;
Flinks' simulator hangs for the hour, and before and after takes half a second for each of its three calls.
"""

import contextlib
import logging
import os
import random
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.benchmarks.outage import BEGINS, ENDS, EVERY, WATCHED, Hour, drawn, rows
from tests.benchmarks.outage_model import simulate
from tests.processed_template import ROOT
from tests.world.audience import audience_of
from tests.world.service import TABLE, Service, running_service
from tests.world.side_by_side import fetch_side_by_side
from tests.world.world import World

BATCHES, THREADS = 10, 32  # MaxFetchers, FetchThreads
ANSWERS = {"fault": "ok", "hang": 0.5, "times": "forever"}
HANGS = {"fault": "hang", "seconds": 3600, "times": "forever"}


def played(service: Service, rate: float, begins: float = BEGINS, ends: float = ENDS, until: float = WATCHED) -> Hour:
    """Connections come evenly, `rate` a second, for `until` seconds; Flinks hangs from `begins` to `ends`."""
    world, start = service.world, service.world.clock.now()
    came: dict[str, float] = {}
    got: dict[str, tuple[float, int]] = {}  # when it was ready, and at which try

    def note(item: dict[str, dict[str, str]]) -> None:
        if item["status"]["S"] == "ready":
            seconds = (world.clock.now() - start).total_seconds()
            got.setdefault(item["connectionId"]["S"], (seconds, int(item["attempt"]["N"])))

    def flinks(step: dict[str, object]) -> None:
        service.bank.faults.remove()
        service.script(steps=[step])

    world.tables[TABLE].watchers.append(note)
    flinks(ANSWERS)
    turns = [(begins, HANGS), (ends, ANSWERS)]
    for number in range(int(until * rate)):
        at = number / rate
        while turns and turns[0][0] <= at:
            world.run(start + timedelta(seconds=turns[0][0]))
            flinks(turns.pop(0)[1])
        world.run(start + timedelta(seconds=at))
        came[service.connect_and_post(f"user-{number}")] = at
        world.calls.clear()  # nobody asks, and an hour of them is much
        world.invocations.clear()
    world.run(start + timedelta(seconds=until))

    behind = [id_ for id_, at in came.items() if begins <= at < ends]
    waiting = [
        (at, sum(id_ not in got or got[id_][0] > at for id_, since in came.items() if since <= at))
        for at in (EVERY * number for number in range(int(until / EVERY) + 1))
    ]
    aside = [name for name, queue in world.queues.items() if name.endswith(("-dead", "failures")) and queue.messages]
    assert not aside, f"put aside, to {aside}"
    over = max(got[id_][0] for id_ in behind) - ends if all(id_ in got for id_ in behind) else None
    return Hour(f"{rate:g} a second, played", rate, waiting, over, max(tries for _, tries in got.values()))


def main() -> None:
    random.seed(1)  # the product's jitter
    logging.disable(logging.CRITICAL)
    began = time.process_time()
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),  # metrics
        running_service(World(seed=1), monkeypatch) as service,
    ):
        audience_of(service)
        fetch_side_by_side(service, batches=BATCHES, threads=THREADS)
        hour = played(service, float(sys.argv[1]) if sys.argv[1:] else 1)
    hours = [hour, *map(simulate, (1, 10, 50))]
    (ROOT / "docs/images/outage.svg").write_text(drawn(hours))
    print("\n".join(rows(hours)))
    print(f"{time.process_time() - began:.0f} s of CPU", file=sys.stderr)


if __name__ == "__main__":
    main()
