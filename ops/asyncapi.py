"""Writes docs/contracts/asyncapi.json from the contracts: what the bus carries, as AsyncAPI 3.0. `make contracts`."""

import json
from typing import Any

from landing.domain.announcements import KINDS, Announcement
from ops.contracts import CONTRACTS, file_name, schema, version, written
from ops.version import version as our_version

ASYNCAPI = CONTRACTS / "asyncapi.json"
SOURCE = "flinks-landing"

type Json = dict[str, Any]


def asyncapi() -> Json:
    """The whole document. Payloads refer to the schemas beside it."""
    messages = {name_of(kind): message(kind) for kind in KINDS.values()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": SOURCE,
            "version": our_version(),
            "description": (
                "What flinks-landing announces on its EventBridge bus: at least once, in no order. The same"
                " announcement has the same detail.id. Of one connection, the higher detail.generation is the later; a"
                " deletion is the last."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {
            "bus": {
                "title": "The event bus of a stack (its output EventBus)",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "announce": {
                "action": "send",
                "channel": {"$ref": "#/channels/bus"},
                "messages": [{"$ref": f"#/channels/bus/messages/{name}"} for name in messages],
            }
        },
        "components": {"messages": messages},
    }


def name_of(kind: type[Announcement]) -> str:
    """`AccountDataReady`, which is the name of the schema in a registry too."""
    return kind.detail_type.replace(" ", "")


def message(kind: type[Announcement]) -> Json:
    name = file_name(kind)
    example = json.loads((CONTRACTS / "examples" / name.replace(".schema", "")).read_text())
    return {
        "name": name_of(kind),
        "title": kind.detail_type,
        "summary": schema(kind)["description"],
        "contentType": "application/json",
        "payload": envelope(kind, {"$ref": f"./{name}"}),
        "examples": [{"name": f"{name_of(kind)}V{version(kind)}", "payload": example}],
    }


def envelope(kind: type[Announcement], detail: Json) -> Json:
    """What EventBridge puts around our `detail`."""
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["id", "detail-type", "source", "account", "time", "region", "resources", "detail"],
        "properties": {
            "version": text,
            "id": {**text, "description": "EventBridge's own; another one each time the same is announced."},
            "detail-type": {**text, "enum": [kind.detail_type]},
            "source": {**text, "enum": [SOURCE]},
            "account": text,
            "time": {**text, "format": "date-time"},
            "region": text,
            "resources": {"type": "array", "items": text},
            "detail": detail,
        },
    }


if __name__ == "__main__":
    ASYNCAPI.write_text(written(asyncapi()))
