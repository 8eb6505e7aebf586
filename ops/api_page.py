"""Writes docs/frontend/api.md from openapi.yaml: the contract as a page to read, without a tool that renders it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "frontend" / "api.md"

type Json = dict[str, Any]


def main() -> None:
    PAGE.write_text(page(contract()))


def contract() -> Json:
    """What `openapi.yaml` says."""
    read: Json = yaml.safe_load((ROOT / "openapi.yaml").read_text())
    return read


def page(contract: Json) -> str:
    """The whole page, in Markdown."""
    info = contract["info"]
    intro = f"*Version {info['version']}. Made from [openapi.yaml](../../openapi.yaml) by `make contracts`.*"
    parts = [f"# The HTTP API of {info['title']}", intro, info["description"].strip()]
    for path, operations in contract["paths"].items():
        for method, operation in operations.items():
            parts += _operation(contract, f"{method.upper()} {path}", operation)
    parts.append("## Schemas")
    for name, schema in contract["components"]["schemas"].items():
        parts += _schema(contract, name, schema)
    return "\n\n".join(parts) + "\n"


def _operation(contract: Json, route: str, operation: Json) -> Iterator[str]:
    yield f"## `{route}`"
    yield f"**{operation['summary']}.**"
    yield operation["description"].strip()
    if parameters := operation.get("parameters"):
        yield _table(("Parameter", "In", "Type", ""), [_parameter(contract, each) for each in parameters])
    if body := operation.get("requestBody"):
        (schema,) = (each["schema"] for each in body["content"].values())
        yield f"Body: {_type(contract, schema)}. {body['description']}"
    answers = [(status, _resolved(contract, each)) for status, each in operation["responses"].items()]
    rows = [(f"`{status}`", _bodies(contract, each), _line(each["description"])) for status, each in answers]
    yield _table(("Answer", "Body", ""), rows)


def _parameter(contract: Json, parameter: Json) -> tuple[str, str, str, str]:
    name = f"`{parameter['name']}`"
    return name, parameter["in"], _type(contract, parameter["schema"]), _line(parameter["description"])


def _bodies(contract: Json, response: Json) -> str:
    return ", ".join(_type(contract, each["schema"]) for each in response["content"].values())


def _schema(contract: Json, name: str, schema: Json) -> Iterator[str]:
    yield f"### {name}"
    if described := schema.get("description"):
        yield described.strip()
    if "allOf" in schema:
        values = schema["allOf"][1]["properties"]
        yield f"A [Problem](#problem) of status {values['status']['enum'][0]} and type `{values['type']['enum'][0]}`."
    elif "properties" in schema:
        needed = schema.get("required", [])
        yield _table(
            ("Member", "Type", ""),
            [
                (
                    f"`{member}`" + ("" if member in needed else " (optional)"),
                    _type(contract, each),
                    _told(contract, each),
                )
                for member, each in schema["properties"].items()
            ],
        )
    else:
        yield f"Type: {_type(contract, schema)}."


def _told(contract: Json, member: Json) -> str:
    return _line(member.get("description") or _resolved(contract, member).get("description", ""))


def _type(contract: Json, schema: Json) -> str:
    """What values there may be, in one cell; what has a name links to it."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "oneOf" in schema:
        return " or ".join(_type(contract, each) for each in schema["oneOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array" or "items" in schema:
        return f"list of {_type(contract, schema['items'])}"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(kinds) + (f" `{schema['pattern']}`" if "pattern" in schema else "")


def _resolved(contract: Json, part: Json) -> Json:
    while "$ref" in part:
        target: Json = contract
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        part = target
    return part


def _line(text: str) -> str:
    return " ".join(text.split())


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    main()
