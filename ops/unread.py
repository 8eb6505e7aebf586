"""Writes docs/consumers/unread.sql from the contract of the drop: `make contracts`.

Every member that the contract names is held to what the contract allows there, so no member can be forgotten. The SQL
is the same for Athena and DuckDB.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
DROP = DOCS / "contracts" / "drop.v1.schema.json"
UNREAD = DOCS / "consumers" / "unread.sql"

AMOUNT = "-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?"
"""What DECIMAL(38, 10) takes without rounding. In the views all amounts are text."""
DAY = "[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}"

QUOTED = ("Debit", "Credit", "Balance", "Available", "Current", "Limit", "OverdraftLimit")
"""The members whose numbers `documents` puts in quotes, wherever they stand."""

type Json = dict[str, Any]

_BEGINS = {
    "string": '"',
    "object": "[{]",
    "array": r"\[",
    "number": "-?[0-9]",
    "integer": "-?[0-9]+$",
    "boolean": "(true|false)$",
    "null": "null$",
}

_HEAD = """\
-- What stood in a drop in another shape than docs/contracts/drop.v1.schema.json allows; made from that file by
-- `make contracts`. Empty, or a bank has found another way to write something: tell us. `place` is a JSON path, `found`
-- what stood there (a number may have stood in quotes); no value is shown. The same text for Athena and DuckDB.

CREATE OR REPLACE VIEW misfits AS
SELECT connection_id, generation, within, said
FROM (
"""

_MIDDLE = """\
) AS told
WHERE said <> '';

"""

_TAIL = """\
CREATE OR REPLACE VIEW unread AS
SELECT
  connection_id,
  generation,
  within || substr(misfit, 1, length(misfit) - 1) AS place,
  CASE substr(misfit, length(misfit), 1)
    WHEN '{' THEN 'object'
    WHEN '[' THEN 'array'
    WHEN '"' THEN 'text'
    WHEN 't' THEN 'boolean'
    WHEN 'f' THEN 'boolean'
    WHEN 'n' THEN 'null'
    WHEN '!' THEN 'no JSON'
    ELSE 'number'
  END AS found
FROM misfits CROSS JOIN UNNEST(split(said, ' ')) AS each_of (misfit)
WHERE misfit <> '';
"""


@dataclass(frozen=True)
class Level:
    """Where members stand that have an order of their own: the document, each account, each transaction."""

    contract: str | None
    """Its name among the contract's definitions; None for the whole."""
    source: str
    value: str
    within: str
    """SQL for the place of what is looked at."""


LEVELS = (
    Level(None, "documents", "document", "'$'"),
    Level("Account", "account_elements", "element", "'$.Accounts[' || CAST(position - 1 AS varchar) || ']'"),
    Level(
        "Transaction",
        "transaction_elements",
        "element",
        "'$.Accounts[' || CAST(account_position - 1 AS varchar) || '].Transactions['"
        " || CAST(position - 1 AS varchar) || ']'",
    ),
)


def unread(contract: Json) -> str:
    """The whole file."""
    told = "\n  UNION ALL\n".join(_misfits(level, contract) for level in LEVELS)
    return f"{_HEAD}{told}\n{_MIDDLE}{_TAIL}"


def members(node: Json, contract: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every member below `node` with what is allowed there; what an array holds is a level of its own."""
    for name, allowed in node.get("properties", {}).items():
        if allowed is False:
            continue
        yield f"{path}.{name}", allowed
        for option in _options(allowed, contract):
            yield from members(option, contract, f"{path}.{name}")


def _misfits(level: Level, contract: Json) -> str:
    """A SELECT of ` .Name{`: each misfit of one level with the first letter of what stands there, after a blank."""
    node = contract if level.contract is None else contract["$defs"][level.contract]
    whole = f"json_format({level.value})"
    checks = "\n".join(_check(level.value, path, allowed, contract) for path, allowed in members(node, contract))
    return f"""\
  SELECT
    connection_id,
    generation,
    {level.within} AS within,
    CASE
      WHEN {whole} IS NULL THEN '{"!" if level.contract is None else "n"}'
      WHEN {whole} NOT LIKE '{{%' THEN substr({whole}, 1, 1)
      ELSE ''
{checks}
    END AS said
  FROM {level.source}"""  # noqa: S608 - of our own words


def _check(value: str, path: str, allowed: Json, contract: Json) -> str:
    found = f"json_format(json_extract({value}, '${path}'))"
    first = f"substr({found}, 1, 1)"
    if path.rpartition(".")[2] in QUOTED:
        first = f"CASE WHEN regexp_like({found}, '^\"-?[0-9][0-9.eE+-]*\"$') THEN '0' ELSE {first} END"
    return f"""\
      || CASE
        WHEN {_is_misfit(found, allowed, contract)}
        THEN ' {path}' || {first}
        ELSE ''
      END"""


def _is_misfit(found: str, allowed: Json, contract: Json) -> str:
    match allowed.get("$ref", "").rpartition("/")[2]:
        case "Amount":
            return _unreadable(found, f"regexp_extract({found}, '^\"({AMOUNT})\"$', 1)", "DECIMAL(38, 10)")
        case "Day":
            return _unreadable(found, f"replace(regexp_extract({found}, '^\"({DAY})', 1), '/', '-')", "DATE")
        case _:
            begins = {_BEGINS[kind] for option in _options(allowed, contract) for kind in _types(option)}
            return f"NOT regexp_like({found}, '^({'|'.join(sorted(begins))})')"


def _unreadable(found: str, text: str, kind: str) -> str:
    return f"{found} <> 'null' AND TRY_CAST({text} AS {kind}) IS NULL"


def _options(allowed: Json, contract: Json) -> list[Json]:
    if "$ref" in allowed:
        return _options(contract["$defs"][allowed["$ref"].rpartition("/")[2]], contract)
    return (
        [each for option in allowed["anyOf"] for each in _options(option, contract)]
        if "anyOf" in allowed
        else [allowed]
    )


def _types(option: Json) -> list[str]:
    named = option["type"]
    return [named] if isinstance(named, str) else named


if __name__ == "__main__":
    UNREAD.write_text(unread(json.loads(DROP.read_text())))
