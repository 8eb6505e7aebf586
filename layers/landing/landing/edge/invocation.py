"""One invocation of a function: when it ends, and that it ends by name."""

import gc
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from landing.deadlines import INVOCATION, TimeLeft
from landing.error_names import crashing_by_name


def time_left(context: LambdaContext) -> TimeLeft:
    return lambda: timedelta(milliseconds=context.get_remaining_time_in_millis())


def invoked(handler: Callable[[Any, LambdaContext], Any]) -> Callable[[Any, LambdaContext], Any]:
    """Begin nothing that might outlive the invocation, and crash without the words of whoever noticed.

    The first one lets garbage be collected again, for ever without what the start has made.
    """

    @wraps(handler)
    def begun(event: Any, context: LambdaContext) -> Any:
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        INVOCATION.begin(time_left(context)())
        return crashing_by_name(handler)(event, context)

    return begun
