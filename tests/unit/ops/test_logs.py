"""Which lines bin/landing tail shows; what it asks CloudWatch for selects the same ones."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from local.aws.filter_patterns import compiled
from ops.logs import ACCESS, WHERE, Line, Wanted, parsed

NOON = int(datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp() * 1000)


def a_line(**members: Any) -> Line:
    line = parsed("fetch_accounts", json.dumps({"message": "fetch ended", "level": "INFO", **members}), NOON)
    assert line is not None
    return line


@pytest.mark.parametrize(
    ("where", "is_shown"),
    [
        (("reason=timed_out",), True),
        (("reason=timed*",), True),
        (("message=fetch ended", "reason=timed_out"), True),
        (("reason=timed_out", "ending=failed"), False),
        (("attempt>2",), True),
        (("attempt>3",), False),
        (("nowhere=x",), False),
        (("reason>3",), False),
    ],
)
def test_all_conditions_must_hold(where: tuple[str, ...], is_shown: bool) -> None:
    assert Wanted(where)(a_line(reason="timed_out", attempt=3)) is is_shown


@pytest.mark.parametrize("where", [("reason=timed_out",), ("reason=timed*", "message=fetch ended"), ("attempt>2",), ()])
def test_what_cloudwatch_is_asked_for_leaves_out_nothing_that_is_wanted(where: tuple[str, ...]) -> None:
    line = {"message": "fetch ended", "reason": "timed_out", "attempt": 3}

    assert compiled(Wanted(where).pattern)(json.dumps(line))


def test_errors_are_lines_of_that_level_and_deaths() -> None:
    died = parsed("fetch_accounts", "2026 Task timed out after 120.00 seconds", NOON)
    wanted = Wanted(errors=True)

    assert died is not None
    assert wanted(died)
    assert wanted(a_line(level="ERROR"))
    assert not wanted(a_line())
    assert compiled(wanted.pattern)("2026 Task timed out after 120.00 seconds")


def test_a_line_of_the_gateway_is_read_too() -> None:
    line = parsed(ACCESS, '{"routeKey": "POST /connections", "status": "503", "latencyMs": "5200"}', NOON)

    assert line is not None
    assert line.message == "POST /connections"
    assert Wanted(("status=5*", "latencyMs>5000"))(line)


@pytest.mark.parametrize("condition", ["reason", "=x", "a b=c", 'reason="x" || true', "reason>soon"])
def test_a_condition_that_is_none_is_refused(condition: str) -> None:
    assert not WHERE.fullmatch(condition)


@pytest.mark.parametrize("condition", ["reason=timed_out", "status=5*", "correlationId=KZ3d1iwD4osEJ0g=", "attempt>2"])
def test_what_the_runbook_asks_for_is_a_condition(condition: str) -> None:
    assert WHERE.fullmatch(condition)
