"""Which errors are AWS's, and what may be said of any: what went wrong and where, never what libraries quote."""

import traceback
from collections.abc import Callable
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
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response['Error']['Code']}"
    if isinstance(error, Defect):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__


def place_of(error: BaseException) -> str:
    """The innermost line of ours on the way to the error, as `file:line`."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _PACKAGE in PurePath(frame.filename).parents] or frames
    return f"{PurePath(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "unknown"
