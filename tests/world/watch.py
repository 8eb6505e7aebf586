"""CloudWatch beside the world: what functions print, what AWS measures by itself, and the template's alarms.

AWS's own metrics are put as its documentation says: Lambda's (Invocations, Errors, Throttles, Duration, IteratorAge,
and DroppedEventCount and RecursiveInvocationsDropped where the world says so), SQS's depth once a minute, API
Gateway's for each call of an API function, DynamoDB's throttles and errors for each call it refused.
"""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime
from typing import Any

import pytest

from landing import metrics as ours
from local.aws.alarms import Alarm, Evaluation, Metrics
from local.aws.filter_patterns import compiled
from tests.processed_template import source
from tests.world.service import TEMPLATE, Service, handler_module
from tests.world.wire import AwsError

PARAMETERS = source()["Parameters"]
STACK = "watched"
NAMESPACE = f"flinks-landing/{STACK}"
API_FUNCTIONS = ("receive_login", "show_connection", "create_connect_session")
GROUPS = {"ApiLogs": "access"}
QUEUES = {
    "fetch-dead": "FetchDeadLetters",
    "erase-dead": "EraseDeadLetters",
    "stream-failures": "StreamFailures",
    "announcement-failures": "AnnouncementFailures",
}
"""The world's queues that alarms look at, by their logical ids."""


class Throttled(Exception):
    """Lambda had no concurrency for it: TooManyRequestsException."""


class TimedOut(Exception):
    """Lambda ended the invocation at its timeout."""


def logical_id(function: str) -> str:
    return "".join(word.capitalize() for word in function.split("_")) + "Function"


class Watch:
    """Evaluates every alarm of the template, minute by minute of the world's time."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.world = service.world
        self.metrics = Metrics()
        self.throttled: set[str] = set()
        self.hanging: set[str] = set()
        alarms = [Alarm.of(name, resolved(each["Properties"])) for name, each in alarms_of(TEMPLATE).items()]
        self.evaluation = Evaluation(alarms, self.metrics)
        self.history: list[tuple[datetime, str, str]] = []
        self._filters = list(_metric_filters())
        self._monkeypatch = monkeypatch
        self._call = service.call
        monkeypatch.setattr(service, "call", self.call)
        monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", NAMESPACE)
        self._watch_calls()
        self.world.every(60, lambda _: self._minute())

    # --- what is measured

    def call(
        self, function: str, event: dict[str, Any], seconds_left: Callable[[], float] | None = None
    ) -> dict[str, Any]:
        """An invocation, with all that AWS measures of it and all that it prints."""
        of_function = {"FunctionName": logical_id(function)}
        began = self.world.clock.now()
        if function in self.throttled:
            self._put("AWS/Lambda", "Throttles", 1, **of_function)
            if function in API_FUNCTIONS:
                self._of_api(503, began)
            raise Throttled(function)
        self._put("AWS/Lambda", "Invocations", 1, **of_function)
        for record in event.get("Records", [])[-1:]:
            if "dynamodb" in record:
                age = began.timestamp() - float(record["dynamodb"]["ApproximateCreationDateTime"])
                self._put("AWS/Lambda", "IteratorAge", age * 1000, **of_function)
        if function in self.hanging:
            self.world.clock.advance(int(TEMPLATE[logical_id(function)]["Properties"]["Timeout"]))
            self._put("AWS/Lambda", "Errors", 1, **of_function)
            raise TimedOut(function)
        self._monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", function)
        ours._metrics.cache_clear()  # noqa: SLF001 - as another function's process has its own
        printed = io.StringIO()
        log = handler_module(function).logger.registered_handler
        # `setStream` would flush the one before, which may be a capture that ended with another test.
        stdout, log.stream = log.stream, printed
        try:
            with redirect_stdout(printed):
                answer = self._call(function, event, seconds_left)
        except Exception:
            self._put("AWS/Lambda", "Errors", 1, **of_function)
            if function in API_FUNCTIONS:
                self._of_api(500, began)
            raise
        finally:
            log.stream = stdout
            for line in printed.getvalue().splitlines():
                self.heard(function, line)
        if function in API_FUNCTIONS:
            self._of_api(int(answer["statusCode"]), began)
        return answer

    def heard(self, group: str, line: str) -> None:
        """A line of a log group: metrics in embedded format, and what the template's metric filters count."""
        now = self.world.clock.now()
        self.metrics.hear(line, now)
        for of, matches, namespace, name in self._filters:
            if of == group and matches(line):
                self.metrics.put(now, namespace, name, 1)

    def answered_by_the_gateway(self, status: int) -> None:
        """What API Gateway answers without asking a function: 429, say."""
        self._of_api(status, self.world.clock.now())

    def put(self, namespace: str, name: str, value: float, **dimensions: str) -> None:
        """A metric that AWS alone can measure; the scenario cites where it is documented."""
        self._put(namespace, name, value, **dimensions)

    def _of_api(self, status: int, began: datetime) -> None:
        of_api, took = {"ApiId": "HttpApi"}, self.world.clock.now() - began
        self._put("AWS/ApiGateway", "Count", 1, **of_api)
        self._put("AWS/ApiGateway", "Latency", took.total_seconds() * 1000, **of_api)
        if status >= 400:
            self._put("AWS/ApiGateway", "5xx" if status >= 500 else "4xx", 1, **of_api)
        self.heard("access", json.dumps({"status": str(status)}))

    def _watch_calls(self) -> None:
        call = self.world.call

        def watched(service: str, operation: str, parameters: dict[str, Any], effect: Callable[[], Any]) -> Any:
            try:
                return call(service, operation, parameters, effect)
            except AwsError as refusal:
                if service == "dynamodb":
                    self._refused_by_dynamodb(operation, refusal.code)
                raise

        self._monkeypatch.setattr(self.world, "call", watched)

    def _refused_by_dynamodb(self, operation: str, code: str) -> None:
        reading = operation in ("get_item", "query", "scan")
        if code in ("ProvisionedThroughputExceededException", "ThrottlingException"):
            name = "ReadThrottleEvents" if reading else "WriteThrottleEvents"
            self._put("AWS/DynamoDB", name, 1, TableName="ConnectionsTable")
        if code in ("InternalServerError", "ServiceUnavailable"):
            named = "".join(word.capitalize() for word in operation.split("_"))
            self._put("AWS/DynamoDB", "SystemErrors", 1, TableName="ConnectionsTable", Operation=named)

    def _put(self, namespace: str, name: str, value: float, **dimensions: str) -> None:
        self.metrics.put(self.world.clock.now(), namespace, name, value, **dimensions)

    def _minute(self) -> None:
        for name, queue in self.world.queues.items():
            visible = sum(message.due <= self.world.clock.now() for message in queue.messages)
            self._put("AWS/SQS", "ApproximateNumberOfMessagesVisible", visible, QueueName=QUEUES.get(name, name))
        now = self.world.clock.now()
        for alarm, (_, state) in self.evaluation.look(now).items():
            self.history.append((now, alarm, state))

    # --- what is seen

    def on(self, alarm: str) -> bool:
        return alarm in self.evaluation.on()


def alarms_of(template: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in template.items() if each["Type"] == "AWS::CloudWatch::Alarm"}


def resolved(value: Any) -> Any:
    """A value of the template, where a resource is called by its logical id and a parameter has its default."""
    match value:
        case {"Ref": name}:
            return PARAMETERS[name]["Default"] if name in PARAMETERS else name
        case {"Fn::GetAtt": [name, _]} | {"Fn::GetAtt": name}:
            return str(name).split(".", maxsplit=1)[0]
        case {"Fn::Sub": text}:
            return text.replace("${AWS::StackName}", STACK)
        case {"Fn::If": [_, wanted, _]}:
            return resolved(wanted)
        case dict():
            return {name: resolved(each) for name, each in value.items()}
        case list():
            return [resolved(each) for each in value]
    return value


def _metric_filters() -> Any:
    for each in TEMPLATE.values():
        if each["Type"] == "AWS::Logs::MetricFilter":
            properties = resolved(each["Properties"])
            (counted,) = properties["MetricTransformations"]
            group = GROUPS.get(properties["LogGroupName"]) or _snake(properties["LogGroupName"].removesuffix("Logs"))
            matches = compiled(properties["FilterPattern"])
            yield group, matches, counted["MetricNamespace"], counted["MetricName"]


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
