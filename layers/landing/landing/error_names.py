"""Says what went wrong and where, and never what was in it: messages of libraries quote what they were given."""

import traceback
from pathlib import PurePath

from botocore.exceptions import ClientError

_PACKAGE = PurePath(__file__).parent


def name_of(error: BaseException) -> str:
    """An error's type; for AWS the call and the error code, which are words of AWS."""
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response['Error']['Code']}"
    return type(error).__name__


def place_of(error: BaseException) -> str:
    """The innermost line of ours on the way to the error, as `file:line`."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _PACKAGE in PurePath(frame.filename).parents] or frames
    return f"{PurePath(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "unknown"
