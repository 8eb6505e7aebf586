"""The keys that Flinks issued to us, read from Secrets Manager when first needed and again on demand."""

import json
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class FlinksKeys:
    """`{"secretKey": …}` mints authorize tokens, `{"apiKey": …}` opens the data endpoints (flinks-api §3)."""

    def __init__(self, secrets: "SecretsManagerClient", *, secret_key_arn: str = "", api_key_arn: str = "") -> None:
        self._secrets = secrets
        self._arns = {"secretKey": secret_key_arn, "apiKey": api_key_arn}
        self._kept: dict[str, str] = {}
        self._lock = Lock()

    @property
    def secret_key(self) -> str:
        return self._key("secretKey")

    @property
    def api_key(self) -> str:
        return self._key("apiKey")

    def refresh(self) -> None:
        """Forget what was read: the next use reads it again."""
        with self._lock:
            self._kept = {}

    def _key(self, member: str) -> str:
        with self._lock:
            if member not in self._kept:
                secret = self._secrets.get_secret_value(SecretId=self._arns[member])
                self._kept[member] = _member(secret["SecretString"], member)
            return self._kept[member]


def _member(secret: str, member: str) -> str:
    """The key, or an empty one when the secret holds none: the client will not send that, and blames us for it."""
    try:
        key = json.loads(secret)[member]
    except (ValueError, KeyError, TypeError):
        return ""
    return key if isinstance(key, str) else ""
