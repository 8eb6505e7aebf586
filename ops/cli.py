"""bin/landing's command line: its options, its commands, and how its help reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ops.asked import asked
from ops.commands import again, checking, deleting, looking, mending, moving, rarely
from ops.target import LOCAL
from ops.telling import Telling
from ops.version import version

app = typer.Typer(
    name="landing",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Show and mend a flinks-landing stack. Without --stack: the local stack that `make up` runs.",
    epilog="Exit codes: 0 done, 1 not done or not well, 2 the command was wrong.",
)

GLOBAL = {"--stack": True, "--profile": True, "--region": True, "--local": True, "--json": False}
"""Options that may stand anywhere; True for those with a value."""


def _say_version(asked_for: bool) -> None:
    if asked_for:
        typer.echo(f"flinks-landing {version()}")
        raise typer.Exit


@app.callback()
def options(
    stack: Annotated[str | None, typer.Option(envvar="LANDING_STACK", help="Name of the stack on AWS.")] = None,
    profile: Annotated[str | None, typer.Option(envvar="AWS_PROFILE", help="Profile of the AWS CLI.")] = None,
    region: Annotated[str | None, typer.Option(help="Region, if not the profile's or AWS_REGION's.")] = None,
    local: Annotated[Path, typer.Option(help="What `make up` wrote.", show_default=False)] = LOCAL,
    json_: Annotated[bool, typer.Option("--json", help="One JSON value on stdout, for programs.")] = False,
    _: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    asked.stack, asked.profile, asked.region = stack, profile, region
    asked.local, asked.telling = local, Telling(as_json=json_)


def hoisted(arguments: list[str]) -> list[str]:
    """Global options may stand after the command too: people write them there."""
    front: list[str] = []
    rest: list[str] = []
    left = iter(arguments)
    for argument in left:
        name, _, value = argument.partition("=")
        if name in GLOBAL:
            front.append(argument)
            if GLOBAL[name] and not value:
                front += [follows] if (follows := next(left, None)) is not None else []
        elif argument == "--":
            rest += [argument, *left]
        else:
            rest.append(argument)
    return front + rest


COMMANDS: dict[str, Callable[..., None]] = {
    "status": looking.status,
    "list": looking.list_,
    "show": looking.show,
    "tail": looking.tail,
    "delete": deleting.delete,
    "receipt": deleting.receipt,
    "refetch": again.refetch,
    "retry": again.retry,
    "reannounce": again.reannounce,
    "import": moving.import_,
    "export": moving.export,
    "pause": mending.pause,
    "resume": mending.resume,
    "doctor": checking.doctor_,
    "smoke": checking.smoke_,
    "drill": checking.drill,
    "deploy": rarely.deploy,
    "adopt": rarely.adopt_,
    "restore": rarely.restore_,
    "destroy": rarely.destroy_,
}
for name, command in COMMANDS.items():
    app.command(name)(command)

secret = typer.Typer(no_args_is_help=True, help="Put Flinks' keys in, or check them without showing them.")
secret.command("set")(mending.set_secret)
secret.command("check")(mending.check_secrets)
app.add_typer(secret, name="secret")

queues = typer.Typer(invoke_without_command=True, help="How much waits in the queues; peek into one; purge one.")
queues.callback()(mending.show_queues)
queues.command("peek")(mending.peek)
queues.command("purge")(mending.purge)
app.add_typer(queues, name="queues")
