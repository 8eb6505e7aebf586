"""publish_events: what the table's stream says is announced, if the table still says so."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from landing.domain.announcements import KINDS
from landing.domain.connection import Status, timestamp
from tests.world.audience import Audience, audience_of
from tests.world.erasing import with_erasing
from tests.world.service import BUCKET, TABLE, Service, http_event

SOON, AN_HOUR = timedelta(minutes=5), timedelta(hours=1)
EVENTS = Path(__file__).parents[2] / "events"


@pytest.fixture
def audience(service: Service) -> Audience:
    return audience_of(service)


def set_status(service: Service, connection_id: str, status: Status, **also: Any) -> None:
    """As a later write of the service would: an ending is due for its announcement."""
    announce_by = {"S": timestamp(service.world.clock.now() + timedelta(minutes=10))}
    also |= {"announceBy": announce_by, "dueAt": announce_by, "dueShard": {"S": "1"}}
    values = {":status": {"S": status}} | {f":{name}": value for name, value in also.items()}
    service.world.dynamodb.update_item(
        TableName=TABLE,
        Key={"connectionId": {"S": connection_id}},
        UpdateExpression="SET #status = :status" + "".join(f", {name} = :{name}" for name in also),
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues=values,
    )


def take_bus_away(service: Service, duration: timedelta, code: str = "InternalFailure") -> None:
    """Deliver for `duration` while every PutEvents fails; then it works again."""
    service.world.fail("events", "put_events", code, times=100_000)
    service.world.run(duration)
    service.world._faults.clear()  # noqa: SLF001 - the outage ends


# --- what is announced


def test_ready_data_is_announced_with_the_object_version_that_holds_it(service: Service, audience: Audience) -> None:
    connection_id = service.connect_and_post()

    service.settle()

    (told,) = audience.heard
    row, stored = service.row(connection_id), service.world.buckets[BUCKET].versions[told["drop"]["key"]][-1]
    assert row.drop is not None
    assert audience.entries[0]["Source"] == "flinks-landing"
    assert audience.entries[0]["DetailType"] == "Account Data Ready"
    assert (told["connectionId"], told["generation"], told["status"]) == (connection_id, 1, "ready")
    assert (told["owner"], told["reason"], told["action"]) == ("alice", None, "none")
    assert told["drop"] == {
        "bucket": BUCKET,
        "key": f"accounts/v1/{connection_id}/000001.json.gz",
        "versionId": stored.id,
        "sha256": row.drop.sha256,
        "bytes": row.drop.bytes,
        "accounts": 5,
        "transactions": row.drop.transactions,
        "lastRefresh": row.drop.last_refresh,
    }


def test_a_login_that_must_be_reconnected_is_announced_with_what_to_do(service: Service, audience: Audience) -> None:
    connection_id = service.connect_and_post("test_disabled_account")

    service.settle()

    (told,) = audience.heard
    row = service.row(connection_id)
    assert audience.entries[0]["DetailType"] == "Connection Action Required"
    assert (told["status"], told["reason"], told["action"]) == ("action_required", row.reason, row.action)
    assert "drop" not in told


def test_a_generation_that_was_given_up_is_announced(service: Service, audience: Audience) -> None:
    service.connect_and_post(pending={"never": True})

    service.settle()

    (told,) = audience.heard
    assert audience.entries[0]["DetailType"] == "Connection Failed"
    assert (told["status"], told["reason"], told["action"]) == ("failed", "timed_out", "contact_support")


def test_a_deletion_is_announced_and_names_no_owner(
    service: Service, audience: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasing = with_erasing(service, monkeypatch)
    connection_id = service.connect_and_post()
    service.settle()

    erasing.erase(connection_id)
    erasing.settle()

    assert audience.of(connection_id) == ["1 ready", "1 deleted"]
    assert audience.entries[-1]["DetailType"] == "Connection Deleted"
    assert audience.heard[-1].keys().isdisjoint({"owner", "drop"})


def test_what_is_still_being_worked_on_is_not_announced(service: Service, audience: Audience) -> None:
    service.connect_and_post(pending={"never": True})

    service.world.run(timedelta(minutes=20))

    assert audience.heard == []


def test_an_announcement_carries_the_id_of_the_request_that_asked_for_its_generation(
    service: Service, audience: Audience
) -> None:
    login_id = service.connect_bank()

    for asked_by in ("first=", "second="):
        event = http_event("POST /connections", "alice", body=json.dumps({"loginId": login_id}))
        event["requestContext"]["requestId"] = asked_by
        service.call("receive_login", event)
        service.settle()
        service.world.run(AN_HOUR)

    assert [told["correlationId"] for told in audience.heard] == ["first=", "second="]


# --- what is not


def test_what_a_later_generation_superseded_is_not_announced(service: Service, audience: Audience) -> None:
    login_id = service.connect_bank()
    audience.mapping.enabled = False
    for _ in range(3):
        connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
        service.settle()
        service.world.run(timedelta(minutes=2))

    audience.mapping.enabled = True
    service.settle()

    assert audience.of(connection_id) == ["3 ready"]


def test_of_a_deleted_connection_only_its_deletion_is_announced(
    service: Service, audience: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasing = with_erasing(service, monkeypatch)
    audience.mapping.enabled = False
    connection_id = service.connect_and_post()
    service.settle()
    erasing.erase(connection_id)
    erasing.settle()

    audience.mapping.enabled = True
    service.settle()

    assert audience.of(connection_id) == ["1 deleted"]


def test_while_a_connection_is_being_erased_nothing_of_it_is_announced(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    connection_id = service.connect_and_post()
    service.settle()
    set_status(service, connection_id, Status.DELETING)

    audience.mapping.enabled = True
    service.world.run(SOON)

    assert audience.heard == []


def test_of_a_connection_that_is_no_longer_there_nothing_is_announced(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    connection_id = service.connect_and_post()
    service.settle()
    service.world.dynamodb.delete_item(TableName=TABLE, Key={"connectionId": {"S": connection_id}})

    audience.mapping.enabled = True
    service.settle()

    assert audience.heard == []
    assert [call.error for call in service.world.invocations if call.error] == []


def test_the_table_is_asked_for_what_is_true_now(service: Service, audience: Audience) -> None:
    service.world.tables[TABLE].lag = 30
    audience.mapping.enabled = False
    connection_id = service.connect_and_post()
    service.settle()
    service.world.run(SOON)
    set_status(service, connection_id, Status.DELETING)

    audience.mapping.enabled = True
    service.world.run(timedelta(seconds=10))

    assert audience.heard == []


# --- once, however often it is delivered


def test_a_batch_delivered_twice_is_announced_once(service: Service, audience: Audience) -> None:
    service.connect_and_post()
    service.settle()

    deliver_again(service)

    assert len(audience.heard) == 1


def test_a_batch_delivered_twice_says_the_same_twice_if_nobody_could_write_that_it_was_announced(
    service: Service, audience: Audience
) -> None:
    audience.mapping.enabled = False
    service.connect_and_post()
    service.settle()
    service.world.fail("dynamodb", "update_item", "InternalServerError", times=1)
    audience.mapping.enabled = True
    service.settle()

    deliver_again(service)

    first, again = audience.heard
    assert first == again


def deliver_again(service: Service) -> None:
    delivered = next(
        i
        for i in service.world.invocations
        if i.event["Records"][0]["eventSource"] == "aws:dynamodb"
        and i.event["Records"][0]["dynamodb"]["NewImage"]["status"]["S"] == "ready"
    )

    service.world.invoke(delivered.handler, delivered.event)


def test_ids_tell_connections_generations_and_kinds_apart(service: Service, audience: Audience) -> None:
    logins = [service.connect_bank(f"greatday_nomfa+{n}") for n in range(3)]
    for _ in range(2):
        for login_id in logins:
            service.post(login_id)
        service.settle()
        service.world.run(AN_HOUR)
    for connection_id in {told["connectionId"] for told in audience.heard}:
        set_status(service, connection_id, Status.DELETED)
    service.settle()

    assert len(audience.ids) == 3 * 2 + 3
    assert set(audience.ids.values()) == {1}


# --- when EventBridge does not serve


def test_an_hour_without_the_bus_delays_announcements_and_loses_none(service: Service, audience: Audience) -> None:
    connections = [service.connect_and_post(f"greatday_nomfa+{n}") for n in range(6)]
    take_bus_away(service, AN_HOUR)
    during = list(audience.heard)

    service.settle()

    assert during == []
    assert [audience.of(connection_id) for connection_id in connections] == [["1 ready"]] * 6
    assert audience.refused == []


def test_after_an_outage_each_connection_is_announced_as_it_is_now_and_never_backwards(
    service: Service, audience: Audience
) -> None:
    logins = [service.connect_bank(f"greatday_nomfa+{n}") for n in range(3)]
    untouched, posted_again, deleted = (
        json.loads(service.post(login_id)["body"])["connectionId"] for login_id in logins
    )
    take_bus_away(service, AN_HOUR / 2)
    service.post(logins[1])
    set_status(service, deleted, Status.DELETED)
    take_bus_away(service, AN_HOUR / 2)

    service.settle()

    assert audience.of(untouched) == ["1 ready"]
    assert audience.of(posted_again) == ["2 ready"]
    assert audience.of(deleted) == ["1 deleted"]


def test_only_the_entries_that_failed_are_put_again(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    for n in range(10):
        service.connect_and_post(f"greatday_nomfa+{n}")
    service.settle()
    service.world.fail_entries("events", "put_events", "ThrottlingException", times=3)

    audience.mapping.enabled = True
    service.settle()

    puts = [len(call.parameters["Entries"]) for call in service.world.calls if call.operation == "put_events"]
    assert puts == [10, 3]
    assert set(audience.ids.values()) == {1}
    assert len(audience.ids) == 10


def test_an_entry_that_keeps_failing_is_reported_and_comes_again(service: Service, audience: Audience) -> None:
    connection_id = service.connect_and_post()
    service.world.fail_entries("events", "put_events", "InternalFailure", times=4)

    service.settle()

    answers = [i.response for i in service.world.invocations if i.response and i.response["batchItemFailures"]]
    assert len(answers) == 1
    assert audience.of(connection_id) == ["1 ready"]


def test_a_batch_of_more_than_ten_is_put_ten_at_a_time(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    for n in range(23):
        service.connect_and_post(f"greatday_nomfa+{n}")
    service.settle()

    audience.mapping.enabled = True
    service.settle()

    puts = [len(call.parameters["Entries"]) for call in service.world.calls if call.operation == "put_events"]
    assert puts == [10, 10, 3]


def test_a_grant_that_is_missing_delays_announcements_and_gives_none_up(service: Service, audience: Audience) -> None:
    connection_id = service.connect_and_post()
    take_bus_away(service, AN_HOUR, "AccessDeniedException")

    service.settle()

    assert audience.of(connection_id) == ["1 ready"]
    assert audience.refused == []


# --- what EventBridge will never take


@pytest.mark.parametrize("code", ["MalformedDetail", "InvalidArgument", "NotAuthorizedForDetailTypeException"])
def test_what_no_repetition_makes_good_goes_to_ops_and_blocks_nobody(
    service: Service, audience: Audience, code: str
) -> None:
    audience.mapping.enabled = False
    connections = [service.connect_and_post(f"greatday_nomfa+{n}") for n in range(3)]
    service.settle()
    service.world.fail_entries("events", "put_events", code, times=1)

    audience.mapping.enabled = True
    service.settle()

    (refused,) = audience.refused
    announced = {told["connectionId"] for told in audience.heard}
    assert refused == {"connectionId": refused["connectionId"], "generation": 1, "status": "ready", "code": code}
    assert announced | {refused["connectionId"]} == set(connections)
    assert len(announced) == 2


def test_one_entry_that_spoils_a_whole_call_takes_no_other_with_it(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    for n in range(3):
        service.connect_and_post(f"greatday_nomfa+{n}")
    service.settle()
    service.world.fail("events", "put_events", "ValidationException", times=2)

    audience.mapping.enabled = True
    service.settle()

    assert len(audience.heard) == 2
    assert [refused["code"] for refused in audience.refused] == ["ValidationException"]


def test_a_row_that_lacks_what_the_contract_promises_goes_to_ops(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    poisoned, sound = (service.connect_and_post(f"greatday_nomfa+{n}") for n in range(2))
    service.settle()
    service.world.dynamodb.update_item(
        TableName=TABLE,
        Key={"connectionId": {"S": poisoned}},
        UpdateExpression="REMOVE #drop",
        ExpressionAttributeNames={"#drop": "drop"},
    )

    audience.mapping.enabled = True
    service.settle()

    assert [refused["connectionId"] for refused in audience.refused] == [poisoned]
    assert [told["connectionId"] for told in audience.heard] == [sound]


def test_while_ops_cannot_be_told_nothing_is_given_up(service: Service, audience: Audience) -> None:
    service.connect_and_post()
    service.world.fail_entries("events", "put_events", "MalformedDetail", times=1)
    service.world.fail("sqs", "send_message", "ServiceUnavailable", times=1)

    service.settle()

    assert audience.refused == []
    assert len(audience.heard) == 1


def test_a_table_that_cannot_be_read_delays_the_announcement(service: Service, audience: Audience) -> None:
    audience.mapping.enabled = False
    connection_id = service.connect_and_post()
    service.settle()
    service.world.fail("dynamodb", "get_item", "ProvisionedThroughputExceededException", times=2)

    audience.mapping.enabled = True
    service.settle()

    assert audience.of(connection_id) == ["1 ready"]


# --- what no event holds


def test_no_event_holds_what_identifies_the_login_or_the_person(service: Service, audience: Audience) -> None:
    login_ids = [
        service.connect_bank("greatday_nomfa+secret", tag="a-tag-of-somebody"),
        service.connect_bank("test_disabled_account+secret"),
        service.connect_bank("greatday_nomfa+never-secret", pending={"never": True}),
    ]
    for login_id in login_ids:
        service.post(login_id, owner="alice")
    service.settle()
    for connection_id in {told["connectionId"] for told in audience.heard}:
        set_status(service, connection_id, Status.DELETED)
    service.settle()

    said = json.dumps(audience.entries).lower()
    sessions = {session.request_id for session in service.bank.vault.sessions.values()}
    data = [account for login_id in login_ids for account in service.bank.vault.cards[login_id].every_account()]
    numbers = {account["AccountNumber"] for account in data} - {None}
    names = {account["Holder"]["Name"].lower() for account in data if account["Holder"]}
    assert len(audience.heard) == 6
    assert sessions
    assert numbers
    assert names
    assert not [s for s in {*login_ids, *sessions, *numbers, *names, "secret", "a-tag-of"} if s.lower() in said]


def test_every_event_is_as_its_contract_says(service: Service, audience: Audience) -> None:
    service.connect_and_post()
    service.connect_and_post("test_disabled_account")
    service.connect_and_post("greatday_nomfa+1", pending={"never": True})

    service.settle()

    assert len(audience.heard) == 3
    for told in audience.heard:
        KINDS[Status(told["status"])].model_validate(told)


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("publish_events.*.json")), ids=lambda path: path.stem)
def test_the_sample_events_are_what_a_stream_delivers(service: Service, audience: Audience, sample: Path) -> None:
    event = json.loads(sample.read_text())
    last = event["Records"][-1]["dynamodb"]["NewImage"]
    service.world.dynamodb.put_item(TableName=TABLE, Item=last)

    answer = service.call("publish_events", event)

    assert answer == {"batchItemFailures": []}
    assert audience.of(last["connectionId"]["S"]) == [f"{last['generation']['N']} {last['status']['S']}"]
