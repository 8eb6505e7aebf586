"""ConsumerAccountIds: what consumers in other accounts may do, and that nobody may when none is named."""

import json
from typing import Any

import pytest

from tests.processed_template import Json, source

ELSEWHERE = "ConsumersElsewhere"

type Statements = list[Json]


@pytest.fixture(scope="module")
def template() -> Json:
    return source()


def statements(template: Json, resource: str, document: str) -> Statements:
    found: Statements = template["Resources"][resource]["Properties"][document]["Statement"]
    return found


def for_consumers(found: Statements) -> Json:
    """The one statement that is there for consumers elsewhere, and only then."""
    choices = (each["Fn::If"] for each in found if "Fn::If" in each)
    ((_, statement, otherwise),) = (choice for choice in choices if choice[0] == ELSEWHERE)
    assert otherwise == {"Ref": "AWS::NoValue"}
    there: Json = statement
    return there


def test_with_no_account_named_nothing_is_granted_to_any(template: Json) -> None:
    assert template["Parameters"]["ConsumerAccountIds"]["Default"] == ""
    assert template["Resources"]["ConsumersMayListen"]["Condition"] == ELSEWHERE
    for resource, document in (("DataKey", "KeyPolicy"), ("DropBucketPolicy", "PolicyDocument")):
        always = [each for each in statements(template, resource, document) if "Fn::If" not in each]
        assert "ConsumerAccountIds" not in json.dumps(always)


@pytest.mark.parametrize(
    ("resource", "document", "action", "on"),
    [
        ("DropBucketPolicy", "PolicyDocument", "s3:GetObjectVersion", {"Fn::Sub": "${DropBucket.Arn}/accounts/*"}),
        ("DataKey", "KeyPolicy", "kms:Decrypt", "*"),
    ],
)
def test_a_named_account_may_read_what_is_announced_and_no_more(
    template: Json, resource: str, document: str, action: str, on: Any
) -> None:
    granted = for_consumers(statements(template, resource, document))

    assert granted["Principal"] == {"AWS": {"Ref": "ConsumerAccountIds"}}
    assert (granted["Effect"], granted["Action"], granted["Resource"]) == ("Allow", action, on)


def test_a_named_account_may_decrypt_through_s3_alone(template: Json) -> None:
    granted = for_consumers(statements(template, "DataKey", "KeyPolicy"))

    via_s3 = {"Fn::Sub": "s3.${AWS::Region}.${AWS::URLSuffix}"}
    assert granted["Condition"] == {"StringEquals": {"kms:ViaService": via_s3}}


def test_a_named_account_makes_rules_on_the_bus_that_only_it_may_change(template: Json) -> None:
    granted = template["Resources"]["ConsumersMayListen"]["Properties"]["Statement"]

    assert granted["Principal"] == {"AWS": {"Ref": "ConsumerAccountIds"}}
    assert granted["Resource"]["Fn::Sub"].endswith(":rule/${EventBus}/*")
    assert "events:PutEvents" not in granted["Action"]
    assert granted["Condition"]["StringEqualsIfExists"] == {
        "events:creatorAccount": "${aws:PrincipalAccount}",
        "events:source": "flinks-landing",
    }


def test_another_accounts_template_is_told_what_it_asks_for(template: Json) -> None:
    assert {"EventBusArn", "DropBucket", "DataKeyArn"} <= set(template["Outputs"])
