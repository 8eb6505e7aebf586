"""Deploy the real template to the emulator the way the cloud gets it: `sam build`, `sam package`, a change set."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3

from ops import mirrors
from ops.release import release_of

REPOSITORY = Path(__file__).resolve().parents[2]
STACK_NAME = "flinks-landing"
ARTIFACT_BUCKET = "sam-artifacts"
BUILDS_KEPT = 5
BUILD_INPUTS = ("template.yaml", "layers", "functions")

type Say = Callable[[str], None]


class DeploymentError(RuntimeError):
    """The stack is not as the template says; the message names the resource and the reason."""


@dataclass(frozen=True)
class EmulatorAddress:
    """Where the emulator listens, where the HTTP API that is deployed to it does, and its root credentials."""

    url: str
    api_url: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    @classmethod
    def from_line(cls, line: str) -> Self:
        """From the line of JSON that the emulator prints once it is ready."""
        told = json.loads(line)
        credentials = told["credentials"]
        return cls(
            told["url"],
            told["apiUrl"],
            told["region"],
            told["accountId"],
            credentials["accessKeyId"],
            credentials["secretAccessKey"],
        )

    def client(self, service: str) -> Any:
        """A boto3 client of this emulator, blind to the machine's own AWS configuration."""
        session = boto3.Session(self.access_key_id, self.secret_access_key, region_name=self.region)
        make: Any = session.client  # its overloads want the name of a service, not a string
        return make(service, endpoint_url=self.url)

    def environment(self) -> dict[str, str]:
        """The same for a child process, in place of whatever AWS configuration the machine has."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return kept | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }


def host_architecture() -> str:
    """The machine's architecture in Lambda's words."""
    return {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]


def sam_build(architecture: str, say: Say = print) -> Path:
    """The folder of a finished `sam build` of the repository; one that had the same inputs is used again."""
    with _alone_with_builds() as builds:
        finished = builds / _fingerprint(architecture)
        if finished.is_dir():
            say("sam build: nothing changed since the last one")
            os.utime(finished)  # in use again, so not the next to go
            return finished
        say("sam build ...")
        unfinished = builds / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)  # of somebody who was killed
        _sam(
            [
                "build",
                "--template-file",
                REPOSITORY / "template.yaml",
                "--build-dir",
                unfinished,
                "--parameter-overrides",
                f"Architecture={architecture}",
                "--region",
                "ca-central-1",
            ],
            _build_environment(architecture),
        )
        unfinished.rename(finished)
        kept = (build for build in builds.iterdir() if build.is_dir())  # sam keeps a file beside them
        newest_first = sorted(kept, key=lambda build: build.stat().st_mtime, reverse=True)
        for old in newest_first[BUILDS_KEPT:]:
            shutil.rmtree(old)
        return finished


@contextmanager
def _alone_with_builds() -> Iterator[Path]:
    """The folder of builds, for one process at a time: stacks may start side by side, and sam shares a file."""
    builds = REPOSITORY / ".aws-sam" / "local"
    builds.mkdir(parents=True, exist_ok=True)
    with (REPOSITORY / ".aws-sam" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield builds


def deploy(emulator: EmulatorAddress, parameters: Mapping[str, str], folder: Path, say: Say = print) -> dict[str, str]:
    """Build and deploy the repository's template; its stack's outputs, once every function is active.

    `folder` receives the packaged template. Raises DeploymentError.
    """
    return deploy_built(emulator, sam_build(host_architecture(), say), parameters, folder, say)


def deploy_built(
    emulator: EmulatorAddress,
    built: Path,
    parameters: Mapping[str, str],
    folder: Path,
    say: Say = print,
) -> dict[str, str]:
    """The same for what `sam_build` left, as a release of its own."""
    parameters = {"Architecture": host_architecture(), **parameters}
    packaged = folder / "packaged.yaml"
    _make_artifact_bucket(emulator)
    say("sam package ...")
    _sam(
        [
            "package",
            "--template-file",
            built / "template.yaml",
            "--output-template-file",
            packaged,
            "--s3-bucket",
            ARTIFACT_BUCKET,
            "--region",
            emulator.region,
            "--no-progressbar",
        ],
        emulator.environment(),
    )
    say("deploying ...")
    named = {**parameters, "Release": release_of(built, parameters)}
    return deploy_packaged(emulator, packaged.read_text(), named, STACK_NAME)


def deploy_example(
    emulator: EmulatorAddress, template: Path, parameters: Mapping[str, str], folder: Path, stack_name: str
) -> dict[str, str]:
    """Build, package and deploy another SAM template as it stands; the outputs of its stack. Raises DeploymentError."""
    built, packaged = folder / "built", folder / "packaged.yaml"
    parameters = {"Architecture": host_architecture(), **parameters}
    architecture = f"Architecture={parameters['Architecture']}"
    region: list[str | Path] = ["--region", emulator.region]
    with _alone_with_builds():
        build: list[str | Path] = [
            "build",
            "--template-file",
            template,
            "--build-dir",
            built,
            "--parameter-overrides",
            architecture,
        ]
        _sam([*build, *region], _build_environment(parameters["Architecture"]))
    _make_artifact_bucket(emulator)
    package: list[str | Path] = [
        "package",
        "--template-file",
        built / "template.yaml",
        "--output-template-file",
        packaged,
    ]
    _sam([*package, "--s3-bucket", ARTIFACT_BUCKET, "--no-progressbar", *region], emulator.environment())
    return deploy_packaged(emulator, packaged.read_text(), parameters, stack_name)


def deploy_packaged(
    emulator: EmulatorAddress, template: str, parameters: Mapping[str, str], stack_name: str
) -> dict[str, str]:
    """Bring the stack to the template through a change set, and wait. Raises DeploymentError."""
    cloudformation = emulator.client("cloudformation")
    exists = any(stack["StackName"] == stack_name for stack in _stacks(cloudformation))
    change_set = cloudformation.create_change_set(
        StackName=stack_name,
        ChangeSetName=f"{stack_name}-{time.time_ns()}",
        ChangeSetType="UPDATE" if exists else "CREATE",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        **_template_argument(emulator, stack_name, template),
    )["Id"]
    made = _settled(lambda: cloudformation.describe_change_set(ChangeSetName=change_set))
    if made["Status"] == "FAILED":
        raise DeploymentError(f"change set: {made.get('StatusReason', 'failed')}")
    cloudformation.execute_change_set(ChangeSetName=change_set)
    stack = _settled(lambda: cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0], "StackStatus")
    if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise DeploymentError(f"{stack['StackStatus']}: {_reasons(cloudformation, stack_name)}")
    _wait_until_active(emulator, cloudformation, stack_name)
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _make_artifact_bucket(emulator: EmulatorAddress) -> None:
    s3 = emulator.client("s3")
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=ARTIFACT_BUCKET, CreateBucketConfiguration={"LocationConstraint": emulator.region})


def _template_argument(emulator: EmulatorAddress, stack_name: str, template: str) -> dict[str, str]:
    """By location: a body in the request may have 51,200 bytes only."""
    _make_artifact_bucket(emulator)
    key = f"{stack_name}/template.yaml"
    emulator.client("s3").put_object(Bucket=ARTIFACT_BUCKET, Key=key, Body=template.encode())
    return {"TemplateURL": f"{emulator.url}/{ARTIFACT_BUCKET}/{key}"}


def _stacks(cloudformation: Any) -> Iterable[dict[str, Any]]:
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    return (stack for page in pages for stack in page["Stacks"])


def _settled(describe: Callable[[], dict[str, Any]], status: str = "Status") -> dict[str, Any]:
    while (described := describe())[status].endswith(("_IN_PROGRESS", "_PENDING")):
        time.sleep(0.2)
    return described


def _reasons(cloudformation: Any, stack_name: str) -> str:
    events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
    told = "; ".join(
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    )
    return " ".join(told.split())


def _wait_until_active(emulator: EmulatorAddress, cloudformation: Any, stack_name: str) -> None:
    functions = emulator.client("lambda")
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::Lambda::Function":
                functions.get_waiter("function_active_v2").wait(
                    FunctionName=resource["PhysicalResourceId"], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
                )


def _fingerprint(architecture: str) -> str:
    """A hash of everything that `sam build` reads."""
    digest = hashlib.sha256(f"{architecture} {sys.version_info[:2]}".encode())
    for path in _files():
        digest.update(f"\0{path.relative_to(REPOSITORY)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


def _files() -> Iterable[Path]:
    for name in BUILD_INPUTS:
        root = REPOSITORY / name
        if root.is_file():
            yield root
        yield from sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _build_environment(architecture: str) -> dict[str, str]:
    """What layers/landing/Makefile asks for, and a Python 3.13 with pip, which sam asks for."""
    tools = REPOSITORY / ".venvs" / "tools" / "bin"
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    return mirrors.environment(os.environ) | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "UV": str(tools / "uv"),
        "PYTHON": str(tools / "python"),
        "LAMBDA_PLATFORM": f"{machine}-manylinux_2_28",
    }


def _sam(arguments: list[str | Path], environment: Mapping[str, str]) -> None:
    command = [REPOSITORY / ".venvs" / "sam" / "bin" / "sam", *arguments]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**environment, "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DeploymentError(f"sam {arguments[0]} ended with {done.returncode}:\n{done.stdout.strip()}")
