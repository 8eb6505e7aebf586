"""Messages carry hints of ours and nothing else, and are held back no longer than SQS can."""

import json
from datetime import timedelta
from typing import Any

import pytest

from landing.domain.connection import Hint
from landing.stores.queues import BadMessage, FetchQueue, from_message, to_message
from tests.world.world import World

HINT = Hint("con_" + "a" * 26, 2, 3)
OURS = to_message(HINT)


def test_a_message_reads_as_it_was_written() -> None:
    assert from_message(json.dumps(OURS)) == HINT


@pytest.mark.parametrize(
    "odd",
    [
        {"connectionId": 7},
        {"connectionId": ["con_x"]},
        {"generation": "2"},
        {"generation": 2.0},
        {"generation": True},
        {"attempt": None},
        {"attempt": "3"},
    ],
)
def test_what_is_of_another_type_is_no_message_of_ours(odd: dict[str, Any]) -> None:
    with pytest.raises(BadMessage) as refusal:
        from_message(json.dumps(OURS | odd))

    assert str(refusal.value) == "not a hint of ours"


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        (timedelta(hours=5), 900),
        (timedelta(seconds=-5), 0),
        (timedelta(milliseconds=1), 1),
        (timedelta(seconds=10), 10),
    ],
)
def test_a_message_is_delayed_by_no_more_than_a_quarter_of_an_hour(delay: timedelta, seconds: int) -> None:
    world = World()
    queue = FetchQueue(world.sqs, world.sqs.create_queue(QueueName="q")["QueueUrl"])

    queue.send(HINT, delay)

    (sent,) = [call for call in world.calls if call.operation == "send_message"]
    assert sent.parameters["DelaySeconds"] == seconds
