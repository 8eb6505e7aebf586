"""A card that others have too: only who is known to own the login keeps it alive, and nobody for long."""

from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest

from landing.domain.connection import AtFlinks, Status
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import Service


@pytest.fixture
def erasing(service: Service, monkeypatch: pytest.MonkeyPatch) -> Erasing:
    return with_erasing(service, monkeypatch)


def shared(service: Service, first: str, second: str, **card: Any) -> tuple[str, str, str]:
    """One login that two people post; gives it and their connectionIds, nothing fetched yet for the second."""
    login_id = service.connect_bank(**card)
    ours = str(service.post(login_id, first)["headers"]["Location"]).rsplit("/", 1)[-1]
    service.settle()
    theirs = str(service.post(login_id, second)["headers"]["Location"]).rsplit("/", 1)[-1]
    return login_id, ours, theirs


def at_flinks(erasing: Erasing, connection_id: str) -> str:
    return str(erasing.receipt(connection_id)["erased"]["flinks"]["answer"])


def test_a_stranger_who_posts_a_leaked_login_does_not_keep_its_card_alive(service: Service, erasing: Erasing) -> None:
    login_id = service.connect_bank()
    service.retag(login_id, service.tag_for("alice"))
    ours = str(service.post(login_id, "alice")["headers"]["Location"]).rsplit("/", 1)[-1]
    service.settle()
    service.post(login_id, "mallory")

    erasing.erase(ours)
    erasing.settle()

    assert at_flinks(erasing, ours) == AtFlinks.DELETED
    assert service.row(ours).status is Status.DELETED


def test_an_erasure_waits_until_another_connection_has_proven_itself_or_not(service: Service, erasing: Erasing) -> None:
    _, ours, theirs = shared(service, "alice", "bob")

    told = erasing.erase(ours)
    erasing.settle()

    assert (told["outcome"], told["reason"]) == ("deleting", "another_connection_under_way")
    assert service.row(theirs).status is Status.READY
    assert at_flinks(erasing, ours) == AtFlinks.KEPT


def test_a_stranger_who_posts_again_and_again_delays_a_deletion_by_a_day_at_most(
    service: Service, erasing: Erasing
) -> None:
    service.script(endpoint="Authorize", steps=[{"fault": "ok"}, {"code": "RETRY_LATER", "times": "forever"}])
    login_id, ours, _ = shared(service, "alice", "mallory")
    ordered = service.world.clock.now()
    erasing.erase(ours)

    for days in cycle((365, 90)):  # another choice each time: no fetch of hers ever comes to its end
        if service.row(ours).status is Status.DELETED:
            break
        service.post(login_id, "mallory", daysOfTransactions=days)
        service.world.run(timedelta(hours=1))
        assert service.world.clock.now() < ordered + timedelta(hours=26)

    assert at_flinks(erasing, ours) == AtFlinks.DELETED


def test_a_co_owner_who_was_once_ready_keeps_the_card(service: Service, erasing: Erasing) -> None:
    _, ours, theirs = shared(service, "alice", "bob")
    service.settle()

    erasing.erase(ours)
    erasing.settle()
    erasing.erase(theirs)
    erasing.settle()

    assert at_flinks(erasing, ours) == AtFlinks.KEPT
    assert at_flinks(erasing, theirs) == AtFlinks.DELETED


def test_a_deletion_that_was_never_answered_is_told_from_a_login_that_never_was(
    service: Service, erasing: Erasing
) -> None:
    login_id = service.connect_bank()
    service.stream.enabled = False  # it is never authorized
    ours = str(service.post(login_id, "alice")["headers"]["Location"]).rsplit("/", 1)[-1]
    service.script(endpoint="DeleteCard", steps=[{"fault": "hang", "seconds": 90}])

    erasing.erase(ours)
    erasing.settle()

    assert at_flinks(erasing, ours) == AtFlinks.UNANSWERED
