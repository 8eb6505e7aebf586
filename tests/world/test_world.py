"""The small virtual world's own promises: faults on demand, deaths, deliveries in virtual time."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError

from tests.world.world import TIMEOUT, WorkerDied, World

ITEM = {"house": {"S": "red"}}


@pytest.fixture
def world() -> World:
    """A table of houses with a stream, two queues (one for the other's dead letters) and a versioned bucket."""
    world = World()
    world.dynamodb.create_table(
        TableName="houses",
        AttributeDefinitions=[{"AttributeName": "house", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "house", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    world.sqs.create_queue(QueueName="dead")
    policy = json.dumps({"deadLetterTargetArn": world.queues["dead"].arn, "maxReceiveCount": 3})
    world.sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "60", "RedrivePolicy": policy})
    world.s3.create_bucket(Bucket="drops")
    world.s3.put_bucket_versioning(Bucket="drops", VersioningConfiguration={"Status": "Enabled"})
    world.calls.clear()
    return world


def put(world: World, house: str = "red", **more: Any) -> None:
    world.dynamodb.put_item(TableName="houses", Item={"house": {"S": house}, **more})


def send(world: World, body: str = "{}", delay: int = 0) -> None:
    world.sqs.send_message(QueueUrl=world.queues["work"].url, MessageBody=body, DelaySeconds=delay)


# Calls and faults


def test_every_call_is_numbered_and_counted(world: World) -> None:
    put(world)
    send(world)
    put(world)

    assert [(c.number, c.service, c.operation) for c in world.calls][1] == (2, "sqs", "send_message")
    assert world.counts()["dynamodb.put_item"] == 2


def test_a_fault_on_demand_is_answered_so_often_and_has_no_effect(world: World) -> None:
    world.fail("dynamodb", "put_item", "ThrottlingException", times=2)

    for _ in range(2):
        with pytest.raises(ClientError, match="ThrottlingException"):
            put(world)
    assert not world.tables["houses"].items
    put(world)
    assert world.tables["houses"].items


def test_a_lost_answer_is_a_timeout_after_the_effect(world: World) -> None:
    world.fail("s3", "put_object", TIMEOUT, effect=True)

    with pytest.raises(ReadTimeoutError):
        world.s3.put_object(Bucket="drops", Key="k", Body=b"x")

    assert world.buckets["drops"].current("k")


def test_one_call_by_its_number_is_carried_out_and_never_answered(world: World) -> None:
    world.leave_unanswered(2)

    put(world, "red")
    with pytest.raises(ReadTimeoutError):
        put(world, "blue")
    put(world, "green")

    assert len(world.tables["houses"].items) == 3


def test_what_is_due_again_and_again_at_one_moment_is_noticed(world: World) -> None:
    world.on_queue("work", lambda _: send(world), recursive_loop="Allow")
    send(world)

    with pytest.raises(AssertionError, match="it spins"):
        world.run(timedelta(seconds=1))


def test_an_entry_of_a_batch_can_fail_alone(world: World) -> None:
    entries: Any = [{"Source": "s", "DetailType": "d", "Detail": "{}"}] * 2
    world.fail_entries("events", "put_events", "InternalFailure")

    answer = world.events.put_events(Entries=entries)

    assert answer["FailedEntryCount"] == 1
    assert ["ErrorCode" in entry for entry in answer["Entries"]] == [True, False]
    assert len(world.announced) == 1


@pytest.mark.parametrize(("when", "there"), [("before", False), ("after_effect", True), ("late", False)])
def test_a_worker_dies_at_a_call(world: World, when: Any, there: bool) -> None:
    world.crash_at(2, when)
    put(world, "blue")

    with pytest.raises(WorkerDied):
        put(world, "red")

    assert (("red",) in world.tables["houses"].items) is there


def test_a_worker_dies_with_all_its_threads(world: World) -> None:
    def work_in_threads(_: Any) -> None:
        with ThreadPoolExecutor(1) as threads:
            tasks = [threads.submit(put, world, house) for house in ("red", "blue")]
        for task in tasks:
            task.result()

    world.on_queue("work", work_in_threads)
    send(world)
    world.crash_at(2, "before")

    world.step()
    died = world.invocations[0].error
    after_death = dict(world.tables["houses"].items)
    world.settle()

    assert isinstance(died, WorkerDied)
    assert after_death == {}
    assert len(world.tables["houses"].items) == 2


def test_another_service_can_take_part_in_numbers_and_deaths(world: World) -> None:
    asked: list[str] = []
    world.crash_at(2, "after_effect")

    world.call("flinks", "authorize", {}, lambda: asked.append("first"))
    with pytest.raises(WorkerDied):
        world.call("flinks", "authorize", {}, lambda: asked.append("second"))

    assert asked == ["first", "second"]
    assert world.counts() == {"flinks.authorize": 2}


def test_a_late_request_lands_after_its_sender_died(world: World) -> None:
    world.crash_at(1, "late", lands_after=60)
    with pytest.raises(WorkerDied):
        world.s3.put_object(Bucket="drops", Key="k", Body=b"late", IfNoneMatch="*")

    world.run(timedelta(seconds=59))
    before = world.buckets["drops"].current("k")
    world.run(timedelta(seconds=1))
    after = world.buckets["drops"].current("k")

    assert before is None
    assert after is not None
    assert after.body == b"late"


def test_a_late_conditional_put_loses_to_one_that_came_first(world: World) -> None:
    world.crash_at(1, "late")
    for content in (b"late", b"first"):
        try:
            world.s3.put_object(Bucket="drops", Key="k", Body=content, IfNoneMatch="*")
        except WorkerDied:
            continue

    world.settle()

    assert [version.body for version in world.buckets["drops"].versions["k"]] == [b"first"]


def test_something_else_can_happen_in_the_middle_of_a_call(world: World) -> None:
    world.interrupt(1, "before", lambda: put(world, "blue"))

    put(world, "red")

    assert list(world.tables["houses"].items) == [("blue",), ("red",)]


def test_a_parameter_that_the_world_does_not_model_is_not_ignored(world: World) -> None:
    with pytest.raises(NotImplementedError, match="Tagging"):
        world.s3.put_object(Bucket="drops", Key="k", Body=b"x", Tagging="a=b")


@pytest.mark.parametrize(
    "condition", ["NOT house = :x", "contains(house, :x)", "house <> :x", "house BETWEEN :x AND :x", "rooms[0] = :x"]
)
def test_what_nobody_writes_is_a_syntax_error_rather_than_a_guess(world: World, condition: str) -> None:
    with pytest.raises(world.dynamodb.exceptions.ClientError, match="Invalid expression"):
        world.dynamodb.put_item(
            TableName="houses",
            Item=ITEM,
            ConditionExpression=condition,
            ExpressionAttributeValues={":x": {"S": "x"}},
        )


def test_a_parameter_that_boto3_does_not_know_is_refused_by_boto3(world: World) -> None:
    with pytest.raises(ParamValidationError):
        world.dynamodb.get_item(TableName="houses", Keys=ITEM)  # type: ignore[call-arg]  # that is the point


# Reads that trail behind


def test_a_read_that_is_not_consistent_may_trail_behind(world: World) -> None:
    world.tables["houses"].lag = 1
    put(world)

    stale = world.dynamodb.get_item(TableName="houses", Key=ITEM)
    consistent = world.dynamodb.get_item(TableName="houses", Key=ITEM, ConsistentRead=True)
    world.clock.advance(1)
    later = world.dynamodb.get_item(TableName="houses", Key=ITEM)

    assert ("Item" in stale, "Item" in consistent, "Item" in later) == (False, True, True)


# Expiry


def test_an_expired_item_goes_by_itself_and_the_stream_says_the_service_did_it(world: World) -> None:
    world.dynamodb.update_time_to_live(
        TableName="houses", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expiresAt"}
    )
    put(world, expiresAt={"N": str(int(world.clock.now().timestamp()) + 60)})
    events: list[Any] = []
    world.on_stream("houses", events.append)

    world.run(timedelta(hours=2))

    removal = events[-1]["Records"][0]
    assert (removal["eventName"], removal["userIdentity"]["type"]) == ("REMOVE", "Service")


# Deliveries


def test_a_stream_delivers_in_virtual_time_what_the_filter_lets_through(world: World) -> None:
    pattern = json.dumps({"eventName": ["INSERT"], "dynamodb": {"Keys": {"house": {"S": ["blue"]}}}})
    events: list[Any] = []
    world.on_stream("houses", events.append, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    put(world, "red")
    put(world, "blue", photo={"B": b"\x01"})

    world.settle()

    [[record]] = [event["Records"] for event in events]
    assert record["dynamodb"]["NewImage"] == {"house": {"S": "blue"}, "photo": {"B": "AQ=="}}


def test_a_stream_batch_whose_worker_died_comes_again(world: World) -> None:
    events: list[Any] = []

    def dies_once(event: Any) -> None:
        events.append(event)
        if len(events) == 1:
            raise WorkerDied

    world.on_stream("houses", dies_once)
    put(world)

    world.settle()

    assert len(events) == 2
    assert events[0] == events[1]


def test_a_stream_batch_that_fails_for_good_is_reported_as_a_dead_letter(world: World) -> None:
    def fail(_: Any) -> None:
        raise ValueError("poison")

    destination = {"OnFailure": {"Destination": world.queues["dead"].arn}}
    world.on_stream("houses", fail, MaximumRetryAttempts=2, DestinationConfig=destination)
    put(world)

    world.settle()

    [letter] = world.queues["dead"].messages
    assert json.loads(letter.body)["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert len(world.invocations) == 3


def test_a_stream_that_nobody_read_for_a_day_is_gone(world: World) -> None:
    put(world, "red")
    world.clock.advance(timedelta(hours=24))
    put(world, "blue")
    events: list[Any] = []

    world.on_stream("houses", events.append)
    world.settle()

    assert [r["dynamodb"]["Keys"]["house"]["S"] for event in events for r in event["Records"]] == ["blue"]


def test_a_mapping_that_is_switched_off_delivers_nothing(world: World) -> None:
    mapping = world.on_stream("houses", lambda _: None)
    mapping.enabled = False
    put(world)

    world.run(timedelta(hours=1))

    assert world.invocations == []


def test_a_queue_delivers_a_message_when_its_delay_is_over(world: World) -> None:
    times: list[float] = []
    world.on_queue("work", lambda _: times.append(world.clock.monotonic()))
    send(world, delay=900)

    world.settle()

    assert times == [900]
    assert world.queues["work"].messages == []


def test_only_failed_messages_of_a_batch_come_again(world: World) -> None:
    bodies: list[list[str]] = []

    def fail_poison_once(event: Any) -> Any:
        bodies.append([record["body"] for record in event["Records"]])
        failed = [r["messageId"] for r in event["Records"] if r["body"] == "poison" and len(bodies) == 1]
        return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}

    world.on_queue("work", fail_poison_once)
    for body in ("good", "poison"):
        send(world, body)

    world.settle()

    assert bodies == [["good", "poison"], ["poison"]]
    assert world.clock.monotonic() == 60


@pytest.mark.parametrize("failures", [[{"itemIdentifier": ""}], [{"itemIdentifier": "unknown"}], [{"id": "x"}]])
def test_a_failure_that_names_no_message_fails_the_whole_batch(world: World, failures: Any) -> None:
    world.on_queue("work", lambda _: {"batchItemFailures": failures})
    send(world)

    world.settle()

    assert len(world.queues["dead"].messages) == 1


@pytest.mark.parametrize(("recursive_loop", "rounds", "dead"), [("Terminate", 16, 1), ("Allow", 20, 0)])
def test_a_function_that_feeds_its_own_queue_is_ended_after_sixteen_rounds_unless_it_says_so(
    world: World, recursive_loop: str, rounds: int, dead: int
) -> None:
    def again(event: Any) -> None:
        (record,) = event["Records"]
        if record["body"] != "20":
            send(world, str(int(record["body"]) + 1), delay=10)

    world.on_queue("work", again, recursive_loop=recursive_loop)
    send(world, "1")

    world.settle()

    assert len(world.invocations) == rounds
    assert len(world.queues["dead"].messages) == dead


def test_a_batch_is_as_old_as_the_oldest_chain_in_it(world: World) -> None:
    sizes: list[int] = []

    def again(event: Any) -> None:
        sizes.append(len(event["Records"]))
        for record in event["Records"]:
            send(world, record["body"], delay=10)

    world.on_queue("work", again)
    send(world, "old")
    world.run(timedelta(seconds=55))
    send(world, "young", delay=5)

    world.settle()

    assert sizes == [1] * 6 + [2] * 10
    assert len(world.queues["dead"].messages) == 2


def test_a_message_that_always_fails_ends_as_a_dead_letter(world: World) -> None:
    def fail(_: Any) -> None:
        raise ValueError("poison")

    world.on_queue("work", fail)
    send(world)

    world.settle()

    assert len(world.invocations) == 3
    assert len(world.queues["dead"].messages) == 1


def test_messages_come_in_copies_early_late_and_in_any_order(world: World) -> None:
    queue = world.queues["work"]
    queue.copies, queue.early, queue.disorder = 5, 60, 60
    arrivals: list[tuple[float, str]] = []
    world.on_queue("work", lambda e: arrivals.extend((world.clock.monotonic(), r["body"]) for r in e["Records"]))
    for body in ("a", "b"):
        send(world, body, delay=60)

    world.settle()

    assert sorted(body for _, body in arrivals) == ["a"] * 5 + ["b"] * 5
    assert [body for _, body in arrivals] != ["a"] * 5 + ["b"] * 5
    assert min(arrivals)[0] < 60 < max(arrivals)[0] <= 120


def test_a_schedule_ticks_once_a_period(world: World) -> None:
    times: list[float] = []
    world.every(300, lambda _: times.append(world.clock.monotonic()))

    world.run(timedelta(minutes=16))

    assert times == [300, 600, 900]
    assert world.clock.monotonic() == 960


def test_settling_waits_for_what_the_test_waits_for_and_gives_up(world: World) -> None:
    ticks: list[Any] = []
    world.every(300, ticks.append)

    world.settle(lambda: len(ticks) == 3)

    assert world.clock.monotonic() == 900
    with pytest.raises(AssertionError, match="not settled"):
        world.settle(lambda: False, within=timedelta(hours=1))


def test_the_same_seed_gives_the_same_life() -> None:
    def life(seed: int) -> list[float]:
        world = World(seed)
        world.sqs.create_queue(QueueName="work")
        world.queues["work"].copies, world.queues["work"].disorder = 3, 100
        times: list[float] = []
        world.on_queue("work", lambda _: times.append(world.clock.monotonic()))
        send(world)
        world.settle()
        return times

    assert life(1) == life(1) != life(2)


def test_a_mistake_in_a_test_is_never_taken_for_a_fault_of_the_platform(world: World) -> None:
    def wrong(_: Any) -> None:
        assert world.clock.monotonic() < 0

    world.on_queue("work", wrong)
    send(world)

    with pytest.raises(AssertionError):
        world.settle()
