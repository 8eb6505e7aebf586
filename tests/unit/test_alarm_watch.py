"""The alarms of `make up`: on by their cause, off when it has passed, told to CloudWatch and to the person."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.aws.alarm_watch import AlarmWatch, ages, tell_of_alarms

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
USUAL = {
    "Statistic": "Sum",
    "Period": 300,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "notBreaching",
}


class Aws:
    """What the watch asks of CloudWatch, logs and SQS; `told` is what it set."""

    def __init__(self) -> None:
        self.alarms: list[dict[str, Any]] = []
        self.filters: list[dict[str, Any]] = []
        self.depth = 0
        self.told: list[tuple[str, str]] = []

    def client(self, _: str) -> "Aws":
        return self

    def get_paginator(self, operation: str) -> "Pages":
        return Pages(
            {"MetricAlarms": self.alarms} if operation == "describe_alarms" else {"metricFilters": self.filters}
        )

    def get_queue_url(self, **_: str) -> dict[str, str]:
        return {"QueueUrl": "u"}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessages": str(self.depth)}}

    def set_alarm_state(self, **state: str) -> None:
        self.told.append((state["AlarmName"], state["StateValue"]))
        for each in self.alarms:
            if each["AlarmName"] == state["AlarmName"]:
                each["StateValue"] = state["StateValue"]


class Pages:
    def __init__(self, page: dict[str, Any]) -> None:
        self._page = page

    def paginate(self) -> list[dict[str, Any]]:
        return [self._page]


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(aws: Aws, clock: Clock) -> AlarmWatch:
    return AlarmWatch(aws.client, clock)


def alarm(name: str, namespace: str, metric: str, dimensions: dict[str, str], **properties: Any) -> dict[str, Any]:
    told = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return (
        {"AlarmName": name, "Namespace": namespace, "MetricName": metric, "Dimensions": told, "StateValue": "OK"}
        | USUAL
        | properties
    )


def test_a_death_puts_the_function_s_alarm_on_at_once_and_it_goes_off_when_the_window_has_passed(
    aws: Aws, clock: Clock, watch: AlarmWatch
) -> None:
    aws.alarms = [alarm("FetchErrors", "AWS/Lambda", "Errors", {"FunctionName": "fetch"})]

    watch.invoked("fetch", "/aws/lambda/fetch", {}, "", failed=True, seconds=1)
    on = watch.look()
    clock.now += 2 * MINUTE
    still = watch.look()
    clock.now += 4 * MINUTE
    off = watch.look()

    assert (on, still, off) == ({"FetchErrors": "ALARM"}, {}, {"FetchErrors": "OK"})
    assert aws.told == [("FetchErrors", "ALARM"), ("FetchErrors", "OK")]


def test_what_a_function_prints_and_what_a_filter_counts_are_heard(aws: Aws, watch: AlarmWatch) -> None:
    aws.alarms = [alarm("Ours", "ours", "FetchError", {}), alarm("Keys", "ours", "KeyRefusals", {})]
    counted = [{"metricNamespace": "ours", "metricName": "KeyRefusals"}]
    pattern = '{ $.error = "kms:*" }'
    aws.filters = [{"logGroupName": "g", "filterPattern": pattern, "metricTransformations": counted}]
    declared = [{"Namespace": "ours", "Dimensions": [[]], "Metrics": [{"Name": "FetchError"}]}]
    emf = json.dumps({"_aws": {"CloudWatchMetrics": declared}, "FetchError": [1.0]})
    watch.look()

    watch.invoked("fetch", "g", {}, f'{emf}\n{{"error": "kms:Decrypt AccessDenied"}}\nSTART', failed=False, seconds=1)

    assert watch.look() == {"Ours": "ALARM", "Keys": "ALARM"}


def test_a_queue_s_depth_and_the_api_s_answers_are_seen(aws: Aws, watch: AlarmWatch) -> None:
    aws.alarms = [
        alarm("Dead", "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "dead"}, Statistic="Maximum"),
        alarm("Api", "AWS/ApiGateway", "5xx", {"ApiId": "api"}),
    ]
    quiet = watch.look()
    aws.depth = 1

    watch.answered("api", 503, 0.1, "access", "{}")

    assert quiet == {}
    assert watch.look() == {"Dead": "ALARM", "Api": "ALARM"}


def test_what_breaches_while_data_is_missing_waits_for_a_whole_window(
    aws: Aws, clock: Clock, watch: AlarmWatch
) -> None:
    missing = {"ComparisonOperator": "LessThanThreshold", "TreatMissingData": "breaching"}
    aws.alarms = [alarm("ResumeIsMissing", "AWS/Lambda", "Invocations", {"FunctionName": "resume"}, **missing)]

    early = watch.look()
    clock.now += 6 * MINUTE

    assert early == {}
    assert watch.look() == {"ResumeIsMissing": "ALARM"}


def test_a_state_that_somebody_set_lasts_until_the_next_look(aws: Aws, watch: AlarmWatch) -> None:
    aws.alarms = [alarm("FetchErrors", "AWS/Lambda", "Errors", {"FunctionName": "fetch"}, StateValue="ALARM")]

    assert watch.look() == {"FetchErrors": "OK"}


def test_a_stream_s_batch_is_as_old_as_its_last_record() -> None:
    batch = {"Records": [{"dynamodb": {"ApproximateCreationDateTime": NOON.timestamp() - age}} for age in (9, 7)]}

    assert ages(batch, NOON) == [7]
    assert ages({"Records": [{"body": "{}"}]}, NOON) == []


def test_make_up_says_once_which_alarms_went_on_and_which_off() -> None:
    said: list[str] = []

    first = tell_of_alarms({}, {"A": "means a"}, said.append)
    second = tell_of_alarms(first, {"A": "means a"}, said.append)
    tell_of_alarms(second, {}, said.append)

    assert said == ["alarm on:  A: means a", "alarm off: A"]
