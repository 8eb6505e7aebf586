"""Table stream: announce how connections ended, to whoever listens on the bus."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import wiring
from landing.edge import announce_batch
from landing.edge.invocation import invoked

logger = Logger()
wiring.in_init(wiring.announcer)


@logger.inject_lambda_context
@invoked
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return announce_batch.answer(event["Records"], wiring.announcer(), wiring.refused_announcements(), logger=logger)
