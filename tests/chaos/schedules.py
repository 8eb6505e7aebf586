"""Schedules from seeds: made, run, replayed to the letter, and, where one breaks a promise, made shorter.

python -m tests.chaos.schedules 0 10000      # seeds from, to; on every core
python -m tests.chaos.schedules --seed 1234  # one, with its steps, and shorter if it breaks
"""

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from os import cpu_count
from random import Random

from tests.chaos.reference import Broken
from tests.chaos.walks import WAYS, Step, Walk, a_walk

STEPS = 50
CHUNK = 50
"""Schedules that one process takes at a time."""


@dataclass
class Ran:
    """How a run of schedules went; `broken` is the first that broke a promise, by seed."""

    schedules: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    seconds: float = 0
    """Of the processor."""
    broken: tuple[int, str] | None = None

    def __add__(self, other: "Ran") -> "Ran":
        broken = min((each for each in (self.broken, other.broken) if each), default=None)
        steps = self.steps + other.steps
        return Ran(self.schedules + other.schedules, steps, self.seconds + other.seconds, broken)

    def __str__(self) -> str:
        taken = sum(count for way, count in self.steps.items() if way in WAYS)
        told = f"{self.schedules} schedules, {taken} steps, {self.seconds:.0f} s of processor"
        return f"{told}; broken: seed {self.broken[0]}: {self.broken[1]}" if self.broken else f"{told}, 0 broken"


def of_seed(seed: int, steps: int = STEPS) -> list[Step]:
    chance = Random(seed)  # noqa: S311 - chooses a way, keeps no secret
    ways = chance.choices(list(WAYS), list(WAYS.values()), k=steps)
    return [Step(way, chance.getrandbits(32)) for way in ways]


def run(seed: int, steps: list[Step] | None = None) -> Walk:
    """Go one schedule; gives the walk, for its `log` and its `trace`. Raises Broken."""
    with quiet(), a_walk(seed) as walk:
        walk.go(of_seed(seed) if steps is None else steps)
    return walk


def run_all(seeds: range) -> Ran:
    """Go them one after the other, until one breaks a promise."""
    ran, began = Ran(), time.process_time()
    for seed in seeds:
        try:
            log = run(seed).log
        except Broken as broken:
            ran.broken = seed, str(broken)
            break
        finally:
            ran.schedules += 1
        ran.steps.update(way.strip() for way in log)
    ran.seconds = time.process_time() - began
    return ran


def run_on_every_core(seeds: range) -> Ran:
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    ran = Ran()
    with ProcessPoolExecutor(cpu_count(), get_context("spawn")) as processes:
        for part in processes.map(run_all, chunks):
            ran += part
            if ran.broken:
                processes.shutdown(cancel_futures=True)
                break
    return ran


def shrunk(seed: int) -> tuple[list[Step], str]:
    """The steps that are left when none can be taken out of a schedule that breaks a promise; and what breaks.

    What breaks is told by its first line up to a colon: the rest says where.
    """
    steps = of_seed(seed)
    broken = _breaks(seed, steps)
    if broken is None:
        raise ValueError(f"seed {seed} breaks nothing")
    size = len(steps) // 2
    while size:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            again = _breaks(seed, fewer)
            if again is not None and kind(again) == kind(broken):
                steps, broken = fewer, again
            else:
                at += size
        size //= 2
    return steps, broken


def _breaks(seed: int, steps: list[Step]) -> str | None:
    try:
        run(seed, steps)
    except Broken as broken:
        return str(broken)
    return None


def kind(broken: str) -> str:
    """What broke, without where."""
    return broken.split("\n", maxsplit=1)[0].split(":", maxsplit=1)[0]


@contextmanager
def quiet() -> Iterator[None]:
    """The service's log is of no interest a thousand times over."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", type=int, nargs="*", default=[0, 1000], help="from, to")
    parser.add_argument("--seed", type=int, help="one")
    asked = parser.parse_args()
    if asked.seed is None:
        ran = run_on_every_core(range(*asked.seeds))
        print(ran)
        print(dict(sorted(ran.steps.items())))
        sys.exit(1 if ran.broken else 0)
    try:
        walk = run(asked.seed)
    except Broken as broken:
        print(broken)
        steps, shorter = shrunk(asked.seed)
        print(f"\nshorter, {len(steps)} steps: {steps}\n{shorter}")
        sys.exit(1)
    print("\n".join(walk.log), walk.trace, sep="\n")


if __name__ == "__main__":
    main()
