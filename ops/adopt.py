"""Bring what outlived a stack under a new one: its table, its bucket and its keys, by CloudFormation's resource import.

An import takes a template that holds nothing but what is imported, as it is now, and no outputs; an ordinary
deployment then adds the rest. What there is is found by the deleted stack, of which CloudFormation remembers for 90
days what it retained, or is named. A key in the place of another would lose every login, so each is known by its use.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import WaiterError

from ops.destroy import skipped, there
from ops.orders import NotDone
from ops.protecting import state_of
from ops.target import Refused

type Client = Callable[[str], Any]
type Json = dict[str, Any]

TABLE, BUCKET, KEY = "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"
IDENTIFIERS = {TABLE: "TableName", BUCKET: "BucketName", KEY: "KeyId"}
"""What a resource of each type is known by, as CloudFormation's registry says (`primaryIdentifier`)."""

RETAINED = {
    "ConnectionsTable": TABLE,
    "DropBucket": BUCKET,
    "DataKey": KEY,
    "LoginKey": KEY,
    "IndexKey": KEY,
}
"""What outlives its stack and is worth having again, by its name in the template."""

PURPOSES = {
    "DataKey": ("data at rest", "SYMMETRIC_DEFAULT"),
    "LoginKey": ("seal of loginIds", "SYMMETRIC_DEFAULT"),
    "IndexKey": ("blind index of loginIds, and owner tags", "HMAC_256"),
}
"""How a key's description ends, and its kind."""

_OF_A_KEY = ("Description", "KeySpec", "KeyUsage")
_EMPTY = frozenset({None, "REVIEW_IN_PROGRESS", "DELETE_COMPLETE"})
_OFTEN = {"Delay": 3, "MaxAttempts": 400}


@dataclass(frozen=True)
class Adoption:
    """What would be imported into the stack `name`: `found` are physical ids by the template's names."""

    name: str
    found: Mapping[str, str]
    template: Json
    leaving: tuple[str, ...]
    """Keys whose deletion must be taken back first."""


def retained_by(cloudformation: Any, name: str) -> dict[str, str]:
    """What the last deleted stack of this name left, by the template's names; empty where there was none."""
    pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    deleted = [each for page in pages for each in page["StackSummaries"] if each["StackName"] == name]
    if not deleted:
        return {}
    last = max(deleted, key=lambda each: each["CreationTime"])
    return {
        event["LogicalResourceId"]: event["PhysicalResourceId"]
        for event in skipped(cloudformation, last["StackId"])
        if event["LogicalResourceId"] in RETAINED
    }


def prepared(
    client: Client, name: str, template: Json, named: Mapping[str, str], *, without_table: bool = False
) -> Adoption:
    """What is there to be adopted by a new stack `name`. Changes nothing. Raises Refused for what cannot be right.

    template: template.yaml with its functions in their long form. named: what the caller knows better than the deleted
    stack, by the template's names. without_table: it is lost, and the next deployment makes an empty one.
    """
    wanted = [each for each in RETAINED if not (without_table and each == "ConnectionsTable")]
    cloudformation = client("cloudformation")
    if (status := state_of(cloudformation, name)) not in _EMPTY:
        raise Refused(
            f"There is a stack {name} ({status}). Name another in samconfig.toml; "
            "one whose import was taken back, and holds nothing, is deleted first."
        )
    known = {**retained_by(cloudformation, name), **named}
    found = {each: known[each] for each in wanted if each in known}
    if missing := [each for each in wanted if each not in found]:
        raise Refused(
            f"CloudFormation does not remember what {name} retained as {', '.join(missing)}: name it. "
            "A key can be told by its description."
        )
    if clashes := list(_clashes(client, name)):
        raise Refused(f"These would stand in the way of the next deployment; remove them first: {', '.join(clashes)}.")
    keys = {each: _key(client("kms"), each, found[each]) for each in PURPOSES}
    _same_key(client, found, keys["DataKey"]["Arn"])
    leaving = tuple(name for name, key in keys.items() if key["KeyState"] == "PendingDeletion")
    return Adoption(name, found, to_import(client, template, found), leaving)


def adopt(client: Client, adoption: Adoption, role: str | None) -> None:
    """Import it; `role` is CloudFormation's, if it has one. Raises NotDone: the resources are then as they were."""
    cloudformation, kms = client("cloudformation"), client("kms")
    for each in adoption.leaving:
        kms.cancel_key_deletion(KeyId=adoption.found[each])
        kms.enable_key(KeyId=adoption.found[each])
    change_set = f"adopt-{time.time_ns()}"
    cloudformation.create_change_set(
        StackName=adoption.name,
        ChangeSetName=change_set,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(adoption.template),
        ResourcesToImport=[
            {"LogicalResourceId": each, "ResourceType": kind, "ResourceIdentifier": {IDENTIFIERS[kind]: there}}
            for each, there in adoption.found.items()
            for kind in [RETAINED[each]]
        ],
        **({"RoleARN": role} if role else {}),
    )
    named = {"StackName": adoption.name, "ChangeSetName": change_set}
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(**named, WaiterConfig=_OFTEN)
    except WaiterError:
        reason = cloudformation.describe_change_set(**named).get("StatusReason", "it does not say why")
        raise NotDone(f"CloudFormation would not import: {reason}") from None
    cloudformation.execute_change_set(**named)
    try:
        cloudformation.get_waiter("stack_import_complete").wait(StackName=adoption.name, WaiterConfig=_OFTEN)
    except WaiterError:
        raise NotDone(f"The import into {adoption.name} was taken back: see its events in CloudFormation.") from None


def to_import(client: Client, template: Json, found: Mapping[str, str]) -> Json:
    """A template of what is imported, as it is now, without what the next deployment may simply set again.

    CloudFormation believes this template, and changes later only what differs from it. So here stands what is so
    already and must not be made twice (indexes, the stream, the expiry of rows) and what never changes; left out is
    what a deployment may have to change (backups, protection, all that a bucket has). A key's policy names roles that
    are not imported: in its place stands the one that the key has.
    """
    resources = {name: deepcopy(template["Resources"][name]) for name in found}
    resources["DropBucket"].pop("Properties")
    for name in PURPOSES:
        policy = client("kms").get_key_policy(KeyId=found[name], PolicyName="default")["Policy"]
        properties = resources[name]["Properties"]
        kept = {each: properties[each] for each in _OF_A_KEY if each in properties}
        resources[name]["Properties"] = kept | {"KeyPolicy": json.loads(policy)}
    if table := found.get("ConnectionsTable"):
        resources["ConnectionsTable"]["Properties"] = _table(client("dynamodb"), table, template)
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def _table(dynamodb: Any, name: str, template: Json) -> Json:
    """The template's table as far as it is there: another release may have made it."""
    wanted = deepcopy(template["Resources"]["ConnectionsTable"]["Properties"])
    there = dynamodb.describe_table(TableName=name)["Table"]
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
    ours = {each["IndexName"]: each for each in wanted["GlobalSecondaryIndexes"]}
    indexes = [
        ours.get(each["IndexName"]) or {part: each[part] for part in ("IndexName", "KeySchema", "Projection")}
        for each in there.get("GlobalSecondaryIndexes", [])
    ]
    not_yet = {
        "TimeToLiveSpecification": expiry not in {"ENABLED", "ENABLING"},
        "StreamSpecification": not there.get("StreamSpecification", {}).get("StreamEnabled"),
        "GlobalSecondaryIndexes": not indexes,
        "PointInTimeRecoverySpecification": True,
        "DeletionProtectionEnabled": True,
    }
    as_it_is = wanted | {"GlobalSecondaryIndexes": indexes}
    if _by_name(there["AttributeDefinitions"]) != _by_name(wanted["AttributeDefinitions"]):
        as_it_is |= {"AttributeDefinitions": there["AttributeDefinitions"]}
    return {each: value for each, value in as_it_is.items() if not not_yet.get(each, False)}


def _by_name(attributes: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(attributes, key=lambda each: each["AttributeName"])


def _key(kms: Any, name: str, key: str) -> Json:
    """The key, if it is there and of this use. Raises Refused."""
    purpose, spec = PURPOSES[name]
    described: Json | None = there(lambda: kms.describe_key(KeyId=key)["KeyMetadata"])
    if described is None:
        raise Refused(f"{name} is not there any more: without it nothing that it protects can be read.")
    if not described.get("Description", "").endswith(f": {purpose}") or described["KeySpec"] != spec:
        raise Refused(f"The key that is named as {name} is another: its description would end with “{purpose}”.")
    return described


def _same_key(client: Client, found: Mapping[str, str], data_key: str) -> None:
    """Table and bucket are there, and under the data key. Raises Refused."""
    if table := found.get("ConnectionsTable"):
        described = there(lambda: client("dynamodb").describe_table(TableName=table)["Table"])
        if described is None:
            raise Refused(
                "The table is not there any more: adopt --without-table, deploy, and restore --from a backup."
            )
        if described.get("SSEDescription", {}).get("KMSMasterKeyArn") != data_key:
            raise Refused("The table is under another key than DataKey: these do not belong together.")
    bucket = found["DropBucket"]
    if there(lambda: client("s3").head_bucket(Bucket=bucket)) is None:
        raise Refused("The bucket is not there any more, and what lay in it is gone.")
    rules = client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    under = {each["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID") for each in rules}
    if not under <= {data_key, data_key.rsplit("/", 1)[1]}:
        raise Refused("The bucket is under another key than DataKey: these do not belong together.")


def _clashes(client: Client, name: str) -> Iterator[str]:
    """What has a name that the next deployment gives: CloudFormation would find it taken."""
    if there(lambda: client("events").describe_event_bus(Name=name)) is not None:
        yield f"event bus {name}"
    for prefix in (f"/aws/lambda/{name}/", f"/aws/vendedlogs/apigateway/{name}/"):
        for group in client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
            yield f"log group {group['logGroupName']}"
