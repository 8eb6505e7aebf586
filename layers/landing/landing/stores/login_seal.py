"""Seals the secrets of a connection with KMS, and opens them."""

from enum import StrEnum
from typing import TYPE_CHECKING

from landing.error_names import Defect

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

SEALED_BY_KMS = b"kms1:"
"""How a value begins that was sealed in this way; another way gets another beginning, so that rows tell theirs."""


class Purpose(StrEnum):
    """What a sealed value is; roles are limited to purposes by their key grants."""

    LOGIN = "login"
    REQUEST = "request"


class UnknownSealing(Defect):
    """A value that this release did not seal and cannot open: of a later release perhaps, or written by hand."""


class LoginSeal:
    """Seals with KMS. The encryption context holds no secret, for CloudTrail logs it in clear."""

    def __init__(self, kms: "KMSClient", login_key: str) -> None:
        self._kms = kms
        self._login_key = login_key

    def seal(self, secret: str, connection_id: str, purpose: Purpose) -> bytes:
        answer = self._kms.encrypt(
            KeyId=self._login_key,
            Plaintext=secret.encode(),
            EncryptionContext=_context(connection_id, purpose),
        )
        return SEALED_BY_KMS + answer["CiphertextBlob"]

    def open(self, sealed: bytes, connection_id: str, purpose: Purpose) -> str:
        """Raises UnknownSealing, and ClientError (InvalidCiphertextException) for another connection or purpose."""
        if not sealed.startswith(SEALED_BY_KMS):
            raise UnknownSealing(f"the {purpose} of {connection_id}")
        answer = self._kms.decrypt(
            KeyId=self._login_key,
            CiphertextBlob=sealed.removeprefix(SEALED_BY_KMS),
            EncryptionContext=_context(connection_id, purpose),
        )
        return answer["Plaintext"].decode()


def _context(connection_id: str, purpose: Purpose) -> dict[str, str]:
    return {"connectionId": connection_id, "purpose": purpose.value}
