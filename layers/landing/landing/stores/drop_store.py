"""The drop bucket: one object per connection and generation, put once; erased with every version of it."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from landing.deadlines import TimeIsUp
from landing.domain.connection import Drop, timestamp
from landing.error_names import CODES, NOT_SERVED, Cause, cause_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_TRIES_WHILE_CONTENDED = 3


class Packed(Protocol):
    """Account data as it will lie in S3 (`account_data` makes it)."""

    @property
    def compressed(self) -> bytes: ...
    @property
    def sha256(self) -> str: ...
    @property
    def accounts(self) -> int: ...
    @property
    def transactions(self) -> int: ...
    @property
    def last_refresh(self) -> str | None: ...


class PutFailure(StrEnum):
    """How sure we are that a PUT that failed will never land."""

    REFUSED = "refused"
    UNANSWERED = "unanswered"
    THERE = "there"
    """There is one already, and nobody could be asked what it is."""


class DropNotPut(Exception):
    """S3 did not take the drop; `failure` says whether it still might, `cause` why."""

    def __init__(self, failure: PutFailure, cause: Cause) -> None:
        super().__init__(f"drop not put: {failure.value} ({cause.text})")
        self.failure = failure
        self.cause = cause


class NotSwept(Exception):
    """S3 refuses to delete what is left, for `cause`."""

    def __init__(self, code: str) -> None:
        call = "s3:DeleteObjects"
        super().__init__(f"{call} {code}")
        self.cause = Cause(f"{call} {code}", f"{call} {code if code in CODES else 'another'}")


@dataclass(frozen=True)
class Origin:
    """What a drop was fetched under, as it says of itself: only a drop of the same origin may be committed."""

    life: datetime
    """When the connection was received: a row that was lost begins anew with generation 1, and finds old keys."""
    choice: str
    """The mark of the choice of accounts (`IndexKey.choice_mark`)."""
    days_of_transactions: int | None
    """As was asked for; None: the deployment's."""

    def as_metadata(self) -> dict[str, str]:
        days = "default" if self.days_of_transactions is None else str(int(self.days_of_transactions))
        return {"life": timestamp(self.life), "choice": self.choice, "days-of-transactions": days}


class AnotherOrigin(Exception):
    """Under the key lies a drop of another life or another choice: it must not be committed."""


LAYOUTS = ("accounts/v1/{connection_id}/",)
"""Below these lies everything of one connection, and of no other. Drops are put below the last one; an erase sweeps
them all: a layout stays in this list until no object of it is left anywhere."""


def drop_key(connection_id: str, generation: int) -> str:
    return f"{_prefixes(connection_id)[-1]}{generation:06d}.json.gz"


def _prefixes(connection_id: str) -> list[str]:
    return [layout.format(connection_id=connection_id) for layout in LAYOUTS]


class DropStore:
    """S3 in the words of a drop. Its client must not retry by itself: a second PUT would be one we know nothing of."""

    def __init__(self, s3: "S3Client", bucket: str, data_key: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._data_key = data_key

    def put_once(self, connection_id: str, generation: int, packed: Packed, origin: Origin) -> Drop:
        """Put the drop of a generation, or find the one that is there already: the first one stays.

        Raises DropNotPut, and AnotherOrigin when the one that is there was not fetched under `origin`.
        """
        key = drop_key(connection_id, generation)
        for tries_left in reversed(range(_TRIES_WHILE_CONTENDED)):
            try:
                answer = self._s3.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=packed.compressed,
                    ContentType="application/gzip",
                    IfNoneMatch="*",
                    ServerSideEncryption="aws:kms",
                    SSEKMSKeyId=self._data_key,
                    BucketKeyEnabled=True,
                    Metadata=_metadata(packed, origin),
                )
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == HTTPStatus.PRECONDITION_FAILED:
                    return self._already_there(key, origin)
                if status == HTTPStatus.CONFLICT and tries_left:
                    continue
                failure = PutFailure.UNANSWERED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else PutFailure.REFUSED
                raise DropNotPut(failure, cause_of(error)) from None
            except NOT_SERVED as error:
                raise DropNotPut(PutFailure.UNANSWERED, cause_of(error)) from None
            return Drop(
                key=key,
                version_id=answer["VersionId"],
                sha256=packed.sha256,
                bytes=len(packed.compressed),
                accounts=packed.accounts,
                transactions=packed.transactions,
                last_refresh=packed.last_refresh,
            )
        raise AssertionError("unreachable: the last try returns or raises")

    def _already_there(self, key: str, origin: Origin) -> Drop:
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        except NOT_SERVED as error:
            raise DropNotPut(PutFailure.THERE, cause_of(error)) from None
        metadata = head["Metadata"]
        if not origin.as_metadata().items() <= metadata.items():
            raise AnotherOrigin("a drop of another life or another choice")
        return Drop(
            key=key,
            version_id=head["VersionId"],
            sha256=metadata["sha256"],
            bytes=head["ContentLength"],
            accounts=int(metadata["accounts"]),
            transactions=int(metadata["transactions"]),
            last_refresh=metadata.get("last-refresh"),
        )

    # --- erasing, and sweeping what nobody committed

    def sweep_generations(self, connection_id: str, generations: Iterable[int]) -> None:
        """Delete every version of the drops of these generations. Raises NotSwept, and one of `NOT_SERVED`."""
        keys = {drop_key(connection_id, generation) for generation in generations}
        listed = self._s3.get_paginator("list_object_versions")
        pages = (page for key in sorted(keys) for page in listed.paginate(Bucket=self._bucket, Prefix=key))
        found = [entries for page in pages if (entries := _entries(page))]
        for refused in [self._delete(entries) for entries in found]:
            if refused:
                raise NotSwept(refused[0])

    def contents(self, connection_id: str) -> "Contents":
        """Count everything of one connection. Raises one of `NOT_SERVED`."""
        versions = markers = 0
        for page in self._versions(connection_id):
            versions += len(page.get("Versions", []))
            markers += len(page.get("DeleteMarkers", []))
        uploads = sum(len(page.get("Uploads", [])) for page in self._uploads(connection_id))
        return Contents(versions, markers, uploads)

    def sweep(self, connection_id: str, time_left: Callable[[], timedelta]) -> bool:
        """Delete every version, delete marker and unfinished upload of a connection; True once a listing is empty.

        False when time runs out first. Raises NotSwept when S3 refuses all that is left, and one of `NOT_SERVED`.
        """
        with suppress(TimeIsUp):
            while time_left() > _SWEEP_STEP:
                found = next((entries for page in self._versions(connection_id) if (entries := _entries(page))), [])
                uploads: list[Any] = next(
                    (page["Uploads"] for page in self._uploads(connection_id) if page.get("Uploads")), []
                )
                if not found and not uploads:
                    return True
                refused = self._delete(found) if found else []
                for upload in uploads:
                    self._abort(upload["Key"], upload["UploadId"])
                if refused and len(refused) == len(found) and not uploads:
                    raise NotSwept(refused[0])
        return False

    def put_receipt(self, connection_id: str, requested_at: datetime, receipt: dict[str, Any]) -> None:
        """Keep a receipt outside everything that is swept or restored; of one erasure the first one stays.

        Raises one of `NOT_SERVED`.
        """
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=receipt_key(connection_id, requested_at),
                Body=json.dumps(receipt, indent=1).encode(),
                ContentType="application/json",
                IfNoneMatch="*",
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=self._data_key,
                BucketKeyEnabled=True,
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.PRECONDITION_FAILED:
                raise

    def _versions(self, connection_id: str) -> Iterator[Any]:
        pages = self._s3.get_paginator("list_object_versions")
        for prefix in _prefixes(connection_id):
            yield from pages.paginate(Bucket=self._bucket, Prefix=prefix)

    def _uploads(self, connection_id: str) -> Iterator[Any]:
        pages = self._s3.get_paginator("list_multipart_uploads")
        for prefix in _prefixes(connection_id):
            yield from pages.paginate(Bucket=self._bucket, Prefix=prefix)

    def _delete(self, entries: "list[ObjectIdentifierTypeDef]") -> list[str]:
        """The codes with which S3 refused some of them."""
        answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": entries, "Quiet": True})
        return [error.get("Code", "") for error in answer.get("Errors", [])]

    def _abort(self, key: str, upload_id: str) -> None:
        try:
            self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise


@dataclass(frozen=True)
class Contents:
    """How much lies in S3 for one connection."""

    versions: int
    markers: int
    uploads: int


def receipt_key(connection_id: str, requested_at: datetime) -> str:
    """A connection may live again once its tombstone has ended: each of its erasures has a receipt of its own."""
    return f"receipts/v1/{connection_id}.{requested_at:%Y%m%dT%H%M%S}{requested_at.microsecond // 1000:03d}Z.json"


_SWEEP_STEP = timedelta(seconds=30)
"""Time for two listings, a deletion of a thousand versions and the write that says how far we came."""


def _entries(page: Any) -> "list[ObjectIdentifierTypeDef]":
    listed = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in listed]


def _metadata(packed: Packed, origin: Origin) -> dict[str, str]:
    metadata = origin.as_metadata() | {
        "sha256": packed.sha256,
        "accounts": str(packed.accounts),
        "transactions": str(packed.transactions),
    }
    if packed.last_refresh is not None:
        metadata["last-refresh"] = packed.last_refresh
    return metadata
