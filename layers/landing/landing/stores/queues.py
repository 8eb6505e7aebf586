"""Delayed messages that carry ids only."""

import json
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from landing.domain.backoff import LONGEST_DELAY
from landing.domain.connection import Hint
from landing.error_names import NOT_SERVED

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class BadMessage(ValueError):
    """A message that is not one of ours; it does not say what it was."""


class FetchQueue:
    """Hints for `fetch_accounts`, delivered at least once and not before their delay is over."""

    def __init__(self, sqs: "SQSClient", queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def send(self, hint: Hint, delay: timedelta = timedelta()) -> None:
        """Raises one of `NOT_SERVED` when SQS cannot serve."""
        seconds = -(-min(max(delay, timedelta()), LONGEST_DELAY) // timedelta(seconds=1))
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps(to_message(hint)), DelaySeconds=seconds)

    def wake(self, hint: Hint, delay: timedelta = timedelta()) -> None:
        """As `send`; a message that cannot be sent now is made good by `resume_stalled`."""
        with suppress(*NOT_SERVED):
            self.send(hint, delay)


class EraseQueue(FetchQueue):
    """The same hints, for `delete_connection`."""


class PutAside:
    """A queue for ops: what can be brought to no end here, as ids; and why, in one word."""

    def __init__(self, sqs: "SQSClient", queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def keep(self, connection_id: str, code: str, **ids: Any) -> None:
        """Raises one of `NOT_SERVED` when SQS cannot serve."""
        message = json.dumps({"connectionId": connection_id, **ids, "code": code})
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=message)


def to_message(hint: Hint) -> dict[str, Any]:
    return {
        "connectionId": hint.connection_id,
        "generation": hint.generation,
        "attempt": hint.attempt,
    }


def from_message(body: str) -> Hint:
    """Raises BadMessage."""
    try:
        message = json.loads(body)
        hint = Hint(message["connectionId"], message["generation"], message["attempt"])
    except (ValueError, TypeError, KeyError):
        raise BadMessage("not a hint of ours") from None
    if not isinstance(hint.connection_id, str) or type(hint.generation) is not int or type(hint.attempt) is not int:
        raise BadMessage("not a hint of ours")
    return hint
