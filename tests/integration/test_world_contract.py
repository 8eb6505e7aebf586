"""The platform rules we build on, asked of the small virtual world, of moto and of the emulator alike.

AWS's documentation decides. Where a stand-in is known to differ, DEVIATIONS says so and the test must fail there.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local.aws.deployment import EmulatorAddress
from local.process import Child
from tests.world.wire import REGION, SERVICES
from tests.world.world import World

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = ("world", "moto", "emulator")
DEVIATIONS: dict[tuple[str, str, str], str] = {
    ("moto", "a_condition_decides_whether_the_write_happens", "colour < :three"): "fails with a TypeError",
    ("moto", "a_malformed_update_is_refused_and_changes_nothing", "SET #undefined = :one"): "fails with a KeyError",
    ("moto", "a_malformed_update_is_refused_and_changes_nothing", "SET rooms = :empty"): "keeps the empty set",
    ("moto", "a_malformed_update_is_refused_and_changes_nothing", "SET rooms = :word"): "keeps a word as a number",
    ("moto", "a_number_is_kept_as_a_number_not_as_it_was_written", ""): "keeps 03.50",
    ("moto", "a_write_that_changes_nothing_leaves_no_record", ""): "tells of a MODIFY",
    ("moto", "many_versions_are_deleted_in_one_call_up_to_a_thousand", ""): "deletes any number",
    ("moto", "a_marker_cannot_be_read", ""): "answers NoSuchVersion",
    ("moto", "a_seal_names_its_key", ""): "answers AccessDeniedException",
    ("moto", "a_disabled_key_neither_seals_nor_opens", ""): "disabled keys work on",
    ("moto", "a_key_pending_deletion_is_unusable_at_once", ""): "keys pending deletion work on",
    ("moto", "a_key_does_only_what_it_was_made_for", ""): "a MAC key seals",
    ("emulator", "a_malformed_update_is_refused_and_changes_nothing", "SET rooms = :one, rooms = :one"): "takes it",
    ("emulator", "a_malformed_update_is_refused_and_changes_nothing", "SET rooms = :one REMOVE rooms"): "takes it",
    ("emulator", "a_malformed_update_is_refused_and_changes_nothing", "SET rooms = :one SET sold = :one"): "takes it",
    ("emulator", "a_malformed_update_is_refused_and_changes_nothing", "SET rooms :one"): "takes it, changes nothing",
    ("emulator", "a_delay_of_more_than_15_minutes_is_refused", ""): "waits that long",
    ("emulator", "many_versions_are_deleted_in_one_call_up_to_a_thousand", ""): "deletes any number",
    ("emulator", "a_seal_names_its_key", ""): "opens it with the named key's consent alone",
    ("emulator", "no_more_than_4096_bytes_are_sealed", ""): "seals any number",
    ("emulator", "an_event_with_a_malformed_detail_fails_alone", ""): "accepts any text",
}
"""Stand-in, test and (for a test with cases) the case: what it does instead of AWS's rule."""


@dataclass
class Aws:
    """One stand-in: its clients by service name, and how its time passes."""

    name: str
    clients: dict[str, Any]
    later: Callable[[float], None]
    records: Callable[[str, str | None], list[dict[str, Any]]]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __getattr__(self, service: str) -> Any:
        return self.clients[service]

    def fresh(self, kind: str) -> str:
        return f"contract-{kind}-{next(self.numbers)}"


@pytest.fixture(scope="module", params=STAND_INS)
def stand_in(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with ExitStack() as parts, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")  # moto answers at the older stream address only
        if request.param == "world":
            world = World()
            clients = {service: world.client(service) for service in SERVICES}
            yield Aws("world", clients, world.clock.advance, partial(records_of_the_world, world))
        elif request.param == "moto":
            parts.enter_context(mock_aws())
            connect: Any = boto3.session.Session(region_name=REGION).client
            clients = {service: connect(service) for service in SERVICES}
            yield Aws("moto", clients, time.sleep, partial(records_of, connect("dynamodbstreams")))
        else:
            folder = tmp_path_factory.mktemp("emulator")
            stack, functions = (str(ROOT / ".venvs" / name / "bin" / "python") for name in ("stack", "lambda"))
            command = [stack, "-m", "local.aws", "--lambda-python", functions, "--folder", str(folder)]
            emulator = parts.enter_context(Child(command, folder / "log", {"PYTHONPATH": str(ROOT)}))
            address = EmulatorAddress.from_line(emulator.ready(within=60))
            clients = {service: address.client(service) for service in SERVICES}
            yield Aws("emulator", clients, time.sleep, partial(records_of, address.client("dynamodbstreams")))


def records_of(streams: Any, arn: str, after: str | None) -> list[dict[str, Any]]:
    """What a stream of one shard holds behind `after`."""
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    where = {"ShardIteratorType": "TRIM_HORIZON"}
    if after:
        where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], **where)["ShardIterator"]
    read: list[dict[str, Any]] = streams.get_records(ShardIterator=iterator)["Records"]
    return read


def records_of_the_world(world: World, arn: str, after: str | None) -> list[dict[str, Any]]:
    """The same; nothing of ours calls DynamoDB Streams, so the world has no client of it."""
    held = world.tables[arn.split("/")[1]].shard(0)
    return [record for record in held if record["dynamodb"]["SequenceNumber"] > (after or "")]


@pytest.fixture
def aws(stand_in: Aws, request: pytest.FixtureRequest) -> Aws:
    cases = (case for name, case in request.node.callspec.params.items() if name != "stand_in")
    test = request.node.originalname.removeprefix("test_")
    if reason := DEVIATIONS.get((stand_in.name, test, str(next(cases, "")))):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    return stand_in


def test_every_deviation_is_of_a_test_below_and_none_is_the_worlds_own() -> None:
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}

    assert {test for _, test, _ in DEVIATIONS} <= tests
    assert {stand_in for stand_in, _, _ in DEVIATIONS} == {"moto", "emulator"}


def refusal(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


# Tables


@pytest.fixture
def table(aws: Aws) -> str:
    return table_of_houses(aws)


@pytest.fixture(scope="module")
def used_table(stand_in: Aws) -> str:
    """For tests that look at one house only: whatever it was before, they begin by putting it."""
    return table_of_houses(stand_in)


def table_of_houses(aws: Aws) -> str:
    """`by-floor` shows keys only, and only houses with a floor; `by-owner` shows `colour` too."""
    name = aws.fresh("table")
    attributes = {"house": "S", "floor": "N", "owner": "S", "since": "S"}
    aws.dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in attributes.items()],
        KeySchema=[{"AttributeName": "house", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-owner",
                "KeySchema": [
                    {"AttributeName": "owner", "KeyType": "HASH"},
                    {"AttributeName": "since", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["colour"]},
            },
            {
                "IndexName": "by-floor",
                "KeySchema": [
                    {"AttributeName": "owner", "KeyType": "HASH"},
                    {"AttributeName": "floor", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return name


HOUSE = {"house": {"S": "red"}}
ITEM: dict[str, Any] = {
    **HOUSE,
    "owner": {"S": "ann"},
    "rooms": {"N": "3"},
    "colour": {"S": "scarlet"},
    "photo": {"B": b"\x01\x02"},
    "sold": {"BOOL": False},
    "tags": {"SS": ["new", "old"]},
    "visits": {"L": [{"S": "mon"}, {"S": "tue"}]},
    "plan": {"M": {"area": {"N": "80"}, "inside": {"M": {"doors": {"N": "2"}}}}},
}
VALUES: dict[str, Any] = {
    ":one": {"N": "1"},
    ":three": {"N": "3"},
    ":five": {"N": "5"},
    ":text": {"S": "scarlet"},
    ":start": {"S": "sc"},
    ":photo": {"B": b"\x01"},
    ":no": {"BOOL": False},
    ":map": {"M": {"x": {"N": "1"}}},
}
NAMES = {"#owner": "owner", "#plan": "plan", "#area": "area"}


def used(expression: str) -> dict[str, Any]:
    """The placeholders that an expression names, and no others."""
    words = set(expression.replace("(", " ").replace(")", " ").replace(",", " ").replace(".", " ").split())
    names = {name: NAMES[name] for name in NAMES if name in words}
    values = {value: VALUES[value] for value in VALUES if value in words}
    return ({"ExpressionAttributeNames": names} if names else {}) | (
        {"ExpressionAttributeValues": values} if values else {}
    )


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("attribute_exists(house)", True),
        ("attribute_exists(absent)", False),
        ("attribute_not_exists(absent)", True),
        ("attribute_not_exists(#plan.#area)", False),
        ("attribute_exists(#plan.inside.doors)", True),
        ("rooms = :three", True),
        ("rooms < :five AND rooms >= :one", True),
        ("rooms <= :three AND rooms >= :three", True),
        ("colour = :three", False),
        ("colour < :three", False),
        ("absent = :one", False),
        ("absent < :one", False),
        ("absent <= :one", False),
        ("photo >= :photo", True),
        ("sold = :no", True),
        ("rooms IN (:one, :three)", True),
        ("rooms IN (:one, :five)", False),
        ("rooms = :one OR rooms = :three AND colour = :text", True),
        ("(rooms = :one OR rooms = :three) AND colour = :start", False),
        ("rooms = :three OR rooms = :three AND colour = :start", True),
    ],
)
def test_a_condition_decides_whether_the_write_happens(aws: Aws, used_table: str, condition: str, holds: bool) -> None:
    aws.dynamodb.put_item(TableName=used_table, Item=ITEM)

    try:
        aws.dynamodb.delete_item(TableName=used_table, Key=HOUSE, ConditionExpression=condition, **used(condition))
        refused = ""
    except ClientError as error:
        refused = error.response["Error"]["Code"]

    there = "Item" in aws.dynamodb.get_item(TableName=used_table, Key=HOUSE, ConsistentRead=True)
    assert (refused, there) == (("", False) if holds else ("ConditionalCheckFailedException", True))


@pytest.mark.parametrize(
    ("update", "changed"),
    [
        ("SET rooms = :five", {"rooms": {"N": "5"}}),
        ("ADD absent :five", {"absent": {"N": "5"}}),
        ("ADD rooms :five REMOVE sold", {"rooms": {"N": "8"}, "sold": None}),
        ("REMOVE rooms, absent", {"rooms": None}),
        (
            "SET #plan.#area = :one, #plan.fresh = :map",
            {"plan": {"M": {"area": {"N": "1"}, "fresh": VALUES[":map"], "inside": ITEM["plan"]["M"]["inside"]}}},
        ),
        ("REMOVE #plan.inside SET rooms = :one", {"plan": {"M": {"area": {"N": "80"}}}, "rooms": {"N": "1"}}),
    ],
)
def test_an_update_changes_what_it_names_and_sees_the_item_as_it_was(
    aws: Aws, used_table: str, update: str, changed: dict[str, Any]
) -> None:
    aws.dynamodb.put_item(TableName=used_table, Item=ITEM)

    answer = aws.dynamodb.update_item(
        TableName=used_table, Key=HOUSE, UpdateExpression=update, ReturnValues="ALL_NEW", **used(update)
    )

    after = {name: value for name, value in {**ITEM, **changed}.items() if value is not None}
    assert in_order(answer["Attributes"]) == in_order(after)


def in_order(item: dict[str, Any]) -> dict[str, Any]:
    """Sets have no order."""
    return {name: {k: sorted(v) if k == "SS" else v for k, v in value.items()} for name, value in item.items()}


@pytest.mark.parametrize(
    ("update", "values"),
    [
        ("SET rooms = :one", {":one": {"N": "1"}, ":unused": {"N": "1"}}),
        ("SET rooms = :undefined", {":one": {"N": "1"}}),
        ("SET #undefined = :one", {":one": {"N": "1"}}),
        ("SET absent.inside = :one", {":one": {"N": "1"}}),
        ("SET house = :text", {":text": {"S": "blue"}}),
        ("SET rooms = :one, rooms = :one", {":one": {"N": "1"}}),
        ("SET rooms = :one REMOVE rooms", {":one": {"N": "1"}}),
        ("SET rooms = :one SET sold = :one", {":one": {"N": "1"}}),
        ("SET status = :one", {":one": {"N": "1"}}),
        ("SET rooms :one", {":one": {"N": "1"}}),
        ("SET rooms = :empty", {":empty": {"SS": []}}),
        ("SET rooms = :word", {":word": {"N": "three"}}),
        ("SET floor = :text", {":text": {"S": "first"}}),
        ("SET since = :text", {":text": {"S": ""}}),
    ],
)
def test_a_malformed_update_is_refused_and_changes_nothing(
    aws: Aws, used_table: str, update: str, values: dict[str, Any]
) -> None:
    aws.dynamodb.put_item(TableName=used_table, Item=ITEM)
    given = {"ExpressionAttributeValues": values} if values else {}

    with pytest.raises(ClientError) as error:
        aws.dynamodb.update_item(TableName=used_table, Key=HOUSE, UpdateExpression=update, **given)

    assert refusal(error) == "ValidationException"
    assert in_order(aws.dynamodb.get_item(TableName=used_table, Key=HOUSE, ConsistentRead=True)["Item"]) == in_order(
        ITEM
    )


def test_an_update_of_what_is_not_there_makes_it(aws: Aws, table: str) -> None:
    answer = aws.dynamodb.update_item(TableName=table, Key=HOUSE, UpdateExpression="SET rooms = :one", **used(":one"))

    assert "Attributes" not in answer
    assert aws.dynamodb.get_item(TableName=table, Key=HOUSE)["Item"] == {**HOUSE, "rooms": {"N": "1"}}


def test_a_refusal_shows_the_row_as_it_is_when_asked_to(aws: Aws, used_table: str) -> None:
    aws.dynamodb.put_item(TableName=used_table, Item=HOUSE)

    with pytest.raises(aws.dynamodb.exceptions.ConditionalCheckFailedException) as error:
        aws.dynamodb.put_item(
            TableName=used_table,
            Item=ITEM,
            ConditionExpression="attribute_not_exists(house)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    assert error.value.response["Item"] == HOUSE


def test_a_number_is_kept_as_a_number_not_as_it_was_written(aws: Aws, used_table: str) -> None:
    aws.dynamodb.put_item(TableName=used_table, Item={**HOUSE, "rooms": {"N": "03.50"}})

    kept = aws.dynamodb.get_item(TableName=used_table, Key=HOUSE)["Item"]["rooms"]

    assert kept == {"N": "3.5"}


def test_an_item_of_more_than_400_kilobytes_is_refused(aws: Aws, table: str) -> None:
    with pytest.raises(ClientError) as error:
        aws.dynamodb.put_item(TableName=table, Item={**HOUSE, "photo": {"B": bytes(400 * 1024)}})

    assert refusal(error) == "ValidationException"


def test_a_table_that_is_not_there_is_named_so(aws: Aws) -> None:
    with pytest.raises(ClientError) as error:
        aws.dynamodb.get_item(TableName="no-such-table", Key=HOUSE)

    assert refusal(error) == "ResourceNotFoundException"


# Indexes


def owned(name: str, *, since: int, floor: int | None = None) -> dict[str, Any]:
    item = {"house": {"S": name}, "owner": {"S": "ann"}, "since": {"S": f"20{since}"}, "colour": {"S": "red"}}
    return {**item, "rooms": {"N": "1"}} | ({} if floor is None else {"floor": {"N": str(floor)}})


def of_ann(aws: Aws, table: str, index: str = "by-owner", **more: Any) -> dict[str, Any]:
    values = {":ann": {"S": "ann"}} | more.pop("values", {})
    condition = "#owner = :ann" + more.pop("and_", "")
    answer: dict[str, Any] = aws.dynamodb.query(
        TableName=table,
        IndexName=index,
        KeyConditionExpression=condition,
        ExpressionAttributeNames={"#owner": "owner"},
        ExpressionAttributeValues=values,
        **more,
    )
    return answer


def houses(answer: dict[str, Any]) -> list[str]:
    return [item["house"]["S"] for item in answer["Items"]]


def test_an_index_shows_its_keys_and_what_it_includes(aws: Aws, table: str) -> None:
    aws.dynamodb.put_item(TableName=table, Item=owned("a", since=10, floor=2))

    including, keys_only = (of_ann(aws, table, index)["Items"][0].keys() for index in ("by-owner", "by-floor"))

    assert including == {"house", "owner", "since", "colour"}
    assert keys_only == {"house", "owner", "floor"}


def test_a_sparse_index_holds_only_items_with_its_key(aws: Aws, table: str) -> None:
    aws.dynamodb.put_item(TableName=table, Item=owned("a", since=10, floor=2))
    aws.dynamodb.put_item(TableName=table, Item=owned("b", since=11))
    before = houses(of_ann(aws, table, "by-floor"))

    aws.dynamodb.update_item(TableName=table, Key={"house": {"S": "a"}}, UpdateExpression="REMOVE floor")

    assert (before, houses(of_ann(aws, table, "by-floor"))) == (["a"], [])


def test_a_query_is_sorted_by_the_sort_key_as_its_type(aws: Aws, table: str) -> None:
    for name, floor in (("a", 10), ("b", 9), ("c", -1)):
        aws.dynamodb.put_item(TableName=table, Item=owned(name, since=10, floor=floor))

    up, down = (houses(of_ann(aws, table, "by-floor", ScanIndexForward=up)) for up in (True, False))

    assert (up, down) == (["c", "b", "a"], ["a", "b", "c"])


@pytest.mark.parametrize(
    ("and_", "found"),
    [
        (" AND since < :low", ["a"]),
        (" AND since <= :low", ["a", "b"]),
        (" AND since >= :high", ["c", "d"]),
        (" AND since = :low", ["b"]),
    ],
)
def test_a_query_can_narrow_the_sort_key(aws: Aws, table: str, and_: str, found: list[str]) -> None:
    for name, since in (("a", 10), ("b", 11), ("c", 20), ("d", 21)):
        aws.dynamodb.put_item(TableName=table, Item=owned(name, since=since))
    values = {":low": {"S": "2011"}, ":high": {"S": "2020"}}

    answer = of_ann(aws, table, and_=and_, values={n: v for n, v in values.items() if n in and_})

    assert houses(answer) == found


@pytest.mark.parametrize("forward", [True, False])
def test_a_query_comes_in_pages_without_gap_or_repetition(aws: Aws, table: str, forward: bool) -> None:
    for number in range(5):
        aws.dynamodb.put_item(TableName=table, Item=owned(f"h{number}", since=10 + number // 2))

    pages = [of_ann(aws, table, Limit=2, ScanIndexForward=forward)]
    while start := pages[-1].get("LastEvaluatedKey"):
        pages.append(of_ann(aws, table, Limit=2, ScanIndexForward=forward, ExclusiveStartKey=start))

    assert [len(page["Items"]) for page in pages][:2] == [2, 2]
    assert sorted(house for page in pages for house in houses(page)) == [f"h{n}" for n in range(5)]
    assert start is None
    assert pages[0]["LastEvaluatedKey"].keys() == {"house", "owner", "since"}


def test_a_limit_counts_what_was_read_not_what_passed_the_filter(aws: Aws, table: str) -> None:
    for name in ("a", "b", "c"):
        aws.dynamodb.put_item(TableName=table, Item=owned(name, since=10))

    answer = of_ann(aws, table, Limit=2, FilterExpression="colour = :blue", values={":blue": {"S": "blue"}})

    assert (answer["Count"], answer["ScannedCount"], "LastEvaluatedKey" in answer) == (0, 2, True)


def test_an_index_cannot_be_read_consistently(aws: Aws, table: str) -> None:
    with pytest.raises(ClientError) as error:
        of_ann(aws, table, ConsistentRead=True)

    assert refusal(error) == "ValidationException"


def test_a_query_needs_the_partition_key_to_equal_a_value(aws: Aws, table: str) -> None:
    with pytest.raises(ClientError) as error:
        aws.dynamodb.query(
            TableName=table,
            KeyConditionExpression="house >= :one",
            ExpressionAttributeValues={":one": {"S": "a"}},
        )

    assert refusal(error) == "ValidationException"


def test_a_scan_visits_every_item_once_page_by_page(aws: Aws, table: str) -> None:
    for number in range(7):
        aws.dynamodb.put_item(TableName=table, Item=owned(f"h{number}", since=10))

    pages = aws.dynamodb.get_paginator("scan").paginate(TableName=table, PaginationConfig={"PageSize": 3})

    assert sorted(house for page in pages for house in houses(page)) == [f"h{n}" for n in range(7)]


# The stream


def records(aws: Aws, table: str, after: str | None = None) -> list[dict[str, Any]]:
    return aws.records(aws.dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"], after)


def test_a_stream_tells_what_happened_in_order(aws: Aws, table: str) -> None:
    aws.dynamodb.put_item(TableName=table, Item=ITEM)
    aws.dynamodb.update_item(TableName=table, Key=HOUSE, UpdateExpression="SET rooms = :five", **used(":five"))
    aws.dynamodb.delete_item(TableName=table, Key=HOUSE)

    told = records(aws, table)

    assert [record["eventName"] for record in told] == ["INSERT", "MODIFY", "REMOVE"]
    assert [record["dynamodb"].get("NewImage", {}).get("rooms") for record in told] == [{"N": "3"}, {"N": "5"}, None]
    assert all(record["dynamodb"]["Keys"] == HOUSE for record in told)
    numbers = [record["dynamodb"]["SequenceNumber"] for record in told]
    assert numbers == sorted(set(numbers), key=int)


def test_a_write_that_changes_nothing_leaves_no_record(aws: Aws, table: str) -> None:
    aws.dynamodb.put_item(TableName=table, Item=ITEM)

    aws.dynamodb.put_item(TableName=table, Item=ITEM)
    aws.dynamodb.update_item(TableName=table, Key=HOUSE, UpdateExpression="SET rooms = :three", **used(":three"))
    aws.dynamodb.delete_item(TableName=table, Key={"house": {"S": "none"}})

    assert [record["eventName"] for record in records(aws, table)] == ["INSERT"]


def test_a_record_shows_the_item_as_it_was_then(aws: Aws, table: str) -> None:
    aws.dynamodb.put_item(TableName=table, Item=ITEM)
    update = "SET #plan.inside.doors = :five"
    names = {"ExpressionAttributeNames": {"#plan": "plan"}, "ExpressionAttributeValues": {":five": {"N": "5"}}}
    aws.dynamodb.update_item(TableName=table, Key=HOUSE, UpdateExpression=update, **names)

    plans = [record["dynamodb"]["NewImage"]["plan"]["M"] for record in records(aws, table)]

    assert [plan["inside"]["M"]["doors"]["N"] for plan in plans] == ["2", "5"]


def test_a_refused_write_leaves_no_record(aws: Aws, table: str) -> None:
    with pytest.raises(ClientError):
        aws.dynamodb.put_item(TableName=table, Item=ITEM, ConditionExpression="attribute_exists(house)")

    assert records(aws, table) == []


def test_a_stream_is_read_on_after_a_sequence_number(aws: Aws, table: str) -> None:
    for name in ("a", "b", "c"):
        aws.dynamodb.put_item(TableName=table, Item=owned(name, since=10))
    first = records(aws, table)[0]["dynamodb"]["SequenceNumber"]

    rest = records(aws, table, after=first)

    assert [record["dynamodb"]["Keys"]["house"]["S"] for record in rest] == ["b", "c"]


# Queues


@pytest.fixture
def queue(aws: Aws) -> str:
    url: str = aws.sqs.create_queue(QueueName=aws.fresh("queue"), Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
    return url


def received(aws: Aws, queue: str, **more: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = aws.sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"], **more
    ).get("Messages", [])
    return messages


def test_a_delayed_message_is_not_seen_before_its_delay_is_over(aws: Aws, queue: str) -> None:
    aws.sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=2)

    early = received(aws, queue)
    aws.later(2.1)

    assert (early, [m["Body"] for m in received(aws, queue)]) == ([], ["later"])


def test_a_delay_of_more_than_15_minutes_is_refused(aws: Aws, queue: str) -> None:
    aws.sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=900)

    with pytest.raises(ClientError) as error:
        aws.sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=901)

    assert refusal(error) == "InvalidParameterValue"


def test_a_received_message_is_hidden_and_comes_back_unless_it_is_deleted(aws: Aws, queue: str) -> None:
    for body in ("kept", "done"):
        aws.sqs.send_message(QueueUrl=queue, MessageBody=body)
    first = received(aws, queue)
    done = next(message for message in first if message["Body"] == "done")

    aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=done["ReceiptHandle"])
    hidden = received(aws, queue)
    aws.later(2.1)
    [again] = received(aws, queue)

    assert hidden == []
    assert (again["Body"], again["Attributes"]["ApproximateReceiveCount"]) == ("kept", "2")


def test_a_message_received_too_often_goes_to_the_dead_letters(aws: Aws, queue: str) -> None:
    arn = aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "2"})
    source = aws.sqs.create_queue(QueueName=aws.fresh("source"), Attributes={"RedrivePolicy": policy})["QueueUrl"]
    aws.sqs.send_message(QueueUrl=source, MessageBody="poison")

    seen = [len(received(aws, source, VisibilityTimeout=0)) for _ in range(3)]

    assert seen == [1, 1, 0]
    assert [message["Body"] for message in received(aws, queue)] == ["poison"]


def test_a_purged_queue_is_empty(aws: Aws, queue: str) -> None:
    aws.sqs.send_message(QueueUrl=queue, MessageBody="x")

    aws.sqs.purge_queue(QueueUrl=queue)

    assert received(aws, queue) == []


def test_a_queue_that_is_not_there_is_named_so(aws: Aws, queue: str) -> None:
    with pytest.raises(aws.sqs.exceptions.QueueDoesNotExist):
        aws.sqs.send_message(QueueUrl=queue + "-gone", MessageBody="x")


# Objects


@pytest.fixture
def bucket(aws: Aws) -> str:
    name = aws.fresh("bucket")
    aws.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    aws.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def body(aws: Aws, bucket: str, **which: str) -> bytes:
    content: bytes = aws.s3.get_object(Bucket=bucket, **which)["Body"].read()
    return content


def test_a_conditional_put_never_replaces(aws: Aws, bucket: str) -> None:
    first = aws.s3.put_object(Bucket=bucket, Key="k", Body=b"first", IfNoneMatch="*", Metadata={"sha256": "ab"})

    with pytest.raises(ClientError) as error:
        aws.s3.put_object(Bucket=bucket, Key="k", Body=b"second", IfNoneMatch="*")

    head = aws.s3.head_object(Bucket=bucket, Key="k")
    assert (refusal(error), error.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("PreconditionFailed", 412)
    assert (head["VersionId"], head["Metadata"], head["ContentLength"]) == (first["VersionId"], {"sha256": "ab"}, 5)


def test_after_a_plain_delete_a_conditional_put_succeeds_again(aws: Aws, bucket: str) -> None:
    aws.s3.put_object(Bucket=bucket, Key="k", Body=b"first", IfNoneMatch="*")
    aws.s3.delete_object(Bucket=bucket, Key="k")

    aws.s3.put_object(Bucket=bucket, Key="k", Body=b"second", IfNoneMatch="*")

    assert body(aws, bucket, Key="k") == b"second"


def test_a_plain_delete_adds_a_marker_and_the_bytes_stay(aws: Aws, bucket: str) -> None:
    version = aws.s3.put_object(Bucket=bucket, Key="k", Body=b"kept")["VersionId"]

    deleted = aws.s3.delete_object(Bucket=bucket, Key="k")

    listing = aws.s3.list_object_versions(Bucket=bucket)
    assert deleted["DeleteMarker"] is True
    assert [(v["VersionId"], v["IsLatest"]) for v in listing["Versions"]] == [(version, False)]
    assert [(m["VersionId"], m["IsLatest"]) for m in listing["DeleteMarkers"]] == [(deleted["VersionId"], True)]
    assert body(aws, bucket, Key="k", VersionId=version) == b"kept"
    with pytest.raises(aws.s3.exceptions.NoSuchKey):
        aws.s3.get_object(Bucket=bucket, Key="k")


def test_a_delete_by_version_removes_for_good_markers_too(aws: Aws, bucket: str) -> None:
    version = aws.s3.put_object(Bucket=bucket, Key="k", Body=b"gone")["VersionId"]
    marker = aws.s3.delete_object(Bucket=bucket, Key="k")["VersionId"]

    for version_id in (marker, version, version):
        aws.s3.delete_object(Bucket=bucket, Key="k", VersionId=version_id)

    listing = aws.s3.list_object_versions(Bucket=bucket)
    assert "Versions" not in listing
    assert "DeleteMarkers" not in listing


def test_versions_are_listed_newest_first_in_pages_below_a_prefix(aws: Aws, bucket: str) -> None:
    ids = [aws.s3.put_object(Bucket=bucket, Key="a/1", Body=bytes([n]))["VersionId"] for n in range(3)]
    ids += [aws.s3.put_object(Bucket=bucket, Key="a/2", Body=b"x")["VersionId"]]
    aws.s3.put_object(Bucket=bucket, Key="b/1", Body=b"x")

    pages = list(
        aws.s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix="a/", PaginationConfig={"PageSize": 2}
        )
    )

    listed = [version["VersionId"] for page in pages for version in page["Versions"]]
    assert (listed, len(pages)) == ([ids[2], ids[1], ids[0], ids[3]], 2)


def test_many_versions_are_deleted_in_one_call_up_to_a_thousand(aws: Aws, bucket: str) -> None:
    version = aws.s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    unknown = [{"Key": f"none/{n}"} for n in range(1000)]

    answer = aws.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": version}]})
    with pytest.raises(ClientError) as error:
        aws.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}, *unknown]})

    assert [(d["Key"], d["VersionId"]) for d in answer["Deleted"]] == [("k", version)]
    assert refusal(error) == "MalformedXML"


def test_an_object_that_is_not_there_is_404(aws: Aws, bucket: str) -> None:
    with pytest.raises(ClientError) as error:
        aws.s3.head_object(Bucket=bucket, Key="none")

    assert (refusal(error), error.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("404", 404)


def test_a_marker_cannot_be_read(aws: Aws, bucket: str) -> None:
    aws.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    marker = aws.s3.delete_object(Bucket=bucket, Key="k")["VersionId"]

    with pytest.raises(ClientError) as error:
        aws.s3.get_object(Bucket=bucket, Key="k", VersionId=marker)

    assert refusal(error) == "MethodNotAllowed"


def test_an_unfinished_upload_is_no_version_and_goes_by_abort(aws: Aws, bucket: str) -> None:
    upload = aws.s3.create_multipart_upload(Bucket=bucket, Key="a/big")["UploadId"]
    aws.s3.upload_part(Bucket=bucket, Key="a/big", UploadId=upload, PartNumber=1, Body=b"part")
    listed = aws.s3.list_multipart_uploads(Bucket=bucket, Prefix="a/")["Uploads"]

    versions = aws.s3.list_object_versions(Bucket=bucket)
    aws.s3.abort_multipart_upload(Bucket=bucket, Key="a/big", UploadId=upload)

    assert [(u["Key"], u["UploadId"]) for u in listed] == [("a/big", upload)]
    assert "Versions" not in versions
    assert "Uploads" not in aws.s3.list_multipart_uploads(Bucket=bucket)
    with pytest.raises(aws.s3.exceptions.NoSuchUpload):
        aws.s3.abort_multipart_upload(Bucket=bucket, Key="a/big", UploadId=upload)


# Keys


@pytest.fixture
def key(aws: Aws) -> str:
    arn: str = aws.kms.create_key()["KeyMetadata"]["Arn"]
    return arn


@pytest.fixture
def mac_key(aws: Aws) -> str:
    arn: str = aws.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    return arn


CONTEXT = {"connectionId": "con_1", "purpose": "login"}


def test_a_sealed_value_opens_only_in_its_own_context(aws: Aws, key: str) -> None:
    sealed = aws.kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"]

    opened = aws.kms.decrypt(KeyId=key, CiphertextBlob=sealed, EncryptionContext=CONTEXT)["Plaintext"]
    with pytest.raises(ClientError) as error:
        aws.kms.decrypt(KeyId=key, CiphertextBlob=sealed, EncryptionContext={**CONTEXT, "purpose": "request"})

    assert opened == b"secret"
    assert b"secret" not in sealed
    assert refusal(error) == "InvalidCiphertextException"


def test_the_same_value_is_sealed_differently_each_time(aws: Aws, key: str) -> None:
    first, second = (aws.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"] for _ in range(2))

    assert first != second


def test_what_was_never_sealed_cannot_be_opened(aws: Aws, key: str) -> None:
    with pytest.raises(ClientError) as error:
        aws.kms.decrypt(KeyId=key, CiphertextBlob=b"never sealed by any key")

    assert refusal(error) == "InvalidCiphertextException"


def test_a_seal_names_its_key(aws: Aws, key: str) -> None:
    other = aws.kms.create_key()["KeyMetadata"]["Arn"]
    sealed = aws.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

    with pytest.raises(ClientError) as error:
        aws.kms.decrypt(KeyId=other, CiphertextBlob=sealed)

    assert refusal(error) == "IncorrectKeyException"


def test_no_more_than_4096_bytes_are_sealed(aws: Aws, key: str) -> None:
    aws.kms.encrypt(KeyId=key, Plaintext=bytes(4096))

    with pytest.raises(ClientError) as error:
        aws.kms.encrypt(KeyId=key, Plaintext=bytes(4097))

    assert refusal(error) == "ValidationException"


def test_a_disabled_key_neither_seals_nor_opens(aws: Aws, key: str) -> None:
    sealed = aws.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    key_id = key.rsplit("/", 1)[1]

    aws.kms.disable_key(KeyId=key_id)

    acts: tuple[Callable[[], Any], ...] = (
        lambda: aws.kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: aws.kms.decrypt(KeyId=key, CiphertextBlob=sealed),
    )
    for act in acts:
        with pytest.raises(aws.kms.exceptions.DisabledException):
            act()
    aws.kms.enable_key(KeyId=key_id)
    assert aws.kms.decrypt(KeyId=key, CiphertextBlob=sealed)["Plaintext"] == b"x"


def test_a_key_pending_deletion_is_unusable_at_once(aws: Aws, key: str) -> None:
    sealed = aws.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

    aws.kms.schedule_key_deletion(KeyId=key.rsplit("/", 1)[1], PendingWindowInDays=7)

    with pytest.raises(aws.kms.exceptions.KMSInvalidStateException):
        aws.kms.decrypt(KeyId=key, CiphertextBlob=sealed)


def test_a_mac_is_the_same_each_time_and_of_its_message_only(aws: Aws, mac_key: str) -> None:
    def mac(message: bytes) -> bytes:
        made: bytes = aws.kms.generate_mac(KeyId=mac_key, Message=message, MacAlgorithm="HMAC_SHA_256")["Mac"]
        return made

    ours = {"KeyId": mac_key, "MacAlgorithm": "HMAC_SHA_256", "Mac": mac(b"a")}

    assert mac(b"a") == ours["Mac"] != mac(b"b")
    assert aws.kms.verify_mac(Message=b"a", **ours)["MacValid"]
    with pytest.raises(aws.kms.exceptions.KMSInvalidMacException):
        aws.kms.verify_mac(Message=b"b", **ours)


def test_a_key_does_only_what_it_was_made_for(aws: Aws, key: str, mac_key: str) -> None:
    acts: tuple[Callable[[], Any], ...] = (
        lambda: aws.kms.encrypt(KeyId=mac_key, Plaintext=b"x"),
        lambda: aws.kms.generate_mac(KeyId=key, Message=b"x", MacAlgorithm="HMAC_SHA_256"),
    )
    for act in acts:
        with pytest.raises(aws.kms.exceptions.InvalidKeyUsageException):
            act()


# The bus


def entry(bus: str, detail: str) -> dict[str, str]:
    return {"EventBusName": bus, "Source": "contract", "DetailType": "Told", "Detail": detail}


def test_an_event_with_a_malformed_detail_fails_alone(aws: Aws) -> None:
    bus = aws.fresh("bus")
    aws.events.create_event_bus(Name=bus)

    answer = aws.events.put_events(Entries=[entry(bus, '{"id": 1}'), entry(bus, "not json")])

    assert answer["FailedEntryCount"] == 1
    assert "EventId" in answer["Entries"][0]
    assert answer["Entries"][1]["ErrorCode"] == "MalformedDetail"


def test_no_more_than_ten_events_are_put_at_once(aws: Aws) -> None:
    with pytest.raises(ClientError) as error:
        aws.events.put_events(Entries=[entry("default", "{}")] * 11)

    assert refusal(error) == "ValidationException"


# Secrets


def test_a_new_secret_value_is_current_and_the_one_before_stays_readable(aws: Aws) -> None:
    name = aws.fresh("secret")
    first = aws.secretsmanager.create_secret(Name=name, SecretString="one")
    aws.secretsmanager.put_secret_value(SecretId=name, SecretString="two")

    current = aws.secretsmanager.get_secret_value(SecretId=first["ARN"])
    previous = aws.secretsmanager.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")

    assert (current["SecretString"], current["VersionStages"]) == ("two", ["AWSCURRENT"])
    assert (previous["SecretString"], previous["VersionId"]) == ("one", first["VersionId"])


def test_a_secret_that_is_not_there_is_named_so(aws: Aws) -> None:
    with pytest.raises(aws.secretsmanager.exceptions.ResourceNotFoundException):
        aws.secretsmanager.get_secret_value(SecretId="none")
