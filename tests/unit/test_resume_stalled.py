"""Connections that nobody came back to arrive late, never not at all."""

import json
from datetime import timedelta

from landing.domain.connection import Status
from tests.world.service import Service


def test_when_the_stream_delivers_nothing_the_schedule_has_the_login_fetched(service: Service) -> None:
    service.stream.enabled = False
    connection_id = service.connect_and_post()
    posted_at = service.world.clock.now()

    service.settle()

    assert service.row(connection_id).status is Status.READY
    assert service.row(connection_id).updated_at - posted_at <= timedelta(minutes=10)


def test_a_stream_that_was_away_for_longer_than_it_remembers_costs_nothing_but_time(service: Service) -> None:
    service.stream.enabled = service.schedule.enabled = False
    connection_ids = [service.connect_and_post(f"user-{n}") for n in range(20)]
    service.world.run(timedelta(hours=25))

    service.stream.enabled = service.schedule.enabled = True
    service.settle()

    assert {service.row(connection_id).status for connection_id in connection_ids} == {Status.READY}
    assert len(service.drops()) == 20


def test_a_purged_queue_delays_polls_and_loses_none(service: Service) -> None:
    connection_ids = [service.connect_and_post(f"user-{n}", pending={"seconds": 30}) for n in range(10)]
    service.world.run(timedelta(seconds=5))

    service.world.sqs.purge_queue(QueueUrl=service.world.queues["fetch"].url)
    service.settle()

    assert {service.row(connection_id).status for connection_id in connection_ids} == {Status.READY}


def test_a_message_that_cannot_be_sent_is_made_good(service: Service) -> None:
    service.world.fail("sqs", "send_message", "InternalError")
    connection_id = service.connect_and_post(pending={"polls": 1})

    service.settle()

    assert service.row(connection_id).status is Status.READY


def test_a_run_wakes_each_connection_once_and_the_next_run_does_not_repeat_it(service: Service) -> None:
    service.stream.enabled = service.queue.enabled = False
    for n in range(30):
        service.connect_and_post(f"user-{n}")

    service.world.run(timedelta(minutes=11))

    sent = [json.loads(message.body)["connectionId"] for message in service.world.queues["fetch"].messages]
    runs = [invocation.response["woken"] for invocation in service.world.invocations if invocation.response]
    assert runs == [30, 0]
    assert len(set(sent)) == len(sent) == 30


def test_a_run_is_bounded_and_says_so(service: Service) -> None:
    service.set_environment(RESUME_AT_MOST="10")
    service.stream.enabled = service.queue.enabled = False
    for n in range(25):
        service.connect_and_post(f"user-{n}")
    service.world.clock.advance(600)

    runs = [service.call("resume_stalled", {}) for _ in range(4)]

    assert [(run["woken"], run["complete"]) for run in runs] == [(10, False), (10, False), (5, True), (0, True)]


def test_nothing_that_has_ended_is_ever_found_due(service: Service) -> None:
    service.connect_and_post()
    service.settle()
    service.world.clock.advance(86_400)

    assert service.call("resume_stalled", {}) == {"woken": 0, "oldestSeconds": 0.0, "complete": True}
