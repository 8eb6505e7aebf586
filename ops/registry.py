"""Writes docs/contracts/schema-registry.json from the contracts: a CloudFormation template of an EventBridge registry.

A registry takes OpenAPI 3.0, which knows neither `const` nor `type: [string, null]`: both are said in its words.
`make contracts`.
"""

import json
from typing import Any

from landing.domain.announcements import KINDS, Announcement
from ops.asyncapi import SOURCE, envelope, name_of
from ops.contracts import CONTRACTS, schema, version, written

REGISTRY = CONTRACTS / "schema-registry.json"

type Json = dict[str, Any]


def registry() -> Json:
    """The template. Deploy it where developers look for schemas; code bindings can be made from it there."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"What {SOURCE} announces, in a registry of EventBridge schemas",
        "Resources": {
            "Registry": {"Type": "AWS::EventSchemas::Registry", "Properties": {"RegistryName": SOURCE}},
            **{name_of(kind): _schema(kind) for kind in KINDS.values()},
        },
    }


def _schema(kind: type[Announcement]) -> Json:
    return {
        "Type": "AWS::EventSchemas::Schema",
        "Properties": {
            "RegistryName": {"Fn::GetAtt": ["Registry", "RegistryName"]},
            "SchemaName": f"{SOURCE}@{name_of(kind)}",
            "Type": "OpenApi3",
            "Description": kind.detail_type,
            "Content": json.dumps(openapi(kind), ensure_ascii=False),
        },
    }


def openapi(kind: type[Announcement]) -> Json:
    """One event as the registry's own discovery would write it."""
    detail = schema(kind)
    named = {name: _in_openapi(each) for name, each in detail.pop("$defs", {}).items()}
    for word in ("$schema", "$id", "title"):
        del detail[word]
    whole = envelope(kind, {"$ref": f"#/components/schemas/{name_of(kind)}"})
    marks = {"x-amazon-events-detail-type": kind.detail_type, "x-amazon-events-source": SOURCE}
    return {
        "openapi": "3.0.0",
        "info": {"title": name_of(kind), "version": f"{version(kind)}.0.0"},
        "paths": {},
        "components": {"schemas": {"AWSEvent": {**marks, **whole}, name_of(kind): _in_openapi(detail), **named}},
    }


def _in_openapi(node: Any) -> Any:
    if isinstance(node, list):
        return [_in_openapi(each) for each in node]
    if not isinstance(node, dict):
        return node
    said = {word: _in_openapi(value) for word, value in node.items() if word not in {"const", "anyOf"}}
    if "const" in node:
        said["enum"] = [node["const"]]
    if said.get("type") == "null":
        said = {"nullable": True, "enum": [None]} | {word: value for word, value in said.items() if word != "type"}
    if "anyOf" in node:
        options = [option for option in node["anyOf"] if option != {"type": "null"}]
        (only,) = options  # our events know "this or null", and no other choice
        said = {**_in_openapi(only), **said, "nullable": True}
    if "$ref" in said:
        said = {"$ref": said["$ref"].replace("#/$defs/", "#/components/schemas/")}
    return said


if __name__ == "__main__":
    REGISTRY.write_text(written(registry()))
