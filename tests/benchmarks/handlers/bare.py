"""The least that keeps a login: boto3, five calls, no validation, no log, no metric."""

import json
import os
from typing import Any

import boto3

table, kms = boto3.client("dynamodb"), boto3.client("kms")


def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    login_id = json.loads(event["body"])["loginId"].lower()
    owner = event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"]
    mac = kms.generate_mac(
        KeyId=os.environ["INDEX_KEY_ARN"], Message=login_id.encode(), MacAlgorithm="HMAC_SHA_256"
    )["Mac"]  # fmt: skip
    key = {"connectionId": {"S": "con_" + mac.hex()[:26]}}
    if "Item" not in table.get_item(TableName=os.environ["CONNECTIONS_TABLE"], Key=key, ConsistentRead=True):
        table.update_item(
            TableName=os.environ["SESSIONS_TABLE"],
            Key={"owner": {"S": owner}},
            UpdateExpression="ADD fetches :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
        sealed = kms.encrypt(
            KeyId=os.environ["LOGIN_KEY_ARN"],
            Plaintext=login_id.encode(),
            EncryptionContext={"connectionId": key["connectionId"]["S"]},
        )["CiphertextBlob"]
        table.put_item(
            TableName=os.environ["CONNECTIONS_TABLE"],
            Item={**key, "owner": {"S": owner}, "sealedLogin": {"B": sealed}, "status": {"S": "received"}},
            ConditionExpression="attribute_not_exists(connectionId)",
        )
    return {"statusCode": 202, "body": json.dumps({"connectionId": key["connectionId"]["S"]})}
