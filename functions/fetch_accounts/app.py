"""Table stream and fetch queue: exchange what is due, and drop its account data in S3."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import wiring
from landing.edge import fetch_batch
from landing.edge.invocation import invoked, time_left

logger = Logger()
wiring.in_init(wiring.fetcher)


@logger.inject_lambda_context
@invoked
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return fetch_batch.answer(
        event["Records"],
        wiring.fetcher(),
        wiring.stream_failures(),
        time_left(context),
        threads=wiring.fetch_threads(),
        logger=logger,
    )
