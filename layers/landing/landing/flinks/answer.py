"""What Flinks said to a call, or what kept it from saying anything."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from threading import Lock
from typing import Any

from landing.flinks.room import Place
from landing.flinks.wire import Fault
from landing.strict_json import JsonObject, parse

# Flinks' GUIDs come from a database sequence: no RFC 4122 version or variant (flinks.md §14).
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,4094}[\x21-\x7e])?")

NO_ERROR = frozenset({None, "OK", "CREATED"})
"""The FlinksCodes of a success, None being the usual one."""


class Call(StrEnum):
    GENERATE_AUTHORIZE_TOKEN = "GenerateAuthorizeToken"  # noqa: S105  # the name of a call
    AUTHORIZE = "Authorize"
    ACCOUNTS_DETAIL = "GetAccountsDetail"
    ACCOUNTS_DETAIL_ASYNC = "GetAccountsDetailAsync"
    DELETE_CARD = "DeleteCard"


DATA_CALLS = frozenset({Call.ACCOUNTS_DETAIL, Call.ACCOUNTS_DETAIL_ASYNC})


@dataclass
class Received:
    """An answer to a data call: its bytes, and what was learned when they were read once."""

    content: bytes = field(repr=False)
    body: JsonObject = field(repr=False)
    """Less `Accounts`, which are most of it."""
    accounts: int | None
    """None: there is no array of objects."""
    transactions: int
    place: Place | None = field(default=None, repr=False, compare=False)

    def let_go(self, keeping: int = 0) -> None:
        """The content is no longer needed; `keeping` bytes of what was made of it are."""
        self.content = b""
        if self.place is not None:
            self.place.shrink(keeping)


one_at_a_time = Lock()
"""Held by whoever reads or packs an answer. That is work for the processor alone, so nobody gains by doing two at
once; but what reading builds in memory is many times the answer."""


def received(content: bytes, place: Place | None = None) -> Received | None:
    """Read an answer, once; None if it is no JSON object. Raises NotStrictJson."""
    with one_at_a_time:
        body = parse(content, exact=False)
        if not isinstance(body, dict):
            return None
        accounts = body.pop("Accounts", None)
        if not isinstance(accounts, list) or not all(isinstance(account, dict) for account in accounts):
            return Received(content, body, None, 0, place)
        transactions = sum(_count(account.get("Transactions")) for account in accounts)
        return Received(content, body, len(accounts), transactions, place)


def _count(transactions: Any) -> int:
    return len(transactions) if isinstance(transactions, list) else 0


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
    """The JSON object that was said; of a data call, all but its accounts."""
    fault: Fault | None = None
    retry_after: float | None = field(default=None, repr=False)
    """Seconds."""
    data: Received | None = field(default=None, repr=False)
    """Of a data call: the answer as it came."""

    def close(self) -> None:
        """Give back the memory of the data, if there was any."""
        if self.data is not None:
            self.data.let_go()

    @property
    def effective_status(self) -> int | None:
        """The HTTP status, unless that is 200 and the body names another (flinks.md §6.3, §10.1)."""
        if self.status != HTTPStatus.OK:
            return self.status
        return self.declared_status or HTTPStatus.OK

    @property
    def declared_status(self) -> int | None:
        """The status in the body. DeleteCard calls it StatusCode (flinks.md §8)."""
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
        if self.call is Call.GENERATE_AUTHORIZE_TOKEN and self.is_success and HEADER_VALUE.fullmatch(token):
            return token
        return None

    @property
    def request_id(self) -> str | None:
        """The session. An error can carry a usable one (flinks.md §5.5)."""
        request_id = self._text("RequestId")
        return request_id if GUID.fullmatch(request_id) else None

    @property
    def login_id(self) -> str | None:
        """The login that the answer is about, in lower case."""
        login_id = self._login.get("Id")
        return login_id.lower() if isinstance(login_id, str) and GUID.fullmatch(login_id) else None

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
