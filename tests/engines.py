"""The consumers' SQL in DuckDB: as it stands for DuckDB, and Athena's own text as sqlglot translates it."""

from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

CONSUMERS = Path(__file__).parents[1] / "docs" / "consumers"

type Rows = list[tuple[Any, ...]]


def in_duckdb(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"SET VARIABLE drops = '{folder}/accounts/v1/*/*.json.gz'")
    for script in ("duckdb.sql", "views.sql", "unread.sql"):
        connection.execute((CONSUMERS / script).read_text())
    return connection


def statements(script: str) -> list[exp.Expression]:
    """As sqlglot reads Athena: its tables are made in Hive's language, its queries in Trino's."""
    text = (CONSUMERS / script).read_text()
    parsed = sqlglot.parse(text, read="trino")
    tables = [
        each for each in sqlglot.parse(text, read="athena") if isinstance(each, exp.Create) and each.kind == "TABLE"
    ]
    views = [each for each in parsed if isinstance(each, exp.Create) and each.kind == "VIEW"]
    return [*tables, *views]


def in_athena(folder: Path) -> duckdb.DuckDBPyConnection:
    """Athena's own text, in DuckDB: sqlglot knows both languages."""
    connection = duckdb.connect()
    drops = f"{folder}/accounts/v1/*/*.json.gz"
    connection.execute(_OBJECTS.format(drops=drops))
    for statement in athenas_views():
        connection.execute(statement)
    return connection


_OBJECTS = """
CREATE VIEW objects AS
SELECT filename AS "$path", CAST(json AS varchar) AS body
FROM read_json_objects('{drops}', filename = true, format = 'newline_delimited', ignore_errors = true);

CREATE MACRO json_extract_scalar(document, path) AS
  CASE WHEN json_type(document, path) NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(document, path) END;
"""


@cache
def athenas_views() -> list[str]:
    """In DuckDB's language."""
    return [
        _for_duckdb(statement).sql("duckdb", comments=False)
        for script in ("athena.sql", "views.sql", "unread.sql")
        for statement in statements(script)
        if isinstance(statement, exp.Create) and statement.kind == "VIEW"
    ]


def _for_duckdb[T: exp.Expr](statement: T) -> T:
    """What sqlglot leaves in Trino's way: nothing for an object where text is asked for, groups by $."""
    for scalar in list(statement.find_all(exp.JSONExtractScalar)):
        scalar.replace(exp.Anonymous(this="json_extract_scalar", expressions=[scalar.this, scalar.expression]))
    for replaced in statement.find_all(exp.RegexpReplace):
        text = replaced.args["replacement"].this.replace("$", "\\")
        replaced.set("replacement", exp.Literal.string(text))
    return statement


ENGINES = {"duckdb": in_duckdb, "athena": in_athena}


def rows(queries: duckdb.DuckDBPyConnection, view: str) -> Rows:
    return queries.execute(f"SELECT * FROM {view} ORDER BY ALL").fetchall()  # noqa: S608 - our own words


@cache
def translated(recipe: Path) -> str:
    """A query in Athena's language, in DuckDB's."""
    return _for_duckdb(sqlglot.parse_one(recipe.read_text(), read="trino")).sql("duckdb", comments=False)
