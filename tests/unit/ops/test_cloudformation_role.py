"""The role that CloudFormation may act as: all that it needs to make, change and delete the stack, and little more.

What a resource type needs is what its handlers declare in CloudFormation's registry (the schemas come with cfn-lint):
who adds a type to the template adds its grants to `ops/policies/cloudformation.*.json`.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.processed_template import ROOT, Json, made_by_sam, source

DOCUMENTS = sorted((ROOT / "ops/policies").glob("cloudformation.[!t]*.json"))
MOST_OF_A_MANAGED_POLICY = 6144
"""Characters without blanks (IAM and STS quotas)."""

AS_LONG_AS_THEY_GET = {
    "STACK": "s" * 40,
    "LOWERCASE": "s" * 40,
    "REGION": "ap-southeast-2",
    "ACCOUNT": "1" * 12,
    "BOUNDARY": "arn:aws:iam::111111111111:policy/" + "b" * 60,
}

FOR_A_PROPERTY: dict[str, dict[str, str]] = {
    "AWS::ApiGatewayV2::Api": {"BodyS3Location": "s3:getObject"},
    "AWS::ApiGatewayV2::DomainName": {"MutualTlsAuthentication": "s3:GetObject s3:GetObjectVersion"},
    "AWS::CodeDeploy::DeploymentGroup": {
        "Deployment": "codedeploy:ListDeployments",
        "OnPremisesInstanceTagFilters": "codedeploy:RegisterOnPremisesInstance",
    },
    "AWS::DynamoDB::Table": {
        "ContributorInsightsSpecification": "dynamodb:UpdateContributorInsights iam:CreateServiceLinkedRole",
        "ImportSourceSpecification": "dynamodb:DescribeImport dynamodb:ImportTable logs:CreateLogGroup "
        "logs:CreateLogStream logs:DescribeLogGroups logs:DescribeLogStreams logs:PutLogEvents logs:PutRetentionPolicy "
        "s3:GetObject s3:GetObjectMetadata s3:ListBucket",
        "KinesisStreamSpecification": "dynamodb:EnableKinesisStreamingDestination "
        "dynamodb:DisableKinesisStreamingDestination dynamodb:UpdateKinesisStreamingDestination "
        "kinesis:DescribeStream kinesis:PutRecords",
        "Replicas": "dynamodb:CreateTableReplica dynamodb:AssociateTableReplica dynamodb:BatchWriteItem "
        "dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:Scan dynamodb:UpdateItem",
        "ResourcePolicy": "dynamodb:PutResourcePolicy dynamodb:DeleteResourcePolicy",
    },
    "AWS::Events::EventBus": {
        "KmsKeyIdentifier": "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey "
        "kms:GenerateDataKeyWithoutPlaintext kms:ReEncrypt kms:ReEncryptFrom kms:ReEncryptTo"
    },
    "AWS::Events::Rule": {"RoleArn": "iam:PassRole"},
    "AWS::IAM::ManagedPolicy": {
        "Groups": "iam:AttachGroupPolicy iam:DetachGroupPolicy",
        "Roles": "iam:AttachRolePolicy iam:DetachRolePolicy",
        "Users": "iam:AttachUserPolicy iam:DetachUserPolicy",
    },
    "AWS::KMS::Key": {"Enabled": "kms:EnableKey kms:DisableKey"},
    "AWS::Lambda::Alias": {
        "ProvisionedConcurrencyConfig": "lambda:PutProvisionedConcurrencyConfig "
        "lambda:DeleteProvisionedConcurrencyConfig"
    },
    "AWS::Lambda::EventSourceMapping": {"KmsKeyArn": "kms:Decrypt kms:DescribeKey kms:GenerateDataKey"},
    "AWS::Lambda::Function": {
        "CapacityProviderConfig": "lambda:PassCapacityProvider",
        "CodeSigningConfigArn": "lambda:GetCodeSigningConfig lambda:PutFunctionCodeSigningConfig "
        "lambda:DeleteFunctionCodeSigningConfig",
        "FileSystemConfigs": "elasticfilesystem:DescribeMountTargets s3files:ListMountTargets",
        "FunctionScalingConfig": "lambda:PutFunctionScalingConfig",
        "KmsKeyArn": "kms:CreateGrant kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey",
        "RuntimeManagementConfig": "lambda:PutRuntimeManagementConfig lambda:AssociateRuntimeAlias",
    },
    "AWS::Lambda::Version": {
        "FunctionScalingConfig": "lambda:PutFunctionScalingConfig",
        "ProvisionedConcurrencyConfig": "lambda:PutProvisionedConcurrencyConfig",
        "RuntimePolicy": "lambda:PutRuntimeManagementConfig",
    },
    "AWS::Logs::LogGroup": {
        "BearerTokenAuthenticationEnabled": "logs:PutBearerTokenAuthentication",
        "DataProtectionPolicy": "logs:PutDataProtectionPolicy logs:DeleteDataProtectionPolicy "
        "firehose:TagDeliveryStream s3:REST.PUT.OBJECT",
        "DeletionProtectionEnabled": "logs:PutLogGroupDeletionProtection",
        "FieldIndexPolicies": "logs:PutIndexPolicy logs:DeleteIndexPolicy",
        "ResourcePolicyDocument": "logs:DeleteResourcePolicy",
    },
    "AWS::S3::Bucket": {
        "AbacStatus": "s3:PutBucketAbac",
        "AccelerateConfiguration": "s3:PutAccelerateConfiguration",
        "AccessControl": "s3:PutBucketAcl s3:PutObjectAcl",
        "AnalyticsConfigurations": "s3:PutAnalyticsConfiguration s3:DeleteBucketAnalyticsConfiguration",
        "CorsConfiguration": "s3:PutBucketCORS s3:DeleteBucketCors",
        "IntelligentTieringConfigurations": "s3:PutIntelligentTieringConfiguration",
        "InventoryConfigurations": "s3:PutInventoryConfiguration",
        "LoggingConfiguration": "s3:PutBucketLogging",
        "MetadataConfiguration": "s3:UpdateBucketMetadataAnnotationTableConfiguration "
        "s3:UpdateBucketMetadataInventoryTableConfiguration s3:UpdateBucketMetadataJournalTableConfiguration",
        "MetadataTableConfiguration": "s3:CreateBucketMetadataTableConfiguration "
        "s3:DeleteBucketMetadataTableConfiguration s3tables:CreateNamespace s3tables:CreateTable "
        "s3tables:CreateTableBucket s3tables:GetTable s3tables:GetTableMetadataLocation s3tables:PutTableBucketPolicy "
        "s3tables:PutTableEncryption s3tables:PutTablePolicy s3tables:UpdateTableMetadataLocation",
        "MetricsConfigurations": "s3:PutMetricsConfiguration s3:DeleteBucketMetricsConfiguration",
        "ObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration s3:PutObjectLockConfiguration",
        "ReplicationConfiguration": "s3:PutBucketReplication s3:PutReplicationConfiguration "
        "s3:DeleteBucketReplication s3:DeleteObject iam:PassRole",
        "WebsiteConfiguration": "s3:PutBucketWebsite s3:DeleteBucketWebsite",
    },
    "AWS::SecretsManager::Secret": {
        "GenerateSecretString": "secretsmanager:GetRandomPassword",
        "ReplicaRegions": "secretsmanager:ReplicateSecretToRegions secretsmanager:RemoveRegionsFromReplication",
    },
}
"""What handlers declare for a property that no resource of ours has: the day that one does, it must be granted."""

NOT_FOR_US = {
    "AWS::Backup::BackupSelection": {"iam:CreateServiceLinkedRole": "AWS Backup has it where there is a vault"},
    "AWS::IAM::Role": {"iam:DeleteRolePermissionsBoundary": "a boundary stays, or it would be none"},
}
"""What is withheld on purpose, and why."""

BESIDE: dict[str, str] = {
    "cloudformation:CreateChangeSet": "SAM's transform is a macro of AWS (CloudFormation User Guide, Transform)",
    "kms:ReEncryptFrom": "a table under a customer's key (DynamoDB Developer Guide, Encryption at rest)",
    "kms:ReEncryptTo": "the same",
    "kms:GenerateDataKey": "a secret under a customer's key (Secrets Manager User Guide, Secret encryption)",
    **dict.fromkeys(
        ("DeleteLogDelivery", "GetLogDelivery", "ListLogDeliveries", "UpdateLogDelivery"),
        "access logs of a stage (API Gateway Developer Guide, Configure logging for HTTP APIs)",
    ),
}
BESIDE = {name if ":" in name else f"logs:{name}": why for name, why in BESIDE.items()}
"""What no handler declares and AWS asks for all the same, with its source."""

NAMELESS = {
    "ec2:*": "IAM knows no resource for what is described",
    "kms:CreateKey": "a key has its id only once it is made",
    "kms:ListAliases": "IAM knows no resource for it",
    "lambda:CreateEventSourceMapping": "held by the function it feeds",
    "lambda:DeleteEventSourceMapping": "held by the function it feeds",
    "lambda:UpdateEventSourceMapping": "held by the function it feeds",
    "lambda:GetEventSourceMapping": "a mapping has its id only once it is made",
    "logs:*": "deliveries of logs, and the account's policy for them",
}
"""What is granted on everything, and why."""

READS_DATA = {
    *("dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:BatchGetItem", "dynamodb:GetRecords"),
    *("lambda:InvokeFunction", "sqs:ReceiveMessage", "logs:GetLogEvents", "logs:FilterLogEvents"),
    *("kms:GenerateMac", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
}


class Grant(NamedTuple):
    action: str
    resource: str
    condition: Json


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@cache
def grants() -> tuple[Grant, ...]:
    statements = [each for path in DOCUMENTS for each in json.loads(path.read_text())["Statement"]]
    return tuple(
        Grant(action, resource, each.get("Condition", {}))
        for each in statements
        for action in listed(each["Action"])
        for resource in listed(each["Resource"])
    )


@cache
def resources() -> Json:
    made: Json = made_by_sam(GradualDeployment="true")["Resources"]
    return made


def types() -> list[str]:
    return sorted({each["Type"] for each in resources().values()})


def declared(kind: str) -> set[str]:
    """What a type's handlers say that they may call."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("ca-central-1", kind).schema["handlers"]
    return {
        each
        for verb in ("create", "read", "update", "delete")
        for each in handlers.get(verb, {}).get("permissions", ())
    }


def needed(kind: str) -> set[str]:
    """Of these, what our resources of that type can need, in small letters."""
    spared = {each for actions in FOR_A_PROPERTY.get(kind, {}).values() for each in actions.split()}
    return {each.lower() for each in declared(kind) - spared - set(NOT_FOR_US.get(kind, ()))}


@pytest.mark.parametrize("kind", types())
def test_what_a_type_of_the_template_needs_is_granted(kind: str) -> None:
    granted = {each.action.lower() for each in grants()}

    assert needed(kind) - granted == set()


def test_nothing_is_granted_that_nothing_needs() -> None:
    wanted = {each for kind in types() for each in needed(kind)} | {each.lower() for each in BESIDE}

    assert {each.action for each in grants() if each.action.lower() not in wanted} == set()


@pytest.mark.parametrize("kind", sorted(FOR_A_PROPERTY))
def test_what_is_not_granted_is_for_properties_that_nothing_has(kind: str) -> None:
    used = {name for each in resources().values() if each["Type"] == kind for name in each.get("Properties", {})}
    named = {each for actions in FOR_A_PROPERTY[kind].values() for each in actions.split()}

    assert used & set(FOR_A_PROPERTY[kind]) == set()
    assert named - declared(kind) == set(), "no handler declares it any more"


def test_what_is_granted_on_everything_has_no_name_of_ours() -> None:
    on_everything = {each.action for each in grants() if each.resource == "*"}

    assert {each for each in on_everything if not {each, f"{each.split(':')[0]}:*"} & set(NAMELESS)} == set()


def test_every_other_grant_is_for_names_of_one_stack_or_of_a_kind_that_has_none() -> None:
    elsewhere = {each.resource for each in grants() if not re.search("STACK|LOWERCASE", each.resource)}

    assert elsewhere == {
        "*",
        "arn:aws:apigateway:REGION::/apis",
        "arn:aws:apigateway:REGION::/apis/*",
        "arn:aws:apigateway:REGION::/domainnames",
        "arn:aws:apigateway:REGION::/domainnames/*",
        "arn:aws:apigateway:REGION::/tags/*",
        "arn:aws:backup:REGION:ACCOUNT:backup-plan:*",
        "arn:aws:cloudformation:REGION:aws:transform/Serverless-2016-10-31",
        "arn:aws:codedeploy:REGION:ACCOUNT:deploymentconfig:*",
        "arn:aws:kms:REGION:ACCOUNT:key/*",
        "arn:aws:lambda:REGION:ACCOUNT:event-source-mapping:*",
        "arn:aws:lambda:REGION:ACCOUNT:layer:LandingLayer",
        "arn:aws:lambda:REGION:ACCOUNT:layer:LandingLayer:*",
        "arn:aws:s3:::aws-sam-cli-managed-default-*/*",
        "arn:aws:secretsmanager:REGION:ACCOUNT:secret:FlinksApiKey-*",
        "arn:aws:secretsmanager:REGION:ACCOUNT:secret:FlinksSecretKey-*",
        "arn:aws:sqs:REGION:ACCOUNT:flinks-landing-*",
    }


def test_a_role_is_made_and_granted_something_only_within_the_boundary() -> None:
    within = {"StringEquals": {"iam:PermissionsBoundary": "BOUNDARY"}}
    free = [each for each in grants() if each.condition != within]

    makes = (
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:DeleteRolePermissionsBoundary",
    )
    assert [each.action for each in free if each.action in makes] == []
    assert {each.action for each in grants()} >= set(makes[:3])


def test_only_the_policy_that_the_template_attaches_can_be_attached() -> None:
    attached = {each["Fn::Sub"].replace("${AWS::Partition}", "aws") for each in _attached()}
    (allowed,) = {str(each.condition) for each in grants() if each.action == "iam:AttachRolePolicy"}

    assert {allowed} == {str({"ArnEquals": {"iam:PolicyARN": each}}) for each in attached}


def _attached() -> Iterator[Json]:
    for each in source()["Resources"].values():
        if each["Type"] == "AWS::IAM::Role":
            yield from each["Properties"].get("ManagedPolicyArns", [])


def test_a_role_is_passed_to_the_services_that_the_template_s_roles_trust_and_to_no_other() -> None:
    trusted = {
        statement["Principal"]["Service"]
        for each in resources().values()
        if each["Type"] == "AWS::IAM::Role"
        for statement in each["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    }
    passed = [each for each in grants() if each.action == "iam:PassRole"]

    assert passed
    for each in passed:
        assert set(each.condition["StringEquals"]["iam:PassedToService"]) == trusted
        assert each.resource == "arn:aws:iam::ACCOUNT:role/STACK-*"


def test_it_reads_no_data_and_works_keys_only_through_the_stores() -> None:
    direct = [each for each in grants() if each.action in {"kms:Decrypt", "kms:Encrypt", "kms:CreateGrant"}]

    assert READS_DATA & {each.action for each in grants()} == set()
    assert [each.resource for each in grants() if each.action == "s3:GetObject"] == [
        "arn:aws:s3:::aws-sam-cli-managed-default-*/*"
    ]
    assert all("kms:ViaService" in each.condition["StringEquals"] for each in direct)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_fits_into_a_managed_policy_with_names_as_long_as_they_get(path: Path) -> None:
    text = "".join(path.read_text().split())
    for name, value in AS_LONG_AS_THEY_GET.items():
        text = text.replace(name, value)

    assert len(text) <= MOST_OF_A_MANAGED_POLICY


def test_cloudformation_alone_may_be_it() -> None:
    (statement,) = json.loads((ROOT / "ops/policies/cloudformation.trust.json").read_text())["Statement"]

    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "cloudformation.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
