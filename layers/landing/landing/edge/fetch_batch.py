"""A batch for `fetch_accounts`: what each record says is due, with one log line."""

from typing import Any

from aws_lambda_powertools import Logger

from landing import metrics
from landing.deadlines import TimeLeft
from landing.domain.connection import Hint
from landing.edge.batch import Answer, Record, failures, hint_in, identifier, is_message, put_aside, read
from landing.error_names import NOT_SERVED, name_of, place_of
from landing.metrics import Metric
from landing.stores.queues import PutAside
from landing.verbs.fetch_accounts import Fetcher, fetch_all
from landing.verbs.fetch_steps import FetchEnding, FetchOutcome

_COUNTED = {
    FetchEnding.READY: Metric.CONNECTION_READY,
    FetchEnding.PENDING: Metric.CONNECTION_PENDING,
    FetchEnding.WAITING: Metric.CONNECTION_WAITING,
    FetchEnding.ACTION_REQUIRED: Metric.CONNECTION_ACTION_REQUIRED,
    FetchEnding.FAILED: Metric.CONNECTION_FAILED,
}


def answer(
    records: list[Record], fetcher: Fetcher, aside: PutAside, time_left: TimeLeft, *, threads: int, logger: Logger
) -> Answer:
    """Fetch what each record says is due.

    Where AWS could not serve, the record comes again. Where something else went wrong, time mends nothing: a message
    comes again until its queue puts it aside, a record of the stream is put aside at once, so that none waits behind
    it; the table still says that it is due.
    """
    hints, failed = read(records, hint_in, logger, aside)
    messages = {identifier(record) for record in records if is_message(record)}
    outcomes = fetch_all(hints.values(), fetcher, threads=threads, time_left=time_left)
    counted: list[str] = []
    for (id_, hint), outcome in zip(hints.items(), outcomes, strict=True):
        counted += _report(hint, outcome, logger)
        if isinstance(outcome, Exception):
            again = isinstance(outcome, NOT_SERVED) or id_ in messages
            if again or not put_aside(aside, hint.connection_id, outcome, logger):
                failed.append(id_)
    metrics.count(counted)
    metrics.count_causes(each.cause.label for each in outcomes if isinstance(each, FetchOutcome) and each.cause)
    return failures(failed)


def _report(hint: Hint, outcome: FetchOutcome | Exception, logger: Logger) -> list[str]:
    """One log line for a hint that changed something, and the metrics to count for it."""
    about: dict[str, Any] = {"connectionId": hint.connection_id, "generation": hint.generation, "attempt": hint.attempt}
    if isinstance(outcome, Exception):
        logger.error("fetch broke off", error=name_of(outcome), place=place_of(outcome), **about)
        return [Metric.FETCH_ERROR]
    about["correlationId"] = outcome.correlation_id
    if not outcome.is_news:
        return list(outcome.metrics)
    cause = outcome.cause.text if outcome.cause else None
    logger.info("fetch ended", ending=outcome.ending, reason=outcome.reason, cause=cause, **about)
    return [*outcome.metrics, *([_COUNTED[outcome.ending]] if outcome.ending in _COUNTED else [])]
