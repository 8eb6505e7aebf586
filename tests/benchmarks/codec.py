"""What it takes to read, cut and pack one answer of 499 KB, in turns with other ways."""

import gzip
import json
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from isal import isal_zlib

from landing.flinks import account_data
from landing.flinks.answer import received
from tests.benchmarks.stub import LOGIN_ID
from tests.benchmarks.stub import account_data as answer_of

ABOUT = account_data.About("con_aaaaaaaaaaaaaaaaaaaaaaaaaa", 1, "user-8841", None, datetime(2026, 3, 2, tzinfo=UTC))


def rows() -> Iterator[tuple[str, str, str]]:
    content = answer_of(499_000)
    ways: dict[str, Callable[[], bytes]] = {
        "ours: read, check, cut, compress": lambda: account_data.read(received(content), LOGIN_ID, ABOUT).compressed,
        "json.loads, json.dumps, gzip -9 (Python's default)": lambda: gzip.compress(
            json.dumps(json.loads(content)).encode()
        ),
        "gzip -6 alone": lambda: gzip.compress(content, 6),
        "ISA-L 1 alone": lambda: isal_zlib.compress(content, 1, 31),
        "ISA-L 3 alone": lambda: isal_zlib.compress(content, 3, 31),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    sizes = {}
    for _ in range(15):
        for name, way in ways.items():
            started = time.thread_time()
            sizes[name] = len(way())
            took[name].append((time.thread_time() - started) * 1000)
    for name, times in took.items():
        yield name, f"{statistics.median(times):.1f} [{min(times):.1f} to {max(times):.1f}]", f"{sizes[name]:,}"
