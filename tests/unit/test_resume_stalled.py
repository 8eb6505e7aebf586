"""Connections that nobody came back to arrive late, never not at all."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from landing.domain.connection import Status
from local.aws.alarms import Alarm, Metrics
from local.flinks.cards import Pending
from tests.world.erasing import with_erasing
from tests.world.service import TEMPLATE, Service

TICK = timedelta(minutes=5)


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


def test_nothing_that_has_ended_is_ever_found_due_but_for_its_announcement(service: Service) -> None:
    service.connect_and_post()
    service.settle()
    service.world.clock.advance(86_400)

    runs = [service.call("resume_stalled", {}) for _ in range(2)]

    found_nothing = {"woken": 0, "announced": 0, "oldestSeconds": 0.0, "complete": True}
    assert runs == [found_nothing | {"announced": 1}, found_nothing]


# --- nobody waits without somebody hearing of it


def test_with_the_mappings_off_for_a_day_the_metric_says_so_and_the_alarm_stays(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.stream.enabled = service.queue.enabled = False
    connection_id = service.connect_and_post()
    capsys.readouterr()

    service.world.run(timedelta(hours=24))
    metrics, states = measured(service, capsys, ticks=12, alarm="ConnectionsAreOverdue")

    assert max(values(metrics, "OldestOverdueSeconds", service)) >= 23 * 3600
    assert set(states[3:]) == {"ALARM"}
    service.queue.enabled = True
    service.settle()
    assert service.row(connection_id).status is Status.READY
    assert service.row(connection_id).overdue_since is None
    _, states = measured(service, capsys, ticks=4, alarm="ConnectionsAreOverdue")
    assert states[-1] == "OK"


def test_a_connection_that_somebody_takes_in_time_begins_anew(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.stream.enabled = service.queue.enabled = False
    connection_id = service.connect_and_post(pending={"seconds": 90_000})
    service.world.run(timedelta(hours=2))
    service.queue.enabled = True
    service.world.run(TICK)
    assert service.row(connection_id).overdue_since is None
    service.queue.enabled = False
    capsys.readouterr()

    metrics, _ = measured(service, capsys, ticks=5, alarm="ConnectionsAreOverdue")

    assert 0 < max(values(metrics, "OldestOverdueSeconds", service)) < 3600


def test_a_deletion_that_nobody_works_on_pages_a_day_after_it_was_ordered(
    service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    erasing = with_erasing(service, monkeypatch)
    connection_id = service.connect_and_post()
    service.settle()
    (card,) = service.bank.vault.cards.values()
    card.wait(Pending(seconds=300), service.world.clock.now())
    erasing.erase(connection_id)
    erasing.mapping.enabled = False
    capsys.readouterr()

    service.world.run(timedelta(hours=23))
    metrics, states = measured(service, capsys, ticks=6, alarm="DeletionsAreOverdue")
    assert set(states) == {"OK"}
    assert max(values(metrics, "OldestOverdueSeconds", service)) >= 23 * 3600
    service.world.run(timedelta(hours=1))
    _, states = measured(service, capsys, ticks=12, alarm="DeletionsAreOverdue")

    assert set(states[4:]) == {"ALARM"}
    erasing.mapping.enabled = True
    erasing.settle()
    assert service.row(connection_id).status is Status.DELETED


def measured(
    service: Service, capsys: pytest.CaptureFixture[str], *, ticks: int, alarm: str
) -> tuple[Metrics, list[str]]:
    """What was printed tick by tick, and how the template's alarm stood after each."""
    capsys.readouterr()
    of, metrics, states = alarm_of(alarm), Metrics(), []
    for _ in range(ticks):
        service.world.run(TICK)
        now = service.world.clock.now()
        for line in capsys.readouterr().out.splitlines():
            metrics.hear(line, now)
        states.append(of.state(metrics, now + timedelta(minutes=1)))
    return metrics, states


def values(metrics: Metrics, name: str, service: Service) -> list[float]:
    """Everything that was measured under a name."""
    since, until = datetime.min.replace(tzinfo=service.world.clock.now().tzinfo), service.world.clock.now()
    return [
        value
        for series in alarm_of("ConnectionsAreOverdue").series
        if series.name == name
        for value in metrics.between(series, since, until + TICK)
    ]


def alarm_of(name: str) -> Alarm:
    """The template's alarm, on the metrics as the world prints them: all functions as one service of one stack."""
    return Alarm.of(name, in_plain(TEMPLATE[name]["Properties"]))


def in_plain(properties: dict[str, Any]) -> dict[str, Any]:
    if "Metrics" in properties:
        each_once = {
            each["MetricStat"]["Metric"]["MetricName"]: each for each in properties["Metrics"] if "MetricStat" in each
        }
        stats = [
            each | {"MetricStat": each["MetricStat"] | {"Metric": in_plain(each["MetricStat"]["Metric"])}}
            for each in each_once.values()
        ]
        return properties | {"Metrics": [each for each in properties["Metrics"] if "Expression" in each] + stats}
    (of,) = properties["Dimensions"]
    return properties | {"Namespace": "flinks-landing", "Dimensions": [of | {"Value": "flinks-landing"}]}
