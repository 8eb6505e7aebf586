"""One invocation of a function: when it ends, and that it ends by name."""

import gc
import random
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
    """Begin nothing that might outlive the invocation, and crash without the words of whoever noticed."""

    @wraps(handler)
    def begun(event: Any, context: LambdaContext) -> Any:
        if not gc.isenabled():
            _leave_the_start_behind()
        INVOCATION.begin(time_left(context)())
        return crashing_by_name(handler)(event, context)

    return begun


def _leave_the_start_behind() -> None:
    """Before the first call: collect garbage again, and draw chances of our own.

    Many environments may be resumed from one snapshot (SnapStart), and with it from one state of `random`.
    """
    gc.freeze()
    gc.enable()
    random.seed()
