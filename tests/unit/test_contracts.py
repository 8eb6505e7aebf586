"""docs/contracts: what is published is what we say, and no later release may break who relied on an earlier one."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from landing.domain.announcements import KINDS, Announcement
from ops.contracts import file_name, schema, written
from tests.world.service import BUCKET, Service

CONTRACTS = Path(__file__).parents[2] / "docs" / "contracts"
RELEASED = sorted((CONTRACTS / "released").glob("*.schema.json"))
EXAMPLES = sorted((CONTRACTS / "examples").glob("*.json"))
ODDITIES = [
    "ok",
    "zero_accounts",
    "no_transactions",
    "holder_as_string",
    "unknown_members",
    "odd_dates",
    "debit_and_credit",
    "zero_for_null",
    "numbers_as_strings",
    "wide_number",
    "other_tag",
]

type Json = dict[str, Any]


def read(path: Path) -> Json:
    contract: Json = json.loads(path.read_text())
    return contract


# --- is it what we say?


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
def test_the_published_schema_is_made_of_the_model(kind: type[Announcement]) -> None:
    assert (CONTRACTS / file_name(kind)).read_text() == written(schema(kind)), "run `make contracts`"


def test_every_contract_is_a_schema_and_has_an_example() -> None:
    contracts = [path.name.removesuffix(".schema.json") for path in CONTRACTS.glob("*.schema.json")]

    for path in CONTRACTS.glob("*.schema.json"):
        Draft202012Validator.check_schema(read(path))

    assert sorted(contracts) == sorted(path.stem for path in EXAMPLES)
    assert len(contracts) == len(KINDS) + 1


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_as_the_schemas_say(path: Path) -> None:
    example = read(path)
    contract = read(CONTRACTS / f"{path.stem}.schema.json")

    Draft202012Validator(contract).validate(example.get("detail", example))

    assert example.get("detail-type", "Drop") == contract["title"]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
def test_a_member_that_is_missing_or_of_another_type_is_no_such_event(kind: type[Announcement]) -> None:
    validator = Draft202012Validator(schema(kind))
    detail = read(CONTRACTS / "examples" / file_name(kind).replace(".schema", ""))["detail"]

    for member in detail:
        assert not validator.is_valid({name: value for name, value in detail.items() if name != member})
        assert not validator.is_valid(detail | {member: []})
    assert validator.is_valid(detail | {"novelty": True})


@pytest.mark.parametrize("oddity", ODDITIES)
def test_every_drop_is_as_its_schema_says(service: Service, oddity: str) -> None:
    login_id = service.connect_bank(tag="a-tag")
    service.script(endpoint="GetAccountsDetail", loginId=login_id, steps=[{"fault": oddity}])
    service.post(login_id)

    service.settle()

    (versions,) = service.world.buckets[BUCKET].versions.values()
    drop = json.loads(gzip.decompress(versions[-1].body or b""))
    Draft202012Validator(read(CONTRACTS / "drop.v1.schema.json")).validate(drop)


@pytest.mark.parametrize("stripped", ["RequestId", "Links", "Tag", "Login.Id", "Login.Username"])
def test_the_drop_has_no_room_for_what_is_stripped(stripped: str) -> None:
    drop = read(CONTRACTS / "examples" / "drop.v1.json")
    *within, member = stripped.split(".")
    (drop[within[0]] if within else drop)[member] = "anything"

    assert not Draft202012Validator(read(CONTRACTS / "drop.v1.schema.json")).is_valid(drop)


# --- may it change so?

type Breaks = list[str]


def breaks(old: Any, new: Any, at: str = "$") -> Breaks:
    """Where something that `new` allows is not what `old` promised; both without references."""
    if old is True or old == {}:
        return []
    if new is False:
        return []
    if old is False or new is True:
        return [f"{at}: more than was promised"]
    if "anyOf" in new:
        return [found for option in new["anyOf"] for found in breaks(old, option, at)]
    if "anyOf" in old:
        options = [breaks(option, new, at) for option in old["anyOf"]]
        return [] if [] in options else options[0]
    return [
        *_values(old, new, at),
        *(
            f"{at}: another {word}"
            for word in ("pattern", "minimum", "format")
            if word in old and old[word] != new.get(word)
        ),
        *(f"{at}.{name}: no longer always there" for name in {*old.get("required", [])} - {*new.get("required", [])}),
        *(
            found
            for name, promised in old.get("properties", {}).items()
            for found in breaks(promised, new.get("properties", {}).get(name, True), f"{at}.{name}")
        ),
        *(breaks(old["items"], new.get("items", True), f"{at}[]") if "items" in old else []),
    ]


def _values(old: Json, new: Json, at: str) -> Breaks:
    def types(contract: Json) -> set[str]:
        named = contract.get("type", [])
        return {named} if isinstance(named, str) else set(named)

    def values(contract: Json) -> list[Any] | None:
        return [contract["const"]] if "const" in contract else contract.get("enum")

    found = []
    if types(old) and (
        not types(new) or not types(new) <= types(old) | ({"integer"} if "number" in types(old) else set())
    ):
        found.append(f"{at}: another type")
    promised, allowed = values(old), values(new)
    if promised is not None and (allowed is None or any(value not in promised for value in allowed)):
        found.append(f"{at}: other values")
    return found


def resolved(contract: Any, whole: Json | None = None) -> Any:
    """The contract with every reference replaced by what it refers to."""
    whole = whole or contract
    if isinstance(contract, list):
        return [resolved(each, whole) for each in contract]
    if not isinstance(contract, dict):
        return contract
    if "$ref" in contract:
        return resolved(whole["$defs"][contract["$ref"].rsplit("/", 1)[1]], whole)
    return {name: resolved(value, whole) for name, value in contract.items() if name != "$defs"}


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_what_was_released_is_still_true(path: Path) -> None:
    current = CONTRACTS / path.name

    assert current.exists(), "a contract may be followed by another version, and stays as long as it is announced"
    assert breaks(resolved(read(path)), resolved(read(current))) == []


def test_every_contract_was_released() -> None:
    assert [path.name for path in RELEASED] == sorted(path.name for path in CONTRACTS.glob("*.schema.json"))


EVENT: Json = resolved(schema(next(iter(KINDS.values()))))


def changed(**change: Any) -> Json:
    """The contract of `Account Data Ready` with members replaced; None takes one away."""
    contract = copy.deepcopy(EVENT)
    for path, value in change.items():
        *within, name = path.split("__")
        target = contract
        for step in within:
            target = target["properties"][step]
        if value is None:
            del target["properties"][name]
        else:
            target["properties"][name] = value
    return contract


def optional(name: str) -> Json:
    contract = copy.deepcopy(EVENT)
    contract["required"].remove(name)
    return contract


@pytest.mark.parametrize(
    "contract",
    [
        changed(owner=None),
        changed(drop__sha256=None),
        changed(generation={"type": "string"}),
        changed(generation={"type": "integer"}),
        changed(owner={"type": ["string", "null"]}),
        changed(owner={}),
        changed(status={"enum": ["ready", "partly_ready"]}),
        changed(status={"type": "string"}),
        changed(version={"const": 2, "type": "integer"}),
        changed(connectionId={"type": "string", "pattern": "^connection-"}),
        changed(drop={"anyOf": [EVENT["properties"]["drop"], {"type": "null"}]}),
        changed(correlationId={"type": "integer"}),
        optional("drop"),
        optional("id"),
    ],
)
def test_a_change_that_would_surprise_a_reader_is_called_incompatible(contract: Json) -> None:
    assert breaks(EVENT, contract)


@pytest.mark.parametrize(
    "contract",
    [
        EVENT,
        changed(novelty={"type": "string"}),
        changed(correlationId={"type": "string"}),
        changed(drop__bytes={"type": "integer", "minimum": 1, "maximum": 10**9}),
        changed(owner={"type": "string", "description": "in other words"}),
        EVENT | {"required": [*EVENT["required"], "novelty"]},
    ],
)
def test_a_change_that_surprises_nobody_is_called_compatible(contract: Json) -> None:
    assert breaks(EVENT, contract) == []
