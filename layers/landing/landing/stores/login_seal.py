"""Seals secrets of a connection with KMS, opens them, and gives each login its blind index."""

import base64
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

# One index key makes two kinds of MAC; the label keeps a tag from ever being read as a reference.
_LOGIN_REF = b"flinks-landing/login-ref/v1\0"
_OWNER_TAG = b"flinks-landing/owner-tag/v1\0"


class Purpose(StrEnum):
    """What a sealed value is; roles are limited to purposes by their key grants."""

    LOGIN = "login"
    REQUEST = "request"


class LoginSeal:
    """KMS in the words of the service. The context names no secret: it is logged in clear by CloudTrail."""

    def __init__(self, kms: "KMSClient", *, login_key: str = "", index_key: str = "") -> None:
        self._kms = kms
        self._login_key = login_key
        self._index_key = index_key

    def seal(self, secret: str, connection_id: str, purpose: Purpose) -> bytes:
        answer = self._kms.encrypt(
            KeyId=self._login_key,
            Plaintext=secret.encode(),
            EncryptionContext=_context(connection_id, purpose),
        )
        return answer["CiphertextBlob"]

    def open(self, sealed: bytes, connection_id: str, purpose: Purpose) -> str:
        """Raises ClientError (InvalidCiphertextException) for a seal of another connection or purpose."""
        answer = self._kms.decrypt(
            KeyId=self._login_key,
            CiphertextBlob=sealed,
            EncryptionContext=_context(connection_id, purpose),
        )
        return answer["Plaintext"].decode()

    def login_ref(self, login_id: str) -> str:
        """The keyed blind index of a canonical loginId: equal for equal logins, and of no use without the key."""
        return base64.urlsafe_b64encode(self._mac(_LOGIN_REF + login_id.encode())).decode().rstrip("=")

    def owner_mac(self, message: bytes) -> bytes:
        """The MAC under an owner tag."""
        return self._mac(_OWNER_TAG + message)

    def _mac(self, message: bytes) -> bytes:
        return self._kms.generate_mac(KeyId=self._index_key, Message=message, MacAlgorithm="HMAC_SHA_256")["Mac"]


def _context(connection_id: str, purpose: Purpose) -> dict[str, str]:
    return {"connectionId": connection_id, "purpose": purpose.value}
