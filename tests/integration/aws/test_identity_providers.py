"""Tokens as each identity provider writes them, through the HTTP API's authorizer to a function."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from landing.edge import web
from local.aws import deployment
from local.aws.deployment import EmulatorAddress
from local.identity_providers import PROVIDERS
from local.issuer import Issuer

ECHO = """
import json
def lambda_handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
"""
WITH_SCOPES = [name for name, provider in PROVIDERS.items() if provider.scope]


@dataclass(frozen=True)
class Api:
    """A route for each provider, which lets in what its parameters let in."""

    url: str
    host: str
    issuers: dict[str, Issuer]

    def call(self, provider: str, **claims: Any) -> requests.Response:
        token = self.issuers[provider].token("alice", **claims)
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {token}", "Host": self.host}
            return session.get(f"{self.url}/{provider}", headers=headers, timeout=30)


def template(function_arn: str, issuers: dict[str, Issuer]) -> dict[str, Any]:
    integration = {"type": "aws_proxy", "httpMethod": "POST", "payloadFormatVersion": "2.0", "uri": function_arn}
    paths = {
        f"/{name}": {
            "get": {
                "x-amazon-apigateway-integration": integration,
                "security": [{name: [issuer.provider.scope] if issuer.provider.scope else []}],
            }
        }
        for name, issuer in issuers.items()
    }
    authorizers = {
        name: {
            "IdentitySource": "$request.header.Authorization",
            "JwtConfiguration": {"issuer": issuer.url, "audience": [issuer.provider.audience]},
        }
        for name, issuer in issuers.items()
    }
    definition = {"openapi": "3.0.1", "info": {"title": "providers", "version": "1"}, "paths": paths}
    api = {
        "Type": "AWS::Serverless::HttpApi",
        "Properties": {"Auth": {"Authorizers": authorizers}, "DefinitionBody": definition},
    }
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Api": api},
        "Outputs": {"ApiId": {"Value": {"Ref": "Api"}}},
    }


@pytest.fixture(scope="module")
def api(emulator: EmulatorAddress, client: Callable[[str], Any], deploy_function: Callable[..., str]) -> Iterator[Api]:
    with ExitStack() as running:
        issuers = {name: running.enter_context(Issuer(provider)) for name, provider in PROVIDERS.items()}
        arn = client("lambda").get_function_configuration(FunctionName=deploy_function("providers", ECHO))[
            "FunctionArn"
        ]
        outputs = deployment.deploy_packaged(emulator, json.dumps(template(arn, issuers)), {}, "providers")
        yield Api(emulator.url, f"{outputs['ApiId']}.execute-api.localhost", issuers)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_s_token_is_let_in_and_names_the_owner(api: Api, provider: str) -> None:
    answer = api.call(provider)

    about = PROVIDERS[provider]
    assert answer.status_code == 200, answer.text
    assert web.owner(answer.json(), about.owner_claim) == about.claims("alice")[about.owner_claim]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_token_for_another_app_is_not(api: Api, provider: str) -> None:
    audience = "aud" if "aud" in PROVIDERS[provider].claims("alice") else "client_id"

    answer = api.call(provider, **{audience: "another"})

    assert answer.status_code == 401


@pytest.mark.parametrize("provider", WITH_SCOPES)
def test_a_token_without_the_scope_is_not(api: Api, provider: str) -> None:
    answer = api.call(provider, scope=None, scp=None)

    assert answer.status_code == 403


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_issuer_that_differs_by_a_slash_is_another(api: Api, provider: str) -> None:
    url = api.issuers[provider].url

    answer = api.call(provider, iss=url.removesuffix("/") if url.endswith("/") else f"{url}/")

    assert answer.status_code == 401
