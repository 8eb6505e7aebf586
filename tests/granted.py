"""Sessions that may do what a document of `ops/policies` grants and nothing else, on the emulator with IAM on."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from local.aws.deployment import EmulatorAddress

POLICIES = Path(__file__).parents[1] / "ops/policies"

_CHANGE_SETS = {"CreateChangeSet", "DescribeChangeSet", "DescribeStackEvents", "DescribeStacks", "ExecuteChangeSet"}

ASKED_BY_SAM = {f"cloudformation:{each}" for each in _CHANGE_SETS} | {"s3:GetObject", "s3:PutObject"}
"""What `make deploy` is heard to ask (tests/integration/test_destroy.py, long)."""

ASKED_TO_ADOPT = {
    *(f"cloudformation:{each}" for each in (*_CHANGE_SETS, "ListStacks")),
    *("dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "events:DescribeEventBus", "logs:DescribeLogGroups"),
    *("kms:CancelKeyDeletion", "kms:DescribeKey", "kms:EnableKey", "kms:GetKeyPolicy"),
    *("s3:GetEncryptionConfiguration", "s3:ListBucket"),
}
"""What adopting is heard to ask (tests/integration/aws/test_adopt.py)."""

ASKED_ELSEWHERE = {
    "cloudformation:DeleteStack": "a first deployment that failed is cleared away (tests/unit/ops/test_protecting.py)",
    "cloudformation:GetTemplateSummary": "SAM asks it for the parameters that are not given (samcli, Deployer)",
    "iam:PassRole": "CloudFormation's role is handed over (IAM User Guide, Passing roles)",
    **dict.fromkeys(
        (
            *("s3:CreateBucket", "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging"),
            *("s3:PutBucketVersioning", "s3:PutEncryptionConfiguration"),
        ),
        "CloudFormation makes SAM's bucket once, as whoever deploys (samcli, bootstrap)",
    ),
}
"""What no test hears, and why it is asked."""


@dataclass(frozen=True)
class Granted:
    """A role that holds one document, filled in for one stack after the other; it may administer keys."""

    emulator: EmulatorAddress
    document: str

    @property
    def role(self) -> str:
        return f"as-{self.document}"

    def environment(self, stack: str, **words: str) -> dict[str, str]:
        """For a child process that acts as that role on the stack `stack`."""
        iam = self.emulator.client("iam")
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            document = json.dumps({"Statement": [trust]})
            iam.create_role(RoleName=self.role, Path="/key-admins/", AssumeRolePolicyDocument=document)
        iam.put_role_policy(RoleName=self.role, PolicyName="all", PolicyDocument=self.filled_in(stack, **words))
        arn = iam.get_role(RoleName=self.role)["Role"]["Arn"]
        session = self.emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return self.emulator.environment() | {
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }

    def client(self, stack: str) -> Callable[[str], Any]:
        """A boto3 client that acts as that role, by service name."""
        said = self.environment(stack)
        session = boto3.Session(
            said["AWS_ACCESS_KEY_ID"],
            said["AWS_SECRET_ACCESS_KEY"],
            said["AWS_SESSION_TOKEN"],
            region_name=self.emulator.region,
        )
        make: Any = session.client  # its overloads want the name of a service, not a string
        return cache(lambda service: make(service, endpoint_url=self.emulator.url))

    def filled_in(self, stack: str, **words: str) -> str:
        """The document with names in its placeholders; a name that CloudFormation cuts is known by what is left."""
        text = (POLICIES / f"{self.document}.json").read_text()
        said = {
            "LOWERCASE": stack.split("-", maxsplit=1)[0].lower(),
            "STACK": stack,
            "REGION": self.emulator.region,
            "ACCOUNT": self.emulator.account_id,
            **words,
        }
        for word, name in said.items():
            text = text.replace(word, name)
        return text

    def asked(self, folder: Path) -> Iterator[tuple[str, bool]]:
        """Each action that it asked IAM for, and whether it was allowed; `folder` is the emulator's."""
        for line in (folder / "authorizations.jsonl").read_text().splitlines():
            told: Mapping[str, Any] = json.loads(line)
            if told["role"] == self.role:
                yield told["action"], told["allowed"]

    def actions(self) -> set[str]:
        """What the document grants."""
        statements = json.loads((POLICIES / f"{self.document}.json").read_text())["Statement"]
        actions = (each["Action"] for each in statements)
        return {action for each in actions for action in ([each] if isinstance(each, str) else each)}
