"""Ops: ask Flinks again, or announce again, for the connections meant. Counts only, unless told otherwise.

An order is `{"refetch": chosen}` or `{"reannounce": chosen}`; whoever may invoke this function may do both.
"""

from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from landing import metrics, wiring
from landing.edge.refetch_order import ACCEPTED, Asked, order_of, shown
from landing.metrics import Metric
from landing.verbs.refetch_connections import RefetchEnding

logger = Logger()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    try:
        asked = Asked.model_validate(event)
    except ValidationError:
        logger.warning("order refused")
        return {"outcome": "refused", "accepted": ACCEPTED}
    order = order_of(asked, context.aws_request_id)
    run = wiring.refetcher().run(order, lambda: timedelta(milliseconds=context.get_remaining_time_in_millis()))
    logger.info("order ended", verb=order.verb, dryRun=order.dry_run, counts=run.counts, complete=run.complete)
    if not order.dry_run:
        metrics.count(
            [Metric.EVENT_ANNOUNCED] * run.counts[RefetchEnding.ANNOUNCED]
            + [Metric.CONNECTION_REFETCHED] * run.counts[RefetchEnding.REFETCHED]
        )
    return shown(order, run)
