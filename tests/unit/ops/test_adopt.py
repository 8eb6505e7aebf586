"""What `bin/landing adopt` takes for granted of the template and of CloudFormation's registry."""

import json

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from ops.adopt import IDENTIFIERS, PURPOSES, RETAINED
from ops.protecting import STACK_POLICY
from tests.processed_template import source


def test_all_that_outlives_a_stack_is_adopted() -> None:
    _, deny = json.loads(STACK_POLICY.read_text())["Statement"]

    assert {f"LogicalResourceId/{name}" for name in RETAINED} == set(deny["Resource"])


def test_each_is_known_by_what_the_registry_says() -> None:
    schemas = {kind: PROVIDER_SCHEMA_MANAGER.get_resource_schema("ca-central-1", kind) for kind in IDENTIFIERS}

    identified = {kind: schema.schema["primaryIdentifier"] for kind, schema in schemas.items()}

    assert identified == {kind: [f"/properties/{name}"] for kind, name in IDENTIFIERS.items()}


def test_each_has_a_deletion_policy_and_its_type() -> None:
    resources = source()["Resources"]

    assert {name: resources[name]["Type"] for name in RETAINED} == RETAINED
    assert {resources[name].get("DeletionPolicy") for name in RETAINED} == {"RetainExceptOnCreate"}


def test_each_key_says_in_its_description_what_it_is_for() -> None:
    resources = source()["Resources"]

    told = {
        name: (
            resources[name]["Properties"]["Description"]["Fn::Sub"].removeprefix("${AWS::StackName}: "),
            resources[name]["Properties"].get("KeySpec", "SYMMETRIC_DEFAULT"),
        )
        for name in PURPOSES
    }

    assert told == PURPOSES
