"""Each rule of our own finds what it is for, and the code that ships breaks none."""

import ast

import pytest

from tests.lint_rules import MAY_SAY_AN_ERROR, ROOT, broken, broken_in

BREAKS = {
    'logger.info(f"login {x}")': "constant text",
    'logger.error("bad", error=error.login_id)': "`login_id`",
    'logger.error("bad", owner=x)': "`owner`",
    'logger.exception("bad")': "no traceback",
    'logger.error("bad", exc_info=True)': "no traceback",
    "def f():\n    try:\n        g()\n    except E as error:\n        return str(error)": "not quoted",
    'def f():\n    try:\n        g()\n    except E as error:\n        raise X(f"no: {error}")': "not quoted",
    "requests.get(u)": "below its Session",
    "s.send(r, verify=False)": "certificates",
    "import urllib3": "only flinks/wire.py",
    "dynamodb.put_item(TableName=t, Item=i)": "has a condition",
    "@dataclass\nclass A:\n    login_id: str": "in no repr",
}


@pytest.mark.parametrize("source", BREAKS)
def test_a_rule_finds_what_it_is_for(source: str) -> None:
    assert [rule for _, rule in broken_in(source, "x.py") if BREAKS[source] in rule]


@pytest.mark.parametrize(
    "source",
    [
        'logger.info("fetch ended", connectionId=row.connection_id, reason=outcome.reason)',
        "def f():\n    try:\n        g()\n    except E as error:\n        return name_of(error)",
        "dynamodb.put_item(TableName=t, Item=i, ConditionExpression=c)",
        "@dataclass\nclass A:\n    login_id: str = field(repr=False)",
    ],
)
def test_what_is_as_it_should_be_breaks_none(source: str) -> None:
    assert broken_in(source, "x.py") == []


def test_the_code_that_ships_breaks_no_rule() -> None:
    assert list(broken()) == []


@pytest.mark.parametrize(("file", "function"), MAY_SAY_AN_ERROR)
def test_whoever_may_quote_an_error_is_there(file: str, function: str) -> None:
    tree = ast.parse((ROOT / "layers/landing/landing" / file).read_text())

    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
