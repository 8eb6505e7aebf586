"""The small virtual world: one clock, an AWS in memory behind boto3 clients, and what delivers its events.

Nothing is concurrent and nothing waits: the same seed and test give the same calls in the same order.
"""

from base64 import b64encode
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json import dumps, loads
from random import Random
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, cast

from botocore.exceptions import ParamValidationError, ReadTimeoutError

from local.aws import lineage
from local.aws.stream_mapping import Answer as LambdaAnswer
from local.aws.stream_mapping import MappingConfig, StreamMapping
from tests.world.bus import Buses, Secrets
from tests.world.clock import START, VirtualClock
from tests.world.keys import Keys
from tests.world.objects import Objects
from tests.world.queues import Message, Queue, Queues, as_record
from tests.world.table import Table, Tables
from tests.world.wire import Answer, AwsError, Parameters, connect

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

type Handler = Callable[[Any], Any]
type When = Literal["before", "after_effect"]

TIMEOUT = "Timeout"  # a code for `fail`: botocore gives up waiting for the answer
STATUS = {
    "ConditionalRequestConflict": 409,
    "InternalError": 500,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
}
SPINNING = 2000  # deliveries without a moment between them
OWN_MISTAKES = (AssertionError, NotImplementedError, ParamValidationError)  # never a fault of the platform


class WorkerDied(BaseException):
    """The worker is gone between two instructions: no handler, no `except Exception`, no clean-up runs."""


@dataclass(frozen=True)
class Call:
    """One call of the code under test, numbered from 1."""

    number: int
    service: str
    operation: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Invocation:
    at: datetime
    handler: Handler
    event: Any
    response: Any = None
    error: BaseException | None = None


class World:
    """Clients: `dynamodb`, `sqs`, `s3`, `kms`, `events`, `secretsmanager`.
    State: `tables`, `queues`, `buckets`, `keys`, `announced`. History: `calls`, `invocations`.
    """

    def __init__(self, seed: int = 0, start: datetime = START) -> None:
        self.clock = VirtualClock(start)
        self.random = Random(seed)  # noqa: S311 - chooses an order, keeps no secret
        self.calls: list[Call] = []
        self.invocations: list[Invocation] = []
        self.flinks: Any = None  # the bank's simulator, when a test plugs one in
        self._lock = RLock()
        self._invoking = self._dead = False
        self._at_once = 0  # deliveries since the clock last moved
        self._stepped_at = start
        self._trace = ""  # of the invocation under way
        self._on_its_way: Callable[[], Any] = lambda: None
        self._faults: dict[tuple[str, str], deque[tuple[str, bool]]] = {}
        self._entry_faults: dict[tuple[str, str], deque[str]] = {}
        self._late: dict[tuple[str, str], deque[float]] = {}
        self._interrupts: dict[tuple[int, str], Callable[[], None]] = {}
        self._unanswered: set[int] = set()

        tables = Tables(self.clock)
        self._sources: list[_Source] = [_Expiry(self, timedelta(hours=1), lambda _: None, start, tables=tables)]
        sqs = Queues(self.clock, self.random, lambda: self._trace)
        s3 = Objects(self.clock, self._entry_fault)
        kms = Keys()
        bus = Buses(self._entry_fault)
        self._backends: dict[str, Any] = {
            "dynamodb": tables,
            "sqs": sqs,
            "s3": s3,
            "kms": kms,
            "events": bus,
            "secretsmanager": (secrets := Secrets(self.clock)),
        }
        self.tables, self.queues, self.buckets = tables.tables, sqs.queues, s3.buckets
        self.keys, self.announced, self.secrets = kms.keys, bus.events, secrets
        self.dynamodb: DynamoDBClient = connect("dynamodb", self._send)
        self.sqs: SQSClient = connect("sqs", self._send)
        self.s3: S3Client = connect("s3", self._send)
        self.kms: KMSClient = connect("kms", self._send)
        self.events: EventBridgeClient = connect("events", self._send)
        self.secretsmanager: SecretsManagerClient = connect("secretsmanager", self._send)

    def client(self, service: str, **_: Any) -> Any:
        """In place of `aws_clients.client`."""
        return getattr(self, service)

    # Calls and faults

    def call[T](self, service: str, operation: str, parameters: dict[str, Any], effect: Callable[[], T]) -> T:
        """One call of the code under test to something outside: numbered, and the place for faults and deaths.

        The clients come through here by themselves; a stand-in for another service (Flinks) is to do so too.
        """
        with self._lock:
            if self._dead:
                raise WorkerDied("its other threads went with it")
            call = Call(len(self.calls) + 1, service, operation, parameters)
            self.calls.append(call)
            self._on_its_way = effect
            self._interrupt(call, "before")
            if (lands_after := self._take(self._late, call)) is not None:
                self._sources.append(_Landing(self, effect, self.clock.now() + timedelta(seconds=lands_after)))
                raise ReadTimeoutError(endpoint_url=f"https://{service}.world")
            code, takes_effect = self._take(self._faults, call) or ("", True)
            if call.number in self._unanswered:
                code, takes_effect = TIMEOUT, True
            answer = self._answer(effect) if takes_effect else None
            self._interrupt(call, "after_effect")
            if code == TIMEOUT:
                raise ReadTimeoutError(endpoint_url=f"https://{service}.world")
            if code:
                raise AwsError(code, "on demand", STATUS.get(code, 400))
            if isinstance(answer, AwsError):
                raise answer
            return cast("T", answer)

    def _send(self, service: str, operation: str, parameters: Parameters) -> Answer:
        perform = getattr(self._backends[service], operation, None)
        if perform is None:
            raise NotImplementedError(f"the world does not model {service} {operation}")
        answer: Answer = self.call(service, operation, dict(parameters), lambda: perform(parameters))
        return answer

    @staticmethod
    def _answer[T](effect: Callable[[], T]) -> T | AwsError:
        try:
            return effect()
        except AwsError as refusal:
            return refusal

    def _interrupt(self, call: Call, when: When) -> None:
        if action := self._interrupts.pop((call.number, when), None):
            action()

    @staticmethod
    def _take[T](faults: dict[tuple[str, str], deque[T]], call: Call) -> T | None:
        waiting = faults.get((call.service, call.operation))
        return waiting.popleft() if waiting else None

    def _entry_fault(self, service: str, operation: str) -> str | None:
        waiting = self._entry_faults.get((service, operation))
        return waiting.popleft() if waiting else None

    def fail(self, service: str, operation: str, code: str, times: int = 1, *, effect: bool = False) -> None:
        """The next `times` calls are answered with `code`; with `effect`, after having been carried out."""
        self._faults.setdefault((service, operation), deque()).extend([(code, effect)] * times)

    def calm(self) -> None:
        """No fault and no death that was ordered and has not come comes any more; what is on its way still lands."""
        for ordered in (self._faults, self._entry_faults, self._late, self._interrupts, self._unanswered):
            ordered.clear()

    def answer_never(self, service: str, operation: str, lands_after: float) -> None:
        """The next such call times out at once, and is carried out `lands_after` seconds later all the same."""
        self._late.setdefault((service, operation), deque()).append(lands_after)

    def fail_entries(self, service: str, operation: str, code: str, times: int = 1) -> None:
        """The next `times` entries of a batch are answered with `code`; the others are carried out."""
        self._entry_faults.setdefault((service, operation), deque()).extend([code] * times)

    def interrupt(self, number: int, when: When, action: Callable[[], None]) -> None:
        """Do `action` in the middle of call `number`: a second worker, a moved clock, a death."""
        self._interrupts[number, when] = action

    def leave_unanswered(self, number: int) -> None:
        """Call `number` is carried out, and its answer never comes: its sender lives, and gives up waiting."""
        self._unanswered.add(number)

    def crash_at(self, number: int, when: When | Literal["late"], lands_after: float = 60) -> None:
        """The worker dies at call `number`: before it, after its effect, or with the request still on its
        way (`late`), which then lands `lands_after` seconds later.
        """

        def die() -> None:
            if when == "late":
                lands = self.clock.now() + timedelta(seconds=lands_after)
                self._sources.append(_Landing(self, self._on_its_way, lands))
            self._dead = self._invoking
            raise WorkerDied(f"at call {number}")

        self.interrupt(number, "after_effect" if when == "after_effect" else "before", die)

    def counts(self) -> Counter[str]:
        """How many calls of each kind there were, as `service.operation`."""
        return Counter(f"{call.service}.{call.operation}" for call in self.calls)

    # Deliveries

    def on_queue(
        self, queue: str, handler: Handler, batch_size: int = 10, recursive_loop: str = "Terminate"
    ) -> "QueueMapping":
        """Attach a handler; `recursive_loop` is the property of its function."""
        mapping = QueueMapping(self, self.queues[queue], handler, batch_size, recursive_loop == "Allow")
        self._sources.append(mapping)
        return mapping

    def on_stream(self, table: str, handler: Handler, **mapping: Any) -> "StreamDelivery":
        """Attach a handler as CreateEventSourceMapping takes it: `BatchSize`, `FilterCriteria` and so on."""
        delivery = StreamDelivery(self, self.tables[table], handler, mapping)
        self._sources.append(delivery)
        return delivery

    def every(self, seconds: float, handler: Handler) -> "Schedule":
        schedule = Schedule(self, timedelta(seconds=seconds), handler, self.clock.now())
        self._sources.append(schedule)
        return schedule

    def attach(self, source: "_Source") -> None:
        """Let something else become due."""
        self._sources.append(source)

    def invoke(self, handler: Handler, event: Any, trace: str = "") -> Invocation:
        """Run a handler as Lambda does: JSON in, JSON out, and its death or exception is only an outcome.

        What it sends is marked with `trace`, the invocation's tracing header.
        """
        at, event = self.clock.now(), loads(dumps(event, default=_in_json))
        outer = self._invoking, self._dead, self._trace
        self._invoking, self._dead, self._trace = True, False, trace
        try:
            invocation = Invocation(at, handler, event, response=loads(dumps(handler(event))))
        except OWN_MISTAKES:
            raise
        except (Exception, WorkerDied) as error:  # noqa: BLE001 - Lambda reports whatever was raised
            invocation = Invocation(at, handler, event, error=error)
        finally:
            self._invoking, self._dead, self._trace = outer
        self.invocations.append(invocation)
        return invocation

    def step(self, until: datetime | None = None) -> bool:
        """Do the earliest thing that is due, moving the clock to it; False when nothing is due by `until`."""
        due = [(moment, n) for n, s in enumerate(self._sources) if (moment := s.next_due()) is not None]
        if not due or (until and min(due)[0] > until):
            return False
        moment, number = min(due)
        now = max(moment, self.clock.now())
        self._at_once = self._at_once + 1 if now == self._stepped_at else 0
        self._stepped_at = now
        assert self._at_once < SPINNING, "it spins: something is due again and again at one moment"
        self.clock.advance_to(moment)
        self._sources[number].deliver()
        self._sources = [source for source in self._sources if not source.over]
        return True

    def run(self, until: datetime | timedelta) -> None:
        """Deliver everything due until then; afterwards the clock is there."""
        until = until if isinstance(until, datetime) else self.clock.now() + until
        while self.step(until):
            pass
        self.clock.advance_to(until)

    def settle(self, done: Callable[[], bool] = lambda: True, within: timedelta = timedelta(days=2)) -> None:
        """Deliver until none is outstanding (schedules apart) and `done()`; fail when `within` passes."""
        until = self.clock.now() + within
        while not done() or any(s.next_due() is not None for s in self._sources if not isinstance(s, Schedule)):
            assert self.step(until), f"not settled {within} later"


@dataclass
class _Source:
    """Something that becomes due: the driver asks when, and lets it happen."""

    world: World
    over: bool = field(default=False, init=False)

    def next_due(self) -> datetime | None:
        raise NotImplementedError

    def deliver(self) -> None:
        raise NotImplementedError


@dataclass
class _Landing(_Source):
    """A request whose sender died before it arrived."""

    effect: Callable[[], Any]
    due: datetime

    def next_due(self) -> datetime | None:
        return self.due

    def deliver(self) -> None:
        self.over = True
        with suppress(AwsError):  # nobody hears the answer
            self.effect()


@dataclass
class QueueMapping(_Source):
    """SQS event source mapping with ReportBatchItemFailures: what is not reported as failed is deleted.

    A chain of messages that comes round too often is ended, unless the function `may_loop` (`local.aws.lineage`).
    """

    queue: Queue
    handler: Handler
    batch_size: int
    may_loop: bool
    enabled: bool = True

    def next_due(self) -> datetime | None:
        return self.queue.next_due() if self.enabled else None

    def deliver(self) -> None:
        messages = self._not_endless(self.queue.receive(self.batch_size))
        if not messages:
            return
        event = {"Records": [as_record(self.queue, message) for message in messages]}
        trace = lineage.onward(lineage.traces_of(event), self.queue.name)
        failed = self._failed(self.world.invoke(self.handler, event, trace), {message.id for message in messages})
        for message in messages:
            if message.id not in failed:
                self.queue.delete(message.receipt)

    def _not_endless(self, messages: list[Message]) -> list[Message]:
        endless = [m for m in messages if not self.may_loop and lineage.is_endless(m.trace, self.queue.name)]
        for message in endless:
            self.queue.give_up(message)
        return [message for message in messages if message not in endless]

    @staticmethod
    def _failed(invocation: Invocation, batch: set[str]) -> set[str]:
        if invocation.error:
            return batch
        failed = {f.get("itemIdentifier") for f in (invocation.response or {}).get("batchItemFailures") or []}
        return batch if failed - batch else failed  # an unknown or empty id fails the whole batch


class StreamDelivery(_Source):
    """DynamoDB stream event source mapping: the local stack's own core, one for each shard, in virtual time."""

    A_MOMENT = timedelta(microseconds=1)
    """A float may have been rounded down."""

    def __init__(self, world: World, table: Table, handler: Handler, mapping: dict[str, Any]) -> None:
        super().__init__(world)
        self.enabled = True
        self._handler = handler
        named = {"EventSourceArn": table.stream_arn, "FunctionArn": "handler", "StartingPosition": "TRIM_HORIZON"}
        config = MappingConfig.from_api({**named, **mapping})
        self._shards = [_Shard(table, number) for number in range(len(table.shards))]
        self._mappings = [
            StreamMapping(config, shard, self._invoke, self._send_failure, lambda: world.clock.now().timestamp())
            for shard in self._shards
        ]
        self._failures = config.on_failure

    def next_due(self) -> datetime | None:
        if not self.enabled:
            return None
        lanes = [(lane, shard) for m, shard in zip(self._mappings, self._shards, strict=True) for lane in m.lanes]
        waits = [lane.waits_until for lane, _ in lanes if lane.waits_until is not None]
        if any(lane.waits_until is None and shard.has_more(lane.checkpoint) for lane, shard in lanes):
            return self.world.clock.now()
        return datetime.fromtimestamp(min(waits), UTC) + self.A_MOMENT if waits else None

    def deliver(self) -> None:
        for mapping in self._mappings:
            mapping.step()

    def _invoke(self, event: dict[str, Any]) -> LambdaAnswer:
        invocation = self.world.invoke(self._handler, event)
        return LambdaAnswer(invocation.response, failed=invocation.error is not None)

    def _send_failure(self, record: dict[str, Any]) -> None:
        self.world.queues[str(self._failures).rsplit(":", 1)[-1]].send(dumps(record))


class _Shard:
    """A shard as the mapping reads it: records as they will stand in the event."""

    def __init__(self, table: Table, number: int) -> None:
        self._table, self._number = table, number
        self._texts: dict[str, str] = {}  # a record never changes, and is read many times

    def has_more(self, sequence_number: str | None) -> bool:
        held = self._table.shard(self._number)
        return bool(held) and _sequence_number(held[-1]) > (sequence_number or "")

    def after(self, sequence_number: str | None, limit: int) -> list[dict[str, Any]]:
        held = self._table.shard(self._number)
        first = bisect_right(held, sequence_number or "", key=_sequence_number)
        return [self._told(record) for record in held[first : first + limit]]

    def latest(self) -> str | None:
        held = self._table.shard(self._number)
        return _sequence_number(held[-1]) if held else None

    def _told(self, record: dict[str, Any]) -> dict[str, Any]:
        if (text := self._texts.get(number := _sequence_number(record))) is None:
            text = self._texts[number] = dumps(record, default=_in_json)
        told: dict[str, Any] = loads(text)
        return {**told, "eventSourceARN": self._table.stream_arn}


def _sequence_number(record: dict[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


@dataclass
class Schedule(_Source):
    """EventBridge's rate(...): one tick a period, the first a period from now."""

    period: timedelta
    handler: Handler
    last: datetime
    enabled: bool = True

    def next_due(self) -> datetime | None:
        return self.last + self.period if self.enabled else None

    def deliver(self) -> None:
        self.last += self.period
        event = {"source": "aws.events", "detail-type": "Scheduled Event", "time": self.last.isoformat()}
        self.world.invoke(self.handler, event)


@dataclass
class _Expiry(Schedule):
    """AWS's own background deletion by TTL."""

    tables: Tables = field(kw_only=True)

    def deliver(self) -> None:
        self.last += self.period
        for table in self.tables.tables.values():
            table.expire()


def _in_json(value: Any) -> Any:
    """Bytes and times as Lambda writes them into an event."""
    return b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()
