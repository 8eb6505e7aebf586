"""Commands that delete, and find the receipts."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from ops import deletions, receipts
from ops.asked import asked
from ops.files import written
from ops.typed import Ticket, meant, mistake, span_of
from ops.typed import connection_id as id_of
from ops.typed import ticket as valid_ticket

SHOWN = 100
"""Rows of a table that a person reads."""


def delete(
    connection_ids: Annotated[list[str] | None, typer.Argument(help="con_…, any number.")] = None,
    ticket: Ticket = ...,  # type: ignore[assignment]
    owner: Annotated[list[str] | None, typer.Option(help="Every connection of an app user.")] = None,
    login_file: Annotated[
        Path | None, typer.Option(help="Every connection to the loginIds in a file, one a line; - for stdin.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Else only what would go is shown.")] = False,
    save: Annotated[
        Path | None, typer.Option("--receipts", help="Add the receipts to this file as they come, one a line.")
    ] = None,
    wait: Annotated[str, typer.Option(help="Go on asking for what is open, so long at the most.")] = "10m",
) -> None:
    """Erase connections everywhere, with receipts.

    At Flinks, in the bucket and in the table. Dry unless --yes; safe to repeat. Goes on until all are closed.
    """
    member, named = meant(connection_ids, owner, login_file)
    patience, at, tell = span_of(wait, "--wait") or timedelta(), asked.target, asked.telling
    order = deletions.Order(member, named, ticket, dry_run=not yes, patience=patience)
    with written(save) as write, tell.progress("deleting" if yes else "looking") as seen:

        def closed(one: deletions.Done) -> None:
            seen(1)
            if "receipt" in one:
                write(json.dumps(one["receipt"]))

        done = deletions.carry_out(at, order, closed, seen.left)
    counts = counted(each["outcome"] for each in done)
    tell.answer({"dryRun": not yes, "counts": counts, "connections": done})
    tell.heading(f"{'deleted' if yes else 'would be deleted'} on {at}, ticket {ticket}")
    tell.table(
        ("connectionId", "outcome", "why", "goes on at"),
        ((each.get("connectionId"), each["outcome"], each.get("reason"), each.get("dueAt")) for each in done[:SHOWN]),
    )
    if len(done) > SHOWN:
        tell.line(f"  and {len(done) - SHOWN} more; --json has them all")
    tell.line("  " + ", ".join(f"{times} {name}" for name, times in counts.items()))
    if not yes:
        tell.remark("Nothing was changed. The same with --yes does it.")
    elif any(each["outcome"] in deletions.OPEN for each in done):
        tell.remark("What is open goes on by itself. Repeat the command for its receipts.")
        raise typer.Exit(1)


def receipt(
    connection_id: Annotated[str | None, typer.Argument(help="con_…")] = None,
    ticket: Annotated[str | None, typer.Option(help="Every receipt of this ticket.", callback=valid_ticket)] = None,
    owner: Annotated[str | None, typer.Option(help="Those of an app user, of the last 60 days.")] = None,
) -> None:
    """Receipts of deletions."""
    if sum(each is not None for each in (connection_id, ticket, owner)) != 1:
        mistake("Give one of: a connectionId, --ticket or --owner.")
    at, tell = asked.target, asked.telling
    if connection_id is not None:
        found = receipts.of(at, id_of(connection_id))
    elif owner is not None:
        found = deletions.receipts_of_owner(at, owner)
    else:
        with tell.progress("reading receipts") as seen:
            found = list(receipts.by_ticket(at, str(ticket), seen))
    tell.answer(found)
    for each in found:
        tell.heading(f"{each['connectionId']}  complete at {each['completedAt']}")
        tell.facts(
            (
                ("ticket", each.get("ticket")),
                ("ordered", each.get("requestedAt")),
                ("at Flinks", each["erased"]["flinks"]["answer"]),
                ("versions", each["erased"]["drops"]["versions"]),
            )
        )
        for left in each["remains"]:
            tell.line(f"  remains         {left['what']}, until {left['until'] or 'you delete it'}")
    if not found:
        tell.remark("There is no such receipt.")
        raise typer.Exit(1)


def counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
