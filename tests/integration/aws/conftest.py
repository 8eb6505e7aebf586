"""The emulator alone: without our template, for tests of AWS's own rules."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.aws.deployment import EmulatorAddress
from local.process import Child

ROOT = Path(__file__).resolve().parents[3]
STACK_PYTHON = ROOT / ".venvs" / "stack" / "bin" / "python"
LAMBDA_PYTHON = ROOT / ".venvs" / "lambda" / "bin" / "python"
LAMBDA_TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def command(folder: Path) -> list[str | Path]:
    return [STACK_PYTHON, "-m", "local.aws", "--lambda-python", LAMBDA_PYTHON, "--folder", folder]


@pytest.fixture(scope="session")
def emulator_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emulator")


@pytest.fixture(scope="session")
def emulator(emulator_folder: Path) -> Iterator[EmulatorAddress]:
    with Child([str(part) for part in command(emulator_folder)], emulator_folder / "child.log") as child:
        yield EmulatorAddress.from_line(child.ready(within=60))


@pytest.fixture(scope="session")
def client(emulator: EmulatorAddress) -> Callable[[str], Any]:
    """A boto3 client of the account's root, by service name; each is made once."""
    return cache(emulator.client)


def make_role(client: Callable[[str], Any], name: str, *statements: dict[str, Any]) -> str:
    """A role that a function may take, with these policy statements; its ARN."""
    trust = {"Version": "2012-10-17", "Statement": [LAMBDA_TRUST]}
    arn: str = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if statements:
        policy = {"Version": "2012-10-17", "Statement": statements}
        client("iam").put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    return arn


@pytest.fixture(scope="session")
def deploy_function(client: Callable[[str], Any]) -> Callable[..., str]:
    """Deploys a function of one module, `app.py`, with a role of these policy statements; its name."""

    def deploy(name: str, source: str, *statements: dict[str, Any], **configuration: Any) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr("app.py", source)
        client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=make_role(client, f"{name}-role", *statements),
            Code={"ZipFile": archive.getvalue()},
            **{"Handler": "app.lambda_handler", "Timeout": 10, **configuration},
        )
        while client("lambda").get_function_configuration(FunctionName=name)["State"] == "Pending":
            time.sleep(0.05)
        return name

    return deploy


@pytest.fixture
def make_function(deploy_function: Callable[..., str], request: pytest.FixtureRequest) -> Callable[..., str]:
    """`deploy_function` under a name of the test's own."""
    name = f"function-{abs(hash(request.node.nodeid))}"
    return lambda source, *statements, **configuration: deploy_function(name, source, *statements, **configuration)
