"""docs/consumers/example: what consumers are given to deploy takes each announcement once."""

import importlib
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cfnlint.api import lint

from landing.domain.announcements import KINDS
from landing.domain.connection import Status
from ops import models
from tests import kit
from tests.world.audience import Audience, audience_of
from tests.world.service import BUCKET, Service

EXAMPLE = Path(__file__).parents[2] / "docs" / "consumers" / "example"
TAKEN = "taken"

type Handler = Callable[[dict[str, Any], None], dict[str, Any]]


def delivered(details: list[dict[str, Any]]) -> dict[str, Any]:
    """As SQS delivers what EventBridge sent to it."""
    return {
        "Records": [
            {"messageId": f"message-{n}", "body": json.dumps({"detail-type": kind_of(detail), "detail": detail})}
            for n, detail in enumerate(details)
        ]
    }


def kind_of(detail: dict[str, Any]) -> str:
    return KINDS[Status(detail["status"])].detail_type


@pytest.fixture
def audience(service: Service) -> Audience:
    return audience_of(service)


@pytest.fixture
def reader(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    """The example's function."""
    service.world.dynamodb.create_table(
        TableName=TAKEN,
        KeySchema=[{"AttributeName": "connectionId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connectionId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    monkeypatch.setenv("TAKEN", TAKEN)
    monkeypatch.setattr(boto3, "client", service.world.client)
    monkeypatch.syspath_prepend(EXAMPLE / "reader")
    handler: Handler = importlib.import_module("app").lambda_handler
    yield handler
    for module in ("app", "contracts"):
        del sys.modules[module]


def taken(service: Service) -> list[tuple[str, str, int]]:
    """Every write of the reader, in its order: connectionId, last word, of which generation data is kept."""
    records = [record["dynamodb"] for shard in service.world.tables[TAKEN].shards for record in shard]
    images = [r["NewImage"] for r in sorted(records, key=lambda r: str(r["SequenceNumber"]))]
    return [
        (image["connectionId"]["S"], image.get("said", {"S": ""})["S"], int(image.get("dataOf", {"N": "0"})["N"]))
        for image in images
    ]


def test_the_template_is_sound() -> None:
    assert lint((EXAMPLE / "template.yaml").read_text(), regions=["ca-central-1"]) == []


def test_the_models_are_made_of_the_contracts() -> None:
    assert models.MODELS.read_text() == models.models(), "run `make contracts`"


def test_the_reader_takes_each_announcement_once_however_often_it_comes(
    service: Service, audience: Audience, reader: Handler
) -> None:
    ready = [service.connect_and_post(f"greatday_nomfa+{n}") for n in range(4)]
    disabled = service.connect_and_post("test_disabled_account")
    service.settle()
    messages = audience.heard * 3
    random.Random(7).shuffle(messages)  # noqa: S311 - an order, no secret

    answer = reader(delivered(messages), None)

    assert answer == {"batchItemFailures": []}
    once = [write for id_ in ready for write in ((id_, "", 1), (id_, "ready", 1))]
    assert sorted(taken(service)) == sorted([*once, (disabled, "action_required", 0)])


def test_the_reader_never_replaces_a_generation_with_an_earlier_one(
    service: Service, audience: Audience, reader: Handler
) -> None:
    login_id = service.connect_bank()
    service.post(login_id)
    service.settle()
    service.post(login_id, accountIds=service.accounts_of(login_id)[:2])
    service.settle()
    first, second = audience.heard
    told = {name: first[name] for name in ("connectionId", "version", "occurredAt", "correlationId", "action")}
    deleted = {**told, "id": "a deletion", "generation": 2, "status": "deleted", "reason": None}

    reader(delivered([second, first, deleted, second, first]), None)

    connection_id = first["connectionId"]
    (row,) = service.world.tables[TAKEN].items.values()
    assert taken(service) == [(connection_id, "", 2), (connection_id, "ready", 2), (connection_id, "deleted", 0)]
    assert "accounts" not in row
    assert "forgetAt" in row


def test_the_reader_refuses_bytes_that_were_not_announced(
    service: Service, audience: Audience, reader: Handler
) -> None:
    service.connect_and_post()
    service.settle()
    (told,) = audience.heard
    told["drop"]["sha256"] = "0" * 64

    answer = reader(delivered([told]), None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert taken(service) == []


def test_one_message_that_cannot_be_read_fails_alone_and_is_not_quoted(
    service: Service, audience: Audience, reader: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    service.connect_and_post()
    service.settle()
    broken = {"status": "ready", "generation": 1, "connectionId": "con_x", "drop": {"bucket": "a-name-of-somebody"}}

    answer = reader(delivered([broken, *audience.heard]), None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert len(taken(service)) == 2
    assert "message message-0 is not as its contract says: ['id', 'version'" in caplog.text
    assert "somebody" not in caplog.text


def test_older_data_is_taken_after_a_newer_generation_failed(
    service: Service, audience: Audience, reader: Handler
) -> None:
    service.connect_and_post()
    service.settle()
    (ready,) = audience.heard
    failed = {name: value for name, value in ready.items() if name != "drop"}
    failed |= {
        "id": "a failure",
        "generation": 2,
        "status": "failed",
        "reason": "timed_out",
        "action": "contact_support",
    }

    reader(delivered([failed, ready]), None)

    connection_id = ready["connectionId"]
    assert taken(service) == [(connection_id, "failed", 0), (connection_id, "failed", 1)]


def test_the_reader_reaches_the_answers_of_the_kit(service: Service, reader: Handler) -> None:
    versions = {}
    for path in kit.KIT.glob("accounts/v1/*/*.json.gz"):
        key = str(path.relative_to(kit.KIT))
        put = service.world.s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
        versions[key] = put["VersionId"]
    details = [event["detail"] for event in json.loads((kit.KIT / "events.json").read_text())]
    for drop in (detail["drop"] for detail in details if "drop" in detail):
        drop |= {"bucket": BUCKET, "versionId": versions.get(drop["key"], "gone")}

    failed = reader(delivered(details), None)["batchItemFailures"]
    again = [details[int(each["itemIdentifier"].removeprefix("message-"))] for each in failed]

    assert [detail["connectionId"] for detail in again] == [kit.GONE]  # its drop was erased before it was read
    assert reader(delivered(again), None) == {"batchItemFailures": []}  # by now its deletion was heard
    rows = service.world.tables[TAKEN].items.values()
    answers = json.loads((kit.KIT / "answers.json").read_text())["afterAllEvents"]
    assert sorted(kept(row) for row in rows) == sorted(
        (each["connectionId"], each["lastWord"], each["dataOfGeneration"], each.get("transactions")) for each in answers
    )


def kept(row: Any) -> tuple[str, str, int | None, int | None]:
    data_of, transactions = (int(row[name]["N"]) if name in row else None for name in ("dataOf", "transactions"))
    return row["connectionId"]["S"], row["said"]["S"], data_of, transactions
