"""What is sent to us is not said again: in answers, errors and reprs; and no answer is kept by a cache."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from landing import strict_json
from landing.edge.bodies import PostedLogin
from landing.edge.delete_order import Order
from landing.edge.orders import OrderBody
from landing.edge.refetch_order import Asked
from landing.stores import owner_tag
from landing.stores.connection_row import id_in
from landing.stores.owner_tag import OwnerTag
from tests.world.service import Service, http_event

LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
MARK = "5ecre7-mark"


@pytest.mark.parametrize(
    "body",
    [
        {"loginId": LOGIN_ID, MARK: 1},
        {"loginId": MARK},
        {"loginId": LOGIN_ID, "accountIds": [MARK]},
        {"loginId": {MARK: MARK}},
    ],
)
def test_a_refusal_quotes_nothing_that_was_sent(service: Service, body: dict[str, Any]) -> None:
    answer = service.post_raw(json.dumps(body))

    assert answer["statusCode"] == 422
    assert MARK not in json.dumps(answer)
    assert LOGIN_ID not in json.dumps(answer)


@pytest.mark.parametrize("model", [Order, Asked])
def test_an_error_of_the_models_quotes_nothing_either(model: type[OrderBody]) -> None:
    with pytest.raises(ValidationError) as error:
        model.model_validate({"loginId": [MARK], "limit": MARK, "ticket": f"{MARK} {MARK}"})

    assert MARK not in str(error.value)


def test_a_posted_login_has_no_repr_with_its_id() -> None:
    posted = PostedLogin(login_id=LOGIN_ID)

    assert posted.login_id == LOGIN_ID
    assert LOGIN_ID not in repr(posted)
    assert LOGIN_ID not in str(posted)


@pytest.mark.parametrize(
    "odd", [{"selectAccounts": "true"}, {"selectAccounts": 1}, {"webview": "false"}, {"daysOfTransactions": "90"}]
)
def test_nothing_in_a_body_is_converted(service: Service, odd: dict[str, Any]) -> None:
    event = http_event("POST /connect-sessions", "alice", body=json.dumps(odd))

    assert service.call("create_connect_session", event)["statusCode"] == 422


def test_no_answer_is_to_be_kept(service: Service) -> None:
    service.set_environment(FLINKS_CONNECT_URL="https://connect.example/v2/")
    accepted = service.post(service.connect_bank())
    shown = service.get(str(json.loads(accepted["body"])["connectionId"]))
    opened = service.call("create_connect_session", http_event("POST /connect-sessions", "alice", body="{}"))
    refused = service.post_raw("{")

    answers = (accepted, shown, opened, refused)
    assert [each["statusCode"] for each in answers] == [202, 200, 201, 400]
    assert {each["headers"]["Cache-Control"] for each in answers} == {"no-store"}


def test_a_value_does_not_outlive_its_document_in_the_parsers_cache() -> None:
    (first,), (second,) = (strict_json.parse(json.dumps([LOGIN_ID]).encode()) for _ in range(2))

    assert first == second == LOGIN_ID
    assert first is not second


@pytest.mark.parametrize("odd", [LOGIN_ID + " " + MARK, "con_\n", "x" * 65, ""])
def test_an_id_that_cannot_be_one_is_not_said_again(odd: str) -> None:
    assert id_in({"connectionId": {"S": odd}}) == "unknown"


def test_a_tag_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare_digest(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(owner_tag, "compare_digest", compare_digest)
    tags = OwnerTag(lambda message: (message * 32)[:32], "arn")
    tag = tags._tag("alice", 5)  # noqa: SLF001 - a tag without a clock

    assert tags.verify(tag, "alice") == "ours"
    assert compared == [(tag, tag)]
