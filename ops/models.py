"""Writes docs/consumers/example/reader/contracts.py from the contracts: pydantic models of the drop and the events.

It knows as much of JSON Schema as our contracts use, and raises KeyError at what it does not know.
"""

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_snake

DOCS = Path(__file__).parents[1] / "docs"
CONTRACTS = DOCS / "contracts"
MODELS = DOCS / "consumers" / "example" / "reader" / "contracts.py"
EVENTS = (
    "account-data-ready.v1",
    "connection-action-required.v1",
    "connection-failed.v1",
    "connection-deleted.v1",
)

type Json = dict[str, Any]

_HEAD = '''\
"""What flinks-landing promises, as pydantic models: `make contracts` of flinks-landing wrote them from its contracts.

Members that are not here are ignored: contracts only ever gain some. Parse JSON with `parse_float=Decimal`, and no
amount ever is a binary float. No error quotes what it was given.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

type Amount = Decimal | None
type Day = str | None


class Contract(BaseModel):
    """Members by our names in Python, by their own in JSON."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, validate_by_name=True)
'''

_SIMPLE = {"string": "str", "integer": "int", "number": "Decimal", "boolean": "bool", "null": "None"}
_NAMED = {"Amount", "Day"}


def models() -> str:
    """The whole file, formatted."""
    parts = [_HEAD]
    done: set[str] = set()
    for name in ("drop.v1", *EVENTS):
        contract = json.loads((CONTRACTS / f"{name}.schema.json").read_text())
        title = contract["title"].replace(" ", "")
        for each, text in _classes(title, contract, contract):
            if each not in done:
                done.add(each)
                parts.append(text)
    titles = [json.loads((CONTRACTS / f"{name}.schema.json").read_text())["title"] for name in EVENTS]
    kinds = ", ".join(f'"{title}": {title.replace(" ", "")}' for title in titles)
    parts.append(f"type Announcement = {' | '.join(title.replace(' ', '') for title in titles)}")
    parts.append(f'DETAILS: dict[str, type[Announcement]] = {{{kinds}}}\n"""By detail-type."""\n')
    return _formatted("\n\n".join(parts))


def _classes(name: str, node: Json, contract: Json) -> Iterator[tuple[str, str]]:
    """A class after those that it needs."""
    lines = [f"class {name}(Contract):"]
    if "description" in node:
        said = textwrap.fill(node["description"], 112, subsequent_indent="    ")
        end = "\n    " if "\n" in said else ""
        lines.append(f'    """{said}{end}"""\n')
    for member, allowed in node["properties"].items():
        if allowed is False:
            continue
        for inner, at in _inner(name, member, allowed, contract):
            yield from _classes(inner, at, contract)
        plain = _plain(allowed, contract)
        lines.append(_field(name, member, plain, required=member in node.get("required", [])))
    yield name, "\n".join(lines)


def _plain(allowed: Json, contract: Json) -> Json:
    """What a reference refers to, where that has no name of its own in the models."""
    called = allowed.get("$ref", "").rpartition("/")[2]
    if not called or called in _NAMED or "properties" in contract["$defs"][called]:
        return allowed
    plain: Json = contract["$defs"][called]
    return plain


def _inner(name: str, member: str, allowed: Json, contract: Json) -> Iterator[tuple[str, Json]]:
    for option in [allowed.get("items", allowed), *allowed.get("anyOf", [])]:
        if "$ref" in option:
            called = option["$ref"].rpartition("/")[2]
            if "properties" in contract["$defs"][called]:
                yield called, contract["$defs"][called]
        elif "properties" in option:
            yield name + member, option


def _field(name: str, member: str, allowed: Json, *, required: bool) -> str:
    kinds = dict.fromkeys(_kinds(name, member, allowed))
    kind = " | ".join(sorted(kinds, key=lambda each: each == "None"))
    if not required and "None" not in kind and kind not in _NAMED:
        kind += " | None"
    limits = [
        f"{ours}={allowed[theirs]!r}"
        for theirs, ours in (("pattern", "pattern"), ("minimum", "ge"))
        if theirs in allowed
    ]
    snake = to_snake(member).replace("sha_256", "sha256")
    more = [*limits, f"alias={member!r}"] if snake != member else limits
    kind = f"Annotated[{kind}, Field({', '.join(more)})]" if more else kind
    said = f'\n    """{allowed["description"]}"""' if "description" in allowed else ""
    return f"    {snake}: {kind}{'' if required else ' = None'}{said}"


def _kinds(name: str, member: str, allowed: Json) -> Iterator[str]:
    if "$ref" in allowed:
        yield allowed["$ref"].rpartition("/")[2]
    elif "anyOf" in allowed:
        for option in allowed["anyOf"]:
            yield from _kinds(name, member, option)
    elif "const" in allowed:
        yield f"Literal[{allowed['const']!r}]"
    elif "enum" in allowed:
        yield f"Literal[{', '.join(map(repr, allowed['enum']))}]"
    else:
        types = allowed["type"]
        for kind in [types] if isinstance(types, str) else types:
            if kind == "array":
                yield f"list[{' | '.join(_kinds(name, member, allowed['items']))}]"
            elif kind == "object":
                yield name + member
            else:
                yield _SIMPLE[kind]


def _formatted(text: str) -> str:
    command = [str(Path(sys.executable).parent / "ruff"), "format", "--stdin-filename", str(MODELS), "-"]
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - fixed
    return done.stdout


if __name__ == "__main__":
    MODELS.parent.mkdir(parents=True, exist_ok=True)
    MODELS.write_text(models())
