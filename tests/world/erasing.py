"""delete_connection in the world: its queue, its environment, and orders as ops gives them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from landing.connection import Connection
from landing.connection_table import hint_of
from landing.queues import to_message
from tests.world.objects import Bucket
from tests.world.service import BUCKET, TABLE, Service, context_of, handler_of

QUEUE = "erase"
LAMBDA_SECONDS = 300
RESUMED_AFTER = 420  # seconds: what resume_stalled and its schedule take at the most


class Erasing:
    """The service with verbs for who erases."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world
        self.seconds_left: Callable[[], float] = lambda: LAMBDA_SECONDS

    def invoke(self, **order: Any) -> dict[str, Any]:
        """What `aws lambda invoke` answers."""
        context: Any = context_of("delete_connection")
        context.get_remaining_time_in_millis = lambda: int(self.seconds_left() * 1000)
        answer: dict[str, Any] = handler_of("delete_connection")(json.loads(json.dumps(order)), context)
        return answer

    def erase(self, connection_id: str, ticket: str = "T-1") -> dict[str, Any]:
        """The answer for one connection."""
        (answer,) = self.invoke(connectionId=connection_id, ticket=ticket)["connections"]
        return dict(answer)

    def settle(self) -> None:
        """Let everything happen that is due, lost messages found again by a stand-in for resume_stalled."""
        self.world.settle(lambda: not self.unfinished())

    def unfinished(self) -> list[Connection]:
        rows = (self.service.row(key[0]) for key in list(self.world.tables[TABLE].items))
        return [row for row in rows if row.due_at is not None]

    @property
    def bucket(self) -> Bucket:
        return self.world.buckets[BUCKET]

    def left_of(self, connection_id: str) -> list[str]:
        """Every version and marker below a connection's prefix."""
        return [
            f"{key}@{version.id}"
            for key, versions in self.bucket.versions.items()
            if f"/{connection_id}/" in key
            for version in versions
        ]

    def receipt(self, connection_id: str) -> Any:
        """The receipt in S3."""
        (version,) = self.bucket.versions[f"receipts/v1/{connection_id}.json"]
        return json.loads(version.body or b"")

    def everything(self) -> str:
        """All that the stores hold, to be compared."""
        queues = {name: [message.body for message in queue.messages] for name, queue in self.world.queues.items()}
        return repr((self.world.tables[TABLE].items, self.bucket, queues, self.service.bank.vault.cards.keys()))

    def _consume(self, event: dict[str, Any]) -> Any:
        return handler_of("delete_connection")(event, context_of("delete_connection"))


def with_erasing(service: Service, monkeypatch: pytest.MonkeyPatch) -> Erasing:
    """Deploy delete_connection to the service's world, and what finds stalled erasures."""
    world = service.world
    url = world.sqs.create_queue(QueueName=QUEUE, Attributes={"VisibilityTimeout": "1800"})["QueueUrl"]
    for name, value in {"ERASE_QUEUE_URL": url, "PITR_DAYS": "7", "ERASE_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    erasing = Erasing(service)

    def consume(event: dict[str, Any]) -> Any:
        context: Any = context_of("delete_connection")
        context.get_remaining_time_in_millis = lambda: int(erasing.seconds_left() * 1000)
        return handler_of("delete_connection")(event, context)

    world.on_queue(QUEUE, consume, batch_size=1)

    def resume(_: Any) -> None:
        now = world.clock.now()
        for item in list(world.tables[TABLE].items.values()):
            due_at = service.row(item["connectionId"]["S"]).due_at
            if due_at is not None and (now - due_at).total_seconds() > RESUMED_AFTER - 300:
                queue = QUEUE if item["status"]["S"] == "deleting" else "fetch"
                world.queues[queue].send(json.dumps(to_message(hint_of(item))))

    world.every(300, resume)
    return erasing
