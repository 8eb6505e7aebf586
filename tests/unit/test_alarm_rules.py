"""CloudWatch's rules of alarms, as our evaluation has them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.aws.alarms import Alarm, Evaluation, Metrics, embedded

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def alarm(**properties: Any) -> Alarm:
    usual = {
        "Namespace": "ours",
        "MetricName": "Errors",
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }
    return Alarm.of("it", usual | properties)


def measured(*values: tuple[datetime, float]) -> Metrics:
    metrics = Metrics()
    for at, value in values:
        metrics.put(at, "ours", "Errors", value)
    return metrics


def test_an_alarm_is_on_for_as_long_as_its_window_holds_the_error() -> None:
    metrics = measured((NOON, 1))

    states = [alarm().state(metrics, NOON + MINUTE * after) for after in (0, 1, 5, 6)]

    assert states == ["OK", "ALARM", "ALARM", "OK"]


def test_several_periods_must_all_breach_unless_told_how_many() -> None:
    two_of_three = measured((NOON, 1), (NOON + MINUTE * 10, 1))
    at = NOON + MINUTE * 15

    assert alarm(EvaluationPeriods=3).state(two_of_three, at) == "OK"
    assert alarm(EvaluationPeriods=3, DatapointsToAlarm=2).state(two_of_three, at) == "ALARM"


@pytest.mark.parametrize(
    ("missing", "state"),
    [("notBreaching", "OK"), ("breaching", "ALARM"), ("missing", "INSUFFICIENT_DATA"), ("ignore", "ALARM")],
)
def test_missing_data_is_treated_as_the_alarm_says(missing: str, state: str) -> None:
    assert alarm(TreatMissingData=missing).state(Metrics(), NOON, before="ALARM") == state


@pytest.mark.parametrize(
    ("statistic", "threshold", "state"),
    [("Sum", 6, "ALARM"), ("Sum", 7, "OK"), ("Maximum", 3, "ALARM"), ("Average", 3, "OK"), ("SampleCount", 3, "ALARM")],
)
def test_the_statistic_is_taken_over_the_window(statistic: str, threshold: float, state: str) -> None:
    metrics = measured((NOON, 1), (NOON, 2), (NOON, 3))

    assert alarm(Statistic=statistic, Threshold=threshold).state(metrics, NOON + MINUTE) == state


def test_a_percentile_leaves_the_few_slow_ones_out() -> None:
    metrics = measured(*((NOON, 1.0) for _ in range(99)), (NOON, 1000))
    slow = {"Statistic": None, "Threshold": 100}

    assert alarm(ExtendedStatistic="p99", **slow).state(metrics, NOON + MINUTE) == "OK"
    assert alarm(ExtendedStatistic="p100", **slow).state(metrics, NOON + MINUTE) == "ALARM"


def test_an_alarm_hears_its_own_dimensions_only() -> None:
    metrics = Metrics()
    metrics.put(NOON, "ours", "Errors", 1, FunctionName="fetch_accounts")
    of = [{"Name": "FunctionName", "Value": "receive_login"}]

    assert alarm(Dimensions=of).state(metrics, NOON + MINUTE) == "OK"
    assert (
        alarm(Dimensions=[{"Name": "FunctionName", "Value": "fetch_accounts"}]).state(metrics, NOON + MINUTE) == "ALARM"
    )


def test_an_alarm_on_a_sum_counts_all_its_metrics_together() -> None:
    stats = [
        {"Metric": {"Namespace": "AWS/DynamoDB", "MetricName": name}, "Period": 300, "Stat": "Sum"} for name in "ab"
    ]
    terms = [{"Id": name, "MetricStat": stat} for name, stat in zip("ab", stats, strict=True)]
    summed = alarm(Metrics=[{"Id": "all", "Expression": "SUM(FILL(METRICS(), 0))"}, *terms], Threshold=2)
    metrics = Metrics()

    metrics.put(NOON, "AWS/DynamoDB", "a", 1)
    alone = summed.state(metrics, NOON + MINUTE)
    metrics.put(NOON, "AWS/DynamoDB", "b", 1)

    assert (alone, summed.state(metrics, NOON + MINUTE)) == ("OK", "ALARM")


def test_metrics_stand_in_lines_of_the_embedded_format_and_in_no_other() -> None:
    line = (
        '{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "ours", "Dimensions": [["service"]],'
        ' "Metrics": [{"Name": "FetchError", "Unit": "Count"}]}]}, "service": "fetch_accounts", "FetchError": [2.0]}'
    )

    ((metric, value),) = embedded(line)

    assert (metric.namespace, metric.name, dict(metric.dimensions)) == (
        "ours",
        "FetchError",
        {"service": "fetch_accounts"},
    )
    assert value == 2
    assert list(embedded('{"message": "not about \\"_aws\\""}')) == []


def test_an_evaluation_tells_what_changed() -> None:
    looked = Evaluation([alarm()], measured((NOON, 1)))

    assert looked.look(NOON + MINUTE) == {"it": ("OK", "ALARM")}
    assert looked.on() == {"it"}
    assert looked.look(NOON + MINUTE * 2) == {}
    assert looked.look(NOON + MINUTE * 6) == {"it": ("ALARM", "OK")}
