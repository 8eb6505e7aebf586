"""The exchange as flinks.md §4, §5 and §18.1 to 6, 15 to 17 and 22 describe it."""

from typing import Any

import pytest

from local.flinks.bank import Bank
from local.flinks.cards import Pending
from local.flinks.ids import GUID
from local.flinks.personas import QUESTIONS
from tests.unit.simulator.driver import NOBODY, Caller, connect

MINUTE = 60


def test_each_token_is_a_new_guid(flinks: Caller) -> None:
    tokens = {flinks.token() for _ in range(3)}

    assert len(tokens) == 3
    assert all(GUID.fullmatch(token) for token in tokens)


@pytest.mark.parametrize("headers", [{}, {"flinks_auth_key": "wrong"}])
def test_a_wrong_or_missing_secret_key_gets_no_token(flinks: Caller, headers: dict[str, str]) -> None:
    reply = flinks.call("POST", "GenerateAuthorizeToken", **headers)

    assert reply.status == 401
    assert reply.json() == {
        "HttpStatusCode": 401,
        "Message": "You must provide a valid auth key",
        "FlinksCode": "UNAUTHORIZED",
    }


def test_a_cached_authorize_opens_a_session_on_the_login(bank: Bank, flinks: Caller) -> None:
    card = connect(bank, "Greatday")

    reply = flinks.authorize(card.login_id)

    opened = reply.json()
    assert (reply.status, opened["HttpStatusCode"]) == (200, 200)
    assert opened["Login"]["Id"] == card.login_id
    assert opened["Login"]["Username"] == "Greatday"
    assert (opened["Institution"], opened["InstitutionId"]) == ("FlinksCapital", 14)
    assert set(opened["Links"][0]) == {"rel", "href", "example"}
    assert GUID.fullmatch(opened["RequestId"])
    assert "Tag" not in opened


def test_a_token_is_good_for_one_authorize(bank: Bank, flinks: Caller) -> None:
    card, token = connect(bank), flinks.token()

    first = flinks.authorize(card.login_id, token=token)
    second = flinks.authorize(card.login_id, token=token)

    assert (first.status, second.status) == (200, 401)
    assert second.json()["Message"] == "You must provide a valid authorize token"


def test_a_failed_authorize_has_spent_its_token(bank: Bank, flinks: Caller) -> None:
    card, token = connect(bank), flinks.token()

    flinks.authorize(NOBODY, token=token)
    again = flinks.authorize(card.login_id, token=token)

    assert again.json()["FlinksCode"] == "UNAUTHORIZED"


@pytest.mark.parametrize(("minutes", "status"), [(29.9, 200), (30, 401)])
def test_a_token_dies_after_thirty_minutes(bank: Bank, flinks: Caller, minutes: float, status: int) -> None:
    card, token = connect(bank), flinks.token()

    bank.clock.advance(minutes * MINUTE)

    assert flinks.authorize(card.login_id, token=token).status == status


def test_the_secret_key_is_no_token(bank: Bank, flinks: Caller) -> None:
    reply = flinks.authorize(connect(bank).login_id, token=bank.settings.secret_key)

    assert (reply.status, reply.json()["FlinksCode"]) == (401, "UNAUTHORIZED")


def test_a_customer_from_before_october_2024_needs_no_token(bank: Bank, flinks: Caller) -> None:
    bank.settings.token_required = False

    reply = flinks.authorize(connect(bank).login_id, token="none at all")

    assert reply.status == 200


def test_a_reconnect_gives_the_same_login_whatever_the_case(bank: Bank) -> None:
    assert connect(bank, "GreatDay").login_id == connect(bank, "greatday").login_id


def test_another_language_gives_another_login(bank: Bank) -> None:
    assert connect(bank, language="fr").login_id != connect(bank, language="en").login_id


def test_a_login_that_was_deleted_comes_back_under_another_id(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    flinks.delete(card.login_id)

    assert connect(bank).login_id != card.login_id


def test_login_ids_are_guids_that_no_rfc_4122_check_accepts(bank: Bank) -> None:
    ids = [connect(bank, f"user {number}").login_id for number in range(50)]

    assert all(GUID.fullmatch(each) for each in ids)
    assert not any(each[19] in "89ab" for each in ids)
    assert all(each[24:28] == "08de" for each in ids)


@pytest.mark.parametrize("status", [401, 400])
def test_an_unknown_login_is_invalid_with_either_status(bank: Bank, flinks: Caller, status: int) -> None:
    bank.settings.invalid_login_status = status

    reply = flinks.authorize(NOBODY)

    assert (reply.status, reply.json()["FlinksCode"]) == (status, "INVALID_LOGIN")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"MostRecentCached":true}', b'{"LoginId":"x","MostRecentCached":true}']
)
def test_a_malformed_authorize_is_an_invalid_request(flinks: Caller, body: bytes) -> None:
    reply = flinks.call("POST", "Authorize", body, flinks_auth_key=flinks.token())

    assert (reply.status, reply.json()["FlinksCode"]) == (401, "INVALID_REQUEST")
    assert reply.json()["ValidationDetails"]


@pytest.mark.parametrize("true", [True, "true", "True"])
def test_member_names_match_in_any_case_and_booleans_may_be_strings(bank: Bank, flinks: Caller, true: Any) -> None:
    content = {"loginid": connect(bank).login_id.upper(), "MOSTRECENTCACHED": true}

    reply = flinks.call("POST", "Authorize", content, FLINKS_AUTH_KEY=flinks.token())

    assert reply.status == 200


def test_a_tag_comes_from_the_connection_or_from_the_call(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    card.tag = "client=1"

    assert flinks.authorize(card.login_id).json()["Tag"] == "client=1"
    assert flinks.authorize(card.login_id, Tag="client=2").json()["Tag"] == "client=2"


def test_last_refresh_has_seven_digits_and_no_zone(bank: Bank, flinks: Caller) -> None:
    login = flinks.authorize(connect(bank).login_id).json()["Login"]

    assert login["LastRefresh"].startswith("2026-03-02T12:00:00.000000")
    assert len(login["LastRefresh"]) == len("2026-03-02T14:05:09.4172038")


def test_a_login_that_was_never_refreshed_says_year_one(bank: Bank, flinks: Caller) -> None:
    login = flinks.authorize(connect(bank, "never_refreshed").login_id).json()["Login"]

    assert login["LastRefresh"] == "0001-01-01T00:00:00"


def test_a_cached_authorize_replays_how_the_last_live_attempt_ended(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    card.outcome = "DISABLED_LOGIN"

    reply = flinks.authorize(card.login_id)

    assert (reply.status, reply.json()["FlinksCode"]) == (401, "DISABLED_LOGIN")
    assert "RequestId" not in reply.json()


def test_a_question_nobody_answered_leaves_a_working_request_in_the_401(bank: Bank, flinks: Caller) -> None:
    card = connect(bank, "greatday")
    flinks.log_in("greatday")

    reply = flinks.authorize(card.login_id)

    assert (reply.status, reply.json()["FlinksCode"]) == (401, "QUESTION_NOT_FOUND")
    assert flinks.detail(reply.json()["RequestId"]).status == 200


def test_a_second_session_waits_while_the_first_is_processing(bank: Bank, flinks: Caller) -> None:
    card = connect(bank, polls=2)
    first = flinks.open(card)
    flinks.detail(first)

    second = flinks.authorize(card.login_id)

    assert (second.status, second.json()["FlinksCode"]) == (401, "CONCURRENT_SESSION")
    assert (flinks.poll(first).status, flinks.poll(first).status) == (202, 200)
    assert flinks.authorize(card.login_id).status == 200


def test_a_session_that_polls_no_more_lets_its_card_go(bank: Bank, flinks: Caller) -> None:
    card = connect(bank, polls=2)
    flinks.detail(flinks.open(card))

    bank.clock.advance(MINUTE)

    assert flinks.authorize(card.login_id).status == 200


def test_a_session_without_end_holds_its_card_for_thirty_minutes(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    card.wait(Pending(never=True), bank.clock.now())
    flinks.detail(flinks.open(card))

    bank.clock.advance(29 * MINUTE)
    held = flinks.authorize(card.login_id)
    bank.clock.advance(MINUTE)
    free = flinks.authorize(card.login_id)

    assert (held.status, free.status) == (401, 200)


def test_a_live_login_is_asked_one_question_and_keeps_its_request(flinks: Caller) -> None:
    asked = flinks.log_in("GreatDay", "EveryDay")

    (challenge,) = asked.json()["SecurityChallenges"]
    answer = {question.prompt: question.answer for question in QUESTIONS["en"]}[challenge["Prompt"]]
    reply = _respond(flinks, asked.json()["RequestId"], {challenge["Prompt"]: [answer.upper()]})

    assert (asked.status, challenge["Type"], challenge["Iterables"]) == (203, "QuestionAndAnswer", None)
    assert (reply.status, reply.json()["RequestId"]) == (200, asked.json()["RequestId"])
    assert flinks.detail(reply.json()["RequestId"]).status == 200


@pytest.mark.parametrize(
    ("answers", "status", "code"),
    [
        ({}, 203, None),
        ({"What city were you born in?": ["Atlantis"]}, 401, "INVALID_SECURITY_RESPONSE"),
        ({"what city were you born in?": ["Montreal"]}, 401, "UNKNOWN_CHALLENGE_KEY"),
    ],
)
def test_no_wrong_or_misplaced_answer_gets_in(
    bank: Bank, flinks: Caller, answers: dict[str, list[str]], status: int, code: str | None
) -> None:
    bank.choose = lambda questions: questions[0]
    request_id = flinks.log_in("greatday").json()["RequestId"]

    reply = _respond(flinks, request_id, answers)

    assert (reply.status, reply.json().get("FlinksCode")) == (status, code)
    assert flinks.detail(request_id).json()["FlinksCode"] == "UNAUTHORIZED"


def test_a_french_session_asks_in_french(flinks: Caller) -> None:
    prompt = flinks.log_in("greatday", Language="fr").json()["SecurityChallenges"][0]["Prompt"]

    assert prompt.split()[0] in {"Où", "Quel", "Quelle"}


@pytest.mark.parametrize(
    ("username", "password", "status", "code"),
    [
        ("greatday_nomfa", "Everyday", 200, None),
        ("greatday", "wrong", 401, "INVALID_LOGIN"),
        ("test_disabled_account", "Everyday", 401, "DISABLED_LOGIN"),
        ("test_service_unavailable", "Everyday", 401, "RETRY_LATER"),
        ("nobody", "Everyday", 401, "INVALID_USERNAME"),
    ],
)
def test_every_documented_test_user_behaves_as_documented(
    flinks: Caller, username: str, password: str, status: int, code: str | None
) -> None:
    reply = flinks.log_in(username, password)

    assert (reply.status, reply.json().get("FlinksCode")) == (status, code)


@pytest.mark.parametrize(
    ("username", "code"), [("test_pending", "OPERATION_PENDING"), ("test_dispatched", "OPERATION_DISPATCHED")]
)
def test_some_test_users_are_always_processed_in_the_background(flinks: Caller, username: str, code: str) -> None:
    request_id = flinks.log_in(username).json()["RequestId"]

    first, second = flinks.detail(request_id), flinks.poll(request_id)

    assert (first.status, first.json()["FlinksCode"]) == (202, code)
    assert second.status == 200


def test_an_answer_to_an_open_session_is_too_late(flinks: Caller) -> None:
    request_id = flinks.log_in("greatday_nomfa").json()["RequestId"]

    assert _respond(flinks, request_id, {}).json()["FlinksCode"] == "ALREADY_AUTHORIZED"


def test_a_login_that_is_not_saved_is_not_named(flinks: Caller) -> None:
    assert "Login" not in flinks.log_in("greatday_nomfa", Save=False).json()


def test_an_unknown_customer_is_not_found(bank: Bank) -> None:
    reply = bank.answer("POST", f"/v3/{NOBODY}/BankingServices/Authorize", {}, b"{}")

    assert (reply.status, reply.json()["FlinksCode"]) == (404, "CUSTOMER_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "endpoint", "status"),
    [
        ("GET", "Authorize", 405),
        ("POST", f"GetAccountsDetailAsync/{NOBODY}", 405),
        ("GET", f"DeleteCard/{NOBODY}", 405),
        ("POST", "authorize", 404),
        ("POST", "Nonsense", 404),
        ("POST", "GetStatements", 405),
    ],
)
def test_methods_and_endpoint_names_are_matched_exactly(
    flinks: Caller, method: str, endpoint: str, status: int
) -> None:
    assert flinks.call(method, endpoint, {}).status == status


def _respond(flinks: Caller, request_id: str, answers: dict[str, list[str]]) -> Any:
    content = {"RequestId": request_id, "SecurityResponses": answers}
    return flinks.call("POST", "Authorize", content, flinks_auth_key=flinks.token())
