"""A host on loopback that says exactly what a test tells it to, down to the byte, the pause and the reset."""

import gzip
import json
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, Self

type Script = bytes | Callable[[socket.socket, bytes], None]


class ScriptedHost:
    """Answers each request with `script`: bytes, or a function of the socket and the request as it came in."""

    def __init__(self, script: Script = b"", tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self._tls = tls
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads: list[Thread] = []
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._open.append(sock)
                self._start(self._serve, sock)

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), self._tls.wrap_socket(plain, server_side=True) if self._tls else plain as sock:
            while request := _read_request(sock):
                self.requests.append(request)
                if callable(self.script):
                    self.script(sock, request)
                    continue
                sock.sendall(self.script)
                if b"Content-Length" not in self.script:
                    return


def _read_request(sock: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        part = sock.recv(65536)
        if not part:
            return b""
        request += part
    head, _, body = request.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def reply(body: Any, status: int = 200, **headers: str) -> bytes:
    """A whole HTTP answer. Bytes stay what they are, text is UTF-8, and anything else becomes JSON."""
    content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} As Told\r\n{head}\r\n".encode() + content


def gzipped(body: bytes) -> bytes:
    return reply(gzip.compress(body), Content_Encoding="gzip")


def dripping(answer: bytes, at_once: int, seconds: float = 0.02) -> Script:
    """`answer`, of which only the first bytes come at once, and every other byte alone."""

    def drip(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(answer[:at_once])
        for byte in answer[at_once:]:
            time.sleep(seconds)
            sock.sendall(bytes([byte]))

    return drip


def reset_after(answer: bytes) -> Script:
    """The connection breaks after `answer`."""

    def reset(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(answer)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    return reset
