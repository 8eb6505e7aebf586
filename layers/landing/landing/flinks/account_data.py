"""Account data as Flinks sent it, less what identifies the session and the login, packed to be stored.

Before Flinks' own members stands one of ours, which says whose data it is and of when: a reader of the object alone
needs no event, SQL reads it like everything else, and an erase takes it along.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import simplejson

from landing.domain.connection import timestamp
from landing.strict_json import JsonObject

OURS = "flinksLanding"
"""The first member of a drop. Flinks' names begin with a capital."""

_LAST_REFRESH = re.compile(r"[0-9T:.+Z-]{10,40}")

# Names in lower case, so that another casing does not slip through. Ids of accounts and transactions stay:
# consumers need them.
_OF_THE_ANSWER = {"links", "tag", OURS.lower()}
_OF_A_LOGIN = {"id", "username"}
_ANYWHERE = {"requestid", "loginid"}


class Incomplete(Exception):
    """Not account data, or not provably this login's: ask again. Quotes nothing."""


class AnotherLogin(Exception):
    """The data of a login that was not asked for: it must not be stored. Quotes nothing."""


@dataclass(frozen=True)
class About:
    """Whose data it is and of when, for a reader who has nothing but the drop."""

    connection_id: str
    generation: int
    owner: str | None
    """The app user, as the access token's `sub` names them."""
    institution: str | None
    """As the app said it; what Flinks says stands in its own member."""
    fetched_at: datetime


@dataclass(frozen=True)
class AccountData:
    """One drop's worth: gzip of UTF-8 JSON, the same bytes for the same answer and `About`."""

    compressed: bytes = field(repr=False)
    sha256: str
    """Hex, of the compressed bytes."""
    accounts: int
    transactions: int
    last_refresh: str | None
    """UTC without a zone, as Flinks says it; `0001-01-01T00:00:00` for never (flinks.md §15)."""


def read(body: JsonObject | None, login_id: str, about: About) -> AccountData:
    """Check that `body` is the data of `login_id` (canonical), then strip it, put `about` first, and pack it.

    Unknown members, nulls and odd types stay as they are, and so do numbers, to the last digit. No accounts
    are data too; absent accounts are not (flinks.md §6.2).

    Raises:
        AnotherLogin: The answer names another login.
        Incomplete: It names none, or has no array of accounts.
    """
    body = body or {}
    login = body.get("Login")
    login = login if isinstance(login, dict) else {}
    named = login.get("Id")
    if not isinstance(named, str):
        raise Incomplete("the answer names no login")
    if named.lower() != login_id:
        raise AnotherLogin("the answer is about another login")
    accounts = body.get("Accounts")
    if not isinstance(accounts, list) or not all(isinstance(account, dict) for account in accounts):
        raise Incomplete("the answer has no array of accounts")

    kept = {name: value for name, value in body.items() if name.lower() not in _OF_THE_ANSWER}
    stripped = {OURS: _ours(about, login)} | _stripped(kept)
    text, secrets = _json(stripped), _secrets(body, login_id)
    if _quotes(text, secrets):
        text = _json(_without_quotes(stripped, secrets))
    compressed = gzip.compress(text.encode(), compresslevel=6, mtime=0)
    return AccountData(
        compressed=compressed,
        sha256=hashlib.sha256(compressed).hexdigest(),
        accounts=len(accounts),
        transactions=sum(_count(account.get("Transactions")) for account in accounts),
        last_refresh=_last_refresh(login),
    )


def _ours(about: About, login: JsonObject) -> JsonObject:
    """In the spelling of the announcements."""
    return {
        "connectionId": about.connection_id,
        "generation": about.generation,
        "owner": about.owner,
        "institution": about.institution,
        "fetchedAt": timestamp(about.fetched_at),
        "lastRefresh": _last_refresh(login),
    }


def _json(value: JsonObject) -> str:
    return simplejson.dumps(value, allow_nan=False, separators=(",", ":"))


def _stripped(value: Any, within: str = "") -> Any:
    """`value` less every member that is secret by its name."""
    if isinstance(value, dict):
        return {
            name: _stripped(member, lower)
            for name, member in value.items()
            if (lower := name.lower()) not in _ANYWHERE and not (within == "login" and lower in _OF_A_LOGIN)
        }
    if isinstance(value, list):
        return [_stripped(item, within) for item in value]
    return value


def _secrets(body: JsonObject, login_id: str) -> list[str]:
    request_id = body.get("RequestId")
    if not isinstance(request_id, str) or len(request_id) != len(login_id):
        return [login_id]  # what is no GUID may turn up in any innocent text
    return [login_id, request_id.lower()]


def _without_quotes(value: Any, secrets: list[str]) -> Any:
    """`value` less every member, name and item that quotes a secret."""
    if isinstance(value, dict):
        return {
            name: _without_quotes(member, secrets)
            for name, member in value.items()
            if not _quotes(name, secrets) and not _quotes(member, secrets)
        }
    if isinstance(value, list):
        return [_without_quotes(item, secrets) for item in value if not _quotes(item, secrets)]
    return value


def _quotes(value: Any, secrets: list[str]) -> bool:
    return isinstance(value, str) and any(secret in value.lower() for secret in secrets)


def _count(transactions: Any) -> int:
    return len(transactions) if isinstance(transactions, list) else 0


def _last_refresh(login: JsonObject) -> str | None:
    """Only if it looks like a time: it becomes metadata of the drop, which is a header."""
    value = login.get("LastRefresh")
    return value if isinstance(value, str) and _LAST_REFRESH.fullmatch(value) else None
