"""Commands for rare days: deploy, restore, destroy."""

import os
import subprocess
from typing import Annotated

import typer

from ops import adopt, destroy, protecting, restore, samconfig
from ops.asked import asked
from ops.orders import NotDone
from ops.preflight import template_in
from ops.target import ROOT, Target
from ops.typed import known, mistake, moment_of

SAMCONFIG = ROOT / "samconfig.toml"
PROD = "prod"

Role = Annotated[
    str | None, typer.Option("--cloudformation-role", help="ARN of a role that CloudFormation acts as, if not as you.")
]


def restore_(
    to: Annotated[str | None, typer.Option(help="2026-01-05T12:00:00Z; else the latest there is.")] = None,
    found: Annotated[
        str | None, typer.Option("--from", help="A table that AWS Backup restored, in place of --to. It stays.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Copy rows back. Else only count.")] = False,
) -> None:
    """Bring back rows that the table lost.

    From point-in-time recovery, by way of a side table, or from a table that is there; none that were erased. Dry
    unless --yes.
    """
    moment = moment_of(to, "--to")
    if found is not None and to is not None:
        mistake("Give --to or --from.")
    at, tell = asked.target, asked.telling
    stores = at.client("dynamodb"), at.client("s3")
    live, bucket = at.output("ConnectionsTable"), at.output("DropBucket")
    if found is not None:
        with tell.progress("copying back"):
            fates = restore.restore_from(*stores, found, live, bucket, dry_run=not yes)
    else:
        with tell.progress("restoring the side table, which takes minutes to hours"):
            fates = restore.restore(*stores, live, bucket, moment, dry_run=not yes)
    tell.answer({"dryRun": not yes, **fates})
    tell.heading(f"{'restored' if yes else 'would be restored'} on {at}: {fates['restored']}")
    tell.facts((("already there", fates["alreadyThere"]), ("erased since", fates["erased"])))
    if not yes:
        tell.remark("Nothing was changed. The same with --yes does it.")
    elif found is not None:
        tell.remark(f"Delete the table {found} now: it holds people who have been erased.")


def destroy_(
    confirm: Annotated[str | None, typer.Option(help="The stack's name again, where nobody can be asked.")] = None,
    role: Role = None,
) -> None:
    """Remove a dev stack with all its data, for ever. Refuses prod."""
    at = asked.target

    def confirmed() -> str:
        return confirm if confirm is not None else str(typer.prompt("Type the stack's name to go on")).strip()

    destroy.destroy(at.client, at.name, confirmed, role)


def _named(text: str) -> tuple[str, str]:
    """`LoginKey=…`: what of the template, and its name or id."""
    name, _, there = text.partition("=")
    if not there:
        mistake("--resource: such as LoginKey=0a1b2c3d-….")
    return known(name, adopt.RETAINED, "--resource"), there


def adopt_(
    config: Annotated[str, typer.Option(help="The configuration in samconfig.toml: default or prod.")] = "default",
    resource: Annotated[
        list[str] | None, typer.Option(help="LoginKey=its id, and so on, where the deleted stack is forgotten.")
    ] = None,
    without_table: Annotated[
        bool, typer.Option("--without-table", help="The table is lost; the deployment makes an empty one.")
    ] = False,
    role: Role = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Else only what would be adopted is shown.")] = False,
) -> None:
    """Bring the table, bucket and keys that outlived a stack under a new one of its name.

    Then deploy: that adds the rest, and nothing of what was there is touched. Dry unless --yes.
    """
    name, region = samconfig.stack_of(samconfig.read(SAMCONFIG, config))
    at, tell = Target.of(name, asked.profile, region), asked.telling
    named = dict(map(_named, resource or []))
    template = template_in(ROOT / "template.yaml")
    adoption = adopt.prepared(at.client, name, template, named, without_table=without_table)
    tell.heading(f"found, for a new stack {name} in {region}")
    tell.facts(adoption.found.items())
    if adoption.leaving:
        tell.line(f"  about to be deleted, which is taken back first: {', '.join(adoption.leaving)}")
    if yes:
        with tell.progress("importing"):
            adopt.adopt(at.client, adoption, role)
    tell.answer({"dryRun": not yes, "stack": name, **adoption.found})
    tell.remark(
        f"{name} has them. Now: bin/landing deploy" if yes else "Nothing was changed. The same with --yes does it."
    )


def deploy(
    config: Annotated[str, typer.Option(help="The configuration in samconfig.toml: default or prod.")] = "default",
    architecture: Annotated[str, typer.Option(help="arm64 or x86_64.")] = "arm64",
    role: Role = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the account and region first.")] = False,
) -> None:
    """Build and deploy, after a look at the parameters.

    Shows the account and region first, and holds every parameter to the template before anything is built. The first
    time makes the stack. Afterwards no update can replace what holds data; a prod stack cannot be deleted by one call.
    """
    known(architecture, ["arm64", "x86_64"], "--architecture")
    found = samconfig.read(SAMCONFIG, config)
    samconfig.parameters_of(found, architecture, samconfig.answers(SAMCONFIG, config))
    name, region = samconfig.stack_of(found)
    at = Target.of(name, asked.profile, region)
    cloudformation = at.client("cloudformation")
    account = at.client("sts").get_caller_identity()["Account"]
    there = protecting.state_of(cloudformation, name)
    told = {None: "which is new", protecting.FAILED_FIRST: "whose first deployment failed"}
    asked.telling.line(f"stack {name}, {told.get(there, 'which is there')}, in account {account}, region {region}")
    if not yes:
        typer.confirm("Deploy there?", abort=True)
    if there == protecting.FAILED_FIRST:
        protecting.clear_away(cloudformation, name)
    first = ["FIRST=yes"] if there in (None, protecting.FAILED_FIRST) else []
    make = ["make", "-C", str(ROOT), "--no-print-directory", "deploy"]
    by = [f"CLOUDFORMATION_ROLE={role}"] if role else []
    environment = dict(os.environ) | ({"AWS_PROFILE": asked.profile} if asked.profile else {})
    deployed = subprocess.run(  # noqa: S603 - our own make, and words that were checked
        [*make, f"CONFIG={config}", f"ARCHITECTURE={architecture}", *first, *by], env=environment, check=False
    )
    if deployed.returncode != 0:
        raise NotDone("The deployment did not end well: what is above says where it stopped.")
    protecting.protect(cloudformation, name, for_ever=config == PROD)
    kept = "; nobody deletes it by one call" if config == PROD else ""
    asked.telling.line(f"{name} is deployed. No update replaces its table, bucket or keys{kept}.")
    asked.telling.answer({"stack": name, "account": account, "region": region, "first": bool(first)})
