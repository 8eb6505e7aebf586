"""Writes docs/states.md, the picture and the table of what may follow what, from the rules: `make states`.

Every transition is made for a connection in every status, and followed where it may be: so the arrows are those that
the table would let happen, not what somebody believes.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from inspect import getdoc
from itertools import groupby
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

from landing.domain import erasing
from landing.domain import transitions as rules
from landing.domain.after_post import AfterPost, after_post
from landing.domain.change import (
    Absent,
    AllOf,
    AnyOf,
    Before,
    Equals,
    Expectation,
    Field,
    NotAfter,
    NotBefore,
    OneOf,
    Present,
    Transition,
    changed,
    every_field,
    meets,
)
from landing.domain.connection import (
    ERASED,
    TERMINAL,
    Action,
    AtFlinks,
    Connection,
    Drop,
    Erasure,
    Settled,
    Status,
)
from landing.domain.reasons import Reason
from landing.domain.transitions import Put

STATES = Path(__file__).parents[1] / "docs" / "states.md"

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
ERASURES = dict.fromkeys(ERASED, Erasure(NOW))
DROP = Drop("key", "version", "sha256", 1, 1, 1)


class Arrow(NamedTuple):
    """`name` brings a connection from one status to another."""

    name: str
    before: Status
    after: Status
    expects: str


def samples(status: Status) -> list[Connection]:
    """A connection in a status: at work, left behind by a dead worker, and with a choice that came meanwhile."""
    at_rest = Connection("con_" + "a" * 26, "ref", status, 1, 1, NOW, NOW, erasure=ERASURES.get(status))
    if status in TERMINAL:
        unswept = [] if status in ERASED else [replace(at_rest, uncommitted=(1,), due_at=NOW)]
        return [at_rest, *unswept, replace(at_rest, announce_by=NOW, due_at=NOW)]
    row = replace(at_rest, due_at=NOW)
    if status is Status.FETCHING:
        row = replace(row, lease_until=LATER)
        left = replace(row, lease_until=NOW - timedelta(hours=1))
        return [row, left, replace(row, refetch_wanted=True)]
    return [row, replace(row, asked=True), replace(row, uncommitted=(1,))]


def posted(row: Connection, account_ids: tuple[str, ...] | None) -> Transition | None:
    what = after_post(row, account_ids, NOW + timedelta(hours=1))
    if what in (AfterPost.NOTHING, AfterPost.REFUSE):
        return None
    return rules.reposted(row, what, NOW, account_ids=account_ids, institution=None, correlation_id=None)


WAYS: dict[str, list[Callable[[Connection], Transition | None]]] = {
    "reposted": [lambda row: posted(row, None), lambda row: posted(row, ("other",))],
    "refetched": [
        lambda row: rules.refetched(row, NOW, "id") if row.status in rules.REPEATABLE else None,
    ],
    "retried": [lambda row: rules.retried(row, NOW, "id") if row.status in rules.AT_WORK else None],
    "claimed": [lambda row: rules.claimed(row.hint, NOW, LATER)],
    "taken_over": [lambda row: rules.taken_over(row.hint, NOW, LATER)],
    "pending": [lambda row: rules.pending(row, NOW, LATER, sealed_request=b"", poll_until=LATER)],
    "waiting": [
        lambda row: rules.waiting(row, NOW, LATER, reason=Reason.FLINKS_UNAVAILABLE, sealed_request=None, put=Put.NONE)
    ],
    "ready": [lambda row: rules.ready(row, NOW, DROP)],
    "gave_up": [
        lambda row: rules.gave_up(
            row, NOW, Status.ACTION_REQUIRED, reason=Reason.BANK_NEEDS_ATTENTION, action=Action.RECONNECT, put=Put.NONE
        ),
        lambda row: rules.gave_up(
            row, NOW, Status.FAILED, reason=Reason.TIMED_OUT, action=Action.CONTACT_SUPPORT, put=Put.NONE
        ),
    ],
    "next_generation": [lambda row: rules.next_generation(row, NOW, put=Put.NONE) if row.refetch_wanted else None],
    "swept": [lambda row: rules.swept(row, NOW) if row.uncommitted else None],
    "announced": [lambda row: rules.announced(Settled(row.connection_id, row.generation, row.status), is_swept=True)],
    "put_off": [lambda row: rules.put_off(row.hint, LATER, seen_before=LATER, overdue_since=NOW)],
    "tombstoned": [lambda _: erasing.tombstoned(NOW, "T-1")],
    "claimed_for_erasing": [lambda row: erasing.claimed_for_erasing(row.hint, NOW, LATER, even_if_early=False)],
    "ended_at_flinks": [lambda row: erasing.ended_at_flinks(row, NOW, AtFlinks.DELETED)],
    "found_in_store": [lambda row: erasing.found_in_store(row, NOW, versions=1, markers=0, uploads=0)],
    "still_erasing": [lambda row: erasing.still_erasing(row, NOW, LATER, reason=Reason.SWEEP_UNFINISHED)],
    "forgotten": [lambda row: erasing.forgotten(row, NOW, LATER, owner_ref="ref")],
    "erased": [lambda row: erasing.erased(row, NOW, LATER)],
}


def arrows() -> list[Arrow]:
    """Every arrow once, in the order of `WAYS`."""
    found = [
        Arrow(name, row.status, changed(row, transition).status, in_words(transition.expects))
        for name, ways in WAYS.items()
        for way in ways
        for status in Status
        for row in samples(status)
        if (transition := way(row)) is not None and meets(row, transition.expects)
    ]
    return list(dict.fromkeys(found))


SAYS = {
    Equals: "`{}` as read",
    Present: "`{}` there",
    Absent: "no `{}`",
    Before: "`{}` over",
    NotAfter: "`{}` reached",
    NotBefore: "`{}` ahead",
}


def in_words(expects: Expectation) -> str:
    """An expectation as the table shows it; of one status alone, the column beside it speaks."""
    match expects:
        case AllOf(all_of):
            return ", ".join(words for each in all_of if (words := in_words(each)))
        case AnyOf(any_of):
            return " or ".join(f"({_with_status(each)})" for each in any_of)
        case Equals(Field.STATUS, _):
            return ""
        case OneOf(_, values):
            return " or ".join(value.value for value in values)
    return SAYS[type(expects)].format(expects.field)


def _with_status(expects: Expectation) -> str:
    match expects:
        case Equals(Field.STATUS, status):
            return str(status.value)
        case AllOf((Equals(Field.STATUS, status), *rest)):
            return f"{status.value}, {in_words(AllOf(tuple(rest)))}"
    return in_words(expects)


def page() -> str:
    every = arrows()
    lines = [
        "# The states of a connection",
        "",
        "Made by `make states` from transitions.py and erasing.py in layers/landing/landing/domain: change it there.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> received: first POST",
    ]
    moves = sorted({(each.before, each.after, each.name) for each in every if each.before is not each.after})
    for (before, after), names in groupby(moves, key=lambda move: move[:2]):
        lines.append(f"    {before} --> {after}: {', '.join(name for _, _, name in names)}")
    lines += [
        "    deleted --> [*]: after 60 days",
        "```",
        "",
        "| Transition | From | To | Expects of the row | What it does |",
        "|---|---|---|---|---|",
    ]
    for name in WAYS:
        mine = [each for each in every if each.name == name]
        for (after, expects), group in groupby(
            sorted(mine, key=lambda each: (_to(each), each.expects)), key=lambda each: (_to(each), each.expects)
        ):
            before = ", ".join(dict.fromkeys(each.before for each in group))
            lines.append(f"| `{name}` | {before} | {after} | {expects} | {_first_line(name)} |")
    kept = ", ".join(f"`{field}`" for field in sorted(erasing.KEPT))
    gone = ", ".join(f"`{field}`" for field in sorted(every_field() - erasing.KEPT))
    lines += [
        "",
        "*as read*: unchanged since the writer read the row, so that of two writers one succeeds.",
        "*over*, *reached*: the time lies in the past.",
        "",
        fill(f"`forgotten` keeps {kept}; everything else goes: {gone}.", 120),
    ]
    return "\n".join(lines) + "\n"


def _to(arrow: Arrow) -> str:
    return "the same" if arrow.before is arrow.after else arrow.after.value


def _first_line(name: str) -> str:
    return (getdoc(getattr(rules, name, None) or getattr(erasing, name)) or "").split("\n", 1)[0]


if __name__ == "__main__":
    STATES.write_text(page())
