"""`make benchmark`: what the service costs beside comparators of our own that make the same calls.

Everything is measured in one run, in turns, so that a busy machine slows all alike; what counts are the ratios within
a round, given as their median with the lowest and the highest. Times are CPU time of the process measured, unless
they say wall. Each table is printed when it is there; one that fails, because a comparator made other calls than the
service or the machine was too busy, is named and costs none of the others. Writes docs/performance.md, and
docs/images/growth.svg. Takes about ten minutes on a quiet machine of two cores, and never above half an hour: on a busy
one there are fewer rounds, and a table that is not there after seven minutes is given up.
"""

import argparse
import json
import os
import queue
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from math import ceil
from pathlib import Path
from typing import NoReturn

import certifi

from tests.benchmarks import certificates, codec, cost, growth, start
from tests.processed_template import ROOT

FLINKS_TAKES = 0.3
CALLS_OF_FLINKS = 3
ROUNDS_BEGIN_FOR, A_TABLE_TAKES = 4 * 60, 7 * 60
"""Seconds, for each table: on a busy machine there are fewer rounds, and what takes longer is not measured."""


class Bench:
    """The stub, and processes that call it."""

    def __init__(self, folder: Path, size: int) -> None:
        certificates.write(folder / "host.pem")
        own = (folder / "host.pem").read_text().partition("-----END PRIVATE KEY-----")[2]
        self.authorities = folder / "authorities.pem"
        self.authorities.write_text(Path(certifi.where()).read_text() + own)
        order = ["tests.benchmarks.stub", str(folder / "host.pem"), str(size), str(FLINKS_TAKES)]
        self.stub = subprocess.Popen([sys.executable, "-m", *order], stdout=subprocess.PIPE, text=True)
        assert self.stub.stdout is not None
        self.url = f"https://127.0.0.1:{int(self.stub.stdout.readline())}"

    def counts(self) -> dict[str, int]:
        context = ssl.create_default_context(cafile=self.authorities)
        with urllib.request.urlopen(f"{self.url}/counts", context=context) as answer:  # noqa: S310 - https, see above
            counts: dict[str, int] = json.load(answer)
        return counts

    def batches(self, mode: str, threads: int, connections: int, batches: int) -> list[dict[str, float]]:
        environment = {
            **os.environ,
            "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=262144",  # as the template has it
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.authorities),
            "REQUESTS_CA_BUNDLE": str(self.authorities),
            "AWS_DEFAULT_REGION": "ca-central-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "key",
        }
        order = ["tests.benchmarks.batch", mode, self.url, *map(str, (threads, connections, batches))]
        run = subprocess.run(
            [sys.executable, "-m", *order], env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=120
        )
        return [json.loads(line) for line in run.stdout.splitlines()]


@contextmanager
def bench(size: int) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder:
        made = Bench(Path(folder), size)
        try:
            yield made
        finally:
            made.stub.kill()
            made.stub.wait()


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f} to {max(values):.2f}]"


def rounds(how_many: int) -> Iterator[None]:
    """So many if there is time, after one in which bytecode is written and files come into the cache."""
    began = time.monotonic()
    for number in range(1 + how_many):
        if number <= 1 or time.monotonic() - began < ROUNDS_BEGIN_FOR:
            yield


def starts(how_many: int) -> Iterator[Sequence[str]]:
    found: list[dict[str, start.Measured]] = []
    with bench(1000) as here:
        for _ in rounds(how_many):
            measured, calls = {}, {}
            for name in start.HANDLERS:
                measured[name] = start.measure(name, here.url, here.authorities)
                calls[name] = here.counts()
            assert len({json.dumps(each, sort_keys=True) for each in calls.values()}) == 1, calls
            found.append(measured)
    del found[0]
    figures: dict[str, Callable[[start.Measured], float]] = {
        "init + first call": lambda each: each.init + each.first,
        "init": lambda each: each.init,
        "first call": lambda each: each.first,
        "warm call": lambda each: each.warm,
    }
    bare, *others = ("bare boto3", "ours", "Powertools", "FastAPI")
    for figure, of in figures.items():
        base = f"{statistics.median(of(each[bare]) for each in found) * 1000:.1f} ms"
        yield figure, *(spread([of(each[name]) / of(each[bare]) for each in found]) for name in others), base


ONE_AFTER_THE_OTHER = 8
"""Records for BatchProcessor, which takes a second for each: more of them would only take longer."""


def in_batches(how_many: int, records: int, threads: int, kilobytes: int) -> Iterator[Sequence[str]]:
    """What `records` take of `threads`, fresh and warm. BatchProcessor gets fewer; its wall is scaled."""
    ideal = ceil(records / threads) * CALLS_OF_FLINKS * FLINKS_TAKES
    sizes = {"ours": records, "naive": records, "BatchProcessor": ONE_AFTER_THE_OTHER}
    found: list[dict[str, list[dict[str, float]]]] = []
    with bench(kilobytes * 1000) as here:
        for _ in rounds(how_many):
            measured, calls = {}, {}
            for mode, size in sizes.items():
                measured[mode] = here.batches(mode, threads, size, 2)
                calls[mode] = calls_each(here.counts(), 2 * size)
            assert len({json.dumps(each, sort_keys=True) for each in calls.values()}) == 1, calls
            found.append(measured)
    del found[0]

    def each(of: str, mode: str, number: int) -> list[float]:
        return [measured[mode][number][of] / sizes[mode] for measured in found]

    for number, state in enumerate(("fresh", "warm")):
        walls = (spread([wall * records / ideal for wall in each("wall", mode, number)]) for mode in sizes)
        yield f"{records} of {kilobytes} KB, {threads} at once, {state}: wall ÷ ideal", *walls
        naive = each("cpu", "naive", number)
        ratios = (
            spread([cpu / of_naive for cpu, of_naive in zip(each("cpu", mode, number), naive, strict=True)])
            for mode in sizes
        )
        yield f"{records} of {kilobytes} KB, {threads} at once, {state}: CPU for each ÷ naive", *ratios


def calls_each(counts: dict[str, int], records: int) -> dict[str, float]:
    """Calls for each record; but the keys are read once a process, of ours by each thread that finds none yet."""
    return {name: count / records for name, count in counts.items() if name != "GetSecretValue"}


def growing() -> dict[str, list[tuple[float, float]]]:
    """Peaks of memory in MiB, against each that grows."""
    found: dict[str, list[tuple[float, float]]] = {"payload (KB)": [], "records": [], "threads": []}
    for size in (50, 499, 5000):
        with bench(size * 1000) as here:
            found["payload (KB)"].append((size, here.batches("ours", 32, 64, 1)[0]["peak"]))
    with bench(52_000) as here:
        for records in (64, 640):
            found["records"].append((records, here.batches("ours", 32, records, 1)[0]["peak"]))
        for threads in (8, 32, 48):
            found["threads"].append((threads, here.batches("ours", threads, 96, 1)[0]["peak"]))
    return found


def peaks() -> Iterator[Sequence[str]]:
    """Draws them, too."""
    found = growing()
    (ROOT / "docs/images/growth.svg").write_text(growth.drawn(found))
    by_size, by_records = dict(found["payload (KB)"]), dict(found["records"])
    yield "10 times the payload (499 KB, 5 MB)", f"{by_size[5000] / by_size[499]:.2f}"
    yield "10 times the records (64, 640)", f"{by_records[640] / by_records[64]:.2f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def commit() -> str:
    order = ["git", "log", "-1", "--format=%h"]
    run = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "no commit"


def _too_long(*_: object) -> NoReturn:
    raise TimeoutError(f"a table may take {A_TABLE_TAKES} s")


def part(heads: Sequence[str], rows: Callable[[], Iterator[Sequence[str]]]) -> tuple[str, bool]:
    """A table, told on the screen as soon as it is there, and whether it was measured."""
    began = time.monotonic()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(A_TABLE_TAKES)
    try:
        found, is_measured = table(heads, list(rows())), True
    except (AssertionError, OSError, subprocess.SubprocessError, queue.Empty) as mistake:
        traceback.print_exc()
        found, is_measured = f"Not measured in this run: {type(mistake).__name__}.", False
    finally:
        signal.alarm(0)
    print(f"\n{found}\n({time.monotonic() - began:.0f} s)", flush=True)
    return found, is_measured


def main() -> int:
    parser = argparse.ArgumentParser(prog="make benchmark", description=__doc__)
    parser.add_argument(
        "rounds", type=int, nargs="?", default=5, help="of each comparison, as `make benchmark ROUNDS=3`"
    )
    how_many = parser.parse_args().rounds
    batches = ["", "ours", "naive threads", "BatchProcessor"]
    parts = {
        "STARTS": part(
            ["CPU ÷ bare boto3", "ours", "Powertools", "FastAPI + Mangum", "bare boto3"], lambda: starts(how_many)
        ),
        "WALLS": part(batches, lambda: in_batches(how_many, 100, 50, 52)),
        "LARGE": part(batches, lambda: in_batches(how_many, 64, 32, 499)),
        "PEAKS": part(["peak of memory at", "times as much"], peaks),
        "CODEC": part(["", "CPU, ms", "bytes"], codec.rows),
    }
    page = (ROOT / "tests/benchmarks/performance.md").read_text()
    filled = {
        "DATE": date.today().isoformat(),  # noqa: DTZ011 - a day of the machine's
        "COMMIT": commit(),
        "LOAD": f"{os.getloadavg()[0]:.0f} processes wanted to run on its {os.cpu_count()} cores",
        "ROUNDS": str(how_many),
        "COST": table(["USD per million connections", "in batches of 100", "one by one"], list(cost.rows())),
        "BY_MEMORY": table(
            ["FetchMemory, MB", "USD per million, in batches of 100", "one by one", "seconds for a batch of 100"],
            list(cost.by_memory()),
        ),
    } | {name: found for name, (found, _) in parts.items()}
    for name, value in filled.items():
        page = page.replace(f"<{name}>", value)
    (ROOT / "docs/performance.md").write_text(page)
    print("docs/performance.md and docs/images/growth.svg are written.")
    missed = [name for name, (_, is_measured) in parts.items() if not is_measured]
    if missed:
        print(f"Not measured, see above: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
