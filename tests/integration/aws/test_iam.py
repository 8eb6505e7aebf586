"""The emulator allows and denies what AWS would: a role's session against what its policies say."""

import io
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws.deployment import EmulatorAddress

ACCOUNT = "123456789012"
ROOT_MAY = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "kms:*",
    "Resource": "*",
}


class Bank:
    """Resources, and a role's session that may do some of it; each call of `may` and `refused` is a probe."""

    def __init__(self, emulator: EmulatorAddress, client: Callable[[str], Any]) -> None:
        self._emulator = emulator
        self.root = client
        for name in ("bank", "other"):
            self._make_table(name)
        self.stream = client("dynamodb").describe_table(TableName="bank")["Table"]["LatestStreamArn"]
        self.key = self._make_key(ROOT_MAY)
        self.data_key = self._make_key(ROOT_MAY)
        self.closed_key = self._make_key({**ROOT_MAY, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/admin"}})
        self.role_key = self._make_key(
            {**ROOT_MAY, "Condition": {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/teller*"}}}
        )
        location = {"LocationConstraint": "ca-central-1"}
        client("s3").create_bucket(Bucket="vault", CreateBucketConfiguration=location)
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.data_key}
        rules = [{"BucketKeyEnabled": True, "ApplyServerSideEncryptionByDefault": default}]
        client("s3").put_bucket_encryption(Bucket="vault", ServerSideEncryptionConfiguration={"Rules": rules})
        client("s3").put_object(Bucket="vault", Key="x/1", Body=b"1")
        self.queue = client("sqs").create_queue(QueueName="letters")["QueueUrl"]
        secrets = client("secretsmanager")
        self.secret = secrets.create_secret(Name="pin", SecretString="1", KmsKeyId=self.data_key)["ARN"]
        client("events").create_event_bus(Name="news")
        sse = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": self.data_key}
        client("dynamodb").update_table(TableName="other", SSESpecification=sse)
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        client("iam").create_role(RoleName="teller", AssumeRolePolicyDocument=document)

    def _make_table(self, name: str) -> None:
        index = {
            "IndexName": "by-owner",
            "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        self.root("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "owner", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[index],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )

    def _make_key(self, statement: dict[str, Any]) -> str:
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        made = self.root("kms").create_key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)
        return str(made["KeyMetadata"]["Arn"])

    def grant(self, *statements: dict[str, Any]) -> None:
        """The role's whole policy, from now on."""
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]}
        self.root("iam").put_role_policy(RoleName="teller", PolicyName="all", PolicyDocument=json.dumps(policy))

    @cache  # noqa: B019 - one bank for the whole session
    def client(self, service: str) -> Any:
        """As the role; what it may is looked up at each call."""
        role = f"arn:aws:iam::{ACCOUNT}:role/teller"
        session = self.root("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
        make: Any = boto3.Session(*keys, region_name=self._emulator.region).client
        return make(service, endpoint_url=self._emulator.url, config=Config(retries={"total_max_attempts": 1}))

    def may(self, service: str, operation: str, **arguments: Any) -> bool:
        try:
            getattr(self.client(service), operation)(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException", "403"}:
                return False
            raise
        return True


@pytest.fixture(scope="session")
def bank(emulator: EmulatorAddress, client: Callable[[str], Any]) -> Bank:
    return Bank(emulator, client)


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:ca-central-1:{ACCOUNT}:{resource}"


TABLE = arn("dynamodb", "table/bank")
ITEM = {"id": {"S": "1"}}


def test_a_role_does_what_it_may_on_what_it_may(bank: Bank) -> None:
    bank.grant({"Action": "dynamodb:PutItem", "Resource": TABLE})

    assert bank.may("dynamodb", "put_item", TableName="bank", Item=ITEM)
    assert not bank.may("dynamodb", "delete_item", TableName="bank", Key=ITEM)
    assert not bank.may("dynamodb", "scan", TableName="bank")
    assert not bank.may("dynamodb", "put_item", TableName="other", Item=ITEM)
    assert not bank.may("iam", "list_roles")


def test_a_query_of_an_index_needs_the_index(bank: Bank) -> None:
    query = {"KeyConditionExpression": "#o = :o", "ExpressionAttributeNames": {"#o": "owner"}}
    query |= {"ExpressionAttributeValues": {":o": {"S": "1"}}, "TableName": "bank", "IndexName": "by-owner"}

    bank.grant({"Action": "dynamodb:Query", "Resource": f"{TABLE}/index/by-owner"})
    assert bank.may("dynamodb", "query", **query)

    bank.grant({"Action": "dynamodb:Query", "Resource": TABLE})
    assert not bank.may("dynamodb", "query", **query)


def test_a_transaction_needs_the_actions_of_its_items(bank: Bank) -> None:
    bank.grant({"Action": "dynamodb:PutItem", "Resource": TABLE})
    put = {"Put": {"TableName": "bank", "Item": ITEM}}
    delete = {"Delete": {"TableName": "bank", "Key": ITEM}}

    assert bank.may("dynamodb", "transact_write_items", TransactItems=[put])
    assert not bank.may("dynamodb", "transact_write_items", TransactItems=[delete])


def test_a_stream_is_a_resource_of_its_own(bank: Bank) -> None:
    bank.grant({"Action": ["dynamodb:DescribeStream", "dynamodb:GetShardIterator"], "Resource": f"{TABLE}/stream/*"})
    shard = bank.root("dynamodbstreams").describe_stream(StreamArn=bank.stream)["StreamDescription"]["Shards"][0]
    place = {"StreamArn": bank.stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = bank.root("dynamodbstreams").get_shard_iterator(**place)["ShardIterator"]

    assert bank.may("dynamodbstreams", "get_shard_iterator", **place)
    assert not bank.may("dynamodbstreams", "get_records", ShardIterator=iterator)

    bank.grant({"Action": "dynamodb:GetRecords", "Resource": bank.stream})
    assert bank.may("dynamodbstreams", "get_records", ShardIterator=iterator)


def test_a_table_under_a_customers_key_needs_that_key_through_dynamodb(bank: Bank) -> None:
    put = {"Action": "dynamodb:PutItem", "Resource": arn("dynamodb", "table/other")}
    bank.grant(put)
    assert not bank.may("dynamodb", "put_item", TableName="other", Item=ITEM)

    through = {"StringEquals": {"kms:ViaService": "dynamodb.ca-central-1.amazonaws.com"}}
    bank.grant(put, {"Action": "kms:Decrypt", "Resource": bank.data_key, "Condition": through})
    assert bank.may("dynamodb", "put_item", TableName="other", Item=ITEM)


def test_a_bucket_under_a_customers_key_needs_that_key_through_s3(bank: Bank) -> None:
    objects = {"Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:aws:s3:::vault/x/*"}
    bank.grant(objects)
    assert not bank.may("s3", "put_object", Bucket="vault", Key="x/2", Body=b"")
    assert not bank.may("s3", "get_object", Bucket="vault", Key="x/1")
    assert bank.may("s3", "head_object", Bucket="vault", Key="x/1")

    through = {"StringEquals": {"kms:ViaService": "s3.ca-central-1.amazonaws.com"}}
    keys = {"Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": bank.data_key, "Condition": through}
    bank.grant(objects, keys)
    assert bank.may("s3", "put_object", Bucket="vault", Key="x/2", Body=b"")
    assert bank.may("s3", "get_object", Bucket="vault", Key="x/1")
    assert not bank.may("s3", "put_object", Bucket="vault", Key="y/2", Body=b"")


def test_a_queue_is_used_by_the_actions_that_were_granted(bank: Bank) -> None:
    bank.grant({"Action": "sqs:SendMessage", "Resource": arn("sqs", "letters")})

    assert bank.may("sqs", "send_message", QueueUrl=bank.queue, MessageBody="x")
    assert not bank.may("sqs", "receive_message", QueueUrl=bank.queue)


def test_a_secret_under_a_customers_key_needs_that_key(bank: Bank) -> None:
    use = {"Action": "secretsmanager:GetSecretValue", "Resource": bank.secret}
    bank.grant(use)
    assert not bank.may("secretsmanager", "get_secret_value", SecretId=bank.secret)

    bank.grant(use, {"Action": "kms:Decrypt", "Resource": bank.data_key})
    assert bank.may("secretsmanager", "get_secret_value", SecretId=bank.secret)


def test_an_encryption_context_is_a_condition(bank: Bank) -> None:
    purpose = {"StringEquals": {"kms:EncryptionContext:purpose": "login"}}
    keys = [bank.key, bank.closed_key]
    bank.grant({"Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": keys, "Condition": purpose})
    login, other = {"purpose": "login", "connectionId": "1"}, {"purpose": "request"}

    assert bank.may("kms", "encrypt", KeyId=bank.key, Plaintext=b"x", EncryptionContext=login)
    assert not bank.may("kms", "encrypt", KeyId=bank.key, Plaintext=b"x", EncryptionContext=other)
    assert not bank.may("kms", "encrypt", KeyId=bank.key, Plaintext=b"x")
    assert not bank.may("kms", "encrypt", KeyId=bank.data_key, Plaintext=b"x", EncryptionContext=login)
    assert not bank.may("kms", "encrypt", KeyId=bank.closed_key, Plaintext=b"x", EncryptionContext=login)


def test_a_key_is_found_by_its_ciphertext(bank: Bank) -> None:
    sealed = bank.root("kms").encrypt(KeyId=bank.key, Plaintext=b"x")["CiphertextBlob"]

    bank.grant({"Action": "kms:Decrypt", "Resource": bank.key})
    assert bank.may("kms", "decrypt", CiphertextBlob=sealed)

    bank.grant({"Action": "kms:Decrypt", "Resource": bank.data_key})
    assert not bank.may("kms", "decrypt", CiphertextBlob=sealed)


def test_a_key_policy_knows_a_session_by_its_role(bank: Bank) -> None:
    bank.grant({"Action": "kms:Encrypt", "Resource": "*"})

    assert bank.may("kms", "encrypt", KeyId=bank.role_key, Plaintext=b"x")


def test_an_event_goes_to_the_bus_that_was_granted(bank: Bank) -> None:
    bank.grant({"Action": "events:PutEvents", "Resource": arn("events", "event-bus/news")})
    event = {"Source": "a", "DetailType": "b", "Detail": "{}"}

    assert bank.may("events", "put_events", Entries=[{**event, "EventBusName": "news"}])
    assert not bank.may("events", "put_events", Entries=[event])


def test_a_bucket_policy_may_ask_for_a_key_and_for_tls(bank: Bank) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Resource": "arn:aws:s3:::vault/*"}
    header = "s3:x-amz-server-side-encryption-aws-kms-key-id"
    other_key = {**deny, "Action": "s3:PutObject", "Condition": {"StringNotEquals": {header: bank.data_key}}}
    no_tls = {**deny, "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [other_key, no_tls]})
    bank.grant({"Action": ["s3:PutObject", "kms:GenerateDataKey"], "Resource": "*"})
    put = {"Bucket": "vault", "Key": "x/3", "Body": io.BytesIO(b"3"), "ServerSideEncryption": "aws:kms"}

    bank.root("s3").put_bucket_policy(Bucket="vault", Policy=policy)
    try:
        assert bank.may("s3", "put_object", **put, SSEKMSKeyId=bank.data_key)
        assert not bank.may("s3", "put_object", **put, SSEKMSKeyId=bank.key)
    finally:
        bank.root("s3").delete_bucket_policy(Bucket="vault")


@pytest.mark.usefixtures("bank")
def test_an_unsigned_request_is_nobodys(emulator: EmulatorAddress) -> None:
    session = requests.Session()
    session.trust_env = False

    assert session.get(f"{emulator.url}/vault/x/1", timeout=10).status_code == 403
    assert session.get(f"{emulator.url}/vault", timeout=10).status_code == 403


def test_a_wrong_signature_and_an_unknown_key_are_refused(emulator: EmulatorAddress) -> None:
    make: Any = boto3.Session("AKIAUNKNOWN000000000", "wrong", region_name=emulator.region).client

    with pytest.raises(ClientError) as refused:
        make("dynamodb", endpoint_url=emulator.url).list_tables()

    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_grant_to_invoke_covers_the_function_or_its_alias_and_not_the_other(
    bank: Bank, deploy_function: Callable[..., str]
) -> None:
    deploy_function("clerk", "def lambda_handler(event, context): return 1")
    bank.root("lambda").create_alias(
        FunctionName="clerk",
        Name="live",
        FunctionVersion=bank.root("lambda").publish_version(FunctionName="clerk")["Version"],
    )

    def invocable() -> tuple[bool, ...]:
        ways = (
            {"FunctionName": "clerk"},
            {"FunctionName": "clerk:live"},
            {"FunctionName": "clerk", "Qualifier": "live"},
        )
        return tuple(bank.may("lambda", "invoke", **way) for way in ways)

    bank.grant({"Action": "lambda:InvokeFunction", "Resource": arn("lambda", "function:clerk")})
    with_the_function = invocable()
    bank.grant({"Action": "lambda:InvokeFunction", "Resource": arn("lambda", "function:clerk:live")})
    with_the_alias = invocable()

    assert with_the_function == (True, False, False)
    assert with_the_alias == (False, True, True)
