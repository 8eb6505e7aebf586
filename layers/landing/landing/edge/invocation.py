"""One invocation of a function: how much of it is left."""

from collections.abc import Callable
from datetime import timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

type TimeLeft = Callable[[], timedelta]


def time_left(context: LambdaContext) -> TimeLeft:
    return lambda: timedelta(milliseconds=context.get_remaining_time_in_millis())
