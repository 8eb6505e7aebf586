"""A batch for `delete_connection`: the erasures that are due, each with one log line."""

from functools import partial

from aws_lambda_powertools import Logger

from landing.deadlines import TimeLeft
from landing.edge.batch import Answer, Record, failures, hint_in, read
from landing.edge.delete_order import report
from landing.verbs.delete_connection import Eraser, outcome_of


def answer(records: list[Record], eraser: Eraser, time_left: TimeLeft, *, logger: Logger) -> Answer:
    """Go on with each erasure that is due."""
    hints, failed = read(records, hint_in, logger)
    for id_, hint in hints.items():
        outcome = outcome_of(partial(eraser.resume, hint, time_left))
        report(hint.connection_id, outcome, None, logger)
        if isinstance(outcome, Exception):
            failed.append(id_)
    return failures(failed)
