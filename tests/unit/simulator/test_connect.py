"""The stand-in for the Connect iframe: flinks.md §12, §13 and §18.20."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local.flinks.bank import Bank
from local.flinks.cards import Pending
from local.flinks.connect import Connect
from local.flinks.reply import Json, Reply
from tests.unit.simulator.driver import NOBODY, Caller

PERSON = {"username": "Greatday", "password": "Everyday", "redirectUrl": "https://app.example.com/done"}


@pytest.fixture
def connect(bank: Bank) -> Connect:
    return Connect(bank)


def test_the_happy_path_says_the_documented_events_in_order(connect: Connect) -> None:
    reply = connect.drive(PERSON | {"accountSelectorEnable": True})

    assert [event.get("step", event.get("flinksCode")) for event in reply.json()["events"]] == [
        "APP_MOUNTED",
        "COMPONENT_LOAD_CONSENT",
        "COMPONENT_ACCEPT_CONSENT",
        "COMPONENT_LOAD_INSTITUTION_SELECTOR",
        "INSTITUTION_SELECTED",
        "COMPONENT_LOAD_CREDENTIAL",
        "SUBMIT_CREDENTIAL",
        "QUESTION_NOT_FOUND",
        "COMPONENT_LOAD_MFA",
        "SUBMIT_MFA",
        "COMPONENT_LOAD_ACCOUNT_SELECTION",
        "ACCOUNT_SELECTED",
        "REDIRECT",
    ]


def test_consent_selection_and_question_appear_only_when_wanted(connect: Connect) -> None:
    reply = connect.drive(PERSON | {"username": "greatday_nomfa", "consentEnable": False})

    assert [event["step"] for event in reply.json()["events"]] == [
        "APP_MOUNTED",
        "COMPONENT_LOAD_INSTITUTION_SELECTOR",
        "INSTITUTION_SELECTED",
        "COMPONENT_LOAD_CREDENTIAL",
        "SUBMIT_CREDENTIAL",
        "REDIRECT",
    ]


def test_the_redirect_names_login_request_and_landing_url(connect: Connect) -> None:
    result = connect.drive(
        PERSON | {"tag": "client=40817", "redirectUrl": "https://app.example.com/done?kept=1"}
    ).json()

    redirect, url = result["events"][-1], urlsplit(result["landingUrl"])
    assert (redirect["loginId"], redirect["requestId"]) == (result["loginId"], result["requestId"])
    assert redirect["url"] == result["landingUrl"]
    assert (url.netloc, url.path) == ("app.example.com", "/done")
    assert parse_qs(url.query) == {
        "kept": ["1"],
        "loginId": [result["loginId"]],
        "tag": ["client=40817"],
        "institution": ["FlinksCapital"],
        "demo": ["true"],
    }


def test_the_login_opens_at_the_api_and_carries_the_tag(connect: Connect, flinks: Caller) -> None:
    login_id = connect.drive(PERSON | {"tag": "client=1"}).json()["loginId"]

    opened = flinks.authorize(login_id).json()

    assert (opened["Login"]["Id"], opened["Login"]["Username"], opened["Tag"]) == (login_id, "Greatday", "client=1")


def test_collecting_starts_as_the_person_is_let_go(bank: Bank, connect: Connect, flinks: Caller) -> None:
    bank.settings.pending = Pending(polls=1, seconds=5)

    login_id = connect.drive(PERSON).json()["loginId"]

    assert flinks.delete(login_id).json()["FlinksCode"] == "CARD_IN_USE"
    assert flinks.detail(flinks.authorize(login_id).json()["RequestId"]).status == 202


def test_a_reconnect_gives_the_same_login_and_french_another(connect: Connect) -> None:
    first, again, french = (
        connect.drive(PERSON | more).json()["loginId"] for more in ({}, {"username": "GREATDAY"}, {"language": "fr"})
    )

    assert first == again != french


def test_the_session_of_connect_is_not_counted_as_one_of_ours(bank: Bank, connect: Connect) -> None:
    login_id = connect.drive(PERSON).json()["loginId"]

    card = bank.vault.cards[login_id]
    assert (card.sessions_opened, card.count_open(bank.clock.now())) == (0, 0)


def test_ninety_days_are_collected_unless_more_are_wanted(bank: Bank, connect: Connect) -> None:
    usual, more = (
        bank.vault.cards[connect.drive(PERSON | wish).json()["loginId"]].days
        for wish in ({}, {"daysOfTransactions": "Days365"})
    )

    assert (usual, more) == (90, 365)


def test_chosen_accounts_are_in_the_event_and_the_url(bank: Bank, connect: Connect) -> None:
    card = bank.vault.cards[connect.drive(PERSON).json()["loginId"]]
    chosen = [account["Id"] for account in card.every_account()[:2]]

    result = connect.drive(PERSON | {"accountIds": chosen}).json()

    assert result["events"][-1]["accountId"] == chosen
    assert parse_qs(urlsplit(result["landingUrl"]).query)["accountId"] == [",".join(chosen)]


def test_the_time_spent_choosing_is_not_spent_collecting(bank: Bank, connect: Connect, flinks: Caller) -> None:
    bank.settings.pending = Pending(polls=0, seconds=5)
    params = {"authorizeToken": flinks.token(), "consentEnable": "false", "accountSelectorEnable": "true"}
    ticket = {"ticket": connect.open({"params": params})["ticket"]}
    connect.institution(ticket | {"institution": "FlinksCapital"})
    offer = connect.credentials(ticket | {"username": "greatday_nomfa", "password": "everyday"})
    bank.clock.advance(60)

    done = connect.accounts(ticket | {"accountIds": [offer["screen"]["accounts"][0]["id"]]})

    card = bank.vault.cards[done["events"][-1]["loginId"]]
    assert card.is_aggregating(bank.clock.now())


@pytest.mark.parametrize("chosen", [[NOBODY], ["a", "b"]])
def test_accounts_that_were_not_on_offer_cannot_be_chosen(connect: Connect, chosen: list[str]) -> None:
    with pytest.raises(ValueError, match="offer"):
        connect.drive(PERSON | {"accountIds": chosen})


def test_one_chosen_account_is_a_string(connect: Connect) -> None:
    events = connect.drive(PERSON | {"accountSelectorEnable": True}).json()["events"]

    assert isinstance(events[-1]["accountId"], str)


@pytest.mark.parametrize(
    ("wish", "code", "retry"),
    [
        ({"password": "wrong"}, "INVALID_LOGIN", "COMPONENT_LOAD_CREDENTIAL_RETRY"),
        ({"username": "nobody"}, "INVALID_USERNAME", "COMPONENT_LOAD_CREDENTIAL_RETRY"),
        ({"username": "test_disabled_account"}, "DISABLED_LOGIN", "COMPONENT_LOAD_CREDENTIAL_RETRY"),
        ({"username": "test_service_unavailable"}, "RETRY_LATER", "COMPONENT_LOAD_CREDENTIAL_RETRY"),
        ({"answer": "Atlantis"}, "INVALID_SECURITY_RESPONSE", "COMPONENT_LOAD_MFA_RETRY"),
    ],
)
def test_what_goes_wrong_is_said_as_a_code_and_may_be_tried_again(
    connect: Connect, wish: Json, code: str, retry: str
) -> None:
    reply = connect.drive(PERSON | wish)

    *_, code_event, step_event = reply.json()["events"]
    assert (reply.status, code_event["flinksCode"], step_event["step"]) == (422, code, retry)


@pytest.mark.parametrize("answer", ["Montreal", "canada", "TRIANGLE"])
def test_any_of_the_three_answers_gets_its_question_asked(connect: Connect, answer: str) -> None:
    assert connect.drive(PERSON | {"answer": answer}).status == 200


def test_a_token_opens_the_page_once(connect: Connect, flinks: Caller) -> None:
    token = flinks.token()
    connect.drive(PERSON | {"authorizeToken": token})

    again = connect.drive(PERSON | {"authorizeToken": token})

    assert again.json()["events"] == [{"step": "APP_MOUNTED"}, {"step": "TOKEN_INVALID"}]


def test_the_test_institution_shows_in_demo_mode_only(connect: Connect, flinks: Caller) -> None:
    answer = connect.open({"params": {"authorizeToken": flinks.token(), "consentEnable": "false"}})

    assert answer["screen"] == {"name": "institution", "institutions": []}


def test_an_institution_in_the_path_skips_the_picker(connect: Connect, flinks: Caller) -> None:
    params = {"authorizeToken": flinks.token(), "consentEnable": "false"}

    answer = connect.open({"params": params, "institution": "FlinksCapital"})

    assert answer["screen"] == {"name": "credentials", "institution": "FlinksCapital"}


@pytest.mark.parametrize(
    ("wish", "navigate"), [({}, "top"), ({"innerRedirect": "true"}, "inner"), ({"jsRedirect": "true"}, "none")]
)
def test_where_the_landing_page_opens_is_the_embedders_wish(
    connect: Connect, flinks: Caller, wish: dict[str, str], navigate: str
) -> None:
    params = {"authorizeToken": flinks.token(), "consentEnable": "false"} | wish
    ticket = {"ticket": connect.open({"params": params})["ticket"]}
    connect.institution(ticket | {"institution": "FlinksCapital"})

    done = connect.credentials(ticket | {"username": "greatday_nomfa", "password": "everyday"})

    assert done["screen"]["navigate"] == navigate


def test_a_landing_page_is_an_http_address(connect: Connect) -> None:
    with pytest.raises(ValueError, match="http"):
        connect.drive(PERSON | {"redirectUrl": "javascript:alert(1)"})


@pytest.mark.parametrize("path", ["/v2/?demo=true", "/v2/Credential/FlinksCapital/?demo=true"])
def test_the_page_is_served_self_contained(connect: Connect, path: str) -> None:
    page = connect.answer("GET", path)

    nonce = page.headers["Content-Security-Policy"].partition("'nonce-")[2].partition("'")[0]
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f'<script nonce="{nonce}">'.encode() in page.body
    assert b"http://" not in page.body
    assert b"https://" not in page.body


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"ticket":"unknown"}'])
@pytest.mark.parametrize("step", ["open", "credentials", "answer", "accounts", "nonsense"])
def test_a_step_out_of_line_is_refused(connect: Connect, step: str, body: bytes) -> None:
    assert connect.answer("POST", f"/v2/steps/{step}", body).status == 400


def test_the_page_takes_each_step_with_a_json_request(connect: Connect, flinks: Caller) -> None:
    def take(step: str, **content: Any) -> Json:
        answer: Json = connect.answer("POST", f"/v2/steps/{step}", Reply.of_json(0, content).body).json()
        return answer

    opened = take("open", params={"authorizeToken": flinks.token(), "demo": "true"})
    take("consent", ticket=opened["ticket"])
    closed = take("close", ticket=opened["ticket"])

    assert closed == {"events": [{"step": "COMPONENT_CLOSE_SESSION"}], "screen": {"name": "closed"}}
    assert json.dumps(opened["screen"]) == '{"name": "consent"}'
