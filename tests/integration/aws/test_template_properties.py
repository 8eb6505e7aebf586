"""No property of a template is silently dropped: each is compared with what the services report."""

import json
from typing import Any

import pytest

from local.aws import deployment
from local.aws.deployment import EmulatorAddress
from local.stack import Stack
from tests.integration.aws.properties import differences, dropped

ACCOUNT_MAY_ALL = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": {"Ref": "AWS::AccountId"}}, "Action": "kms:*", "Resource": "*"}
    ],
}
NOBODY_MAY_ASSUME = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
TEMPLATE: dict[str, Any] = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Parameters": {"Days": {"Type": "Number", "Default": 7}, "Most": {"Type": "Number", "Default": 5}},
    "Resources": {
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"EnableKeyRotation": True, "KeyPolicy": ACCOUNT_MAY_ALL}},
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "Key"}},
                "PointInTimeRecoverySpecification": {
                    "PointInTimeRecoveryEnabled": True,
                    "RecoveryPeriodInDays": {"Ref": "Days"},
                },
                "TimeToLiveSpecification": {"AttributeName": "expiresAt", "Enabled": True},
                "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
                "DeletionProtectionEnabled": True,
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [
                        {
                            "BucketKeyEnabled": True,
                            "ServerSideEncryptionByDefault": {
                                "SSEAlgorithm": "aws:kms",
                                "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]},
                            },
                        }
                    ]
                },
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
                "VersioningConfiguration": {"Status": "Enabled"},
                "PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "RestrictPublicBuckets": True},
                "LifecycleConfiguration": {
                    "Rules": [
                        {
                            "Id": "a",
                            "Status": "Enabled",
                            "Prefix": "x/",
                            "ExpirationInDays": {"Ref": "Days"},
                            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                        }
                    ]
                },
            },
        },
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": NOBODY_MAY_ASSUME}},
        "RolePolicy": {
            "Type": "AWS::IAM::RolePolicy",
            "Properties": {
                "RoleName": {"Ref": "Role"},
                "PolicyName": "reads",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"}],
                },
            },
        },
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "Metrics": [
                    {"Id": "all", "Expression": "SUM(METRICS())"},
                    {
                        "Id": "errors",
                        "ReturnData": False,
                        "MetricStat": {
                            "Metric": {"Namespace": "AWS/Lambda", "MetricName": "Errors"},
                            "Period": 60,
                            "Stat": "Sum",
                        },
                    },
                ],
                "EvaluationPeriods": 1,
                "Threshold": {"Ref": "Most"},
                "ComparisonOperator": "GreaterThanThreshold",
            },
        },
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60, "SqsManagedSseEnabled": True}},
        "Function": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "InlineCode": "def handler(event, context): return None",
                "ReservedConcurrentExecutions": {"Ref": "Most"},
                "RecursiveLoop": "Allow",
                "LoggingConfig": {"LogFormat": "JSON"},
                "EventInvokeConfig": {"MaximumRetryAttempts": 0},
                "Events": {
                    "Stream": {
                        "Type": "DynamoDB",
                        "Properties": {
                            "Stream": {"Fn::GetAtt": ["Table", "StreamArn"]},
                            "StartingPosition": "TRIM_HORIZON",
                            "ParallelizationFactor": 2,
                            "MaximumRetryAttempts": {"Ref": "Most"},
                            "BisectBatchOnFunctionError": True,
                            "FunctionResponseTypes": ["ReportBatchItemFailures"],
                        },
                    },
                    "Queue": {
                        "Type": "SQS",
                        "Properties": {
                            "Queue": {"Fn::GetAtt": ["Queue", "Arn"]},
                            "ScalingConfig": {"MaximumConcurrency": {"Ref": "Most"}},
                        },
                    },
                    "Schedule": {"Type": "ScheduleV2", "Properties": {"ScheduleExpression": "rate(5 minutes)"}},
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def stack_name(emulator: EmulatorAddress) -> str:
    deployment.deploy_packaged(emulator, json.dumps(TEMPLATE), {}, "properties")
    return "properties"


def test_no_property_of_a_deployed_template_is_dropped(emulator: EmulatorAddress, stack_name: str) -> None:
    assert dropped(emulator, stack_name) == []


def test_an_updated_property_is_applied(emulator: EmulatorAddress, stack_name: str) -> None:
    deployment.deploy_packaged(emulator, json.dumps(TEMPLATE), {"Days": "9", "Most": "4"}, stack_name)

    table = emulator.client("cloudformation").describe_stack_resource(StackName=stack_name, LogicalResourceId="Table")
    name = table["StackResourceDetail"]["PhysicalResourceId"]
    backups = emulator.client("dynamodb").describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"] == 9
    assert dropped(emulator, stack_name) == []


def test_a_property_that_cannot_be_applied_fails_the_stack(emulator: EmulatorAddress) -> None:
    rule = {"Id": "a", "Status": "Enabled", "ObjectSizeGreaterThan": 1}
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"LifecycleConfiguration": {"Rules": [rule]}}}

    with pytest.raises(deployment.DeploymentError, match=r"Drops .*ObjectSizeGreaterThan"):
        deployment.deploy_packaged(emulator, json.dumps({"Resources": {"Drops": bucket}}), {}, "unknown")


def test_no_property_of_our_template_is_dropped(stack: Stack) -> None:
    assert dropped(stack.emulator, deployment.STACK_NAME) == []


@pytest.mark.parametrize(
    ("wanted", "reported", "found"),
    [
        ({"A": 7}, {"a": "7"}, 0),
        ({"A": 7}, {"a": 8}, 1),
        ({"A": True}, {}, 1),
        ({"A": {"Ref": "B"}}, {"A": "arn"}, 0),
        ({"A": {"Ref": "B"}}, {"A": ""}, 1),
        ([{"A": 1}], [{"A": 2}, {"A": 1, "B": 3}], 0),
        ([{"A": 1}, {"A": 4}], [{"A": 1}], 1),
    ],
)
def test_a_property_that_differs_is_reported(wanted: Any, reported: Any, found: int) -> None:
    assert len([*differences("", wanted, reported)]) == found
