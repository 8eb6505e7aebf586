"""SQS standard queues: delays, visibility, dead letters, and duplicates and disorder on demand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import md5
from json import loads
from random import Random
from typing import Any

from tests.world.clock import VirtualClock
from tests.world.wire import ACCOUNT, REGION, Answer, AwsError, Parameters

LONGEST_DELAY, LARGEST_BATCH = 900, 10  # seconds, messages
RETENTION = timedelta(days=4)


@dataclass
class Message:
    body: str
    id: str
    sent: datetime
    due: datetime
    place: float
    receipt: str = ""
    trace: str = ""  # the tracing header of who sent it
    receives: int = 0
    first_received: datetime | None = None


@dataclass
class Queue:
    """One queue. Each message sent becomes `copies`, each due up to `disorder` seconds later or `early`
    seconds sooner, in any order: the platform's at-least-once taken at its word.
    """

    name: str
    clock: VirtualClock
    random: Random
    visibility: float = 30
    max_receives: int | None = None
    dead_letters: "Queue | None" = None
    copies: int = 1
    disorder: float = 0
    early: float = 0
    messages: list[Message] = field(default_factory=list)
    sent: int = 0
    received: int = 0

    @property
    def url(self) -> str:
        return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.name}"

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.name}"

    def send(self, body: str, delay: float = 0, trace: str = "") -> str:
        self.sent += 1
        message_id = f"00000000-0000-4000-8000-{self.sent:012d}"
        for _ in range(self.copies):
            shift = self.random.uniform(-self.early, self.disorder) if self.early or self.disorder else 0
            due = self.clock.now() + timedelta(seconds=max(0, delay + shift))
            place = self.random.random() if self.disorder else self.sent
            self.messages.append(Message(body, message_id, self.clock.now(), due, place, trace=trace))
        return message_id

    def receive(self, limit: int, visibility: float | None = None) -> list[Message]:
        """Hide and return what is due; what was received too often goes to the dead letters instead."""
        now = self.clock.now()
        self.messages = [m for m in self.messages if now - m.sent < RETENTION]
        taken: list[Message] = []
        for message in sorted((m for m in self.messages if m.due <= now), key=lambda m: (m.due, m.place)):
            if self.dead_letters and message.receives >= (self.max_receives or message.receives + 1):
                self.give_up(message)
            elif len(taken) < limit:
                self.received += 1
                message.receives += 1
                message.receipt = f"{message.id}#{self.received}"
                message.first_received = message.first_received or now
                message.due = now + timedelta(seconds=self.visibility if visibility is None else visibility)
                taken.append(message)
        return taken

    def give_up(self, message: Message) -> None:
        """To the dead letters; without any, away."""
        self.messages.remove(message)
        if self.dead_letters:
            self.dead_letters.messages.append(message)
            message.due, message.receives = self.clock.now(), 0

    def delete(self, receipt: str) -> None:
        """Forget the message; an older receipt than its last one deletes nothing."""
        self.messages = [m for m in self.messages if m.receipt != receipt or not receipt]

    def next_due(self) -> datetime | None:
        return min((m.due for m in self.messages), default=None)


class Queues:
    """The `sqs` client's side. `trace` gives the tracing header of who sends."""

    def __init__(self, clock: VirtualClock, random: Random, trace: Callable[[], str]) -> None:
        self.clock, self.random, self.trace = clock, random, trace
        self.queues: dict[str, Queue] = {}

    def create_queue(self, call: Parameters) -> Answer:
        attributes = call.get("Attributes", {})
        queue = Queue(call["QueueName"], self.clock, self.random, float(attributes.get("VisibilityTimeout", 30)))
        if policy := loads(attributes.get("RedrivePolicy", "{}")):
            queue.max_receives = int(policy["maxReceiveCount"])
            queue.dead_letters = self.queues[policy["deadLetterTargetArn"].rsplit(":", 1)[1]]
        self.queues[queue.name] = queue
        return {"QueueUrl": queue.url}

    def get_queue_url(self, call: Parameters) -> Answer:
        return {"QueueUrl": self._named(call["QueueName"]).url}

    def get_queue_attributes(self, call: Parameters) -> Answer:
        queue, now = self._queue(call), self.clock.now()
        counts = {
            "ApproximateNumberOfMessages": sum(m.due <= now for m in queue.messages),
            "ApproximateNumberOfMessagesDelayed": sum(m.due > now and not m.receives for m in queue.messages),
            "ApproximateNumberOfMessagesNotVisible": sum(m.due > now and m.receives > 0 for m in queue.messages),
        }
        everything = {"QueueArn": queue.arn} | {name: str(count) for name, count in counts.items()}
        wanted = call.get("AttributeNames", [])
        return {"Attributes": {n: v for n, v in everything.items() if n in wanted or "All" in wanted}}

    def send_message(self, call: Parameters) -> Answer:
        queue, delay = self._queue(call), call.get("DelaySeconds", 0)
        if not 0 <= delay <= LONGEST_DELAY:
            raise AwsError("InvalidParameterValue", f"Value {delay} for parameter DelaySeconds is invalid.")
        message_id = queue.send(call["MessageBody"], delay, self.trace())
        return {"MessageId": message_id, "MD5OfMessageBody": _md5(call["MessageBody"])}

    def receive_message(self, call: Parameters) -> Answer:
        limit = call.get("MaxNumberOfMessages", 1)
        if not 1 <= limit <= LARGEST_BATCH:
            raise AwsError("InvalidParameterValue", "MaxNumberOfMessages must be between 1 and 10")
        taken = self._queue(call).receive(limit, call.get("VisibilityTimeout"))
        wanted = {*call.get("MessageSystemAttributeNames", []), *call.get("AttributeNames", [])}
        messages = [
            {
                "MessageId": m.id,
                "ReceiptHandle": m.receipt,
                "Body": m.body,
                "MD5OfBody": _md5(m.body),
                "Attributes": {n: v for n, v in system_attributes(m).items() if n in wanted or "All" in wanted},
            }
            for m in taken
        ]
        return {"Messages": messages} if messages else {}

    def delete_message(self, call: Parameters) -> Answer:
        self._queue(call).delete(call["ReceiptHandle"])
        return {}

    def purge_queue(self, call: Parameters) -> Answer:
        self._queue(call).messages.clear()
        return {}

    def _queue(self, call: Parameters) -> Queue:
        return self._named(call["QueueUrl"].rsplit("/", 1)[1])

    def _named(self, name: str) -> Queue:
        if name not in self.queues:
            raise AwsError("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return self.queues[name]


def system_attributes(message: Message) -> dict[str, str]:
    first = message.first_received or message.sent
    return {
        "ApproximateReceiveCount": str(message.receives),
        "SentTimestamp": str(int(message.sent.timestamp() * 1000)),
        "SenderId": ACCOUNT,
        "ApproximateFirstReceiveTimestamp": str(int(first.timestamp() * 1000)),
        **({"AWSTraceHeader": message.trace} if message.trace else {}),
    }


def as_record(queue: Queue, message: Message) -> dict[str, Any]:
    """Return the message as a function sees it in its event."""
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": system_attributes(message),
        "messageAttributes": {},
        "md5OfBody": _md5(message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": REGION,
    }


def _md5(body: str) -> str:
    return md5(body.encode(), usedforsecurity=False).hexdigest()
