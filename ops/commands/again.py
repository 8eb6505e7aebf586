"""Commands that ask Flinks again, try again at once, or announce again."""

from typing import Annotated, Any

import typer

from ops import advice, orders
from ops.asked import asked
from ops.typed import Ticket, known, mistake, moment_of
from ops.typed import connection_id as id_of

Ids = Annotated[list[str] | None, typer.Argument(help="con_…, any number; or choose by the options.")]
ForReason = Annotated[str | None, typer.Option("--reason", help="Why they are not ready.")]
From = Annotated[str | None, typer.Option(help="Came to be as they are at or after this: 2026-01-05T12:00:00Z.")]
To = Annotated[str | None, typer.Option(help="Came to be as they are before this.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Else only count.")]
Limit = Annotated[int, typer.Option(min=1, help="How many to do at the most.")]


def refetch(
    connection_ids: Ids = None,
    ticket: Ticket = "bin/landing",
    reason: ForReason = None,
    updated_from: From = None,
    updated_to: To = None,
    limit: Limit = 1000,
    yes: Yes = False,
) -> None:
    """Ask Flinks again.

    Each gets a new generation; the drops before it stay. Dry unless --yes.
    """
    _again("refetch", connection_ids, ticket, reason, updated_from, updated_to, limit, yes)


def retry(
    connection_ids: Ids = None,
    ticket: Ticket = "bin/landing",
    reason: Annotated[str | None, typer.Option("--reason", help="What they wait for.")] = None,
    updated_from: From = None,
    updated_to: To = None,
    limit: Limit = 1000,
    yes: Yes = False,
) -> None:
    """Try those that wait now, with all their time before them.

    The same generation; tries, sessions and times are counted from now. Dry unless --yes.
    """
    _again("retry", connection_ids, ticket, reason, updated_from, updated_to, limit, yes)


def reannounce(
    connection_ids: Ids = None,
    ticket: Ticket = "bin/landing",
    reason: ForReason = None,
    updated_from: From = None,
    updated_to: To = None,
    limit: Limit = 1000,
    yes: Yes = False,
) -> None:
    """Announce again, under the same ids.

    The same events; consumers that know an id ignore it. Dry unless --yes.
    """
    _again("reannounce", connection_ids, ticket, reason, updated_from, updated_to, limit, yes)


def _again(
    verb: str,
    connection_ids: list[str] | None,
    ticket: str,
    reason: str | None,
    updated_from: str | None,
    updated_to: str | None,
    limit: int,
    yes: bool,
) -> None:
    chosen: dict[str, Any] = {}
    if connection_ids:
        chosen["ids"] = [id_of(each) for each in connection_ids]
    if reason is not None:
        chosen["reason"] = known(reason, advice.REASONS, "--reason")
    for member, text in (("updatedFrom", updated_from), ("updatedTo", updated_to)):
        moment = moment_of(text, "--" + ("updated-from" if member == "updatedFrom" else "updated-to"))
        chosen |= {member: moment.isoformat()} if moment else {}
    if not chosen:
        mistake("Say which: connectionIds, --reason, --updated-from or --updated-to.")
    at, tell = asked.target, asked.telling
    with tell.progress(verb) as seen:
        done = orders.refetch(at, verb, chosen, ticket=ticket, dry_run=not yes, limit=limit, seen=seen)
    tell.answer(done)
    said = ", ".join(f"{times} {name}" for name, times in done["counts"].items()) or "none"
    tell.heading(f"{verb} on {at}: {said}")
    if done["connections"]:
        tell.table(("connectionId", "outcome"), done["connections"].items())
    if not yes:
        tell.remark("Nothing was changed. The same with --yes does it.")
    elif not done["complete"]:
        tell.remark(f"There are more; --limit is {limit}.")
    if done["counts"].get("not_done"):
        raise typer.Exit(1)
