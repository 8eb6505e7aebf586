"""Writes the tables of keys and of roles into docs/security.md, from template.yaml: `make security`."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.policies import Policies, Statement
from tests.processed_template import ROOT, source

PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- {}: made by `make security` -->\n", "<!-- end -->\n"
KEYS = {"LoginKey": "Login key", "IndexKey": "Index key", "DataKey": "Data key"}
STREAM = {"DescribeStream", "GetRecords", "GetShardIterator"}


def functions() -> dict[str, str]:
    """The role of each function, in the template's order."""
    found = {
        each["Properties"]["CodeUri"].split("/")[1]: name.removesuffix("Function") + "Role"
        for name, each in source()["Resources"].items()
        if each["Type"] == "AWS::Serverless::Function"
    }
    assert len(found) > 1
    return found


# --- who may do what


def roles() -> Iterator[str]:
    policies = Policies.of_template()
    columns = (
        "Function",
        "Login key",
        "Index key",
        "Data key, through",
        "Table",
        "Bucket",
        "Flinks' secrets",
        "Sends to",
    )
    yield _row(columns)
    yield _row("---" for _ in columns)
    for function, role in functions().items():
        held = [grant for grant in policies.grants() if grant[0].holder == role]
        yield _row(
            (
                f"`{function}`",
                _actions(held, "LoginKey"),
                _actions(held, "IndexKey"),
                _quoted(_through(statement) for statement, _, on in held if on == "DataKey"),
                _actions(held, "ConnectionsTable")
                + (" and the stream" if any(on == "ConnectionsTable/stream" for _, _, on in held) else ""),
                _actions(held, "DropBucket"),
                _quoted([on] for _, action, on in held if action == "secretsmanager:GetSecretValue"),
                _quoted([on] for _, action, on in held if action in ("sqs:SendMessage", "events:PutEvents")),
            )
        )


def _actions(held: list[tuple[Statement, str, str]], on: str) -> str:
    named = [action.split(":")[1] for _, action, resource in held if resource.split("/")[0] == on]
    return _quoted([each] for each in named if each not in STREAM)


def _through(statement: Statement) -> list[str]:
    services = statement.conditions["StringEquals"]["kms:ViaService"]
    return [each.split(".")[0] for each in ([services] if isinstance(services, str) else services)]


# --- who may use a key, whatever IAM says


def keys() -> Iterator[str]:
    policies, by_role = Policies.of_template(), {role: function for function, role in functions().items()}
    columns = ("Key", "May", "Who", "Only")
    yield _row(columns)
    yield _row("---" for _ in columns)
    for key, name in KEYS.items():
        for each in policies.of_resources[key]:
            yield _row((name, _quoted([action.split(":")[1]] for action in each.actions), *_who(each, by_role)))


def _who(statement: Statement, by_role: dict[str, str]) -> tuple[str, str]:
    conditions = {key: wanted for each in statement.conditions.values() for key, wanted in each.items()}
    roles = conditions.pop("aws:PrincipalArn", [])
    named = [by_role[role] for role in ([roles] if isinstance(roles, str) else roles)]
    only = (
        ["for purpose `{}`".format(conditions["kms:EncryptionContext:purpose"])]
        if "kms:EncryptionContext:purpose" in conditions
        else []
    )
    if "kms:ViaService" in conditions:
        only.append("through " + _quoted([_through(statement)]))
    if statement.services:
        return "CloudWatch Logs", "for this stack's log groups"
    if statement.sid == "Administer":
        return "whom IAM lets administer", "no use, no grant"
    return _quoted([named]) or "whom IAM lets use it", ", ".join(only)


def _quoted(groups: "Iterator[list[str]] | list[list[str]]") -> str:
    return " ".join(dict.fromkeys(f"`{each}`" for group in groups for each in group))


def _row(cells: "Iterator[str] | tuple[str, ...]") -> str:
    return "| " + " | ".join(cells) + " |\n"


# --- the page


def made(page: str) -> str:
    """The page with its tables as the template has them."""
    for name, rows in (("keys", keys()), ("roles", roles())):
        before, begin, rest = page.partition(BEGIN.format(name))
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise ValueError(f"the page has no place for {name}")
        page = before + begin + re.sub(r" +\|", " |", "".join(rows)) + end + after
    return page


if __name__ == "__main__":
    Path(PAGE).write_text(made(PAGE.read_text()))
