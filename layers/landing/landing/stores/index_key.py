"""The key that gives each login its blind index, signs owner tags and marks choices: MACs of no use without it."""

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

# One key makes four kinds of MAC; the label keeps a tag from ever being read as a reference.
_LOGIN_REF = b"flinks-landing/login-ref/v1\0"
_OWNER_REF = b"flinks-landing/owner-ref/v1\0"
_OWNER_TAG = b"flinks-landing/owner-tag/v1\0"
_CHOICE = b"flinks-landing/choice/v1\0"


class IndexKey:
    """KMS in the words of a blind index."""

    def __init__(self, kms: "KMSClient", index_key: str) -> None:
        self._kms = kms
        self._index_key = index_key

    def login_ref(self, login_id: str) -> str:
        """The keyed blind index of a canonical loginId: equal for equal logins, and of no use without the key."""
        return base64.urlsafe_b64encode(self._mac(_LOGIN_REF + login_id.encode())).decode().rstrip("=")

    def owner_ref(self, owner: str) -> str:
        """What stays of an owner in tombstones and receipts: equal for the same owner, of no use without the key."""
        return base64.urlsafe_b64encode(self._mac(_OWNER_REF + owner.encode())).decode().rstrip("=")

    def owner_mac(self, message: bytes) -> bytes:
        """The MAC under an owner tag."""
        return self._mac(_OWNER_TAG + message)

    def choice_mark(self, connection_id: str, account_ids: tuple[str, ...] | None) -> str:
        """What a drop carries of the choice of accounts it was fetched under: equal for equal choices, in any order.

        "all" where nothing was chosen; else a MAC, so that the mark says nothing to who reads it.
        """
        if account_ids is None:
            return "all"
        message = "\0".join((connection_id, *sorted(set(account_ids)))).encode()
        return base64.urlsafe_b64encode(self._mac(_CHOICE + message)).decode().rstrip("=")

    def _mac(self, message: bytes) -> bytes:
        return self._kms.generate_mac(KeyId=self._index_key, Message=message, MacAlgorithm="HMAC_SHA_256")["Mac"]
