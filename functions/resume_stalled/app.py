"""Every five minutes: wake someone for each connection whose `dueAt` has passed."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import metrics, wiring
from landing.edge.invocation import invoked
from landing.metrics import Metric
from landing.verbs.resume_stalled import resume_stalled

logger = Logger()


def resume() -> dict[str, Any]:
    resumed = resume_stalled(
        wiring.connection_table(),
        wiring.fetch_queue(),
        wiring.erase_queue(),
        wiring.clock,
        at_most=wiring.resume_at_most(),
    )
    oldest = resumed.oldest.total_seconds()
    logger.info("stalled connections resumed", woken=resumed.woken, oldestSeconds=oldest, complete=resumed.complete)
    if resumed.unreadable:
        logger.error("rows cannot be read", connectionIds=resumed.unreadable)
    metrics.count([Metric.CONNECTION_RESUMED] * resumed.woken)
    metrics.count([Metric.ERASURE_OVERDUE] * resumed.overdue_deletions)
    metrics.measure(Metric.OLDEST_OVERDUE, oldest)
    return {"woken": resumed.woken, "oldestSeconds": oldest, "complete": resumed.complete}


@logger.inject_lambda_context
@invoked
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return resume()
