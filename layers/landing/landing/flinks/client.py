"""Flinks' banking API in its own verbs: each call returns an Answer, whatever the wire does."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import urlsplit

from landing import deadlines
from landing.flinks.answer import DATA_CALLS, GUID, HEADER_VALUE, Answer, Call, Received, received
from landing.flinks.codes import Kind, what_to_do
from landing.flinks.wire import Fault, Reply, Wire
from landing.strict_json import JsonObject, NotStrictJson, memory_to_read, parse

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_FLINKS_CODE = re.compile(r"[A-Z][A-Z_ ]{1,63}")

MAX_BYTES = 32 * 1024 * 1024
MOST_MEMORY = 320 * 1024 * 1024
"""That reading one answer may take: ten times the largest, four times what account data needs (it is 2.4 bytes for
each of its own). Only what is all brackets comes up against it."""
LONGEST_RETRY_AFTER = 900.0
"""Seconds. Flinks documents no Retry-After; one that is longer is cut to this: it is more likely a mistake."""

DEADLINES: Mapping[Call, float] = {
    Call.GENERATE_AUTHORIZE_TOKEN: deadlines.MINT,
    Call.AUTHORIZE: deadlines.AUTHORIZE,
    Call.ACCOUNTS_DETAIL: deadlines.DATA,
    Call.ACCOUNTS_DETAIL_ASYNC: deadlines.DATA,
    Call.DELETE_CARD: deadlines.DELETE_CARD,
}
"""Seconds for a whole call."""


def _all_of_it(deadline: float) -> float:
    return deadline


class MintKey(Protocol):
    """Read before every call, so that a rotated key is used as soon as it is known."""

    @property
    def secret_key(self) -> str: ...
    def refresh(self) -> None:
        """Forget what was read, so that the next read finds a rotated key."""


class Credentials(MintKey, Protocol):
    """The keys of a function that also asks for data, or deletes."""

    @property
    def api_key(self) -> str: ...


type MayAskAgain = Callable[[], bool]
"""Asked when Flinks has refused our keys: whether there is time for the same call once more."""


_WORTH_ASKING = 1.0
"""Seconds."""

_NO_KEYS = {"": Fault.NO_SECRET, "to be filled in": Fault.PLACEHOLDER}
"""What stands in the place of a key: nothing, and what the template leaves there."""


def _always() -> bool:
    return True


class TokenMint:
    """What the secret key opens at one customer of one Flinks instance. Threads may share it."""

    def __init__(
        self,
        api_url: str,
        customer_id: str,
        credentials: MintKey,
        *,
        within: Mapping[Call, float] = DEADLINES,
        seconds: Callable[[float], float] = _all_of_it,
        max_bytes: int = MAX_BYTES,
        connections: int = 32,
    ) -> None:
        """`api_url` is an origin: https, or http on loopback. `within` are seconds per call; `seconds` says how much
        of them there is now: with none, a call is not made and nothing is reached.

        Up to `connections` are kept open; more threads than that still work.

        Raises:
            ValueError: A URL or a customerId that is none. Quotes nothing.
        """
        origin, host = _origin(api_url)
        customer_id = _guid(customer_id, "customerId")
        self.home = f"{host}/{customer_id.lower()}"
        """Which Flinks this is. Logins of another home are unknown here (flinks.md §2.3)."""
        self._root = f"{origin}/v3/{customer_id}/BankingServices"
        self._keys = credentials
        self._within = within
        self._seconds = seconds
        self._wire = Wire(connections, max_bytes)

    def refresh_credentials(self) -> None:
        """Read the keys anew before the next call: what was refused may have been rotated."""
        self._keys.refresh()

    def generate_authorize_token(self) -> Answer:
        return self._with_fresh_keys(self._mint, _always)

    def _mint(self) -> Answer:
        return self._ask("POST", Call.GENERATE_AUTHORIZE_TOKEN, ("flinks-auth-key", self._keys.secret_key))

    def _with_fresh_keys(self, ask: Callable[[], Answer], may_ask_again: MayAskAgain) -> Answer:
        """When Flinks refuses our keys, read them anew and ask once more: they may have been rotated."""
        answer = ask()
        if what_to_do(answer).kind is Kind.OUR_CREDENTIALS:
            self.refresh_credentials()
            if may_ask_again() and self._seconds(_WORTH_ASKING) >= _WORTH_ASKING:
                answer.close()
                return ask()
        return answer

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
        if value in _NO_KEYS:
            return Answer(call, fault=_NO_KEYS[value])
        if not all(HEADER_VALUE.fullmatch(text) for text in headers.values()):
            # requests would refuse it too, and quote it.
            return Answer(call, fault=Fault.UNSENDABLE)
        seconds = self._seconds(self._within[call])
        if seconds <= 0:
            return Answer(call, fault=Fault.UNREACHABLE)
        content = None if body is None else json.dumps(body).encode()
        url = f"{self._root}/{call}{path}"
        return _answer(call, self._wire.send(method, url, headers, content, seconds))


class FlinksClient(TokenMint):
    """The rest of the API. ids are checked before they are sent: one that is no GUID is a ValueError without it."""

    def __init__(
        self,
        api_url: str,
        customer_id: str,
        credentials: Credentials,
        *,
        days_of_transactions: int = 90,
        within: Mapping[Call, float] = DEADLINES,
        seconds: Callable[[float], float] = _all_of_it,
        max_bytes: int = MAX_BYTES,
        connections: int = 32,
    ) -> None:
        """As `TokenMint`; a depth of history that Flinks does not know is a ValueError too."""
        super().__init__(
            api_url,
            customer_id,
            credentials,
            within=within,
            seconds=seconds,
            max_bytes=max_bytes,
            connections=connections,
        )
        self._credentials = credentials
        self._days_of_transactions = _days(days_of_transactions)

    def exchange(self, login_id: str, may_ask_again: MayAskAgain = _always) -> Answer:
        """A fresh authorize token, then `authorize` with it. Without a token, the answer that had none."""
        _guid(login_id, "loginId")

        def ask() -> Answer:
            minted = self._mint()
            return minted if minted.token is None else self.authorize(login_id, minted.token)

        return self._with_fresh_keys(ask, may_ask_again)

    def authorize(self, login_id: str, token: str) -> Answer:
        """Open a session on what Flinks holds; the bank is not asked. `token` is spent even if this fails."""
        body = {"LoginId": _guid(login_id, "loginId"), "MostRecentCached": True}
        return self._ask("POST", Call.AUTHORIZE, ("flinks-auth-key", token), body)

    def accounts_detail(
        self,
        request_id: str,
        accounts_filter: Sequence[str] | None = None,
        may_ask_again: MayAskAgain = _always,
        days_of_transactions: int | None = None,
    ) -> Answer:
        """Ask for the data. No filter, or an empty one, means every account; without days, this client's own."""
        body: JsonObject = {
            "RequestId": _guid(request_id, "requestId"),
            "WithAccountIdentity": True,
            "WithKYC": True,
            "WithTransactions": True,
            "DaysOfTransactions": _days(days_of_transactions) if days_of_transactions else self._days_of_transactions,
        }
        if accounts_filter:
            body["AccountsFilter"] = list(accounts_filter)
        return self._with_api_key("POST", Call.ACCOUNTS_DETAIL, may_ask_again, body)

    def accounts_detail_async(self, request_id: str, may_ask_again: MayAskAgain = _always) -> Answer:
        """Ask again, after a 202, for what `accounts_detail` asked for."""
        path = f"/{_guid(request_id, 'requestId')}"
        return self._with_api_key("GET", Call.ACCOUNTS_DETAIL_ASYNC, may_ask_again, path=path)

    def delete_card(self, login_id: str) -> Answer:
        """Have Flinks forget the login. After a timeout nothing is known: call again."""
        return self._with_api_key("DELETE", Call.DELETE_CARD, _always, path=f"/{_guid(login_id, 'loginId')}")

    def _with_api_key(
        self, method: str, call: Call, may_ask_again: MayAskAgain, body: JsonObject | None = None, path: str = ""
    ) -> Answer:
        def ask() -> Answer:
            return self._ask(method, call, ("x-api-key", self._credentials.api_key), body, path)

        return self._with_fresh_keys(ask, may_ask_again)


def _answer(call: Call, reply: Reply) -> Answer:
    if reply.fault is not None:
        return Answer(call, reply.status, fault=reply.fault)
    retry_after = _seconds(reply.retry_after)
    if call in DATA_CALLS and memory_to_read(reply.content) > MOST_MEMORY:
        data, fault = None, Fault.TOO_LARGE
    else:
        data, fault = _data(call, reply), Fault.UNREADABLE
    if data is None and reply.place is not None:
        reply.place.shrink(0)
    body = data.body if data is not None else _body(call, reply.content)
    if body is None:
        return Answer(call, reply.status, fault=fault, retry_after=retry_after)
    return Answer(call, reply.status, _code(body), body, retry_after=retry_after, data=data)


def _data(call: Call, reply: Reply) -> Received | None:
    with suppress(NotStrictJson):
        return received(reply.content, reply.place) if call in DATA_CALLS else None
    return None


def _body(call: Call, content: bytes) -> JsonObject | None:
    if call in DATA_CALLS:
        return None  # it has been read, in vain
    try:
        body = parse(content)
    except NotStrictJson:
        body = content.decode(errors="replace") if call is Call.DELETE_CARD else None
    if call is Call.DELETE_CARD and isinstance(body, str):
        return {"Message": body}  # "Invalid LoginId" has been seen as the whole body (flinks.md §8)
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


def _days(count: int) -> str:
    if count not in (90, 365):
        raise ValueError("Flinks knows 90 days and 365")
    return f"Days{count}"


def _guid(text: Any, name: str) -> str:
    if not isinstance(text, str) or not GUID.fullmatch(text):
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
