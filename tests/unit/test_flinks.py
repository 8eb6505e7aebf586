"""Flinks' banking API in its own verbs."""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from socket import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landing.flinks.answer import Answer, Call
from landing.flinks.client import FlinksClient
from landing.flinks.wire import Fault
from tests.unit.scripted_host import Script, ScriptedHost, dripping, gzipped, reply, reset_after

CUSTOMER = "43387CA6-0391-4c82-857d-70d95f087ecb"
LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
REQUEST_ID = "b7a1e0d2-5c3f-4f86-a0be-6e1d97c2f405"
TOKEN = "f47b1d0c-3a52-4e8b-9f16-7c20d5be8a91"


@dataclass
class Keys:
    secret_key: str = "the secret key"
    api_key: str = "the api key"
    refreshed: int = 0

    def refresh(self) -> None:
        self.refreshed += 1


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def host() -> Iterator[ScriptedHost]:
    with ScriptedHost(reply({})) as host:
        yield host


@pytest.fixture
def flinks(host: ScriptedHost, keys: Keys) -> FlinksClient:
    return FlinksClient(host.url, CUSTOMER, keys)


CALLS: dict[Call, Callable[[FlinksClient], Answer]] = {
    Call.GENERATE_AUTHORIZE_TOKEN: lambda flinks: flinks.generate_authorize_token(),
    Call.AUTHORIZE: lambda flinks: flinks.authorize(LOGIN_ID, TOKEN),
    Call.ACCOUNTS_DETAIL: lambda flinks: flinks.accounts_detail(REQUEST_ID),
    Call.ACCOUNTS_DETAIL_ASYNC: lambda flinks: flinks.accounts_detail_async(REQUEST_ID),
    Call.DELETE_CARD: lambda flinks: flinks.delete_card(LOGIN_ID),
}
every_call = pytest.mark.parametrize("call", list(Call))


# --- what is sent


@dataclass(frozen=True)
class Sent:
    """A request as the host got it."""

    line: str
    headers: dict[str, str]
    body: Any

    @classmethod
    def parse(cls, request: bytes) -> "Sent":
        head, _, body = request.decode().partition("\r\n\r\n")
        line, *headers = head.split("\r\n")
        return cls(line, {k.lower(): v for k, v in (h.split(": ", 1) for h in headers)}, json.loads(body or "null"))

    @property
    def keys(self) -> dict[str, str]:
        secret = {"flinks-auth-key", "x-api-key", "authorization", "cookie"}
        return {name: value for name, value in self.headers.items() if name in secret}


@pytest.mark.parametrize(
    ("call", "line", "key", "body"),
    [
        (Call.GENERATE_AUTHORIZE_TOKEN, "POST {}/GenerateAuthorizeToken", {"flinks-auth-key": "the secret key"}, None),
        (
            Call.AUTHORIZE,
            "POST {}/Authorize",
            {"flinks-auth-key": TOKEN},
            {"LoginId": LOGIN_ID, "MostRecentCached": True},
        ),
        (
            Call.ACCOUNTS_DETAIL,
            "POST {}/GetAccountsDetail",
            {"x-api-key": "the api key"},
            {
                "RequestId": REQUEST_ID,
                "WithAccountIdentity": True,
                "WithKYC": True,
                "WithTransactions": True,
                "DaysOfTransactions": "Days90",
            },
        ),
        (
            Call.ACCOUNTS_DETAIL_ASYNC,
            f"GET {{}}/GetAccountsDetailAsync/{REQUEST_ID}",
            {"x-api-key": "the api key"},
            None,
        ),
        (Call.DELETE_CARD, f"DELETE {{}}/DeleteCard/{LOGIN_ID}", {"x-api-key": "the api key"}, None),
    ],
)
def test_each_call_goes_to_its_endpoint_with_its_own_key(
    flinks: FlinksClient, host: ScriptedHost, call: Call, line: str, key: dict[str, str], body: Any
) -> None:
    CALLS[call](flinks)

    sent = Sent.parse(host.requests[0])
    assert sent.line == line.format(f"/v3/{CUSTOMER}/BankingServices") + " HTTP/1.1"
    assert (sent.keys, sent.body) == (key, body)
    assert sent.headers["content-type"] == sent.headers["accept"] == "application/json"
    assert sent.headers["accept-encoding"] == "gzip"


def test_accounts_that_were_not_picked_are_not_asked_for(flinks: FlinksClient, host: ScriptedHost) -> None:
    flinks.accounts_detail(REQUEST_ID, ("d2740b9c-61fe-4a3d-f0c8-08de7a41ca07",))

    assert Sent.parse(host.requests[0]).body["AccountsFilter"] == ["d2740b9c-61fe-4a3d-f0c8-08de7a41ca07"]


def test_an_empty_filter_is_not_sent(flinks: FlinksClient, host: ScriptedHost) -> None:
    flinks.accounts_detail(REQUEST_ID, [])

    assert "AccountsFilter" not in Sent.parse(host.requests[0]).body


def test_a_year_of_transactions_can_be_asked_for(host: ScriptedHost, keys: Keys) -> None:
    flinks = FlinksClient(host.url, CUSTOMER, keys, days_of_transactions=365)

    flinks.accounts_detail(REQUEST_ID)

    assert Sent.parse(host.requests[0]).body["DaysOfTransactions"] == "Days365"


def test_a_rotated_key_is_used_at_once(flinks: FlinksClient, host: ScriptedHost, keys: Keys) -> None:
    flinks.accounts_detail(REQUEST_ID)
    keys.api_key = "rotated"

    flinks.accounts_detail(REQUEST_ID)

    assert [Sent.parse(request).headers["x-api-key"] for request in host.requests] == ["the api key", "rotated"]


def test_credentials_are_read_anew_on_demand(flinks: FlinksClient, keys: Keys) -> None:
    flinks.refresh_credentials()

    assert keys.refreshed == 1


REFUSED = reply({"FlinksCode": "ACCESS_DENIED"}, status=401)
asked_for_by_us = pytest.mark.parametrize("call", [call for call in Call if call is not Call.AUTHORIZE])


@asked_for_by_us
def test_refused_keys_are_read_anew_and_the_call_is_made_once_more(
    flinks: FlinksClient, host: ScriptedHost, keys: Keys, call: Call
) -> None:
    host.script = REFUSED

    answer = CALLS[call](flinks)

    assert (answer.code, keys.refreshed, len(host.requests)) == ("ACCESS_DENIED", 1, 2)


def test_an_exchange_with_refused_keys_is_made_once_more_as_a_whole(
    flinks: FlinksClient, host: ScriptedHost, keys: Keys
) -> None:
    host.script = REFUSED

    flinks.exchange(LOGIN_ID)

    assert (keys.refreshed, len(host.requests)) == (1, 2)


@pytest.mark.parametrize(
    "ask",
    [
        lambda flinks: flinks.exchange(LOGIN_ID, lambda: False),
        lambda flinks: flinks.accounts_detail(REQUEST_ID, None, lambda: False),
        lambda flinks: flinks.accounts_detail_async(REQUEST_ID, lambda: False),
    ],
)
def test_who_has_no_time_left_asks_once_and_leaves_fresh_keys_to_the_next(
    flinks: FlinksClient, host: ScriptedHost, keys: Keys, ask: Callable[[FlinksClient], Answer]
) -> None:
    host.script = REFUSED

    ask(flinks)

    assert (keys.refreshed, len(host.requests)) == (1, 1)


def test_a_key_pasted_with_its_newline_works(flinks: FlinksClient, host: ScriptedHost, keys: Keys) -> None:
    keys.api_key = "the api key\n"

    flinks.accounts_detail(REQUEST_ID)

    assert Sent.parse(host.requests[0]).headers["x-api-key"] == "the api key"


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", Fault.NO_SECRET),
        ("to be filled in", Fault.PLACEHOLDER),
        *((key, Fault.UNSENDABLE) for key in ("two\nlines", "clé", "\x00", "x" * 5000)),
    ],
)
def test_a_key_that_cannot_be_sent_is_a_fault_that_does_not_quote_it(
    flinks: FlinksClient, host: ScriptedHost, keys: Keys, key: str, fault: Fault
) -> None:
    keys.api_key = key

    answer = flinks.delete_card(LOGIN_ID)

    assert answer == Answer(Call.DELETE_CARD, fault=fault)
    assert host.requests == []


# --- exchange


def test_an_exchange_mints_a_token_and_spends_it(flinks: FlinksClient, host: ScriptedHost) -> None:
    def answer(sock: socket, request: bytes) -> None:
        is_mint = b"GenerateAuthorizeToken" in request
        sock.sendall(reply({"HttpStatusCode": 200, "Token": TOKEN} if is_mint else {"RequestId": REQUEST_ID}))

    host.script = answer

    session = flinks.exchange(LOGIN_ID)

    assert (session.call, session.request_id) == (Call.AUTHORIZE, REQUEST_ID)
    assert Sent.parse(host.requests[1]).headers["flinks-auth-key"] == TOKEN


def test_no_token_is_ever_used_twice(flinks: FlinksClient, host: ScriptedHost) -> None:
    minted: list[str] = []

    def answer(sock: socket, request: bytes) -> None:
        if b"GenerateAuthorizeToken" in request:
            minted.append(f"token-{len(minted)}")
            sock.sendall(reply({"Token": minted[-1]}))
        else:
            sock.sendall(reply({"FlinksCode": "RETRY_LATER"}, status=401))

    host.script = answer

    flinks.exchange(LOGIN_ID)
    flinks.exchange(LOGIN_ID)

    spent = [Sent.parse(request).headers["flinks-auth-key"] for request in host.requests[1::2]]
    assert spent == minted == ["token-0", "token-1"]


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(reply({"FlinksCode": "UNAUTHORIZED"}, status=401), id="refused"),
        pytest.param(reply({"FlinksCode": "ACCESS_DENIED", "Token": TOKEN}), id="a code beside the token"),
        pytest.param(reply({"HttpStatusCode": 401, "Token": TOKEN}), id="a refusal in the body"),
        pytest.param(reply({"HttpStatusCode": 200}), id="no token"),
        pytest.param(reply({"Token": "two\r\nlines"}), id="a token that breaks out of its header"),
        pytest.param(reply({"Token": 7}), id="a token of another type"),
        pytest.param(reply("<html>"), id="HTML"),
        pytest.param(b"", id="closed"),
    ],
)
def test_without_a_token_nothing_is_authorized(
    flinks: FlinksClient, host: ScriptedHost, keys: Keys, answered: bytes
) -> None:
    host.script = answered

    answer = flinks.exchange(LOGIN_ID)

    assert answer.call is Call.GENERATE_AUTHORIZE_TOKEN
    assert {request.split(b" ")[1].split(b"/")[-1] for request in host.requests} == {b"GenerateAuthorizeToken"}
    assert len(host.requests) == 1 + keys.refreshed


# --- what comes back


def test_an_answer_says_which_session_login_and_tag_it_is_about(flinks: FlinksClient, host: ScriptedHost) -> None:
    login = {"Id": LOGIN_ID.upper(), "LastRefresh": "0001-01-01T00:00:00"}
    host.script = reply({"RequestId": REQUEST_ID, "Login": login, "Tag": "client=40817"})

    answer = flinks.authorize(LOGIN_ID, TOKEN)

    assert (answer.request_id, answer.login_id, answer.tag) == (REQUEST_ID, LOGIN_ID, "client=40817")
    assert answer.last_refresh == "0001-01-01T00:00:00"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"RequestId": None, "Login": None, "Tag": None},
        {"RequestId": 7, "Login": [LOGIN_ID], "Tag": ["x"]},
        {"RequestId": f"{REQUEST_ID}/../DeleteCard", "Login": {"Id": 7, "LastRefresh": 7}, "Tag": ""},
        {"RequestId": f"{REQUEST_ID}\n", "Login": {"Id": f"{LOGIN_ID}\n"}},
    ],
)
def test_what_is_not_what_it_should_be_counts_as_absent(
    flinks: FlinksClient, host: ScriptedHost, body: dict[str, Any]
) -> None:
    host.script = reply(body)

    answer = flinks.authorize(LOGIN_ID, TOKEN)

    assert (answer.request_id, answer.login_id, answer.tag, answer.last_refresh) == (None, None, None, None)


def test_an_error_can_carry_a_session(flinks: FlinksClient, host: ScriptedHost) -> None:
    host.script = reply({"FlinksCode": "QUESTION_NOT_FOUND", "RequestId": REQUEST_ID}, status=401)

    answer = flinks.authorize(LOGIN_ID, TOKEN)

    assert (answer.status, answer.code, answer.request_id) == (401, "QUESTION_NOT_FOUND", REQUEST_ID)


@pytest.mark.parametrize(
    ("status", "body", "effective"),
    [
        (200, {}, 200),
        (200, {"HttpStatusCode": 202}, 202),
        (200, {"StatusCode": 400}, 400),
        (200, {"HttpStatusCode": "202"}, 200),
        (200, {"HttpStatusCode": True}, 200),
        (202, {"HttpStatusCode": 200}, 202),
        (500, {"HttpStatusCode": 200}, 500),
    ],
)
def test_a_200_is_one_only_if_the_body_agrees(
    flinks: FlinksClient, host: ScriptedHost, status: int, body: dict[str, Any], effective: int
) -> None:
    host.script = reply(body, status=status)

    answer = flinks.accounts_detail(REQUEST_ID)

    assert answer.effective_status == effective
    assert answer.is_success == (effective == 200)


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("CARD_IN_USE", "CARD_IN_USE"),
        ("BANK MAINTENANCE_RETRY_LATER", "BANK MAINTENANCE_RETRY_LATER"),
        (None, None),
        ("", None),
        (LOGIN_ID, "UNRECOGNISABLE"),
        (401, "UNRECOGNISABLE"),
        (["CARD_IN_USE"], "UNRECOGNISABLE"),
    ],
)
def test_a_code_is_read_only_if_it_looks_like_one(
    flinks: FlinksClient, host: ScriptedHost, code: Any, read: str | None
) -> None:
    host.script = reply({"FlinksCode": code})

    answer = flinks.authorize(LOGIN_ID, TOKEN)

    assert answer.code == read


@pytest.mark.parametrize("body", [b'"Invalid LoginId"', b"Invalid LoginId", b'{"Message": "Invalid LoginId"}'])
def test_delete_card_may_answer_in_plain_words(flinks: FlinksClient, host: ScriptedHost, body: bytes) -> None:
    host.script = reply(body)

    answer = flinks.delete_card(LOGIN_ID)

    assert answer.message == "Invalid LoginId"


@pytest.mark.parametrize(
    ("script", "status", "fault"),
    [
        pytest.param(reply("<html>ok</html>", Content_Type="text/html"), 200, Fault.UNREADABLE, id="HTML"),
        pytest.param(reply("<html>", status=502), 502, Fault.UNREADABLE, id="HTML 502"),
        pytest.param(reply(""), 200, Fault.UNREADABLE, id="empty"),
        pytest.param(reply('"words"'), 200, Fault.UNREADABLE, id="words"),
        pytest.param(reply("[]"), 200, Fault.UNREADABLE, id="an array"),
        pytest.param(reply('{"Accounts": [{'), 200, Fault.UNREADABLE, id="half a document"),
        pytest.param(reply('{"Accounts": [], "Accounts": [1]}'), 200, Fault.UNREADABLE, id="duplicate keys"),
        pytest.param(reply('{"Balance": NaN}'), 200, Fault.UNREADABLE, id="NaN"),
        pytest.param(reply("{}", Content_Encoding="gzip"), 200, Fault.UNREADABLE, id="gzip lie"),
        pytest.param(gzipped(b"{}" + b" " * 70_000_000), 200, Fault.TOO_LARGE, id="gzip bomb"),
        pytest.param(reply("{}", status=307, Location="/"), 307, Fault.REDIRECTED, id="redirect"),
        pytest.param(reset_after(reply("{}")[:-1]), 200, Fault.UNREACHABLE, id="reset in the body"),
        pytest.param(dripping(reply("{}" + " " * 200), at_once=90), 200, Fault.TIMEOUT, id="drip"),
    ],
)
def test_what_cannot_be_read_is_a_fault(
    host: ScriptedHost, keys: Keys, script: Script, status: int, fault: Fault
) -> None:
    deadlines = dict.fromkeys(Call, 0.5 if fault is Fault.TIMEOUT else 30.0)
    flinks = FlinksClient(host.url, CUSTOMER, keys, within=deadlines)
    host.script = script

    answer = flinks.accounts_detail(REQUEST_ID)

    assert answer == Answer(Call.ACCOUNTS_DETAIL, status, fault=fault)


def test_the_body_is_judged_by_what_it_is_not_by_its_label(flinks: FlinksClient, host: ScriptedHost) -> None:
    host.script = reply({"Accounts": []}, Content_Type="text/html")

    answer = flinks.accounts_detail(REQUEST_ID)

    assert answer.data is not None
    assert (answer.data.content, answer.data.accounts) == (b'{"Accounts": []}', 0)


@every_call
def test_a_host_that_is_not_there_is_an_answer_too(keys: Keys, call: Call) -> None:
    with ScriptedHost() as host:
        pass

    answer = CALLS[call](FlinksClient(host.url, CUSTOMER, keys, within=dict.fromkeys(Call, 5.0)))

    assert answer.fault is Fault.UNREACHABLE


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("86400000000000", 900),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
        ("Mon, 02 Mar 2026 14:05:09 -0000", None),
        (format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True), 0),
        (format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True), 900),
    ],
)
def test_retry_after_is_honoured_within_reason(
    flinks: FlinksClient, host: ScriptedHost, value: str, seconds: float | None
) -> None:
    host.script = reply({}, status=429, Retry_After=value)

    answer = flinks.authorize(LOGIN_ID, TOKEN)

    assert answer.retry_after == seconds


def test_calls_of_many_threads_do_not_mix(flinks: FlinksClient, host: ScriptedHost) -> None:
    def echo(sock: socket, request: bytes) -> None:
        sock.sendall(reply({"RequestId": Sent.parse(request).line.split()[1].rpartition("/")[2]}))

    host.script = echo
    request_ids = [f"b7a1e0d2-5c3f-4f86-a0be-{number:012d}" for number in range(64)]

    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(flinks.accounts_detail_async, request_ids))

    assert [answer.request_id for answer in answers] == request_ids


# --- what is refused before it is sent


@pytest.mark.parametrize(
    "text", ["", "x", LOGIN_ID[:-1], f"{LOGIN_ID}/", f" {LOGIN_ID}", f"{LOGIN_ID}\n", f"..%2f{LOGIN_ID}"]
)
@pytest.mark.parametrize(
    "call",
    [
        FlinksClient.delete_card,
        FlinksClient.accounts_detail,
        FlinksClient.accounts_detail_async,
        FlinksClient.exchange,
    ],
)
def test_an_id_that_is_no_guid_goes_nowhere(
    flinks: FlinksClient, host: ScriptedHost, call: Callable[[FlinksClient, str], Answer], text: str
) -> None:
    with pytest.raises(ValueError, match="is not a GUID") as refusal:
        call(flinks, text)

    assert len(text) < 2 or text not in str(refusal.value)
    assert host.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "https://acme-api.private.fin.ag",
        "https://acme-api.private.fin.ag/",
        "https://acme-api.private.fin.ag:8443",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://localhost",
    ],
)
def test_an_origin_that_secrets_may_go_to_is_taken(keys: Keys, url: str) -> None:
    flinks = FlinksClient(url, CUSTOMER, keys)

    assert flinks.home == url.split("/")[2] + "/" + CUSTOMER.lower()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme-api.private.fin.ag",
        "http://acme-api.private.fin.ag",
        "http://127.0.0.1.example.com",
        "http://0x7f000001",
        "ftp://acme-api.private.fin.ag",
        "https://",
        "https://user@acme-api.private.fin.ag",
        "https://user:hunter2@acme-api.private.fin.ag",
        "https://acme-api.private.fin.ag/v3",
        "https://acme-api.private.fin.ag?x=1",
        "https://acme-api.private.fin.ag#x",
        "https://acme api.private.fin.ag",
        "https://acme-api.private.fin.ag:port",
        "https://acme\\@example.com",
        "https://[::1",
    ],
)
def test_any_other_url_is_refused_without_being_quoted(keys: Keys, url: str) -> None:
    with pytest.raises(ValueError, match="Flinks' URL must be") as refusal:
        FlinksClient(url, CUSTOMER, keys)

    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__context__ is None


@pytest.mark.parametrize("customer_id", ["", "acme", f"{CUSTOMER}/..", "{customerId}"])
def test_a_customer_id_that_is_no_guid_is_refused(keys: Keys, customer_id: str) -> None:
    with pytest.raises(ValueError, match="customerId is not a GUID"):
        FlinksClient("https://acme-api.private.fin.ag", customer_id, keys)


def test_a_depth_of_history_that_flinks_does_not_know_is_refused(keys: Keys) -> None:
    days: Any = 360

    with pytest.raises(ValueError, match="90 days and 365"):
        FlinksClient("https://acme-api.private.fin.ag", CUSTOMER, keys, days_of_transactions=days)


# --- what is told


@every_call
def test_no_log_and_no_repr_tells_a_secret(
    flinks: FlinksClient, host: ScriptedHost, caplog: pytest.LogCaptureFixture, call: Call
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = (LOGIN_ID, REQUEST_ID, TOKEN, "the secret key", "the api key")
    body = {"FlinksCode": LOGIN_ID, "Message": f"{LOGIN_ID} {TOKEN}", "RequestId": REQUEST_ID, "Token": TOKEN}
    said = []
    for host.script in (reply(body), reply(body, status=302, Location=f"/{LOGIN_ID}"), b"nonsense", b""):
        said.append(repr(CALLS[call](flinks)))

    logging.getLogger("urllib3.connectionpool").debug("logging works")

    assert "logging works" in caplog.text
    assert f"<Call.{call.name}: '{call.value}'>" in said[0]
    for secret in secrets:
        assert secret not in caplog.text
        assert secret not in "".join(said)


# --- whatever it is


@every_call
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.integers(200, 599), body=st.binary(max_size=200))
def test_any_bytes_are_an_answer(
    flinks: FlinksClient, host: ScriptedHost, call: Call, status: int, body: bytes
) -> None:
    host.script = reply(body, status=status, Connection="close")

    assert isinstance(CALLS[call](flinks), Answer)


MEMBERS = st.sampled_from(
    ["HttpStatusCode", "StatusCode", "FlinksCode", "RequestId", "Token", "Login", "Id", "Tag", "Message"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=8,
)


@every_call
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON)
def test_any_json_is_an_answer_whose_every_property_can_be_read(
    flinks: FlinksClient, host: ScriptedHost, call: Call, body: Any
) -> None:
    host.script = reply(json.dumps(body), Connection="close")

    answer = CALLS[call](flinks)

    properties = [name for name, value in vars(Answer).items() if isinstance(value, property)]
    assert {"request_id", "login_id", "token"} <= set(properties)
    for name in properties:
        getattr(answer, name)
