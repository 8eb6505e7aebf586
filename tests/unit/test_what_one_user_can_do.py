"""What one access token can do to us, to Flinks and to other people is bounded."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from landing.domain.connection import AtFlinks, Status
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import Service

AN_HOUR = timedelta(hours=1)


@pytest.fixture
def erasing(service: Service, monkeypatch: pytest.MonkeyPatch) -> Erasing:
    return with_erasing(service, monkeypatch)


@pytest.fixture
def limited(service: Service) -> Service:
    """As few as can be told apart; it is half an hour to the next hour of the clock."""
    began = service.world.clock.now().replace(minute=0, second=0, microsecond=0)
    service.world.clock.advance(began + timedelta(minutes=90) - service.world.clock.now())
    service.set_environment(FETCHES_PER_HOUR="5", FETCHES_PER_CONNECTION="2")
    return service


def problem(answer: dict[str, Any]) -> str:
    return str(json.loads(answer["body"])["type"]).rsplit(":", 1)[-1]


def invented() -> str:
    return str(uuid.uuid4())


def fetched_anew(service: Service, login_id: str, owner: str = "alice") -> dict[str, Any]:
    """A POST that finds its connection settled for more than a minute: Flinks is asked again."""
    service.settle()
    service.world.clock.advance(timedelta(seconds=61))
    return service.post(login_id, owner)


# --- how much of Flinks one user can have


def test_a_page_of_invented_logins_is_turned_away_and_asks_flinks_no_more(limited: Service) -> None:
    answers = [limited.post(invented()) for _ in range(8)]
    of_bob = limited.post(invented(), "bob")
    limited.settle()

    assert [each["statusCode"] for each in answers] == [202] * 5 + [429] * 3
    assert problem(answers[-1]) == "too-many-fetches"
    assert answers[-1]["headers"]["Retry-After"] == "1800"
    assert of_bob["statusCode"] == 202
    assert len(limited.rows()) == 6
    assert len(limited.flinks_calls("Authorize")) == 6


def test_a_connection_is_fetched_anew_so_often_and_no_oftener(limited: Service) -> None:
    login_id, other = limited.connect_bank(), limited.connect_bank("another")
    limited.post(login_id)

    again = [fetched_anew(limited, login_id)["statusCode"] for _ in range(3)]
    limited.post(other)
    of_another_connection = fetched_anew(limited, other)["statusCode"]
    row = limited.row(limited.rows()[0].connection_id)

    assert again == [202, 202, 429]
    assert of_another_connection == 202
    assert row.generation == 3


def test_all_fetches_of_one_user_count_together(limited: Service) -> None:
    logins = [limited.connect_bank(name) for name in ("one", "another", "third")]
    for login_id in logins:
        limited.post(login_id)

    again = [fetched_anew(limited, login_id)["statusCode"] for login_id in logins]

    assert again == [202, 202, 429]


def test_the_next_hour_begins_anew_and_what_was_refused_is_then_accepted(limited: Service) -> None:
    logins = [invented() for _ in range(6)]
    refused = [limited.post(each) for each in logins][-1]

    limited.world.clock.advance(timedelta(seconds=int(refused["headers"]["Retry-After"])))

    assert refused["statusCode"] == 429
    assert limited.post(logins[-1])["statusCode"] == 202


def test_a_post_that_asks_flinks_nothing_is_never_refused(limited: Service) -> None:
    login_id = limited.connect_bank()

    answers = [limited.post(login_id)["statusCode"] for _ in range(4)]
    limited.settle()
    answers += [limited.post(login_id)["statusCode"] for _ in range(4)]

    assert answers == [202] * 8
    assert len(limited.flinks_calls("Authorize")) == 1


def test_a_post_that_waits_for_a_bank_counts_each_time_it_has_it_tried_at_once(limited: Service) -> None:
    login_id = limited.connect_bank()
    limited.script(endpoint="Authorize", steps=[{"code": "RETRY_LATER", "times": "forever"}])
    limited.post(login_id)
    (row,) = limited.rows()

    answers = []
    for _ in range(3):
        limited.until(row.connection_id, Status.WAITING)
        answers.append(limited.post(login_id)["statusCode"])

    assert answers == [202, 202, 429]


def test_what_could_not_be_sealed_is_not_counted(limited: Service) -> None:
    """An outage of ours uses up nobody's hour."""
    limited.world.fail("kms", "encrypt", "InternalError", 20)
    login_id = limited.connect_bank()

    during = [limited.post(login_id)["statusCode"] for _ in range(20)]
    after = limited.post(login_id)

    assert set(during) == {503}
    assert after["statusCode"] == 202


def test_a_counter_names_nobody_and_goes_by_itself(limited: Service) -> None:
    limited.post(limited.connect_bank(), "alice")

    (counter,) = limited.world.tables["sessions"].items.values()
    assert "alice" not in json.dumps(counter)
    assert int(counter["expiresAt"]["N"]) <= (limited.world.clock.now() + AN_HOUR).timestamp()


# --- what one user can do with the loginId of another


@pytest.fixture
def leaked(service: Service) -> str:
    """A login that alice connected in a session of ours, and that mallory knows."""
    return service.connect_bank(tag=service.tag_for("alice"))


def owned_by(service: Service, owner: str) -> str:
    return next(row.connection_id for row in service.rows() if row.owner == owner)


def test_a_stranger_reads_nothing_of_a_login_that_was_connected_in_a_session_of_ours(
    service: Service, leaked: str
) -> None:
    service.post(leaked, "mallory")
    service.settle()

    theirs = json.loads(service.get(owned_by(service, "mallory"), "mallory")["body"])
    assert (theirs["status"], theirs["reason"], theirs["accounts"]) == ("failed", "ownership_mismatch", None)
    assert service.drops() == []


@pytest.mark.parametrize("first", ["alice", "mallory"])
def test_a_stranger_does_not_shut_the_owner_out(service: Service, leaked: str, first: str) -> None:
    second = {"alice": "mallory", "mallory": "alice"}[first]
    service.post(leaked, first)
    service.post(leaked, second)
    service.settle()

    again = fetched_anew(service, leaked)
    service.settle()

    assert again["statusCode"] == 202
    assert service.row(owned_by(service, "alice")).status is Status.READY
    assert service.row(owned_by(service, "mallory")).status is Status.FAILED


def test_a_stranger_who_is_erased_takes_no_card_of_the_owners_along(
    service: Service, erasing: Erasing, leaked: str
) -> None:
    service.post(leaked, "alice")
    service.settle()
    service.post(leaked, "mallory")
    service.settle()
    theirs = owned_by(service, "mallory")

    erasing.erase(theirs)
    erasing.settle()

    assert erasing.receipt(theirs)["erased"]["flinks"]["answer"] == AtFlinks.KEPT
    assert leaked in service.bank.vault.cards
    assert fetched_anew(service, leaked)["statusCode"] == 202
    service.settle()
    assert service.row(owned_by(service, "alice")).status is Status.READY


def test_the_hour_of_a_stranger_is_not_the_owners(service: Service, leaked: str) -> None:
    service.set_environment(FETCHES_PER_HOUR="2", FETCHES_PER_CONNECTION="1")
    service.post(leaked, "alice")

    for _ in range(5):
        fetched_anew(service, leaked, "mallory")

    assert fetched_anew(service, leaked)["statusCode"] == 202
