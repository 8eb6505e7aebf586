"""The commands of bin/landing: each finds the stack, does one thing, and tells what came of it."""

import difflib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from landing.domain.connection import CONNECTION_ID, Connection, Status
from ops import (
    advice,
    connections,
    destroy,
    doctor,
    flinks_keys,
    logs,
    orders,
    pausing,
    queues,
    receipts,
    restore,
    smoke,
)
from ops.connections import Unreadable, Wanted
from ops.orders import NotDone
from ops.target import LOCAL, Refused, Target
from ops.telling import Telling, span, stamp

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
secret_app = typer.Typer(no_args_is_help=True, help="Put Flinks' keys in, or check them without showing them.")
app.add_typer(secret_app, name="secret")

GLOBAL = {"--stack": True, "--profile": True, "--region": True, "--local": True, "--json": False}
"""Options that may stand anywhere; True for those with a value."""


class Asked:
    """What the global options said."""

    stack: str | None = None
    profile: str | None = None
    region: str | None = None
    local: Path = LOCAL
    telling = Telling()


@app.callback()
def options(
    stack: Annotated[str | None, typer.Option(envvar="LANDING_STACK", help="Name of the stack on AWS.")] = None,
    profile: Annotated[str | None, typer.Option(envvar="AWS_PROFILE", help="Profile of the AWS CLI.")] = None,
    region: Annotated[str | None, typer.Option(help="Region, if not the profile's or AWS_REGION's.")] = None,
    local: Annotated[Path, typer.Option(help="What `make up` wrote.", show_default=False)] = LOCAL,
    json_: Annotated[bool, typer.Option("--json", help="One JSON value on stdout, for programs.")] = False,
) -> None:
    Asked.stack, Asked.profile, Asked.region = stack, profile if stack else None, region
    Asked.local, Asked.telling = local, Telling(as_json=json_)


def target() -> Target:
    return Target.of(Asked.stack, Asked.profile, Asked.region, Asked.local)


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


# --- looking


@app.command()
def status() -> None:
    """Counts by state and reason, the oldest, the queues, the alarms that are on, the release."""
    at, tell = target(), Asked.telling
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
        tell.mark("warn", f"{seen.overdue} are more than ten minutes overdue: bin/landing doctor")
    if seen.unreadable:
        tell.mark("bad", f"{len(seen.unreadable)} rows cannot be read by this release: {_some(seen.unreadable)}")
    if paused:
        since = min(mapping.changed for mapping in paused)
        tell.mark("warn", f"fetching is paused since {stamp(since)}: bin/landing resume")
    for alarm in alarms:
        tell.mark("bad", f"{alarm['alarm']} since {stamp(alarm['since'])}: {alarm['means']}")
    if not alarms:
        tell.mark("ok", "no alarm is on")


@app.command("list")
def list_(
    status_: Annotated[list[str] | None, typer.Option("--status", help="One of the states; may be repeated.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is not ready.")] = None,
    owner: Annotated[str | None, typer.Option(help="The app user: the `sub` of their token.")] = None,
    older: Annotated[str | None, typer.Option(help="As it is for at least so long: 30m, 2h, 3d.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 100,
) -> None:
    """Connections, by what they are."""
    statuses = frozenset(Status(_known(each, [*Status], "--status")) for each in status_ or ())
    if reason is not None:
        _known(reason, advice.REASONS, "--reason")
    wanted, at, tell = Wanted(statuses, reason, _span(older, "--older")), target(), Asked.telling
    now, found = connections.now(), list[Connection | Unreadable]()
    with tell.progress("reading") as seen:
        rows = connections.of_owner(at, owner) if owner is not None else connections.every_row(at, seen)
        for row in rows:
            if wanted(row, now):
                found.append(row)
            if len(found) > limit:
                break
    more, found = len(found) > limit, found[:limit]
    tell.answer({"connections": [_shown(row) for row in found], "more": more})
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


@app.command()
def show(
    connection_id: Annotated[str, typer.Argument(help="con_…")],
    hours: Annotated[int, typer.Option(min=1, help="How far back to read the logs.")] = 24,
) -> None:
    """One connection: what it is, why, what happened to it, and what to do."""
    _id(connection_id)
    at, tell = target(), Asked.telling
    row = connections.one(at, connection_id)
    with tell.progress("reading logs"):
        happened = logs.about(at, connection_id, connections.now() - timedelta(hours=hours))
    timeline = [{"at": each.at, "function": each.function, "said": f"{each.message} {each.said}"} for each in happened]
    if isinstance(row, Unreadable):
        tell.answer({"connectionId": connection_id, "unreadable": True, "timeline": timeline})
        tell.mark("bad", f"{connection_id}: this release cannot read the row. All others go on without it.")
        raise typer.Exit(1)
    meant = advice.advice(row)
    tell.answer({**_shown(row), "means": meant.means, "do": meant.do, "timeline": timeline})
    tell.heading(f"{connection_id} is {row.status}: {meant.means}")
    tell.line(f"  what to do: {meant.do}")
    tell.line()
    tell.facts(
        (
            ("reason", row.reason),
            ("cause", getattr(row, "cause", None)),
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
            ("drop key", row.drop.key if row.drop else None),
            ("ordered", row.erasure.requested_at if row.erasure else None),
            ("ticket", row.erasure.ticket if row.erasure else None),
        )
    )
    tell.table(("at", "function", "said"), ((each["at"], each["function"], each["said"]) for each in timeline))
    if not timeline:
        tell.remark(f"No log line of the last {hours} h names it; --hours looks further back.")


@app.command()
def tail(
    function: Annotated[list[str] | None, typer.Option(help="One function; may be repeated. Else all.")] = None,
    since: Annotated[str, typer.Option(help="Begin so long ago: 5m, 2h.")] = "5m",
    follow: Annotated[bool, typer.Option(help="Go on until Ctrl-C.")] = False,
) -> None:
    """The functions' log lines, readable."""
    names = tuple(_known(each, logs.FUNCTIONS, "--function") for each in function or logs.FUNCTIONS)
    at, tell = target(), Asked.telling
    begin = connections.now() - (_span(since, "--since") or timedelta())
    found: Iterable[logs.Line] = sorted(logs.lines(at, names, begin), key=lambda line: line.at)
    if follow:
        found = logs.follow(at, names, begin)
    for line in found:
        if tell.as_json:  # a line of JSON each, since there may be no end
            said = {"at": line.at.isoformat(), "function": line.function, **line.members}
            sys.stdout.write(json.dumps(said) + "\n")
        style = "red" if line.level in ("ERROR", "CRITICAL") else ""
        tell.line(f"{stamp(line.at)}  {line.function:<22}{line.message}  {line.said}", style)


# --- deleting


@app.command()
def delete(
    connection_ids: Annotated[list[str] | None, typer.Argument(help="con_…, any number.")] = None,
    ticket: Annotated[str, typer.Option(help="Who asked for it, by reference: no name, no address.")] = ...,  # type: ignore[assignment]
    owner: Annotated[list[str] | None, typer.Option(help="Every connection of an app user.")] = None,
    login_file: Annotated[
        Path | None, typer.Option(help="Every connection to the loginIds in a file, one a line; - for stdin.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Else only what would go is shown.")] = False,
    save: Annotated[Path | None, typer.Option("--receipts", help="Write the receipts there, one a line.")] = None,
) -> None:
    """Erase connections at Flinks, in the bucket and in the table. Dry unless --yes; safe to repeat."""
    member, named = _meant(connection_ids, owner, login_file)
    at, tell = target(), Asked.telling
    with tell.progress("deleting" if yes else "looking", len(named)) as seen:
        done = list(orders.delete(at, member, named, ticket, dry_run=not yes, seen=seen))
    found = [each["receipt"] for each in done if "receipt" in each]
    if save is not None and found:
        save.write_text("".join(json.dumps(receipt) + "\n" for receipt in found))
    counts = _counted(each["outcome"] for each in done)
    tell.answer({"dryRun": not yes, "counts": counts, "connections": done})
    tell.heading(f"{'would be deleted' if not yes else 'deleted'} on {at}, ticket {ticket}")
    tell.table(
        ("connectionId", "outcome", "why", "goes on at"),
        ((each.get("connectionId"), each["outcome"], each.get("reason"), each.get("dueAt")) for each in done),
    )
    tell.line("  " + ", ".join(f"{times} {name}" for name, times in counts.items()))
    if save is not None and found:
        tell.remark(f"{len(found)} receipts written to {save}")
    if not yes:
        tell.remark("Nothing was changed. The same with --yes does it.")
    elif any(each["outcome"] in ("deleting", "not_done") for each in done):
        tell.remark("What is open goes on by itself. Repeat the command for its receipts.")
        raise typer.Exit(1)


@app.command()
def receipt(
    connection_id: Annotated[str | None, typer.Argument(help="con_…")] = None,
    ticket: Annotated[str | None, typer.Option(help="Every receipt of this ticket.")] = None,
) -> None:
    """The receipts of deletions, for as long as the bucket keeps them."""
    if (connection_id is None) == (ticket is None):
        _mistake("Give a connectionId, or --ticket.")
    at, tell = target(), Asked.telling
    if connection_id is not None:
        found = receipts.of(at, _id(connection_id))
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
        tell.remark(f"No receipt names the ticket {ticket}.")
        raise typer.Exit(1)


# --- asking again

Ids = Annotated[list[str] | None, typer.Argument(help="con_…, any number; or choose by the options.")]
ForReason = Annotated[str | None, typer.Option("--reason", help="Why they are not ready.")]
From = Annotated[str | None, typer.Option(help="Came to be as they are at or after this: 2026-01-05T12:00:00Z.")]
To = Annotated[str | None, typer.Option(help="Came to be as they are before this.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Else only count.")]
Limit = Annotated[int, typer.Option(min=1, help="How many to do at the most.")]


@app.command()
def refetch(
    connection_ids: Ids = None,
    reason: ForReason = None,
    updated_from: From = None,
    updated_to: To = None,
    limit: Limit = 1000,
    yes: Yes = False,
) -> None:
    """Ask Flinks again: a new generation each. Dry unless --yes."""
    _again("refetch", connection_ids, reason, updated_from, updated_to, limit, yes)


@app.command()
def reannounce(
    connection_ids: Ids = None,
    reason: ForReason = None,
    updated_from: From = None,
    updated_to: To = None,
    limit: Limit = 1000,
    yes: Yes = False,
) -> None:
    """Put the same events on the bus again, under the same ids. Dry unless --yes."""
    _again("reannounce", connection_ids, reason, updated_from, updated_to, limit, yes)


def _again(
    verb: str,
    connection_ids: list[str] | None,
    reason: str | None,
    updated_from: str | None,
    updated_to: str | None,
    limit: int,
    yes: bool,
) -> None:
    chosen: dict[str, Any] = {}
    if connection_ids:
        chosen["ids"] = [_id(each) for each in connection_ids]
    if reason is not None:
        chosen["reason"] = _known(reason, advice.REASONS, "--reason")
    for member, text in (("updatedFrom", updated_from), ("updatedTo", updated_to)):
        moment = _moment(text, "--" + ("updated-from" if member == "updatedFrom" else "updated-to"))
        chosen |= {member: moment.isoformat()} if moment else {}
    if not chosen:
        _mistake("Say which: connectionIds, --reason, --updated-from or --updated-to.")
    at, tell = target(), Asked.telling
    with tell.progress(verb) as seen:
        done = orders.refetch(at, verb, chosen, dry_run=not yes, limit=limit, seen=seen)
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


# --- queues, pausing, secrets, health

queues_app = typer.Typer(no_args_is_help=False, invoke_without_command=True, help="How much waits; peek into; purge.")
app.add_typer(queues_app, name="queues")


@queues_app.callback()
def show_queues(context: typer.Context) -> None:
    if context.invoked_subcommand is not None:
        return
    at, tell = target(), Asked.telling
    found = [queues.depth(at, name) for name in queues.QUEUES]
    tell.answer([asdict(each) for each in found])
    tell.table(
        ("queue", "waiting", "delayed", "in flight", "holds"),
        ((each.name, each.waiting, each.delayed, each.in_flight, queues.QUEUES[each.name]) for each in found),
    )


@queues_app.command()
def peek(
    queue: Annotated[str, typer.Argument(help="Such as FetchDeadLetters.")],
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
) -> None:
    """What was given up, as ids; it stays there."""
    name = _known(queue, queues.QUEUES, "queue")
    if name in queues.WORKING:
        _mistake(f"{name} is at work, and each look would count as a try: bin/landing list shows its connections.")
    at, tell = target(), Asked.telling
    found = queues.peek(at, name, limit)
    tell.answer(found)
    for each in found:
        tell.line("  " + json.dumps(each))
    if not found:
        tell.remark(f"{name} is empty.")


@queues_app.command()
def purge(
    queue: Annotated[str, typer.Argument(help="Such as FetchDeadLetters.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
) -> None:
    """Empty a queue. No connection is lost by it: the table knows them all."""
    name = _known(queue, queues.QUEUES, "queue")
    at, tell = target(), Asked.telling
    held = queues.depth(at, name)
    if yes:
        queues.purge(at, name)
    tell.answer({"queue": name, "purged": yes, "held": held.waiting})
    late = " Its connections are late until the schedule finds them." if name in queues.WORKING else ""
    tell.line(f"{name} held about {held.waiting} messages; {'they are gone' if yes else 'nothing was changed'}.{late}")
    if not yes:
        tell.remark("The same with --yes does it. A purge cannot be undone.")


@app.command()
def pause() -> None:
    """Stop fetching: claims stop, erasing and announcing go on, no POST is refused."""
    at, tell = target(), Asked.telling
    with tell.progress("turning the mappings off"):
        found = pausing.switch(at, on=False)
    alarm_at = connections.now() + pausing.ALARM_AFTER
    tell.answer({"paused": True, "mappings": [asdict(each) for each in found], "alarmAt": alarm_at})
    tell.heading(f"Fetching is paused on {at}.")
    tell.line("  New logins are taken and kept; nothing is lost, however long this lasts. People wait.")
    tell.line(f"  From {stamp(alarm_at)} on, ConnectionsAreOverdue pages, as it should. Go on: bin/landing resume")


@app.command()
def resume() -> None:
    """Let fetching go on after a pause."""
    at, tell = target(), Asked.telling
    with tell.progress("turning the mappings on"):
        found = pausing.switch(at, on=True)
    tell.answer({"paused": False, "mappings": [asdict(each) for each in found]})
    tell.heading(f"Fetching goes on, on {at}.")
    tell.line("  The schedule wakes what is overdue within ten minutes.")


Which = Annotated[str, typer.Argument(help="secret-key (mints tokens) or api-key (opens data).")]


@secret_app.command("set")
def set_secret(
    which: Which,
    file: Annotated[Path | None, typer.Option(help="A file with the key, - for stdin; else it is asked for.")] = None,
) -> None:
    """Put a key in. It is read from a file, stdin or a prompt: never from the command line."""
    name = _known(which, flinks_keys.MEMBERS, "secret")
    at, tell = target(), Asked.telling
    key = _text(file) if file is not None else typer.prompt(f"{name} of Flinks", hide_input=True)
    flinks_keys.put(at, name, key)
    tell.answer({"secret": name, "set": True})
    tell.line(f"{name} is in. Functions read it again when Flinks next refuses the old one; check: bin/landing doctor")


@secret_app.command("check")
def check_secrets() -> None:
    """Whether both secrets are well-formed; never what is in them."""
    at, tell = target(), Asked.telling
    found = [flinks_keys.check(at, which) for which in flinks_keys.MEMBERS]
    tell.answer([asdict(each) for each in found])
    for each in found:
        changed = f", put in {stamp(each.changed)}" if each.changed else ""
        tell.mark("bad" if each.wrong else "ok", f"{each.which}: {each.wrong or 'well-formed'}{changed}")
        if each.wrong:
            tell.line(f"        bin/landing secret set {each.which}")
    if any(each.wrong for each in found):
        raise typer.Exit(1)


@app.command("doctor")
def doctor_() -> None:
    """Look the stack over: keys, secrets, mappings, schedule, releases, loops, Flinks."""
    at, tell = target(), Asked.telling
    tell.heading(f"looking over {at}")
    found = []
    for finding in doctor.look(at):
        found.append(finding)
        tell.mark(finding.how, f"{finding.what}: {finding.says}")
        if finding.do:
            tell.line(f"        {finding.do}")
    tell.answer([asdict(each) for each in found])
    bad = [finding for finding in found if finding.how == "bad"]
    tell.line()
    tell.line(f"  {len(bad)} to be mended" if bad else "  all is well")
    if bad:
        raise typer.Exit(1)


@app.command("smoke")
def smoke_(
    token: Annotated[
        str | None,
        typer.Option(envvar="LANDING_TOKEN", help="Access token of a test user; else only what needs none."),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="A whole connection too: drop, event, deletion.")] = False,
    login_file: Annotated[Path | None, typer.Option(help="With --demo on AWS: a file with a test loginId.")] = None,
) -> None:
    """After a deployment: does what can be seen from outside work?"""
    at, tell = target(), Asked.telling
    if at.is_local:
        token = token or at.local["tokens"]["alice"]
    if demo and token is None:
        _mistake("--demo needs --token: a connection is somebody's.")
    if demo and login_file is None and not at.is_local:
        _mistake("--demo needs --login-file on AWS: connect Flinks Capital on your page and save its loginId.")
    found = []
    for finding in _smoke(at, token, demo, login_file):
        found.append(finding)
        tell.mark(finding.how, f"{finding.what}: {finding.says}")
    tell.answer([asdict(each) for each in found])
    if token is None:
        tell.remark("Without --token nothing behind the authorizer was tried.")
    if any(finding.how == "bad" for finding in found):
        raise typer.Exit(1)


def _smoke(at: Target, token: str | None, demo: bool, login_file: Path | None) -> Iterator[doctor.Finding]:
    yield from smoke.of_strangers(at)
    if token is not None:
        yield from smoke.of_sessions(at, token)
    if demo and token is not None:
        login_id = _text(login_file).strip() if login_file is not None else smoke.demo_login(at)
        yield from smoke.of_a_connection(at, token, login_id)


# --- rarely, and with care


@app.command("restore")
def restore_(
    to: Annotated[str | None, typer.Option(help="2026-01-05T12:00:00Z; else the latest there is.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Copy rows back. Else only count.")] = False,
) -> None:
    """Bring back rows that the table lost, and none that were erased."""
    moment = _moment(to, "--to")
    at, tell = target(), Asked.telling
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


@app.command("destroy")
def destroy_(
    confirm: Annotated[str | None, typer.Option(help="The stack's name again, where nobody can be asked.")] = None,
) -> None:
    """Remove a dev stack with all its data, for ever. Refuses prod."""
    at = target()

    def confirmed() -> str:
        return confirm if confirm is not None else str(typer.prompt("Type the stack's name to go on")).strip()

    try:
        destroy.destroy(at.client, at.name, confirmed)
    except destroy.Refused as refusal:
        raise Refused(str(refusal)) from None


# --- what was typed


def _shown(row: Connection | Unreadable) -> dict[str, Any]:
    if isinstance(row, Unreadable):
        return {"connectionId": row.connection_id, "unreadable": True}
    return {
        "connectionId": row.connection_id,
        "status": row.status,
        "reason": row.reason,
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


def _meant(connection_ids: list[str] | None, owner: list[str] | None, login_file: Path | None) -> tuple[str, list[str]]:
    given = [
        ("connectionId", [_id(each) for each in connection_ids or ()]),
        ("owner", list(owner or ())),
        ("loginId", _text(login_file).split() if login_file is not None else []),
    ]
    ((member, named), *rest) = [each for each in given if each[1]] or [("", [])]
    if not named or rest:
        _mistake("Say which, one way: connectionIds, --owner or --login-file.")
    return member, list(dict.fromkeys(named))


def _id(text: str) -> str:
    if not re.fullmatch(CONNECTION_ID, text):
        _mistake("A connectionId is con_ and 26 characters of a-z and 2-7.")
    return text


def _known(text: str, known: Iterable[str], what: str) -> str:
    names = [str(name) for name in known]
    if text in names:
        return text
    near = difflib.get_close_matches(text, names, 1, 0.5)
    meant = f"Did you mean {near[0]}?" if near else f"One of: {', '.join(names)}."
    return _mistake(f"{what}: there is no such one. {meant}")


def _span(text: str | None, what: str) -> timedelta | None:
    if text is None:
        return None
    parts = re.fullmatch(r"([1-9]\d{0,4})([smhd])", text)
    if parts is None:
        _mistake(f"{what}: a number and s, m, h or d, such as 30m or 2h.")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[parts[2]]
    return timedelta(**{unit: int(parts[1])})


def _moment(text: str | None, what: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        return _mistake(f"{what}: a time with its zone, such as 2026-01-05T12:00:00Z.")
    return moment


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError):
        _mistake(f"{file} cannot be read as text.")


def _mistake(message: str) -> NoReturn:
    raise typer.BadParameter(message)


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (" …" if len(ids) > 5 else "")  # noqa: PLR2004 - enough to find them by


__all__ = ["NotDone", "app", "hoisted", "span"]
