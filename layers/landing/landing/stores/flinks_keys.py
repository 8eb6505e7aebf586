"""The keys that Flinks issued to us, read from Secrets Manager when first needed and again on demand."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SessionKey:
    """`{"secretKey": …}` mints authorize tokens (flinks.md §3)."""

    def __init__(self, secrets: "SecretsManagerClient", secret_key_arn: str) -> None:
        self._secret_key = _Kept(secrets, secret_key_arn, "secretKey")

    @property
    def secret_key(self) -> str:
        return self._secret_key.read()

    def refresh(self) -> None:
        """Forget what was read: the next use reads it again."""
        self._secret_key.forget()


class FlinksKeys(SessionKey):
    """With it `{"apiKey": …}`, which opens the data endpoints."""

    def __init__(self, secrets: "SecretsManagerClient", secret_key_arn: str, api_key_arn: str) -> None:
        super().__init__(secrets, secret_key_arn)
        self._api_key = _Kept(secrets, api_key_arn, "apiKey")

    @property
    def api_key(self) -> str:
        return self._api_key.read()

    def refresh(self) -> None:
        super().refresh()
        self._api_key.forget()


class _Kept:
    """One member of one secret. Threads share it, and wait for nobody: who finds nothing kept reads for himself."""

    def __init__(self, secrets: "SecretsManagerClient", arn: str, member: str) -> None:
        self._secrets = secrets
        self._arn = arn
        self._member = member
        self._key: str | None = None
        self._forgotten = 0

    def read(self) -> str:
        key, times = self._key, self._forgotten
        if key is None:
            secret = self._secrets.get_secret_value(SecretId=self._arn)
            key = _member(secret.get("SecretString", ""), self._member)
            if times == self._forgotten:  # else it may be what was to be forgotten
                self._key = key
        return key

    def forget(self) -> None:
        self._forgotten += 1
        self._key = None


def _member(secret: str, member: str) -> str:
    """The key; an empty text if the secret holds none, which the client does not send and reports as our fault."""
    try:
        key = json.loads(secret)[member]
    except (ValueError, KeyError, TypeError):
        return ""
    return key if isinstance(key, str) else ""
