"""The tag that a Connect session carries: it says whose session it was, and only to who knows the owner."""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest

PREFIX = "flt1."

_TAG = re.compile(re.escape(PREFIX) + r"([a-f0-9]{8})\.([1-9][0-9]{0,11})\.[A-Za-z0-9_-]{43}")


class Ownership(StrEnum):
    """What a tag says about an owner."""

    OURS = "ours"
    """We made it, for this owner."""
    FOREIGN = "foreign"
    """It claims to be ours, and we did not make it for this owner."""
    NONE = "none"
    """Not a tag of ours, or none at all: integrations set their own, and another stack's names another key."""


class OwnerTag:
    """Signs and verifies under a key that stays where it is: `mac` gives 32 bytes, equal for equal messages.

    A tag is `flt1.<key>.<expiry>.<mac>`: it travels through browsers and Flinks, so it does not name the owner. `key`
    tells the keys of stacks apart: what another one made is no forgery, it only proves nothing here.
    """

    def __init__(self, mac: Callable[[bytes], bytes], key_arn: str) -> None:
        self._mac = mac
        self._key = hashlib.sha256(key_arn.encode()).hexdigest()[:8]

    def sign(self, owner: str, expires_at: datetime) -> str:
        """The tag for `owner`'s session, safe in a URL without escaping."""
        return self._tag(owner, int(expires_at.timestamp()))

    def verify(self, tag: str | None, owner: str) -> Ownership:
        """Whose is it? An expired tag still tells: Flinks repeats it for as long as the login lives."""
        if tag is None or not tag.startswith(PREFIX):
            return Ownership.NONE
        parts = _TAG.fullmatch(tag)
        if parts is None:
            return Ownership.FOREIGN
        if parts[1] != self._key:
            return Ownership.NONE
        expected = self._tag(owner, int(parts[2]))
        return Ownership.OURS if compare_digest(tag, expected) else Ownership.FOREIGN

    def _tag(self, owner: str, expiry: int) -> str:
        # The expiry has a fixed width: no owner and expiry read as another pair.
        mac = self._mac(expiry.to_bytes(8) + owner.encode())
        return f"{PREFIX}{self._key}.{expiry}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
