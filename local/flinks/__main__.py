"""Serve the simulator on loopback and print where it is: python -m local.flinks."""

import argparse
import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from local.flinks.bank import Bank
from local.flinks.connect import Connect
from local.flinks.control import Control
from local.flinks.reply import Reply
from local.flinks.server import Server
from local.flinks.settings import Settings

USUAL = Settings()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.flinks",
        description=(
            "Simulates Flinks' API, its test institution and the Connect iframe on 127.0.0.1. Prints one line of"
            " JSON {url, control, customerId, secretKey, apiKey, connectUrl} and runs until SIGTERM, Ctrl-C, or the"
            " end of a stdin that is a pipe. GET on the control address lists what can be steered."
        ),
    )
    parser.add_argument("--port", type=int, default=0, help="of the API and Connect (default: a free one)")
    parser.add_argument("--control-port", type=int, default=0, help="of the control address (default: a free one)")
    for name, usual in (
        ("customer-id", USUAL.customer_id),
        ("secret-key", USUAL.secret_key),
        ("api-key", USUAL.api_key),
    ):
        variable = f"FLINKS_{name.upper().replace('-', '_')}"
        parser.add_argument(f"--{name}", default=os.environ.get(variable) or usual, help=f"default: ${variable}")
    return parser.parse_args()


def _wait_for_end(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def main() -> None:
    arguments = _arguments()
    settings = Settings(customer_id=arguments.customer_id, secret_key=arguments.secret_key, api_key=arguments.api_key)
    bank = Bank(settings=settings)
    connect = Connect(bank)
    control = Control(bank, connect)
    stop = threading.Event()

    @contextmanager
    def api(method: str, path: str, headers: dict[str, str], body: bytes) -> Iterator[Reply]:
        if path.startswith("/v2/"):
            yield connect.answer(method, path, body)
            return
        visit = bank.arrive(method, path, headers, body)
        try:
            yield bank.reply(visit)
        finally:
            bank.leave(visit)

    @contextmanager
    def steering(method: str, path: str, _: dict[str, str], body: bytes) -> Iterator[Reply]:
        yield control.answer(method, path, body)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    servers = Server(arguments.port, api), Server(arguments.control_port, steering)
    connect.own_url = servers[0].url
    for server in servers:
        server.start()
    place = {
        "url": servers[0].url,
        "control": servers[1].url,
        "customerId": settings.customer_id,
        "secretKey": settings.secret_key,
        "apiKey": settings.api_key,
        "connectUrl": f"{servers[0].url}/v2/",
    }
    print(json.dumps(place), flush=True)
    if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):  # whoever started us holds the other end
        threading.Thread(target=_wait_for_end, args=(stop,), daemon=True).start()
    stop.wait()
    for server in servers:
        server.stop()


if __name__ == "__main__":
    main()
