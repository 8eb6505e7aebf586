"""Serves the landing page on a free loopback port, and plays the backend that gives the page its access tokens."""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

_HERE = Path(__file__).parent
_FILES = {
    "/": (_HERE / "index.html", "text/html; charset=utf-8"),
    "/page.css": (_HERE / "page.css", "text/css; charset=utf-8"),
    "/page.js": (_HERE / "page.js", "text/javascript; charset=utf-8"),
    "/words.js": (_HERE / "words.js", "text/javascript; charset=utf-8"),
    "/connect.js": (_HERE.parents[1] / "docs" / "frontend" / "connect.js", "text/javascript; charset=utf-8"),
}

type Answer = tuple[HTTPStatus, bytes, str]


class Page:
    """Bound to its port at once, so that its origin can be deployed; answers 503 until `serve` says what it serves.

    `token` gives an access token for an app user; `people` are the users to choose from.
    """

    def __init__(self, token: Callable[[str], str], people: Sequence[str] = ("alice", "bob")) -> None:
        self._token = token
        self._people = list(people)
        self._api_url: str | None = None
        self._policy = ""
        self._version = ""
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body, media_type = page._answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", page._policy)
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "origin")
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                with suppress(ConnectionError):  # a browser that has gone on
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: a landing URL holds a loginId."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"{self.origin}/"

    @property
    def origin(self) -> str:
        """What the API's AllowedOrigins must name."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def serve(self, api_url: str, connect_origin: str | None = None, version: str = "") -> None:
        """From now on the page talks to `api_url` and frames `connect_origin` (None: any https origin).

        `version` is what is deployed there, for the page to say.
        """
        self._version = version
        self._policy = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' {api_url};"
            f" frame-src {connect_origin or 'https:'}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self._api_url = api_url

    def _answer(self, path: str) -> Answer:
        place = urlsplit(path)
        if self._api_url is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, b"The stack is not up yet.", "text/plain"
        if place.path in _FILES:
            file, media_type = _FILES[place.path]
            return HTTPStatus.OK, file.read_bytes(), media_type
        if place.path == "/config.json":
            config = {"apiUrl": self._api_url, "people": self._people, "version": self._version}
            return HTTPStatus.OK, json.dumps(config).encode(), "application/json"
        person = parse_qs(place.query).get("as", [""])[0]
        if place.path == "/token" and person in self._people:
            return HTTPStatus.OK, self._token(person).encode(), "text/plain"
        return HTTPStatus.NOT_FOUND, b"Not here.", "text/plain"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
