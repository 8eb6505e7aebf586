"""Commands for queues, pausing and Flinks' keys."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ops import (
    connections,
    flinks_keys,
    pausing,
    queues,
)
from ops.asked import asked
from ops.telling import stamp
from ops.typed import known, mistake, text_of


def show_queues(context: typer.Context) -> None:
    if context.invoked_subcommand is not None:
        return
    at, tell = asked.target, asked.telling
    found = [queues.depth(at, name) for name in queues.QUEUES]
    tell.answer([asdict(each) for each in found])
    tell.table(
        ("queue", "waiting", "delayed", "in flight", "holds"),
        ((each.name, each.waiting, each.delayed, each.in_flight, queues.QUEUES[each.name]) for each in found),
    )


def peek(
    queue: Annotated[str, typer.Argument(help="Such as FetchDeadLetters.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at the most.")] = 20,
) -> None:
    """What was given up, as ids; it stays there."""
    name = known(queue, queues.QUEUES, "queue")
    if name in queues.WORKING:
        mistake(f"{name} is at work, and each look would count as a try: bin/landing list shows its connections.")
    at, tell = asked.target, asked.telling
    found = queues.peek(at, name, limit)
    tell.answer(found)
    for each in found:
        tell.line("  " + json.dumps(each))
    if not found:
        tell.remark(f"{name} is empty.")


def purge(
    queue: Annotated[str, typer.Argument(help="Such as FetchDeadLetters.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
) -> None:
    """Empty a queue. No connection is lost by it: the table knows them all."""
    name = known(queue, queues.QUEUES, "queue")
    at, tell = asked.target, asked.telling
    held = queues.depth(at, name)
    if yes:
        queues.purge(at, name)
    tell.answer({"queue": name, "purged": yes, "held": held.waiting})
    late = " Its connections are late until the schedule finds them." if name in queues.WORKING else ""
    tell.line(f"{name} held about {held.waiting} messages; {'they are gone' if yes else 'nothing was changed'}.{late}")
    if not yes:
        tell.remark("The same with --yes does it. A purge cannot be undone.")


def pause() -> None:
    """Stop fetching; take logins all the same.

    Claims stop, erasing and announcing go on, no POST is refused.
    """
    at, tell = asked.target, asked.telling
    with tell.progress("turning the mappings off"):
        found = pausing.switch(at, on=False)
    alarm_at = connections.now() + pausing.ALARM_AFTER
    tell.answer({"paused": True, "mappings": [asdict(each) for each in found], "quietUntil": alarm_at})
    tell.heading(f"Fetching is paused on {at}.")
    tell.line(
        "  New logins are taken and kept, deletions go on. Nothing is lost and nothing times out, however long this"
    )
    tell.line("  lasts, if it is ended by bin/landing resume: that has every connection's time begin anew.")
    tell.line(f"  Nobody is paged until {stamp(alarm_at)}; then ConnectionsAreOverdue does, as it should: people wait.")


def resume() -> None:
    """Let fetching go on after a pause.

    What waits is tried at once, with all its time before it.
    """
    at, tell = asked.target, asked.telling
    with tell.progress("having all that waits begin anew") as seen:
        retried, found = pausing.resumed(at, connections.now(), seen)
    tell.answer({"paused": False, "retried": retried, "mappings": [asdict(each) for each in found]})
    tell.heading(f"Fetching goes on, on {at}; {retried} connections are tried now, with all their time before them.")


Which = Annotated[str, typer.Argument(help="secret-key (mints tokens) or api-key (opens data).")]


def set_secret(
    which: Which,
    file: Annotated[Path | None, typer.Option(help="A file with the key, - for stdin; else it is asked for.")] = None,
) -> None:
    """Put a key in. It is read from a file, stdin or a prompt: never from the command line."""
    name = known(which, flinks_keys.MEMBERS, "secret")
    at, tell = asked.target, asked.telling
    key = text_of(file) if file is not None else typer.prompt(f"{name} of Flinks", hide_input=True)
    flinks_keys.put(at, name, key)
    tell.answer({"secret": name, "set": True})
    tell.line(f"{name} is in. Functions read it again when Flinks next refuses the old one; check: bin/landing doctor")


def check_secrets() -> None:
    """Whether both secrets are well-formed; never what is in them."""
    at, tell = asked.target, asked.telling
    found = [flinks_keys.check(at, which) for which in flinks_keys.MEMBERS]
    tell.answer([asdict(each) for each in found])
    for each in found:
        changed = f", put in {stamp(each.changed)}" if each.changed else ""
        tell.mark("bad" if each.wrong else "ok", f"{each.which}: {each.wrong or 'well-formed'}{changed}")
        if each.wrong:
            tell.line(f"        bin/landing secret set {each.which}")
    if any(each.wrong for each in found):
        raise typer.Exit(1)
