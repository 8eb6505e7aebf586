"""Writes the JSON Schema of every event to docs/contracts/, from the models of the events: `make contracts`."""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import WithDefaultSchema

from landing.domain.announcements import KINDS, Announcement

CONTRACTS = Path(__file__).parents[1] / "docs" / "contracts"


class Plain(GenerateJsonSchema):
    """Without what only repeats a member's name, and without defaults: what we write is always there."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def file_name(kind: type[Announcement]) -> str:
    """`account-data-ready.v1.schema.json`"""
    return f"{kind.detail_type.lower().replace(' ', '-')}.v{version(kind)}.schema.json"


def version(kind: type[Announcement]) -> int:
    return int(kind.model_fields["version"].default)


def schema(kind: type[Announcement]) -> dict[str, Any]:
    """What `detail` is like when the event's detail-type is this one."""
    name = file_name(kind).removesuffix(".schema.json").replace(".", ":")
    made = kind.model_json_schema(by_alias=True, mode="serialization", schema_generator=Plain)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:flinks-landing:event:{name}",
        **made,
        "title": kind.detail_type,
    }


def written(contract: dict[str, Any]) -> str:
    return json.dumps(contract, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for kind in KINDS.values():
        (CONTRACTS / file_name(kind)).write_text(written(schema(kind)))
