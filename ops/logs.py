"""The functions' log lines, read back: each is JSON with a message, ids and how it ended."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from ops.target import Target

FUNCTIONS = (
    "receive_login",
    "fetch_accounts",
    "delete_connection",
    "show_connection",
    "create_connect_session",
    "publish_events",
    "resume_stalled",
    "refetch_connections",
    "import_logins",
)

ACCESS = "access"
"""The gateway's log, by the name that a command gives it."""

_OF_ERRORS = '?ERROR ?CRITICAL ?"Task timed out" ?"Runtime exited" ?ImportModuleError'

# What every line has beside what it says.
_FRAME = frozenset(
    {
        *("level", "location", "message", "timestamp", "service", "cold_start", "function_name", "function_arn"),
        *("function_memory_size", "function_request_id", "xray_trace_id", "sampling_rate"),
    }
)


@dataclass(frozen=True)
class Line:
    """One line of a function."""

    at: datetime
    function: str
    level: str
    message: str
    members: Mapping[str, Any]

    @property
    def request_id(self) -> str:
        return str(self.members.get("function_request_id", ""))

    @property
    def said(self) -> str:
        """What it says beside its message, as `name=value`."""
        told = ((name, value) for name, value in self.members.items() if name not in _FRAME and value is not None)
        return " ".join(f"{name}={value}" for name, value in told)


@dataclass(frozen=True)
class Wanted:
    """Which lines: `where` are `name=value`, a `*` for any text, or `name>number`; `errors`: only what went wrong."""

    where: tuple[str, ...] = ()
    errors: bool = False

    @property
    def pattern(self) -> str:
        """For CloudWatch, so that less comes over; it cannot compare numbers that stand as texts."""
        if self.errors:
            return _OF_ERRORS
        equal = [each.split("=", 1) for each in self.where if "=" in each]
        return " ".join(("{", " && ".join(f'$.{name} = "{value}"' for name, value in equal), "}")) if equal else ""

    def __call__(self, line: Line) -> bool:
        return (not self.errors or line.level in ("ERROR", "CRITICAL")) and all(
            _holds(each, line) for each in self.where
        )


WHERE = re.compile(r"[A-Za-z_]+(=[A-Za-z0-9 _.:/*+=-]+|>[0-9]+)")
"""What a condition looks like."""


def _holds(condition: str, line: Line) -> bool:
    name, equals, value = condition.partition("=")
    if equals:
        return fnmatchcase(str(line.members.get(name, "")), value)
    name, _, least = condition.partition(">")
    try:
        return float(line.members.get(name, "-inf")) > float(least)
    except (TypeError, ValueError):
        return False


def lines(
    target: Target, functions: tuple[str, ...], since: datetime, pattern: str = "", until: datetime | None = None
) -> Iterator[Line]:
    """Lines of the functions' groups, each group in its own order; `pattern` in CloudWatch's filter language."""
    for function in functions:
        yield from _of(target, function, since, pattern, until)


def _of(target: Target, function: str, since: datetime, pattern: str, until: datetime | None) -> Iterator[Line]:
    asked: dict[str, Any] = {"logGroupName": target.log_group(function), "startTime": _milliseconds(since)}
    if pattern:
        asked["filterPattern"] = pattern
    if until is not None:
        asked["endTime"] = _milliseconds(until)
    try:
        for page in target.client("logs").get_paginator("filter_log_events").paginate(**asked):
            for event in page["events"]:
                line = parsed(function, event["message"], event["timestamp"])
                if line is not None:
                    yield line
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":  # it never ran
            raise


def about(target: Target, connection_id: str, since: datetime) -> list[Line]:
    """Everything that the functions said about a connection, oldest first."""
    found = lines(target, FUNCTIONS, since, f'"{connection_id}"')
    return sorted((line for line in found if _names(line, connection_id)), key=lambda line: line.at)


def follow(target: Target, functions: tuple[str, ...], since: datetime, wanted: Wanted) -> Iterator[Line]:
    """New lines as they come, until Ctrl-C."""
    overlap, seen = timedelta(seconds=20), dict[tuple[str, str, str], datetime]()
    while True:
        found = sorted(filter(wanted, lines(target, functions, since, wanted.pattern)), key=lambda line: line.at)
        for line in found:
            key = (line.function, line.request_id, f"{line.at}{line.message}{line.said}")
            if key not in seen:
                seen[key] = line.at
                yield line
        now = datetime.now(UTC)
        since = max(since, now - overlap)
        seen = {key: at for key, at in seen.items() if at >= since}
        time.sleep(1 if target.is_local else 5)


def parsed(function: str, message: str, milliseconds: int) -> Line | None:
    """One event as a line; the platform's own (START, REPORT, EMF) are None unless they tell of a death."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    try:
        members = json.loads(message)
    except ValueError:
        dead = any(word in message for word in ("Task timed out", "Runtime exited", "Runtime.ImportModuleError"))
        return Line(at, function, "ERROR", message.strip(), {}) if dead else None
    if function == ACCESS and isinstance(members, dict):
        return Line(at, function, "INFO", str(members.pop("routeKey", "-")), members)
    if not isinstance(members, dict) or "message" not in members:
        return None
    return Line(at, function, str(members.get("level", "")), str(members["message"]), members)


def _names(line: Line, connection_id: str) -> bool:
    return any(value == connection_id for value in line.members.values())


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
