"""The emulator runs stream mappings by AWS's rules, as the function's role; the rules are tests/unit/stream_mapping."""

import json
import time
from collections.abc import Callable
from typing import Any

Client = Callable[[str], Any]

REPORTS_BAD_RECORDS = """
def lambda_handler(event, context):
    images = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    print(*(image["id"]["S"] for image in images))
    bad = [record["dynamodb"]["SequenceNumber"] for record, image in zip(event["Records"], images) if "bad" in image]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in bad]}
"""


def eventually(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(0.05)
    raise AssertionError("not within 30 s")


class Stream:
    """A table whose stream is mapped to a function that prints what it gets."""

    def __init__(self, client: Client, make_function: Callable[..., str], name: str, may_read: bool = True) -> None:
        self._client, self.name = client, name
        client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        self.arn = client("dynamodb").describe_table(TableName=name)["Table"]["LatestStreamArn"]
        self.failures = client("sqs").create_queue(QueueName=f"{name}-failures")["QueueUrl"]
        queue = client("sqs").get_queue_attributes(QueueUrl=self.failures, AttributeNames=["QueueArn"])
        self._failures_arn = queue["Attributes"]["QueueArn"]
        actions = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]
        read = {"Effect": "Allow", "Action": actions, "Resource": self.arn}
        report = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": self._failures_arn}
        self.function = make_function(REPORTS_BAD_RECORDS, *([read, report] if may_read else [report]))

    def map(self, **settings: Any) -> str:
        mapping = self._client("lambda").create_event_source_mapping(
            EventSourceArn=self.arn,
            FunctionName=self.function,
            StartingPosition="TRIM_HORIZON",
            FunctionResponseTypes=["ReportBatchItemFailures"],
            DestinationConfig={"OnFailure": {"Destination": self._failures_arn}},
            **settings,
        )
        return str(mapping["UUID"])

    def write(self, item: str, **more: Any) -> None:
        self._client("dynamodb").put_item(TableName=self.name, Item={"id": {"S": item}, **more})

    def delivered(self) -> list[str]:
        """The batches that the function got, each as its items in a line."""
        group = f"/aws/lambda/{self.function}"
        if not self._client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return []
        events = self._client("logs").filter_log_events(logGroupName=group)["events"]
        platform = ("START ", "END ", "REPORT ")
        return [event["message"] for event in events if not event["message"].startswith(platform)]

    def given_up(self) -> list[dict[str, Any]]:
        messages = self._client("sqs").receive_message(QueueUrl=self.failures).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]


def test_what_was_written_is_delivered_and_a_bad_record_is_given_up(
    client: Client, make_function: Callable[..., str]
) -> None:
    stream = Stream(client, make_function, "bad-record")
    stream.write("a")
    stream.write("b", bad={"BOOL": True})

    stream.map(MaximumRetryAttempts=1)

    (failure,) = eventually(stream.given_up)
    assert stream.delivered() == ["a b", "b"]
    assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert failure["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_disabled_mapping_waits_and_goes_on_where_it_was(client: Client, make_function: Callable[..., str]) -> None:
    stream = Stream(client, make_function, "disabled")
    mapping = stream.map()
    stream.write("a")
    eventually(lambda: stream.delivered() == ["a"])

    client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
    time.sleep(1)  # it takes effect in a moment, here as on AWS
    stream.write("b")
    stream.write("c")
    client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)

    assert eventually(lambda: stream.delivered()[1:]) == ["b c"]


def test_an_updated_filter_is_honoured(client: Client, make_function: Callable[..., str]) -> None:
    stream = Stream(client, make_function, "updated")
    mapping = stream.map()
    stream.write("a")
    eventually(lambda: stream.delivered() == ["a"])

    pattern = json.dumps({"dynamodb": {"NewImage": {"id": {"S": ["c"]}}}})
    client("lambda").update_event_source_mapping(UUID=mapping, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    stream.write("b")
    stream.write("c")

    assert eventually(lambda: stream.delivered()[1:]) == ["c"]


def test_a_deleted_mapping_delivers_nothing_more(client: Client, make_function: Callable[..., str]) -> None:
    stream = Stream(client, make_function, "deleted")
    mapping = stream.map()
    stream.write("a")
    eventually(lambda: stream.delivered() == ["a"])

    client("lambda").delete_event_source_mapping(UUID=mapping)
    stream.write("b")
    stream.map()

    assert eventually(lambda: stream.delivered()[1:]) == ["a b"]


def test_a_role_without_the_stream_actions_gets_nothing(client: Client, make_function: Callable[..., str]) -> None:
    stream = Stream(client, make_function, "unreadable", may_read=False)
    mapping = stream.map()
    stream.write("a")

    told = eventually(lambda: _problem(client, mapping))

    assert "not authorized to perform: dynamodb:DescribeStream" in told
    assert stream.delivered() == []


def _problem(client: Client, mapping: str) -> str:
    result: str = client("lambda").get_event_source_mapping(UUID=mapping)["LastProcessingResult"]
    return result if result.startswith("PROBLEM") else ""
