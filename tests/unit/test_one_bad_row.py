"""A row that nobody can read, among a hundred and in front of every reader: ninety-nine as if it were not there."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from landing.domain.connection import AtFlinks, Connection, Drop, Erasure, Status
from landing.domain.reasons import Reason
from landing.stores.connection_row import UnreadableRow, from_item, to_item
from ops import restore
from tests.world.audience import audience_of
from tests.world.erasing import with_erasing
from tests.world.service import QUEUE, STREAM_FAILURES, TABLE, Service, http_event

HOW_MANY = 100
type Item = dict[str, Any]
type Breaking = Callable[[Item], Item]


def without(name: str) -> Breaking:
    return lambda item: {member: value for member, value in item.items() if member != name}


def holding(name: str, value: dict[str, Any]) -> Breaking:
    return lambda item: item | {name: value}


KINDS: dict[str, Breaking] = {
    "written by hand": lambda item: {"connectionId": item["connectionId"], "status": item["status"]},
    "no status": without("status"),
    "no generation": without("generation"),
    "no attempt": without("attempt"),
    "no login reference": without("loginRef"),
    "no time of receipt": without("receivedAt"),
    "no time of change": without("updatedAt"),
    "a status nobody knows": holding("status", {"S": "asleep"}),
    "a status that is a number": holding("status", {"N": "7"}),
    "an action nobody knows": holding("action", {"S": "dance"}),
    "a reason that is a list": holding("reason", {"L": [{"S": "timed_out"}]}),
    "an attempt that is a list": holding("attempt", {"L": []}),
    "an attempt that is a text": holding("attempt", {"S": "first"}),
    "an attempt and a half": holding("attempt", {"N": "1.5"}),
    "a generation that is a text": holding("generation", {"S": "1"}),
    "a generation that is nothing": holding("generation", {"NULL": True}),
    "retries that are a text": holding("retries", {"S": "none"}),
    "a time that is none": holding("updatedAt", {"S": "yesterday"}),
    "a time of no zone": holding("startedAt", {"S": "2026-03-02T12:00:00.000"}),
    "a time that is a number": holding("leaseUntil", {"BOOL": True}),
    "a flag that is a text": holding("ownerProven", {"S": "true"}),
    "accounts that are a text": holding("accountIds", {"S": "all"}),
    "accounts that are numbers": holding("accountIds", {"L": [{"N": "1"}]}),
    "a login that is a text": holding("sealedLogin", {"S": "sealed"}),
    "an owner that is a map": holding("flinksHome", {"M": {}}),
    "a drop that is a text": holding("drop", {"S": "accounts/v1/"}),
    "a drop without its place": holding("drop", {"M": {"bytes": {"N": "1"}}}),
    "an erasure that is a text": holding("erasure", {"S": "done"}),
    "an erasure that nobody asked for": holding("erasure", {"M": {}}),
}
HEALED = {"no time of change", "a time that is none", "a time that is a number"}
"""Whoever claims the row writes these anew."""

every_kind = pytest.mark.parametrize("kind", list(KINDS))
one_and_all = pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(tuple(KINDS), id="all at once"),
        *(pytest.param((kind,), id=kind, marks=pytest.mark.long) for kind in KINDS),
    ],
)
"""The kinds that are among the hundred."""


@every_kind
def test_it_cannot_be_read_and_is_named(service: Service, kind: str) -> None:
    item = KINDS[kind](to_item(ready(service, 1)))

    with pytest.raises(UnreadableRow, match=f"^the row of {id_of(1)}$"):
        from_item(item)


# --- batches


@one_and_all
def test_in_a_batch_of_fetch_accounts(service: Service, kinds: tuple[str, ...]) -> None:
    service.stream.enabled = False
    ids = [post(service, f"user-{n}") for n in range(HOW_MANY)]
    places = spread(kinds)
    for place, kind in places.items():
        put(service, KINDS[kind](service.world.tables[TABLE].items[(ids[place],)]))

    images = [service.world.tables[TABLE].items[(id_,)] for id_ in ids]
    answer = service.call("fetch_accounts", {"Records": [record(n, image) for n, image in enumerate(images)]})

    sick = {ids[place] for place, kind in places.items() if kind not in HEALED}
    assert answer == {"batchItemFailures": []}
    assert {message["connectionId"] for message in messages(service, STREAM_FAILURES)} == sick
    assert {message["code"] for message in messages(service, STREAM_FAILURES)} <= {"UnreadableRow"}
    well = [from_item(service.world.tables[TABLE].items[(id_,)]) for id_ in ids if id_ not in sick]
    assert {(row.status, row.attempt) for row in well} == {(Status.READY, 1)}
    assert len(well) == HOW_MANY - len(set(kinds) - HEALED)


def test_in_a_batch_of_the_fetch_queue_it_goes_the_way_of_a_message(service: Service) -> None:
    service.stream.enabled = False
    sick, well = post(service, "one"), post(service, "two")
    put(service, KINDS["an action nobody knows"](service.world.tables[TABLE].items[(sick,)]))

    answer = service.call("fetch_accounts", {"Records": [message(id_) for id_ in (sick, well)]})

    assert answer == {"batchItemFailures": [{"itemIdentifier": sick}]}
    assert service.world.tables[TABLE].items[(well,)]["status"] == {"S": "ready"}
    assert not messages(service, STREAM_FAILURES)


@one_and_all
def test_in_a_batch_of_publish_events(service: Service, kinds: tuple[str, ...]) -> None:
    audience = audience_of(service)
    audience.mapping.enabled = False
    items = a_hundred(service, ready, kinds)

    answer = service.call("publish_events", {"Records": [record(n, item) for n, item in enumerate(items)]})

    assert answer == {"batchItemFailures": []}
    assert {told["connectionId"] for told in audience.refused} == bad(kinds)
    assert len(audience.refused) == len(kinds)
    assert {told["connectionId"] for told in audience.heard} == good(kinds)


def test_in_a_batch_of_publish_events_while_ops_cannot_be_told_it_comes_again(service: Service) -> None:
    audience = audience_of(service)
    audience.mapping.enabled = False
    items = a_hundred(service, ready, ("no generation",))
    service.world.fail("sqs", "send_message", "ServiceUnavailable", times=1)

    answer = service.call("publish_events", {"Records": [record(n, item) for n, item in enumerate(items)]})

    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert {told["connectionId"] for told in audience.heard} == good(("no generation",))


@one_and_all
def test_in_a_batch_of_the_erase_queue(
    service: Service, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...]
) -> None:
    erasing = with_erasing(service, monkeypatch)
    a_hundred(service, deleting, kinds)
    sick = bad(kinds) - {id_of(n) for n, kind in spread(kinds).items() if kind in HEALED - {"a time that is a number"}}

    answer = erasing.handle({"Records": [message(id_of(n), attempt=1) for n in range(HOW_MANY)]})

    assert {failure["itemIdentifier"] for failure in answer["batchItemFailures"]} == sick
    items = service.world.tables[TABLE].items
    ended = {key[0] for key, item in items.items() if item.get("status") == {"S": "deleted"}}
    assert ended == {id_of(n) for n in range(HOW_MANY)} - sick


# --- readers of many rows


@one_and_all
def test_in_the_index_by_due(service: Service, caplog: pytest.LogCaptureFixture, kinds: tuple[str, ...]) -> None:
    items = a_hundred(service, waiting, kinds)
    still_due = {item["connectionId"]["S"] for item in items if "dueAt" in item}

    service.call("resume_stalled", {})

    assert {woken["connectionId"] for woken in messages(service, QUEUE)} == good(kinds)
    assert set(named(caplog)) == bad(kinds) & still_due


def test_an_entry_of_the_index_with_a_time_that_is_none(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    put(service, to_item(waiting(service, 1)) | {"dueAt": {"S": "0000"}})
    put(service, to_item(waiting(service, 2)))

    service.call("resume_stalled", {})

    assert [woken["connectionId"] for woken in messages(service, QUEUE)] == [id_of(2)]
    assert named(caplog) == [id_of(1)]


@one_and_all
def test_in_the_scan_of_refetch(service: Service, kinds: tuple[str, ...]) -> None:
    audience_of(service).mapping.enabled = False
    items = a_hundred(service, ready, kinds)
    meant = {
        item["connectionId"]["S"] for item in items if item.get("status") == {"S": "ready"} and "receivedAt" in item
    }

    order = {"reannounce": {"receivedFrom": "2020-01-01T00:00:00Z"}, "ticket": "OPS-1", "limit": 1000}
    answer = service.call("refetch_connections", order)

    assert answer["counts"]["announced"] == len(good(kinds))
    assert set(answer.get("unreadable", [])) == bad(kinds) & meant
    assert answer["complete"]


@one_and_all
def test_in_an_owners_list(service: Service, caplog: pytest.LogCaptureFixture, kinds: tuple[str, ...]) -> None:
    items = a_hundred(service, ready, kinds)
    in_the_index = {item["connectionId"]["S"] for item in items if "owner" in item and "receivedAt" in item}

    assert listed(service, "20") == good(kinds)
    assert set(named(caplog)) == bad(kinds) & in_the_index


@pytest.mark.parametrize("limit", ["1", "2", "20"])
@pytest.mark.parametrize("time", ["yesterday", "0000", "2026-13-02T12:00:00.000Z"])
def test_in_an_owners_list_where_a_page_ends(service: Service, limit: str, time: str) -> None:
    for n in range(5):
        item = to_item(ready(service, n))
        put(service, item | ({"receivedAt": {"S": time}} if n == 2 else {}))

    assert listed(service, limit) == {id_of(n) for n in (0, 1, 3, 4)}


@every_kind
def test_asked_for_by_its_owner_it_is_not_answered_now(service: Service, kind: str) -> None:
    put(service, KINDS[kind](to_item(ready(service, 1))))

    answer = service.get(id_of(1))

    assert answer["statusCode"] == 503
    assert id_of(1) not in answer["body"]


def test_among_what_an_order_means(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    erasing = with_erasing(service, monkeypatch)
    a_hundred(service, ready, ("a time that is none",))

    answer = erasing.invoke(owner="alice", dryRun=True)

    outcomes = {each.get("connectionId"): each["outcome"] for each in answer["connections"] if "connectionId" in each}
    assert outcomes == dict.fromkeys(good(("a time that is none",)), "would_delete")
    assert [each["error"] for each in answer["connections"] if each["outcome"] == "not_done"] == [
        f"UnreadableRow: the row of {id_of(0)}"
    ]


def test_beside_a_connection_that_is_erased_it_keeps_the_card_until_somebody_knows(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasing = with_erasing(service, monkeypatch)
    login_id = service.connect_bank()
    ids = [json.loads(service.post(login_id, owner)["body"])["connectionId"] for owner in ("alice", "bob")]
    put(service, KINDS["a time that is none"](service.world.tables[TABLE].items[(ids[0],)]))

    answer = erasing.erase(ids[1])

    assert (answer["outcome"], answer["reason"]) == ("deleting", Reason.SERVICE_UNAVAILABLE)
    assert not service.flinks_calls("DeleteCard")


def test_in_a_restore(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    rows = [breaking(to_item(ready(service, n))) for n, breaking in enumerate(KINDS.values())]

    fates = restored(rows)

    assert fates == {"restored": len(KINDS), "alreadyThere": 0, "erased": 0}


# --- what stands in the table


def id_of(n: int) -> str:
    return "con_" + "".join("abcdefghijklmnopqrstuvwxyz234567"[int(digit)] for digit in f"{n:026d}")


def spread(kinds: tuple[str, ...]) -> dict[int, str]:
    """Where each kind stands among the hundred."""
    return {n * HOW_MANY // len(kinds): kind for n, kind in enumerate(kinds)}


def bad(kinds: tuple[str, ...]) -> set[str]:
    return {id_of(n) for n in spread(kinds)}


def good(kinds: tuple[str, ...]) -> set[str]:
    return {id_of(n) for n in range(HOW_MANY)} - bad(kinds)


def ready(service: Service, n: int) -> Connection:
    now = service.world.clock.now() - timedelta(days=1) + timedelta(seconds=n)
    return Connection(
        connection_id=id_of(n),
        login_ref=f"reference-{n}",
        owner="alice",
        status=Status.READY,
        generation=1,
        attempt=1,
        received_at=now,
        updated_at=now,
        due_at=now + timedelta(minutes=10),
        announce_by=now + timedelta(minutes=10),
        drop=Drop(f"accounts/v1/{id_of(n)}/000001.json.gz", "v", "0" * 64, 10, 1, 2, None),
    )


def waiting(service: Service, n: int) -> Connection:
    row = ready(service, n)
    return replace(row, status=Status.WAITING, drop=None, started_at=row.received_at, due_at=row.updated_at)


def deleting(service: Service, n: int) -> Connection:
    row = ready(service, n)
    erasure = Erasure(requested_at=row.updated_at, at_flinks=AtFlinks.DELETED, flinks_answered_at=row.updated_at)
    return replace(row, status=Status.DELETING, due_at=row.updated_at, erasure=erasure)


def a_hundred(service: Service, of: Callable[[Service, int], Connection], kinds: tuple[str, ...]) -> list[Item]:
    places = spread(kinds)
    items = [to_item(of(service, n)) for n in range(HOW_MANY)]
    items = [KINDS[places[n]](item) if n in places else item for n, item in enumerate(items)]
    for item in items:
        put(service, item)
    return items


def put(service: Service, item: Item) -> None:
    service.world.dynamodb.put_item(TableName=TABLE, Item=item)


def post(service: Service, user: str) -> str:
    return str(json.loads(service.post(service.connect_bank(user))["body"])["connectionId"])


def record(n: int, image: Item) -> dict[str, Any]:
    keys = {"connectionId": image["connectionId"]}
    return {
        "eventSource": "aws:dynamodb",
        "eventName": "MODIFY",
        "dynamodb": {"Keys": keys, "NewImage": image, "SequenceNumber": str(n)},
    }


def message(connection_id: str, attempt: int = 0) -> dict[str, Any]:
    body = {"connectionId": connection_id, "generation": 1, "attempt": attempt}
    return {"eventSource": "aws:sqs", "messageId": connection_id, "body": json.dumps(body)}


# --- what became of it


def messages(service: Service, queue: str) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in service.world.queues[queue].messages]


def named(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [vars(record) for record in caplog.records if record.getMessage() == "rows cannot be read"]
    return [id_ for each in told for id_ in each["connectionIds"]]


def listed(service: Service, limit: str) -> set[str]:
    seen: list[str] = []
    query = {"limit": limit}
    while True:
        answer = service.call("show_connection", http_event("GET /connections", "alice", queryStringParameters=query))
        body = json.loads(answer["body"])
        seen += [connection["connectionId"] for connection in body["connections"]]
        if "nextToken" not in body:
            assert len(seen) == len(set(seen))
            return set(seen)
        query = {"limit": limit, "nextToken": body["nextToken"]}


def restored(rows: Iterable[Item]) -> dict[str, int]:
    with mock_aws():
        session = boto3.session.Session(region_name="us-east-1")
        dynamodb = session.client("dynamodb")
        for name in ("live", "side"):
            dynamodb.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "connectionId", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "connectionId", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        for row in rows:
            dynamodb.put_item(TableName="side", Item=row)
        s3 = session.client("s3")
        s3.create_bucket(Bucket="drops")
        return restore.copy_back(dynamodb, s3, "live", "side", "drops", dry_run=False)
