"""Data is asked for and kept only where the session, and the data, are of the login and the owner that were meant."""

import json

import pytest

from landing.domain.connection import Action, Status
from tests.world.service import Service


@pytest.mark.parametrize("ours", [True, False])
def test_a_session_that_is_not_the_owners_is_ended_before_its_data_is_asked_for(service: Service, ours: bool) -> None:
    fault = {"fault": "other_tag", "tag": service.tag_for("bob")} if ours else {"fault": "other_login"}
    service.script(endpoint="Authorize", steps=[fault])
    connection_id = service.connect_and_post()

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.reason) == (Status.FAILED, "ownership_mismatch" if ours else "another_login")
    assert service.flinks_calls("GetAccountsDetail") == []
    assert service.drops() == []


@pytest.mark.parametrize("tag", [None, "client=40817"])
def test_where_a_tag_is_required_what_proves_no_owner_is_refused(service: Service, tag: str | None) -> None:
    service.set_environment(REQUIRE_OWNER_TAG="true")
    connection_id = service.connect_and_post(tag=tag)

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.reason, row.action) == (Status.FAILED, "ownership_unproven", Action.RECONNECT)
    assert service.drops() == []


def test_where_a_tag_is_required_who_proves_it_is_served(service: Service) -> None:
    service.set_environment(REQUIRE_OWNER_TAG="true")
    connection_id = service.connect_and_post(tag=service.tag_for("alice"))

    service.settle()

    assert service.row(connection_id).status is Status.READY
    assert json.dumps(service.drops()).count("000001.json.gz") == 1
