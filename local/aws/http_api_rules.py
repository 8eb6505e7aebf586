"""What an HTTP API answers by itself, where the emulator answers something else.

Restored (API Gateway developer guide, "Working with HTTP APIs"):

* a path is matched as it was sent: `//connections` and `/connections/` are no routes of ours, so 404;
* a function that fails is 500 `Internal Server Error`, one that is throttled 503; nothing of its error gets out;
* a body over 10 MB is 413;
* a token without `exp`, or whose claims have the wrong type, is 401;
* a preflight is 204, with CORS headers for an allowed origin only, and 404 where CORS is not configured;
* where it is, CORS headers of the function are dropped;
* a header sent twice reaches the function as one, joined by a comma; `x-forwarded-*` are the gateway's own;
* each request is written to the stage's access log.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

from local.aws import internals

BODY_BYTES = 10 * 1024 * 1024

_path_as_sent: ContextVar[str] = ContextVar("path_as_sent", default="")
"""The path of a request to the API's own origin, which the emulator tidies on its way to the route."""

type Answer = tuple[int, dict[str, Any], bytes]


type Answered = Callable[[str, int, float, str, str], None]
"""Hears of each request: api id, status, seconds, log group and line of the access log."""

_hear: list[Answered] = []


def install(answered: Answered) -> None:
    _hear.append(answered)
    internals.replace("handle_execute", _handle_execute)
    internals.replace("invoke_lambda_proxy", _invoke_lambda_proxy)
    internals.replace("validate_jwt_authorizer", _validate_jwt_authorizer)
    internals.replace("cors_preflight_response", _cors_preflight_response)
    internals.replace("lambda_execute_result_to_api_proxy_response", _as_proxy_response)


def to_the_api(scope: dict[str, Any]) -> dict[str, Any]:
    """A request to the API's own origin, as the emulator takes it; unchanged before a deployment.

    The emulator only knows the API by the host `<api id>.execute-api.localhost`, which resolves nowhere.
    """
    for api_id in internals.apis:
        _path_as_sent.set(internals.decode_http_api_path(scope["raw_path"].decode("ascii")))
        client, port = (str(part).encode() for part in scope["client"])
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            headers[name] = headers[name] + b"," + value if name in headers else value
        headers |= {b"host": f"{api_id}.execute-api.localhost".encode()}
        headers |= {b"x-forwarded-for": client, b"x-forwarded-port": port}
        return {**scope, "headers": list(headers.items())}
    return scope


def _says(status: HTTPStatus, message: str) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps({"message": message}).encode()


async def _handle_execute(
    api_id: str, stage: str, path: str, method: str, headers: Any, body: bytes, query: Any, **more: Any
) -> Answer:
    started = time.time()
    path = _path_as_sent.get() or path
    answer: Answer
    if path.startswith("//") and method != "OPTIONS":
        answer = _says(HTTPStatus.NOT_FOUND, "Not Found")
    elif len(body) > BODY_BYTES:
        answer = _says(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large")
    else:
        answer = await internals.handle_execute(api_id, stage, path, method, headers, body, query, **more)
    route = internals.match_route(api_id, method, path) or {}
    _log_access(api_id, stage, route.get("routeKey", ""), answer, started)
    return answer


def _as_proxy_response(result: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    if result.get("throttle"):
        status, headers, body = _says(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")
    elif result.get("error"):
        status, headers, body = _says(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
    else:
        response: tuple[dict[str, Any], str | None] = internals.lambda_execute_result_to_api_proxy_response(result)
        return response
    return {"statusCode": status, "headers": headers, "body": body.decode()}, None


async def _validate_jwt_authorizer(*arguments: Any) -> Any:
    refused = None, None, internals.jwt_unauthorized()
    try:
        claims, scopes, refusal = await internals.validate_jwt_authorizer(*arguments)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return refused
    return refused if refusal is None and "exp" not in claims else (claims, scopes, refusal)


def _cors_preflight_response(configuration: Mapping[str, Any], origin: str) -> Answer:
    if not configuration:
        return _says(HTTPStatus.NOT_FOUND, "Not Found")
    answer: Answer = internals.cors_preflight_response(configuration, origin)
    return answer if answer[0] == HTTPStatus.NO_CONTENT else (HTTPStatus.NO_CONTENT, {}, b"")


async def _invoke_lambda_proxy(integration: Any, api_id: str, *arguments: Any, **more: Any) -> Answer:
    status, headers, body = await internals.invoke_lambda_proxy(integration, api_id, *arguments, **more)
    if internals.apis[api_id].get("corsConfiguration"):
        headers = {name: value for name, value in headers.items() if not name.lower().startswith("access-control-")}
    return status, headers, body


def _log_access(api_id: str, stage: str, route_key: str, answer: Answer, started: float) -> None:
    """Of the `$context` variables, what is known here; AWS writes a hyphen for the others."""
    settings = internals.stages.get(api_id, {}).get(stage, {}).get("accessLogSettings")
    if not settings:
        return
    context = {
        "requestId": uuid.uuid4().hex[:16],
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(started)),
        "routeKey": route_key,
        "stage": stage,
        "status": str(int(answer[0])),
        "responseLatency": str(int((time.time() - started) * 1000)),
        "responseLength": str(len(answer[2])),
    }
    line = re.sub(r"\$context\.([\w.]+)", lambda variable: context.get(variable[1], "-"), settings["format"])
    log = {"logGroupName": settings["destinationArn"].split(":log-group:")[1].removesuffix(":*")}
    log["logStreamName"] = f"{api_id}/{stage.removeprefix('$')}"
    internals.create_log_stream(log)
    event = {"timestamp": int(started * 1000), "message": line}
    internals.put_log_events({**log, "logEvents": [event]})
    for answered in _hear:
        answered(api_id, int(answer[0]), time.time() - started, log["logGroupName"], line)
