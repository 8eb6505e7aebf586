"""The stack's queues: how much waits in them, what it says, and away with it."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ops.target import Target

QUEUES = {
    "FetchQueue": "connections that are due, or will be",
    "EraseQueue": "deletions that go on",
    "FetchDeadLetters": "fetch_accounts died on it five times; its row is found by the schedule",
    "EraseDeadLetters": "delete_connection died on it five times; its row is found by the schedule",
    "StreamFailures": "a place in the table's stream that was given up",
    "AnnouncementFailures": "EventBridge will never take it, or the row cannot be put into words",
}
"""By logical id: what lies in it."""

WORKING = frozenset({"FetchQueue", "EraseQueue"})
"""Purging these loses no connection either, but makes every one of them late."""


@dataclass(frozen=True)
class Depth:
    """About how many messages a queue holds; SQS counts by estimate."""

    name: str
    waiting: int
    delayed: int
    in_flight: int


def depth(target: Target, name: str) -> Depth:
    found = target.client("sqs").get_queue_attributes(QueueUrl=url(target, name), AttributeNames=["All"])["Attributes"]
    return Depth(
        name,
        int(found.get("ApproximateNumberOfMessages", 0)),
        int(found.get("ApproximateNumberOfMessagesDelayed", 0)),
        int(found.get("ApproximateNumberOfMessagesNotVisible", 0)),
    )


def peek(target: Target, name: str, at_most: int, wait: timedelta = timedelta(seconds=2)) -> list[dict[str, Any]]:
    """Messages as they are, each once; they stay. Long polling asks every server that holds some.

    SQS counts a look as a receive: a queue with a redrive policy would move what was looked at too often, so only
    queues without one may be peeked into (docs/operations.md).
    """
    sqs, found = target.client("sqs"), dict[str, dict[str, Any]]()
    for _ in range(20):
        answer = sqs.receive_message(
            QueueUrl=url(target, name),
            MaxNumberOfMessages=min(10, at_most),
            VisibilityTimeout=1,
            WaitTimeSeconds=int(wait.total_seconds()),
        )
        new = [each for each in answer.get("Messages", []) if each["MessageId"] not in found]
        found |= {each["MessageId"]: _said(each["Body"]) for each in new}
        if not new or len(found) >= at_most:
            break
    return list(found.values())[:at_most]


def purge(target: Target, name: str) -> None:
    target.client("sqs").purge_queue(QueueUrl=url(target, name))


def url(target: Target, name: str) -> str:
    return target.output(name) if name in target.outputs else target.resource(name)


def _said(body: str) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {"body": "not JSON"}
    return said if isinstance(said, dict) else {"body": "no object"}
