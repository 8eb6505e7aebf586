"""docs/consumers/kit and recipes: the drops are the simulator's, and the recipes reach the answers."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from tests import kit
from tests.engines import CONSUMERS, ENGINES, rows, translated

CONTRACTS = CONSUMERS.parent / "contracts"
RECIPES = sorted((CONSUMERS / "recipes").glob("*.sql"))
EVENTS = json.loads((kit.KIT / "events.json").read_text())
ANSWERS = json.loads((kit.KIT / "answers.json").read_text())


def contract(name: str) -> Any:
    return Draft202012Validator(json.loads((CONTRACTS / f"{name}.v1.schema.json").read_text()))


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return kit.files()


def plain(content: bytes) -> Any:
    return json.loads(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)


def test_the_kit_is_what_the_simulator_writes(made: dict[str, bytes]) -> None:
    lying_there = {str(path.relative_to(kit.KIT)) for path in kit.KIT.rglob("*") if path.is_file()}

    assert lying_there == {*made, "README.md"}
    for name, content in made.items():
        assert plain((kit.KIT / name).read_bytes()) == plain(content), "run `make kit`"


def test_every_drop_of_the_kit_is_as_its_contract_says() -> None:
    for path in kit.KIT.glob("accounts/v1/*/*.json.gz"):
        contract("drop").validate(plain(path.read_bytes()))


def test_every_event_of_the_kit_is_as_its_contract_says_and_its_drop_is_there() -> None:
    for event in EVENTS:
        contract(event["detail-type"].lower().replace(" ", "-")).validate(event["detail"])
        drop = event["detail"].get("drop")
        if drop and event["detail"]["connectionId"] != kit.GONE:
            stored = (kit.KIT / drop["key"]).read_bytes()
            assert hashlib.sha256(stored).hexdigest() == drop["sha256"]


def test_the_events_come_again_late_out_of_order_and_after_a_deletion() -> None:
    ids = [event["detail"]["id"] for event in EVENTS]
    of_joint = [event["detail"]["generation"] for event in EVENTS if "joint" in event["detail"].get("owner", "")]
    of_gone = [event["detail"]["status"] for event in EVENTS if event["detail"]["connectionId"] == kit.GONE]

    assert len(set(ids)) < len(ids)
    assert of_joint == [2, 1]
    assert of_gone == ["ready", "deleted", "ready"]


# --- answers


@pytest.fixture(scope="module", params=ENGINES)
def queries(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    with ENGINES[request.param](kit.KIT) as connection:
        yield connection


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_reaches_the_answers_of_the_kit(queries: duckdb.DuckDBPyConnection, recipe: Any) -> None:
    expected = ANSWERS["recipes"][recipe.stem]

    found = queries.execute(translated(recipe)).fetchall()

    assert len(expected) > 2
    assert sorted(as_text(row) for row in found) == sorted(as_text(row) for row in expected)


def as_text(row: Any) -> tuple[str, ...]:
    """An amount of SQL has ten decimals, one of the books as many as it needs."""
    return tuple(_shortest(f"{each:f}" if isinstance(each, Decimal) else str(each)) for each in row)


def _shortest(text: str) -> str:
    return text.rstrip("0").rstrip(".") if text.partition(".")[2].isdigit() else text


def test_every_recipe_has_an_answer() -> None:
    assert sorted(ANSWERS["recipes"]) == [recipe.stem for recipe in RECIPES]


def test_sums_owners_and_balances_are_those_of_the_kit(queries: duckdb.DuckDBPyConnection) -> None:
    found = queries.execute(
        "SELECT a.connection_id, a.account_position, a.title, a.currency, count(t.position),"
        " coalesce(sum(t.debit), 0), coalesce(sum(t.credit), 0), any_value(b.posted)"
        " FROM accounts a LEFT JOIN transactions t USING (connection_id, account_position)"
        " JOIN balances b USING (connection_id, account_position) GROUP BY 1, 2, 3, 4"
    ).fetchall()
    owners = dict(queries.execute("SELECT connection_id, owner FROM connections").fetchall())

    assert sorted(as_text(row) for row in found) == sorted(as_text(row.values()) for row in ANSWERS["accounts"])
    assert owners == {
        each["connectionId"]: each["owner"] for each in ANSWERS["afterAllEvents"] if each["connectionId"] != kit.GONE
    }
    assert rows(queries, "unread") == []
