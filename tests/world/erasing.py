"""delete_connection in the world: its queue, its environment, and orders as ops gives them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from landing.domain.connection import TERMINAL, Connection
from tests.world.objects import Bucket
from tests.world.service import BUCKET, TABLE, Service, make_queue, recursive_loop
from tests.world.world import QueueMapping

QUEUE = "erase"
LAMBDA_SECONDS = 300


class Erasing:
    """The service with verbs for who erases."""

    mapping: QueueMapping

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world
        self.seconds_left: Callable[[], float] = lambda: LAMBDA_SECONDS

    def invoke(self, **order: Any) -> dict[str, Any]:
        """What `aws lambda invoke` answers to an order that is meant."""
        return self.handle(json.loads(json.dumps({"ticket": "T-1", "dryRun": False} | order)))

    def handle(self, event: Any) -> dict[str, Any]:
        return self.service.call("delete_connection", event, self.seconds_left)

    def erase(self, connection_id: str, ticket: str = "T-1") -> dict[str, Any]:
        """The answer for one connection."""
        (answer,) = self.invoke(connectionId=connection_id, ticket=ticket)["connections"]
        return dict(answer)

    def settle(self) -> None:
        """Let everything happen that is due, until no connection is due for anything."""
        self.world.settle(lambda: not self.unfinished())

    def rows(self) -> list[Connection]:
        return [self.service.row(str(key[0])) for key in self.world.tables[TABLE].items]

    def unfinished(self) -> list[Connection]:
        return [row for row in self.rows() if row.status not in TERMINAL and row.due_at is not None]

    def messages(self) -> list[dict[str, Any]]:
        """What lies in the erase queue."""
        return [json.loads(message.body) for message in self.world.queues[QUEUE].messages]

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
        """The receipt in S3, of the last erasure."""
        return self.receipts(connection_id)[-1]

    def receipts(self, connection_id: str) -> list[Any]:
        """Every receipt of a connection, the newest last."""
        keys = sorted(key for key in self.bucket.versions if key.startswith(f"receipts/v1/{connection_id}."))
        versions = [version for key in keys for version in self.bucket.versions[key]]
        return [json.loads(version.body or b"") for version in versions]

    def everything(self) -> str:
        """All that the stores hold, to be compared."""
        queues = {name: [message.body for message in queue.messages] for name, queue in self.world.queues.items()}
        return repr((self.world.tables[TABLE].items, self.bucket, queues, self.service.bank.vault.cards.keys()))


def with_erasing(service: Service, monkeypatch: pytest.MonkeyPatch) -> Erasing:
    """Deploy delete_connection to the service's world."""
    world = service.world
    url = make_queue(world, QUEUE, "EraseQueue")
    for name, value in {
        "ERASE_QUEUE_URL": url,
        "PITR_DAYS": "7",
        "DAYS_TO_REMOVE_COPIES": "0",
        "ERASE_THREADS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    erasing = Erasing(service)
    loop = recursive_loop("DeleteConnectionFunction")
    erasing.mapping = world.on_queue(QUEUE, erasing.handle, batch_size=1, recursive_loop=loop)
    return erasing
