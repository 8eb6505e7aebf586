"""The simulator as a process of its own: real sockets, two origins, and an end."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

type Json = dict[str, Any]


class Process:
    def __init__(self, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.flinks", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | environment,
            text=True,
        )
        assert self.process.stdout is not None
        self.place: dict[str, str] = json.loads(self.process.stdout.readline())

    def call(self, origin: str, method: str, path: str, content: Json | None = None, **headers: str) -> tuple[int, Any]:
        connection = HTTPConnection(urlsplit(self.place[origin]).netloc, timeout=20)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, None if content is None else json.dumps(content), names)
        with connection.getresponse() as answer:
            body = answer.read()
        connection.close()
        return answer.status, json.loads(body)

    def control(self, method: str, path: str, content: Json | None = None) -> Json:
        _, answer = self.call("control", method, path, content)
        assert isinstance(answer, dict)
        return answer

    def bank(self, method: str, endpoint: str, content: Json | None = None, **headers: str) -> tuple[int, Any]:
        path = f"/v3/{self.place['customerId']}/BankingServices/{endpoint}"
        return self.call("url", method, path, content, **headers)

    def open(self, login_id: str) -> str:
        _, minted = self.bank("POST", "GenerateAuthorizeToken", flinks_auth_key=self.place["secretKey"])
        asked = {"LoginId": login_id, "MostRecentCached": True}
        _, opened = self.bank("POST", "Authorize", asked, flinks_auth_key=minted["Token"])
        return str(opened["RequestId"])

    def raw(self, request: bytes) -> tuple[bytes, type[OSError] | None]:
        """Send bytes, read until the end, and say how it ended."""
        host, _, port = urlsplit(self.place["url"]).netloc.partition(":")
        received = bytearray()
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(request)
            try:
                while piece := connection.recv(65536):
                    received += piece
            except ConnectionResetError:
                return bytes(received), ConnectionResetError
        return bytes(received), None

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def simulator() -> Iterator[Process]:
    process = Process()
    yield process
    process.end()


def test_it_says_where_it_is_in_one_line(simulator: Process) -> None:
    assert set(simulator.place) == {"url", "control", "customerId", "secretKey", "apiKey", "connectUrl"}
    assert simulator.place["url"].startswith("http://127.0.0.1:")
    assert simulator.place["connectUrl"] == f"{simulator.place['url']}/v2/"


def test_its_keys_are_given_as_arguments_or_in_the_environment() -> None:
    process = Process("--customer-id", "c", "--api-key", "a", FLINKS_API_KEY="unused", FLINKS_SECRET_KEY="s")

    status, _ = process.bank("POST", "GenerateAuthorizeToken", flinks_auth_key="s")
    process.end()

    assert status == 200
    assert [process.place[name] for name in ("customerId", "secretKey", "apiKey")] == ["c", "s", "a"]


def test_a_card_goes_from_its_login_to_its_data_over_http(simulator: Process) -> None:
    card = simulator.control("POST", "/cards", {"username": "over http"})

    request_id = simulator.open(card["loginId"])
    key = simulator.place["apiKey"]
    first, _ = simulator.bank("POST", "GetAccountsDetail", {"RequestId": request_id}, x_api_key=key)
    second, data = simulator.bank("GET", f"GetAccountsDetailAsync/{request_id}", x_api_key=key)

    assert (first, second) == (202, 200)
    assert data == simulator.control("GET", f"/cards/{card['loginId']}/data")


def test_the_api_origin_knows_nothing_of_the_control(simulator: Process) -> None:
    status, _ = simulator.call("url", "GET", "/cards")

    assert status == 404


def test_connections_are_kept_alive(simulator: Process) -> None:
    connection = HTTPConnection(urlsplit(simulator.place["control"]).netloc, timeout=20)
    ports = set()
    for _ in range(3):
        connection.request("GET", "/clock")
        ports.add(connection.sock.getsockname() if connection.sock else None)
        connection.getresponse().read()
    connection.close()

    assert len(ports) == 1


def test_its_help_lists_every_route_and_fault(simulator: Process) -> None:
    told = simulator.control("GET", "/")

    assert {"POST /cards", "POST /clock", "POST /faults", "GET /calls"} <= set(told["routes"])
    assert {"gzip_bomb", "reset_in_body"} <= set(told["faults"])


# What the wire does. Each asks for DeleteCard on a card that is not there; the usual answer is a 401. --------------

REQUEST = "DELETE /v3/{customerId}/BankingServices/DeleteCard/{nobody} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
NOBODY = "00000000-0000-0000-0000-000000000000"


def _ask(simulator: Process, step: Json) -> tuple[bytes, bytes, type[OSError] | None]:
    simulator.control("POST", "/faults", step)
    request = REQUEST.format(nobody=NOBODY, **simulator.place)
    received, end = simulator.raw(request.encode())
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body, end


def _length(head: bytes) -> int:
    return int(next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))[15:])


def test_without_a_fault_the_answer_is_whole(simulator: Process) -> None:
    head, body, end = _ask(simulator, {"fault": "ok"})

    assert (head.splitlines()[0], end) == (b"HTTP/1.1 401 Unauthorized", None)
    assert len(body) == _length(head)


def test_a_refused_connection_ends_before_a_byte(simulator: Process) -> None:
    assert _ask(simulator, {"fault": "refused"}) == (b"", b"", None)


def test_a_connection_can_be_reset_before_a_byte(simulator: Process) -> None:
    assert _ask(simulator, {"fault": "reset"}) == (b"", b"", ConnectionResetError)


def test_a_connection_can_be_reset_in_the_header(simulator: Process) -> None:
    head, body, end = _ask(simulator, {"fault": "reset_in_header"})

    assert head.startswith(b"HTTP/1.1 401")
    assert (body, end) == (b"", ConnectionResetError)


def test_a_connection_can_be_reset_in_the_body(simulator: Process) -> None:
    head, body, end = _ask(simulator, {"fault": "reset_in_body"})

    assert 0 < len(body) < _length(head)
    assert end is ConnectionResetError


def test_a_body_can_be_truncated(simulator: Process) -> None:
    head, body, end = _ask(simulator, {"fault": "truncated"})

    assert 0 < len(body) < _length(head)
    assert end is None


@pytest.mark.parametrize("by", [-10, 10])
def test_a_content_length_can_be_wrong_either_way(simulator: Process, by: int) -> None:
    head, body, _ = _ask(simulator, {"fault": "wrong_content_length", "by": by})

    assert _length(head) == len(body) + by


def test_an_answer_can_come_drop_by_drop(simulator: Process) -> None:
    head, body, end = _ask(simulator, {"fault": "slow_drip", "bytesPerSecond": 5000})

    assert (len(body), end) == (_length(head), None)


def test_hanging_answers_are_in_flight_and_do_not_keep_the_process_alive() -> None:
    process = Process()
    process.control("POST", "/faults", {"fault": "hang", "seconds": 3600, "times": 3})
    host, _, port = urlsplit(process.place["url"]).netloc.partition(":")

    callers = [socket.create_connection((host, int(port))) for _ in range(3)]
    for caller in callers:
        caller.sendall(REQUEST.format(nobody=NOBODY, **process.place).encode())
    while process.control("GET", "/calls")["endpoints"].get("DeleteCard", {}).get("inFlight") != 3:
        pass
    process.process.terminate()
    process.process.communicate(timeout=20)
    for caller in callers:
        caller.close()

    assert process.process.returncode == 0


def test_sixty_megabytes_arrive(simulator: Process) -> None:
    head, body, _ = _ask(simulator, {"fault": "huge"})

    assert len(body) == _length(head) == 60 * 1024 * 1024


def test_a_client_that_leaves_harms_nobody(simulator: Process) -> None:
    simulator.control("POST", "/faults", {"fault": "huge"})
    host, _, port = urlsplit(simulator.place["url"]).netloc.partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(REQUEST.format(nobody=NOBODY, **simulator.place).encode())

    assert simulator.bank("DELETE", f"DeleteCard/{NOBODY}")[0] == 401


def test_the_connect_page_is_served_beside_the_api(simulator: Process) -> None:
    host, _, port = urlsplit(simulator.place["connectUrl"]).netloc.partition(":")
    connection = HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", "/v2/?demo=true")
    page = connection.getresponse().read()
    connection.close()

    assert page.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "end of input"])
def test_it_ends_cleanly(how: str) -> None:
    process = Process()

    if how == "end of input":
        _, _ = process.process.communicate(timeout=10)
    else:
        process.process.send_signal(signal.Signals[how])
        process.process.communicate(timeout=10)

    assert process.process.returncode == 0
