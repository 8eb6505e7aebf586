"""Ops: ask Flinks again, try again at once, or announce again, for those meant. Counts only, unless told otherwise.

An order is `{"refetch": chosen}`, `{"retry": chosen}` or `{"reannounce": chosen}`; who may invoke this may do all.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import wiring
from landing.edge import refetch_order
from landing.edge.invocation import invoked, time_left

logger = Logger()


@logger.inject_lambda_context
@invoked
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return refetch_order.answer(
        event, wiring.refetcher(), time_left(context), correlation_id=context.aws_request_id, logger=logger
    )
