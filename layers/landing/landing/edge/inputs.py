"""What ids and members look like, in requests and in orders alike: one rule each; what is wrong is never quoted."""

import re
import unicodedata
from typing import Any
from urllib.parse import urlsplit

from landing.domain.connection import CONNECTION_ID

LONGEST_OWNER = 256
MOST_ACCOUNTS = 100
LONGEST_LABEL = 64
LONGEST_URL = 512

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID_SOMEHOW = re.compile(r"[0-9a-f]{8}([^0-9a-z]?[0-9a-f]{4}){3}[^0-9a-z]?[0-9a-f]{12}", re.IGNORECASE)
"""A GUID with other signs between its parts, or with none."""

_TICKET = re.compile(r"[A-Za-z0-9._:/#-]{1,64}")
TICKET = "who asked for it, as a reference without personal data: up to 64 of A-Z a-z 0-9 . _ : / # -, no GUID"
"""What a ticket is, for who sent another."""

_OF_A_URL = r"([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*"
HTTPS_URL = rf"^https://[A-Za-z0-9.-]+(:[0-9]{{1,5}})?([/?]{_OF_A_URL})?(#{_OF_A_URL})?$"
"""RFC 3986 in ASCII, with a host and perhaps a port; no user."""


class NotAsDescribed(Exception):
    """`detail` says, in words of ours, what is wrong and in which member; it quotes nothing that was sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def is_connection_id(text: str) -> bool:
    return re.fullmatch(CONNECTION_ID, text) is not None


def is_owner(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_OWNER and is_text(value)


def is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8: JSON admits lone surrogates, UTF-8 does not."""
    return not re.search("[\ud800-\udfff]", value)


def canonical_guid(value: str) -> str:
    """Flinks' GUIDs have no version bits (flinks.md §14), so only the spelling is checked. Raises ValueError."""
    lowered = value.lower()
    if not _GUID.fullmatch(lowered):
        raise ValueError("must be a GUID: 8-4-4-4-12 hexadecimal digits")
    return lowered


def ticket(value: str) -> str:
    """A reference that stands in rows, receipts and lines of the log: no place for a loginId. Raises ValueError."""
    if _ID_SOMEHOW.search(value):
        raise ValueError("must not hold a GUID, which may be a loginId: give a reference of your own")
    if not _TICKET.fullmatch(value):
        raise ValueError("must be a reference: up to 64 of A-Z a-z 0-9 . _ : / # -")
    return value


def label(value: str | None) -> str | None:
    """A text to be shown again, as far as it can be kept: a label is never a reason to refuse.

    Without what cannot be seen or could be markup; in one line; cut. None if nothing is left, if a program wrote that
    it had no value, or if there is an id in it, which would be kept in clear.
    """
    seen = (" " if each.isspace() else each for each in unicodedata.normalize("NFC", value or ""))
    kept = "".join(each for each in seen if unicodedata.category(each)[0] != "C" and each not in "<>")
    shown = " ".join(kept.split())[:LONGEST_LABEL].rstrip()
    is_nothing = shown.lower() in ("", "undefined", "null")
    return None if is_nothing or _ID_SOMEHOW.search(kept) else shown


def https(value: str) -> str:
    """Raises ValueError."""
    url = urlsplit(value)
    if url.scheme != "https" or not url.hostname or url.username is not None or not value.isascii():
        raise ValueError("must be an https URL")
    return value


def all_different(values: list[str]) -> list[str]:
    """Raises ValueError."""
    if len(set(values)) != len(values):
        raise ValueError("must not name an account twice")
    return values
