"""Receipts of deletions, from the bucket: by connection, or by the ticket that ordered them."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

from botocore.exceptions import ClientError

from ops.orders import NotDone
from ops.target import Target

PREFIX = "receipts/v1/"


def of(target: Target, connection_id: str) -> list[dict[str, Any]]:
    """The receipts of a connection, the newest first; a second life has one of its own. Raises NotDone for none."""
    s3, bucket = target.client("s3"), target.output("DropBucket")
    versions = s3.list_object_versions(Bucket=bucket, Prefix=f"{PREFIX}{connection_id}").get("Versions", [])
    keys = {each["Key"]: each["LastModified"] for each in versions}
    if not keys:
        raise NotDone(f"There is no receipt of {connection_id}: it was not deleted, or its deletion goes on.")
    return [_read(s3, bucket, key) for key in sorted(keys, key=lambda key: keys[key], reverse=True)]


def by_ticket(target: Target, ticket: str, seen: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    """Every receipt that names `ticket`, by reading them all."""
    s3, bucket = target.client("s3"), target.output("DropBucket")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
    keys = (entry["Key"] for page in pages for entry in page.get("Contents", []))
    with ThreadPoolExecutor(16) as pool:
        for some in batched(keys, 256, strict=False):
            for receipt in pool.map(lambda key: _read(s3, bucket, key), some):
                seen(1)
                if receipt.get("ticket") == ticket:
                    yield receipt


def _read(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    try:
        return dict(json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":  # retention took it meanwhile
            return {}
        raise
