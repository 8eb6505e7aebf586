"""A pause, in virtual time: claims stop for days, and nothing times out by it once `bin/landing resume` has spoken.

`resume` first has every budget begin anew and then turns the mappings on; here both are done as the tool does them.
"""

import json
from datetime import timedelta

import pytest

from landing.domain.connection import Status, timestamp
from tests.world.audience import Audience, audience_of
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import Service

DAYS = timedelta(days=3)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def audience(service: Service) -> Audience:
    return audience_of(service)


@pytest.fixture
def erasing(service: Service, monkeypatch: pytest.MonkeyPatch) -> Erasing:
    return with_erasing(service, monkeypatch)


def pause(service: Service) -> None:
    service.stream.enabled = service.queue.enabled = False


def resume(service: Service) -> None:
    soon = timestamp(service.world.clock.now() + timedelta(days=1))
    after: dict[str, str] = {}
    while True:
        order = {"retry": {"receivedTo": soon}, "ticket": "resume", "dryRun": False}
        answer = service.call("refetch_connections", order | after)
        if answer["complete"]:
            break
        after = {"continueAfter": answer["continueAfter"]}
    service.stream.enabled = service.queue.enabled = True


@pytest.mark.usefixtures("audience")
def test_what_was_polled_tried_claimed_or_received_goes_on_after_days_as_if_there_had_been_no_pause(
    service: Service,
) -> None:
    polled = service.connect_and_post("greatday_nomfa+1", pending={"polls": 20})
    service.until(polled, Status.PENDING)
    service.script(endpoint="Authorize", steps=[{"fault": "html", "times": 1}])
    tried = service.connect_and_post("greatday_nomfa+2")
    service.until(tried, Status.WAITING)
    pause(service)
    received = service.connect_and_post("greatday_nomfa+3")
    service.world.run(DAYS)
    still = {service.row(each).status for each in (polled, tried, received)}

    service.script(endpoint="Authorize", steps=[{"fault": "html", "times": 2}])
    resume(service)
    service.settle()

    assert still == {Status.PENDING, Status.WAITING, Status.RECEIVED}
    assert [service.row(each).status for each in (polled, tried, received)] == [Status.READY] * 3


@pytest.mark.usefixtures("audience")
def test_erasing_goes_on_meanwhile_to_its_receipt(service: Service, erasing: Erasing) -> None:
    connection_id = service.connect_and_post()
    service.settle()
    pause(service)

    erasing.invoke(connectionId=connection_id, ticket="T-1", dryRun=False)
    service.world.run(10 * MINUTE)

    assert service.row(connection_id).status is Status.DELETED


@pytest.mark.usefixtures("audience")
def test_no_post_is_refused_meanwhile_and_what_was_ready_is_announced(service: Service, audience: Audience) -> None:
    service.connect_and_post("greatday_nomfa+1")
    service.settle()
    pause(service)

    answer = service.post(service.connect_bank("greatday_nomfa+2"))
    service.world.run(MINUTE)

    assert answer["statusCode"] == 202
    assert json.loads(answer["body"])["status"] == "processing"
    assert len(audience.heard) == 1
