"""Every five minutes: wake someone for each connection whose `dueAt` has passed; announce what nobody did."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import metrics, wiring
from landing.edge.announce_batch import report
from landing.edge.invocation import invoked
from landing.metrics import Metric

logger = Logger()


def resume() -> dict[str, Any]:
    resumed = wiring.resumer().run()
    for settled, outcome in resumed.announcements.items():
        report(settled, outcome, logger)
    if resumed.unreadable:
        logger.error("rows cannot be read", connectionIds=resumed.unreadable)
    said: dict[str, Any] = {
        "woken": resumed.woken,
        "announced": len(resumed.announcements),
        "oldestSeconds": resumed.oldest.total_seconds(),
        "complete": resumed.complete,
    }
    if resumed.woken or resumed.announcements or not resumed.complete:
        logger.info("stalled connections resumed", **said)
    metrics.count([Metric.CONNECTION_RESUMED] * resumed.woken)
    metrics.count([Metric.ERASURE_OVERDUE] * resumed.overdue_deletions)
    metrics.count([Metric.ENDING_UNANNOUNCED] * len(resumed.announcements))
    metrics.measure(Metric.OLDEST_OVERDUE, resumed.oldest.total_seconds())
    return said


@logger.inject_lambda_context
@invoked
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return resume()
