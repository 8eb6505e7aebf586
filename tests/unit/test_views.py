"""docs/consumers/*.sql: no odd drop breaks the views, and nothing in it is hidden; DuckDB and Athena alike."""

import copy
import gzip
import json
import os
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types
from sqlglot import exp

from ops import unread
from tests import lake
from tests.engines import CONSUMERS, ENGINES, Rows, in_duckdb, rows, statements

DOCS = Path(__file__).parents[2] / "docs"
CONTRACT = json.loads((DOCS / "contracts" / "drop.v1.schema.json").read_text())
EXAMPLE = json.loads((DOCS / "contracts" / "examples" / "drop.v1.json").read_text())
VIEWS = ("connections", "accounts", "holders", "balances", "transactions", "closing_balances", "unread")
WRONG: tuple[Any, ...] = ({}, [], "", "wrong", 5, -0.5, True, [{"a": 1}])
FOUND = {dict: "object", list: "array", str: "text", int: "number", float: "number", bool: "boolean"}
NEIGHBOUR = "con_neighbour"

type Json = dict[str, Any]
type Misfit = tuple[str, str, str]
"""connection_id, place, found"""


# --- the sweep


def places() -> Iterator[tuple[list[str | int], Json]]:
    """Where every member of the contract stands in the example, with what the contract allows there."""
    levels: list[tuple[str | None, list[str | int]]] = [
        (None, []),
        ("Account", ["Accounts", 0]),
        ("Transaction", ["Accounts", 0, "Transactions", 1]),
    ]
    for level, within in levels:
        node = CONTRACT["$defs"][level] if level else CONTRACT
        for path, allowed in unread.members(node, CONTRACT):
            yield [*within, *path.split(".")[1:]], allowed
    yield ["Accounts", 0], {"$ref": "#/$defs/Account"}
    yield ["Accounts", 0, "Transactions", 1], {"$ref": "#/$defs/Transaction"}


def spoiled(place: list[str | int], value: Any) -> Json:
    """The example with `value` in that place."""
    drop: Any = copy.deepcopy(EXAMPLE)
    *way, last = place
    node = drop
    for step in way:
        node = node[step]
    node[last] = value
    whole: Json = drop
    return whole


def is_allowed(allowed: Json, value: Any) -> bool:
    """By the contract; what stands inside is another place's matter."""
    if allowed.get("$ref") == "#/$defs/Day" and isinstance(value, str):
        return False  # none of ours is a day
    inside = {key: {"type": "object"} for key in ("Account", "Transaction", "Holder", "FlinksLanding")}
    contract = {"$defs": CONTRACT["$defs"] | inside, **allowed}
    if isinstance(value, list):
        value = []
    if "pattern" in allowed:
        contract.pop("pattern")
    return bool(Draft202012Validator(contract).is_valid(value))


def json_path(place: list[str | int]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)


def sweep() -> Iterator[tuple[str, Json, list[Misfit]]]:
    """connection_id, drop, and what `unread` has to say of it."""
    for number, (place, allowed) in enumerate(places()):
        for kind, value in enumerate(WRONG):
            id_ = f"con_{number}x{kind}"
            misfit = (id_, json_path(place), FOUND[type(value)])
            yield id_, spoiled(place, value), [] if is_allowed(allowed, value) else [misfit]


def put(folder: Path, connection_id: str, text: str, generation: int = 1) -> None:
    key = f"accounts/v1/{connection_id}/{generation:06d}.json.gz"
    lake.put_bytes(folder, key, gzip.compress(text.encode(), 1))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bucket full of odd drops, and one that is not."""
    folder = tmp_path_factory.mktemp("swept")
    for connection_id, drop, _ in sweep():
        put(folder, connection_id, json.dumps(drop))
    put(folder, NEIGHBOUR, json.dumps(EXAMPLE))
    put(folder, "con_no_json", '{"Accounts": [}')
    put(folder, "con_no_object", "[1]")
    return folder


type Seen = dict[str, Rows]
"""All rows of every view."""


@pytest.fixture(scope="module")
def seen(swept: Path) -> dict[str, Seen]:
    """What each engine shows of the odd drops."""
    shown = {}
    for engine, opened in ENGINES.items():
        with opened(swept) as queries:
            shown[engine] = {view: rows(queries, view) for view in VIEWS}
    return shown


def of(connection_id: str, found: Rows) -> Rows:
    return [row for row in found if row[0] == connection_id]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_query_fails_and_every_misfit_is_named(seen: dict[str, Seen], engine: str) -> None:
    expected = [misfit for _, _, misfits in sweep() for misfit in misfits]
    expected += [("con_no_json", "$", "no JSON"), ("con_no_object", "$", "array")]

    named = sorted((connection_id, place, found) for connection_id, _, place, found in seen[engine]["unread"])

    assert len(expected) > 300
    assert named == sorted(expected)
    assert len(seen[engine]["connections"]) == len(list(sweep())) + 3


@pytest.mark.parametrize("engine", ENGINES)
def test_the_neighbours_of_odd_drops_are_as_if_alone(seen: dict[str, Seen], engine: str, tmp_path: Path) -> None:
    put(tmp_path, NEIGHBOUR, json.dumps(EXAMPLE))

    with ENGINES[engine](tmp_path) as alone:
        for view in VIEWS:
            assert of(NEIGHBOUR, seen[engine][view]) == rows(alone, view)
    assert len(of(NEIGHBOUR, seen[engine]["transactions"])) == 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("place", "accounts", "transactions"),
    [
        (["Accounts"], 0, 0),
        (["Accounts", 0], 1, 0),
        (["Accounts", 0, "Transactions"], 2, 0),
        (["Accounts", 0, "Transactions", 1], 2, 1),
        (["Accounts", 0, "Holder"], 2, 2),
        (["Login"], 2, 2),
    ],
)
def test_a_piece_that_is_odd_takes_no_other_with_it(
    seen: dict[str, Seen], engine: str, place: list[str | int], accounts: int, transactions: int
) -> None:
    odd = next(id_ for id_, drop, _ in sweep() if drop == spoiled(place, 5))

    assert len(of(odd, seen[engine]["accounts"])) == accounts
    assert len(of(odd, seen[engine]["transactions"])) == transactions


def test_both_engines_show_the_same(seen: dict[str, Seen]) -> None:
    assert seen["duckdb"] == seen["athena"]


# --- what is read


AMOUNTS = {
    "63.28": "63.28",
    '"63.28"': "63.28",
    "12345678901234567.89": "12345678901234567.89",
    '"-0.5"': "-0.5",
    "0.1000000000": "0.1",
    "1e3": "1000",
    "1.5E+2": "150",
    "null": None,
}
NO_AMOUNTS = ("0.00000000001", "1e99", "9" * 30, '"12,50"', '"1_000"', '" 5"', '"5 CR"', '""')


@pytest.mark.parametrize("engine", ENGINES)
def test_an_amount_is_exact_or_unread(tmp_path: Path, engine: str) -> None:
    for number, said in enumerate([*AMOUNTS, *NO_AMOUNTS]):
        text = json.dumps(EXAMPLE).replace('"Balance": 6230.44', f'"Balance": {said}')
        put(tmp_path, f"con_{number:02d}", text)

    with ENGINES[engine](tmp_path) as made:
        found = made.execute("SELECT balance FROM transactions WHERE position = 1 ORDER BY connection_id").fetchall()
        unread_of = [(row[0], row[2]) for row in rows(made, "unread")]

    read = [None if text is None else Decimal(text) for text in AMOUNTS.values()]
    assert [balance for (balance,) in found] == [*read, *[None] * len(NO_AMOUNTS)]
    assert unread_of == [
        (f"con_{number:02d}", "$.Accounts[0].Transactions[0].Balance")
        for number in range(len(AMOUNTS), len(AMOUNTS) + len(NO_AMOUNTS))
    ]


DAYS = ("2026-02-27", "2026/02/27", "2026-02-27T00:00:00")
NO_DAYS = ("27-02-2026", "2026-02-30", "Feb 27", "2026-2-27", "")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_day_is_read_or_unread(tmp_path: Path, engine: str) -> None:
    for number, said in enumerate([*DAYS, *NO_DAYS]):
        put(tmp_path, f"con_{number}", json.dumps(spoiled(["Accounts", 0, "Transactions", 0, "Date"], said)))

    with ENGINES[engine](tmp_path) as made:
        found = made.execute("SELECT day FROM transactions WHERE position = 1 ORDER BY connection_id").fetchall()
        unread_of = [row[0] for row in rows(made, "unread")]

    assert [day for (day,) in found] == [*[date(2026, 2, 27)] * len(DAYS), *[None] * len(NO_DAYS)]
    assert unread_of == [f"con_{number}" for number in range(len(DAYS), len(DAYS) + len(NO_DAYS))]


@pytest.mark.parametrize("engine", ENGINES)
def test_blanks_between_tokens_change_nothing(tmp_path: Path, engine: str) -> None:
    compact, blank = tmp_path / "compact", tmp_path / "blank"
    put(compact, NEIGHBOUR, json.dumps(EXAMPLE, separators=(",", ":")))
    put(blank, NEIGHBOUR, json.dumps(EXAMPLE, separators=(" , ", " :\t")).replace(" :", ":"))

    with ENGINES[engine](compact) as one, ENGINES[engine](blank) as other:
        for view in VIEWS:
            assert rows(one, view) == rows(other, view)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_views_show_the_latest_generation(tmp_path: Path, engine: str) -> None:
    for generation, owner in ((9, "old"), (10, "new")):
        put(tmp_path, NEIGHBOUR, json.dumps(spoiled(["flinksLanding", "owner"], owner)), generation)

    with ENGINES[engine](tmp_path) as made:
        found = made.execute("SELECT generation, owner FROM connections").fetchall()

    assert found == [(10, "new")]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("oldest_first", [False, True])
def test_a_day_closes_with_what_was_booked_last(tmp_path: Path, engine: str, *, oldest_first: bool) -> None:
    entries = [
        {"Date": "2026-02-27", "Balance": 30},
        {"Date": "2026-02-27", "Balance": 20},
        {"Date": "2026-02-25", "Balance": 10},
    ]
    drop = spoiled(["Accounts", 0, "Transactions"], entries[::-1] if oldest_first else entries)
    put(tmp_path, NEIGHBOUR, json.dumps(drop))

    with ENGINES[engine](tmp_path) as made:
        closing = made.execute("SELECT CAST(day AS varchar), closing FROM closing_balances ORDER BY day").fetchall()

    assert closing == [("2026-02-25", Decimal(10)), ("2026-02-27", Decimal(30))]


# --- one connection without the others


def test_in_duckdb_no_other_connections_drop_is_opened(tmp_path: Path) -> None:
    put(tmp_path, "con_one", json.dumps(EXAMPLE))
    put(tmp_path, "con_two", json.dumps(EXAMPLE))
    (tmp_path / "accounts/v1/con_two/000001.json.gz").write_bytes(b"opening this fails")

    with duckdb.connect() as connection:
        connection.execute(f"SET VARIABLE drops = '{tmp_path}/accounts/v1/con_one/*.json.gz'")
        for script in ("duckdb.sql", "views.sql", "unread.sql"):
            connection.execute((CONSUMERS / script).read_text())
        assert len(rows(connection, "transactions")) == 2


def test_in_duckdb_an_older_generation_is_not_opened(tmp_path: Path) -> None:
    put(tmp_path, "con_one", json.dumps(EXAMPLE), generation=2)
    lake.put_bytes(tmp_path, "accounts/v1/con_one/000001.json.gz", b"opening this fails")

    with in_duckdb(tmp_path) as connection:
        assert len(rows(connection, "transactions")) == 2


def test_athenas_table_by_connection_is_injected_from_the_query() -> None:
    table, view = statements("athena-by-connection.sql")

    text = (CONSUMERS / "athena-by-connection.sql").read_text()
    assert isinstance(table, exp.Create)
    assert [column.name for column in table.find_all(exp.ColumnDef)] == ["body", "connection_id"]
    assert "'projection.connection_id.type' = 'injected'" in text
    assert "'storage.location.template' = 's3://DROP_BUCKET/accounts/v1/${connection_id}/'" in text
    assert [each.alias_or_name for each in view.expression.expressions] == ["connection_id", "path", "body"]


# --- the files


def test_unread_is_made_of_the_contract() -> None:
    assert unread.UNREAD.read_text() == unread.unread(CONTRACT), "run `make contracts`"


def test_the_numbers_that_become_text_are_the_amounts_of_the_contract() -> None:
    levels = (CONTRACT, CONTRACT["$defs"]["Account"], CONTRACT["$defs"]["Transaction"])
    amounts = {
        path.rpartition(".")[2]
        for level in levels
        for path, allowed in unread.members(level, CONTRACT)
        if allowed.get("$ref") == "#/$defs/Amount"
    }

    assert amounts == set(unread.QUOTED)
    for script in ("athena.sql", "duckdb.sql"):
        assert f"({'|'.join(unread.QUOTED)})" in (CONSUMERS / script).read_text()


@pytest.mark.parametrize("script", ["athena.sql", "athena-by-connection.sql", "views.sql", "unread.sql"])
def test_athena_is_spoken_to_in_its_language(script: str) -> None:
    made = statements(script)

    assert len(made) == (CONSUMERS / script).read_text().count("CREATE ")
    for statement in made:
        unknown = {each.name.lower() for each in statement.find_all(exp.Anonymous)}
        assert unknown <= {"json_format", "try"}


def test_views_and_unread_use_no_more_than_lines_of_a_screen() -> None:
    assert max(len(line) for line in (CONSUMERS / "views.sql").read_text().splitlines()) <= 140
    assert os.path.getsize(CONSUMERS / "unread.sql") < 262_144  # noqa: PTH202 - Athena's longest query
