"""Announcements that the stream never brings: the schedule finds every one, and somebody hears of it."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from landing.domain.connection import Status
from local.aws.alarms import Alarm, Metrics
from tests.world.audience import Audience, audience_of
from tests.world.erasing import with_erasing
from tests.world.service import TABLE, TEMPLATE, Service

HOUR = timedelta(hours=1)


@pytest.fixture
def audience(service: Service) -> Audience:
    return audience_of(service)


def test_thirty_hours_without_the_mapping_lose_none_of_a_hundred_announcements_and_ops_hears_in_the_first(
    service: Service, audience: Audience, capsys: pytest.CaptureFixture[str]
) -> None:
    audience.mapping.enabled = False
    capsys.readouterr()
    ids = [service.connect_and_post(f"user-{n}") for n in range(100)]
    service.settle()

    rang_after = None
    for tick in range(1, 30 * 4 + 1):
        service.world.run(HOUR / 4)
        if rang_after is None and has_rung(service, capsys.readouterr().out):
            rang_after = tick
    audience.mapping.enabled = True
    service.world.run(HOUR)

    assert rang_after is not None
    assert rang_after <= 4
    assert audience.ids == Counter({f"{id_}/1/ready": 1 for id_ in ids})


def test_what_the_stream_brings_in_time_the_schedule_does_not_announce(
    service: Service, audience: Audience, capsys: pytest.CaptureFixture[str]
) -> None:
    connection_id = service.connect_and_post()
    service.settle()
    capsys.readouterr()

    service.world.run(3 * HOUR)

    assert audience.of(connection_id) == ["1 ready"]
    assert not has_rung(service, capsys.readouterr().out)


def test_taking_the_mark_away_is_no_news(service: Service, audience: Audience) -> None:
    service.connect_and_post()
    service.settle()

    service.world.run(HOUR)

    batches = [each for each in service.world.invocations if is_of_publish_events(each.event)]
    assert len(batches) == 1
    assert all(row.due_at is None for row in service.rows())
    assert audience.heard


def test_every_kind_of_ending_is_found(service: Service, audience: Audience, monkeypatch: pytest.MonkeyPatch) -> None:
    erasing = with_erasing(service, monkeypatch)
    audience.mapping.enabled = False
    gone = service.connect_and_post("greatday_nomfa+gone")
    disabled = service.connect_and_post("test_disabled_account+one")
    service.settle()
    service.world.run(timedelta(minutes=2))
    erasing.erase(gone)

    service.world.run(HOUR)

    assert audience.of(disabled) == ["1 action_required"]
    assert audience.of(gone) == ["1 deleted"]
    assert {(row.due_at, row.announce_by) for row in service.rows()} == {(None, None)}


def test_while_the_bus_is_away_too_they_wait_for_it(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    connection_id = service.connect_and_post()
    service.settle()
    service.world.fail("events", "put_events", "InternalFailure", times=100)

    service.world.run(HOUR)
    before = audience.of(connection_id)
    service.world._faults.clear()  # noqa: SLF001 - the outage ends
    service.world.run(HOUR)

    assert before == []
    assert audience.of(connection_id) == ["1 ready"]


@pytest.mark.parametrize("missing", ["drop", "loginRef"])
def test_an_ending_that_cannot_be_announced_is_told_to_ops_once(
    service: Service, audience: Audience, missing: str
) -> None:
    audience.mapping.enabled = False
    connection_id = service.connect_and_post()
    service.settle()
    service.world.dynamodb.update_item(
        TableName=TABLE,
        Key={"connectionId": {"S": connection_id}},
        UpdateExpression="REMOVE #missing",
        ExpressionAttributeNames={"#missing": missing},
    )

    service.world.run(3 * HOUR)

    assert [told["connectionId"] for told in audience.refused] == [connection_id]
    assert audience.heard == []


def test_many_endings_hold_up_no_connection_that_waits(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    service.set_environment(RESUME_AT_MOST="5")
    for n in range(20):
        service.connect_and_post(f"user-{n}")
    service.settle()
    service.stream.enabled = False
    forgotten = service.connect_and_post("forgotten")
    service.world.fail("events", "put_events", "InternalFailure", times=1000)

    service.world.run(timedelta(minutes=30))

    assert service.row(forgotten).status is Status.READY


def test_an_ending_with_drops_to_sweep_is_announced_once_they_are_gone_whatever_the_stream_brings(
    service: Service, audience: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_erasing(service, monkeypatch)
    audience.mapping.enabled = False
    connection_id = fails_with_a_drop_uncommitted(service)
    before = service.row(connection_id)

    service.world.run(HOUR)

    row = service.row(connection_id)
    assert before.uncommitted
    assert (row.uncommitted, row.due_at) == (None, None)
    assert audience.of(connection_id) == ["1 failed"]


def test_while_drops_cannot_be_swept_the_ending_is_not_called_unannounced(
    service: Service, audience: Audience, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_erasing(service, monkeypatch)
    service.world.fail("s3", "list_object_versions", "AccessDenied", times=1000)
    connection_id = fails_with_a_drop_uncommitted(service)
    capsys.readouterr()

    service.world.run(HOUR)

    assert service.row(connection_id).uncommitted
    assert audience.heard == []
    assert not has_rung(service, capsys.readouterr().out)


def test_endings_are_announced_by_no_more_than_the_bound_in_a_run(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    service.set_environment(RESUME_AT_MOST="5")
    for n in range(12):
        service.connect_and_post(f"user-{n}")
    service.settle()
    service.schedule.enabled = False
    service.world.clock.advance(3600)

    runs = [service.call("resume_stalled", {}) for _ in range(4)]

    assert [(run["announced"], run["complete"]) for run in runs] == [(5, False), (5, False), (2, True), (0, True)]
    assert len(audience.heard) == 12


def test_endings_that_the_bus_does_not_take_give_way_to_others(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    service.set_environment(RESUME_AT_MOST="5")
    for n in range(12):
        service.connect_and_post(f"user-{n}")
    service.settle()
    service.schedule.enabled = False
    service.world.clock.advance(3600)
    service.world.fail("events", "put_events", "InternalFailure", times=3)

    runs = [service.call("resume_stalled", {}) for _ in range(3)]

    assert [run["announced"] for run in runs] == [5, 5, 2]
    assert len(audience.heard) == 7


def fails_with_a_drop_uncommitted(service: Service) -> str:
    """S3 takes the drop and does not answer; then Flinks says that the session was another owner's."""
    login_id = service.connect_bank()
    service.world.fail("s3", "put_object", "Timeout", effect=True)
    connection_id = str(json.loads(service.post(login_id)["body"])["connectionId"])
    service.until(connection_id, Status.WAITING)
    service.retag(login_id, service.tag_for("bob"))
    service.bank.vault.sessions.clear()
    service.until(connection_id, Status.FAILED)
    return connection_id


def has_rung(service: Service, printed: str) -> bool:
    """Whether the template's alarm was on, by the metrics that were printed, each taken for the end of its quarter."""
    alarm = Alarm.of("EndingsAreUnannounced", in_plain(TEMPLATE["EndingsAreUnannounced"]["Properties"]))
    metrics, now = Metrics(), service.world.clock.now()
    for line in printed.splitlines():
        metrics.hear(line, now)
    return alarm.state(metrics, now + timedelta(minutes=1)) == "ALARM"


def in_plain(properties: dict[str, Any]) -> dict[str, Any]:
    """In the world all functions print as one service of one stack."""
    (of,) = properties["Dimensions"]
    return properties | {"Namespace": "flinks-landing", "Dimensions": [of | {"Value": "flinks-landing"}]}


def is_of_publish_events(event: Any) -> bool:
    records = event.get("Records") if isinstance(event, dict) else None
    first = records[0] if records else {}
    return first.get("eventSource") == "aws:dynamodb" and first["dynamodb"]["NewImage"]["status"]["S"] == "ready"
