"""What a million connections cost: prices in one dated table, calls as the tests count them."""

from collections.abc import Iterator
from dataclasses import dataclass

PRICES_OF = "2026-11"
# USD in us-east-1, each for one. See docs/performance.md for the sources.
GB_SECOND = 0.0000133334  # arm64
INVOCATION = 0.20e-6
API_CALL = 1.00e-6
WRITE, READ = 0.625e-6, 0.125e-6
KMS_CALL = 3.0e-6
PUT = 5.0e-6
EVENT = 1.0e-6
MESSAGE = 0.4e-6


PROCESSOR = 1769  # MB of memory that come with one whole processor
OF_ONE_RECORD = 0.03  # seconds of a processor for a connection with 499 KB of data, its calls and their TLS included
MEMORY = 768  # MB: the template's default of FetchMemory


@dataclass(frozen=True)
class Way:
    """How many connections share one invocation of `fetch_accounts`, and how long it waits for Flinks and AWS."""

    together: int
    waiting: float

    def seconds(self, memory: int) -> float:
        return self.waiting + self.together * OF_ONE_RECORD * PROCESSOR / memory


BATCHED, ONE_BY_ONE = Way(100, 4.0), Way(1, 1.0)
POLL = 0.4  # seconds of waiting

# A POST, one 202 and the poll after it, a drop, an announcement: as `tests/unit/test_calls_per_connection.py` counts
# them in the virtual world, the writes with their indexes.
KMS_CALLS = 6  # mac and seal; open the login; seal the request; open request and login when polled
WRITES = (4, 3, 3, 3, 3, 2)  # POST, claim, pending, claim, ready, announced
COUNTS = 1  # of the owner's hour, in the table of counters
READS, PUTS, MESSAGES, EVENTS = 2, 1, 1, 1
OF_A_MESSAGE = 3  # calls of SQS for each: send, receive, delete


def rows() -> Iterator[tuple[str, str, str]]:
    both = 2
    lines: list[tuple[str, list[float]]] = [
        ("API Gateway and receive_login", [(API_CALL + INVOCATION + 0.03 * 0.5 * GB_SECOND) * 1e6] * both),
        ("KMS", [KMS_CALL * KMS_CALLS * 1e6] * both),
        ("DynamoDB", [(WRITE * (sum(WRITES) + COUNTS) + READ * READS) * 1e6] * both),
        ("S3", [PUT * PUTS * 1e6] * both),
        ("fetch_accounts", [fetching(BATCHED), fetching(ONE_BY_ONE)]),
        ("queue and bus", [(MESSAGE * MESSAGES * OF_A_MESSAGE + EVENT * EVENTS) * 1e6] * both),
        ("publish_events", [(INVOCATION + 0.05 * 0.5 * GB_SECOND) * 1e6 / 10] * both),
    ]
    for name, (batched, one_by_one) in lines:
        yield name, f"{batched:.2f}", f"{one_by_one:.2f}"
    batched, one_by_one = (sum(line[1][column] for line in lines) for column in range(both))
    yield "**in all**", f"**{batched:.2f}**", f"**{one_by_one:.2f}**"


def fetching(way: Way, memory: int = MEMORY) -> float:
    """USD per million. The second claim comes from the queue, in batches of 10 at the most."""
    polled = Way(min(way.together, 10), POLL)
    invocations = 1 / way.together + 1 / polled.together
    billed = (way.seconds(memory) / way.together + polled.seconds(memory) / polled.together) * memory / 1024
    return (INVOCATION * invocations + billed * GB_SECOND) * 1e6


def by_memory() -> Iterator[tuple[str, str, str, str]]:
    """What `FetchMemory` buys."""
    for memory in (512, MEMORY, 1024, PROCESSOR):
        seconds = f"{BATCHED.seconds(memory):.1f}"
        yield str(memory), f"{fetching(BATCHED, memory):.2f}", f"{fetching(ONE_BY_ONE, memory):.2f}", seconds
