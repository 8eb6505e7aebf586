"""AWS's written rules for mapping a DynamoDB stream to a function, one test per rule, in virtual time."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from local.aws.stream_mapping import Answer, MappingConfig, Record, StreamMapping, matches

STREAM = "arn:aws:dynamodb:ca-central-1:123456789012:table/bank/stream/2026-01-01T00:00:00.000"
FUNCTION = "arn:aws:lambda:ca-central-1:123456789012:function:fetch"
QUEUE = "arn:aws:sqs:ca-central-1:123456789012:failures"
DAY = 24 * 60 * 60
DONE = Answer({"batchItemFailures": []})
CRASH = Answer({"errorType": "ValueError"}, failed=True)
THROTTLED = Answer(failed=True, reached=False)

type Function = Callable[[list[str]], Answer]


class Shard:
    """Records in order, as the stream holds them."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def after(self, sequence_number: str | None, limit: int) -> Sequence[Record]:
        start = 0 if sequence_number is None else int(sequence_number)
        return [record for record in self.records if int(record["dynamodb"]["SequenceNumber"]) > start][:limit]

    def latest(self) -> str | None:
        return str(self.records[-1]["dynamodb"]["SequenceNumber"]) if self.records else None


class World:
    """A shard, a function and a clock. A record is known by its sequence number: "1", "2", ..."""

    def __init__(self, function: Function = lambda _: DONE, **config: Any) -> None:
        self.now = 1_800_000_000.0
        self.shard = Shard()
        self.function = function
        self.config = MappingConfig(STREAM, FUNCTION, on_failure=QUEUE, **config)
        self.deliveries: list[list[str]] = []
        self.times: list[float] = []
        self.failures: list[dict[str, Any]] = []
        self.mapping: StreamMapping | None = None

    def write(self, *items: str, status: str = "received") -> None:
        for item in items:
            number = str(len(self.shard.records) + 1)
            image = {"id": {"S": item}, "status": {"S": status}}
            change = {"ApproximateCreationDateTime": self.now, "Keys": {"id": {"S": item}}, "NewImage": image}
            self.shard.records.append({"eventName": "INSERT", "dynamodb": {**change, "SequenceNumber": number}})

    def create(self, checkpoint: str | None = None) -> StreamMapping:
        self.mapping = StreamMapping(
            self.config, self.shard, self._invoke, self.failures.append, lambda: self.now, checkpoint
        )
        return self.mapping

    def run(self, seconds: float = 60) -> str | None:
        """Let the mapping work until `seconds` have passed; where a later one may continue."""
        mapping = self.mapping or self.create()
        until = self.now + seconds
        while self.now < until:
            while mapping.step():
                pass
            self.now = min(until, mapping.waits_until or until)
        return mapping.checkpoint

    def _invoke(self, event: dict[str, Any]) -> Answer:
        batch = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
        self.deliveries.append(batch)
        self.times.append(self.now)
        return self.function(batch)


def failing(*numbers: str) -> Function:
    """A function that reports these records as failed."""
    return lambda batch: Answer({"batchItemFailures": [{"itemIdentifier": n} for n in batch if n in numbers]})


def crashing_on(number: str) -> Function:
    return lambda batch: CRASH if number in batch else DONE


def test_trim_horizon_delivers_what_was_written_before_the_mapping() -> None:
    world = World(starting_position="TRIM_HORIZON")
    world.write("a", "b")

    world.run()

    assert world.deliveries == [["1", "2"]]


def test_latest_delivers_only_what_was_written_after_the_mapping() -> None:
    world = World(starting_position="LATEST")
    world.write("a")
    world.create()
    world.write("b")

    world.run()

    assert world.deliveries == [["2"]]


def test_a_batch_ends_at_its_size() -> None:
    world = World(batch_size=2)
    world.write("a", "b", "c")

    world.run()

    assert world.deliveries == [["1", "2"], ["3"]]


def test_a_batch_ends_at_six_megabytes() -> None:
    world = World()
    world.write(*(letter * 2_500_000 for letter in "abc"))

    world.run()

    assert world.deliveries == [["1"], ["2"], ["3"]]


def test_a_batch_waits_for_its_window() -> None:
    world = World(window_seconds=5)
    world.write("a")
    world.run(seconds=4)
    world.write("b")

    world.run(seconds=2)

    assert world.deliveries == [["1", "2"]]


def test_a_full_batch_does_not_wait_for_its_window() -> None:
    world = World(window_seconds=5, batch_size=2)
    world.write("a", "b")

    world.run(seconds=1)

    assert world.deliveries == [["1", "2"]]


def test_records_that_no_filter_matches_are_not_delivered_and_not_read_again() -> None:
    received = {"dynamodb": {"NewImage": {"status": {"S": ["received"]}}}}
    world = World(filters=(received,))
    world.write("a", status="ready")
    world.write("b")
    world.write("c", status="ready")

    world.run()

    assert world.deliveries == [["2"]]


def test_a_shard_of_records_that_no_filter_matches_is_settled() -> None:
    world = World(filters=({"eventName": ["REMOVE"]},))
    world.write("a", "b")

    checkpoint = world.run()

    assert checkpoint == "2"


def test_one_matching_filter_is_enough() -> None:
    world = World(filters=({"eventName": ["REMOVE"]}, {"eventName": ["INSERT"]}))
    world.write("a")

    world.run()

    assert world.deliveries == [["1"]]


def test_parallel_batches_hold_different_items_and_keep_each_items_order() -> None:
    world = World(parallelization=4, batch_size=1)
    world.write(*"abcdefgh" * 3)

    world.run()

    numbers = [int(batch[0]) for batch in world.deliveries]
    assert sorted(numbers) == list(range(1, 25))
    assert numbers != sorted(numbers)
    for item in range(8):
        of_item = [n for n in numbers if (n - 1) % 8 == item]
        assert of_item == sorted(of_item)


def test_a_blocked_item_does_not_block_those_of_other_parallel_batches() -> None:
    world = World(crashing_on("1"), parallelization=4, batch_size=1)
    world.write(*"abcdefgh")

    world.run(seconds=1)

    assert len({batch[0] for batch in world.deliveries}) > 1


def test_the_lowest_failed_record_is_the_checkpoint_and_everything_from_there_comes_again() -> None:
    world = World(failing("2"), reports_item_failures=True, retries=1)
    world.write("a", "b", "c")

    world.run()

    assert world.deliveries == [["1", "2", "3"], ["2", "3"]]


@pytest.mark.parametrize("payload", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_an_empty_list_of_failures_is_success(payload: Any) -> None:
    world = World(lambda _: Answer(payload), reports_item_failures=True)
    world.write("a")

    world.run()

    assert world.deliveries == [["1"]]


@pytest.mark.parametrize(
    "failure",
    [{"itemIdentifier": ""}, {"itemIdentifier": None}, {"identifier": "2"}, {"itemIdentifier": "unknown"}, "2"],
)
def test_an_identifier_that_makes_no_sense_fails_the_whole_batch(failure: Any) -> None:
    world = World(lambda _: Answer({"batchItemFailures": [failure]}), reports_item_failures=True, retries=1)
    world.write("a", "b")

    world.run()

    assert world.deliveries == [["1", "2"], ["1", "2"]]


def test_without_report_batch_item_failures_a_list_of_failures_means_nothing() -> None:
    world = World(failing("1"))
    world.write("a")

    world.run()

    assert world.deliveries == [["1"]]


def test_a_function_error_splits_the_batch_until_the_bad_record_is_alone() -> None:
    world = World(crashing_on("3"), bisects=True, retries=0)
    world.write("a", "b", "c", "d")

    world.run()

    assert world.deliveries == [["1", "2", "3", "4"], ["1", "2"], ["3", "4"], ["3"], ["4"]]
    assert world.failures[0]["DDBStreamBatchInfo"]["startSequenceNumber"] == "3"
    assert world.failures[0]["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_split_does_not_count_towards_the_retries() -> None:
    world = World(crashing_on("1"), bisects=True, retries=2)
    world.write("a", "b")

    world.run()

    assert world.deliveries == [["1", "2"], ["1"], ["1"], ["1"], ["2"]]


def test_without_bisection_the_whole_batch_is_retried_and_given_up() -> None:
    world = World(crashing_on("1"), retries=2)
    world.write("a", "b")

    world.run()

    assert world.deliveries == [["1", "2"]] * 3
    assert world.failures[0]["DDBStreamBatchInfo"]["batchSize"] == 2


def test_retries_are_spaced_further_and_further_apart() -> None:
    world = World(crashing_on("1"), retries=3)
    world.write("a")

    world.run()

    pauses = [after - before for before, after in zip(world.times, world.times[1:], strict=False)]
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1]


def test_a_failing_batch_blocks_its_shard_until_it_is_given_up() -> None:
    world = World(crashing_on("1"), batch_size=1, retries=2)
    world.write("a", "b")

    world.run()

    assert world.deliveries == [["1"], ["1"], ["1"], ["2"]]


def test_throttles_do_not_use_up_retries() -> None:
    answers = iter([THROTTLED, THROTTLED, THROTTLED, DONE])
    world = World(lambda _: next(answers), retries=0)
    world.write("a")

    world.run()

    assert len(world.deliveries) == 4
    assert world.failures == []


def test_a_retry_that_got_further_counts_too() -> None:
    world = World(failing("1", "2", "3"), reports_item_failures=True, retries=1)
    world.function = lambda batch: failing(batch[-1])(batch)
    world.write("a", "b", "c")

    world.run()

    assert world.deliveries == [["1", "2", "3"], ["3"]]
    assert world.failures[0]["DDBStreamBatchInfo"]["startSequenceNumber"] == "3"


def test_minus_one_retries_until_the_stream_forgets_the_record() -> None:
    world = World(crashing_on("1"), retries=-1)
    world.write("a")

    world.run(seconds=2 * DAY)

    assert world.times[-1] - world.times[0] > DAY - 60
    assert world.times[-1] - world.times[0] <= DAY
    assert world.failures == []


def test_records_older_than_the_maximum_age_are_given_up() -> None:
    world = World(crashing_on("1"), batch_size=1, record_age_seconds=60)
    world.write("a", "b")

    world.run(seconds=120)

    assert world.deliveries[-1] == ["1"]
    assert [failure["requestContext"]["condition"] for failure in world.failures] == ["RecordAgeExceeded"] * 2


def test_younger_records_of_an_aged_batch_are_still_delivered() -> None:
    world = World(record_age_seconds=60)
    world.write("a")
    world.now += 50
    world.write("b")
    world.now += 20

    world.run()

    assert world.deliveries == [["2"]]


def test_the_destination_gets_where_the_records_are_and_not_the_records() -> None:
    world = World(crashing_on("1"), retries=1)
    world.write("a", "b")

    world.run()

    (failure,) = world.failures
    assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert failure["requestContext"]["approximateInvokeCount"] == 2
    assert failure["requestContext"]["functionArn"] == FUNCTION
    assert failure["DDBStreamBatchInfo"]["startSequenceNumber"] == "1"
    assert failure["DDBStreamBatchInfo"]["endSequenceNumber"] == "2"
    assert failure["DDBStreamBatchInfo"]["streamArn"] == STREAM
    assert "NewImage" not in str(failure)


def test_without_a_destination_what_is_given_up_is_gone() -> None:
    world = World(crashing_on("1"), retries=0)
    world.config = MappingConfig(STREAM, FUNCTION, retries=0)
    world.write("a")

    world.run()

    assert world.failures == []
    assert world.deliveries == [["1"]]


def test_a_mapping_that_continues_delivers_again_what_was_not_settled() -> None:
    world = World(crashing_on("2"), batch_size=1)
    world.write("a", "b")
    checkpoint = world.run(seconds=5)

    world.function = lambda _: DONE
    world.create(checkpoint)
    world.run()

    assert checkpoint == "1"
    assert world.deliveries[-1] == ["2"]


def test_a_partial_success_is_not_delivered_to_a_mapping_that_continues() -> None:
    world = World(failing("2"), reports_item_failures=True)
    world.write("a", "b")

    checkpoint = world.run(seconds=5)

    assert checkpoint == "1"


def test_a_mapping_continues_at_the_lowest_of_its_parallel_checkpoints() -> None:
    world = World(crashing_on("11"), parallelization=4, batch_size=1)
    world.write(*"abcdefgh" * 2)

    checkpoint = world.run(seconds=5)

    assert 3 <= int(checkpoint or 0) < 11


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        (["ready"], "ready", True),
        (["ready"], "failed", False),
        ([True], True, True),
        (["1"], 1, False),
        ([None], None, True),
        ([{"exists": True}], "ready", True),
        ([{"exists": False}], "ready", False),
        ([{"exists": False}, "ready"], "ready", True),
        ([{"exists": True}], {"S": "ready"}, False),
    ],
)
def test_a_filter_rule_matches_as_event_filtering_says(rule: Any, value: Any, expected: bool) -> None:
    assert matches({"status": rule}, {"status": value}) is expected


def test_a_filter_needs_all_of_its_keys() -> None:
    pattern = {"eventName": ["INSERT"], "b": [{"exists": False}]}

    assert matches(pattern, {"eventName": "INSERT", "a": "2"})
    assert not matches(pattern, {"eventName": "INSERT", "b": "3"})
    assert not matches(pattern, {"eventName": "MODIFY", "a": "1"})


def test_a_rule_that_is_not_modelled_is_no_guess() -> None:
    with pytest.raises(ValueError, match="prefix"):
        matches({"status": [{"prefix": "re"}]}, {"status": "ready"})


def test_a_mapping_reads_its_settings_from_what_the_api_says() -> None:
    said = {
        "EventSourceArn": STREAM,
        "FunctionArn": FUNCTION,
        "StartingPosition": "LATEST",
        "BatchSize": 7,
        "MaximumBatchingWindowInSeconds": 2,
        "ParallelizationFactor": 3,
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 0,
        "MaximumRecordAgeInSeconds": 60,
        "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
    }

    read = MappingConfig.from_api(said)

    assert read == MappingConfig(
        STREAM, FUNCTION, "LATEST", 7, 2, 3, ({"eventName": ["INSERT"]},), True, True, 0, 60, QUEUE
    )
