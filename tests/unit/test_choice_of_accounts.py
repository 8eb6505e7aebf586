"""A choice of accounts is no dead end: it can be taken back, and one that is gone asks to choose again."""

import json

import pytest

from landing.domain.connection import Action, Status
from landing.domain.reasons import Reason
from tests.world.service import Service


def test_a_null_takes_the_choice_back_and_fetches_all_accounts(service: Service) -> None:
    login_id = service.connect_bank()
    (one, *_) = service.accounts_of(login_id)
    answer = service.post(login_id, accountIds=[one])
    connection_id = json.loads(answer["body"])["connectionId"]
    service.settle()

    service.post(login_id, accountIds=None)
    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.generation, row.account_ids) == (Status.READY, 2, None)
    assert row.drop is not None
    assert row.drop.accounts == len(service.accounts_of(login_id))


def test_what_is_not_said_leaves_the_choice_as_it_is(service: Service) -> None:
    login_id = service.connect_bank()
    (one, *_) = service.accounts_of(login_id)
    answer = service.post(login_id, accountIds=[one])
    connection_id = json.loads(answer["body"])["connectionId"]

    service.post(login_id)

    assert service.row(connection_id).account_ids == (one,)


def test_a_first_post_with_null_means_all_accounts(service: Service) -> None:
    answer = service.post(service.connect_bank(), accountIds=None)

    assert service.row(json.loads(answer["body"])["connectionId"]).account_ids is None


@pytest.mark.parametrize(
    "answered", [{"code": "INVALID_REQUEST"}, {"fault": "zero_accounts"}], ids=["refused", "empty"]
)
def test_a_choice_that_flinks_no_longer_knows_asks_the_person_to_choose_again(
    service: Service, answered: dict[str, str]
) -> None:
    login_id = service.connect_bank()
    (one, *_) = service.accounts_of(login_id)
    service.script(endpoint="GetAccountsDetail", steps=[answered])
    connection_id = json.loads(service.post(login_id, accountIds=[one])["body"])["connectionId"]

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.reason, row.action) == (
        Status.ACTION_REQUIRED,
        Reason.CHOSEN_ACCOUNTS_GONE,
        Action.RECONNECT,
    )
    assert service.drops() == []


def test_a_refusal_without_a_choice_is_still_for_support(service: Service) -> None:
    service.script(endpoint="GetAccountsDetail", steps=[{"code": "INVALID_REQUEST"}])
    connection_id = service.connect_and_post()

    service.settle()

    assert service.row(connection_id).action is Action.CONTACT_SUPPORT
