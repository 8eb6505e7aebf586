"""A stack that was deployed is kept from mistakes; what a failed first deployment left is cleared away."""

import json
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from ops.protecting import STACK_POLICY, clear_away, state_of
from tests.processed_template import source

TEMPLATE = source()


@pytest.fixture
def cloudformation() -> Any:
    session = botocore.session.get_session()
    return session.create_client(
        "cloudformation", region_name="ca-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def test_the_stack_policy_names_every_resource_that_outlives_its_stack() -> None:
    _, deny = json.loads(STACK_POLICY.read_text())["Statement"]

    retained = {
        name
        for name, each in TEMPLATE["Resources"].items()
        if each.get("DeletionPolicy", "").startswith("Retain") and each["Type"] != "AWS::Serverless::LayerVersion"
    }

    assert {name.removeprefix("LogicalResourceId/") for name in deny["Resource"]} == retained


def test_a_stack_that_is_not_there_has_no_state(cloudformation: Any) -> None:
    with Stubber(cloudformation) as stub:
        stub.add_client_error("describe_stacks", "ValidationError", expected_params={"StackName": "s"})

        assert state_of(cloudformation, "s") is None


def test_a_failed_first_deployment_is_deleted_and_waited_for(cloudformation: Any) -> None:
    gone = {"StackName": "s", "StackStatus": "DELETE_COMPLETE", "CreationTime": "2026-01-05T12:00:00Z"}
    with Stubber(cloudformation) as stub:
        stub.add_response("delete_stack", {}, {"StackName": "s"})
        stub.add_response("describe_stacks", {"Stacks": [gone]}, {"StackName": "s"})

        clear_away(cloudformation, "s")

        stub.assert_no_pending_responses()
