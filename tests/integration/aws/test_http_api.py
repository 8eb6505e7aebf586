"""What the HTTP API answers by itself, and what it hands to a function, as API Gateway does."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
import requests

from local.aws import deployment
from local.aws.deployment import EmulatorAddress
from local.issuer import AUDIENCE, SCOPE, Issuer

PAGE = "https://page.example"
ECHO = """
import json
def lambda_handler(event, context):
    if event.get("body") == "crash":
        raise ValueError("a secret of the function")
    headers = {"content-type": "application/json", "access-control-allow-origin": "https://evil.example"}
    return {"statusCode": 202, "headers": headers, "body": json.dumps(event)}
"""


class Api:
    """The deployed API, called by a person with a token."""

    def __init__(self, url: str, issuer: Issuer) -> None:
        self.url, self.issuer = url, issuer
        self._session = requests.Session()
        self._session.trust_env = False

    def call(self, method: str, path: str = "/echo", token: str | None = None, **more: Any) -> requests.Response:
        token = self.issuer.token("alice") if token is None else token
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        return self._session.request(method, self.url + path, headers=headers, timeout=30, **more)

    def event(self, **more: Any) -> dict[str, Any]:
        """The event that the function got."""
        event: dict[str, Any] = self.call("POST", **more).json()
        return event


def template(function_arn: str, issuer: str) -> dict[str, Any]:
    api: dict[str, Any] = {
        "Type": "AWS::Serverless::HttpApi",
        "Properties": {
            "Auth": {
                "DefaultAuthorizer": "Jwt",
                "Authorizers": {
                    "Jwt": {
                        "IdentitySource": "$request.header.Authorization",
                        "AuthorizationScopes": [SCOPE],
                        "JwtConfiguration": {"issuer": issuer, "audience": [AUDIENCE]},
                    }
                },
            },
            "CorsConfiguration": {"AllowOrigins": [PAGE], "AllowMethods": ["POST"], "AllowHeaders": ["authorization"]},
            "AccessLogSettings": {
                "DestinationArn": {"Fn::GetAtt": "AccessLog.Arn"},
                "Format": "$context.routeKey $context.status $context.identity.sourceIp",
            },
            "DefinitionBody": {
                "openapi": "3.0.1",
                "info": {"title": "echo", "version": "1"},
                "paths": {
                    "/echo": {
                        "post": {
                            "x-amazon-apigateway-integration": {
                                "type": "aws_proxy",
                                "httpMethod": "POST",
                                "payloadFormatVersion": "2.0",
                                "uri": function_arn,
                            },
                        }
                    }
                },
            },
        },
    }
    log = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/apigateway/echo"}}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Api": api, "AccessLog": log},
    }


@pytest.fixture(scope="module")
def api(emulator: EmulatorAddress, client: Callable[[str], Any], deploy_function: Callable[..., str]) -> Iterator[Api]:
    with Issuer() as issuer:
        name = deploy_function("echo", ECHO)
        arn = client("lambda").get_function_configuration(FunctionName=name)["FunctionArn"]
        deployment.deploy_packaged(emulator, json.dumps(template(arn, issuer.url)), {}, "echo")
        yield Api(emulator.api_url, issuer)


def test_a_valid_token_reaches_the_function_with_its_claims_as_strings(api: Api) -> None:
    event = api.event(data="{}")

    assert event["routeKey"] == "POST /echo"
    assert event["rawPath"] == "/echo"
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    assert claims["sub"] == "alice"
    assert claims["exp"].isdigit()


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 4_102_444_800},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
    ],
    ids=str,
)
def test_a_token_whose_claims_do_not_hold_is_401(api: Api, claims: dict[str, Any]) -> None:
    answer = api.call("POST", token=api.issuer.token("alice", **claims))

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


def test_a_token_without_the_scope_is_403(api: Api) -> None:
    answer = api.call("POST", token=api.issuer.token("alice", scope="other"))

    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


def test_a_token_that_the_issuer_did_not_sign_is_401(api: Api) -> None:
    good = api.issuer.token("alice")
    header, claims, signature = good.split(".")
    payload = jwt.decode(good, options={"verify_signature": False})
    forged = [
        "",
        "x",
        "a.b.c",
        f"{_segment({'alg': 'none', 'kid': 'local-1'})}.{claims}.",
        jwt.encode(payload, "x" * 32, algorithm="HS256", headers={"kid": "local-1"}),
        f"{header}.{claims}.{signature[:-8]}AAAAAAAA",
        f"{header}.{claims}.",
        ".".join([_segment({"alg": "RS256"}), claims, signature]),
        ".".join([_segment(["kid"]), claims, signature]),
    ]

    assert {api.call("POST", token=token).status_code for token in forged} == {401}


def _segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_an_unknown_path_and_an_unknown_method_are_404_even_without_a_token(api: Api) -> None:
    answers = [api.call("POST", "/other", token=""), api.call("DELETE", token="")]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(404, {"message": "Not Found"})] * 2


@pytest.mark.parametrize("path", ["//echo", "/echo/", "/echo//", "///echo"])
def test_a_path_is_matched_as_it_was_sent(api: Api, path: str) -> None:
    answer = api.call("POST", path)

    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


def test_a_function_that_crashes_is_500_and_says_nothing_of_it(api: Api) -> None:
    answer = api.call("POST", data="crash", headers={"Content-Type": "text/plain"})

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


def test_a_body_over_ten_megabytes_is_413(api: Api) -> None:
    answer = api.call("POST", data=b"x" * (10 * 1024 * 1024 + 1))

    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})


def test_a_text_reaches_the_function_as_it_is_and_other_bodies_in_base64(api: Api) -> None:
    text = api.event(data="{}", headers={"Content-Type": "application/json; charset=utf-8"})
    broken = api.event(data=b"\xff", headers={"Content-Type": "application/json"})
    form = api.event(data="a=1", headers={"Content-Type": "application/x-www-form-urlencoded"})

    assert (text["body"], text["isBase64Encoded"]) == ("{}", False)
    assert (broken["body"], broken["isBase64Encoded"]) == ("\ufffd", False)
    assert (form["body"], form["isBase64Encoded"]) == ("YT0x", True)


def test_a_missing_body_is_missing(api: Api) -> None:
    assert "body" not in api.event()


def test_the_gateway_tells_where_a_request_came_from_and_a_caller_cannot(api: Api) -> None:
    headers = api.event(headers={"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "http"})["headers"]

    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"


def test_a_preflight_allows_an_allowed_origin_only(api: Api) -> None:
    allowed = api.call("OPTIONS", token="", headers={"Origin": PAGE})
    other = api.call("OPTIONS", token="", headers={"Origin": "https://evil.example"})

    assert allowed.status_code == other.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert allowed.headers["access-control-allow-headers"] == "authorization"
    assert "access-control-allow-origin" not in other.headers


def test_the_gateways_cors_headers_replace_the_functions(api: Api) -> None:
    allowed = api.call("POST", headers={"Origin": PAGE})
    other = api.call("POST", headers={"Origin": "https://evil.example"})

    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-origin" not in other.headers


def test_each_request_is_in_the_access_log(api: Api, client: Callable[[str], Any]) -> None:
    api.call("POST", token="x")

    events = client("logs").filter_log_events(logGroupName="/aws/apigateway/echo")["events"]
    assert "POST /echo 401 -" in [event["message"] for event in events]
