"""Commands that look and change nothing."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer

from landing.domain.connection import Connection, Status
from ops import (
    advice,
    connections,
    doctor,
    logs,
    pausing,
    queues,
)
from ops.asked import asked
from ops.connections import Unreadable, Wanted
from ops.telling import stamp
from ops.typed import connection_id as id_of
from ops.typed import known, mistake, span_of


def status() -> None:
    """States, reasons, queues, alarms, release.

    Counts every connection by state and reason, and says which has been longest in each.
    """
    at, tell = asked.target, asked.telling
    with tell.progress("counting connections") as counted:
        seen = connections.overview(connections.every_row(at, counted), connections.now())
    waiting = [queues.depth(at, name) for name in queues.QUEUES]
    alarms = doctor.in_alarm(at)
    paused = [mapping for mapping in pausing.mappings(at) if not mapping.is_on]
    tell.answer(
        {
            "stack": at.name,
            "total": seen.total,
            "byStatus": seen.by_status,
            "byReason": [{"status": s, "reason": r, "connections": n} for (s, r), n in seen.by_reason.most_common()],
            "oldest": seen.oldest,
            "overdue": seen.overdue,
            "unreadable": seen.unreadable,
            "queues": [asdict(each) for each in waiting],
            "alarms": alarms,
            "paused": bool(paused),
            "release": at.parameters.get("Release"),
        }
    )
    tell.heading(f"{at}: {seen.total} connections")
    now = connections.now()
    tell.table(
        ("status", "connections", "longest there for", "means"),
        (
            (each.value, seen.by_status[each], now - seen.oldest[each] if each in seen.oldest else None, means.means)
            for each, means in advice.STATES.items()
            if seen.by_status[each]
        ),
    )
    if seen.by_reason:
        rows = ((s, r, n) for (s, r), n in seen.by_reason.most_common(20))
        tell.table(("status", "reason", "connections"), rows)
    tell.table(
        ("queue", "waiting", "delayed", "in flight", "holds"),
        ((each.name, each.waiting, each.delayed, each.in_flight, queues.QUEUES[each.name]) for each in waiting),
    )
    if seen.overdue:
        tell.mark("warn", f"{seen.overdue} are more than ten minutes overdue: bin/landing list --overdue")
    if seen.unreadable:
        tell.mark("bad", f"{len(seen.unreadable)} rows cannot be read by this release: {some(seen.unreadable)}")
    if paused:
        since = min(mapping.changed for mapping in paused)
        tell.mark("warn", f"fetching is paused since {stamp(since)}: bin/landing resume")
    for alarm in alarms:
        tell.mark("bad", f"{alarm['alarm']} since {stamp(alarm['since'])}: {alarm['means']}")
    if not alarms:
        tell.mark("ok", "no alarm is on")


def list_(
    status_: Annotated[list[str] | None, typer.Option("--status", help="One of the states; may be repeated.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is not ready.")] = None,
    owner: Annotated[str | None, typer.Option(help="The app user: the `sub` of their token.")] = None,
    older: Annotated[str | None, typer.Option(help="As it is for at least so long: 30m, 2h, 3d.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Due for more than ten minutes.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 100,
) -> None:
    """Connections, by what they are."""
    statuses = frozenset(Status(known(each, [*Status], "--status")) for each in status_ or ())
    if reason is not None:
        known(reason, advice.REASONS, "--reason")
    wanted, at, tell = Wanted(statuses, reason, span_of(older, "--older"), overdue), asked.target, asked.telling
    now, found = connections.now(), list[Connection | Unreadable]()
    with tell.progress("reading") as seen:
        rows = connections.of_owner(at, owner) if owner is not None else connections.every_row(at, seen)
        for row in rows:
            if wanted(row, now):
                found.append(row)
            if len(found) > limit:
                break
    more, found = len(found) > limit, found[:limit]
    tell.answer({"connections": [shown(row) for row in found], "more": more})
    tell.table(
        ("connectionId", "status", "reason", "for", "generation", "institution", "due"),
        (
            (row.connection_id, "unreadable", None, None, None, None, None)
            if isinstance(row, Unreadable)
            else (
                *(row.connection_id, row.status, row.reason, now - row.updated_at),
                *(row.generation, row.institution, row.due_at),
            )
            for row in found
        ),
    )
    if more:
        tell.remark(f"There are more than {limit}: --limit shows more of them.")


def show(
    connection_id: Annotated[str, typer.Argument(help="con_…")],
    hours: Annotated[int, typer.Option(min=1, help="How far back to read the logs.")] = 24,
) -> None:
    """One connection: what, why, what to do.

    Its state in plain words, the cause, when it is next due, and what the functions said about it.
    """
    id_of(connection_id)
    at, tell = asked.target, asked.telling
    row = connections.one(at, connection_id)
    with tell.progress("reading logs"):
        happened = logs.about(at, connection_id, connections.now() - timedelta(hours=hours))
    timeline = [{"at": each.at, "function": each.function, "said": f"{each.message} {each.said}"} for each in happened]
    if isinstance(row, Unreadable):
        tell.answer({"connectionId": connection_id, "unreadable": True, "timeline": timeline})
        tell.mark("bad", f"{connection_id}: this release cannot read the row. All others go on without it.")
        raise typer.Exit(1)
    meant = advice.advice(row)
    tell.answer({**shown(row), "means": meant.means, "do": meant.do, "timeline": timeline})
    tell.heading(f"{connection_id} is {row.status}: {meant.means}")
    tell.line(f"  what to do: {meant.do}")
    tell.line()
    tell.facts(
        (
            ("reason", row.reason),
            ("cause", row.cause),
            ("that is", advice.of_cause(row.cause) if row.cause else None),
            ("institution", row.institution),
            ("owner", row.owner),
            ("generation", row.generation),
            ("attempt", row.attempt),
            ("retries", row.retries or None),
            ("received", row.received_at),
            ("as it is since", row.updated_at),
            ("next due", row.due_at),
            ("polled until", row.poll_until),
            ("leased until", row.lease_until),
            ("drop", f"{row.drop.accounts} accounts, {row.drop.transactions} transactions" if row.drop else None),
            ("opened at", row.flinks_home),
            ("drop key", row.drop.key if row.drop else None),
            ("ordered", row.erasure.requested_at if row.erasure else None),
            ("ticket", row.erasure.ticket if row.erasure else None),
        )
    )
    tell.table(("at", "function", "said"), ((each["at"], each["function"], each["said"]) for each in timeline))
    if not timeline:
        tell.remark(f"No log line of the last {hours} h names it; --hours looks further back.")


def tail(
    function: Annotated[
        list[str] | None, typer.Option(help="One function, or `access` for the gateway; may be repeated. Else all.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="reason=timed_out, status=5*, latencyMs>5000; may be repeated.")
    ] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Only what went wrong.")] = False,
    since: Annotated[str, typer.Option(help="Begin so long ago: 5m, 2h.")] = "5m",
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
) -> None:
    """The functions' log lines, readable."""
    names = tuple(known(each, (*logs.FUNCTIONS, logs.ACCESS), "--function") for each in function or logs.FUNCTIONS)
    if any(not logs.WHERE.fullmatch(each) for each in where or ()):
        mistake("--where: name=value, with * for any text, or name>number.")
    wanted = logs.Wanted(tuple(where or ()), errors)
    begin = connections.now() - (span_of(since, "--since") or timedelta())
    at, tell = asked.target, asked.telling
    read = logs.lines(at, names, begin, wanted.pattern)
    found: Iterable[logs.Line] = sorted(filter(wanted, read), key=lambda line: line.at)
    if follow:
        found = logs.follow(at, names, begin, wanted)
    none = True
    for line in found:
        none = False
        if tell.as_json:  # a line of JSON each, since there may be no end
            said = {"at": line.at.isoformat(), "function": line.function, **line.members}
            sys.stdout.write(json.dumps(said) + "\n")
        style = "red" if line.level in ("ERROR", "CRITICAL") else ""
        tell.line(f"{stamp(line.at)}  {line.function:<22}{line.message}  {line.said}", style)
    if none:
        tell.remark(f"No such line in the last {since}; --since looks further back.")


def shown(row: Connection | Unreadable) -> dict[str, Any]:
    if isinstance(row, Unreadable):
        return {"connectionId": row.connection_id, "unreadable": True}
    return {
        "connectionId": row.connection_id,
        "status": row.status,
        "reason": row.reason,
        "cause": row.cause,
        "action": row.action,
        "generation": row.generation,
        "attempt": row.attempt,
        "institution": row.institution,
        "owner": row.owner,
        "receivedAt": row.received_at,
        "updatedAt": row.updated_at,
        "dueAt": row.due_at,
        "drop": row.drop.key if row.drop else None,
    }


def some(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (" …" if len(ids) > 5 else "")  # noqa: PLR2004 - enough to find them by
