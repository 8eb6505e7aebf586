"""What Lambda does at the same time, in virtual time: batches of a stream and of a queue, and the records of a batch.

The world does one thing after the other, and an invocation that waits for Flinks moves its clock. Here each piece of
work begins when it would, takes its own time, and then the clock goes back for its neighbour. So what it wrote at its
end is there when it began; nobody looks at a row in between, because whoever works on it holds its lease.
"""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from local.aws.stream_mapping import Lane
from tests.world.clock import VirtualClock
from tests.world.service import QUEUE, TABLE, Service, stream_mapping
from tests.world.world import Handler, QueueMapping, StreamDelivery, World


class Places:
    """So many pieces of work at once; each is begun by the place that is free first."""

    def __init__(self, clock: VirtualClock, how_many: int) -> None:
        self._clock = clock
        self._free = [clock.now()] * how_many

    @property
    def free_at(self) -> datetime:
        """When the next piece of work can begin."""
        return self._free[0]

    @property
    def over_at(self) -> datetime:
        """When all that was begun has ended."""
        return max(self._free)

    def work[T](self, piece: Callable[[], T]) -> T:
        with self._clock.apart():
            self._clock.advance_to(self.free_at)
            try:
                return piece()
            finally:
                heapq.heapreplace(self._free, self._clock.now())


def with_threads(handler: Handler, clock: VirtualClock, threads: int) -> Handler:
    """The handler of a batch, each of whose records takes a thread for its own time."""

    def of_batch(event: dict[str, Any]) -> dict[str, Any]:
        places = Places(clock, threads)
        answers = [places.work(partial(handler, {"Records": [each]})) for each in event["Records"]]
        clock.advance_to(places.over_at)
        return {"batchItemFailures": [failure for answer in answers for failure in answer["batchItemFailures"]]}

    return of_batch


class QueueSideBySide(QueueMapping):
    """As many batches at once as MaximumConcurrency says."""

    def __init__(self, world: World, queue: str, handler: Handler, batches: int) -> None:
        super().__init__(world, world.queues[queue], handler, batch_size=10, may_loop=True)
        self._places = Places(world.clock, batches)

    def next_due(self) -> datetime | None:
        due = super().next_due()
        return due and max(due, self._places.free_at)

    def deliver(self) -> None:
        self._places.work(super().deliver)


class StreamSideBySide(StreamDelivery):
    """Every lane of every shard has its batch at the same time."""

    def __init__(self, world: World, table: str, handler: Handler, mapping: dict[str, Any]) -> None:
        super().__init__(world, world.tables[table], handler, mapping)
        pairs = zip(self._mappings, self._shards, strict=True)
        self._lanes = [(lane, shard, Places(world.clock, 1)) for each, shard in pairs for lane in each.lanes]

    def next_due(self) -> datetime | None:
        due = [max(due, place.free_at) for lane, shard, place in self._lanes if (due := self._due(lane, shard))]
        return min(due, default=None)

    def deliver(self) -> None:
        now = self.world.clock.now()
        for lane, shard, place in self._lanes:
            if (due := self._due(lane, shard)) and max(due, place.free_at) <= now:
                place.work(lane.step)

    def _due(self, lane: Lane, shard: Any) -> datetime | None:
        if lane.waits_until is None:
            return self.world.clock.now() if shard.has_more(lane.checkpoint) else None
        return datetime.fromtimestamp(lane.waits_until, UTC) + self.A_MOMENT


def fetch_side_by_side(service: Service, *, batches: int, threads: int) -> None:
    """Have fetch_accounts invoked as it is on AWS, in place of one invocation after the other."""
    world = service.world
    handler = with_threads(lambda event: service.call("fetch_accounts", event), world.clock, threads)
    service.stream.enabled = service.queue.enabled = False
    world.attach(StreamSideBySide(world, TABLE, handler, stream_mapping("FetchAccountsFunction")))
    world.attach(QueueSideBySide(world, QUEUE, handler, batches))
