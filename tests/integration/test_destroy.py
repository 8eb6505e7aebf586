"""`make destroy` on a second stack of the real template: nothing is left of it, and nobody else's is touched."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.deployment import STACK_NAME, deploy_packaged, host_architecture
from local.stack import Stack
from tests.granted import ASKED_BY_SAM, Granted
from tests.live_service import LiveService

ROOT = Path(__file__).parents[2]
THE_ACCOUNT_MAY_ALL = {
    "Effect": "Allow",
    "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}},
    "Action": "kms:*",
    "Resource": "*",
}
SMALL = {
    "Parameters": {"Environment": {"Type": "String"}},
    "Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"},
        "Key": {
            "Type": "AWS::KMS::Key",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": [THE_ACCOUNT_MAY_ALL]}},
        },
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": {"Ref": "AWS::StackName"}}},
    },
}

OF_AN_ACCOUNT = {
    "RequiredScope": "landing/connections",
    "OwnerClaim": "oid",
    "DomainName": "connect.example.com",
    "CertificateArn": "arn:aws:acm:ca-central-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-0a1b2c3d4e5f",
    "SubnetIds": "subnet-0a1b2c3d,subnet-0a1b2c3e",
    "SecurityGroupIds": "sg-0a1b2c3d",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundaries/developers",
    "RolePath": "/teams/landing/",
    "KeyAdministratorArn": "arn:aws:iam::123456789012:root,arn:aws:iam::123456789012:role/key-admins/*",
    "ConsumerAccountIds": "210987654321",
    "BackupVaultName": "landing",
    "BackupVaultArn": "arn:aws:backup:ca-central-1:210987654321:backup-vault:landing",
    "LogRetentionDays": "365",
    "AlarmFailedPerHour": "25",
}
"""All that an account may want of its own, at once (docs/operations.md, "Fit it to your account")."""

ALL_BUT_ADMINISTER = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "NotAction": ["iam:*", "kms:PutKeyPolicy"], "Resource": "*"}],
}

type Destroy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def destroyer(stack: Stack) -> Granted:
    """Who may do what `ops/policies/destroyer.json` grants, and nothing else."""
    return Granted(stack.emulator, "destroyer")


@pytest.fixture
def destroy(stack: Stack, destroyer: Granted) -> Destroy:
    def run(name: str, *confirmed: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ops.destroy", name, "--region", stack.emulator.region, *confirmed]
        environment = destroyer.environment(name)
        return subprocess.run(
            command, cwd=ROOT, env=environment, input=typed, capture_output=True, text=True, check=False, timeout=100
        )

    return run


@pytest.fixture
def deploy_small(stack: Stack) -> Callable[[str, str], dict[str, str]]:
    """A stack of one bucket, one key and one bus; their physical names by logical ones."""

    def deploy(name: str, environment: str) -> dict[str, str]:
        deploy_packaged(stack.emulator, json.dumps(SMALL), {"Environment": environment}, name)
        return resources(stack, name)

    return deploy


@pytest.fixture(scope="module")
def doomed(stack: Stack) -> tuple[str, dict[str, str]]:
    """The whole template once more, with all that an account may want of its own; its physical names.

    In its bucket are a drop that was replaced and one that was deleted.

    Its name is as long as CloudFormation takes, so that every name made from it is cut.
    """
    name = "doomed-" + "d" * 121
    (ours,) = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in ours["Parameters"]}
    packaged = (stack.folder / "packaged.yaml").read_text()
    stack.client("iam").create_policy(  # a boundary that is not there lets nobody do anything
        PolicyName="developers", Path="/boundaries/", PolicyDocument=json.dumps(ALL_BUT_ADMINISTER)
    )
    stack.client("backup").create_backup_vault(BackupVaultName="landing")
    outputs = deploy_packaged(stack.emulator, packaged, parameters | OF_AN_ACCOUNT, name)
    s3, bucket = stack.client("s3"), outputs["DropBucket"]
    for body in (b"first", b"second"):
        s3.put_object(Bucket=bucket, Key="accounts/v1/con_invented/000001.json.gz", Body=body, **encrypted(stack, name))
    s3.put_object(Bucket=bucket, Key="receipts/v1/con_gone.json", Body=b"{}", **encrypted(stack, name))
    s3.delete_object(Bucket=bucket, Key="receipts/v1/con_gone.json")
    return name, resources(stack, name)


def encrypted(stack: Stack, name: str) -> dict[str, str]:
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn(stack, resources(stack, name)["DataKey"])}


def key_arn(stack: Stack, key: str) -> str:
    return str(stack.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Arn"])


def key_state(stack: Stack, key: str) -> str:
    return str(stack.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"])


def resources(stack: Stack, name: str) -> dict[str, str]:
    pages = stack.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    listed = (each for page in pages for each in page["StackResourceSummaries"])
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed}


def layer_in(made: dict[str, str]) -> str:
    """SAM adds a hash of the content to the layer's logical name."""
    (arn,) = (physical for logical, physical in made.items() if logical.startswith("LandingLayer"))
    return arn


def is_there(look: Callable[[], Any]) -> bool:
    try:
        look()
    except ClientError as error:
        missing = {"404", "NoSuchBucket", "ResourceNotFoundException", "ValidationError"}
        assert error.response["Error"]["Code"] in missing  # noqa: PT017 - anything else is no answer to the question
        return False
    return True


def test_nobody_destroys_without_the_name(stack: Stack, destroy: Destroy, doomed: tuple[str, dict[str, str]]) -> None:
    name, made = doomed

    ended = destroy(name, typed="yes\n")

    assert ended.returncode != 0
    assert "Nothing was removed" in ended.stderr
    assert resources(stack, name) == made


def test_a_stack_name_may_be_long_and_every_role_still_has_its_keys(
    stack: Stack, doomed: tuple[str, dict[str, str]]
) -> None:
    _, made = doomed
    request = {
        "version": "2.0",
        "headers": {"content-type": "application/json"},
        "requestContext": {"requestId": "long", "authorizer": {"jwt": {"claims": {"oid": "alice"}, "scopes": []}}},
        "body": json.dumps({"loginId": "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"}),
        "isBase64Encoded": False,
    }

    answered = stack.client("lambda").invoke(FunctionName=made["ReceiveLoginFunction"], Payload=json.dumps(request))

    answer = json.loads(answered["Payload"].read())
    assert answer["statusCode"] == 202, answer
    assert len(made["ReceiveLoginRole"]) == 64


def test_what_an_account_wants_of_its_own_is_there_all_at_once(
    stack: Stack, doomed: tuple[str, dict[str, str]]
) -> None:
    name, made = doomed
    gateway, api = stack.client("apigatewayv2"), made["HttpApi"]

    role = stack.client("iam").get_role(RoleName=made["FetchAccountsRole"])["Role"]
    configuration = stack.client("lambda").get_function_configuration(FunctionName=made["FetchAccountsFunction"])
    environment = stack.client("lambda").get_function_configuration(FunctionName=made["ReceiveLoginFunction"])
    policy = json.loads(stack.client("kms").get_key_policy(KeyId=made["LoginKey"], PolicyName="default")["Policy"])
    (deny,) = [each for each in policy["Statement"] if each["Effect"] == "Deny"]
    (opening,) = [each for each in policy["Statement"] if each["Sid"] == "SealLogins"]
    (mapping,) = gateway.get_api_mappings(DomainName="connect.example.com")["Items"]
    (logs,) = stack.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}/receive")["logGroups"]
    erasing = stack.client("lambda").get_function_configuration(FunctionName=made["DeleteConnectionFunction"])
    plan = stack.client("backup").get_backup_plan(BackupPlanId=made["BackupPlan"])["BackupPlan"]
    (rule,) = plan["Rules"]
    (alarm,) = stack.client("cloudwatch").describe_alarms(AlarmNames=[made["ConnectionsFail"]])["MetricAlarms"]

    assert (role["Path"], role["Arn"].split(":role")[1].rsplit("/", 1)[0]) == ("/teams/landing/", "/teams/landing")
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == OF_AN_ACCOUNT["PermissionsBoundaryArn"]
    assert configuration["VpcConfig"]["SubnetIds"] == ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]
    assert environment["Environment"]["Variables"]["OWNER_CLAIM"] == "oid"
    assert "/teams/landing/" in str(opening["Condition"]["ArnEquals"])
    assert deny["Condition"]["ArnNotLike"]["aws:PrincipalArn"] == OF_AN_ACCOUNT["KeyAdministratorArn"].split(",")
    assert {str(route["AuthorizationScopes"]) for route in gateway.get_routes(ApiId=api)["Items"]} == {
        "['landing/connections']"
    }
    assert gateway.get_api(ApiId=api)["DisableExecuteApiEndpoint"] is True
    assert mapping["ApiId"] == api
    assert (logs["retentionInDays"], alarm["Threshold"]) == (365, 25.0)
    assert [each["DestinationBackupVaultArn"] for each in rule["CopyActions"]] == [OF_AN_ACCOUNT["BackupVaultArn"]]
    assert erasing["Environment"]["Variables"]["DAYS_TO_REMOVE_COPIES"] == "1"


def test_nothing_is_left_of_a_destroyed_stack(
    stack: Stack, destroy: Destroy, doomed: tuple[str, dict[str, str]]
) -> None:
    name, made = doomed

    ended = destroy(name, typed=f"{name}\n")

    beside = layer_in(resources(stack, STACK_NAME))
    looks = {
        "stack": partial(stack.client("cloudformation").describe_stacks, StackName=name),
        "bucket": partial(stack.client("s3").head_bucket, Bucket=made["DropBucket"]),
        "table": partial(stack.client("dynamodb").describe_table, TableName=made["ConnectionsTable"]),
        "layer": partial(stack.client("lambda").get_layer_version_by_arn, Arn=layer_in(made)),
        "function": partial(stack.client("lambda").get_function, FunctionName=made["FetchAccountsFunction"]),
    }
    keys = {key: key_state(stack, made[key]) for key in ("DataKey", "LoginKey", "IndexKey")}
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [what for what, look in looks.items() if is_there(look)] == []
    assert keys == dict.fromkeys(keys, "PendingDeletion")
    assert is_there(partial(stack.client("lambda").get_layer_version_by_arn, Arn=beside))


def test_the_stack_beside_it_goes_on_working(live: LiveService) -> None:
    connection_id = live.connect_and_post()

    shown = live.until(connection_id, "ready")

    assert shown.status == 200


def test_what_will_go_is_said_before_anything_goes(
    destroy: Destroy, deploy_small: Callable[[str, str], dict[str, str]]
) -> None:
    made = deploy_small("said", "dev")

    ended = destroy("said", typed="\n")

    announced = ended.stdout.split("To be removed")[1]
    assert [name for name in ("said", made["Bucket"], made["Key"]) if name not in announced] == []


def test_consumers_that_still_listen_are_named_before_anything_goes(
    stack: Stack, destroy: Destroy, deploy_small: Callable[[str, str], dict[str, str]]
) -> None:
    made = deploy_small("heard", "dev")
    events = stack.client("events")
    events.put_rule(Name="ledger-of-balances", EventBusName=made["Bus"], EventPattern='{"source": ["flinks-landing"]}')

    refused = destroy("heard", "--confirm", "heard")
    still_there = resources(stack, "heard")
    events.delete_rule(Name="ledger-of-balances", EventBusName=made["Bus"])
    ended = destroy("heard", "--confirm", "heard")

    assert refused.returncode != 0
    assert f"{made['Bus']}/ledger-of-balances" in refused.stderr
    assert still_there == made
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_prod_is_refused_whatever_is_confirmed(
    stack: Stack, destroy: Destroy, deploy_small: Callable[[str, str], dict[str, str]]
) -> None:
    made = deploy_small("guarded", "prod")

    ended = destroy("guarded", "--confirm", "guarded")

    assert ended.returncode != 0
    assert "Environment=prod" in ended.stderr
    assert resources(stack, "guarded") == made
    assert key_state(stack, made["Key"]) == "Enabled"


def test_a_destroy_that_broke_off_is_ended_by_the_next(
    stack: Stack, destroy: Destroy, deploy_small: Callable[[str, str], dict[str, str]]
) -> None:
    made = deploy_small("broken-off", "dev")
    cloudformation = stack.client("cloudformation")
    cloudformation.delete_stack(StackName="broken-off")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="broken-off", WaiterConfig={"Delay": 1})

    ended = destroy("broken-off", "--confirm", "broken-off")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not is_there(partial(stack.client("s3").head_bucket, Bucket=made["Bucket"]))
    assert key_state(stack, made["Key"]) == "PendingDeletion"


def test_what_a_deleted_prod_stack_retained_stays(
    stack: Stack, destroy: Destroy, deploy_small: Callable[[str, str], dict[str, str]]
) -> None:
    made = deploy_small("was-prod", "prod")
    cloudformation = stack.client("cloudformation")
    cloudformation.delete_stack(StackName="was-prod")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="was-prod", WaiterConfig={"Delay": 1})

    ended = destroy("was-prod", "--confirm", "was-prod")

    assert ended.returncode != 0
    assert is_there(partial(stack.client("s3").head_bucket, Bucket=made["Bucket"]))
    assert key_state(stack, made["Key"]) == "Enabled"


def test_destroying_twice_finds_nothing_and_says_so(
    destroy: Destroy, deploy_small: Callable[[str, str], dict[str, str]]
) -> None:
    deploy_small("twice", "dev")

    first = destroy("twice", "--confirm", "twice")
    second = destroy("twice", "--confirm", "twice")

    assert first.returncode == 0, first.stdout + first.stderr
    assert second.returncode == 0, second.stdout + second.stderr
    assert second.stdout == "Nothing is left of twice.\n"


def test_the_destroyer_s_policy_grants_what_was_asked_for_and_nothing_else(stack: Stack, destroyer: Granted) -> None:
    asked = dict(destroyer.asked(stack.folder))
    if "kms:ScheduleKeyDeletion" not in asked:
        pytest.skip("says something only after stacks were destroyed")

    assert [action for action, allowed in asked.items() if not allowed] == []
    assert destroyer.actions() - set(asked) == set()


@pytest.mark.long
@pytest.mark.timeout(500)
def test_make_deploys_with_sam_what_make_destroys(stack: Stack, tmp_path: Path) -> None:
    (ours,) = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    told = {each["ParameterKey"]: each["ParameterValue"] for each in ours["Parameters"]}
    needed = ("JwtIssuer", "JwtAudience", "AllowedOrigins", "FlinksApiUrl", "FlinksCustomerId")
    overrides = json.dumps([f"{name}={told[name]}" for name in needed])
    role = f"arn:aws:iam::{stack.emulator.account_id}:role/cloudformation"
    samconfig = tmp_path / "samconfig.toml"
    samconfig.write_text(
        f'version = 0.1\n[default.global.parameters]\nstack_name = "by-make"\nregion = "{stack.emulator.region}"\n'
        f"[default.deploy.parameters]\nresolve_s3 = true\nrole_arn = '{role}'\ncapabilities = 'CAPABILITY_IAM'\n"
        f"parameter_overrides = {overrides}\n"
    )

    def make(document: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["make", *arguments, f"SAMCONFIG={samconfig}", f"ARCHITECTURE={host_architecture()}"]
        environment = Granted(stack.emulator, document).environment("by-make", CLOUDFORMATION="cloudformation")
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    deployed = make("deployer", "deploy")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    made = resources(stack, "by-make")
    destroyed = make("destroyer", "destroy", "CONFIRM=by-make")

    asked = dict(Granted(stack.emulator, "deployer").asked(stack.folder))
    assert asked == dict.fromkeys(ASKED_BY_SAM, True)
    assert {"ConnectionsTable", "FetchAccountsFunction", "HttpApi"} <= set(made)
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert not is_there(partial(stack.client("s3").head_bucket, Bucket=made["DropBucket"]))
