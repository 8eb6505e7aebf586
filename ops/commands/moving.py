"""Commands that bring logins in, and tell what is there."""

import io
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ops import connections, imports
from ops.asked import asked
from ops.commands.looking import shown
from ops.files import written
from ops.imports import Done
from ops.typed import Ticket, known, mistake, text_of

KINDS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
PER_SECOND = {"now": 5.0, "later": 50.0}
SHOWN = 20


def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV or JSON lines: loginId, owner, institution, receivedAt. - is stdin.")
    ],
    ticket: Ticket = ...,  # type: ignore[assignment]
    fetch: Annotated[str, typer.Option(help="now, or later: only keep them, until `retry` is told so.")] = "now",
    kind: Annotated[str | None, typer.Option("--format", help="csv or jsonl, if the file's name does not say.")] = None,
    per_second: Annotated[
        float | None, typer.Option(min=0.1, max=200, help="How many at the most; 5, or 50 with --fetch later.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Add line, outcome and connectionId of each to this file.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Else only what would be done is counted.")] = False,
) -> None:
    """Bring loginIds along that were kept elsewhere.

    The whole file is checked before anything is written. Safe to repeat: what is here already stays as it is.
    """
    known(fetch, PER_SECOND, "--fetch")
    kind = known(kind or KINDS.get(file.suffix, "?"), ("csv", "jsonl"), "--format")
    lines, mistakes = imports.read(io.StringIO(text_of(file), newline=""), kind)
    if mistakes:
        told = [f"Nothing was imported: {len(mistakes)} mistakes in {file}.", *map(str, mistakes[:SHOWN])]
        mistake("\n".join(told + (["…"] if len(mistakes) > SHOWN else [])))
    at, tell = asked.target, asked.telling
    with written(report) as write, tell.progress("importing" if yes else "looking", len(lines)) as seen:

        def heard(done: Done) -> None:
            seen(1)
            write(json.dumps({"line": done.number, "outcome": done.outcome, "connectionId": done.connection_id}))

        pace = per_second or PER_SECOND[fetch]
        counts = imports.bring(at, lines, ticket=ticket, fetch=fetch, dry_run=not yes, per_second=pace, heard=heard)
    tell.answer({"dryRun": not yes, "logins": len(lines), "counts": counts})
    tell.heading(f"{'imported' if yes else 'would be imported'} on {at}, of {len(lines)} logins")
    tell.facts(counts.items())
    if not yes:
        tell.remark("Nothing was changed. The same with --yes does it.")
    if counts["not_done"]:
        tell.remark("AWS did not serve for all of them. Repeat the command: what is here stays as it is.")
        raise typer.Exit(1)


def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; else stdout.")] = None,
) -> None:
    """Every connection, without its secrets.

    A line of JSON each: ids, owner, state, times, and where its drop lies.
    """
    at, tell = asked.target, asked.telling
    count = 0
    with written(file, anew=True) as write, tell.progress("reading") as seen:
        for row in connections.every_row(at, seen):
            line = json.dumps(shown(row), default=lambda moment: moment.isoformat())
            count += 1
            if file is None:
                sys.stdout.write(line + "\n")
            else:
                write(line)
    if file is not None:
        tell.answer({"connections": count, "file": str(file)})
        tell.line(f"{count} connections of {at} are in {file}")
