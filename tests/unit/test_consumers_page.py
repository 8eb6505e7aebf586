"""docs/consumers.md: what it tells others to deploy and run works."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]  # ships no types

from tests.world.audience import Audience, audience_of
from tests.world.service import Service

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "consumers.md").read_text()
TAKEN = "taken"

type Handler = Callable[[dict[str, Any], None], dict[str, Any]]


def block(language: str) -> str:
    """The page's first code block in this language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found.group(1)


def delivered(details: list[dict[str, Any]]) -> dict[str, Any]:
    """As SQS delivers what EventBridge sent to it."""
    return {
        "Records": [
            {"messageId": f"message-{n}", "body": json.dumps({"source": "flinks-landing", "detail": detail})}
            for n, detail in enumerate(details)
        ]
    }


@pytest.fixture
def audience(service: Service, monkeypatch: pytest.MonkeyPatch) -> Audience:
    return audience_of(service, monkeypatch)


@pytest.fixture
def reader(service: Service, monkeypatch: pytest.MonkeyPatch) -> Handler:
    """The reader as it stands on the page."""
    service.world.dynamodb.create_table(
        TableName=TAKEN,
        KeySchema=[{"AttributeName": "connectionId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connectionId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    monkeypatch.setenv("TAKEN", TAKEN)
    page: dict[str, Any] = {}
    exec(block("python"), page)  # noqa: S102 - our own page
    handler: Handler = page["lambda_handler"]
    return handler


def taken(service: Service) -> list[str]:
    """What the reader took, in its order, as `connectionId status`."""
    records = [record["dynamodb"] for shard in service.world.tables[TAKEN].shards for record in shard]
    images = [r["NewImage"] for r in sorted(records, key=lambda r: str(r["SequenceNumber"]))]
    return [f"{image['connectionId']['S']} {image['said']['S']}" for image in images]


def test_the_template_on_the_page_is_sound() -> None:
    assert lint(block("yaml"), regions=["ca-central-1"]) == []


def test_the_reader_is_short() -> None:
    assert len(block("python").splitlines()) <= 40


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
    assert sorted(taken(service)) == sorted([*(f"{id_} ready" for id_ in ready), f"{disabled} action_required"])


def test_the_reader_never_replaces_a_generation_with_an_earlier_one(
    service: Service, audience: Audience, reader: Handler
) -> None:
    login_id = service.connect_bank()
    service.post(login_id)
    service.settle()
    service.post(login_id, accountIds=service.accounts_of(login_id)[:2])
    service.settle()
    first, second = audience.heard
    deleted = {"connectionId": first["connectionId"], "generation": 2, "status": "deleted"}

    reader(delivered([second, first, deleted, second, first]), None)

    connection_id = first["connectionId"]
    (row,) = service.world.tables[TAKEN].items.values()
    assert taken(service) == [f"{connection_id} ready", f"{connection_id} deleted"]
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
    service: Service, audience: Audience, reader: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    service.connect_and_post()
    service.settle()
    broken = {"status": "ready", "generation": 1, "connectionId": "con_x", "drop": {"bucket": "a-name-of-somebody"}}

    answer = reader(delivered([broken, *audience.heard]), None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert len(taken(service)) == 1
    assert "message-0 KeyError" in (said := capsys.readouterr().out)
    assert "somebody" not in said
