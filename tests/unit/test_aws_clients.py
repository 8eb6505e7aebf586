"""Clients of AWS: one trust store, a connection for each thread, and nothing looked up that is not called."""

import os
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from landing import aws_clients, trust_store, wiring
from landing.error_names import Defect
from tests.unit.scripted_host import ScriptedHost, reply
from tests.unit.test_wire import certificate, serving, trusting

__all__ = ["certificate"]

ONE_TRY = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20, max_pool_connections=8)


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "key", "DEFAULT_REGION": "ca-central-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    aws_clients.reset()
    yield
    aws_clients.reset()


def at(host: ScriptedHost, monkeypatch: pytest.MonkeyPatch, scheme: str = "https") -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"{scheme}://127.0.0.1:{host.port}")
    return aws_clients.client("sqs", ONE_TRY)


def test_a_host_that_our_trust_store_vouches_for_is_called(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_store, "context", lambda _: trusting(certificate))
    with ScriptedHost(reply({"QueueUrls": []}), tls=serving(certificate)) as host:
        at(host, monkeypatch).list_queues()

    assert len(host.requests) == 1


def test_a_host_that_nobody_vouches_for_is_not(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedHost(reply({"QueueUrls": []}), tls=serving(certificate)) as host, pytest.raises(BotoCoreError):
        at(host, monkeypatch).list_queues()

    assert host.requests == []


def test_the_authorities_are_read_once_for_all_connections(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = trusting(certificate)
    monkeypatch.setattr(trust_store, "context", lambda _: context)
    read: list[Any] = []

    def loading(*args: Any, **given: Any) -> None:
        read.append((args, given))

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", loading)
    together = Barrier(4)

    def one_of_four(sock: socket.socket, _request: bytes) -> None:
        together.wait(20)
        sock.sendall(reply({"QueueUrls": []}))

    with ScriptedHost(one_of_four, tls=serving(certificate)) as host, ThreadPoolExecutor(4) as pool:
        client = at(host, monkeypatch)
        list(pool.map(lambda _: client.list_queues(), range(4)))
        client.close()

    assert host.connections == 4
    assert read == []


def test_no_folder_of_a_service_that_we_do_not_call_is_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    listdir = os.listdir

    def listing(path: Any = ".") -> list[str]:
        listed.append(str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", listing)

    for service in aws_clients.SERVICES:
        aws_clients.client(service, ONE_TRY)

    services = {Path(path).name for path in listed if "botocore/data/" in path}
    assert services <= set(aws_clients.SERVICES)


def test_there_are_as_many_connections_as_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETCH_THREADS", "48")
    monkeypatch.setenv("CONNECTIONS_TABLE", "connections")
    wiring.reset()
    together = Barrier(48)

    def all_at_once(sock: socket.socket, _request: bytes) -> None:
        together.wait(60)
        sock.sendall(reply({}))

    with ScriptedHost(all_at_once) as host, ThreadPoolExecutor(48) as pool:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{host.port}")
        table = wiring.connection_table()
        for _ in range(2):
            list(pool.map(lambda n: table.get(f"con_{n}"), range(48)))

    wiring.reset()
    assert host.connections == 48


@pytest.mark.parametrize("fault", [Defect("CONNECTIONS_TABLE"), ValueError("the customerId is not a GUID")])
def test_what_init_cannot_build_is_left_to_the_first_call(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def fails() -> None:
        raise fault

    built: list[str] = []
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")

    wiring.in_init(fails, lambda: built.append("next"))

    assert built == ["next"]


def test_outside_lambda_nothing_is_built_before_it_is_needed() -> None:
    built: list[str] = []

    wiring.in_init(lambda: built.append("early"))

    assert built == []
