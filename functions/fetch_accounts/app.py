"""Table stream and fetch queue: exchange what is due, and drop its account data in S3."""

from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import error_names, metrics, wiring
from landing.domain.connection import Hint
from landing.metrics import Metric
from landing.stores import queues
from landing.stores.connection_row import hint_of
from landing.verbs.fetch_accounts import FetchEnding, FetchOutcome, fetch_all

logger = Logger()


COUNTED = {
    FetchEnding.READY: Metric.CONNECTION_READY,
    FetchEnding.PENDING: Metric.CONNECTION_PENDING,
    FetchEnding.WAITING: Metric.CONNECTION_WAITING,
    FetchEnding.ACTION_REQUIRED: Metric.CONNECTION_ACTION_REQUIRED,
    FetchEnding.FAILED: Metric.CONNECTION_FAILED,
}


def identifier(record: dict[str, Any]) -> str:
    """How a partial failure names this record."""
    from_queue = record["eventSource"] == "aws:sqs"
    return str(record["messageId"] if from_queue else record["dynamodb"]["SequenceNumber"])


def hint_in(record: dict[str, Any]) -> Hint:
    """Raises BadMessage for a message that is not ours."""
    if record["eventSource"] == "aws:sqs":
        return queues.from_message(record["body"])
    return hint_of(record["dynamodb"]["NewImage"])


def report(hint: Hint, outcome: FetchOutcome | Exception) -> list[str]:
    """One log line for a hint, and the metrics to count for it."""
    about: dict[str, Any] = {"connectionId": hint.connection_id, "generation": hint.generation, "attempt": hint.attempt}
    if isinstance(outcome, Exception):
        error, place = error_names.name_of(outcome), error_names.place_of(outcome)
        logger.error("fetch broke off", error=error, place=place, **about)
        return [Metric.FETCH_ERROR]
    about["correlationId"] = outcome.correlation_id
    logger.info("fetch ended", ending=outcome.ending, reason=outcome.reason, **about)
    return [*outcome.metrics, *([COUNTED[outcome.ending]] if outcome.ending in COUNTED else [])]


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    hints: dict[str, Hint] = {}
    failed: list[str] = []
    for record in event["Records"]:
        try:
            hints[identifier(record)] = hint_in(record)
        except queues.BadMessage:
            logger.error("not a message of ours", messageId=identifier(record))
            failed.append(identifier(record))
    outcomes = fetch_all(
        hints.values(),
        wiring.fetcher(),
        threads=wiring.fetch_threads(),
        time_left=lambda: timedelta(milliseconds=context.get_remaining_time_in_millis()),
    )
    counted: list[str] = []
    for (id_, hint), outcome in zip(hints.items(), outcomes, strict=True):
        counted += report(hint, outcome)
        if isinstance(outcome, Exception):
            failed.append(id_)
    metrics.count(counted)
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}
