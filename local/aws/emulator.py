"""The emulator with our adaptations in place, as one ASGI application; import it only in its own process.

Every module beside this one restores rules of AWS that the emulator (MiniStack, pinned) departs from, and reaches into
its private functions to do so: when upstream has a rule, delete the adaptation. `tests/integration/aws` says which ones
still hold.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import boto3
from ministack import app as ministack
from ministack.core import lambda_runtime

from local.aws import authorizations, http_api_rules, iam_rules, internals, lineage, queues, template_rules
from local.aws.alarm_watch import AlarmWatch
from local.aws.functions import Deployed, Functions
from local.aws.streams import Streams

type Scope = dict[str, Any]
type Message = dict[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]


class Emulator:
    """AWS at `url`, its HTTP API at `api_port`. Calls `ready` once it serves; `close` ends the functions' processes."""

    def __init__(self, url: str, api_port: int, lambda_python: Path, folder: Path, ready: Callable[[], None]) -> None:
        self._api_port = api_port
        self._ready = ready
        self._functions = Functions(lambda_python, folder, url)
        self._alarms = AlarmWatch(cache(partial(_client, url)))
        authorizations.install(folder)
        iam_rules.install()
        http_api_rules.install(self._alarms.answered)
        queues.install()
        template_rules.install()
        internals.replace("execute_function_warm", self._execute)
        self._streams = Streams(url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await ministack.app(scope, receive, self._announcing(send))
            return
        queues.traced(scope)
        if scope["server"][1] == self._api_port:
            await ministack.app(iam_rules.over_tls(http_api_rules.to_the_api(scope)), receive, send)
        else:
            await ministack.app(iam_rules.over_tls(scope), receive, send)

    def close(self) -> None:
        self._alarms.close()
        self._streams.close()
        self._functions.close()

    def _announcing(self, send: Send) -> Send:
        async def announcing(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._ready()
                self._alarms.start()

        return announcing

    def _execute(self, record: Mapping[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        """In place of the emulator's own worker; every way to invoke a function comes through here."""
        configuration = record.get("config") or record
        variables = _variables(configuration)
        layers = (internals.resolve_layer_zip(layer) for layer in configuration.get("Layers", []))
        deployed = Deployed(
            name=configuration["FunctionName"],
            version=configuration.get("Version", "$LATEST"),
            handler=configuration["Handler"],
            timeout=int(configuration.get("Timeout", 3)),
            code=record["code_zip"],
            layers=tuple(layer for layer in layers if layer),
            environment=tuple(sorted(variables.items())),
        )
        trace = lineage.onward(lineage.traces_of(event), deployed.name)
        began = time.monotonic()
        outcome = self._functions.invoke(deployed, variables, request_id, configuration["FunctionArn"], event, trace)
        self._alarms.invoked(
            deployed.name,
            variables["AWS_LAMBDA_LOG_GROUP_NAME"],
            event,
            outcome.output,
            failed=outcome.failed,
            seconds=time.monotonic() - began,
        )
        result: dict[str, Any] = {"body": outcome.payload, "log": outcome.output}
        if outcome.failed:
            result |= {"error": True, "function_error": "Unhandled"}
        return result


def _client(url: str, service: str) -> Any:
    session: Any = boto3.Session()  # the account's root, by this process' environment
    return session.client(service, endpoint_url=url)


def _variables(configuration: Mapping[str, Any]) -> dict[str, str]:
    """The environment that Lambda defines for a function, its own variables, and its role's session."""
    _, region = internals.account_region_from_function_config(configuration)
    name = configuration["FunctionName"]
    logging = configuration.get("LoggingConfig") or {}
    log_format = logging.get("LogFormat", "Text")
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration['Runtime']}",
        "AWS_LAMBDA_FUNCTION_VERSION": configuration.get("Version", "$LATEST"),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.get("MemorySize", 128)),
        "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup") or f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_FORMAT": log_format,
        **({"AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel", "INFO")} if log_format == "JSON" else {}),
        **internals.runtime_env_vars(configuration),
        **lambda_runtime.execution_credentials(configuration),
    }
