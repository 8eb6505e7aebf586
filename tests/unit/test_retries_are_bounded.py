"""Every try has its bound, and no connection pays for pauses of our own making."""

from datetime import timedelta
from itertools import pairwise

from landing.domain.connection import Status
from landing.domain.reasons import Reason
from tests.world.service import Service


def test_a_session_that_flinks_refuses_to_open_is_asked_for_a_few_times_and_then_given_up(service: Service) -> None:
    service.script(endpoint="Authorize", steps=[{"code": "UNAUTHORIZED", "times": "forever"}])
    connection_id = service.connect_and_post()

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.reason) == (Status.FAILED, Reason.FLINKS_REFUSED_SESSION)
    assert len(service.flinks_calls("Authorize")) <= 10


def test_a_key_that_is_put_right_within_minutes_costs_no_connection(service: Service) -> None:
    service.script(endpoint="Authorize", steps=[{"code": "UNAUTHORIZED", "times": 4}])
    connection_id = service.connect_and_post()

    service.settle()

    assert service.row(connection_id).status is Status.READY


def test_throttling_for_hours_costs_no_connection(service: Service) -> None:
    service.script(endpoint="GetAccountsDetail", steps=[{"code": "TOO_MANY_REQUESTS", "times": 300}])
    connections = [service.connect_and_post() for _ in range(5)]

    service.settle()

    assert {service.row(each).status for each in connections} == {Status.READY}


def test_an_open_session_is_never_left_alone_until_flinks_ends_it(service: Service) -> None:
    service.script(endpoint="GetAccountsDetail", steps=[{"code": "TOO_MANY_REQUESTS", "times": 8}])
    service.connect_and_post()

    service.settle()

    throttled = service.flinks_calls("GetAccountsDetail")[:8]
    assert max(later - earlier for earlier, later in pairwise(throttled)) <= timedelta(minutes=5, seconds=1)


def test_a_pause_that_outlasts_the_session_costs_no_session_of_the_connection(service: Service) -> None:
    wait = {"code": "TOO_MANY_REQUESTS", "headers": {"Retry-After": "600"}, "times": 6}
    service.script(endpoint="GetAccountsDetail", steps=[wait])
    connection_id = service.connect_and_post()

    service.settle()

    row = service.row(connection_id)
    assert row.status is Status.READY
    assert row.sessions <= 3
