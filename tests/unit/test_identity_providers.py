"""docs/identity-providers.md: what to put into the parameters, and the claims, as the local issuer has them."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.identity_providers import PROVIDERS, IdentityProvider
from local.stack import identity_provider
from ops.preflight import mistakes
from tests.processed_template import source

PAGE = (Path(__file__).parents[2] / "docs/identity-providers.md").read_text()
SECTIONS = {
    "cognito": "Amazon Cognito",
    "auth0": "Auth0",
    "okta": "Okta",
    "entra": "Microsoft Entra ID",
    "clerk": "Clerk",
    "firebase": "Firebase Authentication",
}


def told(name: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The parameters and the claims of a provider's section."""
    section = PAGE.split(f"\n## {SECTIONS[name]}\n")[1].split("\n## ")[0]
    parameters, claims = re.findall(r"```(?:json)?\n(.+?)```", section, re.DOTALL)
    return dict(line.split("=", 1) for line in parameters.splitlines()), json.loads(claims)


def test_every_provider_that_the_local_issuer_imitates_has_a_section() -> None:
    assert set(SECTIONS) == set(PROVIDERS) - {"plain"}


@pytest.mark.parametrize("name", SECTIONS)
def test_what_to_put_there_is_what_the_local_stack_is_deployed_with(name: str) -> None:
    parameters, claims = told(name)

    provider: IdentityProvider = PROVIDERS[name]
    assert {key: value for key, value in parameters.items() if key != "JwtIssuer"} == provider.parameters
    assert urlsplit(parameters["JwtIssuer"]).path == provider.path
    assert parameters["JwtIssuer"] == claims["iss"]


@pytest.mark.parametrize("name", SECTIONS)
def test_the_claims_are_those_of_the_imitation(name: str) -> None:
    _, claims = told(name)

    assert claims == {"iss": claims["iss"], **PROVIDERS[name].claims("alice")}


@pytest.mark.parametrize("name", SECTIONS)
def test_the_template_takes_the_parameters(name: str) -> None:
    parameters, _ = told(name)
    needed = {
        "AllowedOrigins": "",
        "FlinksInstance": "toolbox",
        "FlinksCustomerId": "43387ca6-0391-4c82-857d-70d95f087ecb",
    }

    assert mistakes(source(), parameters | needed) == []


def test_a_provider_that_nobody_imitates_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_PROVIDER", "keycloak")

    with pytest.raises(SystemExit, match=r"^IDENTITY_PROVIDER: must be one of plain, cognito, .*\.$"):
        identity_provider()
