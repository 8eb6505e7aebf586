"""What outlived a deleted stack comes under a new one, as it was, and whole: rows, objects, sealed logins."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.deployment import EmulatorAddress, deploy_packaged
from ops.adopt import RETAINED, adopt, prepared, retained_by
from ops.preflight import template_in
from ops.target import Refused
from tests.granted import ASKED_TO_ADOPT, Granted

TEMPLATE = template_in(Path(__file__).parents[3] / "template.yaml")
SEAL = {"purpose": "login"}

type Client = Callable[[str], Any]


def without_functions(account: str) -> dict[str, Any]:
    """template.yaml with what it retains, a bus and outputs; nobody but the account uses the keys."""
    owner = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    resources = json.loads(json.dumps({name: TEMPLATE["Resources"][name] for name in [*RETAINED, "EventBus"]}))
    for name in ("DataKey", "LoginKey", "IndexKey"):
        resources[name]["Properties"]["KeyPolicy"] = {"Version": "2012-10-17", "Statement": [owner]}
    return {
        "Parameters": {
            name: TEMPLATE["Parameters"][name] for name in ("PitrDays", "ProtectTable", "DropRetentionDays")
        },
        "Conditions": {"DropsExpire": TEMPLATE["Conditions"]["DropsExpire"]},
        "Resources": resources,
        "Outputs": {"ConnectionsTable": {"Value": {"Ref": "ConnectionsTable"}}},
    }


@dataclass(frozen=True)
class Lost:
    """A stack that is gone, and what it left."""

    name: str
    left: dict[str, str]
    sealed: bytes


@dataclass(frozen=True)
class Account:
    """An account in which stacks are made and lost."""

    emulator: EmulatorAddress
    client: Client

    def deploy(self, name: str, **parameters: str) -> dict[str, str]:
        template = json.dumps(without_functions(self.emulator.account_id))
        deploy_packaged(self.emulator, template, parameters, name)
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
        listed = [each for page in pages for each in page["StackResourceSummaries"]]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed}

    def lose(self, name: str) -> Lost:
        """Deploy it, put something into each store, and delete the stack."""
        made = self.deploy(name, ProtectTable="false", PitrDays="14")
        self.client("dynamodb").put_item(TableName=made["ConnectionsTable"], Item={"connectionId": {"S": "con_kept"}})
        self.client("s3").put_object(Bucket=made["DropBucket"], Key="accounts/v1/con_kept/000001.json.gz", Body=b"drop")
        sealed = self.client("kms").encrypt(KeyId=made["LoginKey"], Plaintext=b"login", EncryptionContext=SEAL)
        cloudformation = self.client("cloudformation")
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        return Lost(name, {each: made[each] for each in RETAINED}, sealed["CiphertextBlob"])

    def unsealed(self, lost: Lost) -> bytes:
        return bytes(
            self.client("kms").decrypt(KeyId=lost.left["LoginKey"], CiphertextBlob=lost.sealed, EncryptionContext=SEAL)[
                "Plaintext"
            ]
        )


@pytest.fixture(scope="module")
def account(emulator: EmulatorAddress, client: Client) -> Account:
    return Account(emulator, client)


@pytest.fixture(scope="module")
def lost(account: Account) -> Lost:
    """For tests that only look at it."""
    return account.lose("looked-at")


def test_what_a_lost_stack_left_is_adopted_and_the_next_deployment_adds_the_rest(
    account: Account, client: Client, emulator_folder: Path
) -> None:
    lost = account.lose("adopted")
    client("kms").schedule_key_deletion(KeyId=lost.left["LoginKey"], PendingWindowInDays=7)

    granted = Granted(account.emulator, "deployer")
    deployer = granted.client("adopted")

    adoption = prepared(deployer, "adopted", TEMPLATE, {})
    adopt(deployer, adoption, None)
    asked = dict(granted.asked(emulator_folder))
    made = account.deploy("adopted", PitrDays="30")

    (table,) = [client("dynamodb").describe_table(TableName=made["ConnectionsTable"])["Table"]]
    backups = client("dynamodb").describe_continuous_backups(TableName=made["ConnectionsTable"])
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    row = client("dynamodb").get_item(TableName=made["ConnectionsTable"], Key={"connectionId": {"S": "con_kept"}})
    drop = client("s3").get_object(Bucket=made["DropBucket"], Key="accounts/v1/con_kept/000001.json.gz")
    assert adoption.leaving == ("LoginKey",)
    assert asked == dict.fromkeys(ASKED_TO_ADOPT, True)
    assert {name: made[name] for name in RETAINED} == lost.left
    assert made["EventBus"] == "adopted"
    assert row["Item"]["connectionId"] == {"S": "con_kept"}
    assert drop["Body"].read() == b"drop"
    assert account.unsealed(lost) == b"login"
    assert (recovery["RecoveryPeriodInDays"], table["DeletionProtectionEnabled"]) == (30, True)


def test_a_dry_run_changes_nothing(client: Client, lost: Lost) -> None:
    adoption = prepared(client, lost.name, TEMPLATE, {})

    with pytest.raises(ClientError, match="does not exist"):
        client("cloudformation").describe_stacks(StackName=lost.name)
    assert adoption.found == lost.left


def test_the_deleted_stack_says_what_it_left(client: Client, lost: Lost) -> None:
    assert retained_by(client("cloudformation"), lost.name) == lost.left


def test_what_is_forgotten_is_asked_for_by_name(client: Client, lost: Lost) -> None:
    with pytest.raises(Refused, match="ConnectionsTable, DropBucket, DataKey, LoginKey, IndexKey"):
        prepared(client, "never-there", TEMPLATE, {})

    adoption = prepared(client, "never-there", TEMPLATE, lost.left)

    assert adoption.found == lost.left


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "the login key for the data key": ({"DataKey": "LoginKey"}, "named as DataKey is another"),
    "the data key for the login key": ({"LoginKey": "DataKey"}, "named as LoginKey is another"),
    "a key that hashes for one that seals": ({"LoginKey": "IndexKey"}, "named as LoginKey is another"),
}


@pytest.mark.parametrize(("swapped", "told"), WRONG.values(), ids=WRONG)
def test_no_key_takes_the_place_of_another(client: Client, lost: Lost, swapped: dict[str, str], told: str) -> None:
    named = {place: lost.left[other] for place, other in swapped.items()}

    with pytest.raises(Refused, match=told):
        prepared(client, lost.name, TEMPLATE, named)


def test_another_stack_s_key_is_refused_by_what_lies_under_it(account: Account, client: Client, lost: Lost) -> None:
    others = account.lose("another")

    with pytest.raises(Refused, match="The table is under another key"):
        prepared(client, lost.name, TEMPLATE, {"DataKey": others.left["DataKey"]})
    with pytest.raises(Refused, match="The bucket is under another key"):
        prepared(client, lost.name, TEMPLATE, {"DropBucket": others.left["DropBucket"]})


def test_what_is_gone_is_named(client: Client, lost: Lost) -> None:
    missing = "00000000-0000-4000-8000-000000000000"

    with pytest.raises(Refused, match="LoginKey is not there"):
        prepared(client, lost.name, TEMPLATE, {"LoginKey": missing})
    with pytest.raises(Refused, match="The table is not there"):
        prepared(client, lost.name, TEMPLATE, {"ConnectionsTable": "nowhere"})
    with pytest.raises(Refused, match="The bucket is not there"):
        prepared(client, lost.name, TEMPLATE, {"DropBucket": "nowhere"})


def test_a_stack_that_is_there_adopts_nothing(account: Account, client: Client) -> None:
    account.deploy("alive", ProtectTable="false")

    with pytest.raises(Refused, match="There is a stack alive"):
        prepared(client, "alive", TEMPLATE, {})


def test_where_the_table_is_lost_the_rest_is_adopted_without_it(client: Client, lost: Lost) -> None:
    adoption = prepared(client, lost.name, TEMPLATE, {"ConnectionsTable": "nowhere"}, without_table=True)

    assert set(adoption.found) == set(adoption.template["Resources"]) == set(RETAINED) - {"ConnectionsTable"}


def test_what_would_stop_the_next_deployment_is_named_first(client: Client, lost: Lost) -> None:
    client("events").create_event_bus(Name="in-the-way")
    client("logs").create_log_group(logGroupName="/aws/lambda/in-the-way/receive_login")

    with pytest.raises(Refused, match="event bus in-the-way, log group /aws/lambda/in-the-way/receive_login"):
        prepared(client, "in-the-way", TEMPLATE, lost.left)
