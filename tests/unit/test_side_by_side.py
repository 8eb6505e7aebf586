"""What is done at the same time takes the time of one, as far as there are places for it."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from landing.domain.connection import Status
from tests.world.clock import VirtualClock
from tests.world.service import Service
from tests.world.side_by_side import Places, QueueSideBySide, fetch_side_by_side
from tests.world.world import World

SECONDS = 20


@pytest.mark.parametrize(("places", "over"), [(1, 4 * SECONDS), (2, 2 * SECONDS), (4, SECONDS), (9, SECONDS)])
def test_four_pieces_of_work_are_over_when_the_places_have_done_them(places: int, over: int) -> None:
    clock = VirtualClock()
    began, side_by_side = clock.now(), Places(clock, places)

    for _ in range(4):
        side_by_side.work(lambda: clock.advance(SECONDS))

    assert clock.now() == began
    assert side_by_side.over_at == began + timedelta(seconds=over)


@pytest.mark.parametrize(("batches", "begun"), [(1, [0, 20, 40]), (2, [0, 0, 20]), (3, [0, 0, 0])])
def test_a_queue_has_so_many_batches_under_way_and_no_more(batches: int, begun: list[int]) -> None:
    world = World()
    url = world.sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "120"})["QueueUrl"]
    start = world.clock.now()
    at: list[datetime] = []
    in_turn: list[datetime] = []

    def works(_: dict[str, Any]) -> dict[str, Any]:
        at.append(world.clock.now())
        in_turn.append(world.clock.now())
        world.clock.advance(SECONDS)
        return {"batchItemFailures": []}

    world.every(7, lambda _: in_turn.append(world.clock.now()))
    world.attach(QueueSideBySide(world, "work", works, batches))
    for number in range(30):
        world.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(number))
    world.run(timedelta(minutes=2))

    assert [(each - start).total_seconds() for each in at] == begun
    assert world.queues["work"].messages == []
    assert in_turn == sorted(in_turn), "a batch that waits for a place is not begun before what is due sooner"


@pytest.mark.parametrize(("threads", "tried"), [(8, [16] * 8), (1, [16, 16, 31, 31, 46, 61, 76, 91])])
def test_connections_that_hang_together_wait_for_threads_in_the_two_batches_of_a_shard(
    service: Service, threads: int, tried: list[int]
) -> None:
    fetch_side_by_side(service, batches=2, threads=threads)
    start = service.world.clock.now()
    service.script(steps=[{"fault": "hang", "seconds": 3600, "times": "forever"}])
    for number in range(8):
        service.connect_and_post(f"user-{number}")

    while any(row.status is Status.RECEIVED for row in service.rows()):
        service.world.step()

    seconds = [(row.updated_at - start).total_seconds() for row in service.rows()]
    assert sorted(seconds) == tried, "a second for the window, fifteen for Flinks"
