"""One HTTP request to a host we trust little: a total deadline, a byte cap, no redirect, and no exception.

requests is used below its Session on purpose. A Session keeps cookies, takes proxies and netrc from the
environment, and reads the body of a redirect without limit even where redirects are not followed.
"""

import io
import logging
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPResponse
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

from landing import trust_store
from landing.flinks.room import Place, Room

CONNECT_SECONDS = 5.0
"""For each address of the host, and again for TLS; what then is left of the deadline is for the answer. Looking up
the name has the resolver's own limits: nothing in Python can cut that short."""

_READ_BYTES = 64 * 1024

ANSWERS_AT_ONCE = 2
"""Of the largest size; of smaller ones, as many as fit into the same memory."""


class Fault(StrEnum):
    """Why there is no answer that could be read."""

    TIMEOUT = "timeout"
    """Connected, but not answered in full by the deadline: what the other side did is unknown."""
    UNREACHABLE = "unreachable"
    """No address, refused, TLS failed, reset, or cut short."""
    REDIRECTED = "redirected"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    """Not what its Content-Encoding says, or not JSON that we accept."""
    NO_ROOM = "no_room"
    """A large answer, and until the deadline no memory for it beside the others."""
    UNSENDABLE = "secret_unsendable"
    """A key of ours cannot stand in a header: nothing was sent. Nor for the two that follow."""
    NO_SECRET = "secret_not_as_documented"  # noqa: S105 - a fault
    """The secret is not the JSON that it should be, or lacks its member."""
    PLACEHOLDER = "secret_placeholder"
    """The secret still is what the template put there."""


@dataclass(frozen=True)
class Reply:
    """What came back. With a fault, `status` says how far it got and `content` is empty."""

    status: int | None = None
    retry_after: str | None = None
    content: bytes = field(default=b"", repr=False)
    fault: Fault | None = None
    place: Place | None = field(default=None, repr=False, compare=False)
    """What `content` takes up, to be given back when it is no longer needed."""


class Wire:
    """Keeps connections open between calls and may be shared by threads."""

    def __init__(self, connections: int, max_bytes: int) -> None:
        """`max_bytes` counts after inflation."""
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        self._max_bytes = max_bytes
        self._room = Room(ANSWERS_AT_ONCE * max_bytes, max_bytes)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float) -> Reply:
        """Ask once. `seconds` is the time for all of it, from connecting to the last byte of the body.

        What the host or the network does is a Reply; what `method`, `url` or `headers` are not is a ValueError, or one
        of requests' own, which quotes them: check them first.
        """
        request = requests.Request(method, url, headers=dict(headers), data=body).prepare()
        _this_thread.is_sending = True
        try:
            return self._exchange(request, Timeout(connect=CONNECT_SECONDS, total=seconds), time.monotonic() + seconds)
        finally:
            _this_thread.is_sending = False

    def _exchange(self, request: requests.PreparedRequest, timeout: Timeout, until: float) -> Reply:
        status = None
        try:
            response = self._adapter.send(
                request,
                stream=True,
                timeout=timeout,  # type: ignore[arg-type]  # requests hands urllib3's own Timeout through
            )
            with response:
                status = response.status_code
                return self._read(response, until)
        except (OSError, HTTPError, ValueError) as error:
            # ValueError, because the libraries below parse numbers, dates and URLs out of what a host says.
            return Reply(status, fault=_fault(error))

    def _read(self, response: requests.Response, until: float) -> Reply:
        status = response.status_code
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return Reply(status, fault=Fault.REDIRECTED)
        with ExitStack() as unless_it_is_read:
            place = unless_it_is_read.enter_context(Place(self._room))
            content = io.BytesIO()
            for part in response.raw.stream(_READ_BYTES, decode_content=True):
                size = content.tell() + len(part)
                if size > self._max_bytes:
                    return Reply(status, fault=Fault.TOO_LARGE)
                if not place.grow(size, until):
                    return Reply(status, fault=Fault.NO_ROOM)
                content.write(part)
            place.shrink(content.tell())
            unless_it_is_read.pop_all()
            return Reply(status, response.headers.get("Retry-After"), content.getvalue(), place=place)


def _fault(error: Exception) -> Fault:
    if isinstance(error, requests.ConnectTimeout):
        return Fault.UNREACHABLE
    if isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError):
        return Fault.TIMEOUT
    return Fault.UNREADABLE if isinstance(error, DecodeError) else Fault.UNREACHABLE


class _UntilDeadline(io.RawIOBase):
    """A socket's bytes until a deadline. A socket's own timeout starts anew with every byte that drips in."""

    def __init__(self, sock: Any, raw: io.RawIOBase) -> None:
        super().__init__()
        self._sock = sock
        self._raw = raw
        self._ends = time.monotonic() + sock.gettimeout()  # urllib3: the total less the time to connect

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_UntilDeadline(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=trust_store.context(), **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context knows whom to trust; requests would have each connection read them all again."""


# urllib3 logs paths, some of them as warnings, and one of Flinks' paths holds the loginId. A filter of ours
# outlives whatever level and handlers others give these loggers.
_this_thread = threading.local()


def _is_not_ours(_record: logging.LogRecord) -> bool:
    return not getattr(_this_thread, "is_sending", False)


for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_is_not_ours)
