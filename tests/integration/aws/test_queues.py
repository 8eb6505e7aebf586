"""The emulator maps queues to functions as AWS does: what failed comes back, as long as the role may consume."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.aws.test_streams import eventually

Client = Callable[[str], Any]

ANSWERS_AS_TOLD = """
import json
def lambda_handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    print(*bodies)
    told = json.loads(bodies[0])
    if told == "crash":
        raise ValueError(told)
    ids = {"first": event["Records"][0]["messageId"]}
    return json.loads(json.dumps(told).replace("$first", ids["first"]))
"""


class Queue:
    """A queue, mapped to a function that answers what its first message says."""

    def __init__(self, client: Client, make_function: Callable[..., str], name: str, *actions: str) -> None:
        self._client = client
        sqs = client("sqs")
        self.url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        consume = {"Effect": "Allow", "Action": list(actions), "Resource": attributes["QueueArn"]}
        self._function = make_function(ANSWERS_AS_TOLD, consume)
        self.mapping = client("lambda").create_event_source_mapping(
            EventSourceArn=attributes["QueueArn"],
            FunctionName=self._function,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )["UUID"]

    def send(self, answer: Any) -> None:
        self._client("sqs").send_message(QueueUrl=self.url, MessageBody=json.dumps(answer))

    def result(self) -> str:
        """How the last batch ended; empty before the first one."""
        told: str = self._client("lambda").get_event_source_mapping(UUID=self.mapping)["LastProcessingResult"]
        return "" if told == "No records processed" else told

    def remaining(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self._client("sqs").get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in counts.values())


CONSUME = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@pytest.mark.parametrize(
    ("answer", "remaining"),
    [
        (None, 0),
        ({"batchItemFailures": []}, 0),
        ({"batchItemFailures": [{"itemIdentifier": "$first"}]}, 1),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, 1),
        ({"batchItemFailures": [{"itemIdentifier": "unknown"}]}, 1),
        ({"batchItemFailures": [{"identifier": "$first"}]}, 1),
        ("crash", 1),
    ],
    ids=["nothing", "none failed", "it failed", "empty", "unknown", "badly named", "crash"],
)
def test_what_failed_stays_in_the_queue(
    client: Client, make_function: Callable[..., str], answer: Any, remaining: int, request: pytest.FixtureRequest
) -> None:
    queue = Queue(client, make_function, f"told-{abs(hash(request.node.nodeid))}", *CONSUME)

    queue.send(answer)

    eventually(queue.result)
    assert queue.remaining() == remaining


def test_a_role_that_may_not_consume_gets_nothing(client: Client, make_function: Callable[..., str]) -> None:
    queue = Queue(client, make_function, "unreadable", "sqs:ReceiveMessage")

    queue.send(None)

    assert eventually(queue.result) == "PROBLEM: the function's role may not sqs:DeleteMessage"
    assert queue.remaining() == 1


def test_a_queue_that_takes_tls_only_is_consumed_by_its_mapping(
    client: Client, make_function: Callable[..., str]
) -> None:
    queue = Queue(client, make_function, "tls-only", *CONSUME)
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*", "Condition": plain}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    client("sqs").set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": policy})

    queue.send(None)

    assert eventually(queue.result) == "OK"
    assert queue.remaining() == 0


SENDS_TO_ITS_OWN_QUEUE = """
import json, os
import boto3
sqs = boto3.client("sqs")
def lambda_handler(event, context):
    (record,) = event["Records"]
    told = json.loads(record["body"])
    print("round", told["round"])
    if told["round"] < 20:
        body = json.dumps(told | {"round": told["round"] + 1})
        sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=body)
"""


@pytest.mark.parametrize(("loop", "rounds", "dead"), [("Terminate", 16, [{"round": 17}]), ("Allow", 20, [])])
def test_a_function_that_feeds_its_own_queue_is_ended_after_sixteen_rounds_unless_it_says_so(
    client: Client, deploy_function: Callable[..., str], loop: str, rounds: int, dead: list[Any]
) -> None:
    sqs, name = client("sqs"), f"loop-{loop}"
    letters = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": arn(f"{name}-dead"), "maxReceiveCount": 5}
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": json.dumps(redrive)})["QueueUrl"]
    consume = {"Effect": "Allow", "Action": [*CONSUME, "sqs:SendMessage"], "Resource": arn(name)}
    deploy_function(name, SENDS_TO_ITS_OWN_QUEUE, consume, Environment={"Variables": {"QUEUE_URL": url}})
    client("lambda").put_function_recursion_config(FunctionName=name, RecursiveLoop=loop)
    client("lambda").create_event_source_mapping(EventSourceArn=arn(name), FunctionName=name, BatchSize=1)

    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"round": 1}))

    def run() -> list[str]:
        log = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="round")
        return [event["message"] for event in log["events"]]

    eventually(lambda: client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"])
    eventually(lambda: len(run()) == rounds)
    if dead:
        messages = eventually(lambda: sqs.receive_message(QueueUrl=letters).get("Messages"))
        assert [json.loads(message["Body"]) for message in messages] == dead
    assert len(run()) == rounds


def arn(queue: str) -> str:
    return f"arn:aws:sqs:ca-central-1:123456789012:{queue}"
