"""Account data as Flinks sent it, less what identifies the session and the login, packed to be stored.

Before Flinks' own members stands one of ours, which says whose data it is and of when: a reader of the object alone
needs no event, SQL reads it like everything else, and an erase takes it along.

Nothing is written anew: what must not be stored is cut out of the bytes that came, so every number, escape and odd
member that stays is Flinks' own, to the last digit.
"""

import hashlib
import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from isal import isal_zlib

from landing.domain.connection import timestamp
from landing.flinks.answer import Received, one_at_a_time
from landing.strict_json import JsonObject

OURS = "flinksLanding"
"""The first member of a drop. Flinks' names begin with a capital."""

_LAST_REFRESH = re.compile(r"[0-9T:.+Z-]{10,40}")

# Names in lower case, so that another casing does not slip through. Ids of accounts and transactions stay:
# consumers need them.
_OF_THE_ANSWER = {"links", "tag", OURS.lower()}
_OF_A_LOGIN = {"id", "username"}
_ANYWHERE = {"requestid", "loginid"}

_LEVEL = 1
"""ISA-L's. `make benchmark` compares: 3 % larger than zlib's level 6 and seven times as fast."""
_GZIP = 31


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


def read(answer: Received | None, login_id: str, about: About) -> AccountData:
    """Check that `answer` is the data of `login_id` (canonical), then strip it, put `about` first, and pack it.

    `answer` has done its duty then: its bytes are let go, and room is kept for what was packed.

    Unknown members, nulls and odd types stay as they are, and so do numbers, to the last digit. No accounts
    are data too; absent accounts are not (flinks.md §6.2).

    Raises:
        AnotherLogin: The answer names another login.
        Incomplete: It names none, or has no array of accounts.
    """
    if answer is None:
        raise Incomplete("there is no answer")
    login = answer.body.get("Login")
    login = login if isinstance(login, dict) else {}
    named = login.get("Id")
    if not isinstance(named, str):
        raise Incomplete("the answer names no login")
    if named.lower() != login_id:
        raise AnotherLogin("the answer is about another login")
    if answer.accounts is None:
        raise Incomplete("the answer has no array of accounts")
    scissors = _Scissors(_secrets(answer.body, login_id))
    with one_at_a_time:
        text = scissors.cut(answer.content, {OURS: _ours(about, login)})
        if _has_breaks(answer.content):
            text = _on_one_line(text)
        if len(answer.content) < STRIDE:  # what is small and comes in pieces, isal presses to three times the size
            text = iter([b"".join(text)])
        compressed = _compressed(text)
    answer.let_go(keeping=len(compressed))
    return AccountData(
        compressed=compressed,
        sha256=hashlib.sha256(compressed).hexdigest(),
        accounts=answer.accounts,
        transactions=answer.transactions,
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


type Fragment = bytes | msgspec.Raw
"""Some of the JSON text. A Raw is a view of the bytes that came: it copies nothing."""


def _compressed(text: Iterator[Fragment]) -> bytes:
    gzip = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)  # writes no time into the header
    return b"".join([*(gzip.compress(fragment) for fragment in text), gzip.flush()])


def _has_breaks(content: bytes) -> bool:
    return b"\n" in content or b"\r" in content


def _on_one_line(text: Iterator[Fragment]) -> Iterator[Fragment]:
    """As engines want it that read a row a line. JSON has breaks between its tokens only: blanks do as well."""
    for fragment in text:
        view = memoryview(fragment)
        for start in range(0, len(view), STRIDE):
            yield bytes(view[start : start + STRIDE]).translate(_BLANKS)


_BLANKS = bytes.maketrans(b"\n\r", b"  ")


def _secrets(body: JsonObject, login_id: str) -> list[str]:
    request_id = body.get("RequestId")
    if not isinstance(request_id, str) or len(request_id) != len(login_id):
        return [login_id]  # what is no GUID may turn up in any innocent text
    return [login_id, request_id.lower()]


_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)

_GUID = re.compile(r"[0-9a-f-]+")
# A letter, a digit or a hyphen written as an escape: only so can a name or a secret of ours hide from a search.
_DISGUISE = re.compile(rb"\\u00(2d|3[0-9]|[46][1-9a-f]|[57][0-9a])")
STRIDE = 256 * 1024
"""Bytes that are searched at a time, so that no large copy is made; each piece reaches into the next."""
_OVERLAP = 64


class _Scissors:
    """Cuts members out of JSON text by their names, and whatever quotes one of `secrets` (in lower case).

    It opens only what holds something to cut: the accounts are nearly always passed on as one view.
    """

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = secrets
        self._needles = [b"login", b"requestid", *(secret.encode() for secret in secrets)]
        self._can_search = all(_GUID.fullmatch(secret) for secret in secrets)

    def cut(self, content: bytes, before: JsonObject) -> Iterator[Fragment]:
        """The text of a whole answer, less what must not be stored, behind the members of `before`."""
        members = _MEMBERS.decode(content.removeprefix(BOM_UTF8))
        kept = {name: value for name, value in members.items() if name.lower() not in _OF_THE_ANSWER}
        ours = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in before.items()}
        yield from self._object(ours | kept, "")

    def _object(self, members: dict[str, msgspec.Raw], within: str) -> Iterator[Fragment]:
        separator = b"{"
        for name, value in members.items():
            lower = name.lower()
            if lower in _ANYWHERE or (within == "login" and lower in _OF_A_LOGIN) or self._quotes(name, value):
                continue
            yield separator + json.dumps(name).encode() + b":"
            yield from self._value(value, lower)
            separator = b","
        yield b"}" if separator == b"," else b"{}"

    def _array(self, items: list[msgspec.Raw], within: str) -> Iterator[Fragment]:
        separator = b"["
        for item in items:
            if not self._quotes("", item):
                yield separator
                yield from self._value(item, within)
                separator = b","
        yield b"]" if separator == b"," else b"[]"

    def _value(self, value: msgspec.Raw, within: str) -> Iterator[Fragment]:
        match _first(value):
            case b"{" if within == "login" or self._may_hold_any(value):
                yield from self._object(_MEMBERS.decode(value), within)
            case b"[" if within == "login" or self._may_hold_any(value):
                yield from self._array(_ITEMS.decode(value), within)
            case _:
                yield value

    def _may_hold_any(self, value: msgspec.Raw) -> bool:
        """Whether there may be something to cut in `value`."""
        if not self._can_search:
            return True
        view = memoryview(value)
        for start in range(0, len(view), STRIDE):
            piece = bytes(view[start : start + STRIDE + _OVERLAP]).lower()
            if any(needle in piece for needle in self._needles) or (b"\\u00" in piece and _DISGUISE.search(piece)):
                return True
        return False

    def _quotes(self, name: str, value: msgspec.Raw) -> bool:
        """Whether a member's name, or its value if that is a string, quotes a secret."""
        text = _TEXT.decode(value) if _first(value) == b'"' else ""
        return any(secret in quoted.lower() for quoted in (name, text) for secret in self._secrets)


def _first(value: msgspec.Raw) -> bytes:
    """The first character: it says which kind of value this is."""
    return bytes(memoryview(value)[:1])


def _last_refresh(login: JsonObject) -> str | None:
    """Only if it looks like a time: it becomes metadata of the drop, which is a header."""
    value = login.get("LastRefresh")
    return value if isinstance(value, str) and _LAST_REFRESH.fullmatch(value) else None
