"""Ops, and the erase queue: erase connections at Flinks, in S3 and in our table. Safe to repeat.

An order names connections by connectionId, loginId or owner (one, or a list of up to 100), with the `ticket` that
asked for it; `dryRun` only looks. Whoever may invoke this function may erase: IAM decides who.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import wiring
from landing.edge import batch, delete_order, erase_batch
from landing.edge.invocation import invoked, time_left

logger = Logger()


@logger.inject_lambda_context
@invoked
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    if batch.is_batch(event):
        return erase_batch.answer(event["Records"], wiring.eraser(), time_left(context), logger=logger)
    return delete_order.answer(
        event, wiring.eraser(), time_left(context), threads=wiring.erase_threads(), logger=logger
    )
