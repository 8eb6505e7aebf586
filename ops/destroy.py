"""Remove a dev stack and all that it would leave behind, people's data included: `python -m ops.destroy --help`.

The stack goes first, so that nobody writes any more; then what it retains: the bucket with every version, the table,
the layers, the keys. CloudFormation remembers for 90 days what a deleted stack retained: a run that was cut off can
be repeated.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from ops.target import Refused

KEY_WINDOW_DAYS = 7
"""The shortest that KMS allows: so long can a key be saved by `kms cancel-key-deletion`."""

OFTEN = {"Delay": 5, "MaxAttempts": 720}

type Client = Callable[[str], Any]


@dataclass(frozen=True)
class Kept:
    """Something that outlives its stack, as CloudFormation knows it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{SAID[self.kind]} {self.name}"


BUCKET, TABLE = "AWS::S3::Bucket", "AWS::DynamoDB::Table"
LAYER, KEY = "AWS::Lambda::LayerVersion", "AWS::KMS::Key"
BUS = "AWS::Events::EventBus"
SAID = {
    BUCKET: "bucket, with every version,",
    TABLE: "table",
    LAYER: "layer",
    KEY: f"key (in {KEY_WINDOW_DAYS} days)",
}
"""In the order of removal: while a key is there, what it protects can still be read."""

_MISSING = frozenset({"404", "NoSuchBucket", "ResourceNotFoundException", "NotFoundException"})


def destroy(client: Client, name: str, confirm: Callable[[], str], role: str | None = None) -> None:
    """Remove the stack `name`, once `confirm` gives that name. Raises Refused, ClientError or WaiterError.

    role: CloudFormation's from now on; None leaves it the one that it had for this stack, if any.
    """
    cloudformation = client("cloudformation")
    stacks = dev_stacks(cloudformation, name)
    live = [stack["StackId"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"]
    known = [each for stack in stacks for each in kept_by(cloudformation, stack)]
    kept = sorted((each for each in known if is_there(client, each)), key=lambda each: list(SAID).index(each.kind))
    if not live and not kept:
        say(f"Nothing is left of {name}.")
        return
    if listening := [rule for stack_id in live for rule in rules_on_the_bus(client, stack_id)]:
        names = ", ".join(listening)
        raise Refused(
            f"Nothing was removed: consumers still listen on the bus. Their owners remove these first: {names}."
        )
    say("To be removed, for ever:")
    for line in [*(f"stack {name}" for _ in live), *kept]:
        say(f"  {line}")
    if confirm() != name:
        raise Refused("Nothing was removed: that is not the stack's name.")
    for each in kept:
        if each.kind == TABLE:
            say(f"deletion protection off: {each.name}")
            unprotect(client("dynamodb"), each.name)
    for stack_id in live:
        say(f"deleting the stack {name} (some minutes)")
        delete_stack(cloudformation, stack_id, role)
    for each in kept:
        if is_there(client, each):  # what is not retained went with the stack
            say(f"removing the {each}")
            REMOVE[each.kind](client, each.name)
    say(f"{name} is gone.")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


# --- what there is


def dev_stacks(cloudformation: Any, name: str) -> list[dict[str, Any]]:
    """The stack, and the deleted ones that had its name. Raises Refused unless what is there is dev."""
    pages = cloudformation.get_paginator("list_stacks").paginate()
    ids = [stack["StackId"] for page in pages for stack in page["StackSummaries"] if stack["StackName"] == name]
    if not ids:
        raise Refused(f"There is no stack {name}, and was none in the last 90 days.")
    stacks = [cloudformation.describe_stacks(StackName=id_)["Stacks"][0] for id_ in ids]
    for stack in stacks:
        environment = environment_of(stack)
        if stack["StackStatus"] != "DELETE_COMPLETE" and environment != "dev":
            raise Refused(f"{name} has Environment={environment}: only a dev stack is destroyed by a command.")
    dev = [stack for stack in stacks if environment_of(stack) == "dev"]
    if not dev:
        raise Refused(f"{name} was no dev stack: what it retained stays.")
    return dev


def environment_of(stack: dict[str, Any]) -> str | None:
    told = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    return told.get("Environment")


def kept_by(cloudformation: Any, stack: dict[str, Any]) -> list[Kept]:
    """What the stack will retain, or has retained; some of it may be gone by now."""
    found: list[dict[str, Any]] = []
    if stack["StackStatus"] != "DELETE_COMPLETE":
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack["StackId"])
        found += [each for page in pages for each in page["StackResourceSummaries"]]
    found += skipped(cloudformation, stack["StackId"])
    kept = (Kept(each["ResourceType"], each.get("PhysicalResourceId", "")) for each in found)
    return list(dict.fromkeys(each for each in kept if each.kind in SAID and each.name))


def skipped(cloudformation: Any, stack_id: str) -> list[dict[str, Any]]:
    """The events by which a stack's deletion left something behind, as CloudFormation tells them for 90 days."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    return [each for page in pages for each in page["StackEvents"] if each.get("ResourceStatus") == "DELETE_SKIPPED"]


def rules_on_the_bus(client: Client, stack_id: str) -> list[str]:
    """Rules that others put on the stack's bus, as `bus/rule`: with one of them on it, no bus can be deleted."""
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_id)
    listed = (each for page in pages for each in page["StackResourceSummaries"])
    there = (each for each in listed if each["ResourceType"] == BUS and each["ResourceStatus"] != "DELETE_COMPLETE")
    buses = [each["PhysicalResourceId"] for each in there if each.get("PhysicalResourceId")]
    found = []
    for bus in buses:
        rules = client("events").get_paginator("list_rules").paginate(EventBusName=bus)
        found += [f"{bus}/{rule['Name']}" for page in rules for rule in page["Rules"]]
    return found


def is_there(client: Client, kept: Kept) -> bool:
    if kept.kind == BUCKET:
        return there(lambda: client("s3").head_bucket(Bucket=kept.name)) is not None
    if kept.kind == TABLE:
        return there(lambda: client("dynamodb").describe_table(TableName=kept.name)) is not None
    if kept.kind == LAYER:
        return there(lambda: client("lambda").get_layer_version(**version_of(kept.name))) is not None
    key = there(lambda: client("kms").describe_key(KeyId=kept.name)["KeyMetadata"])
    return key is not None and bool(key["KeyState"] != "PendingDeletion")


def there[T](look: Callable[[], T]) -> T | None:
    """What a look at one thing of AWS gives; None where there is no such thing."""
    try:
        return look()
    except ClientError as error:
        if error.response["Error"]["Code"] in _MISSING:
            return None
        raise


# --- one step each, safe to repeat


def unprotect(dynamodb: Any, table: str) -> None:
    if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)


def delete_stack(cloudformation: Any, stack_id: str, role: str | None = None) -> None:
    cloudformation.delete_stack(StackName=stack_id, **({"RoleARN": role} if role else {}))
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig=OFTEN)
    except WaiterError:
        for reason in reasons(cloudformation, stack_id):
            say(f"  {reason}")
        raise


def reasons(cloudformation: Any, stack_id: str) -> Iterable[str]:
    """Why resources could not be deleted, such as a policy that a consumer's role still holds."""
    for event in cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]:
        if event["ResourceStatus"] == "DELETE_FAILED":
            yield f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'failed')}"


def remove_bucket(client: Client, name: str) -> None:
    s3 = client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        listed = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        versions = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in listed]
        if versions:
            s3.delete_objects(Bucket=name, Delete={"Objects": versions, "Quiet": True})
    s3.delete_bucket(Bucket=name)  # which S3 refuses while a version is left


def remove_table(client: Client, name: str) -> None:
    dynamodb = client("dynamodb")
    if dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] != "DELETING":
        # AWS would keep a backup of a table that could be restored, for 35 days more.
        off = {"PointInTimeRecoveryEnabled": False}
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=off)
        dynamodb.delete_table(TableName=name)
    dynamodb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=OFTEN)


def remove_layer(client: Client, arn: str) -> None:
    """One version only: stacks of one account number the versions of one layer together."""
    client("lambda").delete_layer_version(**version_of(arn))


def version_of(layer: str) -> dict[str, Any]:
    """The layer and its version, as Lambda's calls take them, by the version's ARN."""
    name, version = layer.split(":")[-2:]
    return {"LayerName": name, "VersionNumber": int(version)}


def remove_key(client: Client, name: str) -> None:
    client("kms").schedule_key_deletion(KeyId=name, PendingWindowInDays=KEY_WINDOW_DAYS)


REMOVE: dict[str, Callable[[Client, str], None]] = {
    BUCKET: remove_bucket,
    TABLE: remove_table,
    LAYER: remove_layer,
    KEY: remove_key,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", help="the name of a stack with Environment=dev")
    parser.add_argument("--region", required=True)
    parser.add_argument("--confirm", metavar="NAME", help="the stack's name again, where nobody can be asked")
    parser.add_argument("--role", metavar="ARN", help="a role that CloudFormation acts as")
    asked = parser.parse_args()
    try:
        asking(asked.stack, asked.region, asked.confirm, asked.role)
    except Refused as refusal:
        sys.exit(str(refusal))


def asking(name: str, region: str, confirmed: str | None, role: str | None = None) -> None:
    """Remove the stack `name` once a person, or `confirmed`, gives that name. Raises what `destroy` does."""
    make: Any = boto3.Session(region_name=region).client  # its overloads want the name of a service, not a string
    try:
        destroy(
            cache(make),
            name,
            lambda: input("Type the stack's name to go on: ").strip() if confirmed is None else confirmed,
            role,
        )
    except EOFError:
        raise Refused("Nothing was removed: nobody there to ask. Name the stack by CONFIRM.") from None


if __name__ == "__main__":
    main()
