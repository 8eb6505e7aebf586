"""Ops, and the erase queue: erase connections at Flinks, in S3 and in our table. Safe to repeat.

An order names connections by connectionId, loginId or owner (one, or a list of up to 100), with the `ticket` that
asked for it; `dryRun` only looks. Whoever may invoke this function may erase: IAM decides who.
"""

from datetime import timedelta
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from landing import error_names, metrics, wiring
from landing.domain.reasons import Reason
from landing.edge.delete_order import ACCEPTED, Order, carry_out, shown
from landing.metrics import Metric
from landing.stores import queues
from landing.verbs.delete_connection import EraseEnding, EraseOutcome, TimeLeft, outcome_of

logger = Logger()

COUNTED = {
    EraseEnding.DELETED: Metric.CONNECTION_DELETED,
    EraseEnding.UNKNOWN_AT_FLINKS: Metric.CONNECTION_DELETED,
    EraseEnding.DELETING: Metric.CONNECTION_DELETING,
}


def report(connection_id: str | None, outcome: EraseOutcome | Exception, ticket: str | None = None) -> None:
    """One log line for a run, and the metrics to count for it."""
    about: dict[str, Any] = {"connectionId": connection_id, "ticket": ticket}
    if isinstance(outcome, Exception):
        error, place = error_names.name_of(outcome), error_names.place_of(outcome)
        logger.error("erase broke off", error=error, place=place, **about)
        metrics.count([Metric.ERASE_ERROR])
        return
    logger.info("erase ended", ending=outcome.ending, reason=outcome.reason, cause=outcome.cause, **about)
    metrics.count([*outcome.metrics, *([COUNTED[outcome.ending]] if outcome.ending in COUNTED else [])])


def erase_ordered(event: dict[str, Any], time_left: TimeLeft) -> dict[str, Any]:
    try:
        order = Order.model_validate(event)
    except ValidationError:
        logger.warning("order refused")
        return {"outcome": "refused", "accepted": ACCEPTED}
    try:
        done = carry_out(order, wiring.eraser(), time_left, threads=wiring.erase_threads())
    except (ClientError, BotoCoreError) as error:
        report(None, error, order.ticket)
        return {"outcome": "not_done", "reason": Reason.SERVICE_UNAVAILABLE}
    for each in done:
        report(each.connection_id, each.outcome, order.ticket)
    return {"dryRun": order.dry_run, "connections": [shown(each) for each in done]}


def erase_due(records: list[dict[str, Any]], time_left: TimeLeft) -> dict[str, Any]:
    eraser = wiring.eraser()
    failed: list[str] = []
    for record in records:
        try:
            hint = queues.from_message(record.get("body", ""))
        except queues.BadMessage:
            logger.error("not a message of ours", messageId=record["messageId"])
            failed.append(record["messageId"])
            continue
        outcome = outcome_of(partial(eraser.resume, hint, time_left))
        report(hint.connection_id, outcome)
        if isinstance(outcome, Exception):
            failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}


def is_batch(event: Any) -> bool:
    """Whether the event comes from the queue; anything else is an order, a malformed one perhaps."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and all(isinstance(each, dict) and "messageId" in each for each in records)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    def time_left() -> timedelta:
        return timedelta(milliseconds=context.get_remaining_time_in_millis())

    if is_batch(event):
        return erase_due(event["Records"], time_left)
    return erase_ordered(event, time_left)
