"""A first deployment that fails leaves nothing that is billed, and nothing that is in the way of the next."""

import json
from functools import partial
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from local.aws.deployment import STACK_NAME, DeploymentError, deploy_packaged
from local.stack import Stack
from tests.integration.test_destroy import is_there, key_state

KEPT = ("ConnectionsTable", "DropBucket", "DataKey", "LoginKey", "IndexKey")
FAILS = {
    "Type": "AWS::S3::Bucket",
    "DependsOn": [*KEPT, "FetchAccountsFunction", "HttpApi", "Dashboard"],
    "Properties": {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ObjectSizeGreaterThan": 1}]}},
}


def fail_to_deploy(stack: Stack, name: str, **parameters: str) -> dict[str, str]:
    """The whole template and one resource that cannot be made; what had been made of it, by logical name."""
    cloudformation = stack.client("cloudformation")
    (ours,) = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    told = {each["ParameterKey"]: each["ParameterValue"] for each in ours["Parameters"]}
    packaged: dict[str, Any] = yaml_parse((stack.folder / "packaged.yaml").read_text())
    packaged["Resources"]["Fails"] = FAILS
    with pytest.raises(DeploymentError, match="ROLLBACK"):
        deploy_packaged(stack.emulator, json.dumps(packaged), told | parameters, name)
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    return {
        event["LogicalResourceId"]: event["PhysicalResourceId"]
        for page in pages
        for event in page["StackEvents"]
        if event["ResourceStatus"] == "CREATE_COMPLETE" and event.get("PhysicalResourceId")
    }


def test_a_first_deployment_that_fails_leaves_nothing(stack: Stack) -> None:
    made = fail_to_deploy(stack, "fails-at-first", ProtectTable="false")

    (left,) = stack.client("cloudformation").describe_stacks(StackName="fails-at-first")["Stacks"]
    assert left["StackStatus"] == "ROLLBACK_COMPLETE"
    assert set(KEPT) <= set(made)
    assert not is_there(partial(stack.client("dynamodb").describe_table, TableName=made["ConnectionsTable"]))
    assert not is_there(partial(stack.client("s3").head_bucket, Bucket=made["DropBucket"]))
    assert {key_state(stack, made[key]) for key in ("DataKey", "LoginKey", "IndexKey")} == {"PendingDeletion"}


def test_a_protected_table_is_in_the_way_of_a_rollback_which_is_why_a_first_deployment_does_not_protect_it(
    stack: Stack,
) -> None:
    made = fail_to_deploy(stack, "fails-protected")

    (left,) = stack.client("cloudformation").describe_stacks(StackName="fails-protected")["Stacks"]
    assert left["StackStatus"] == "ROLLBACK_FAILED"
    assert is_there(partial(stack.client("dynamodb").describe_table, TableName=made["ConnectionsTable"]))
