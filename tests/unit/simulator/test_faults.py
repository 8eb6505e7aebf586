"""Fault scripts: which call gets which answer, and what each fault does to it (flinks.md §18.18)."""

import gzip
import json
from typing import Any

import pytest

from local.flinks.bank import Bank
from local.flinks.faults import CATALOGUE
from local.flinks.reply import Json, Reply
from tests.unit.simulator.driver import Caller, connect

DATA = "GetAccountsDetail"


@pytest.fixture
def spoiled(bank: Bank, flinks: Caller) -> Any:
    """Ask for data once, with one fault in force."""

    def ask(fault: str, **more: Any) -> Reply:
        request_id = flinks.open(connect(bank))
        bank.faults.add({"endpoint": DATA, "fault": fault, **more})
        return flinks.detail(request_id)

    return ask


# Which call --------------------------------------------------------------------------------------------------


def test_steps_are_consumed_in_order_and_then_flinks_answers_as_usual(bank: Bank, flinks: Caller) -> None:
    request_id = flinks.open(connect(bank))
    steps = [{"code": "RETRY_LATER", "times": 2}, {"fault": "ok"}, {"code": "AGGREGATION_ERROR"}]
    bank.faults.add({"endpoint": DATA, "steps": steps})

    assert [flinks.detail(request_id).status for _ in range(6)] == [401, 401, 200, 500, 200, 200]


def test_a_step_may_last_for_ever_and_be_removed(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    script = bank.faults.add({"endpoint": "Authorize", "code": "TOO_MANY_REQUESTS", "times": "forever"})

    during = {flinks.authorize(card.login_id).status for _ in range(5)}
    bank.faults.remove(script.number)

    assert (during, flinks.authorize(card.login_id).status) == ({401}, 200)


def test_a_script_meets_only_its_endpoints(bank: Bank, flinks: Caller) -> None:
    bank.faults.add({"endpoint": ["DeleteCard", DATA], "code": "AGGREGATION_ERROR", "times": "forever"})
    card = connect(bank)

    request_id = flinks.open(card)

    assert (flinks.detail(request_id).status, flinks.delete(card.login_id).status) == (500, 500)


def test_a_script_meets_only_its_card_on_every_endpoint(bank: Bank, flinks: Caller) -> None:
    sick, well = connect(bank, "sick"), connect(bank, "well")
    request_id = flinks.open(sick)
    bank.faults.add({"loginId": sick.login_id.upper(), "code": "RETRY_LATER", "times": "forever"})

    assert flinks.authorize(well.login_id).status == 200
    assert {
        reply.json()["FlinksCode"]
        for reply in (
            flinks.authorize(sick.login_id),
            flinks.detail(request_id),
            flinks.poll(request_id),
            flinks.delete(sick.login_id),
        )
    } == {"RETRY_LATER"}


def test_the_oldest_script_comes_first(bank: Bank, flinks: Caller) -> None:
    for status in (502, 503):
        bank.faults.add({"endpoint": "Authorize", "fault": "html", "status": status})

    assert [flinks.authorize().status for _ in range(3)] == [502, 503, 401]


@pytest.mark.parametrize(
    "script",
    [
        [],
        {"fault": "no such thing"},
        {"steps": []},
        {"steps": [{"fault": "ok"}], "fault": "ok"},
        {"fault": "ok", "times": 0},
        {"fault": "ok", "times": "often"},
        {"steps": ["ok"]},
        {"fault": "ok", "loginId": 7},
    ],
)
def test_a_malformed_script_is_refused(bank: Bank, script: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        bank.faults.add(script)


def test_a_scripted_refusal_has_spent_its_token(bank: Bank, flinks: Caller) -> None:
    card, token = connect(bank), flinks.token()
    bank.faults.add({"endpoint": "Authorize", "code": "RETRY_LATER"})

    flinks.authorize(card.login_id, token=token)

    assert flinks.authorize(card.login_id, token=token).json()["FlinksCode"] == "UNAUTHORIZED"


def test_a_scripted_end_of_session_ends_it(bank: Bank, flinks: Caller) -> None:
    card = connect(bank, polls=5)
    request_id = flinks.open(card)
    flinks.detail(request_id)
    bank.faults.add({"code": "SESSION_EXPIRED"})

    flinks.poll(request_id)

    assert flinks.poll(request_id).json()["FlinksCode"] == "SESSION_NONEXISTENT"
    assert flinks.authorize(card.login_id).status == 200


def test_after_a_scripted_failure_of_processing_the_card_is_free(bank: Bank, flinks: Caller) -> None:
    card = connect(bank, polls=5)
    request_id = flinks.open(card)
    flinks.detail(request_id)
    bank.faults.add({"code": "AGGREGATION_ERROR"})

    flinks.poll(request_id)

    assert flinks.authorize(card.login_id).status == 200


# In the place of an answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 429])
def test_any_code_comes_with_any_status_and_headers(bank: Bank, flinks: Caller, status: int) -> None:
    bank.faults.add(
        {"endpoint": "Authorize", "code": "TOO_MANY_REQUESTS", "status": status, "headers": {"Retry-After": "-7"}}
    )

    reply = flinks.authorize()

    assert (reply.status, reply.json()["HttpStatusCode"]) == (status, status)
    assert reply.json()["FlinksCode"] == "TOO_MANY_REQUESTS"
    assert reply.headers["Retry-After"] == "-7"


def test_a_code_comes_with_its_usual_status(bank: Bank, flinks: Caller) -> None:
    bank.faults.add({"endpoint": "Authorize", "code": "DISABLED_INSTITUTION"})

    assert flinks.authorize().status == 405


def test_an_error_may_lack_its_code_and_have_other_members(bank: Bank, flinks: Caller) -> None:
    bank.faults.add(
        {
            "endpoint": "Authorize",
            "code": None,
            "status": 500,
            "message": "m",
            "members": {"Institution": "FlinksCapital"},
        }
    )

    error = flinks.authorize().json()

    assert error == {"HttpStatusCode": 500, "Message": "m", "Institution": "FlinksCapital"}


def test_an_error_may_carry_a_working_request(bank: Bank, flinks: Caller) -> None:
    bank.faults.add({"endpoint": "Authorize", "code": "QUESTION_NOT_FOUND", "withSession": True})

    reply = flinks.authorize(connect(bank).login_id)

    assert (reply.status, reply.json()["FlinksCode"]) == (401, "QUESTION_NOT_FOUND")
    assert flinks.detail(reply.json()["RequestId"]).status == 200


def test_any_body_can_be_put_in_the_place_of_an_answer(spoiled: Any) -> None:
    text, value = spoiled("raw", body="nonsense", status=418), spoiled("raw", body=[1])

    assert (text.status, text.headers["Content-Type"], text.body) == (418, "text/plain", b"nonsense")
    assert (value.status, value.headers["Content-Type"], value.body) == (200, "application/json", b"[1]")


def test_a_step_whose_members_tell_its_kind_needs_no_fault_name(bank: Bank, flinks: Caller) -> None:
    bank.faults.add({"endpoint": "Authorize", "steps": [{"code": "RETRY_LATER"}, {"body": "x"}, {"hang": 1}]})

    coded, raw, late = (flinks.authorize() for _ in range(3))

    assert (coded.json()["FlinksCode"], raw.body) == ("RETRY_LATER", b"x")
    assert (late.json()["FlinksCode"], late.wire.hang_seconds) == ("INVALID_LOGIN", 1)


@pytest.mark.parametrize("status", [200, 502, 503])
def test_html_comes_with_any_status(spoiled: Any, status: int) -> None:
    reply = spoiled("html", status=status)

    assert (reply.status, reply.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert reply.body.startswith(b"<!DOCTYPE html>")


def test_an_answer_can_be_empty_a_redirect_a_question_or_pending(spoiled: Any) -> None:
    empty, redirect, question, pending = (spoiled(name) for name in ("empty", "redirect", "mfa", "pending"))

    assert (empty.status, empty.body) == (200, b"")
    assert (redirect.status, redirect.headers["Location"][:8]) == (302, "https://")
    assert (question.status, len(question.json()["SecurityChallenges"])) == (203, 1)
    assert (pending.status, pending.json()["FlinksCode"]) == (202, "OPERATION_PENDING")


@pytest.mark.parametrize("step", [{"code": "OPERATION_DISPATCHED"}, {"fault": "pending"}])
def test_after_a_scripted_202_the_poll_goes_on(bank: Bank, flinks: Caller, step: Json) -> None:
    request_id = flinks.open(connect(bank))
    bank.faults.add({"endpoint": DATA, **step})

    first = flinks.detail(request_id, WithKYC=False)
    data = flinks.poll(request_id)

    assert (first.status, data.status) == (202, 200)
    assert data.json()["Accounts"][0]["Holder"] is None


def test_even_authorize_may_answer_202_with_a_working_request(bank: Bank, flinks: Caller) -> None:
    bank.faults.add({"endpoint": "Authorize", "fault": "pending"})

    reply = flinks.authorize(connect(bank).login_id)

    assert reply.status == 202
    assert flinks.detail(reply.json()["RequestId"]).status == 200


def test_a_pending_answer_may_pretend_to_carry_data(spoiled: Any) -> None:
    assert spoiled("pending", members={"Accounts": []}).json()["Accounts"] == []


# In the bytes -------------------------------------------------------------------------------------------------


def test_compression_can_be_honest_a_lie_or_a_bomb(spoiled: Any) -> None:
    honest, lie, bomb = spoiled("gzip"), spoiled("gzip_lie"), spoiled("gzip_bomb", megabytes=40)

    assert {reply.headers["Content-Encoding"] for reply in (honest, lie, bomb)} == {"gzip"}
    assert json.loads(gzip.decompress(honest.body))["HttpStatusCode"] == 200
    assert lie.json()["HttpStatusCode"] == 200
    assert len(bomb.body) < 1_000_000
    assert len(gzip.decompress(bomb.body)) > 40_000_000


def test_a_huge_answer_is_still_the_answer(spoiled: Any) -> None:
    reply = spoiled("huge", megabytes=3)

    assert len(reply.body) == 3 * 1024 * 1024
    assert len(reply.json()["Accounts"]) == 5


@pytest.mark.parametrize(
    "fault", ["bom", "trailing_garbage", "invalid_utf8", "huge_integer", "deep_nesting", "gzip", "empty", "html"]
)
def test_some_faults_give_what_pythons_json_refuses(spoiled: Any, fault: str) -> None:
    reply = spoiled(fault)

    with pytest.raises((ValueError, RecursionError)):
        json.loads(reply.body.decode())


@pytest.mark.parametrize(
    ("fault", "mark"),
    [
        ("nan", b":NaN,"),
        ("huge_integer", b"9" * 100_000),
        ("wide_number", b":12345678901234567.89,"),
        ("deep_nesting", b"[" * 100_000),
        ("lone_surrogate", b'"\\ud83d"'),
        ("duplicate_keys", b',"Accounts":[]}'),
        ("bom", b"\xef\xbb\xbf{"),
        ("invalid_utf8", b"\xff"),
    ],
)
def test_a_poisoned_answer_carries_the_poison_in_its_body(spoiled: Any, fault: str, mark: bytes) -> None:
    assert mark in spoiled(fault).body


@pytest.mark.parametrize("fault", ["nan", "lone_surrogate", "duplicate_keys", "deep_nesting", "unknown_members"])
def test_answers_without_accounts_can_be_poisoned_too(bank: Bank, flinks: Caller, fault: str) -> None:
    bank.faults.add({"endpoint": "Authorize", "fault": fault})

    reply = flinks.authorize(connect(bank).login_id)

    assert reply.status == 200
    assert reply.body[:1] == b"{"


def test_the_content_type_and_length_can_lie(spoiled: Any) -> None:
    typed, short = spoiled("wrong_content_type"), spoiled("wrong_content_length", by=-10)

    assert typed.headers["Content-Type"] == "text/html"
    assert int(short.headers["Content-Length"]) == len(short.body) - 10


def test_a_hang_may_come_with_any_step(spoiled: Any) -> None:
    slow_error, slow_answer = spoiled("code", code="RETRY_LATER", hang=3), spoiled("hang", seconds=4)

    assert (slow_error.status, slow_error.wire.hang_seconds) == (401, 3)
    assert (slow_answer.status, slow_answer.wire.hang_seconds) == (200, 4)


# In the data --------------------------------------------------------------------------------------------------


def test_an_answer_can_carry_another_login_request_or_tag(spoiled: Any, bank: Bank) -> None:
    login, request, tag = spoiled("other_login").json(), spoiled("other_request").json(), spoiled("other_tag").json()

    assert login["Login"]["Id"] not in bank.vault.cards
    assert request["RequestId"] not in bank.vault.sessions
    assert tag["Tag"] == "somebody else's"


def test_data_may_come_with_an_error_code_or_another_status(spoiled: Any) -> None:
    coded, other = spoiled("code_beside_data"), spoiled("status", status=500)

    assert (coded.status, coded.json()["FlinksCode"]) == (200, "AGGREGATION_ERROR")
    assert (other.status, other.json()["HttpStatusCode"]) == (500, 200)


def test_accounts_can_be_empty_absent_or_no_array(spoiled: Any) -> None:
    assert spoiled("zero_accounts").json()["Accounts"] == []
    assert "Accounts" not in spoiled("absent_accounts").json()
    assert spoiled("odd_accounts").json()["Accounts"] is None
    assert spoiled("odd_accounts", value={}).json()["Accounts"] == {}


def test_any_member_can_be_set_or_missing(spoiled: Any) -> None:
    assert spoiled("members", members={"HttpStatusCode": 500}).json()["HttpStatusCode"] == 500
    assert "Login" not in spoiled("without", member="Login").json()


def test_an_error_can_lose_its_code(bank: Bank, flinks: Caller) -> None:
    bank.faults.add({"endpoint": "Authorize", "fault": "no_code"})

    reply = flinks.authorize()

    assert (reply.status, "FlinksCode" in reply.json()) == (401, False)


@pytest.mark.parametrize(
    ("fault", "is_odd"),
    [
        ("holder_as_string", lambda account, _: isinstance(account["Holder"], str)),
        ("no_transactions", lambda account, _: account["Transactions"] == []),
        ("unknown_members", lambda account, entry: "Novelty" in account and "Novelty" in entry),
        ("odd_dates", lambda _, entry: "/" in entry["Date"] or entry["Date"].endswith("T00:00:00")),
        ("debit_and_credit", lambda _, entry: entry["Debit"] and entry["Credit"]),
        ("zero_for_null", lambda _, entry: 0 in {entry["Debit"], entry["Credit"]}),
        ("numbers_as_strings", lambda _, entry: isinstance(entry["Debit"] or entry["Credit"], str)),
    ],
)
def test_data_has_the_oddities_that_integrations_met(spoiled: Any, fault: str, is_odd: Any) -> None:
    usual: Json = spoiled("ok").json()["Accounts"][0]
    odd: Json = spoiled(fault).json()["Accounts"][0]

    assert is_odd(odd, (odd["Transactions"] or [{}])[0])
    assert not is_odd(usual, usual["Transactions"][0])


def test_a_scripted_oddity_changes_no_later_answer(spoiled: Any) -> None:
    before = spoiled("ok").json()["Accounts"]
    spoiled("unknown_members")

    assert spoiled("ok").json()["Accounts"] == before


@pytest.mark.parametrize("fault", sorted(CATALOGUE))
@pytest.mark.parametrize("endpoint", ["GenerateAuthorizeToken", "Authorize", DATA, f"{DATA}Async", "DeleteCard"])
def test_every_fault_fits_every_endpoint(bank: Bank, flinks: Caller, fault: str, endpoint: str) -> None:
    card = connect(bank)
    request_id, token = flinks.open(card), flinks.token()
    flinks.detail(request_id)
    bank.faults.add({"endpoint": endpoint, "fault": fault, "member": "Login", "megabytes": 1})

    replies = {
        "GenerateAuthorizeToken": lambda: flinks.call("POST", endpoint, flinks_auth_key=bank.settings.secret_key),
        "Authorize": lambda: flinks.authorize(card.login_id, token=token),
        DATA: lambda: flinks.detail(request_id),
        f"{DATA}Async": lambda: flinks.poll(request_id),
        "DeleteCard": lambda: flinks.delete(card.login_id),
    }
    reply = replies[endpoint]()

    assert isinstance(reply, Reply)
    assert bank.faults.next_step(endpoint, None) is None
