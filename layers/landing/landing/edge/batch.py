"""A batch that Lambda takes from a stream or a queue: each record has one fate, and stops no other."""

from collections.abc import Callable, Iterable
from typing import Any

from aws_lambda_powertools import Logger

from landing.domain.connection import Hint
from landing.stores.connection_row import hint_of
from landing.stores.queues import BadMessage, from_message

type Record = dict[str, Any]
type Answer = dict[str, Any]


def is_batch(event: Any) -> bool:
    """Whether the event comes from a queue; anything else is an order, a malformed one perhaps."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and all(isinstance(each, dict) and "messageId" in each for each in records)


def read[T](records: Iterable[Record], what: Callable[[Record], T], logger: Logger) -> tuple[dict[str, T], list[str]]:
    """What the records hold, by identifier; and the identifiers of those that hold nothing of ours."""
    held: dict[str, T] = {}
    failed: list[str] = []
    for record in records:
        id_ = _identifier(record)
        try:
            held[id_] = what(record)
        except BadMessage:
            logger.error("not a message of ours", messageId=id_)
            failed.append(id_)
    return held, failed


def failures(identifiers: Iterable[str]) -> Answer:
    """What Lambda is to deliver again."""
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in identifiers]}


def _identifier(record: Record) -> str:
    """How a partial failure names this record."""
    return str(record["messageId"] if _is_message(record) else record["dynamodb"]["SequenceNumber"])


def _is_message(record: Record) -> bool:
    return bool(record["eventSource"] == "aws:sqs")


def hint_in(record: Record) -> Hint:
    """Raises BadMessage for a message that is not ours."""
    return from_message(record["body"]) if _is_message(record) else hint_of(record["dynamodb"]["NewImage"])
