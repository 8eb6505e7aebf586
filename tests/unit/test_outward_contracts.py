"""docs/contracts for other tools: AsyncAPI, EventBridge's schema registry, CloudEvents."""

import json
import re
from typing import Any

import pytest
from cfnlint.api import lint
from jsonschema import Draft4Validator, Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from landing.domain.announcements import KINDS, Announcement
from ops import asyncapi, registry
from ops.contracts import CONTRACTS, written
from tests import kit

EVENTS = json.loads((kit.KIT / "events.json").read_text())
CLOUDEVENTS = json.loads((CONTRACTS / "cloudevents.json").read_text())

type Json = dict[str, Any]


def at(document: Any, pointer: str) -> Any:
    """What a reference within the document leads to."""
    for step in pointer.removeprefix("#/").split("/"):
        document = document[step]
    return document


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for each in node for found in references(each)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for each in node.values() for found in references(each)]


# --- AsyncAPI


def test_the_description_of_the_bus_is_made_of_the_contracts() -> None:
    assert asyncapi.ASYNCAPI.read_text() == written(asyncapi.asyncapi()), "run `make contracts`"


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi.asyncapi()

    for reference in references(document):
        if reference.startswith("#"):
            assert at(document, reference)
        else:
            assert (CONTRACTS / reference).is_file()


def test_all_events_are_on_the_bus_and_are_sent() -> None:
    document = asyncapi.asyncapi()

    named = {message["title"] for message in document["components"]["messages"].values()}
    sent = {reference["$ref"].rpartition("/")[2] for reference in document["operations"]["announce"]["messages"]}
    assert named == {kind.detail_type for kind in KINDS.values()}
    assert sent == set(document["channels"]["bus"]["messages"]) == set(document["components"]["messages"])


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["id"][-2:])
def test_an_event_of_the_kit_is_a_message_of_its_kind_alone(event: Json) -> None:
    fitting = [
        message["title"]
        for message in asyncapi.asyncapi()["components"]["messages"].values()
        if Draft202012Validator(with_detail(message["payload"])).is_valid(event)
    ]

    assert fitting == [event["detail-type"]]


def with_detail(payload: Json) -> Json:
    """The payload with the schema beside it put in."""
    path = CONTRACTS / payload["properties"]["detail"]["$ref"]
    return {**payload, "properties": {**payload["properties"], "detail": json.loads(path.read_text())}}


# --- EventBridge's registry


def test_the_registry_is_made_of_the_contracts() -> None:
    assert registry.REGISTRY.read_text() == written(registry.registry()), "run `make contracts`"


def test_the_registry_can_be_deployed() -> None:
    assert lint(registry.REGISTRY.read_text(), regions=["ca-central-1"]) == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
def test_an_event_is_as_the_registry_says_and_no_other_is(kind: type[Announcement]) -> None:
    document = registry.openapi(kind)
    validator = Draft4Validator({**nullable(document), "$ref": "#/components/schemas/AWSEvent"})

    of_kind = [event for event in EVENTS if event["detail-type"] == kind.detail_type]
    assert of_kind
    for event in EVENTS:
        assert validator.is_valid(event) == (event in of_kind)
    for member in of_kind[0]["detail"]:
        spoiled = {**of_kind[0], "detail": {**of_kind[0]["detail"], member: []}}
        assert not validator.is_valid(spoiled)


def nullable(node: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema of draft 4, from which it departs in this."""
    if isinstance(node, list):
        return [nullable(each) for each in node]
    if not isinstance(node, dict):
        return node
    plain = {word: nullable(value) for word, value in node.items() if word != "nullable"}
    return {"anyOf": [{"type": "null"}, plain]} if node.get("nullable") is True else plain


# --- CloudEvents


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["id"][-2:])
def test_a_target_may_have_cloudevents(event: Json) -> None:
    made = transformed(event)

    detail = event["detail"]
    assert made == {
        "specversion": "1.0",
        "id": detail["id"],
        "source": "/flinks-landing/000000000000/ca-central-1",
        "type": event["detail-type"],
        "subject": detail["connectionId"],
        "time": detail["occurredAt"],
        "datacontenttype": "application/json",
        "data": detail,
    }


def transformed(event: Json) -> Any:
    """As EventBridge's input transformer does it: text inside the template's quotes, JSON elsewhere."""

    def value(found: re.Match[str]) -> str:
        picked: Any = event
        for step in CLOUDEVENTS["InputPathsMap"][found[1]].removeprefix("$.").split("."):
            picked = picked[step]
        return picked if isinstance(picked, str) else json.dumps(picked)

    return json.loads(re.sub(r"<(\w+)>", value, CLOUDEVENTS["InputTemplate"]))
