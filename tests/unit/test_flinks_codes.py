"""What to do about an answer of Flinks."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landing.domain.connection import Action
from landing.flinks import codes
from landing.flinks.answer import Answer, Call
from landing.flinks.codes import Kind, Verdict, what_to_do
from landing.flinks.wire import Fault

REQUEST_ID = "b7a1e0d2-5c3f-4f86-a0be-6e1d97c2f405"

MINT, AUTHORIZE, DETAIL, ASYNC, DELETE = Call

# Every code of flinks.md §10.2, with a status it has been seen with, and what each call must make of it.
# C continue, P pending, t try again, s new session, u user, X stop, o our credentials, G gone.
EXPECTED = {
    "OPERATION_PENDING": (202, "t C P P t"),
    "OPERATION_DISPATCHED": (202, "t C P P t"),
    "SESSION_NONEXISTENT": (400, "t s s s t"),
    "SESSION_EXPIRED": (400, "t s s s t"),
    "CARD_IN_USE": (400, "t t t t t"),
    "CONCURRENT_SESSION": (401, "t t t t t"),
    "INVALID_LOGIN": (401, "o u u u G"),
    "INVALID_REQUEST": (400, "o X X X X"),
    "ACCESS_DENIED": (401, "o o o o o"),
    "UNAUTHORIZED": (401, "o s s s o"),
    "INVALID_USERNAME": (401, "t u u u t"),
    "INVALID_PASSWORD": (401, "t u u u t"),
    "INVALID_SECURITY_RESPONSE": (401, "t u u u t"),
    "INVALID_SECURITY_RESPONSE_NO_RETRY": (401, "t u u u t"),
    "QUESTION_NOT_FOUND": (401, "t C u u t"),
    "UNKNOWN_CHALLENGE_KEY": (401, "t X X X t"),
    "SECURITYRESPONSES_INCOMPLETE": (401, "t u u u t"),
    "RETRY_LATER": (401, "t t t s t"),
    "TOO_MANY_REQUESTS": (401, "t t t t t"),
    "DISABLED_LOGIN": (401, "t u u u t"),
    "NEW_ACCOUNT": (401, "t u u u t"),
    "ALREADY_AUTHORIZED": (400, "t C t t t"),
    "NO_TRANSACTION": (400, "t u u u t"),
    "DISABLED_INSTITUTION": (405, "t t t t t"),
    "METHOD_NOT_AVAILABLE": (405, "o o o o o"),
    "AGGREGATION_ERROR": (500, "t t s s t"),
    "BANK MAINTENANCE_RETRY_LATER": (401, "t t t s t"),
    "CUSTOMER_NOT_FOUND": (404, "o o o o o"),
    "NO_BROWSER_AVAILABLE": (503, "t t t t t"),
    "TOKEN_INVALID": (401, "o s s s o"),
}
KINDS = {
    "C": Kind.CONTINUE,
    "P": Kind.PENDING,
    "t": Kind.RETRY,
    "s": Kind.REAUTHORIZE,
    "u": Kind.RECONNECT,
    "X": Kind.STOP,
    "o": Kind.OUR_CREDENTIALS,
    "G": Kind.GONE,
    "R": Kind.READY,
    "D": Kind.DELETED,
}
EVERY_STATUS_OF_A_CODE = (200, 400, 401, 403, 405, 429, 500)


def answer(call: Call, status: int | None, code: str | None = None, **body: Any) -> Answer:
    return Answer(call, status, code, {"RequestId": REQUEST_ID} | body)


def cells(expected: dict[Any, tuple[int, str]]) -> list[Any]:
    return [
        pytest.param(call, status, key, KINDS[letter], id=f"{call.value}-{key}")
        for key, (status, letters) in expected.items()
        for call, letter in zip(Call, letters.split(), strict=True)
    ]


@pytest.mark.parametrize(("call", "status", "code", "kind"), cells(EXPECTED))
def test_every_documented_code_has_its_verdict(call: Call, status: int, code: str, kind: Kind) -> None:
    assert what_to_do(answer(call, status, code)).kind is kind


@pytest.mark.parametrize("code", sorted(EXPECTED))
@pytest.mark.parametrize("call", list(Call))
def test_a_documented_code_decides_whatever_the_status(call: Call, code: str) -> None:
    verdicts = {what_to_do(answer(call, status, code)) for status in EVERY_STATUS_OF_A_CODE}

    assert len(verdicts) == 1


def test_no_code_is_judged_that_is_not_documented() -> None:
    assert set(codes.BY_CODE) == set(EXPECTED)


@pytest.mark.parametrize(
    ("call", "status", "_", "kind"),
    cells(
        {
            "200": (200, "t C R R t"),
            "201": (201, "t t t t t"),
            "202": (202, "t C P P t"),
            "203": (203, "t u u u t"),
            "204": (204, "t t t t t"),
            "400": (400, "o X X X X"),
            "401": (401, "o o o o o"),
            "403": (403, "o o o o o"),
            "404": (404, "o o o o o"),
            "405": (405, "o o o o o"),
            "408": (408, "t t t t t"),
            "422": (422, "o X X X X"),
            "425": (425, "t t t t t"),
            "429": (429, "t t t t t"),
            "500": (500, "t t t t t"),
            "503": (503, "t t t t t"),
            "599": (599, "t t t t t"),
        }
    ),
)
def test_without_a_code_the_status_decides(call: Call, status: int, _: str, kind: Kind) -> None:
    assert what_to_do(answer(call, status)).kind is kind


@pytest.mark.parametrize(
    ("call", "status", "_", "kind"),
    cells(
        {
            "200": (200, "t t t t t"),
            "202": (202, "t C P P t"),
            "203": (203, "t u u u t"),
            "400": (400, "o X X X X"),
            "401": (401, "o s s s X"),
            "403": (403, "o s s s X"),
            "404": (404, "o X X X X"),
            "429": (429, "t t t t t"),
            "500": (500, "t t t t t"),
        }
    ),
)
def test_a_code_nobody_documented_is_no_success_and_else_left_to_the_status(
    call: Call, status: int, _: str, kind: Kind
) -> None:
    assert what_to_do(answer(call, status, "BRAND_NEW_CODE")).kind is kind


@pytest.mark.parametrize(
    ("call", "status", "_", "kind"),
    cells(
        {
            "200": (200, "t t t t t"),
            "202": (202, "t t P P t"),
            "203": (203, "t t t t t"),
            "400": (400, "o X X X X"),
            "401": (401, "o o o o o"),
            "404": (404, "o o o o o"),
            "502": (502, "t t t t t"),
        }
    ),
)
def test_what_cannot_be_read_is_judged_by_its_status_and_is_no_success(
    call: Call, status: int, _: str, kind: Kind
) -> None:
    assert what_to_do(Answer(call, status, fault=Fault.UNREADABLE)).kind is kind


@pytest.mark.parametrize(
    ("call", "status", "fault", "kind"),
    cells(
        {
            Fault.TIMEOUT: (200, "t t P P t"),
            Fault.UNREACHABLE: (200, "t t t t t"),
            Fault.REDIRECTED: (302, "o o o o o"),
            Fault.TOO_LARGE: (200, "t t X X t"),
            Fault.UNSENDABLE: (200, "o o o o o"),
        }
    ),
)
def test_every_fault_has_its_verdict(call: Call, status: int, fault: Fault, kind: Kind) -> None:
    assert what_to_do(Answer(call, status, fault=fault)).kind is kind


def test_a_success_code_is_a_success() -> None:
    for code in ("OK", "CREATED"):
        assert what_to_do(answer(DETAIL, 200, code)).kind is Kind.READY


def test_a_token_is_what_minting_needs_to_go_on() -> None:
    with_token = Answer(MINT, 200, None, {"HttpStatusCode": 200, "Token": "f47b1d0c"})

    assert what_to_do(with_token).kind is Kind.CONTINUE
    assert what_to_do(answer(MINT, 200)).kind is Kind.RETRY


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (200, None, Kind.RETRY),
        (202, None, Kind.RETRY),
        (202, "OPERATION_PENDING", Kind.RETRY),
        (401, "QUESTION_NOT_FOUND", Kind.RECONNECT),
        (401, "ALREADY_AUTHORIZED", Kind.REAUTHORIZE),
    ],
)
def test_without_a_request_id_there_is_no_session_to_go_on_with(status: int, code: str | None, kind: Kind) -> None:
    assert what_to_do(Answer(AUTHORIZE, status, code, {})).kind is kind


@pytest.mark.parametrize("call", [DETAIL, ASYNC])
@pytest.mark.parametrize(
    ("declared", "kind"), [(202, Kind.PENDING), (203, Kind.RECONNECT), (500, Kind.RETRY), (0, Kind.READY)]
)
def test_a_200_whose_body_says_otherwise_is_no_data(call: Call, declared: int, kind: Kind) -> None:
    assert what_to_do(answer(call, 200, HttpStatusCode=declared, Accounts=[])).kind is kind


def test_a_202_is_no_data_even_with_accounts() -> None:
    assert what_to_do(answer(DETAIL, 202, HttpStatusCode=200, Accounts=[])).kind is Kind.PENDING


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"StatusCode": 200, "Message": "All of the information … has been removed"}, Kind.DELETED),
        (200, {"HttpStatusCode": 200}, Kind.DELETED),
        (200, {}, Kind.RETRY),
        (200, {"Message": "<html>Welcome to the hotel's wifi</html>"}, Kind.RETRY),
        (200, {"StatusCode": 500}, Kind.RETRY),
        (200, {"Message": "Invalid LoginId"}, Kind.GONE),
        (200, {"StatusCode": 200, "Message": "Invalid LoginId 3f0c6a54"}, Kind.GONE),
        (202, {"StatusCode": 202}, Kind.RETRY),
        (404, {"Message": "Invalid LoginId"}, Kind.OUR_CREDENTIALS),
        (500, {"Message": "Invalid LoginId"}, Kind.RETRY),
    ],
)
def test_an_erasure_ends_on_flinks_own_words_only(status: int, body: dict[str, Any], kind: Kind) -> None:
    assert what_to_do(Answer(DELETE, status, None, body)).kind is kind


def test_a_code_is_stronger_than_the_words_of_delete_card() -> None:
    said = Answer(DELETE, 200, "CARD_IN_USE", {"StatusCode": 200, "Message": "Invalid LoginId"})

    assert what_to_do(said).kind is Kind.RETRY


def test_words_of_any_other_call_mean_nothing() -> None:
    said = answer(DETAIL, 200, Message="Invalid LoginId")

    assert what_to_do(said).kind is Kind.READY


@pytest.mark.parametrize("call", list(Call))
def test_an_answer_without_status_is_tried_again(call: Call) -> None:
    assert what_to_do(Answer(call)).kind is Kind.RETRY


# --- what is said about it


def verdicts() -> list[Verdict]:
    return [value for value in vars(codes).values() if isinstance(value, Verdict)]


def test_reasons_and_metrics_are_words_that_can_be_public() -> None:
    for verdict in verdicts():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", verdict.reason)
        assert verdict.metric is None or re.fullmatch(r"([A-Z][a-z]+)+", verdict.metric)


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (Kind.RETRY, Action.WAIT),
        (Kind.PENDING, Action.WAIT),
        (Kind.REAUTHORIZE, Action.WAIT),
        (Kind.OUR_CREDENTIALS, Action.WAIT),
        (Kind.RECONNECT, Action.RECONNECT),
        (Kind.STOP, Action.CONTACT_SUPPORT),
        (Kind.READY, Action.NONE),
    ],
)
def test_what_is_asked_of_the_person_follows_from_the_next_move(kind: Kind, action: Action) -> None:
    asked = {verdict.action for verdict in verdicts() if verdict.kind is kind}

    assert asked == {action}


@pytest.mark.parametrize("kind", [Kind.OUR_CREDENTIALS, Kind.STOP, Kind.QUARANTINE])
def test_what_a_person_must_look_at_is_counted(kind: Kind) -> None:
    metrics = {verdict.metric for verdict in verdicts() if verdict.kind is kind}

    assert metrics
    assert None not in metrics


@given(
    call=st.sampled_from(Call),
    status=st.none() | st.integers(-1, 1000),
    code=st.none() | st.sampled_from(sorted(EXPECTED)) | st.text(),
    body=st.none() | st.dictionaries(st.sampled_from(["HttpStatusCode", "StatusCode"]), st.integers() | st.text()),
    fault=st.none() | st.sampled_from(Fault),
)
def test_every_answer_has_a_verdict(
    call: Call, status: int | None, code: str | None, body: dict[str, Any] | None, fault: Fault | None
) -> None:
    assert what_to_do(Answer(call, status, code, body, fault)) in verdicts()
