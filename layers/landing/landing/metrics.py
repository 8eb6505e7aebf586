"""Every metric of the service, by name, written as EMF log lines."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from functools import cache

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit


class Metric(StrEnum):
    LOGIN_RECEIVED = "LoginReceived"
    LOGIN_IMPORTED = "LoginImported"
    CONNECT_SESSION_CREATED = "ConnectSessionCreated"
    SESSION_LIMIT_REACHED = "SessionLimitReached"
    FETCH_LIMIT_REACHED = "FetchLimitReached"
    REQUEST_REFUSED = "RequestRefused"
    CONNECTION_READY = "ConnectionReady"
    CONNECTION_PENDING = "ConnectionPending"
    CONNECTION_WAITING = "ConnectionWaiting"
    CONNECTION_ACTION_REQUIRED = "ConnectionActionRequired"
    CONNECTION_FAILED = "ConnectionFailed"
    FETCH_ERROR = "FetchError"
    USER_MUST_RECONNECT = "UserMustReconnect"
    LOGIN_UNKNOWN_AT_FLINKS = "LoginUnknownAtFlinks"
    QUARANTINED = "Quarantined"
    OUR_CREDENTIALS_REFUSED = "OurCredentialsRefused"
    FLINKS_SESSION_REFUSED = "FlinksSessionRefused"
    FLINKS_REFUSED_REQUEST = "FlinksRefusedRequest"
    FLINKS_THROTTLED = "FlinksThrottled"
    FLINKS_UNAVAILABLE = "FlinksUnavailable"
    BANK_UNAVAILABLE = "BankUnavailable"
    FLINKS_ANSWER_NOT_UNDERSTOOD = "FlinksAnswerNotUnderstood"
    FLINKS_ANSWER_TOO_LARGE = "FlinksAnswerTooLarge"
    CONNECTION_DELETED = "ConnectionDeleted"
    CONNECTION_DELETING = "ConnectionDeleting"
    ERASURE_OVERDUE = "ErasureOverdue"
    ERASURE_UNKNOWN_AT_FLINKS = "ErasureUnknownAtFlinks"
    FLINKS_HOME_MISMATCH = "FlinksHomeMismatch"
    ERASE_ERROR = "EraseError"
    EVENT_ANNOUNCED = "EventAnnounced"
    EVENT_SUPERSEDED = "EventSuperseded"
    EVENT_REFUSED = "EventRefused"
    EVENT_DELAYED = "EventDelayed"
    CONNECTION_REFETCHED = "ConnectionRefetched"
    CONNECTION_RETRIED = "ConnectionRetried"
    CONNECTION_RESUMED = "ConnectionResumed"
    ENDING_UNANNOUNCED = "EndingUnannounced"
    OLDEST_OVERDUE = "OldestOverdueSeconds"
    ENDED_BY_CAUSE = "EndedByCause"


@cache
def _metrics() -> Metrics:
    return Metrics()  # reads its namespace from the environment: not while a module is being imported


def count(names: Iterable[str]) -> None:
    """Count each name once for each time it is given."""
    for name, times in Counter(names).items():
        _metrics().add_metric(name=name, unit=MetricUnit.Count, value=times)
    if _metrics().metric_set:
        _metrics().flush_metrics()


def count_causes(labels: Iterable[str]) -> None:
    """Count what ended claims without data, by cause; a label is one of few."""
    for label, times in Counter(labels).items():
        _metrics().add_metric(name=Metric.ENDED_BY_CAUSE, unit=MetricUnit.Count, value=times)
        _metrics().add_dimension(name="cause", value=label)
        _metrics().flush_metrics()


def measure(name: Metric, seconds: float) -> None:
    _metrics().add_metric(name=name, unit=MetricUnit.Seconds, value=seconds)
    _metrics().flush_metrics()
