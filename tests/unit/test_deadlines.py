"""Nothing begins that might outlive its function: the numbers, and services that hang for ever on real sockets."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from threading import Event, Lock
from typing import Any

import boto3
import pytest

from landing import aws_clients, deadlines, wiring
from landing.deadlines import (
    AFTER_FLINKS,
    AUTHORIZE,
    CLAIM_TAKES,
    DATA,
    DELETE_CARD,
    INVOCATION,
    MINT,
    MINT_FOR_A_PERSON,
    PUT,
    RUN_TAKES,
    SWEEP,
    USUAL,
    AwsCalls,
    Invocation,
)
from landing.domain.connection import Status
from landing.domain.reasons import Reason
from landing.flinks import client, wire
from landing.verbs.refetch_connections import TIME_TO_STOP
from tests.processed_template import source
from tests.unit.scripted_host import ScriptedHost
from tests.world.service import Service, http_event

TEMPLATE = source()
COLD_START = 3.0
"""Seconds of an invocation that go before the first call: imports, clients."""


def timeout(function: str) -> float:
    of_all = TEMPLATE["Globals"]["Function"]["Timeout"]
    return float(TEMPLATE["Resources"][function]["Properties"].get("Timeout", of_all))


FUNCTIONS = [name for name, each in TEMPLATE["Resources"].items() if each["Type"] == "AWS::Serverless::Function"]
OF_AN_API = ["ReceiveLoginFunction", "ShowConnectionFunction", "CreateConnectSessionFunction"]


# --- the numbers


@pytest.mark.parametrize(
    ("calls", "seconds"),
    [
        (AwsCalls(connect=1, read=3, attempts=1), 4),
        (AwsCalls(connect=1, read=3, attempts=2), 9),
        (AwsCalls(connect=2, read=5, attempts=3), 24),
        (AwsCalls(connect=0, read=0, attempts=8), 1 + 2 + 4 + 8 + 16 + 20 + 20),
    ],
)
def test_the_longest_of_a_call_counts_every_try_and_every_pause(calls: AwsCalls, seconds: float) -> None:
    assert calls.longest == seconds


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_honest_end_comes_before_the_timeout_of_every_function(function: str) -> None:
    assert COLD_START + USUAL.longest < timeout(function)


@pytest.mark.parametrize("function", OF_AN_API)
def test_a_caller_hears_of_it_before_the_gateway_gives_up(function: str) -> None:
    assert timeout(function) < 30  # of an HTTP API's integration


def test_who_waits_for_a_session_hears_of_flinks_silence_in_time() -> None:
    key, mac = USUAL.longest, USUAL.longest

    assert COLD_START + MINT_FOR_A_PERSON + mac < timeout("CreateConnectSessionFunction")
    assert COLD_START + key < timeout("CreateConnectSessionFunction")


def test_a_claim_has_time_for_every_call_of_flinks_to_its_deadline() -> None:
    assert CLAIM_TAKES.total_seconds() >= MINT + AUTHORIZE + DATA + AFTER_FLINKS
    assert COLD_START + CLAIM_TAKES.total_seconds() < timeout("FetchAccountsFunction")


def test_a_run_of_an_erasure_has_time_for_delete_card_and_a_token_with_keys_anew() -> None:
    assert RUN_TAKES.total_seconds() >= 2 * DELETE_CARD + 2 * MINT + AFTER_FLINKS
    assert COLD_START + RUN_TAKES.total_seconds() < timeout("DeleteConnectionFunction")


@pytest.mark.parametrize(
    ("calls", "function"), [(PUT, "FetchAccountsFunction"), (SWEEP, "DeleteConnectionFunction")], ids=["put", "sweep"]
)
def test_what_follows_a_call_of_s3_is_left_its_time(calls: AwsCalls, function: str) -> None:
    assert calls.then >= USUAL.longest
    assert calls.longest + calls.then < timeout(function)


def test_a_lease_outlives_whatever_its_function_may_have_begun() -> None:
    leases = {
        name: float(TEMPLATE["Resources"][name]["Properties"]["Environment"]["Variables"]["LEASE_SECONDS"])
        for name in ("FetchAccountsFunction", "DeleteConnectionFunction")
    }

    assert all(lease > timeout(name) for name, lease in leases.items())


def test_one_more_connection_of_an_order_fits_before_the_end() -> None:
    read_write_and_announce = 3 * USUAL.longest

    assert TIME_TO_STOP.total_seconds() >= read_write_and_announce


def test_a_call_of_flinks_is_given_up_in_time_for_what_follows() -> None:
    invocation = Invocation()
    invocation.begin(timedelta(seconds=AFTER_FLINKS + 10))

    assert invocation.of_flinks(45) == pytest.approx(10, abs=1)
    assert invocation.of_flinks(5) == 5
    assert invocation.of_flinks(45, after=AFTER_FLINKS + 20) == 0


# --- services that hang: the same rule, with numbers a test has time for

LEFT = 5.0
"""Seconds that an invocation has."""


class Silence:
    """Takes every call and answers none; `calls` is how many, `at_once` how many waited side by side."""

    url = ""

    def __init__(self) -> None:
        self.is_over = Event()
        self.calls = self.at_once = 0
        self._waiting = 0
        self._lock = Lock()

    def keep(self, sock: socket.socket, _request: bytes) -> None:
        with self._lock:
            self.calls += 1
            self._waiting += 1
            self.at_once = max(self.at_once, self._waiting)
        while not self.is_over.wait(0.02) and not _has_hung_up(sock):
            pass
        with self._lock:
            self._waiting -= 1


@pytest.fixture
def hanging(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Silence]]:
    """Have AWS services take every call and answer none."""
    before = service.seconds_left
    monkeypatch.setattr(deadlines, "USUAL", AwsCalls(connect=0.2, read=0.3, attempts=2))
    monkeypatch.setattr(deadlines, "PUT", AwsCalls(connect=0.2, read=0.3, attempts=1, then=0.5))
    monkeypatch.setattr(deadlines, "AFTER_FLINKS", 1.0)
    service.seconds_left = LEFT
    with ExitStack() as hosts:
        silence = Silence()
        host = hosts.enter_context(ScriptedHost(silence.keep))
        silence.url = host.url

        def hang(*services: str) -> Silence:
            session = boto3.session.Session("key", "secret", region_name="ca-central-1")

            def made(name: Any, config: Any) -> Any:
                if name in services:
                    return session.client(name, endpoint_url=host.url, config=config)
                return getattr(service.world, name)

            monkeypatch.setattr(aws_clients, "client", made)
            wiring.reset()
            return silence

        yield hang
        silence.is_over.set()
    service.seconds_left = before
    INVOCATION.begin(timedelta(days=1))
    wiring.reset()


def _has_hung_up(sock: socket.socket) -> bool:
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False


@pytest.mark.parametrize("ill", ["kms", "dynamodb"])
def test_a_post_is_answered_503_while_a_service_hangs(
    service: Service, hanging: Callable[..., Silence], ill: str
) -> None:
    login_id = service.connect_bank()
    silence = hanging(ill)

    answer = service.post(login_id)

    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "2")
    assert 1 <= silence.calls <= deadlines.USUAL.attempts


@pytest.mark.parametrize("route", ["GET /connections", "GET /connections/{connectionId}"])
def test_a_look_is_answered_503_while_the_table_hangs(
    service: Service, hanging: Callable[..., Silence], route: str
) -> None:
    silence = hanging("dynamodb")
    event = http_event(route, "alice", pathParameters={"connectionId": "con_" + "a" * 26})

    answer = service.call("show_connection", event)

    assert answer["statusCode"] == 503
    assert 1 <= silence.calls <= deadlines.USUAL.attempts


@pytest.mark.parametrize("ill", ["secretsmanager", "kms"])
def test_a_session_is_answered_503_while_a_service_hangs(
    service: Service, monkeypatch: pytest.MonkeyPatch, hanging: Callable[..., Silence], ill: str
) -> None:
    monkeypatch.setenv("FLINKS_CONNECT_URL", "https://acme-iframe.private.fin.ag/v2/")
    silence = hanging(ill)

    answer = open_session(service)

    assert answer["statusCode"] == 503
    assert 1 <= silence.calls <= deadlines.USUAL.attempts


def test_a_session_is_answered_503_while_flinks_hangs(
    service: Service, monkeypatch: pytest.MonkeyPatch, hanging: Callable[..., Silence]
) -> None:
    silence = hanging()
    monkeypatch.setenv("FLINKS_CONNECT_URL", "https://acme-iframe.private.fin.ag/v2/")
    monkeypatch.setenv("FLINKS_API_URL", silence.url)
    monkeypatch.setattr(client, "Wire", wire.Wire)

    answer = open_session(service)

    assert answer["statusCode"] == 503
    assert silence.calls == 1


def test_with_too_little_time_left_nothing_is_begun(service: Service, hanging: Callable[..., Silence]) -> None:
    login_id = service.connect_bank()
    silence = hanging("kms", "dynamodb")
    service.seconds_left = deadlines.USUAL.longest - 0.1

    answer = service.post(login_id)

    assert answer["statusCode"] == 503
    assert silence.calls == 0


def test_a_hanging_table_ends_a_batch_in_time_and_every_record_comes_again(
    service: Service, hanging: Callable[..., Silence]
) -> None:
    records = [due(n) for n in range(10)]
    silence = hanging("dynamodb")
    service.seconds_left = CLAIM_TAKES.total_seconds() + 10
    service.set_environment(FETCH_THREADS="10")

    answer = service.call("fetch_accounts", {"Records": records})

    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == [str(n) for n in range(10)]
    assert silence.at_once > 1


def test_hanging_secrets_hold_up_thirty_two_claims_no_longer_than_one(
    service: Service, hanging: Callable[..., Silence]
) -> None:
    service.stream.enabled = False
    ids = [service.connect_and_post(f"user-{n}") for n in range(32)]
    silence = hanging("secretsmanager")
    service.seconds_left = CLAIM_TAKES.total_seconds() + 10
    service.set_environment(FETCH_THREADS="32")

    answer = service.call("fetch_accounts", {"Records": [due(n, id_) for n, id_ in enumerate(ids)]})

    assert answer == {"batchItemFailures": []}
    assert silence.at_once > 8  # and not one behind the other
    assert {(row.status, row.reason) for row in service.rows()} == {(Status.WAITING, Reason.SERVICE_UNAVAILABLE)}


def open_session(service: Service) -> dict[str, Any]:
    return service.call("create_connect_session", http_event("POST /connect-sessions", "alice", body="{}"))


def due(n: int, connection_id: str = "con_" + "a" * 26) -> dict[str, Any]:
    image = {"connectionId": {"S": connection_id}, "generation": {"N": "1"}, "attempt": {"N": "0"}}
    return {"eventSource": "aws:dynamodb", "dynamodb": {"Keys": {}, "NewImage": image, "SequenceNumber": str(n)}}
