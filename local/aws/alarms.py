"""CloudWatch's rules of alarms: what datapoints, over which windows, put an alarm on.

Restores, since the emulator keeps alarms and never evaluates them (CloudWatch user guide, "Alarm evaluation" and
"Configuring how CloudWatch alarms treat missing data"):

* an alarm is evaluated every minute over the last `EvaluationPeriods` windows of `Period` seconds that end now;
* it is on when at least `DatapointsToAlarm` of them breach; a window without data counts as `TreatMissingData` says;
* an alarm on the sum of several metrics counts them together, and what is missing as 0;
* a metric of an embedded metric format line counts for each set of dimensions that the line declares.

Unlike AWS, a metric is known the moment it was printed, and high-resolution alarms do not exist.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

type Dimensions = frozenset[tuple[str, str]]

COMPARED: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}

OF_SEVERAL: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": len,
}


@dataclass(frozen=True)
class Metric:
    """One series of CloudWatch."""

    namespace: str
    name: str
    dimensions: Dimensions = frozenset()


@dataclass
class Metrics:
    """Every value that was measured, with its time."""

    _values: dict[Metric, list[tuple[datetime, float]]] = field(default_factory=lambda: defaultdict(list))

    def put(self, at: datetime, namespace: str, name: str, value: float, **dimensions: str) -> None:
        self._values[Metric(namespace, name, frozenset(dimensions.items()))].append((at, value))

    def hear(self, line: str, at: datetime) -> None:
        """Take the metrics out of a line in embedded metric format; any other line says nothing."""
        for metric, value in embedded(line):
            self._values[metric].append((at, value))

    def between(self, metric: Metric, start: datetime, end: datetime) -> list[float]:
        return [value for at, value in self._values.get(metric, ()) if start <= at < end]

    def forget(self, before: datetime) -> None:
        """What no alarm looks at any more."""
        for metric, values in self._values.items():
            self._values[metric] = [(at, value) for at, value in values if at >= before]


def embedded(line: str) -> Iterator[tuple[Metric, float]]:
    """The values in a line of embedded metric format."""
    if '"_aws"' not in line:
        return
    try:
        said = json.loads(line)
        directives = said["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    for directive in directives:
        for names in directive["Dimensions"]:
            dimensions = frozenset((name, str(said[name])) for name in names)
            for each in directive["Metrics"]:
                values = said[each["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    yield Metric(directive["Namespace"], each["Name"], dimensions), float(value)


SUM_OF_ALL = "SUM(FILL(METRICS(), 0))"


def _metric(properties: Mapping[str, Any]) -> Metric:
    dimensions = frozenset((each["Name"], str(each["Value"])) for each in properties.get("Dimensions", ()))
    return Metric(properties["Namespace"], properties["MetricName"], dimensions)


@dataclass(frozen=True)
class Alarm:
    """An alarm on one metric or on the sum of several, with the properties of `AWS::CloudWatch::Alarm`."""

    name: str
    series: tuple[Metric, ...]
    statistic: str
    period: timedelta
    periods: int
    to_alarm: int
    threshold: float
    comparison: str
    missing: str

    @classmethod
    def of(cls, name: str, properties: Mapping[str, Any]) -> "Alarm":
        """From resolved properties, of the template or of DescribeAlarms alike. KeyError for what is not modelled."""
        periods = int(properties["EvaluationPeriods"])
        if "Metrics" in properties:
            stats = [each["MetricStat"] for each in properties["Metrics"] if "MetricStat" in each]
            (expression,) = [each["Expression"] for each in properties["Metrics"] if "Expression" in each]
            if expression != SUM_OF_ALL or any(each["Stat"] != "Sum" for each in stats):
                raise KeyError("another expression than the sum of all")
            series, statistic, period = tuple(_metric(each["Metric"]) for each in stats), "Sum", stats[0]["Period"]
        else:
            series, period = (_metric(properties),), properties["Period"]
            statistic = properties.get("ExtendedStatistic") or properties["Statistic"]
        return cls(
            name,
            series,
            statistic,
            timedelta(seconds=int(period)),
            periods,
            int(properties.get("DatapointsToAlarm") or periods),
            float(properties["Threshold"]),
            properties["ComparisonOperator"],
            properties.get("TreatMissingData", "missing"),
        )

    @property
    def looks_back(self) -> timedelta:
        return self.period * self.periods

    def state(self, metrics: Metrics, now: datetime, before: str = "OK") -> str:
        """OK, ALARM or INSUFFICIENT_DATA at the minute of `now`; `before` is what it was."""
        end = now.replace(second=0, microsecond=0)
        windows = [
            [
                value
                for metric in self.series
                for value in metrics.between(metric, end - self.period * (back + 1), end - self.period * back)
            ]
            for back in range(self.periods)
        ]
        breaching = sum(self._breaches(values) for values in windows)
        empty = sum(not values for values in windows)
        if self.missing == "breaching":
            breaching += empty
        if breaching >= self.to_alarm:
            return "ALARM"
        if empty == self.periods and self.missing == "missing":
            return "INSUFFICIENT_DATA"
        if empty == self.periods and self.missing == "ignore":
            return before
        return "OK"

    def _breaches(self, values: Sequence[float]) -> bool:
        if not values:
            return False
        return COMPARED[self.comparison](_statistic(self.statistic, values), self.threshold)


def _statistic(name: str, values: Sequence[float]) -> float:
    if name in OF_SEVERAL:
        return OF_SEVERAL[name](values)
    rank = math.ceil(float(name.removeprefix("p")) / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


@dataclass
class Evaluation:
    """All alarms of a stack, minute by minute."""

    alarms: Sequence[Alarm]
    metrics: Metrics
    states: dict[str, str] = field(default_factory=dict)

    def look(self, now: datetime) -> dict[str, tuple[str, str]]:
        """What has changed: by alarm, from which state to which."""
        changed: dict[str, tuple[str, str]] = {}
        for alarm in self.alarms:
            before = self.states.get(alarm.name, "OK")
            state = alarm.state(self.metrics, now, before)
            if state != before:
                changed[alarm.name] = (before, state)
            self.states[alarm.name] = state
        return changed

    def on(self) -> set[str]:
        return {name for name, state in self.states.items() if state == "ALARM"}


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    """Every full minute after `start`, up to `end`."""
    at = start.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    while at <= end:
        yield at
        at += timedelta(minutes=1)
