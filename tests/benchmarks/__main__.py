"""`make benchmark`: what the service costs beside comparators of our own that make the same calls.

Everything is measured in one run, in turns, so that a busy machine slows all alike; what counts are the ratios within
a round, given as their median with the lowest and the highest. Times are CPU time of the process measured, unless
they say wall. A comparator that makes other calls than the service ends the run. Writes docs/performance.md, and
docs/images/growth.svg.
"""

import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from math import ceil
from pathlib import Path

import certifi

from tests.benchmarks import certificates, codec, cost, growth, start
from tests.processed_template import ROOT

FLINKS_TAKES = 0.3
CALLS_OF_FLINKS = 3
ROUNDS = int(os.environ.get("ROUNDS", "5"))


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
            [sys.executable, "-m", *order], env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=600
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


def starts() -> Iterator[tuple[str, str, str]]:
    rounds: list[dict[str, start.Measured]] = []
    with bench(1000) as here:
        for _ in range(ROUNDS):
            measured, calls = {}, {}
            for name in start.HANDLERS:
                measured[name] = start.measure(name, here.url, here.authorities)
                calls[name] = here.counts()
            assert len({json.dumps(each, sort_keys=True) for each in calls.values()}) == 1, calls
            rounds.append(measured)
    figures: dict[str, Callable[[start.Measured], float]] = {
        "init + first call ÷ bare boto3": lambda each: each.init + each.first,
        "init ÷ bare boto3": lambda each: each.init,
        "first call ÷ bare boto3": lambda each: each.first,
        "warm call ÷ bare boto3": lambda each: each.warm,
    }
    for figure, of in figures.items():
        ours, powertools = (
            spread([of(each[name]) / of(each["bare boto3"]) for each in rounds]) for name in ("ours", "Powertools")
        )
        yield figure, ours, powertools


def in_batches() -> Iterator[tuple[str, str, str]]:
    threads, connections = 32, 64
    ideal = ceil(connections / threads) * CALLS_OF_FLINKS * FLINKS_TAKES
    rounds: list[tuple[list[dict[str, float]], list[dict[str, float]]]] = []
    with bench(499_000) as here:
        for _ in range(ROUNDS):
            ours = here.batches("ours", threads, connections, 2)
            calls = here.counts()
            naive = here.batches("naive", threads, connections, 2)
            assert calls == here.counts()
            rounds.append((ours, naive))
    for number, state in enumerate(("fresh", "warm")):
        walls = [[each[mode][number]["wall"] / ideal for each in rounds] for mode in (0, 1)]
        yield f"batch of {connections}, {threads} at once, {state}: wall ÷ ideal", spread(walls[0]), spread(walls[1])
        ratio = spread([ours[number]["cpu"] / naive[number]["cpu"] for ours, naive in rounds])
        yield f"CPU per 499 KB record ÷ naive, {state}", ratio, "1"


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


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def commit() -> str:
    order = ["git", "log", "-1", "--format=%h"]
    run = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "no commit"


def main() -> None:
    compared = [*starts(), *in_batches()]
    print(table(["", "ours", "comparator"], compared), flush=True)
    peaks = growing()
    (ROOT / "docs/images/growth.svg").write_text(growth.drawn(peaks))
    by_size = dict(peaks["payload (KB)"])
    growth_by_size = by_size[5000] / by_size[499]
    compared.append(("peak of memory at 10 times the payload (499 KB, 5 MB)", f"{growth_by_size:.2f}", ""))
    by_records = dict(peaks["records"])
    compared.append(("peak of memory at 10 times the records", f"{by_records[640] / by_records[64]:.2f}", ""))
    page = (ROOT / "tests/benchmarks/performance.md").read_text()
    filled = {
        "DATE": date.today().isoformat(),  # noqa: DTZ011 - a day of the machine's
        "COMMIT": commit(),
        "LOAD": f"{os.getloadavg()[0]:.0f} processes wanted to run on its {os.cpu_count()} cores",
        "ROUNDS": str(ROUNDS),
        "COMPARED": table(["", "ours", "comparator"], compared),
        "CODEC": table(["", "CPU, ms", "bytes"], list(codec.rows())),
        "COST": table(["USD per million connections", "in batches of 100", "one by one"], list(cost.rows())),
        "BY_MEMORY": table(
            ["FetchMemory, MB", "USD per million, in batches of 100", "one by one", "seconds for a batch of 100"],
            list(cost.by_memory()),
        ),
    }
    for name, value in filled.items():
        page = page.replace(f"<{name}>", value)
    (ROOT / "docs/performance.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
