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

if TYPE_CHECKING:
    from collections.abc import Iterator

RECEIPTS = "receipts/v1/"


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
        return copy_back(dynamodb, table, side, erased_ids(s3, bucket), dry_run=dry_run)
    finally:
        remove(dynamodb, side)


def make_side_table(dynamodb: Any, table: str, side: str, moment: datetime | None) -> None:
    when: dict[str, Any] = {"RestoreDateTime": moment} if moment else {"UseLatestRestorableTime": True}
    key = dynamodb.describe_table(TableName=table)["Table"].get("SSEDescription", {}).get("KMSMasterKeyArn")
    if key:  # AWS would take a key of its own otherwise
        when["SSESpecificationOverride"] = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=side, **when)
    dynamodb.get_waiter("table_exists").wait(TableName=side, WaiterConfig={"Delay": 20, "MaxAttempts": 1000})


def copy_back(dynamodb: Any, table: str, side: str, erased: set[str], *, dry_run: bool) -> dict[str, int]:
    """Copy from the side table what `table` lacks and what was never erased; a row that is there stays as it is."""
    fates: Counter[str] = Counter(restored=0, alreadyThere=0, erased=0)
    for row in rows(dynamodb, side):
        if row["connectionId"]["S"] in erased or row.get("status", {}).get("S") == "deleted":
            fates["erased"] += 1
        elif is_there(dynamodb, table, row) if dry_run else not added(dynamodb, table, row):
            fates["alreadyThere"] += 1
        else:
            fates["restored"] += 1
    return dict(fates)


def erased_ids(s3: Any, bucket: str) -> set[str]:
    """The connectionIds that a receipt names."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=RECEIPTS)
    keys = (entry["Key"] for page in pages for entry in page.get("Contents", []))
    return {key.removeprefix(RECEIPTS).removesuffix(".json") for key in keys}


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
