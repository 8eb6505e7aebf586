"""Which service a command means: a stack of an AWS account, or the local stack that `make up` runs."""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[1]
LOCAL = ROOT / ".local/stack.json"
LOCAL_STACK = "flinks-landing"

_LONGER_THAN_ANY_FUNCTION = Config(
    connect_timeout=5, read_timeout=310, retries={"mode": "standard", "total_max_attempts": 3}
)
_NEVER_TWICE = Config(connect_timeout=5, read_timeout=310, retries={"mode": "standard", "total_max_attempts": 1})


class Refused(Exception):
    """Nothing was done; the message says why and what to do, in one sentence or two."""


@dataclass(frozen=True)
class Target:
    """One deployed stack, with the clients, outputs and parameters that commands need."""

    name: str
    region: str
    session: Any = field(repr=False)
    endpoint: str | None = None
    local: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What `.local/stack.json` says; empty on AWS."""

    @classmethod
    def of(cls, stack: str | None, profile: str | None, region: str | None, description: Path = LOCAL) -> Self:
        """The stack that the options name, else the local one that is up. Raises Refused."""
        if stack is None:  # a profile alone names none: it may come from the environment
            return cls.up(description)
        # The AWS CLI and Lambda read AWS_REGION; botocore reads AWS_DEFAULT_REGION alone.
        session = boto3.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION"))
        if session.region_name is None:
            raise Refused("No region: give --region ca-central-1, or set AWS_REGION.")
        return cls(stack, session.region_name, session)

    @classmethod
    def up(cls, description: Path = LOCAL) -> Self:
        """The local stack. Raises Refused when none is up."""
        said = _description(description)
        _forget_aws()
        keys = said["credentials"]
        session = boto3.Session(
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            region_name=said["region"],
        )
        return cls(LOCAL_STACK, said["region"], session, endpoint=said["awsEndpointUrl"], local=said)

    @property
    def is_local(self) -> bool:
        return self.endpoint is not None

    def __str__(self) -> str:
        return "the local stack" if self.is_local else f"{self.name} in {self.region}"

    def client(self, service: str, *, never_twice: bool = False) -> Any:
        """A boto3 client. `never_twice`: a call that AWS did not answer is not sent again by itself."""
        return self._clients(service, never_twice)

    @cached_property
    def _clients(self) -> Any:
        def make(service: str, never_twice: bool) -> Any:
            config = _NEVER_TWICE if never_twice else _LONGER_THAN_ANY_FUNCTION
            return self.session.client(service, config=config, endpoint_url=self.endpoint)

        return cache(make)

    @cached_property
    def described(self) -> Mapping[str, Any]:
        """The stack as CloudFormation describes it. Raises Refused when there is none of this name."""
        try:
            (stack,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                raise Refused(
                    f"There is no stack {self.name} in {self.region} of this account. "
                    "Check --stack, --region and --profile."
                ) from None
            raise
        return dict(stack)

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        if self.is_local:
            return dict(self.local["outputs"])
        return {each["OutputKey"]: each["OutputValue"] for each in self.described.get("Outputs", [])}

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        return {each["ParameterKey"]: each["ParameterValue"] for each in self.described.get("Parameters", [])}

    def output(self, name: str) -> str:
        """Raises Refused when the stack is not one of ours, or of another release."""
        try:
            return self.outputs[name]
        except KeyError:
            raise Refused(
                f"{self.name} has no output {name}: it is no stack of flinks-landing, or of another release."
            ) from None

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource of the template."""
        found = self.client("cloudformation").describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def log_group(self, function: str) -> str:
        """Of a function, or of the gateway by the name `access`."""
        return (
            f"/aws/vendedlogs/apigateway/{self.name}/access"
            if function == "access"
            else f"/aws/lambda/{self.name}/{function}"
        )


def _forget_aws() -> None:
    """A profile that is unknown here, or a configuration that cannot be read, is no matter of the local stack's."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)


def _description(path: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        address = urlsplit(said["awsEndpointUrl"])
        socket.create_connection((address.hostname or "", address.port or 0), timeout=2).close()
    except (OSError, ValueError, KeyError):
        raise Refused(
            "No stack is named and no local one is up. Name one (--stack flinks-landing-dev --profile …), "
            "or start the local stack: make up."
        ) from None
    return said
