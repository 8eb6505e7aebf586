"""The service in the world with its real wire, and the simulator behind its real server: real sockets, real seconds."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from landing.flinks import client, wire
from local.flinks.reply import Reply
from local.flinks.server import Server
from tests.world.service import Service


@contextmanager
def over_http(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    @contextmanager
    def flinks_api(method: str, path: str, headers: dict[str, str], body: bytes) -> Iterator[Reply]:
        visit = service.bank.arrive(method, path, headers, body)
        try:
            yield service.bank.reply(visit)
        finally:
            service.bank.leave(visit)  # in flight until the answer is on the wire

    server = Server(0, flinks_api)
    server.start()
    monkeypatch.setattr(client, "Wire", wire.Wire)
    service.set_environment(FLINKS_API_URL=server.url)
    yield service
    server.stop()
