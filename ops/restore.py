"""Bring back rows that the connections table has lost, and none that were erased: `python -m ops.restore --help`.

AWS restores a table to a point in time only as another table. This makes that side table, copies the rows that the
live table lacks and that no receipt names, and deletes the side table again, whatever happened in between: it holds
rows of people who have been erased since.
"""

import argparse
import json
import sys
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from ops.target import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

RECEIPTS, DROPS = "receipts/v1/", "accounts/v1/"
AT_WORK = frozenset({"received", "fetching", "pending", "waiting"})
MARGIN = 1000
"""More generations than a connection begins between a backup and its loss."""


def restore(
    dynamodb: Any, s3: Any, table: str, bucket: str, moment: datetime | None, *, dry_run: bool
) -> dict[str, int]:
    """Restore `table` to `moment` (an aware datetime, None for the latest) and say how many rows met which fate.

    A run that was cut off leaves its side table behind; the next one removes it and begins anew.
    """
    side = f"{table[:240]}-side"
    remove(dynamodb, side)
    try:
        make_side_table(dynamodb, table, side, moment)
        return copy_back(dynamodb, s3, table, side, bucket, dry_run=dry_run)
    finally:
        remove(dynamodb, side)


def restore_from(dynamodb: Any, s3: Any, found: str, table: str, bucket: str, *, dry_run: bool) -> dict[str, int]:
    """The same from a table that is there already, such as AWS Backup restores one. Raises Refused. It stays."""
    if found == table:
        raise Refused("That is the live table itself.")
    return copy_back(dynamodb, s3, table, found, bucket, dry_run=dry_run)


def make_side_table(dynamodb: Any, table: str, side: str, moment: datetime | None) -> None:
    when: dict[str, Any] = {"RestoreDateTime": moment} if moment else {"UseLatestRestorableTime": True}
    key = dynamodb.describe_table(TableName=table)["Table"].get("SSEDescription", {}).get("KMSMasterKeyArn")
    if key:  # AWS would take a key of its own otherwise
        when["SSESpecificationOverride"] = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=side, **when)
    dynamodb.get_waiter("table_exists").wait(TableName=side, WaiterConfig={"Delay": 20, "MaxAttempts": 1000})


def copy_back(dynamodb: Any, s3: Any, table: str, side: str, bucket: str, *, dry_run: bool) -> dict[str, int]:
    """Copy from the side table what `table` lacks and what was never erased; a row that is there stays as it is."""
    receipts = last_receipts(s3, bucket)
    fates: Counter[str] = Counter(restored=0, alreadyThere=0, erased=0)
    for row in rows(dynamodb, side):
        if was_erased(row, receipts):
            fates["erased"] += 1
        elif is_there(dynamodb, table, row):
            fates["alreadyThere"] += 1
        else:
            restored = above_what_was_given(row, highest_key(s3, bucket, row))
            fates["restored" if dry_run or added(dynamodb, table, restored) else "alreadyThere"] += 1
    return dict(fates)


def last_receipts(s3: Any, bucket: str) -> dict[str, datetime]:
    """When the last receipt of each connection was written, by connectionId."""
    written: dict[str, datetime] = {}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=RECEIPTS):
        for entry in page.get("Versions", []):
            connection_id = entry["Key"].removeprefix(RECEIPTS).split(".")[0]
            written[connection_id] = max(entry["LastModified"], written.get(connection_id, entry["LastModified"]))
    return written


def was_erased(row: dict[str, Any], receipts: dict[str, datetime]) -> bool:
    """Whether this life of the connection was erased: one that was worked on after its receipt lives again.

    An imported login may have been got long before; but an erasure too works on a row after its receipt. Of a row that
    does not say when, it is believed.
    """
    written, deleting = receipts.get(row["connectionId"]["S"]), _text(row, "status") == "deleting"
    worked_on = _text(row, "receivedAt") if deleting else (_text(row, "updatedAt") or _text(row, "receivedAt"))
    lives_again = written is not None and worked_on is not None and datetime.fromisoformat(worked_on) > written
    return _text(row, "status") == "deleted" or (written is not None and not lives_again)


def _text(row: dict[str, Any], name: str) -> str | None:
    """A row may be damaged: what is no text is None."""
    value: str | None = row.get(name, {}).get("S")
    return value


def highest_key(s3: Any, bucket: str, row: dict[str, Any]) -> int:
    """The highest generation that a drop of this connection has or had; 0 for none."""
    prefix = f"{DROPS}{row['connectionId']['S']}/"
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, [])]
    return max((int(key.removeprefix(prefix).split(".")[0]) for key in keys), default=0)


def above_what_was_given(row: dict[str, Any], highest: int) -> dict[str, Any]:
    """The row as it may go on: whatever generation comes next, none was given under that number before.

    A generation that ended without a drop left no key, but consumers know its event: hence a margin.
    """
    given = max(highest, int(row.get("generation", {}).get("N", 0))) + MARGIN
    goes_on = {**row, "generationsGiven": {"N": str(given)}}
    if _text(row, "status") in AT_WORK:  # it may have ended since: begin it anew, under a number of its own
        goes_on |= {"generation": {"N": str(given + 1)}, "status": {"S": "received"}}
        for name in ("asked", "leaseUntil", "putOpen", "sealedRequest", "pollUntil"):
            goes_on.pop(name, None)
    return goes_on


def rows(dynamodb: Any, table: str) -> "Iterator[dict[str, Any]]":
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def is_there(dynamodb: Any, table: str, row: dict[str, Any]) -> bool:
    key = {"connectionId": row["connectionId"]}
    return "Item" in dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)


def added(dynamodb: Any, table: str, row: dict[str, Any]) -> bool:
    try:
        dynamodb.put_item(TableName=table, Item=row, ConditionExpression="attribute_not_exists(connectionId)")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def remove(dynamodb: Any, table: str) -> None:
    """Delete a table, if it is there, and wait until it is gone."""
    try:
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return
        if error.response["Error"]["Code"] != "ValidationException":  # it was never protected
            raise
    dynamodb.delete_table(TableName=table)
    dynamodb.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 5, "MaxAttempts": 200})


def outputs_of(cloudformation: Any, stack: str) -> dict[str, str]:
    (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", required=True, help="the stack whose table lost rows")
    parser.add_argument("--to", type=datetime.fromisoformat, help="2026-01-05T12:00:00Z; else the latest there is")
    parser.add_argument("--dry-run", action="store_true", help="make the side table and count; copy nothing")
    asked = parser.parse_args()
    if asked.to is not None and asked.to.tzinfo is None:
        parser.error("--to needs a zone: a Z at the end is UTC")
    outputs = outputs_of(boto3.client("cloudformation"), asked.stack)
    table, bucket = outputs["ConnectionsTable"], outputs["DropBucket"]
    fates = restore(boto3.client("dynamodb"), boto3.client("s3"), table, bucket, asked.to, dry_run=asked.dry_run)
    sys.stdout.write(json.dumps({"dryRun": asked.dry_run, **fates}) + "\n")


if __name__ == "__main__":
    main()
