"""What an account wants of its own: a domain, a network, a boundary, a path, an administrator of keys."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from landing.settings import EraseSettings
from ops.preflight import holds
from ops.samconfig import read
from tests.policies import Policies, Request, Statement
from tests.processed_template import ROOT, Json, made_by_sam, source

FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
NOTHING = {"Ref": "AWS::NoValue"}
CALL_FLINKS = {"FetchAccounts", "DeleteConnection", "CreateConnectSession"}
INTERFACES = {
    *("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"),
    *("ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
}


@pytest.fixture(scope="module")
def made() -> Json:
    return made_by_sam(GradualDeployment="true")


def of_type(template: Json, kind: str) -> dict[str, Json]:
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}


def when(condition: str, value: Any, otherwise: Any = NOTHING) -> Json:
    return {"Fn::If": [condition, value, otherwise]}


@pytest.mark.parametrize(
    ("condition", "parameter"),
    [
        ("DomainGiven", "DomainName"),
        ("NetworkGiven", "SubnetIds"),
        ("BackupGiven", "BackupVaultArn"),
        ("BoundaryGiven", "PermissionsBoundaryArn"),
        ("KeyAdministratorGiven", "KeyAdministratorArn"),
        ("ScopeRequired", "RequiredScope"),
    ],
)
def test_a_parameter_that_is_given_is_what_its_condition_sees(condition: str, parameter: str) -> None:
    template = source()

    assert holds(template["Conditions"][condition], {parameter: "given"})
    assert not holds(template["Conditions"][condition], {parameter: ""})


@pytest.mark.parametrize(
    ("rule", "pair"),
    [
        ("DomainHasItsCertificate", ("DomainName", "CertificateArn")),
        ("NetworkIsWhole", ("SubnetIds", "SecurityGroupIds")),
        ("BackupIsCopied", ("BackupVaultName", "BackupVaultArn")),
    ],
)
def test_what_belongs_together_is_given_together_or_refused(rule: str, pair: tuple[str, str]) -> None:
    (assertion,) = source()["Rules"][rule]["Assertions"]

    allowed = {
        given: holds(assertion["Assert"], dict(zip(pair, given, strict=True)))
        for given in [("", ""), ("a", "b"), ("a", ""), ("", "b")]
    }

    assert allowed == {("", ""): True, ("a", "b"): True, ("a", ""): False, ("", "b"): False}


# --- a domain


def test_a_domain_of_ones_own_leads_to_the_api_over_tls(made: Json) -> None:
    domain, mapping = made["Resources"]["ApiDomain"], made["Resources"]["ApiDomainMapping"]

    assert {domain["Condition"], mapping["Condition"]} == {"DomainGiven"}
    assert domain["Properties"] == {
        "DomainName": {"Ref": "DomainName"},
        "DomainNameConfigurations": [
            {"CertificateArn": {"Ref": "CertificateArn"}, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
        ],
    }
    assert mapping["Properties"] == {
        "ApiId": {"Ref": "HttpApi"},
        "DomainName": {"Ref": "ApiDomain"},
        "Stage": {"Ref": "HttpApiApiGatewayDefaultStage"},
    }


def test_beside_a_domain_of_ones_own_no_other_door_is_open(made: Json) -> None:
    (server,) = made["Resources"]["HttpApi"]["Properties"]["Body"]["servers"]

    assert server["x-amazon-apigateway-endpoint-configuration"] == {
        "disableExecuteApiEndpoint": when("DomainGiven", value=True, otherwise=False)
    }


def test_the_outputs_name_the_domain_and_where_its_record_points(made: Json) -> None:
    given, of_aws = made["Outputs"]["ApiUrl"]["Value"]["Fn::If"][1:]

    assert given == {"Fn::Sub": "https://${DomainName}"}
    assert ".execute-api." in of_aws["Fn::Sub"]
    assert made["Outputs"]["DomainTarget"]["Condition"] == "DomainGiven"
    assert made["Outputs"]["DomainTarget"]["Value"] == {"Fn::GetAtt": ["ApiDomain", "RegionalDomainName"]}


# --- a network


def test_who_calls_flinks_does_so_from_the_network_that_is_given_and_nobody_else(made: Json) -> None:
    functions = of_type(made, "AWS::Lambda::Function")
    network = {name: {"Fn::Split": [",", {"Ref": name}]} for name in ("SubnetIds", "SecurityGroupIds")}

    inside = {name.removesuffix("Function"): each["Properties"].get("VpcConfig") for name, each in functions.items()}

    assert {name: config for name, config in inside.items() if config} == dict.fromkeys(
        CALL_FLINKS, when("NetworkGiven", network)
    )
    assert {name for name, each in functions.items() if "FLINKS_API_URL" in str(each)} == {
        f"{name}Function" for name in CALL_FLINKS
    }


def test_lambda_may_make_their_network_interfaces_and_their_own_code_may_not(made: Json) -> None:
    policies = of_type(made, "AWS::IAM::RolePolicy")
    for_networks = {
        name.removesuffix("Policy"): [
            s["Fn::If"] for s in policy["Properties"]["PolicyDocument"]["Statement"] if "Fn::If" in s
        ]
        for name, policy in policies.items()
    }

    granted = {name: found for name, found in for_networks.items() if found}

    assert set(granted) == CALL_FLINKS
    for ((condition, statement, otherwise),) in granted.values():
        assert (condition, otherwise) == ("NetworkGiven", NOTHING)
        assert set(statement["Action"]) == INTERFACES
        assert statement["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}


# --- roles


def test_every_role_has_the_path_and_the_boundary_of_the_account(made: Json) -> None:
    roles = of_type(made, "AWS::IAM::Role")

    assert roles.keys() == {f"{each.title().replace('_', '')}Role" for each in FUNCTIONS} | {
        "GradualDeploymentRole",
        "BackupRole",
    }
    for name, role in roles.items():
        assert role["Properties"]["Path"] == {"Ref": "RolePath"}, name
        assert role["Properties"]["PermissionsBoundary"] == when("BoundaryGiven", {"Ref": "PermissionsBoundaryArn"}), (
            name
        )


def test_sam_makes_no_role_of_its_own_for_gradual_deployments(made: Json) -> None:
    groups = of_type(made, "AWS::CodeDeploy::DeploymentGroup")

    ours = when("DeploysGradually", {"Fn::GetAtt": ["GradualDeploymentRole", "Arn"]})
    assert len(groups) == len(FUNCTIONS)
    assert all(each["Properties"]["ServiceRoleArn"] == ours for each in groups.values())
    assert made["Resources"]["GradualDeploymentRole"]["Condition"] == "DeploysGradually"


# --- keys

ADMINISTRATOR = "arn:aws:iam::123456789012:role/key-admins/landing"
CHANGES = ["kms:PutKeyPolicy", "kms:DisableKey", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", "kms:UpdateAlias"]


def denial(template: Json, key: str) -> Json:
    statements = template["Resources"][key]["Properties"]["KeyPolicy"]["Statement"]
    ((condition, statement, otherwise),) = [
        s["Fn::If"] for s in statements if s.get("Fn::If", [""])[0] == "KeyAdministratorGiven"
    ]
    assert (condition, otherwise) == ("KeyAdministratorGiven", NOTHING)
    found: Json = statement
    return found


@pytest.mark.parametrize("key", ["DataKey", "LoginKey", "IndexKey"])
def test_with_an_administrator_named_nobody_else_changes_a_key(key: str) -> None:
    statement = denial(source(), key)
    wanted = {"Fn::Split": [",", {"Ref": "KeyAdministratorArn"}]}

    assert (statement["Effect"], statement["Principal"], statement["Resource"]) == ("Deny", "*", "*")
    assert statement["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": wanted}}
    denying = Statement(key, "Deny", tuple(statement["Action"]), ("*",), {})
    assert all(denying.covers(Request("anybody", action, key)) for action in CHANGES)


@pytest.mark.parametrize("key", ["DataKey", "LoginKey", "IndexKey"])
def test_what_the_service_does_with_a_key_is_not_denied_with_it(key: str) -> None:
    denied = Statement(key, "Deny", tuple(denial(source(), key)["Action"]), ("*",), {})

    used = [(statement, action) for statement, action, resource in Policies.of_template().grants() if resource == key]

    assert used
    assert [action for _, action in used if denied.covers(Request("anybody", action, key))] == []


# --- logs


def test_prod_keeps_its_logs_for_a_year() -> None:
    prod = read(ROOT / "samconfig.toml", "prod")["deploy"]["parameters"]["parameter_overrides"]

    assert "LogRetentionDays=365" in prod
    assert 365 in source()["Parameters"]["LogRetentionDays"]["AllowedValues"]


# --- alarms


@pytest.mark.parametrize(
    ("alarm", "parameter", "usual"),
    [
        ("ConnectionsFail", "AlarmFailedPerHour", 1),
        ("FlinksIsUnavailable", "AlarmFlinksUnavailable", 5),
        ("FlinksIsNotUnderstood", "AlarmFlinksNotUnderstood", 5),
        ("CallersAreThrottled", "AlarmThrottledRequests", 10),
        ("ApiIsSlow", "AlarmSlowMilliseconds", 5000),
    ],
)
def test_where_traffic_decides_the_threshold_is_a_parameter(alarm: str, parameter: str, usual: int) -> None:
    template = source()

    assert template["Resources"][alarm]["Properties"]["Threshold"] == {"Ref": parameter}
    assert template["Parameters"][parameter]["Default"] == usual


# --- what the documents say


def test_who_needs_each_of_them_is_told_in_the_runbook() -> None:
    section = (ROOT / "docs/operations.md").read_text().split("\n### Fit it to your account\n")[1].split("\n## ")[0]
    told = set(re.findall(r"`(\w+)`", " ".join(line.split(" | ")[0] for line in section.splitlines())))

    switched_on = {
        name for name in source()["Parameters"] if f'{{"Ref": "{name}"}}' in json.dumps(source()["Conditions"])
    }
    elsewhere = {
        name for name in switched_on if name.startswith(("Flinks", "Reserved", "Drop", "Alarm", "Notice", "Allowed"))
    }
    assert switched_on - elsewhere - {"GradualDeployment"} <= told | {"SnapStart"}
    assert {"OwnerClaim", "RolePath", "CertificateArn", "SecurityGroupIds"} <= told


# --- a backup in another account


def test_without_a_vault_nothing_is_backed_up_elsewhere(made: Json) -> None:
    of_backups = {name: each for name, each in made["Resources"].items() if name.startswith("Backup")}

    assert set(of_backups) == {"BackupPlan", "BackupSelection", "BackupRole", "BackupPolicy"}
    assert {each["Condition"] for each in of_backups.values()} == {"BackupGiven"}


def test_no_backup_and_no_copy_outlives_what_receipts_say(made: Json) -> None:
    (rule,) = made["Resources"]["BackupPlan"]["Properties"]["BackupPlan"]["BackupPlanRule"]
    (copied,) = rule["CopyActions"]
    told = made["Resources"]["DeleteConnectionFunction"]["Properties"]["Environment"]["Variables"]

    receipts = EraseSettings(pitr_days=7, days_to_remove_copies=1)

    assert rule["Lifecycle"] == copied["Lifecycle"] == {"DeleteAfterDays": {"Ref": "PitrDays"}}
    assert told["PITR_DAYS"] == {"Ref": "PitrDays"}
    assert told["DAYS_TO_REMOVE_COPIES"] == when("BackupGiven", "1", "0")
    assert receipts.backups_for == timedelta(days=8)
    assert copied["DestinationBackupVaultArn"] == {"Ref": "BackupVaultArn"}


def test_the_table_alone_is_backed_up_elsewhere(made: Json) -> None:
    selected = made["Resources"]["BackupSelection"]["Properties"]["BackupSelection"]

    assert selected["Resources"] == [{"Fn::GetAtt": ["ConnectionsTable", "Arn"]}]
    assert selected.keys() == {"SelectionName", "IamRoleArn", "Resources"}


def test_who_backs_up_reads_no_row_and_no_key_but_through_the_stores(made: Json) -> None:
    grants = made["Resources"]["BackupPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    actions = {action for each in grants for action in each["Action"]}
    of_keys = [each for each in grants if any(action.startswith("kms:") for action in each["Action"])]
    assert {each for each in actions if each.startswith("dynamodb:")} == {
        "dynamodb:StartAwsBackupJob",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:ListTagsOfResource",
    }
    assert [each["Condition"].keys() for each in of_keys] == [{"StringEquals"}]
    assert {via["Fn::Sub"].split(".")[0] for via in of_keys[0]["Condition"]["StringEquals"]["kms:ViaService"]} == {
        "dynamodb",
        "backup",
    }
