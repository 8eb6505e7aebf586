"""A batch that Lambda takes from a stream or a queue: each record has one fate, and stops no other."""

from collections.abc import Callable, Iterable
from typing import Any

from aws_lambda_powertools import Logger

from landing.domain.connection import Hint
from landing.error_names import NOT_SERVED, name_of, place_of
from landing.stores.connection_row import hint_of, id_in
from landing.stores.queues import PutAside, from_message

type Record = dict[str, Any]
type Answer = dict[str, Any]


def is_batch(event: Any) -> bool:
    """Whether the event comes from a queue; anything else is an order, a malformed one perhaps."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and all(isinstance(each, dict) and "messageId" in each for each in records)


def read[T](
    records: Iterable[Record], what: Callable[[Record], T], logger: Logger, aside: PutAside | None = None
) -> tuple[dict[str, T], list[str]]:
    """What the records hold, by identifier; and the identifiers of those that Lambda is to deliver again.

    What holds nothing of ours is named and stops no other: a message comes again until its queue puts it aside; a
    record of a stream goes to `aside` as ids, for a stream would wait behind it.
    """
    held: dict[str, T] = {}
    failed: list[str] = []
    for record in records:
        id_ = identifier(record)
        try:
            held[id_] = what(record)
        except Exception as error:  # noqa: BLE001 - whatever it holds
            if is_message(record) or aside is None:
                logger.error("not a message of ours", messageId=id_)
                failed.append(id_)
            elif not put_aside(aside, key_of(record), error, logger):
                failed.append(id_)
    return held, failed


def put_aside(aside: PutAside, connection_id: str, error: Exception, logger: Logger) -> bool:
    """Whether ops have it; if not, it must come again."""
    code = type(error).__name__
    logger.error("record put aside", connectionId=connection_id, code=code, place=place_of(error))
    try:
        aside.keep(connection_id, code)
    except NOT_SERVED as fault:
        logger.error("record not put aside", connectionId=connection_id, error=name_of(fault))
        return False
    return True


def key_of(record: Record) -> str:
    """The connectionId of a stream's record: its key, whatever else it holds."""
    return id_in(record["dynamodb"].get("Keys") or record["dynamodb"].get("NewImage") or {})


def failures(identifiers: Iterable[str]) -> Answer:
    """What Lambda is to deliver again."""
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in identifiers]}


def identifier(record: Record) -> str:
    """How a partial failure names this record."""
    return str(record["messageId"] if is_message(record) else record["dynamodb"]["SequenceNumber"])


def is_message(record: Record) -> bool:
    return bool(record["eventSource"] == "aws:sqs")


def hint_in(record: Record) -> Hint:
    """Raises BadMessage for a message that is not ours, UnreadableRow for a record."""
    return from_message(record["body"]) if is_message(record) else hint_of(record["dynamodb"]["NewImage"])
