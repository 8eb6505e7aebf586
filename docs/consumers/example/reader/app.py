"""Takes each announcement of flinks-landing once and keeps, of each connection, its last word and what its data holds.

The write that keeps something is also what refuses a repetition and what comes too late, so no death in between counts
anything twice. The log names messages, announcements and places in a contract; never what stood there.
"""

import gzip
import hashlib
import json
import logging
import os
import time
from contextlib import suppress
from decimal import Decimal
from typing import Any

import boto3
from contracts import DETAILS, AccountDataReady, Announcement, ConnectionDeleted, Drop, DropLocation
from pydantic import ValidationError

FORGET_AFTER_SECONDS = 30 * 86_400
"""After a deletion: nothing comes that late, and the same person may connect the same login again after 60 days."""

LAST = 10**9
"""The place of a deletion: later than any generation."""

log = logging.getLogger("reader")
log.setLevel(logging.INFO)
s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
Refused = dynamodb.exceptions.ConditionalCheckFailedException


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A batch of the queue in which EventBridge puts announcements. Each message fails alone."""
    failed = [record["messageId"] for record in event["Records"] if not is_taken(record)]
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}


def is_taken(record: dict[str, Any]) -> bool:
    """Whether the message needs to come no more."""
    try:
        delivered = json.loads(record["body"])
        told = DETAILS[delivered["detail-type"]].model_validate(delivered["detail"])
        done = take(told)
    except ValidationError as error:
        places = [".".join(map(str, each["loc"])) for each in error.errors(include_input=False, include_url=False)]
        log.error("message %s is not as its contract says: %s", record["messageId"], places[:10])
        return False
    except Exception as error:  # noqa: BLE001 - whatever it is, the others of the batch go on
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        log.error("message %s not taken: %s %s", record["messageId"], type(error).__name__, code)
        return False
    log.info("%s: %s", told.id, done)
    return True


def take(told: Announcement) -> str:
    """Keep what is new, and say in a word what was done."""
    match told:
        case ConnectionDeleted():
            return forget(told)
        case AccountDataReady():
            kept = keep(told)
            say(told)
            return kept
        case _:
            return say(told)


def keep(told: AccountDataReady) -> str:
    """Read the drop and keep what is made of it: not if data as new or newer was taken, nor after a deletion."""
    if not is_news(told):
        return "no news"  # its drop need not be there any more
    accounts = read(told.drop).accounts
    transactions = sum(len(account.transactions or []) for account in accounts)
    return write(
        told,
        "SET dataOf = :generation, accounts = :accounts, transactions = :transactions",
        "(attribute_not_exists(dataOf) OR dataOf < :generation) AND (attribute_not_exists(place) OR place < :last)",
        {":accounts": len(accounts), ":transactions": transactions, ":last": LAST},
    )


def say(told: Announcement) -> str:
    """Keep the last word on the connection. One that came too late says nothing."""
    return write(
        told,
        "SET place = :generation, said = :said",
        "attribute_not_exists(place) OR place < :generation",
        {":said": told.status},
    )


def forget(told: ConnectionDeleted) -> str:
    """Erase what was made of the person's data. What follows is no news for 30 days."""
    return write(
        told,
        "SET place = :last, said = :said, forgetAt = :soon REMOVE dataOf, accounts, transactions",
        "attribute_not_exists(place) OR place < :last",
        {":last": LAST, ":said": told.status, ":soon": int(time.time()) + FORGET_AFTER_SECONDS},
    )


def is_news(told: AccountDataReady) -> bool:
    """Whether its data could still be kept; the write decides."""
    found = dynamodb.get_item(TableName=os.environ["TAKEN"], Key=key(told), ConsistentRead=True).get("Item", {})
    place, data_of = (int(found.get(name, {"N": "0"})["N"]) for name in ("place", "dataOf"))
    return data_of < told.generation and place < LAST


def read(drop: DropLocation) -> Drop:
    """The drop as it was announced, its amounts exact. Raises ValueError when it is another."""
    stored = s3.get_object(Bucket=drop.bucket, Key=drop.key, VersionId=drop.version_id)["Body"].read()
    if hashlib.sha256(stored).hexdigest() != drop.sha256:
        raise ValueError("not what was announced")
    return Drop.model_validate(json.loads(gzip.decompress(stored), parse_float=Decimal))


def write(told: Announcement, change: str, condition: str, values: dict[str, Any]) -> str:
    values = {
        f"{name}": {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in values.items()
    }
    if ":generation" in change:
        values[":generation"] = {"N": str(told.generation)}
    with suppress(Refused):
        dynamodb.update_item(
            TableName=os.environ["TAKEN"],
            Key=key(told),
            UpdateExpression=change,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
        )
        return "taken"
    return "no news"


def key(told: Announcement) -> dict[str, Any]:
    return {"connectionId": {"S": told.connection_id}}
