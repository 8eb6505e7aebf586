"""refetch_connections: ops asks Flinks again, or announces again, and is told first how many it would be."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from landing.domain.connection import Status, timestamp
from landing.domain.reasons import Reason
from tests.world import table as world_table
from tests.world.audience import Audience, audience_of
from tests.world.service import TABLE, Service, context_of

EVENTS = Path(__file__).parents[2] / "events"
SOON = timedelta(minutes=5)
NOBODY = "con_" + "a" * 26


@pytest.fixture(autouse=True)
def audience(service: Service) -> Audience:
    return audience_of(service)


def ask(service: Service, **order: Any) -> dict[str, Any]:
    """Invoke as ops does: JSON in, JSON out."""
    answer: dict[str, Any] = json.loads(json.dumps(service.call("refetch_connections", {"ticket": "OPS-1"} | order)))
    return answer


def connect(service: Service, count: int) -> list[str]:
    """So many connections, all ready."""
    connections = [service.connect_and_post(f"greatday_nomfa+{n}") for n in range(count)]
    service.settle()
    return connections


def set_status(service: Service, connection_id: str, status: Status) -> None:
    service.world.dynamodb.update_item(
        TableName=TABLE,
        Key={"connectionId": {"S": connection_id}},
        UpdateExpression="SET #status = :status, announceBy = :due, dueAt = :due, dueShard = :shard",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":status": {"S": status},
            ":due": {"S": timestamp(service.world.clock.now() + timedelta(minutes=10))},
            ":shard": {"S": "1"},
        },
    )


def now(service: Service) -> str:
    return timestamp(service.world.clock.now())


# --- dry by default


@pytest.mark.parametrize("verb", ["refetch", "reannounce"])
def test_a_run_only_counts_unless_the_order_says_dry_run_false(service: Service, audience: Audience, verb: str) -> None:
    connections = connect(service, 3)
    rows, heard = [service.row(connection_id) for connection_id in connections], audience.heard

    answer = ask(service, **{verb: {"ids": connections}})
    service.settle()

    done = {"refetch": "refetched", "reannounce": "announced"}[verb]
    assert answer["dryRun"] is True
    assert answer["counts"] == {done: 3}
    assert [service.row(connection_id) for connection_id in connections] == rows
    assert audience.heard == heard


@pytest.mark.parametrize("verb", ["refetch", "reannounce"])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_dry_run_counts_what_the_order_would_do_its_limit_included(service: Service, verb: str, limit: int) -> None:
    connect(service, 3)
    chosen: dict[str, Any] = {verb: {"updatedTo": "2100-01-01T00:00:00Z"}, "limit": limit}

    looked, done = ask(service, **chosen), ask(service, **chosen, dryRun=False)

    assert looked == done | {"dryRun": True}
    assert sum(looked["counts"].values()) == limit


# --- announce again


def test_announcing_again_says_the_very_same(service: Service, audience: Audience) -> None:
    connections = connect(service, 2)
    first = audience.heard

    answer = ask(service, reannounce={"ids": connections}, dryRun=False)

    assert answer["counts"] == {"announced": 2}
    assert sorted(told["id"] for told in audience.heard[2:]) == sorted(told["id"] for told in first)
    assert all(told in first for told in audience.heard[2:])


def test_announcing_again_asks_flinks_nothing(service: Service) -> None:
    connections = connect(service, 2)
    calls = len(service.bank.traffic.log())

    ask(service, reannounce={"ids": connections}, dryRun=False)
    service.settle()

    assert len(service.bank.traffic.log()) == calls
    assert {service.row(connection_id).generation for connection_id in connections} == {1}


def test_of_an_erased_connection_only_its_deletion_is_announced_again(service: Service, audience: Audience) -> None:
    deleting, deleted = connect(service, 2)
    set_status(service, deleting, Status.DELETING)
    set_status(service, deleted, Status.DELETED)
    service.world.run(SOON)

    answer = ask(service, reannounce={"ids": [deleting, deleted]}, dryRun=False)

    assert answer["connections"] == {deleting: "erased", deleted: "announced"}
    assert audience.of(deleting) == ["1 ready"]
    assert audience.of(deleted) == ["1 ready", "1 deleted", "1 deleted"]


def test_what_the_bus_does_not_take_is_not_said_to_be_done(service: Service, audience: Audience) -> None:
    (connection_id,) = connect(service, 1)
    service.world.fail("events", "put_events", "InternalFailure", times=3)

    answer = ask(service, reannounce={"ids": [connection_id]}, dryRun=False)

    assert answer["connections"] == {connection_id: "not_done"}
    assert audience.of(connection_id) == ["1 ready"]


# --- ask Flinks again


def test_a_refetch_is_a_new_generation_with_a_drop_and_an_announcement_of_its_own(
    service: Service, audience: Audience
) -> None:
    (connection_id,) = connect(service, 1)

    ask(service, refetch={"ids": [connection_id]}, dryRun=False)
    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.generation) == (Status.READY, 2)
    assert service.drops() == [f"accounts/v1/{connection_id}/00000{n}.json.gz" for n in (1, 2)]
    assert audience.of(connection_id) == ["1 ready", "2 ready"]


def test_a_refetch_is_correlated_with_the_invocation_that_asked_for_it(service: Service, audience: Audience) -> None:
    (connection_id,) = connect(service, 1)

    ask(service, refetch={"ids": [connection_id]}, dryRun=False)
    service.settle()

    assert audience.heard[-1]["correlationId"] == context_of("refetch_connections").aws_request_id


def test_what_is_running_is_not_asked_for_twice(service: Service) -> None:
    connection_id = service.connect_and_post(pending={"never": True})
    service.world.run(SOON)

    answer = ask(service, refetch={"ids": [connection_id]}, dryRun=False)

    assert answer["connections"] == {connection_id: "running"}
    assert service.row(connection_id).generation == 1


@pytest.mark.parametrize("erased", [Status.DELETING, Status.DELETED])
def test_what_was_erased_stays_erased(service: Service, erased: Status) -> None:
    (connection_id,) = connect(service, 1)
    set_status(service, connection_id, erased)

    by_id = ask(service, refetch={"ids": [connection_id]}, dryRun=False)
    by_time = ask(service, refetch={"updatedTo": "2100-01-01T00:00:00Z"}, dryRun=False)

    assert by_id["connections"] == {connection_id: "erased"}
    assert by_time["counts"] == {}
    assert service.row(connection_id).status is erased


def test_a_change_of_the_row_made_meanwhile_wins(service: Service) -> None:
    (connection_id,) = connect(service, 1)
    calls = len(service.world.calls)
    service.world.interrupt(calls + 2, "before", lambda: set_status(service, connection_id, Status.DELETING))

    answer = ask(service, refetch={"ids": [connection_id]}, dryRun=False)

    assert answer["connections"] == {connection_id: "running"}
    assert service.row(connection_id).status is Status.DELETING


# --- try again at once


def test_a_retry_is_due_at_once_with_all_its_time_before_it(service: Service) -> None:
    service.script(endpoint="Authorize", steps=[{"fault": "html", "times": "forever"}])
    connection_id = service.connect_and_post("greatday_nomfa")
    service.world.run(timedelta(hours=23))
    tired = service.row(connection_id)

    answer = ask(service, retry={"ids": [connection_id]}, dryRun=False)
    service.world.run(timedelta(hours=2))

    row = service.row(connection_id)
    assert tired.retries > 4
    assert answer["counts"] == {"retried": 1}
    assert (row.status, row.generation, row.attempt > tired.attempt) == (Status.WAITING, 1, True)
    assert row.started_at is not None
    assert row.started_at >= service.world.clock.now() - timedelta(hours=2, minutes=1)


def test_a_dry_retry_counts_and_writes_nothing(service: Service) -> None:
    service.script(endpoint="Authorize", steps=[{"fault": "html", "times": "forever"}])
    connection_id = service.connect_and_post("greatday_nomfa")
    service.until(connection_id, Status.WAITING)
    before = service.row(connection_id)

    answer = ask(service, retry={"reason": "flinks_unavailable"})

    assert answer["counts"] == {"retried": 1}
    assert service.row(connection_id) == before


def test_a_retry_leaves_what_has_ended_alone(service: Service) -> None:
    (connection_id,) = connect(service, 1)

    answer = ask(service, retry={"ids": [connection_id, NOBODY]}, dryRun=False)

    assert answer["connections"] == {connection_id: "ended", NOBODY: "unknown"}
    assert service.row(connection_id).status is Status.READY


# --- which ones


def test_an_unknown_id_is_called_unknown_and_nothing_is_written(service: Service) -> None:
    answer = ask(service, refetch={"ids": [NOBODY]}, dryRun=False)

    assert answer["connections"] == {NOBODY: "unknown"}
    assert not service.world.tables[TABLE].items


def test_a_reason_chooses_those_that_failed_for_it(service: Service) -> None:
    connect(service, 2)
    disabled = service.connect_and_post("test_disabled_account")
    service.settle()
    reason = service.row(disabled).reason

    ask(service, refetch={"reason": reason}, dryRun=False)

    assert service.row(disabled).generation == 2
    assert ask(service, refetch={"reason": reason})["counts"] == {}  # it runs
    assert ask(service, refetch={"updatedTo": "2100-01-01T00:00:00Z"})["counts"] == {"refetched": 2}


def test_a_time_range_includes_its_start_and_excludes_its_end(service: Service) -> None:
    connections = []
    for n in range(3):
        connections.append(service.connect_and_post(f"greatday_nomfa+{n}"))
        service.settle()
        service.world.run(SOON)
    first, second, third = (timestamp(service.row(connection_id).updated_at) for connection_id in connections)
    received = timestamp(service.row(connections[1]).received_at)

    def count(**criteria: str) -> int:
        counts: dict[str, int] = ask(service, reannounce=criteria)["counts"]
        return counts.get("announced", 0)

    assert count(updatedFrom=first, updatedTo=third) == 2
    assert count(updatedFrom=second) == 2
    assert count(updatedTo=second) == 1
    assert count(updatedFrom=second, updatedTo=second) == 0
    assert count(receivedFrom=received) == 2
    assert count(receivedTo=received) == 1
    assert count(receivedTo=received, updatedFrom=second) == 0


def test_a_time_of_another_zone_is_the_same_time(service: Service) -> None:
    (connection_id,) = connect(service, 1)
    moment = service.row(connection_id).updated_at

    in_montreal = datetime.fromisoformat(timestamp(moment)).astimezone().isoformat()

    assert ask(service, reannounce={"updatedFrom": in_montreal})["counts"] == {"announced": 1}


# --- bounded, and going on


def test_a_run_stops_at_its_limit_and_the_next_goes_on_from_there(service: Service, audience: Audience) -> None:
    connections = connect(service, 5)
    order: dict[str, Any] = {"reannounce": {"updatedTo": "2100-01-01T00:00:00Z"}, "dryRun": False, "limit": 2}
    runs = [ask(service, **order)]
    while not runs[-1]["complete"]:
        runs.append(ask(service, **order, continueAfter=runs[-1]["continueAfter"]))

    assert [run["counts"]["announced"] for run in runs] == [2, 2, 1]
    assert audience.ids == dict.fromkeys((f"{connection_id}/1/ready" for connection_id in connections), 2)


def test_pages_of_the_table_are_followed_to_the_end(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(service, 4)
    monkeypatch.setattr(world_table, "PAGE_LIMIT", 1)

    answer = ask(service, refetch={"updatedTo": "2100-01-01T00:00:00Z"}, dryRun=False)

    assert answer == {"dryRun": False, "complete": True, "counts": {"refetched": 4}}
    assert service.world.counts()["dynamodb.scan"] >= 4


def test_when_the_time_is_up_nothing_more_is_begun(service: Service) -> None:
    connections = connect(service, 3)
    service.seconds_left = 20

    answer = ask(service, refetch={"ids": connections}, dryRun=False)

    assert answer == {"dryRun": False, "complete": False, "counts": {}, "connections": {}}


def test_an_order_by_ids_goes_on_after_the_id_where_it_stopped(service: Service) -> None:
    connections = connect(service, 3)

    first = ask(service, reannounce={"ids": connections}, dryRun=False, limit=1)
    rest = ask(service, reannounce={"ids": connections}, dryRun=False, continueAfter=first["continueAfter"])

    assert first["connections"] == {connections[0]: "announced"}
    assert rest["connections"] == dict.fromkeys(connections[1:], "announced")
    assert rest["complete"] is True


def test_a_table_that_cannot_be_read_ends_the_run_where_it_was(service: Service) -> None:
    connect(service, 1)
    service.world.fail("dynamodb", "scan", "InternalServerError")

    answer = ask(service, refetch={"updatedTo": "2100-01-01T00:00:00Z"}, dryRun=False)

    assert answer == {"dryRun": False, "complete": False, "counts": {}}


def test_one_connection_that_cannot_be_read_does_not_stop_the_others(service: Service) -> None:
    connections = connect(service, 2)
    service.world.fail("dynamodb", "get_item", "ProvisionedThroughputExceededException")

    answer = ask(service, reannounce={"ids": connections}, dryRun=False)

    assert answer["counts"] == {"not_done": 1, "announced": 1}


# --- what is not an order

MARK = "mark-of-what-was-sent"


def test_an_order_without_a_ticket_is_refused(service: Service) -> None:
    answer = service.call("refetch_connections", {"refetch": {"ids": [NOBODY]}})

    assert (answer["outcome"], answer["detail"]) == ("refused", "The member `ticket` is missing.")


def test_a_reason_that_does_not_exist_is_refused_with_the_list(service: Service) -> None:
    answer = ask(service, refetch={"reason": "timedout"})

    assert answer["outcome"] == "refused"
    assert answer["detail"].startswith("The member `refetch.reason` must be one of account_data_incomplete, ")
    assert all(str(reason) in answer["detail"] for reason in Reason)


def test_a_member_that_nobody_knows_is_answered_with_those_there_are(service: Service) -> None:
    answer = ask(service, refetch={"reasons": ["timed_out"]})

    assert answer["detail"] == (
        "The member `refetch` has a member that nobody knows; known: "
        "`ids`, `reason`, `updatedFrom`, `updatedTo`, `receivedFrom`, `receivedTo`."
    )


@pytest.mark.parametrize(
    ("order", "wrong"),
    [
        ({}, "exactly one of `refetch`, `retry` and `reannounce`"),
        ({"refetch": {}}, "`refetch` must have either `ids` alone"),
        ({"refetch": {"ids": []}}, "`refetch.ids`"),
        ({"refetch": {"ids": [MARK]}}, "`refetch.ids[0]`"),
        ({"refetch": {"ids": [NOBODY] * 101}}, "`refetch.ids`"),
        ({"refetch": {"ids": [NOBODY], "reason": "timed_out"}}, "`refetch` must have either"),
        ({"refetch": {"reason": f"{MARK} OR 1 = 1"}}, "`refetch.reason`"),
        ({"refetch": {"updatedFrom": "2026-03-02"}}, "`refetch.updatedFrom` must be an RFC 3339 time"),
        ({"refetch": {"updatedFrom": "2026-03-02T14:05:09"}}, "`refetch.updatedFrom` must be"),
        ({"refetch": {"updatedFrom": MARK}}, "`refetch.updatedFrom` must be an RFC 3339 time"),
        ({"refetch": {"updatedFrom": 1772460309}}, "`refetch.updatedFrom` must be"),
        ({"refetch": {"ids": [NOBODY]}, "reannounce": {"ids": [NOBODY]}}, "exactly one of"),
        ({"refetch": {"ids": [NOBODY]}, "dryRun": "no"}, "`dryRun`"),
        ({"refetch": {"ids": [NOBODY]}, "limit": 0}, "`limit`"),
        ({"refetch": {"ids": [NOBODY]}, "limit": 1001}, "`limit`"),
        ({"refetch": {"ids": [NOBODY]}, "continueAfter": MARK}, "`continueAfter`"),
        ({"refetch": {"ids": [NOBODY]}, MARK: True}, "a member that nobody knows"),
        ({"refetch": {"everything": MARK}}, "`refetch` has a member that nobody knows"),
        ({"refetch": MARK}, "`refetch`"),
    ],
)
def test_what_is_not_an_order_is_told_what_is_and_never_echoed(
    service: Service, order: dict[str, Any], wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = ask(service, **order)

    assert answer["outcome"] == "refused"
    assert wrong in answer["detail"]
    assert set(answer["accepted"]) == {"refetch | retry | reannounce", "ticket", "dryRun", "limit", "continueAfter"}
    assert MARK not in json.dumps(answer)
    assert [record.getMessage() for record in caplog.records] == ["order refused"]
    assert not [call for call in service.world.calls if call.service == "dynamodb"]


@pytest.mark.parametrize("sent", [None, [], "refetch", 1])
def test_an_order_that_is_no_object_is_refused_too(service: Service, sent: Any) -> None:
    assert service.call("refetch_connections", sent)["outcome"] == "refused"


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("refetch_connections.*.json")), ids=lambda path: path.stem)
def test_the_sample_orders_are_orders(service: Service, sample: Path) -> None:
    answer = ask(service, **json.loads(sample.read_text()))

    assert "counts" in answer
