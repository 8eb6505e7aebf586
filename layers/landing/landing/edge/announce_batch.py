"""A batch for `publish_events`: what each record of the stream says has ended, with one log line."""

from aws_lambda_powertools import Logger

from landing import metrics
from landing.domain.connection import Settled
from landing.edge.batch import Answer, Record, failures, read
from landing.metrics import Metric
from landing.stores.connection_row import settled_of
from landing.stores.queues import PutAside
from landing.verbs.publish_events import AnnounceOutcome, Announcer, Fate

_COUNTED = {
    Fate.ANNOUNCED: Metric.EVENT_ANNOUNCED,
    Fate.SUPERSEDED: Metric.EVENT_SUPERSEDED,
    Fate.ALREADY: Metric.EVENT_SUPERSEDED,
    Fate.REFUSED: Metric.EVENT_REFUSED,
    Fate.NOT_NOW: Metric.EVENT_DELAYED,
}


def answer(records: list[Record], announcer: Announcer, aside: PutAside, *, logger: Logger) -> Answer:
    """Announce what each record of the stream says has ended."""
    settled, failed = read(records, lambda record: settled_of(record["dynamodb"]["NewImage"]), logger, aside)
    outcomes = announcer.announce(settled.values())
    for each, outcome in outcomes.items():
        report(each, outcome, logger)
    metrics.count(_COUNTED[outcome.fate] for outcome in outcomes.values())
    failed += [id_ for id_, each in settled.items() if outcomes[each].fate is Fate.NOT_NOW]
    return failures(failed)


def report(settled: Settled, outcome: AnnounceOutcome, logger: Logger) -> None:
    if outcome.fate in (Fate.SUPERSEDED, Fate.ALREADY):
        return
    log = logger.info if outcome.fate is Fate.ANNOUNCED else logger.error
    log(
        "announcement ended",
        fate=outcome.fate,
        code=outcome.code,
        status=settled.status,
        connectionId=settled.connection_id,
        generation=settled.generation,
        correlationId=outcome.correlation_id,
    )
