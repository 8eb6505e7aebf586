"""Flinks' banking API in its own verbs: each call returns an Answer, whatever the wire does."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from landing.flinks.wire import Fault, Reply, Wire
from landing.strict_json import JsonObject, NotStrictJson, parse

__all__ = ["Answer", "Call", "Credentials", "Fault", "FlinksClient", "JsonObject"]

# Flinks' GUIDs come from a database sequence: no RFC 4122 version or variant (flinks-api §14).
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,4094}[\x21-\x7e])?")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_FLINKS_CODE = re.compile(r"[A-Z][A-Z_ ]{1,63}")

NO_ERROR = frozenset({None, "OK", "CREATED"})
"""The FlinksCodes of a success, None being the usual one."""

MAX_BYTES = 32 * 1024 * 1024
LONGEST_RETRY_AFTER = 900.0
"""Seconds. Flinks documents no Retry-After: a longer one is more likely a mistake than a plan."""


class Call(StrEnum):
    GENERATE_AUTHORIZE_TOKEN = "GenerateAuthorizeToken"  # noqa: S105  # the name of a call
    AUTHORIZE = "Authorize"
    ACCOUNTS_DETAIL = "GetAccountsDetail"
    ACCOUNTS_DETAIL_ASYNC = "GetAccountsDetailAsync"
    DELETE_CARD = "DeleteCard"


DEADLINES: Mapping[Call, float] = {
    Call.GENERATE_AUTHORIZE_TOKEN: 20,
    Call.AUTHORIZE: 20,
    Call.ACCOUNTS_DETAIL: 45,
    Call.ACCOUNTS_DETAIL_ASYNC: 45,
    Call.DELETE_CARD: 60,
}
"""Seconds for a whole call. A data call may run 210 s at Flinks, so its timeout means: ask again later."""


@dataclass(frozen=True)
class Answer:
    """What Flinks answered to a call, or the fault that kept it from answering.

    Its repr is safe to log: call, status, code and fault. Everything else may be a secret or personal.
    """

    call: Call
    status: int | None = None
    """The HTTP status; None when no status line came."""
    code: str | None = None
    """The FlinksCode; `UNRECOGNISABLE` if it looks like none, so that no secret is logged as a code."""
    body: JsonObject | None = field(default=None, repr=False)
    fault: Fault | None = None
    retry_after: float | None = field(default=None, repr=False)
    """Seconds."""

    @property
    def effective_status(self) -> int | None:
        """The HTTP status, unless that is 200 and the body names another (flinks-api §6.3, §10.1)."""
        if self.status != HTTPStatus.OK:
            return self.status
        return self.declared_status or HTTPStatus.OK

    @property
    def declared_status(self) -> int | None:
        """The status in the body. DeleteCard calls it StatusCode (flinks-api §8)."""
        for name in ("HttpStatusCode", "StatusCode"):
            declared = (self.body or {}).get(name)
            if type(declared) is int:
                return declared
        return None

    @property
    def is_success(self) -> bool:
        """A 200 in the line and in the body, with no code that says otherwise."""
        return self.fault is None and self.effective_status == HTTPStatus.OK and self.code in NO_ERROR

    @property
    def token(self) -> str | None:
        """The authorize token, of a GenerateAuthorizeToken that succeeded."""
        token = self._text("Token")
        if self.call is Call.GENERATE_AUTHORIZE_TOKEN and self.is_success and _HEADER_VALUE.fullmatch(token):
            return token
        return None

    @property
    def request_id(self) -> str | None:
        """The session. An error can carry a usable one (flinks-api §5.5)."""
        request_id = self._text("RequestId")
        return request_id if _GUID.fullmatch(request_id) else None

    @property
    def login_id(self) -> str | None:
        """The login that the answer is about, in lower case."""
        login_id = self._login.get("Id")
        return login_id.lower() if isinstance(login_id, str) and _GUID.fullmatch(login_id) else None

    @property
    def last_refresh(self) -> str | None:
        """When the bank was last read: UTC without a zone, `0001-01-01T00:00:00` for never."""
        last_refresh = self._login.get("LastRefresh")
        return last_refresh if isinstance(last_refresh, str) else None

    @property
    def tag(self) -> str | None:
        return self._text("Tag") or None

    @property
    def message(self) -> str:
        """Free text that may quote ids. Only DeleteCard gives a reason to look at it."""
        return self._text("Message")

    def _text(self, name: str) -> str:
        value = (self.body or {}).get(name)
        return value if isinstance(value, str) else ""

    @property
    def _login(self) -> JsonObject:
        login = (self.body or {}).get("Login")
        return login if isinstance(login, dict) else {}


class Credentials(Protocol):
    """Read before every call, so that a rotated key is used as soon as it is known."""

    @property
    def secret_key(self) -> str: ...
    @property
    def api_key(self) -> str: ...
    def refresh(self) -> None:
        """Forget the keys, so that the next read finds rotated ones."""


class FlinksClient:
    """One customer of one Flinks instance. Threads may share it.

    ids are checked before they are sent: one that is no GUID is a ValueError, which does not quote it.
    """

    def __init__(
        self,
        api_url: str,
        customer_id: str,
        credentials: Credentials,
        *,
        bearer: str | None = None,
        days_of_transactions: Literal["Days90", "Days365"] = "Days90",
        deadlines: Mapping[Call, float] = DEADLINES,
        max_bytes: int = MAX_BYTES,
        connections: int = 32,
    ) -> None:
        """`api_url` is an origin: https, or http on loopback. `deadlines` are seconds per call.

        `bearer` is for the few instances that want `Authorization: Bearer` besides (flinks-api §3). Up to
        `connections` are kept open; more threads than that still work.

        Raises:
            ValueError: A URL, a customerId or a depth of history that is none. Quotes nothing.
        """
        origin, host = _origin(api_url)
        customer_id = _guid(customer_id, "customerId")
        if days_of_transactions not in {"Days90", "Days365"}:
            raise ValueError("Flinks knows Days90 and Days365")
        self.home = f"{host}/{customer_id.lower()}"
        """Which Flinks this is. Logins of another home are unknown here (flinks-api §2.3)."""
        self._root = f"{origin}/v3/{customer_id}/BankingServices"
        self._credentials = credentials
        self._bearer = bearer
        self._days_of_transactions = days_of_transactions
        self._deadlines = deadlines
        self._wire = Wire(connections, max_bytes)

    def refresh_credentials(self) -> None:
        """Read the keys anew before the next call: what was refused may have been rotated."""
        self._credentials.refresh()

    def generate_authorize_token(self) -> Answer:
        return self._ask("POST", Call.GENERATE_AUTHORIZE_TOKEN, ("flinks-auth-key", self._credentials.secret_key))

    def authorize(self, login_id: str, token: str) -> Answer:
        """Open a session on what Flinks holds; the bank is not asked. `token` is spent even if this fails."""
        body = {"LoginId": _guid(login_id, "loginId"), "MostRecentCached": True}
        return self._ask("POST", Call.AUTHORIZE, ("flinks-auth-key", token), body)

    def exchange(self, login_id: str) -> Answer:
        """A fresh authorize token, then `authorize` with it. Without a token, the answer that had none."""
        _guid(login_id, "loginId")
        minted = self.generate_authorize_token()
        return minted if minted.token is None else self.authorize(login_id, minted.token)

    def accounts_detail(self, request_id: str, accounts_filter: Sequence[str] | None = None) -> Answer:
        """Ask for the data. No filter, or an empty one, means every account."""
        body: JsonObject = {
            "RequestId": _guid(request_id, "requestId"),
            "WithAccountIdentity": True,
            "WithKYC": True,
            "WithTransactions": True,
            "DaysOfTransactions": self._days_of_transactions,
        }
        if accounts_filter:
            body["AccountsFilter"] = list(accounts_filter)
        return self._ask("POST", Call.ACCOUNTS_DETAIL, ("x-api-key", self._credentials.api_key), body)

    def accounts_detail_async(self, request_id: str) -> Answer:
        """Ask again, after a 202, for what `accounts_detail` asked for."""
        key = ("x-api-key", self._credentials.api_key)
        return self._ask("GET", Call.ACCOUNTS_DETAIL_ASYNC, key, path=f"/{_guid(request_id, 'requestId')}")

    def delete_card(self, login_id: str) -> Answer:
        """Have Flinks forget the login. After a timeout nothing is known: call again."""
        key = ("x-api-key", self._credentials.api_key)
        return self._ask("DELETE", Call.DELETE_CARD, key, path=f"/{_guid(login_id, 'loginId')}")

    def _ask(
        self, method: str, call: Call, key: tuple[str, str], body: JsonObject | None = None, path: str = ""
    ) -> Answer:
        header, value = key[0], key[1].strip()
        headers = {
            header: value,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            "User-Agent": "flinks-landing",
        }
        if self._bearer is not None:
            headers["Authorization"] = f"Bearer {self._bearer.strip()}"
        if not all(_HEADER_VALUE.fullmatch(text) for text in headers.values()):
            # requests would refuse it too, and quote it.
            return Answer(call, fault=Fault.UNSENDABLE)
        content = None if body is None else json.dumps(body).encode()
        url = f"{self._root}/{call}{path}"
        return _answer(call, self._wire.send(method, url, headers, content, self._deadlines[call]))


def _answer(call: Call, reply: Reply) -> Answer:
    if reply.fault is not None:
        return Answer(call, reply.status, fault=reply.fault)
    retry_after = _seconds(reply.retry_after)
    body = _body(call, reply.content)
    if body is None:
        return Answer(call, reply.status, fault=Fault.UNREADABLE, retry_after=retry_after)
    return Answer(call, reply.status, _code(body), body, retry_after=retry_after)


def _body(call: Call, content: bytes) -> JsonObject | None:
    try:
        body = parse(content)
    except NotStrictJson:
        body = content.decode(errors="replace") if call is Call.DELETE_CARD else None
    if call is Call.DELETE_CARD and isinstance(body, str):
        return {"Message": body}  # "Invalid LoginId" has been seen as the whole body (flinks-api §8)
    return body if isinstance(body, dict) else None


def _code(body: JsonObject) -> str | None:
    code = body.get("FlinksCode")
    if code is None or code == "":
        return None
    return code if isinstance(code, str) and _FLINKS_CODE.fullmatch(code) else "UNRECOGNISABLE"


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After, which is a number of seconds or a date; anything else is None."""
    text = (retry_after or "").strip()
    if re.fullmatch(r"[0-9]{1,19}", text):
        seconds = float(text)
    else:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):  # TypeError: a date without a zone
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _guid(text: Any, name: str) -> str:
    if not isinstance(text, str) or not _GUID.fullmatch(text):
        raise ValueError(f"the {name} is not a GUID")
    return text


def _origin(api_url: str) -> tuple[str, str]:
    """Scheme and host with port, and the latter alone.

    Raises:
        ValueError: Not an origin that a secret may be sent to.
    """
    try:
        url = urlsplit(api_url)
        scheme, host, port, userinfo = url.scheme, url.hostname or "", url.port, url.username is not None
        rest = url.path.removeprefix("/") + url.query + url.fragment
    except ValueError:  # its message quotes the URL, and is gone when the next line raises
        scheme = host = ""
    if not (scheme == "https" or (scheme == "http" and _is_loopback(host))):
        raise ValueError("Flinks' URL must be https (http on loopback only)")
    if rest or userinfo or not (_is_loopback(host) or _HOST.fullmatch(host)):
        raise ValueError("Flinks' URL must be an origin: a scheme, a host and perhaps a port")
    authority = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    return f"{scheme}://{authority}", authority


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
