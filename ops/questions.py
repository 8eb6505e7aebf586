"""Asks a deployment what only AWS can say (docs/aws.md) without the AWS CLI: its commands, understood by boto3.

Understood are `aws SERVICE OPERATION --option value … --query …`, `curl` of a URL, and within them `$(physical NAME)`,
`$(output NAME)`, `$(aws …)`, `$STACK` and `$AWS_REGION`.
"""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jmespath  # type: ignore[import-untyped]  # comes with botocore
import requests
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from ops import ledger
from ops.target import Target

AT_MOST = {"MaxItems": 100}
LONGEST = 600
_SECONDS = 15
_INNERMOST = re.compile(r"\$\(([^()]*)\)")


@dataclass(frozen=True)
class Answered:
    """A question of the ledger with what this deployment says; whether that is as expected, a person judges."""

    id: str
    ask: str
    expect: str
    answer: str


def ask_all(target: Target) -> Iterator[Answered]:
    for question in ledger.questions():
        yield Answered(question.id, question.ask, question.expect, _said(target, question.ask)[:LONGEST])


def _said(target: Target, command: str) -> str:
    try:
        return answer(target, command)
    except ClientError as error:
        return f"AWS refused {error.operation_name}: {error.response['Error']['Code']}"
    except (BotoCoreError, requests.RequestException) as error:
        return f"not answered: {type(error).__name__}"


def answer(target: Target, command: str) -> str:
    """What the command would print. Raises ClientError, BotoCoreError, RequestException; KeyError, ValueError."""
    command = command.replace("$STACK", target.name).replace("$AWS_REGION", target.region)
    while inner := _INNERMOST.search(command):
        command = command[: inner.start()] + _word(target, inner[1]) + command[inner.end() :]
    program, *words = shlex.split(command)
    return _curl(target, words) if program == "curl" else _aws(target, words)


def _word(target: Target, inner: str) -> str:
    match inner.split():
        case ["physical", name]:
            return target.resource(name)
        case ["output", name]:
            return target.output(name)
    return answer(target, inner)


def _curl(target: Target, words: Sequence[str]) -> str:
    url = words[-1]
    if target.is_local and not url.startswith(target.output("ApiUrl")):
        return "not asked: the local stack is not AWS"
    with requests.Session() as session:
        session.trust_env = not target.is_local
        said = session.get(url, timeout=_SECONDS)
    return str(said.status_code) if "%{http_code}" in words else said.text


def _aws(target: Target, words: Sequence[str]) -> str:
    service, operation, *rest = words
    client = target.client(service)
    method = xform_name(operation.replace("-", "_"))
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    members = {xform_name(name, "-"): (name, shape) for name, shape in model.input_shape.members.items()}
    options = _options(rest)
    query = " ".join(options.pop("query", ["@"]))
    as_text = options.pop("output", ["json"]) == ["text"]
    given = {members[name][0]: _typed(members[name][1], values) for name, values in options.items()}
    if client.can_paginate(method):
        said = client.get_paginator(method).paginate(**given, PaginationConfig=AT_MOST).build_full_result()
    else:
        said = getattr(client, method)(**given)
        said.pop("ResponseMetadata", None)
    found = jmespath.search(query, said)
    return _text(found) if as_text else json.dumps(found, default=str, ensure_ascii=False)


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name = word[2:]
            options[name] = []
        else:
            options[name].append(word)
    return options


def _typed(shape: Any, values: Sequence[str]) -> Any:
    """As the CLI's shorthand has it: `a=1,b=2` is a structure, several words are a list."""
    match shape.type_name:
        case "list":
            return [_typed(shape.member, [value]) for value in values]
        case "structure":
            return dict(pair.split("=", 1) for pair in values[0].split(","))
        case "integer" | "long":
            return int(values[0])
    return values[0]


def _text(found: Any) -> str:
    match found:
        case None:
            return "None"
        case [*rows] if any(isinstance(row, list) for row in rows):
            return "\n".join(_text(row) for row in rows)
        case [*cells]:
            return "\t".join(_text(cell) for cell in cells)
        case str():
            return found
    return json.dumps(found, default=str, ensure_ascii=False)
