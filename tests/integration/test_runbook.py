"""Every command of docs/operations.md is run, as it stands there, on the local stack.

What only AWS can do is done by a stand-in for the step outside the tool: `make` for `deploy`. What would end the stack
for the tests that follow (`destroy`) is run up to its question; tests/integration/test_destroy.py goes on from there.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.stack import Stack
from ops.cli import app, hoisted
from ops.commands import rarely
from ops.target import Refused, Target
from tests.granted import ASKED_BY_SAM, ASKED_ELSEWHERE, ASKED_TO_ADOPT
from tests.live_service import LiveService
from tests.runbook import SAMPLE, commands

type Run = Callable[[list[str]], None]

OPERATOR = Path(__file__).parents[2] / "ops/policies/operator.json"
DEPLOYER = Path(__file__).parents[2] / "ops/policies/deployer.json"
RARELY = ("deploy", "adopt", "restore", "destroy")
"""What an operator may not do."""
IN_THE_CALLERS_NAME = {"kms:Decrypt", "kms:GenerateDataKey"}
"""What DynamoDB, S3 and Secrets Manager do with the data key for who calls them."""

REFUSED = {"destroy": "is not the stack's name", "adopt": "There is a stack"}
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


@dataclass
class Recorder:
    """The IAM actions that commands of the tool have asked of AWS, by the command's first word."""

    command: str = ""
    asked: dict[str, set[str]] = field(default_factory=dict)

    def note(self, service: str, operation: str) -> None:
        self.asked.setdefault(self.command, set()).update(actions_of(service, operation))


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """Hears every call that the tool makes by boto3."""
    recorder, client = Recorder(), Target.client

    def recorded(target: Target, service: str, **more: Any) -> Any:
        made = client(target, service, **more)
        made.meta.events.register(
            "before-call", lambda model, **_: recorder.note(service, model.name), unique_id="recorder"
        )
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Target, "client", recorded)
        yield recorder


def granted_by(document: Path) -> set[str]:
    actions = (each["Action"] for each in json.loads(document.read_text())["Statement"])
    return {action for each in actions for action in ([each] if isinstance(each, str) else each)}


def actions_of(service: str, operation: str) -> set[str]:
    """What IAM calls an operation."""
    if service == "apigatewayv2":
        return {"apigateway:GET"}
    named = {"Invoke": "InvokeFunction", "ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions"}
    return {f"{service}:{named.get(operation, operation)}"}


def turn_things_off(live: LiveService) -> None:
    """What `doctor --mend` turns on again: a key about to go, one that is disabled, the schedule, a loop."""

    def physical(name: str) -> str:
        found = live.client("cloudformation").describe_stack_resource(
            StackName="flinks-landing", LogicalResourceId=name
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    live.client("kms").schedule_key_deletion(KeyId=physical("IndexKey"), PendingWindowInDays=7)
    for rule in live.client("events").list_rules(NamePrefix="flinks-landing-")["Rules"]:
        if "ScheduleExpression" in rule:
            live.client("events").disable_rule(Name=rule["Name"])
    live.client("lambda").put_function_recursion_config(
        FunctionName=physical("FetchAccountsFunction"), RecursiveLoop="Terminate"
    )


@pytest.fixture
def run(
    stack: Stack,
    live: LiveService,
    connection: str,
    described: Path,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Run:
    """Runs a command of the page as a person at its keyboard would."""
    typed = {"secret-key": stack.flinks.secret_key, "api-key": stack.flinks.api_key}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logins.csv").write_text(f"loginId,owner\n{live.connect_bank()},an-imported-owner\n")
    deploy_by_a_stand_in(stack, monkeypatch, tmp_path)

    def run(words: list[str]) -> None:
        recorder.command = words[0]
        if words == ["doctor", "--mend"]:
            turn_things_off(live)
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


def test_the_deployer_s_policy_grants_what_deploying_asks_for_and_nothing_else(recorder: Recorder) -> None:
    if "cloudformation:UpdateTerminationProtection" not in recorder.asked.get("deploy", ()):
        pytest.skip("says something only after every command of the page has run")

    heard = recorder.asked["deploy"] - {"sts:GetCallerIdentity"}  # which nobody is refused

    assert granted_by(DEPLOYER) == heard | ASKED_BY_SAM | ASKED_TO_ADOPT | set(ASKED_ELSEWHERE)


def test_the_operator_s_policy_grants_what_the_commands_ask_for_and_nothing_else(recorder: Recorder) -> None:
    """Whoever adds a call to the tool adds its grant; a grant that nobody needs any more goes."""
    told = {words[0] for words in commands()}
    if told - set(recorder.asked) - {"--help", *REFUSED}:
        pytest.skip("says something only after every command of the page has run")
    granted = granted_by(OPERATOR)

    asked = {action for command, found in recorder.asked.items() if command not in RARELY for action in found}

    assert asked - granted == set()
    assert granted - asked == IN_THE_CALLERS_NAME
