"""A loopback OIDC issuer: stands for a deployment's own identity provider, and writes tokens like its."""

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from local.identity_providers import PLAIN, IdentityProvider

AUDIENCE = PLAIN.audience
SCOPE = PLAIN.scope
_KEY_ID = "local-1"
_VALID_FOR = 12 * 3600


class Issuer:
    """Serves its discovery document and public key on a free port, and signs access tokens with RS256."""

    def __init__(self, provider: IdentityProvider = PLAIN) -> None:
        self.provider = provider
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = issuer._documents().get(self.path)
                body = json.dumps(document).encode()
                self.send_response(404 if document is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def _origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """The issuer as its tokens name it, a slash at its end included where the provider has one."""
        return self._origin + self.provider.path

    def token(self, subject: str, **claims: Any) -> str:
        """An access token for `subject`, valid 12 h; `claims` override ours, None leaves one out."""
        now = int(time.time())
        ours: Mapping[str, Any] = {
            "iss": self.url,
            **self.provider.claims(subject),
            "iat": now,
            "exp": now + _VALID_FOR,
        }
        payload = {name: value for name, value in {**ours, **claims}.items() if value is not None}
        return jwt.encode(payload, self._key, algorithm="RS256", headers={"kid": _KEY_ID})

    def _documents(self) -> dict[str, dict[str, Any]]:
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {
            f"{self.provider.path.rstrip('/')}/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self._origin}/jwks.json",
                "id_token_signing_alg_values_supported": ["RS256"],
            },
            "/jwks.json": {"keys": [{**jwk, "kid": _KEY_ID, "use": "sig", "alg": "RS256"}]},
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
