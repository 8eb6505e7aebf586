"""Commands that say whether all is well."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ops import doctor, questions, smoke
from ops.asked import asked
from ops.target import Target
from ops.typed import known, mistake, text_of


def doctor_(
    mend: Annotated[
        bool, typer.Option("--mend", help="Turn on again what is off: keys, mappings, schedule, loops.")
    ] = False,
) -> None:
    """Look the stack over, and say what to mend.

    Keys, secrets, mappings, schedule, releases, recursion, concurrency, and whether Flinks accepts our keys.
    """
    at, tell = asked.target, asked.telling
    tell.heading(f"looking over {at}")
    found = list[tuple[doctor.Finding, bool]]()
    for finding in doctor.look(at):
        mended = mend and finding.mend is not None
        if mended and finding.mend is not None:
            finding.mend()
        found.append((finding, mended))
        tell.mark(finding.how, f"{finding.what}: {finding.says}")
        if mended or finding.do:
            tell.line(f"        {'mended' if mended else finding.do}")
    tell.answer(
        [
            {"what": each.what, "how": each.how, "says": each.says, "do": each.do, "mended": mended}
            for each, mended in found
        ]
    )
    bad = [each for each, mended in found if each.how == "bad" and not mended]
    tell.line()
    tell.line(f"  {len(bad)} to be mended" if bad else "  all is well")
    if bad:
        raise typer.Exit(1)


def drill(alarm: Annotated[str, typer.Argument(help="Such as ResumeStalledErrors.")] = "ResumeStalledErrors") -> None:
    """Put an alarm on for a moment, to know that it wakes somebody.

    It falls back by itself within minutes.
    """
    at, tell = asked.target, asked.telling
    alarms = doctor.alarms(at)
    name = doctor.drill(at, alarms[known(alarm, alarms, "alarm")])
    tell.answer({"alarm": name, "state": "ALARM"})
    tell.line(f"{name} is on; whoever {at}'s topic wakes hears of it, and in some minutes that it is over.")


def smoke_(
    token: Annotated[
        str | None,
        typer.Option(envvar="LANDING_TOKEN", help="Access token of a test user; else only what needs none."),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="A whole connection too: drop, event, deletion.")] = False,
    login_file: Annotated[Path | None, typer.Option(help="With --demo on AWS: a file with a test loginId.")] = None,
) -> None:
    """After a deployment: does it work?

    A refused call, a session, and with --demo a whole connection: its drop, its event, its deletion. Then what only AWS
    can say: each question with its answer, for you to compare with what is expected.
    """
    at, tell = asked.target, asked.telling
    if at.is_local:
        token = token or at.local["tokens"]["alice"]
    if demo and token is None:
        mistake("--demo needs --token: a connection is somebody's.")
    if demo and login_file is None and not at.is_local:
        mistake("--demo needs --login-file on AWS: connect Flinks Capital on your page and save its loginId.")
    found = []
    for finding in _smoke(at, token, demo, login_file):
        found.append(finding)
        tell.mark(finding.how, f"{finding.what}: {finding.says}")
    tell.heading("what only AWS can say")
    answered = []
    for each in questions.ask_all(at):
        answered.append(each)
        tell.line(f"  {each.id}")
        tell.line(f"        expected  {each.expect}")
        tell.line(f"        answered  {' '.join(each.answer.split())}")
    tell.answer({"findings": [asdict(each) for each in found], "questions": [asdict(each) for each in answered]})
    if token is None:
        tell.remark("Without --token nothing behind the authorizer was tried.")
    if any(finding.how == "bad" for finding in found):
        raise typer.Exit(1)


def _smoke(at: Target, token: str | None, demo: bool, login_file: Path | None) -> Iterator[doctor.Finding]:
    yield from smoke.of_strangers(at)
    if token is not None:
        yield from smoke.of_sessions(at, token)
    if demo and token is not None:
        login_id = text_of(login_file).strip() if login_file is not None else smoke.demo_login(at)
        yield from smoke.of_a_connection(at, token, login_id)
