"""Every grant of the deployed policies is needed, and what is forbidden is denied, on the local stack with IAM on."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws.deployment import STACK_NAME
from tests.every_path import Walk
from tests.forbidden import FETCH, FORBIDDEN, PUBLISH, ROLES
from tests.live_service import LiveService
from tests.policies import Policies, Request, Statement, statements_of

AUTHORIZATIONS = "authorizations.jsonl"
"""Where `local/aws/authorizations.py` keeps them."""

# --- what is deployed, and what was asked, by logical ids


class Deployed:
    """The stack's policies and resources; a name of the template in the place of each ARN."""

    def __init__(self, live: LiveService) -> None:
        self.live = live
        pages = live.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
        self.names: dict[str, dict[str, str]] = {}
        for page in pages:
            for each in page["StackResourceSummaries"]:
                of_type = self.names.setdefault(each["ResourceType"], {})
                of_type[each["LogicalResourceId"]] = each["PhysicalResourceId"]
        self.arns = dict(self._arns())
        self._longest_first = sorted(self.arns.items(), key=lambda each: -len(each[1]))
        self.policies = self._policies()

    def logical(self, text: str) -> str:
        for name, arn in self._longest_first:
            text = text.replace(arn, name)
        return text

    def _arns(self) -> Iterator[tuple[str, str]]:
        region, account = self.live.stack.emulator.region, self.live.stack.emulator.account_id
        for name, key in self.names["AWS::KMS::Key"].items():
            yield name, f"arn:aws:kms:{region}:{account}:key/{key}"
        for name, table in self.names["AWS::DynamoDB::Table"].items():
            described = self.live.client("dynamodb").describe_table(TableName=table)["Table"]
            yield name, described["TableArn"]
            if "LatestStreamArn" in described:
                yield f"{name}/stream", described["LatestStreamArn"]
        for name, bucket in self.names["AWS::S3::Bucket"].items():
            yield name, f"arn:aws:s3:::{bucket}"
        for name, url in self.names["AWS::SQS::Queue"].items():
            yield name, f"arn:aws:sqs:{region}:{account}:{url.rsplit('/', 1)[1]}"
        for name, role in self.names["AWS::IAM::Role"].items():
            yield name, self.live.client("iam").get_role(RoleName=role)["Role"]["Arn"]
        for name, secret in self.names["AWS::SecretsManager::Secret"].items():
            yield name, secret
        for name, bus in self.names["AWS::Events::EventBus"].items():
            yield name, f"arn:aws:events:{region}:{account}:event-bus/{bus}"

    def _policies(self) -> Policies:
        iam, kms, s3, sqs = (self.live.client(service) for service in ("iam", "kms", "s3", "sqs"))
        of_roles = {}
        for name, role in self.names["AWS::IAM::Role"].items():
            documents = [
                iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
                for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
            ]
            of_roles[name] = tuple(each for document in documents for each in self._statements(name, document))
        of_resources = {
            name: self._statements(name, kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
            for name, key in self.names["AWS::KMS::Key"].items()
        }
        for name, bucket in self.names["AWS::S3::Bucket"].items():
            of_resources[name] = self._statements(name, s3.get_bucket_policy(Bucket=bucket)["Policy"])
        for name, url in self.names["AWS::SQS::Queue"].items():
            told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
            of_resources[name] = self._statements(name, told["Policy"])
        return Policies(of_roles, of_resources)

    def _statements(self, holder: str, document: Any) -> tuple[Statement, ...]:
        text = document if isinstance(document, str) else json.dumps(document)
        return statements_of(holder, json.loads(self.logical(text)))

    def asked(self) -> Iterator[tuple[Request, bool]]:
        """What the roles of the stack have asked IAM for so far, and whether they were allowed to."""
        roles = {role: name for name, role in self.names["AWS::IAM::Role"].items()}
        lines = (self.live.stack.folder / AUTHORIZATIONS).read_text().splitlines()
        for told in (json.loads(line) for line in lines if line.startswith("{")):  # else a leak that was planted
            if told["role"] in roles:
                context = {key: self.logical(str(value)) for key, value in told["conditions"].items()}
                request = Request(roles[told["role"]], told["action"], self.logical(told["resource"]), context)
                yield request, told["allowed"]


@pytest.fixture(scope="session")
def deployed(live: LiveService) -> Deployed:
    return Deployed(live)


@pytest.fixture(scope="session")
def needed(deployed: Deployed, walked: Walk) -> list[Request]:
    """What a walk over every path has asked for, and got."""
    assert walked.connections
    return [request for request, allowed in deployed.asked() if allowed]


# --- necessity

LOGS = "Lambda writes a function's log as its role (Lambda guide, Execution role)"
TABLES_KEY = "DynamoDB asks it of whoever makes or restores a table under the key (DynamoDB guide, Encryption at rest)"
EXCUSED: dict[tuple[str, str, str], str] = {
    **{(role, "logs:CreateLogStream", "*"): LOGS for role in ROLES},
    **{(role, "logs:PutLogEvents", "*"): LOGS for role in ROLES},
    **{
        (
            role,
            "dynamodb:ListStreams",
            "*",
        ): "Lambda wants it of the role when a mapping is made (Lambda guide, DynamoDB)"
        for role in (FETCH, PUBLISH)
    },
    (PUBLISH, "sqs:SendMessage", "StreamFailures"): (
        "Lambda sends there as the role what a mapping gives up after 23 hours (Lambda guide, On-failure destinations)"
    ),
    ("DataKey", "kms:Encrypt", "*"): TABLES_KEY,
    ("DataKey", "kms:ReEncrypt*", "*"): TABLES_KEY,
    ("DataKey", "kms:CreateGrant", "*"): TABLES_KEY,
}
"""Grants that no path uses, by holder, action and resource (`*`: whichever), with AWS's rule that asks for them."""

EXCUSED_STATEMENTS = {
    "Administer": "a key that nobody may administer cannot be mended or deleted: PutKeyPolicy refuses it (KMS guide)",
    "EncryptLogs": "CloudWatch Logs uses the key by itself, as the service (CloudWatch Logs guide, Encrypt log data)",
}


def is_excused(statement: Statement, action: str, resource: str) -> bool:
    by_grant = any((statement.holder, action, on) in EXCUSED for on in (resource, "*"))
    return by_grant or statement.sid in EXCUSED_STATEMENTS


def test_the_rules_of_the_tests_are_those_of_the_emulator(deployed: Deployed, needed: list[Request]) -> None:
    """What was allowed there is allowed here; so what would be denied here, would be there."""
    differently = [str(each) for each, allowed in deployed.asked() if deployed.policies.allow(each) != allowed]

    assert differently == []
    assert len(needed) > 100


def test_no_grant_can_be_taken_away_unnoticed(deployed: Deployed, needed: list[Request]) -> None:
    grants = list(deployed.policies.grants())
    proven, excused, useless = 0, 0, []
    for statement, action, resource in grants:
        without = deployed.policies.without(statement, action, resource)
        used_by = [each for each in needed if statement.covers(_on_itself(each, statement)) and not without.allow(each)]
        if used_by:
            proven += 1
        elif is_excused(statement, action, resource):
            excused += 1
        else:
            useless.append(f"{statement.holder} {action} {resource}")

    print(f"{proven} grants are needed + {excused} excused = {proven + excused}/{len(grants)}")
    assert useless == []
    assert proven > 60


def _on_itself(request: Request, statement: Statement) -> Request:
    """In a key's own policy the key is `*`."""
    return replace(request, on="*") if request.on == statement.holder else request


def test_no_excuse_is_kept_for_what_is_used_or_gone(deployed: Deployed) -> None:
    held = {(statement.holder, action, on) for statement, action, on in deployed.policies.grants()}
    held |= {(holder, action, "*") for holder, action, _ in held}

    assert set(EXCUSED) <= held
    assert set(EXCUSED_STATEMENTS) <= {statement.sid for statement, _, _ in deployed.policies.grants()}


WITHOUT = {
    ("ReceiveLoginRole", "kms:GenerateMac"): ("POST", "/connections"),
    ("ReceiveLoginRole", "kms:Encrypt"): ("POST", "/connections"),
    ("ReceiveLoginRole", "dynamodb:PutItem"): ("POST", "/connections"),
    ("ShowConnectionRole", "dynamodb:Query"): ("GET", "/connections"),
    ("ShowConnectionRole", "kms:Decrypt"): ("GET", "/connections"),
    ("CreateConnectSessionRole", "dynamodb:UpdateItem"): ("POST", "/connect-sessions"),
}


@pytest.mark.parametrize(("role", "action"), WITHOUT)
def test_without_its_grant_a_function_says_that_it_cannot_serve(
    live: LiveService, deployed: Deployed, role: str, action: str
) -> None:
    iam, name = live.client("iam"), deployed.names["AWS::IAM::Role"][role]
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    whole = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    less = json.loads(json.dumps(whole))
    for statement in less["Statement"]:
        listed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = [each for each in listed if each != action] or ["logs:PutLogEvents"]
    method, path = WITHOUT[role, action]
    body = {"loginId": live.connect_bank()} if path == "/connections" else {}
    asked: dict[str, Any] = {"json": body} if method == "POST" else {}

    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(less))
    try:
        without = live.request(method, path, **asked)
    finally:
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(whole))

    assert without.status == 503
    assert live.request(method, path, **asked).status in (200, 201, 202)


# --- what is forbidden


@pytest.mark.parametrize("promise", FORBIDDEN)
def test_what_is_forbidden_is_denied_as_deployed(deployed: Deployed, promise: str) -> None:
    assert [str(each) for each in FORBIDDEN[promise] if deployed.policies.allow(each)] == []


class Impostor:
    """Calls AWS as a role of the stack, which for that time trusts the account."""

    def __init__(self, deployed: Deployed) -> None:
        self._deployed = deployed
        self._live = deployed.live
        self._session = boto3.Session(region_name=self._live.stack.emulator.region)
        self._trusts: dict[str, str] = {}

    @cache  # noqa: B019 - one for the whole module
    def _credentials(self, role: str) -> Mapping[str, str]:
        iam, name = self._live.client("iam"), self._deployed.names["AWS::IAM::Role"][role]
        trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        self._trusts[name] = json.dumps(trust)
        account = {"AWS": f"arn:aws:iam::{self._live.stack.emulator.account_id}:root"}
        ours = {"Effect": "Allow", "Principal": account, "Action": "sts:AssumeRole"}
        wider = json.dumps({**trust, "Statement": [*trust["Statement"], ours]})
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=wider)
        assume = self._live.client("sts").assume_role
        credentials: Mapping[str, str] = assume(RoleArn=self._deployed.arns[role], RoleSessionName="impostor")[
            "Credentials"
        ]
        return credentials

    @cache  # noqa: B019 - likewise
    def client(self, role: str, service: str) -> Any:
        keys = self._credentials(role)
        make: Any = self._session.client
        return make(
            service,
            endpoint_url=self._live.stack.emulator.url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    def is_denied(self, request: Request) -> bool:
        service, operation, arguments = CALLS[request.action](self._deployed, request)
        try:
            getattr(self.client(request.who, service), operation)(**arguments)
        except ClientError as error:
            return error.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException", "403"}
        return False

    def leave(self) -> None:
        for name, trust in self._trusts.items():
            self._live.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=trust)


@pytest.fixture(scope="module")
def impostor(deployed: Deployed) -> Iterator[Impostor]:
    made = Impostor(deployed)
    yield made
    made.leave()


type Call = tuple[str, str, dict[str, Any]]


def _kms(operation: str, **more: Any) -> Callable[[Deployed, Request], Call]:
    def call(deployed: Deployed, request: Request) -> Call:
        purpose = request.context.get("kms:EncryptionContext:purpose")
        takes_context = purpose and operation in ("encrypt", "decrypt", "generate_data_key")
        context = {"EncryptionContext": {"purpose": purpose}} if takes_context else {}
        return "kms", operation, {"KeyId": deployed.names["AWS::KMS::Key"][request.on], **context, **more}

    return call


def _re_encrypt(deployed: Deployed, request: Request) -> Call:
    key, purpose = deployed.names["AWS::KMS::Key"][request.on], request.context["kms:EncryptionContext:purpose"]
    to = {"DestinationKeyId": key, "SourceKeyId": key, "SourceEncryptionContext": {"purpose": purpose}}
    return "kms", "re_encrypt", {"CiphertextBlob": b"x" * 40, **to}


def _s3(operation: str, *, object_: bool = True, **more: Any) -> Callable[[Deployed, Request], Call]:
    def call(deployed: Deployed, request: Request) -> Call:
        bucket, _, key = request.on.partition("/")
        arguments = {"Bucket": deployed.names["AWS::S3::Bucket"][bucket], **({"Key": key} if object_ else {}), **more}
        return "s3", operation, arguments

    return call


def _table(operation: str, **more: Any) -> Callable[[Deployed, Request], Call]:
    def call(deployed: Deployed, request: Request) -> Call:
        table, _, index = request.on.partition("/index/")
        name = deployed.names["AWS::DynamoDB::Table"][table]
        arguments: dict[str, Any] = {"TableName": name, **more} | ({"IndexName": index} if index else {})
        if operation == "batch_write_item":
            arguments = {"RequestItems": {name: [{"DeleteRequest": {"Key": {"connectionId": {"S": "x"}}}}]}}
        return "dynamodb", operation, arguments

    return call


def _stream(operation: str) -> Callable[[Deployed, Request], Call]:
    def call(deployed: Deployed, request: Request) -> Call:
        arn = deployed.arns[request.on]
        streams = deployed.live.client("dynamodbstreams")
        shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        at = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "LATEST"}
        if operation == "get_shard_iterator":
            return "dynamodbstreams", operation, at
        return "dynamodbstreams", operation, {"ShardIterator": streams.get_shard_iterator(**at)["ShardIterator"]}

    return call


type Calls = Callable[..., Callable[[Deployed, Request], Call]]


def _by_name(service: str, parameter: str, kind: str) -> Calls:
    """Calls of a service that name their resource in one parameter."""

    def named(operation: str, **more: Any) -> Callable[[Deployed, Request], Call]:
        return lambda deployed, request: (service, operation, {parameter: deployed.names[kind][request.on], **more})

    return named


_queue = _by_name("sqs", "QueueUrl", "AWS::SQS::Queue")
_function = _by_name("lambda", "FunctionName", "AWS::Lambda::Function")
_role = _by_name("iam", "RoleName", "AWS::IAM::Role")


def _secret(operation: str, **more: Any) -> Callable[[Deployed, Request], Call]:
    return lambda deployed, request: ("secretsmanager", operation, {"SecretId": deployed.arns[request.on], **more})


def _event(deployed: Deployed, request: Request) -> Call:
    entry = {"EventBusName": deployed.names["AWS::Events::EventBus"][request.on], "Source": "x"}
    return "events", "put_events", {"Entries": [{**entry, "DetailType": "x", "Detail": "{}"}]}


KEY = {"connectionId": {"S": "x"}}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
CALLS: dict[str, Callable[[Deployed, Request], Call]] = {
    "kms:Encrypt": _kms("encrypt", Plaintext=b"x"),
    "kms:Decrypt": _kms("decrypt", CiphertextBlob=b"x" * 40),
    "kms:ReEncryptFrom": _re_encrypt,
    "kms:GenerateDataKey": _kms("generate_data_key", KeySpec="AES_256"),
    "kms:GenerateMac": _kms("generate_mac", Message=b"x", MacAlgorithm="HMAC_SHA_256"),
    "kms:VerifyMac": _kms("verify_mac", Message=b"x", Mac=b"x" * 32, MacAlgorithm="HMAC_SHA_256"),
    "kms:PutKeyPolicy": _kms("put_key_policy", PolicyName="default", Policy=POLICY),
    "kms:ScheduleKeyDeletion": _kms("schedule_key_deletion"),
    "s3:GetObject": _s3("get_object"),
    "s3:GetObjectVersion": _s3("get_object", VersionId="x"),
    "s3:ListBucket": _s3("list_objects_v2", object_=False, Prefix="accounts/v1/"),
    "s3:ListBucketVersions": _s3("list_object_versions", object_=False, Prefix="accounts/v1/"),
    "s3:DeleteObject": _s3("delete_object"),
    "s3:DeleteObjectVersion": _s3("delete_object", VersionId="x"),
    "s3:AbortMultipartUpload": _s3("abort_multipart_upload", UploadId="x"),
    "s3:PutObject": _s3("put_object", Body=b"x"),
    "secretsmanager:GetSecretValue": _secret("get_secret_value"),
    "secretsmanager:PutSecretValue": _secret("put_secret_value", SecretString="x"),
    "dynamodb:GetItem": _table("get_item", Key=KEY),
    "dynamodb:PutItem": _table("put_item", Item=KEY),
    "dynamodb:UpdateItem": _table("update_item", Key=KEY),
    "dynamodb:DeleteItem": _table("delete_item", Key=KEY),
    "dynamodb:BatchWriteItem": _table("batch_write_item"),
    "dynamodb:Scan": _table("scan"),
    "dynamodb:Query": _table("query", KeyConditionExpression="a = b"),
    "dynamodb:GetShardIterator": _stream("get_shard_iterator"),
    "dynamodb:GetRecords": _stream("get_records"),
    "sqs:SendMessage": _queue("send_message", MessageBody="x"),
    "sqs:ReceiveMessage": _queue("receive_message"),
    "sqs:PurgeQueue": _queue("purge_queue"),
    "events:PutEvents": _event,
    "sts:AssumeRole": lambda deployed, request: (
        "sts",
        "assume_role",
        {"RoleArn": deployed.arns[request.on], "RoleSessionName": "another"},
    ),
    "iam:PutRolePolicy": _role("put_role_policy", PolicyName="x", PolicyDocument=POLICY),
    "iam:UpdateAssumeRolePolicy": _role("update_assume_role_policy", PolicyDocument=POLICY),
    "lambda:InvokeFunction": _function("invoke", Payload=b"{}"),
    "lambda:UpdateFunctionCode": _function("update_function_code", ZipFile=b"x"),
}
"""How each is tried. Of what is used through a service only, and of passing a role, there is no call to try."""


def tried() -> list[Request]:
    return [
        each
        for requests in FORBIDDEN.values()
        for each in requests
        if each.action in CALLS
        and "kms:ViaService" not in each.context
        and ("/index/" not in each.on or each.action == "dynamodb:Query")
    ]


def refused(impostor: Impostor, requests: list[Request]) -> int:
    allowed = [str(each) for each in requests if not impostor.is_denied(each)]
    assert allowed == []
    return len(requests)


def test_what_is_forbidden_is_refused_by_the_emulator(impostor: Impostor) -> None:
    every_other = tried()[::2]

    denied = refused(impostor, every_other)

    print(f"{denied} forbidden calls are refused")
    assert denied >= 300


@pytest.mark.long
def test_all_that_is_forbidden_is_refused_by_the_emulator(impostor: Impostor) -> None:
    print(f"{refused(impostor, tried())} forbidden calls are refused")


def test_who_drops_cannot_read_what_it_dropped(impostor: Impostor, deployed: Deployed, walked: Walk) -> None:
    """Its GetObject is for a HEAD: to the content S3 would need `kms:Decrypt` of the caller."""
    bucket = deployed.names["AWS::S3::Bucket"]["DropBucket"]
    listed = deployed.live.client("s3").list_objects_v2(Bucket=bucket, Prefix="accounts/")["Contents"]
    there = Request(FETCH, "s3:GetObject", f"DropBucket/{listed[0]['Key']}")

    head = impostor.client(FETCH, "s3").head_object(Bucket=bucket, Key=listed[0]["Key"])

    assert walked.connections
    assert head["Metadata"]["sha256"]
    assert impostor.is_denied(there)
