"""Table stream: announce how connections ended, to whoever listens on the bus."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import metrics, wiring
from landing.domain.connection import Settled, Status
from landing.metrics import Metric
from landing.stores.connection_row import hint_of
from landing.verbs.publish_events import AnnounceOutcome, Fate

logger = Logger()


COUNTED = {
    Fate.ANNOUNCED: Metric.EVENT_ANNOUNCED,
    Fate.SUPERSEDED: Metric.EVENT_SUPERSEDED,
    Fate.REFUSED: Metric.EVENT_REFUSED,
    Fate.NOT_NOW: Metric.EVENT_DELAYED,
}


def settled_in(record: dict[str, Any]) -> Settled:
    image = record["dynamodb"]["NewImage"]
    hint = hint_of(image)
    return Settled(hint.connection_id, hint.generation, Status(image["status"]["S"]))


def report(settled: Settled, outcome: AnnounceOutcome) -> None:
    log = logger.info if outcome.fate in (Fate.ANNOUNCED, Fate.SUPERSEDED) else logger.error
    log(
        "announcement ended",
        fate=outcome.fate,
        code=outcome.code,
        status=settled.status,
        connectionId=settled.connection_id,
        generation=settled.generation,
        correlationId=outcome.correlation_id,
    )


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    settled = {record["dynamodb"]["SequenceNumber"]: settled_in(record) for record in event["Records"]}
    outcomes = wiring.announcer().announce(settled.values())
    for each, outcome in outcomes.items():
        report(each, outcome)
    metrics.count(COUNTED[outcome.fate] for outcome in outcomes.values())
    failed = [number for number, each in settled.items() if outcomes[each].fate is Fate.NOT_NOW]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
