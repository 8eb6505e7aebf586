"""Brings loginIds along that were kept elsewhere: a file of them checked as a whole, then ordered in small portions.

What is wrong is named by line and column, and never quoted: every line holds a secret. A run may be repeated: the
function leaves alone what is here, so whatever broke off goes on where it was.
"""

import csv
import difflib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import Any, TextIO

from landing.edge.inputs import canonical_guid, is_owner
from ops import orders
from ops.orders import NotDone
from ops.target import Target

COLUMNS = ("loginId", "owner", "institution", "receivedAt")
NEEDED = frozenset({"loginId", "owner"})
TRIES = 3
AT_ONCE = 25
"""Logins in one order: so many wait for a person's POST to be served between them."""

_NOT_DONE = "not_done"


@dataclass(frozen=True)
class Line:
    """One login of the file, by the number of its line."""

    number: int
    login: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Mistake:
    number: int
    what: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.what}"


@dataclass(frozen=True)
class Done:
    """What became of a line."""

    number: int
    outcome: str
    connection_id: str | None = None


def read(text: TextIO, kind: str) -> tuple[list[Line], list[Mistake]]:
    """Every login, each once, and all that is wrong; `kind` is csv or jsonl."""
    lines: list[Line] = []
    mistakes: list[Mistake] = []
    seen: set[tuple[str, str]] = set()
    for number, entry in _entries_of_csv(text) if kind == "csv" else _entries_of_json(text):
        found = [entry] if isinstance(entry, str) else list(wrong_with(entry))
        mistakes += [Mistake(number, what) for what in found]
        if found or isinstance(entry, str):
            continue
        login = {**entry, "loginId": canonical_guid(entry["loginId"])}
        if (key := (login["loginId"], login["owner"])) not in seen:
            seen.add(key)
            lines.append(Line(number, login))
    if not lines and not mistakes:
        mistakes.append(Mistake(1, "there is nothing in the file."))
    return lines, mistakes


def _entries_of_csv(text: TextIO) -> Iterator[tuple[int, dict[str, str] | str]]:
    """A mistake that keeps the rest from being read is a text."""
    rows = csv.reader(text, strict=True)
    try:
        head = next(rows, [])
        if (unknown := _unknown(head)) or not set(head) >= NEEDED:
            yield 1, unknown or f"the first line must name the columns: {', '.join(COLUMNS)}."
            return
        for row in rows:
            if row:
                fits = len(row) == len(head)
                entry = {name: value for name, value in zip(head, row, strict=False) if value}
                yield rows.line_num, entry if fits else f"must have {len(head)} columns."
    except (csv.Error, UnicodeDecodeError):
        yield rows.line_num, "cannot be read as CSV in UTF-8."


def _entries_of_json(text: TextIO) -> Iterator[tuple[int, dict[str, str] | str]]:
    try:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            if not isinstance(entry, dict):
                yield number, "must be one JSON object."
            elif unknown := _unknown(entry):
                yield number, unknown
            else:
                yield number, {name: value for name, value in entry.items() if value is not None}
    except UnicodeDecodeError:
        yield 1, "cannot be read as UTF-8."


def _unknown(names: Iterable[str]) -> str:
    """A name that is one of ours but for its spelling may be said; another may be a value in a wrong place."""
    for name in names:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, 1, 0.6)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(COLUMNS)}."
            return f"there is a column that nobody knows. {hint}"
    return ""


def wrong_with(entry: Mapping[str, Any]) -> Iterator[str]:
    """Of one login: what keeps it from being imported, member by member."""
    try:
        canonical_guid(entry["loginId"])
    except KeyError:
        yield "loginId is missing."
    except (AttributeError, ValueError):
        yield "loginId must be a GUID: 8-4-4-4-12 hexadecimal digits."
    if "owner" not in entry:
        yield "owner is missing."
    elif not is_owner(entry["owner"]):
        yield "owner must be a text of 1 to 256 characters."
    if not isinstance(entry.get("institution", ""), str):
        yield "institution must be a text."
    if "receivedAt" in entry and not _is_past(entry["receivedAt"]):
        yield "receivedAt must be a time of the past with its zone, such as 2026-01-05T12:00:00Z."


def _is_past(value: Any) -> bool:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return moment.tzinfo is not None and moment <= datetime.now(UTC)


def bring(
    target: Target,
    lines: Sequence[Line],
    *,
    ticket: str,
    fetch: str,
    dry_run: bool,
    per_second: float,
    heard: Callable[[Done], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Counter[str]:
    """Order all of them, no faster than `per_second`; `heard` hears of each at its end. Raises Refused, NotDone."""
    counts: Counter[str] = Counter()
    order = {"ticket": ticket, "fetch": fetch, "dryRun": dry_run}
    for some in batched(lines, AT_ONCE, strict=False):
        began = time.monotonic()
        for done in _portion(target, some, order, sleep):
            counts[done.outcome] += 1
            heard(done)
        if not dry_run:
            sleep(max(0.0, len(some) / per_second - (time.monotonic() - began)))
    return counts


def _portion(
    target: Target, some: Sequence[Line], order: Mapping[str, Any], sleep: Callable[[float], None]
) -> Iterator[Done]:
    """What was not done is ordered again, a few times."""
    left = list(some)
    for attempt in range(TRIES):
        logins = [dict(line.login) for line in left]
        try:
            said = orders.invoke(target, "ImportLoginsFunction", {"logins": logins, **order})["logins"]
        except NotDone:
            if attempt == TRIES - 1:
                raise
            said = [{"outcome": _NOT_DONE}] * len(left)
        done = [
            Done(line.number, each["outcome"], each.get("connectionId")) for line, each in zip(left, said, strict=True)
        ]
        yield from (each for each in done if each.outcome != _NOT_DONE)
        left = [line for line, each in zip(left, done, strict=True) if each.outcome == _NOT_DONE]
        if not left:
            return
        sleep(2.0**attempt)
    yield from (Done(line.number, _NOT_DONE) for line in left)
