"""Keeps the deployed alarms' states, from what can be seen of the service on one machine, by the rules of `alarms`.

Restores, since the emulator evaluates no alarm by CloudWatch's rules: Lambda's Invocations, Errors, Duration and
IteratorAge, API Gateway's Count, Latency and 5xx, the depth of queues, what functions print in embedded metric
format, and what metric filters count. Unlike AWS, an alarm is looked at every few seconds and at once after its cause;
one that breaches while data is missing waits until it has been watched for its whole window; throttles of Lambda and
DynamoDB's own errors do not happen here.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from local.aws.alarms import Alarm, Evaluation, Metrics
from local.aws.filter_patterns import compiled

EVERY_SECONDS = 5
REMEMBERED = timedelta(hours=2)
"""Longer than any alarm looks back."""

QUEUES = "AWS/SQS"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Filter:
    """What a metric filter of a log group counts."""

    matches: Callable[[str], bool]
    namespace: str
    name: str


class AlarmWatch:
    """`client(service)` gives a boto3 client of the emulator; nothing is looked at before `start`."""

    def __init__(self, client: Callable[[str], Any], clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._client = client
        self._clock = clock
        self._began = clock()
        self._metrics = Metrics()
        self._filters: dict[str, list[Filter]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._go_on_looking, name="alarms", daemon=True).start()

    def close(self) -> None:
        self._ended.set()

    # --- what happens

    def invoked(self, function: str, log_group: str, event: Any, printed: str, *, failed: bool, seconds: float) -> None:
        """One invocation of a function, at its end."""
        now = self._clock()
        of_function = {"FunctionName": function}
        with self._lock:
            self._metrics.put(now, "AWS/Lambda", "Invocations", 1, **of_function)
            self._metrics.put(now, "AWS/Lambda", "Errors", float(failed), **of_function)
            self._metrics.put(now, "AWS/Lambda", "Duration", seconds * 1000, **of_function)
            for age in ages(event, now):
                self._metrics.put(now, "AWS/Lambda", "IteratorAge", age * 1000, **of_function)
        for line in printed.splitlines():
            self.logged(log_group, line)

    def answered(self, api_id: str, status: int, seconds: float, log_group: str, line: str) -> None:
        """One request to the HTTP API, with its line in the access log."""
        now, of_api = self._clock(), {"ApiId": api_id}
        with self._lock:
            self._metrics.put(now, "AWS/ApiGateway", "Count", 1, **of_api)
            self._metrics.put(now, "AWS/ApiGateway", "Latency", seconds * 1000, **of_api)
            self._metrics.put(now, "AWS/ApiGateway", "5xx", float(status >= HTTPStatus.INTERNAL_SERVER_ERROR), **of_api)
        self.logged(log_group, line)

    def logged(self, group: str, line: str) -> None:
        now = self._clock()
        with self._lock:
            self._metrics.hear(line, now)
            for each in self._filters.get(group, ()):
                if each.matches(line):
                    self._metrics.put(now, each.namespace, each.name, 1)

    # --- what follows from it

    def look(self) -> dict[str, str]:
        """Evaluate every alarm, tell CloudWatch what has changed, and give that: by alarm, its new state."""
        alarms, states = self._alarms()
        self._filters = self._metric_filters()
        depths = self._depths(alarms)
        now = self._clock()
        with self._lock:
            for queue, depth in depths.items():
                self._metrics.put(now, QUEUES, "ApproximateNumberOfMessagesVisible", depth, QueueName=queue)
            self._metrics.forget(now - REMEMBERED)
            watched = [each for each in alarms if each.missing != "breaching" or now - self._began > each.looks_back]
            # The minute under way counts already: nobody at this machine waits for it to be full.
            changed = Evaluation(watched, self._metrics, states).look(now + timedelta(minutes=1))
        for name, (before, after) in changed.items():
            self._client("cloudwatch").set_alarm_state(
                AlarmName=name, StateValue=after, StateReason=f"{before} before, by the rules of local/aws/alarms.py"
            )
        return {name: after for name, (_, after) in changed.items()}

    def _go_on_looking(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            try:
                self.look()
            except Exception:
                logger.exception("alarms could not be looked at")

    def _alarms(self) -> tuple[list[Alarm], dict[str, str]]:
        """Every alarm, and as what CloudWatch has it: somebody may have set a state by hand, which lasts until now."""
        pages = self._client("cloudwatch").get_paginator("describe_alarms").paginate()
        told = [each for page in pages for each in page["MetricAlarms"]]
        on = {each["AlarmName"]: "ALARM" for each in told if each["StateValue"] == "ALARM"}
        return [Alarm.of(each["AlarmName"], each) for each in told], on

    def _metric_filters(self) -> dict[str, list[Filter]]:
        found: dict[str, list[Filter]] = {}
        for page in self._client("logs").get_paginator("describe_metric_filters").paginate():
            for each in page["metricFilters"]:
                (counted,) = each["metricTransformations"]
                counts = Filter(compiled(each["filterPattern"]), counted["metricNamespace"], counted["metricName"])
                found.setdefault(each["logGroupName"], []).append(counts)
        return found

    def _depths(self, alarms: list[Alarm]) -> dict[str, int]:
        """How many messages can be received, by queue, of those that alarms look at."""
        sqs, depths = self._client("sqs"), dict[str, int]()
        looked_at = (metric for alarm in alarms for metric in alarm.series if metric.namespace == QUEUES)
        for queue in {dict(metric.dimensions)["QueueName"] for metric in looked_at}:
            url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            depths[queue] = int(told["Attributes"]["ApproximateNumberOfMessages"])
        return depths


def ages(event: Any, now: datetime) -> list[float]:
    """Of a batch of a table's stream: how old its last record is, in seconds."""
    records = event.get("Records", []) if isinstance(event, Mapping) else []
    told = [each["dynamodb"]["ApproximateCreationDateTime"] for each in records if "dynamodb" in each]
    return [now.timestamp() - float(told[-1])] if told else []


def tell_of_alarms(before: Mapping[str, str], now: dict[str, str], say: Callable[[str], None]) -> dict[str, str]:
    """Say which alarms have gone on and which off, by name with what they mean; gives `now`."""
    for name in now.keys() - before.keys():
        say(f"alarm on:  {name}: {now[name]}")
    for name in before.keys() - now.keys():
        say(f"alarm off: {name}")
    return now
