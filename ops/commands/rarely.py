"""Commands for rare days: restore, destroy."""

from typing import Annotated

import typer

from ops import destroy, restore
from ops.asked import asked
from ops.target import Refused
from ops.typed import moment_of


def restore_(
    to: Annotated[str | None, typer.Option(help="2026-01-05T12:00:00Z; else the latest there is.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Copy rows back. Else only count.")] = False,
) -> None:
    """Bring back rows that the table lost.

    From point-in-time recovery, by way of a side table; none that were erased. Dry unless --yes.
    """
    moment = moment_of(to, "--to")
    at, tell = asked.target, asked.telling
    with tell.progress("restoring the side table, which takes minutes to hours"):
        fates = restore.restore(
            at.client("dynamodb"),
            at.client("s3"),
            at.output("ConnectionsTable"),
            at.output("DropBucket"),
            moment,
            dry_run=not yes,
        )
    tell.answer({"dryRun": not yes, **fates})
    tell.heading(f"{'restored' if yes else 'would be restored'} on {at}: {fates['restored']}")
    tell.facts((("already there", fates["alreadyThere"]), ("erased since", fates["erased"])))
    if not yes:
        tell.remark("Nothing was changed. The same with --yes does it.")


def destroy_(
    confirm: Annotated[str | None, typer.Option(help="The stack's name again, where nobody can be asked.")] = None,
) -> None:
    """Remove a dev stack with all its data, for ever. Refuses prod."""
    at = asked.target

    def confirmed() -> str:
        return confirm if confirm is not None else str(typer.prompt("Type the stack's name to go on")).strip()

    try:
        destroy.destroy(at.client, at.name, confirmed)
    except destroy.Refused as refusal:
        raise Refused(str(refusal)) from None
