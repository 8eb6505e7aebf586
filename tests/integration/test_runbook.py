"""Every command of docs/operations.md is run, as it stands there, on the local stack.

What only AWS can do is done by a stand-in for the step outside the tool: `make` for `deploy`. What would end the stack
for the tests that follow (`destroy`) is run up to its question; tests/integration/test_destroy.py goes on from there.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.stack import Stack
from ops.cli import app, hoisted
from ops.commands import rarely
from ops.target import Refused
from tests.live_service import LiveService
from tests.runbook import SAMPLE, commands

type Run = Callable[[list[str]], None]

REFUSED = {"destroy": "is not the stack's name"}
"""What is not carried out here, by its command, and how it is refused."""


@pytest.fixture(scope="module")
def connection(live: LiveService) -> str:
    """A connection that is ready, in place of the page's sample."""
    connection_id = live.connect_and_post()
    live.until(connection_id, "ready")
    return connection_id


@pytest.fixture(scope="module")
def described(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    description = tmp_path_factory.mktemp("runbook") / "stack.json"
    description.write_text(json.dumps(stack.description()))
    return description


@pytest.fixture
def run(
    stack: Stack, live: LiveService, connection: str, described: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Runs a command of the page as a person at its keyboard would."""
    typed = {"secret-key": stack.flinks.secret_key, "api-key": stack.flinks.api_key}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logins.csv").write_text(f"loginId,owner\n{live.connect_bank()},an-imported-owner\n")
    deploy_by_a_stand_in(stack, monkeypatch, tmp_path)

    def run(words: list[str]) -> None:
        words = [connection if word == SAMPLE else word for word in words]
        answers = next((value for name, value in typed.items() if name in words), "y") + "\n"
        ran = CliRunner().invoke(app, hoisted([*words, "--local", str(described)]), input=answers)
        if words[0] in REFUSED:
            assert isinstance(ran.exception, Refused)
            assert REFUSED[words[0]] in str(ran.exception)
            return
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        assert ran.exit_code == 0, f"{ran.exit_code}: {ran.stdout}{ran.stderr}"
        assert ran.stdout + ran.stderr

    return run


def deploy_by_a_stand_in(stack: Stack, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    samconfig = folder / "samconfig.toml"
    samconfig.write_text(
        "".join(
            f'[{name}.global.parameters]\nstack_name = "flinks-landing"\nregion = "{stack.emulator.region}"\n'
            for name in ("default", "prod")
        )
    )
    monkeypatch.setattr(rarely, "SAMCONFIG", samconfig)
    run = subprocess.run

    def make(command: list[str], **more: Any) -> Any:
        if command[0] != "make":
            return run(command, **more)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", make)
    for name, value in {
        "AWS_ENDPOINT_URL": stack.emulator.url,
        "AWS_ACCESS_KEY_ID": stack.emulator.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.emulator.secret_access_key,
        "AWS_REGION": stack.emulator.region,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_of_the_runbook_does_what_it_says(run: Run, words: list[str]) -> None:
    run(words)
