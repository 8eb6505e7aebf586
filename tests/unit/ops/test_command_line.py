"""What bin/landing makes of what was typed, before it asks AWS for anything."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ops.cli import app, hoisted

ROOT = Path(__file__).parents[3]
OWN = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ}


def landing(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "bin/landing"), *arguments]
    return subprocess.run(command, env=OWN | environment, capture_output=True, text=True, check=False, timeout=60)


def test_global_options_may_stand_after_the_command() -> None:
    assert hoisted(["list", "--json", "--stack", "dev", "--older", "2h"]) == [
        "--json",
        "--stack",
        "dev",
        "list",
        "--older",
        "2h",
    ]


def test_what_follows_two_dashes_stays_where_it_is() -> None:
    assert hoisted(["show", "--", "--json"]) == ["show", "--", "--json"]


A_LOGIN = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
MISTAKES = {
    "a command": (["lst"], "Did you mean 'list'"),
    "an option": (["delete", "--tiket", "T-1"], "--ticket"),
    "a reason": (["list", "--reason", "timed_ot"], "Did you mean timed_out?"),
    "a state": (["list", "--status", "pendign"], "Did you mean pending?"),
    "a queue": (["queues", "peek", "FetchDeadLetter"], "Did you mean FetchDeadLetters?"),
    "a secret": (["secret", "set", "apikey"], "Did you mean api-key?"),
    "a function": (["tail", "--function", "fetch"], "Did you mean"),
    "an id": (["show", "con_zzz"], "con_ and 26 characters"),
    "a time": (["list", "--older", "yesterday"], "such as 30m or 2h"),
    "no ticket": (["delete", "con_" + "a" * 26], "--ticket"),
    "nothing to delete": (["delete", "--ticket", "T-1"], "Say which"),
    "two ways at once": (["delete", "con_" + "a" * 26, "--owner", "alice", "--ticket", "T-1"], "one way"),
    "nothing to fetch again": (["refetch"], "Say which"),
    "a queue at work": (["queues", "peek", "FetchQueue"], "at work"),
    "a ticket that is a login": (["delete", "con_" + "a" * 26, "--ticket", A_LOGIN], "must not hold a GUID"),
    "of a retry": (["retry", "con_" + "a" * 26, "--ticket", A_LOGIN], "must not hold a GUID"),
    "of an import": (["import", "nowhere.csv", "--ticket", A_LOGIN], "must not hold a GUID"),
    "of a receipt": (["receipt", "--ticket", A_LOGIN], "must not hold a GUID"),
    "a ticket with words": (["delete", "con_" + "a" * 26, "--ticket", "of Ms Example"], "must be a reference"),
    "a resource that nobody adopts": (["adopt", "--resource", "LoginKy=x"], "Did you mean LoginKey?"),
    "a resource without its id": (["adopt", "--resource", "LoginKey"], "such as LoginKey="),
    "two moments": (["restore", "--from", "t", "--to", "2026-01-05T12:00:00Z"], "Give --to or --from"),
    "a missing file": (["delete", "--login-file", "nowhere.txt", "--ticket", "T-1"], "cannot be read"),
}


@pytest.mark.parametrize(("typed", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_before_anything_is_asked_of_aws(typed: list[str], told: str) -> None:
    run = CliRunner().invoke(app, hoisted(typed))

    assert (run.exit_code, run.stdout) == (2, "")
    assert told in run.stderr
    assert A_LOGIN not in run.stderr


WRONG_SURROUNDINGS = {
    "no stack": ([], {}, "make up"),
    "a profile alone": (["--profile", "x"], {}, "make up"),
    "no such profile": (["--stack", "s", "--profile", "nobody"], {}, "no such AWS profile"),
    "no region": (["--stack", "s"], {}, "--region"),
    "no credentials": (
        ["--stack", "s", "--region", "ca-central-1"],
        {"AWS_EC2_METADATA_DISABLED": "true"},
        "no AWS credentials",
    ),
    "broken configuration": (["--stack", "s"], {"AWS_CONFIG_FILE": "broken"}, "cannot be read"),
    "no network": (
        ["--stack", "s", "--region", "ca-central-1"],
        {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        "cannot be reached",
    ),
}


@pytest.mark.parametrize(("options", "environment", "told"), WRONG_SURROUNDINGS.values(), ids=WRONG_SURROUNDINGS)
def test_wrong_surroundings_are_one_sentence(
    tmp_path: Path, options: list[str], environment: dict[str, str], told: str
) -> None:
    (tmp_path / "broken").write_text("[profile x\nregion = nowhere")
    nobodys = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(tmp_path / "none")}
    if environment.get("AWS_CONFIG_FILE") == "broken":
        environment = {"AWS_CONFIG_FILE": str(tmp_path / "broken")}

    run = landing("status", "--local", str(tmp_path / "none.json"), *options, **nobodys | environment)

    assert run.returncode in (1, 2)
    assert run.stdout == ""
    assert told in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def every_command(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """By its name, groups left out."""
    if not hasattr(command, "commands"):
        yield " ".join(path), command
    for name, each in getattr(command, "commands", {}).items():
        yield from every_command(each, *path, name)


COMMANDS = dict(every_command(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_a_command_does_and_what_each_option_is(name: str) -> None:
    unsaid = [each.name for each in COMMANDS[name].params if not each.help]

    assert (COMMANDS[name].help or "").strip()
    assert unsaid == []


def test_no_command_shows_a_traceback(tmp_path: Path) -> None:
    """A description that is no JSON of ours ends in a sentence, whatever it is that goes wrong with it."""
    broken = tmp_path / "stack.json"
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        broken.write_text(json.dumps({"awsEndpointUrl": f"http://127.0.0.1:{somebody.getsockname()[1]}"}))

        run = landing("status", "--local", str(broken))

    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert "A defect of bin/landing: KeyError at target.py:" in run.stderr
