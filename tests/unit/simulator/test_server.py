"""The simulator as a process of its own: real sockets, two origins, and an end."""

import json
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
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.flinks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
        received = b""
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(request)
            try:
                while piece := connection.recv(65536):
                    received += piece
            except ConnectionResetError:
                return received, ConnectionResetError
        return received, None

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


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "end of input"])
def test_it_ends_cleanly(how: str) -> None:
    process = Process()

    if how == "end of input":
        _, _ = process.process.communicate(timeout=10)
    else:
        process.process.send_signal(signal.Signals[how])
        process.process.communicate(timeout=10)

    assert process.process.returncode == 0
