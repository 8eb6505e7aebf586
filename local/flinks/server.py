"""A thin HTTP/1.1 server on loopback: writes each reply, or mistreats it as its wire says."""

import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.flinks.reply import Reply

DRIPS_PER_SECOND = 10

type App = Callable[[str, str, dict[str, str], bytes], AbstractContextManager[Reply]]
"""Takes method, path, headers and body; is left when all of the reply but its last byte is on the wire."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, app: App) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.app = app
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what is wrong with us, not that a client has gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120  # seconds a kept-alive connection may be silent

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        last_byte = b""
        with self.server.app(self.command, self.path, dict(self.headers), body) as reply, self._to_a_client():
            last_byte = self._write(reply)
        # The call is over now, and only then for the client: its next one may come at once.
        with self._to_a_client():
            self.connection.sendall(last_byte)
            if reply.wire.reset:
                self._reset()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - http.server looks them up so

    @contextmanager
    def _to_a_client(self) -> Iterator[None]:
        try:
            yield
        except OSError:  # the client has gone
            self.close_connection = True

    def _write(self, reply: Reply) -> bytes:
        """Send all but the last byte, which it gives back."""
        wire = reply.wire
        if wire.hang_seconds:
            self.server.stopping.wait(wire.hang_seconds)
        ends = bool(wire.close or wire.cut or wire.bytes_per_second)
        head = self._head(reply, ends=ends)
        message = {
            None: head + reply.body,
            "before": b"",
            "head": head[: len(head) // 2],
            "body": head + reply.body[: len(reply.body) // 2],
        }[wire.cut]
        if wire.bytes_per_second:
            self._drip(message[:-1], wire.bytes_per_second)
        else:
            self.connection.sendall(message[:-1])
        if ends:
            self.close_connection = True
        return message[-1:]

    def _head(self, reply: Reply, *, ends: bool) -> bytes:
        headers = {"Date": formatdate(usegmt=True), "Content-Length": str(len(reply.body)), **reply.headers}
        if ends:
            headers["Connection"] = "close"
        try:
            phrase = HTTPStatus(reply.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _drip(self, message: bytes, bytes_per_second: float) -> None:
        size = max(1, int(bytes_per_second / DRIPS_PER_SECOND))
        for start in range(0, len(message), size):
            self.connection.sendall(message[start : start + size])
            if self.server.stopping.wait(size / bytes_per_second):
                return

    def _reset(self) -> None:
        """Close with RST: lingering zero seconds, and before socketserver could say goodbye with FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def log_message(self, *_: object) -> None:
        """Say nothing: the paths hold loginIds."""
