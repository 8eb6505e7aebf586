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
