"""The service with publish_events on its stream, and what it told the bus."""

import json
from collections import Counter
from typing import Any

from tests.world.service import REFUSED, TABLE, Service, stream_mapping
from tests.world.world import StreamDelivery


class Audience:
    """Hears everything on the bus. `mapping` is the stream mapping of publish_events."""

    def __init__(self, service: Service, mapping: StreamDelivery) -> None:
        self._service = service
        self.mapping = mapping

    @property
    def entries(self) -> list[dict[str, Any]]:
        """As PutEvents took them, oldest first."""
        return self._service.world.announced

    @property
    def heard(self) -> list[dict[str, Any]]:
        """The details, oldest first."""
        return [json.loads(entry["Detail"]) for entry in self.entries]

    @property
    def ids(self) -> Counter[str]:
        return Counter(detail["id"] for detail in self.heard)

    def of(self, connection_id: str) -> list[str]:
        """What was heard of one connection, as `generation status`."""
        heard = [detail for detail in self.heard if detail["connectionId"] == connection_id]
        return [f"{detail['generation']} {detail['status']}" for detail in heard]

    @property
    def refused(self) -> list[dict[str, Any]]:
        """What lies in the queue for ops."""
        return [json.loads(message.body) for message in self._service.world.queues[REFUSED].messages]


def audience_of(service: Service) -> Audience:
    world = service.world
    handler = lambda event: service.call("publish_events", event)  # noqa: E731 - reads as what it is
    mapping = world.on_stream(TABLE, handler, **stream_mapping("PublishEventsFunction"))
    return Audience(service, mapping)
