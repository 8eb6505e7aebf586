"""Every fault that is told apart, from its cause to the page that says what to do: no cell of the table is empty.

Each fault is made to happen to the real handlers in virtual time. Then a log line names it, a metric counts it, an
alarm goes on, and the runbook has an entry for that alarm. The same table stands in `docs/faults.md`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from landing import wiring
from landing.domain.connection import Status
from tests.unit.test_every_alarm import (
    SCENARIOS,
    Scene,
    a_dead_letter,
    another_flinks,
    another_users_session,
    callers_are_too_many,
    deleted_with_wrong_keys,
    fetched_with_wrong_keys,
    fetches_hang,
    flinks_answers,
    logins_that_flinks_never_knew,
    nobody_comes,
    scene,
    the_bus_refuses,
    the_bus_will_never_take_it,
    the_card_stays_in_use,
    the_stream_brings_no_endings,
    the_table_refuses,
)
from tests.world.service import TABLE, TEMPLATE
from tests.world.watch import alarms_of

__all__ = ["scene"]

DOCS = Path(__file__).parents[2] / "docs"
PLACEHOLDER = json.dumps({"secretKey": "to be filled in"})

type Line = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and how it is found: by `line`, a part of a log line; by a metric; by an alarm."""

    begins: Callable[[Scene], Any]
    line: Line
    metric: str
    alarm: str


# --- causes that no alarm's scenario has


def posts(scene: Scene, minutes: int = 2) -> None:
    scene.keep(scene.post, minutes)


def refused_while_posting(service: str, operation: str, code: str, minutes: int = 2) -> Callable[[Scene], None]:
    def begins(scene: Scene) -> None:
        scene.refuse(service, operation, code)
        posts(scene, minutes)

    return begins


def refused_once_ready(service: str, operation: str, code: str) -> Callable[[Scene], None]:
    """AWS refuses from the moment on that a connection is to be deleted."""

    def begins(scene: Scene) -> None:
        connection_id = scene.service.connect_and_post()
        scene.service.until(connection_id, Status.READY)
        scene.refuse(service, operation, code)
        scene.erasing.invoke(connectionId=connection_id)

    return begins


def objects_cannot_be_deleted(scene: Scene) -> None:
    connection_id = scene.service.connect_and_post()
    scene.service.until(connection_id, Status.READY)
    scene.service.world.fail_entries("s3", "delete_objects", "AccessDenied", times=100)
    scene.erasing.invoke(connectionId=connection_id)


def with_secret(name: str, text: str) -> Callable[[Scene], None]:
    def begins(scene: Scene) -> None:
        scene.service.world.secretsmanager.put_secret_value(SecretId=name, SecretString=text)
        wiring.reset()
        scene.post()

    return begins


def no_page_can_be_opened(scene: Scene) -> None:
    scene.service.world.secretsmanager.put_secret_value(SecretId="secret-key", SecretString=PLACEHOLDER)
    wiring.reset()
    scene.keep(lambda: scene.invoke("create_connect_session"), 2)


def once(**step: Any) -> Callable[[Scene], None]:
    """Flinks answers so for ever, and one connection is enough to hear of it."""
    endpoint = step.pop("endpoint")

    def begins(scene: Scene) -> None:
        scene.service.script(endpoint=endpoint, steps=[step | {"times": "forever"}])
        scene.post()

    return begins


def flinks_collects_for_ever(scene: Scene) -> None:
    scene.service.post(scene.service.connect_bank(pending={"never": True}))
    scene.service.world.run(timedelta(minutes=40))


def a_row_that_nobody_can_read(scene: Scene) -> None:
    scene.service.stream.enabled = False
    connection_id = scene.service.connect_and_post()
    scene.service.world.dynamodb.update_item(
        TableName=TABLE,
        Key={"connectionId": {"S": connection_id}},
        UpdateExpression="SET attempt = :text",
        ExpressionAttributeValues={":text": {"S": "first"}},
    )
    scene.service.stream.enabled = True


def dies(function: str) -> Callable[[Scene], None]:
    def begins(scene: Scene) -> None:
        scene.deploy_without_settings()
        scene.invoke(function)

    return begins


def by_scenario(alarm: str) -> Callable[[Scene], Any]:
    return SCENARIOS[alarm].cause


WAITING = {"message": "fetch ended", "ending": "waiting"}
DELETING = {"message": "erase ended", "ending": "deleting"}
REFUSED = {"message": "request refused", "problem": "unavailable"}
DIED = {"message": "Crash: WrongSettings: CONNECTIONS_TABLE at settings.py:*"}

FAULTS: dict[str, Fault] = {
    # where a login comes in
    "the login key is disabled while logins come in": Fault(
        refused_while_posting("kms", "encrypt", "DisabledException"),
        REFUSED | {"cause": "kms:Encrypt DisabledException"},
        "KeyRefusals",
        "KeysDoNotServe",
    ),
    "the index key does not serve": Fault(
        refused_while_posting("kms", "generate_mac", "KMSInternalException"),
        REFUSED | {"cause": "kms:GenerateMac KMSInternalException"},
        "5xx",
        "ApiServerErrors",
    ),
    "the table is throttled": Fault(
        the_table_refuses("ProvisionedThroughputExceededException"),
        REFUSED | {"cause": "dynamodb:GetItem ProvisionedThroughputExceededException"},
        "ReadThrottleEvents",
        "TableIsThrottled",
    ),
    "the table fails": Fault(
        the_table_refuses("InternalServerError"),
        REFUSED | {"cause": "dynamodb:GetItem InternalServerError"},
        "SystemErrors",
        "TableFails",
    ),
    "callers ask too much": Fault(callers_are_too_many, {"status": "429"}, "ThrottledRequests", "CallersAreThrottled"),
    "one user asks too much": Fault(
        by_scenario("OneUserAsksTooMuch"),
        {"message": "request refused", "problem": "too-many-*"},
        "FetchLimitReached",
        "OneUserAsksTooMuch",
    ),
    "no Connect page can be opened: the secret is the template's": Fault(
        no_page_can_be_opened,
        REFUSED | {"reason": "service_misconfigured", "cause": "GenerateAuthorizeToken secret_placeholder"},
        "EndedByCause",
        "ApiServerErrors",
    ),
    "a setting is missing": Fault(dies("receive_login"), DIED, "Errors", "ReceiveLoginErrors"),
    # stream, queues, schedule
    "the schedule's function dies": Fault(dies("resume_stalled"), DIED, "Errors", "ResumeStalledErrors"),
    "fetches run into their timeout": Fault(
        fetches_hang, {"message": "Task timed out"}, "IteratorAge", "FetchIsBehind"
    ),
    "a message that is none of ours, for a fetch": Fault(
        a_dead_letter("fetch").cause,
        {"message": "not a message of ours"},
        "ApproximateNumberOfMessagesVisible",
        "FetchDeadLettersWaiting",
    ),
    "a message that is none of ours, for an erasure": Fault(
        a_dead_letter("erase").cause,
        {"message": "not a message of ours"},
        "ApproximateNumberOfMessagesVisible",
        "EraseDeadLettersWaiting",
    ),
    "a row that nobody can read": Fault(
        a_row_that_nobody_can_read,
        {"message": "record put aside", "code": "UnreadableRow"},
        "ApproximateNumberOfMessagesVisible",
        "StreamFailuresWaiting",
    ),
    "the mappings of fetch_accounts are off": Fault(
        nobody_comes, {"message": "stalled connections resumed"}, "OldestOverdueSeconds", "ConnectionsAreOverdue"
    ),
    "the mapping of publish_events is off": Fault(
        the_stream_brings_no_endings,
        {"message": "announcement ended", "fate": "announced", "service": "resume_stalled"},
        "EndingUnannounced",
        "EndingsAreUnannounced",
    ),
    "EventBridge does not serve": Fault(
        the_bus_refuses,
        {"message": "announcement ended", "fate": "not_now", "code": "InternalFailure"},
        "EventDelayed",
        "AnnouncementsAreDelayed",
    ),
    "EventBridge will never take an announcement": Fault(
        the_bus_will_never_take_it,
        {"message": "announcement ended", "fate": "refused", "code": "MalformedDetail"},
        "EventRefused",
        "AnnouncementFailuresWaiting",
    ),
    # fetching, and AWS refuses
    "the login key is closed to us": Fault(
        by_scenario("FetchesBreakOff"),
        WAITING | {"reason": "service_unavailable", "cause": "kms:Decrypt AccessDeniedException"},
        "FetchError",
        "FetchesBreakOff",
    ),
    "the secret is deleted": Fault(
        refused_while_posting("secretsmanager", "get_secret_value", "ResourceNotFoundException"),
        WAITING | {"cause": "secretsmanager:GetSecretValue ResourceNotFoundException"},
        "FetchError",
        "FetchesBreakOff",
    ),
    "the bucket refuses drops": Fault(
        refused_while_posting("s3", "put_object", "AccessDenied"),
        WAITING | {"reason": "drop_not_stored", "cause": "s3:PutObject AccessDenied"},
        "FetchError",
        "FetchesBreakOff",
    ),
    # fetching, and our keys are no good
    "Flinks refuses our secret key": Fault(
        fetched_with_wrong_keys,
        WAITING | {"reason": "service_misconfigured", "cause": "GenerateAuthorizeToken 401 UNAUTHORIZED"},
        "OurCredentialsRefused",
        "OurCredentialsAreRefused",
    ),
    "the secret is still the template's": Fault(
        with_secret("secret-key", PLACEHOLDER),
        WAITING | {"reason": "service_misconfigured", "cause": "GenerateAuthorizeToken secret_placeholder"},
        "OurCredentialsRefused",
        "OurCredentialsAreRefused",
    ),
    "the secret is not the documented JSON": Fault(
        with_secret("api-key", "a key"),
        WAITING | {"reason": "service_misconfigured", "cause": "GetAccountsDetail secret_not_as_documented"},
        "OurCredentialsRefused",
        "OurCredentialsAreRefused",
    ),
    "Flinks sends us elsewhere": Fault(
        once(endpoint="Authorize", fault="redirect"),
        WAITING | {"reason": "service_misconfigured", "cause": "Authorize 302 redirected"},
        "OurCredentialsRefused",
        "OurCredentialsAreRefused",
    ),
    # fetching, and Flinks or a bank is ill
    "Flinks is down": Fault(
        flinks_answers(fault="html", status=503),
        WAITING | {"reason": "flinks_unavailable", "cause": "GetAccountsDetail 503 unreadable"},
        "FlinksUnavailable",
        "FlinksIsUnavailable",
    ),
    "Flinks throttles us": Fault(
        flinks_answers(code="TOO_MANY_REQUESTS"),
        WAITING | {"reason": "flinks_throttles", "cause": "GetAccountsDetail 401 TOO_MANY_REQUESTS"},
        "FlinksThrottled",
        "FlinksThrottlesUs",
    ),
    "a bank is closed": Fault(
        flinks_answers(code="RETRY_LATER"),
        WAITING | {"reason": "bank_unavailable", "cause": "GetAccountsDetail 401 RETRY_LATER"},
        "BankUnavailable",
        "BanksAreUnavailable",
    ),
    "Flinks is not understood": Fault(
        flinks_answers(fault="nan"),
        WAITING | {"reason": "flinks_answer_not_understood", "cause": "GetAccountsDetail 200 unreadable"},
        "FlinksAnswerNotUnderstood",
        "FlinksIsNotUnderstood",
    ),
    "Flinks refuses a request for good": Fault(
        once(endpoint="GetAccountsDetail", code="INVALID_REQUEST"),
        {"message": "fetch ended", "ending": "failed", "cause": "GetAccountsDetail 401 INVALID_REQUEST"},
        "FlinksRefusedRequest",
        "ConnectionsFail",
    ),
    "Flinks collects for ever": Fault(
        flinks_collects_for_ever,
        {"message": "fetch ended", "ending": "failed", "reason": "timed_out"},
        "ConnectionFailed",
        "ConnectionsFail",
    ),
    "a session was another user's": Fault(
        another_users_session,
        {"message": "fetch ended", "ending": "failed", "reason": "ownership_mismatch"},
        "Quarantined",
        "DataIsQuarantined",
    ),
    # erasing
    "a card stays in use for a day": Fault(
        the_card_stays_in_use,
        DELETING | {"reason": "login_busy_at_flinks", "cause": "DeleteCard 400 CARD_IN_USE"},
        "ErasureOverdue",
        "DeletionsAreOverdue",
    ),
    "the bucket cannot be listed": Fault(
        refused_once_ready("s3", "list_object_versions", "AccessDenied"),
        DELETING | {"reason": "service_unavailable", "cause": "s3:ListObjectVersions AccessDenied"},
        "EraseError",
        "DeletionsBreakOff",
    ),
    "the bucket's objects cannot be deleted": Fault(
        objects_cannot_be_deleted,
        DELETING | {"reason": "sweep_unfinished", "cause": "s3:DeleteObjects AccessDenied"},
        "EraseError",
        "DeletionsBreakOff",
    ),
    "the login key is disabled before a card is deleted": Fault(
        refused_once_ready("kms", "decrypt", "DisabledException"),
        DELETING | {"reason": "service_unavailable", "cause": "kms:Decrypt DisabledException"},
        "EraseError",
        "DeletionsBreakOff",
    ),
    "Flinks refuses our API key for a deletion": Fault(
        deleted_with_wrong_keys,
        DELETING | {"reason": "service_misconfigured", "cause": "DeleteCard 401 ACCESS_DENIED"},
        "OurCredentialsRefused",
        "DeletionCredentialsAreRefused",
    ),
    "the stack asks another Flinks than the one that knew the login": Fault(
        another_flinks,
        DELETING | {"reason": "another_flinks", "cause": "DeleteCard 401 INVALID_LOGIN"},
        "FlinksHomeMismatch",
        "DeletionsAskAnotherFlinks",
    ),
    "Flinks never knew the logins that are deleted": Fault(
        logins_that_flinks_never_knew,
        {"message": "erase ended", "ending": "unknown_at_flinks"},
        "ErasureUnknownAtFlinks",
        "DeletedLoginsAreUnknown",
    ),
}


# --- what is heard


@dataclass
class Ear:
    """Every log line, and the name of every metric that had a value."""

    lines: list[Line]
    metrics: set[str]

    def heard(self, wanted: Line) -> bool:
        return any(all(says(line.get(name), value) for name, value in wanted.items()) for line in self.lines)


def says(told: Any, wanted: str) -> bool:
    return re.fullmatch(re.escape(wanted).replace(r"\*", ".*"), str(told)) is not None


@pytest.fixture
def ear(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Ear:
    ear, watch = Ear([], set()), scene.watch
    heard, call, put, hear = watch.heard, scene.service.call, watch.metrics.put, watch.metrics.hear

    def listen(group: str, line: str) -> None:
        if line.startswith("{"):
            ear.lines.append(json.loads(line) | {"service": group})
        heard(group, line)

    def runtime(function: str, *arguments: Any, **more: Any) -> Any:
        """Lambda itself writes how an invocation died."""
        try:
            return call(function, *arguments, **more)
        except Exception as error:
            name = type(error).__name__
            ear.lines.append({"message": "Task timed out" if name == "TimedOut" else f"{name}: {error}"})
            raise

    def measure(at: datetime, namespace: str, name: str, value: float, **dimensions: str) -> None:
        if value:
            ear.metrics.add(name)
        put(at, namespace, name, value, **dimensions)

    def embedded(line: str, at: datetime) -> None:
        if '"_aws"' in line:
            said = json.loads(line)
            ear.metrics.update(
                each["Name"]
                for of in said["_aws"]["CloudWatchMetrics"]
                for each in of["Metrics"]
                if any(said[each["Name"]])
            )
        hear(line, at)

    monkeypatch.setattr(watch, "heard", listen)
    monkeypatch.setattr(scene.service, "call", runtime)
    monkeypatch.setattr(watch.metrics, "put", measure)
    monkeypatch.setattr(watch.metrics, "hear", embedded)
    return ear


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_in_a_line_counted_in_a_metric_and_told_by_an_alarm(scene: Scene, ear: Ear, name: str) -> None:
    fault = FAULTS[name]

    fault.begins(scene)
    went_on = scene.until(fault.alarm, on=True, within=timedelta(hours=2))

    assert went_on
    assert ear.heard(fault.line), [line for line in ear.lines if "message" in line][-5:]
    assert fault.metric in ear.metrics


def test_no_cell_is_empty_and_the_page_has_the_same_table() -> None:
    page = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in (DOCS / "faults.md").read_text().splitlines()
        if line.startswith("| ") and "---" not in line
    ][1:]

    assert len(FAULTS) >= 25
    assert page == [row(name) for name in FAULTS]
    assert all(all(cells) for cells in page)


def test_every_alarm_is_of_a_fault_or_says_of_itself_all_there_is() -> None:
    """What is not in the table has no line of ours: Lambda did not run us, or AWS alone knows."""
    told = {fault.alarm for fault in FAULTS.values()}
    by_aws_alone = {
        name
        for name in alarms_of(TEMPLATE)
        if name.endswith(("Throttles", "AreDropped", "AreCutOff")) or name in ("ResumeIsMissing", "ApiIsSlow")
    }
    alike = {"AnnouncementsAreBehind"} | {name for name in alarms_of(TEMPLATE) if name.endswith("Errors")}

    assert set(alarms_of(TEMPLATE)) - by_aws_alone - alike <= told


def test_the_runbook_has_an_entry_for_the_alarm_of_every_fault() -> None:
    runbook = (DOCS / "operations.md").read_text()
    entries = {
        name
        for line in runbook.splitlines()
        if line.startswith(("**`", "#"))
        for name in re.findall(r"`(\w+)`", line.split("** ")[0])
    }

    assert {fault.alarm for fault in FAULTS.values()} <= entries


def row(name: str) -> tuple[str, str, str, str]:
    """A fault as the page shows it."""
    fault = FAULTS[name]
    line = ", ".join(f"`{member}` {value}" for member, value in fault.line.items())
    return name, line, f"`{fault.metric}`", f"`{fault.alarm}`"
