"""DeleteCard as flinks.md §8 and §18.14 describe it."""

import pytest

from local.flinks.bank import Bank
from local.flinks.cards import Pending
from tests.unit.simulator.driver import NOBODY, Caller, connect


def test_a_deletion_answers_status_code_and_no_flinks_code(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)

    reply = flinks.delete(card.login_id)

    assert reply.status == 200
    assert reply.json() == {
        "StatusCode": 200,
        "Message": f"All of the information about LoginId {card.login_id} has been removed",
    }


def test_a_deleted_login_is_invalid_and_its_sessions_are_gone(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    request_id = flinks.open(card)

    flinks.delete(card.login_id.upper())

    assert flinks.authorize(card.login_id).json()["FlinksCode"] == "INVALID_LOGIN"
    assert flinks.detail(request_id).json()["FlinksCode"] == "SESSION_NONEXISTENT"


def test_a_card_that_is_aggregating_is_in_use(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    card.wait(Pending(polls=0, seconds=30), bank.clock.now())

    during = flinks.delete(card.login_id)
    bank.clock.advance(30)
    after = flinks.delete(card.login_id)

    assert (during.status, during.json()["FlinksCode"]) == (400, "CARD_IN_USE")
    assert after.status == 200


def test_polls_that_nobody_makes_do_not_keep_a_card_in_use(bank: Bank, flinks: Caller) -> None:
    assert flinks.delete(connect(bank, polls=3).login_id).status == 200


@pytest.mark.parametrize("status", [401, 400])
def test_a_second_deletion_is_an_invalid_login(bank: Bank, flinks: Caller, status: int) -> None:
    bank.settings.invalid_login_status = status
    card = connect(bank)
    flinks.delete(card.login_id)

    reply = flinks.delete(card.login_id)

    assert (reply.status, reply.json()["FlinksCode"]) == (status, "INVALID_LOGIN")


def test_a_second_deletion_may_be_a_success_in_words(bank: Bank, flinks: Caller) -> None:
    bank.settings.second_delete = "text"

    reply = flinks.delete(NOBODY)

    assert (reply.status, reply.body) == (200, b'"Invalid LoginId"')


def test_a_deletion_needs_no_api_key_but_minds_a_wrong_one(bank: Bank, flinks: Caller) -> None:
    one, other = connect(bank, "one"), connect(bank, "other")

    without = flinks.call("DELETE", f"DeleteCard/{one.login_id}")
    with_wrong = flinks.call("DELETE", f"DeleteCard/{other.login_id}", x_api_key="wrong")

    assert (without.status, with_wrong.status) == (200, 401)


def test_an_instance_may_want_the_api_key_on_a_deletion(bank: Bank, flinks: Caller) -> None:
    bank.settings.delete_needs_api_key = True

    assert flinks.call("DELETE", f"DeleteCard/{connect(bank).login_id}").status == 401
