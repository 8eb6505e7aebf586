"""A message says what the row was like when it was sent: of another time, it starts nothing and is not sent on."""

import json
from datetime import timedelta

import pytest

from landing import wiring
from landing.domain.announcements import announcement_of
from landing.domain.connection import Connection, Status
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import BUCKET, Service


@pytest.fixture
def erasing(service: Service, monkeypatch: pytest.MonkeyPatch) -> Erasing:
    return with_erasing(service, monkeypatch)


def test_of_an_attempt_that_is_over_no_second_chain_of_polls_begins(service: Service) -> None:
    connection_id = service.connect_and_post(pending={"polls": 1})
    row = service.until(connection_id, Status.PENDING)
    waiting = len(service.world.queues["fetch"].messages)
    old = {"connectionId": connection_id, "generation": row.generation, "attempt": row.attempt - 1}

    service.world.sqs.send_message(QueueUrl=service.world.queues["fetch"].url, MessageBody=json.dumps(old))
    service.world.run(timedelta(seconds=1))

    assert service.row(connection_id) == row
    assert len(service.world.queues["fetch"].messages) == waiting


def put_unheard_and_failed(service: Service) -> Connection:
    """S3 left the PUT unanswered, and then the data turned out to be another login's."""
    connection_id = service.connect_and_post()
    service.world.fail("s3", "put_object", "InternalError")
    service.until(connection_id, Status.WAITING)
    service.script(endpoint="GetAccountsDetail", steps=[{"fault": "other_login"}])
    return service.until(connection_id, Status.FAILED)


def test_of_what_may_yet_be_swept_nobody_is_told_how_it_ended(service: Service, erasing: Erasing) -> None:
    row = put_unheard_and_failed(service)

    before = announcement_of(row, BUCKET)
    erasing.settle()

    assert before is None
    assert announcement_of(service.row(row.connection_id), BUCKET) is not None


def test_what_may_yet_land_is_not_swept_before_it_must_have_landed(service: Service, erasing: Erasing) -> None:
    row = put_unheard_and_failed(service)
    connection_id = row.connection_id
    assert row.sweepable_at is not None
    early = row.sweepable_at - service.world.clock.now()
    deleted = [call for call in service.world.calls if call.operation == "delete_objects"]

    outcome = wiring.eraser().resume(row.hint, lambda: timedelta(minutes=5))

    assert early > timedelta()
    assert outcome.ending == "early"
    assert service.row(connection_id).uncommitted == (1,)
    assert [call for call in service.world.calls if call.operation == "delete_objects"] == deleted
    assert BUCKET in service.world.buckets
    assert erasing.messages()
