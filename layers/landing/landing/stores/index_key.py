"""The key that gives each login its blind index, and signs owner tags: MACs that are of no use without it."""

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

# One key makes two kinds of MAC; the label keeps a tag from ever being read as a reference.
_LOGIN_REF = b"flinks-landing/login-ref/v1\0"
_OWNER_TAG = b"flinks-landing/owner-tag/v1\0"


class IndexKey:
    """KMS in the words of a blind index."""

    def __init__(self, kms: "KMSClient", index_key: str) -> None:
        self._kms = kms
        self._index_key = index_key

    def login_ref(self, login_id: str) -> str:
        """The keyed blind index of a canonical loginId: equal for equal logins, and of no use without the key."""
        return base64.urlsafe_b64encode(self._mac(_LOGIN_REF + login_id.encode())).decode().rstrip("=")

    def owner_mac(self, message: bytes) -> bytes:
        """The MAC under an owner tag."""
        return self._mac(_OWNER_TAG + message)

    def _mac(self, message: bytes) -> bytes:
        return self._kms.generate_mac(KeyId=self._index_key, Message=message, MacAlgorithm="HMAC_SHA_256")["Mac"]
