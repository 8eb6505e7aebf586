"""Ops: keep loginIds that were kept elsewhere until now, sealed like any that is posted. Looks only, unless told.

An order is `{"logins": [{"loginId", "owner", "institution", "receivedAt"}, …], "fetch": "now" or "later"}`; whoever
may invoke this function says whose logins they are. Safe to repeat: what is here already stays as it is.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import wiring
from landing.edge import import_order
from landing.edge.invocation import invoked, time_left

logger = Logger()


@logger.inject_lambda_context
@invoked
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return import_order.answer(
        event, wiring.importer(), time_left(context), correlation_id=context.aws_request_id, logger=logger
    )
