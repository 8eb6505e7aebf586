"""Access tokens as identity providers write them: docs/identity-providers.md has the claims of each by example.

Names and values are invented; which claims there are, and what shape they have, is the providers' own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

type Claims = Mapping[str, Any]

CLIENT = "1example23456789"
API = "https://connect.example.com"
TENANT = "8f1d6a2e-0000-4000-8000-5a1b2c3d4e5f"


@dataclass(frozen=True)
class IdentityProvider:
    """What goes into the parameters, and the claims of a person's token beside `iss`, `iat` and `exp`."""

    audience: str
    claims: Callable[[str], Claims]
    path: str = ""
    """Of the issuer's URL."""
    scope: str = "connections"
    """RequiredScope; empty where tokens have none."""
    owner_claim: str = "sub"

    @property
    def parameters(self) -> dict[str, str]:
        return {"JwtAudience": self.audience, "RequiredScope": self.scope, "OwnerClaim": self.owner_claim}


PLAIN = IdentityProvider(
    audience="flinks-landing-local",
    claims=lambda person: {"aud": "flinks-landing-local", "sub": person, "scope": "connections"},
)
"""By the book (RFC 9068): what the local stack has unless told otherwise."""

PROVIDERS: Mapping[str, IdentityProvider] = {
    "plain": PLAIN,
    "cognito": IdentityProvider(
        path="/ca-central-1_Example12",
        audience=CLIENT,
        scope="landing/connections",
        claims=lambda person: {
            "sub": person,
            "client_id": CLIENT,
            "token_use": "access",
            "scope": "openid landing/connections",
            "username": person,
            "cognito:groups": ["customers"],
        },
    ),
    "auth0": IdentityProvider(
        path="/",
        audience=API,
        claims=lambda person: {
            "sub": f"auth0|{person}",
            "aud": [API, "https://example.ca.auth0.com/userinfo"],
            "azp": CLIENT,
            "scope": "openid profile connections",
        },
    ),
    "okta": IdentityProvider(
        path="/oauth2/default",
        audience="api://default",
        owner_claim="uid",
        claims=lambda person: {
            "sub": f"{person}@example.com",
            "uid": f"00u{person}",
            "aud": "api://default",
            "cid": CLIENT,
            "scp": ["openid", "connections"],
            "ver": 1,
        },
    ),
    "entra": IdentityProvider(
        path=f"/{TENANT}/v2.0",
        audience="6f0e2b54-0000-4000-8000-0a1b2c3d4e5f",
        owner_claim="oid",
        claims=lambda person: {
            "sub": f"pairwise-{person}",
            "oid": f"oid-{person}",
            "tid": TENANT,
            "aud": "6f0e2b54-0000-4000-8000-0a1b2c3d4e5f",
            "azp": CLIENT,
            "scp": "connections",
            "ver": "2.0",
        },
    ),
    "clerk": IdentityProvider(
        audience="flinks-landing",
        claims=lambda person: {
            "sub": f"user_{person}",
            "sid": f"sess_{person}",
            "azp": "https://app.example.com",
            "aud": "flinks-landing",
            "scope": "connections",
        },
    ),
    "firebase": IdentityProvider(
        path="/example-project",
        audience="example-project",
        scope="",
        claims=lambda person: {
            "sub": person,
            "user_id": person,
            "aud": "example-project",
            "auth_time": 1767225600,
            "firebase": {"identities": {}, "sign_in_provider": "password"},
        },
    ),
}
