"""Which errors are AWS's, and what may be said of any: what went wrong and where, never what libraries quote."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import PurePath

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's: no address, refused, TLS failed
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError

from landing.deadlines import TimeIsUp

NOT_SERVED = (
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ResponseParserError,
    TimeIsUp,
)
"""AWS could not serve, or refused, or there was no time to ask it: it may be otherwise later.

Not botocore's other errors: a call that it does not even build (`ParamValidationError`), a client without a region, are
defects of ours, which no time mends.
"""


_PACKAGE = PurePath(__file__).parent


class Defect(Exception):
    """A defect of ours or of the deployment, in words of ours: its message may be logged, and quotes nothing."""


class Crash(Exception):
    """What ended an invocation, named without the words of the library that noticed: they may quote what was sent."""


def crashing_by_name[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """Have `handler` raise Crash where it would raise anything else: Lambda logs what a handler raises."""

    @wraps(handler)
    def named(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except Exception as defect:  # noqa: BLE001 - see Crash
            raise Crash(f"{name_of(defect)} at {place_of(defect)}") from None

    return named


def name_of(error: BaseException) -> str:
    """An error's type; for AWS the call and the error code, which are words of AWS; a Defect with its message."""
    call = call_of(error)
    if isinstance(error, ClientError):
        return f"{call or error.operation_name} {error.response['Error']['Code']}"
    if isinstance(error, Defect):
        return f"{type(error).__name__}: {error}"
    return f"{call} {type(error).__name__}" if call else type(error).__name__


def naming_its_call[**P, R](service: str, call: Callable[P, R]) -> Callable[P, R]:
    """Have an AWS call, whose first argument is the operation, raise what it raises with its own name on it."""

    @wraps(call)
    def named(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except NOT_SERVED as error:
            error.aws_call = f"{service}:{args[0]}"  # type: ignore[union-attr]  # ours alone; `call_of` reads it
            raise

    return named


def call_of(error: BaseException) -> str | None:
    """Which call of AWS raised it, as in `kms:Decrypt`."""
    call = getattr(error, "aws_call", None)
    return call if isinstance(call, str) else None


@dataclass(frozen=True)
class Cause:
    """What ended a claim without data: the call, and the code or status that it was answered with."""

    text: str
    """For the row and the log line."""
    label: str
    """For a metric: of these there are few, whatever anybody answers."""


CODES = frozenset(
    {
        *("AccessDenied", "AccessDeniedException", "DisabledException", "InternalError", "InternalFailure"),
        *("InternalServerError", "InvalidCiphertextException", "InvalidKeyUsageException", "KMSInternalException"),
        *("KMSInvalidStateException", "KeyUnavailableException", "NoSuchBucket", "NotFoundException"),
        *("ProvisionedThroughputExceededException", "QueueDoesNotExist", "RequestLimitExceeded", "RequestTimeout"),
        *("ResourceNotFoundException", "ServiceUnavailable", "SlowDown", "ThrottlingException"),
        *("KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"),
        *("ExpiredToken", "UnrecognizedClientException"),
    }
)
"""The codes of AWS that a metric tells apart."""


def cause_of(error: BaseException) -> Cause:
    """The cause that an error of AWS, or a Defect, is."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    of_aws = f"{call_of(error) or 'aws'} {code if code in CODES or not isinstance(error, ClientError) else 'another'}"
    return Cause(name_of(error), type(error).__name__ if isinstance(error, Defect) else of_aws)


def place_of(error: BaseException) -> str:
    """The innermost line of ours on the way to the error, as `file:line`; to hand it on is no place."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    ours = [frame for frame in frames if _PACKAGE in PurePath(frame.filename).parents] or frames
    return f"{PurePath(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "unknown"
