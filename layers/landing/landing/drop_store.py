"""The drop bucket: one object per connection and generation, put once."""

from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from landing.connection import Drop

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRIES_WHILE_CONTENDED = 3


class Packed(Protocol):
    """Account data as it will lie in S3 (`account_data` makes it); `size` in bytes of what is stored."""

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


class DropNotPut(Exception):
    """S3 did not take the drop; `failure` says whether it still might."""

    def __init__(self, failure: PutFailure, code: str) -> None:
        super().__init__(f"drop not put: {failure.value} ({code})")
        self.failure = failure
        self.code = code


def drop_key(connection_id: str, generation: int) -> str:
    return f"{connection_prefix(connection_id)}{generation:06d}.json.gz"


def connection_prefix(connection_id: str) -> str:
    """Everything of one connection, and of no other, lies below this."""
    return f"accounts/v1/{connection_id}/"


class DropStore:
    """S3 in the words of a drop. Its client must not retry by itself: a second PUT would be one we know nothing of."""

    def __init__(self, s3: "S3Client", bucket: str, data_key: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._data_key = data_key

    def put_once(self, connection_id: str, generation: int, packed: Packed) -> Drop:
        """Put the drop of a generation, or find the one that is there already: the first one stays.

        Raises DropNotPut.
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
                    Metadata=_metadata(packed),
                )
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == HTTPStatus.PRECONDITION_FAILED:
                    return self._already_there(key)
                if status == HTTPStatus.CONFLICT and tries_left:
                    continue
                failure = PutFailure.UNANSWERED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else PutFailure.REFUSED
                raise DropNotPut(failure, error.response["Error"]["Code"]) from None
            except BotoCoreError as error:
                raise DropNotPut(PutFailure.UNANSWERED, type(error).__name__) from None
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

    def _already_there(self, key: str) -> Drop:
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            raise DropNotPut(PutFailure.REFUSED, error.response["Error"]["Code"]) from None
        except BotoCoreError as error:
            raise DropNotPut(PutFailure.REFUSED, type(error).__name__) from None
        metadata = head["Metadata"]
        return Drop(
            key=key,
            version_id=head["VersionId"],
            sha256=metadata["sha256"],
            bytes=head["ContentLength"],
            accounts=int(metadata["accounts"]),
            transactions=int(metadata["transactions"]),
            last_refresh=metadata.get("last-refresh"),
        )


def _metadata(packed: Packed) -> dict[str, str]:
    metadata = {
        "sha256": packed.sha256,
        "accounts": str(packed.accounts),
        "transactions": str(packed.transactions),
    }
    if packed.last_refresh is not None:
        metadata["last-refresh"] = packed.last_refresh
    return metadata
