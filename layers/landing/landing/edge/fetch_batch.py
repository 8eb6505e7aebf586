"""A batch for `fetch_accounts`: what each record says is due, with one log line."""

from typing import Any

from aws_lambda_powertools import Logger

from landing import metrics
from landing.domain.connection import Hint
from landing.edge.batch import Answer, Record, failures, hint_in, read
from landing.edge.invocation import TimeLeft
from landing.error_names import name_of, place_of
from landing.metrics import Metric
from landing.verbs.fetch_accounts import FetchEnding, Fetcher, FetchOutcome, fetch_all

_COUNTED = {
    FetchEnding.READY: Metric.CONNECTION_READY,
    FetchEnding.PENDING: Metric.CONNECTION_PENDING,
    FetchEnding.WAITING: Metric.CONNECTION_WAITING,
    FetchEnding.ACTION_REQUIRED: Metric.CONNECTION_ACTION_REQUIRED,
    FetchEnding.FAILED: Metric.CONNECTION_FAILED,
}


def answer(records: list[Record], fetcher: Fetcher, time_left: TimeLeft, *, threads: int, logger: Logger) -> Answer:
    """Fetch what each record says is due."""
    hints, failed = read(records, hint_in, logger)
    outcomes = fetch_all(hints.values(), fetcher, threads=threads, time_left=time_left)
    counted: list[str] = []
    for (id_, hint), outcome in zip(hints.items(), outcomes, strict=True):
        counted += _report(hint, outcome, logger)
        if isinstance(outcome, Exception):
            failed.append(id_)
    metrics.count(counted)
    return failures(failed)


def _report(hint: Hint, outcome: FetchOutcome | Exception, logger: Logger) -> list[str]:
    """One log line for a hint, and the metrics to count for it."""
    about: dict[str, Any] = {"connectionId": hint.connection_id, "generation": hint.generation, "attempt": hint.attempt}
    if isinstance(outcome, Exception):
        logger.error("fetch broke off", error=name_of(outcome), place=place_of(outcome), **about)
        return [Metric.FETCH_ERROR]
    about["correlationId"] = outcome.correlation_id
    logger.info("fetch ended", ending=outcome.ending, reason=outcome.reason, **about)
    return [*outcome.metrics, *([_COUNTED[outcome.ending]] if outcome.ending in _COUNTED else [])]
