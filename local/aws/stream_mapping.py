"""Lambda's event source mapping of a DynamoDB stream, by AWS's written rules: pure, so that virtual time can drive it.

The rules are those of the Lambda developer guide ("Process DynamoDB records with Lambda", "Retain discarded records",
"Configuring partial batch response", "Using event filtering"). Where AWS says nothing, what loses or repeats
more is assumed: a retry that got further counts like any other, a partial response that makes no sense is a failure.
"""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

RETENTION_SECONDS = 24 * 60 * 60
READ_LIMIT = 1000  # GetRecords
PAYLOAD_BYTES = 6 * 1024 * 1024  # of an invocation
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.2, 10.0  # AWS backs off too, and does not say by how much

type Record = Mapping[str, Any]


class Source(Protocol):
    """One shard. Positions are sequence numbers: nothing is held between two reads, so nothing can go stale."""

    def after(self, sequence_number: str | None, limit: int) -> Sequence[Record]:
        """Up to `limit` records behind this one, oldest first; None begins at the trim horizon."""

    def latest(self) -> str | None:
        """The newest record's sequence number; None while the stream is empty."""


@dataclass(frozen=True)
class Answer:
    """What came of an invocation; `reached` is false when the function never saw the batch (throttled)."""

    payload: Any = None
    failed: bool = False
    reached: bool = True
    request_id: str = ""


@dataclass(frozen=True)
class MappingConfig:
    """A mapping as CreateEventSourceMapping takes it."""

    stream_arn: str
    function_arn: str
    starting_position: str = "TRIM_HORIZON"
    batch_size: int = 100
    window_seconds: float = 0
    parallelization: int = 1
    filters: tuple[Mapping[str, Any], ...] = ()
    reports_item_failures: bool = False
    bisects: bool = False
    retries: int = -1
    record_age_seconds: int = -1
    on_failure: str | None = None

    @classmethod
    def from_api(cls, mapping: Mapping[str, Any]) -> "MappingConfig":
        """From what GetEventSourceMapping says; absent means AWS's default."""
        destination = (mapping.get("DestinationConfig") or {}).get("OnFailure") or {}
        return cls(
            stream_arn=mapping["EventSourceArn"],
            function_arn=mapping["FunctionArn"],
            starting_position=mapping["StartingPosition"],
            batch_size=int(mapping.get("BatchSize") or 100),
            window_seconds=float(mapping.get("MaximumBatchingWindowInSeconds") or 0),
            parallelization=int(mapping.get("ParallelizationFactor") or 1),
            filters=tuple(
                json.loads(each["Pattern"]) for each in (mapping.get("FilterCriteria") or {}).get("Filters", [])
            ),
            reports_item_failures="ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ()),
            bisects=str(mapping.get("BisectBatchOnFunctionError", False)).lower() == "true",
            retries=int(mapping.get("MaximumRetryAttempts", -1)),
            record_age_seconds=int(mapping.get("MaximumRecordAgeInSeconds", -1)),
            on_failure=destination.get("Destination"),
        )


class StreamMapping:
    """One mapping over one shard. `step` does what is due now, `waits_until` says when a wait will be over.

    `invoke` takes the event. `on_failure` takes the record for the on-failure destination; it is called only if the
    mapping has one. `now` is the time in seconds since the epoch. `checkpoint` continues an earlier mapping.
    """

    def __init__(
        self,
        config: MappingConfig,
        source: Source,
        invoke: Callable[[dict[str, Any]], Answer],
        on_failure: Callable[[dict[str, Any]], None],
        now: Callable[[], float],
        checkpoint: str | None = None,
    ) -> None:
        if checkpoint is None and config.starting_position == "LATEST":
            checkpoint = source.latest()
        self.lanes = [
            Lane(config, number, source, invoke, on_failure, now, checkpoint)
            for number in range(config.parallelization)
        ]

    def step(self) -> bool:
        """One step of every lane; whether anything moved."""
        return any([lane.step() for lane in self.lanes])  # noqa: C419 - every lane steps

    @property
    def checkpoint(self) -> str | None:
        """Where a later mapping may continue: everything up to here is settled."""
        checkpoints = [lane.checkpoint for lane in self.lanes]
        return None if None in checkpoints else min(filter(None, checkpoints), key=int)

    @property
    def waits_until(self) -> float | None:
        """When the first of the lanes that wait (for a retry, or for their batching window) goes on."""
        return min((lane.waits_until for lane in self.lanes if lane.waits_until is not None), default=None)


@dataclass
class _Batch:
    records: Sequence[Record]
    covers: str  # once it is settled, the stream is settled up to here
    invocations: int = 0
    retries: int = 0
    answer: Answer = field(default_factory=Answer)


class Lane:
    """One of the mapping's concurrent batches: the records of some items, in order, one batch at a time."""

    def __init__(
        self,
        config: MappingConfig,
        number: int,
        source: Source,
        invoke: Callable[[dict[str, Any]], Answer],
        on_failure: Callable[[dict[str, Any]], None],
        now: Callable[[], float],
        checkpoint: str | None,
    ) -> None:
        self.checkpoint = checkpoint
        self.waits_until: float | None = None
        self._config, self._number, self._source = config, number, source
        self._invoke, self._on_failure, self._now = invoke, on_failure, now
        self._batches: list[_Batch] = []  # of what was read, in order; more than one after a split

    def step(self) -> bool:
        """Invoke the function at most once; whether anything moved."""
        if self._batches and self._is_waiting():
            return False
        if not self._batches and not self._gather():
            return False
        if self._batches:
            self._drop_expired()
        if self._batches:
            self._try(self._batches[0])
        return True

    def _is_waiting(self) -> bool:
        if self.waits_until is not None and self._now() < self.waits_until:
            return True
        self.waits_until = None
        return False

    def _gather(self) -> bool:
        """A batch ends at its size, at 6 MB, or with its window, which opens with its first record."""
        read = self._source.after(self.checkpoint, READ_LIMIT)
        wanted = [record for record in read if self._wants(record)]
        if not wanted:
            self.checkpoint = _sequence_number(read[-1]) if read else self.checkpoint
            return bool(read)
        batch = _up_to_payload_limit(wanted[: self._config.batch_size])
        if len(batch) == len(wanted) < self._config.batch_size and len(read) < READ_LIMIT:
            if self.waits_until is None:
                self.waits_until = self._now() + self._config.window_seconds
            if self._is_waiting():
                return False
        self.waits_until = None
        last = read[-1] if len(batch) == len(wanted) else batch[-1]
        self._batches = [_Batch(batch, _sequence_number(last))]
        return True

    def _wants(self, record: Record) -> bool:
        """Records of one item stay in one lane, so their order is kept; of the filters, one must match."""
        keys = json.dumps(record["dynamodb"]["Keys"], sort_keys=True)
        if zlib.crc32(keys.encode()) % self._config.parallelization != self._number:
            return False
        return not self._config.filters or any(matches(each, record) for each in self._config.filters)

    def _drop_expired(self) -> None:
        """Too old for the mapping: to the destination. Too old for the stream: gone without a word."""
        batch = self._batches[0]
        limit = self._config.record_age_seconds
        seconds = limit if 0 <= limit < RETENTION_SECONDS else RETENTION_SECONDS
        oldest = self._now() - seconds
        live = [r for r in batch.records if r["dynamodb"]["ApproximateCreationDateTime"] >= oldest]
        expired = batch.records[: len(batch.records) - len(live)]
        if expired and seconds == limit:
            self._report(batch, expired, "RecordAgeExceeded")
        if live:
            batch.records = live
        else:
            self._settle()

    def _try(self, batch: _Batch) -> None:
        batch.answer = self._invoke({"Records": list(batch.records)})
        if not batch.answer.reached:  # throttles and service errors do not use up retries
            self._wait(batch.invocations + 1)
            return
        batch.invocations += 1
        failed_from = self._first_failure(batch)
        if failed_from is None:
            self._settle()
        elif failed_from == 0 and batch.answer.failed and self._config.bisects and len(batch.records) > 1:
            self._split(batch)
        elif 0 <= self._config.retries <= batch.retries:
            self._advance(batch, failed_from)
            self._report(batch, batch.records, "RetryAttemptsExhausted")
            self._settle()
        else:
            self._advance(batch, failed_from)
            batch.retries += 1
            self._wait(batch.retries)

    def _first_failure(self, batch: _Batch) -> int | None:
        """The lowest failed record is the checkpoint: everything from there comes again, successes included."""
        if batch.answer.failed:
            return 0
        if not self._config.reports_item_failures:
            return None
        payload = {} if batch.answer.payload is None else batch.answer.payload
        try:
            identifiers = [failure["itemIdentifier"] for failure in payload.get("batchItemFailures") or []]
            positions = [_sequence_number(record) for record in batch.records]
            return min(map(positions.index, identifiers), default=None)
        except (AttributeError, KeyError, TypeError, ValueError):
            return 0  # an empty, null, unknown or badly named identifier: the whole batch failed

    def _advance(self, batch: _Batch, failed_from: int) -> None:
        if failed_from:
            self.checkpoint = _sequence_number(batch.records[failed_from - 1])
            batch.records = batch.records[failed_from:]

    def _split(self, batch: _Batch) -> None:
        """Splitting a batch does not count towards the retry quota."""
        middle = len(batch.records) // 2
        first, second = batch.records[:middle], batch.records[middle:]
        self._batches[:1] = [
            _Batch(first, _sequence_number(first[-1]), batch.invocations, batch.retries),
            _Batch(second, batch.covers, batch.invocations, batch.retries),
        ]
        self._wait(batch.invocations)

    def _settle(self) -> None:
        self.checkpoint = self._batches.pop(0).covers

    def _wait(self, tries: int) -> None:
        self.waits_until = self._now() + min(FIRST_RETRY_SECONDS * 2.0 ** min(tries - 1, 10), LONGEST_RETRY_SECONDS)

    def _report(self, batch: _Batch, records: Sequence[Record], condition: str) -> None:
        """SQS and SNS destinations get where the records are, not the records."""
        if not self._config.on_failure:
            return
        response: dict[str, Any] = {"statusCode": 200, "executedVersion": "$LATEST"}
        if batch.answer.failed:
            response["functionError"] = "Unhandled"
        first, last = records[0]["dynamodb"], records[-1]["dynamodb"]
        self._on_failure(
            {
                "requestContext": {
                    "requestId": batch.answer.request_id,
                    "functionArn": self._config.function_arn,
                    "condition": condition,
                    "approximateInvokeCount": batch.invocations,
                },
                **({"responseContext": response} if batch.invocations else {}),
                "version": "1.0",
                "timestamp": _timestamp(self._now()),
                "DDBStreamBatchInfo": {
                    "shardId": "shardId-00000000000000000000-00000000",
                    "startSequenceNumber": first["SequenceNumber"],
                    "endSequenceNumber": last["SequenceNumber"],
                    "approximateArrivalOfFirstRecord": _timestamp(first["ApproximateCreationDateTime"]),
                    "approximateArrivalOfLastRecord": _timestamp(last["ApproximateCreationDateTime"]),
                    "batchSize": len(records),
                    "streamArn": self._config.stream_arn,
                },
            }
        )


def matches(pattern: Mapping[str, Any], value: Any) -> bool:
    """An event filter pattern: every key must match, by one of its rules. Of AWS's rules, equality and `exists`."""
    return isinstance(value, Mapping) and all(
        matches(wanted, value.get(key))
        if isinstance(wanted, Mapping)
        else any(_rule_matches(rule, value, key) for rule in wanted)
        for key, wanted in pattern.items()
    )


def _rule_matches(rule: Any, holder: Mapping[str, Any], key: str) -> bool:
    value = holder.get(key)
    match rule:
        case {"exists": wanted}:  # of leaves alone
            return (key in holder and not isinstance(value, Mapping)) is wanted
        case Mapping():
            raise ValueError(f"a rule of event filters that is not modelled: {', '.join(rule)}")
    return key in holder and value == rule and type(value) is type(rule)


def _up_to_payload_limit(records: Sequence[Record]) -> Sequence[Record]:
    size = 0
    for count, record in enumerate(records):
        size += len(json.dumps(record))
        if size > PAYLOAD_BYTES and count:
            return records[:count]
    return records


def _sequence_number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
