"""What ends a claim without data says what it was: in the log line, in the row and in a metric; and says it once."""

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from landing import wiring
from landing.domain.connection import Status
from landing.edge.web import ProblemType
from landing.flinks.answer import Answer, Call
from landing.flinks.codes import BY_CODE, cause_in
from landing.flinks.wire import Fault
from tests.world.audience import audience_of
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import TABLE, TEMPLATE, Service, http_event

FOR_EVER = 1_000
ECHO = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2 alice"
"""What Flinks might quote in its texts."""

type Break = Callable[[Service], Any]


def aws(service: str, operation: str, code: str) -> Break:
    return lambda world: world.world.fail(service, operation, code, times=FOR_EVER)


def flinks(endpoint: str, **step: Any) -> Break:
    return lambda service: service.script(endpoint=endpoint, steps=[step | {"times": "forever"}])


def secret(name: str, text: str) -> Break:
    def put(service: Service) -> None:
        service.world.secretsmanager.put_secret_value(SecretId=name, SecretString=text)
        wiring.reset()

    return put


def the_index_key_does_not_serve(service: Service) -> None:
    """Which says whose a tag is."""
    for login_id in service.bank.vault.cards:
        service.retag(login_id, service.tag_for("alice"))
    service.world.fail("kms", "generate_mac", "KMSInternalException", times=FOR_EVER)


PLACEHOLDER = "to be filled in"
FETCH: dict[str, tuple[Break, str]] = {
    "the login key is closed to us": (
        aws("kms", "decrypt", "AccessDeniedException"),
        "waiting service_unavailable kms:Decrypt AccessDeniedException",
    ),
    "the login key is disabled": (
        aws("kms", "decrypt", "DisabledException"),
        "waiting service_unavailable kms:Decrypt DisabledException",
    ),
    "the index key does not serve": (
        the_index_key_does_not_serve,
        "waiting service_unavailable kms:GenerateMac KMSInternalException",
    ),
    "the secret is gone": (
        aws("secretsmanager", "get_secret_value", "ResourceNotFoundException"),
        "waiting service_unavailable secretsmanager:GetSecretValue ResourceNotFoundException",
    ),
    "the bucket is closed to us": (
        aws("s3", "put_object", "AccessDenied"),
        "waiting drop_not_stored s3:PutObject AccessDenied",
    ),
    "the secret is not JSON": (
        secret("secret-key", "s3cr3t"),
        "waiting service_misconfigured GenerateAuthorizeToken secret_not_as_documented",
    ),
    "the secret lacks its member": (
        secret("api-key", '{"key": "s3cr3t"}'),
        "waiting service_misconfigured GetAccountsDetail secret_not_as_documented",
    ),
    "the secret is still the placeholder": (
        secret("secret-key", json.dumps({"secretKey": PLACEHOLDER})),
        "waiting service_misconfigured GenerateAuthorizeToken secret_placeholder",
    ),
    "the secret cannot stand in a header": (
        secret("secret-key", json.dumps({"secretKey": "s3c\nr3t"})),
        "waiting service_misconfigured GenerateAuthorizeToken secret_unsendable",
    ),
    "Flinks refuses our key": (
        secret("secret-key", json.dumps({"secretKey": "wrong"})),
        "waiting service_misconfigured GenerateAuthorizeToken 401 UNAUTHORIZED",
    ),
    "Flinks sends us elsewhere": (
        flinks("Authorize", fault="redirect"),
        "waiting service_misconfigured Authorize 302 redirected",
    ),
    "Flinks is down": (
        flinks("GetAccountsDetail", fault="html", status=503),
        "waiting flinks_unavailable GetAccountsDetail 503 unreadable",
    ),
    "Flinks is not understood": (
        flinks("GetAccountsDetail", fault="nan"),
        "waiting flinks_answer_not_understood GetAccountsDetail 200 unreadable",
    ),
    "Flinks throttles": (
        flinks("Authorize", code="TOO_MANY_REQUESTS"),
        "waiting flinks_throttles Authorize 401 TOO_MANY_REQUESTS",
    ),
    "the bank refuses the password": (
        flinks("Authorize", code="INVALID_PASSWORD", message=ECHO),
        "action_required bank_password_refused Authorize 401 INVALID_PASSWORD",
    ),
    "a code that is new to us": (
        flinks("GetAccountsDetail", code="LOGIN_IS_TIRED", status=400, message=ECHO),
        "failed flinks_refused_request GetAccountsDetail 400 LOGIN_IS_TIRED",
    ),
}


@pytest.mark.parametrize("fault", FETCH)
def test_what_ends_a_fetch_says_what_it_was(
    service: Service, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    begin, told = FETCH[fault]
    connection_id = service.connect_and_post()
    begin(service)
    status, reason, cause = told.split(" ", 2)
    capsys.readouterr()

    with caplog.at_level("INFO"):
        row = service.until(connection_id, Status(status))

    last = [vars(each) for each in caplog.records if each.getMessage() == "fetch ended"][-1]
    assert (last["ending"], last["reason"], last["cause"]) == (status, reason, cause)
    assert (row.reason, row.cause) == (reason, cause)
    assert [label.split()[0] for label in labels(capsys.readouterr().out)] == [cause.split()[0]]
    assert ECHO not in caplog.text


def test_a_cause_is_forgotten_as_soon_as_it_gets_on(service: Service) -> None:
    service.world.fail("kms", "decrypt", "ThrottlingException")
    connection_id = service.connect_and_post(pending={"polls": 1})
    waited = service.until(connection_id, Status.WAITING)
    polling = service.until(connection_id, Status.PENDING)

    service.settle()

    assert waited.cause == "kms:Decrypt ThrottlingException"
    assert (polling.cause, service.row(connection_id).cause) == (None, None)


def test_a_data_call_that_was_not_answered_is_named_while_flinks_may_be_at_it(service: Service) -> None:
    service.script(endpoint="GetAccountsDetail", steps=[{"fault": "hang", "seconds": 600}])

    row = service.until(service.connect_and_post(), Status.PENDING)

    assert row.cause == "GetAccountsDetail timeout"


# --- erasing


@pytest.fixture
def erasing(service: Service, monkeypatch: pytest.MonkeyPatch) -> Erasing:
    return with_erasing(service, monkeypatch)


def s3_refuses_each(service: Service) -> None:
    service.world.fail_entries("s3", "delete_objects", "AccessDenied", times=FOR_EVER)


ERASE: dict[str, tuple[Break, str]] = {
    "the card is in use": (flinks("DeleteCard", code="CARD_IN_USE"), "login_busy_at_flinks DeleteCard 400 CARD_IN_USE"),
    "Flinks does not answer": (
        flinks("DeleteCard", fault="hang", seconds=600),
        "flinks_unavailable DeleteCard timeout",
    ),
    "Flinks refuses our key": (
        secret("api-key", '{"apiKey": "wrong"}'),
        "service_misconfigured DeleteCard 401 ACCESS_DENIED",
    ),
    "the login key is closed to us": (
        aws("kms", "decrypt", "AccessDeniedException"),
        "service_unavailable kms:Decrypt AccessDeniedException",
    ),
    "the bucket cannot be listed": (
        aws("s3", "list_object_versions", "AccessDenied"),
        "service_unavailable s3:ListObjectVersions AccessDenied",
    ),
    "the bucket's objects cannot be deleted": (s3_refuses_each, "sweep_unfinished s3:DeleteObjects AccessDenied"),
    "the receipt cannot be written": (
        aws("s3", "put_object", "AccessDenied"),
        "service_unavailable s3:PutObject AccessDenied",
    ),
}


@pytest.mark.parametrize("fault", ERASE)
def test_what_holds_up_a_deletion_says_what_it_was_and_is_forgotten_with_the_rest(
    service: Service,
    erasing: Erasing,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    connection_id = service.connect_and_post()
    service.settle()
    begin, told = ERASE[fault]
    begin(service)
    reason, cause = told.split(" ", 1)
    capsys.readouterr()

    with caplog.at_level("INFO"):
        erasing.erase(connection_id)
    held_up = service.row(connection_id)
    counted = labels(capsys.readouterr().out)
    service.world._faults.clear()  # noqa: SLF001 - the fault ends
    service.world._entry_faults.clear()  # noqa: SLF001
    secret("api-key", json.dumps({"apiKey": service.bank.settings.api_key}))(service)
    service._control.answer("DELETE", "/faults", b"")  # noqa: SLF001 - Flinks is well again
    service.settle()

    line = next(vars(each) for each in caplog.records if each.getMessage() == "erase ended")
    assert (line["reason"], line["cause"]) == (held_up.reason, held_up.cause) == (reason, cause)
    assert counted == [cause.replace(" 400 ", " ").replace(" 401 ", " ")]
    assert service.row(connection_id).status is Status.DELETED
    assert "cause" not in service.world.tables[TABLE].items[connection_id,]


# --- to whom it is told


def test_neither_the_person_nor_a_consumer_hears_of_a_cause(service: Service) -> None:
    audience = audience_of(service)
    service.script(endpoint="Authorize", steps=[{"code": "INVALID_PASSWORD", "times": "forever"}])
    connection_id = service.connect_and_post()
    row = service.until(connection_id, Status.ACTION_REQUIRED)
    service.world.run(timedelta(minutes=1))

    shown, (heard,) = service.get(connection_id)["body"], audience.heard

    assert row.cause == "Authorize 401 INVALID_PASSWORD"
    assert "INVALID_PASSWORD" not in shown + json.dumps(heard)


def test_a_metric_has_few_labels_whatever_flinks_answers() -> None:
    random = Random(7)  # noqa: S311 - chooses cases, keeps no secret
    codes = [None, "UNRECOGNISABLE", *BY_CODE, *(f"CODE_{'X' * n}" for n in range(60))]

    causes = [
        cause_in(
            Answer(
                random.choice(list(Call)),
                random.choice([None, *range(100, 1000)]),
                random.choice(codes),
                fault=random.choice([None, *Fault]),
            )
        )
        for _ in range(50_000)
    ]

    assert len({cause.text for cause in causes}) > 10_000
    assert len({cause.label for cause in causes}) <= len(Call) * (len(BY_CODE) + len(Fault) + 25)


def test_the_placeholder_is_what_the_template_leaves_in_a_secret() -> None:
    kept = [json.loads(TEMPLATE[name]["Properties"]["SecretString"]) for name in ("FlinksSecretKey", "FlinksApiKey")]

    assert kept == [{"secretKey": PLACEHOLDER}, {"apiKey": PLACEHOLDER}]


# --- a problem's instance


def unavailable(service: Service) -> dict[str, Any]:
    service.world.fail("dynamodb", "query", "InternalServerError", times=FOR_EVER)
    return service.call("show_connection", http_event("GET /connections", "alice"))


PROBLEMS: dict[ProblemType, Callable[[Service], dict[str, Any]]] = {
    ProblemType.MALFORMED_JSON: lambda service: service.post_raw("{"),
    ProblemType.INVALID_BODY: lambda service: service.post("no guid"),
    ProblemType.NO_SUCH_CONNECTION: lambda service: service.get("con_" + "a" * 26),
    ProblemType.BODY_TOO_LARGE: lambda service: service.post_raw(" " * 9000),
    ProblemType.NO_SUBJECT: lambda service: service.post(ECHO[:36], owner=""),
    ProblemType.UNAVAILABLE: unavailable,
}


@pytest.mark.parametrize("kind", PROBLEMS, ids=lambda kind: kind.slug)
def test_a_problems_instance_is_found_in_the_functions_log_and_in_the_access_log(
    service: Service, caplog: pytest.LogCaptureFixture, kind: ProblemType
) -> None:
    access_log = json.loads(TEMPLATE["HttpApi"]["Properties"]["AccessLogSettings"]["Format"])
    with caplog.at_level("INFO"):
        answer = PROBLEMS[kind](service)

    problem = json.loads(answer["body"])
    (line,) = [vars(each) for each in caplog.records if each.getMessage() == "request refused"]
    assert (problem["type"], problem["status"]) == (kind.urn, kind.status)
    assert problem["instance"] == f"urn:request:{line['correlationId']}"
    assert access_log["requestId"] == "$context.requestId"  # the same that the function is given
    assert line["problem"] == kind.slug


# --- one line for each change


def test_half_an_hour_of_polling_that_finds_nothing_new_says_nothing(
    service: Service, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")
    connection_id = service.connect_and_post(pending={"seconds": 29 * 60})
    service.until(connection_id, Status.PENDING)
    before, _ = heard(caplog, capsys)

    service.world.run(timedelta(minutes=28))
    meanwhile, measured = heard(caplog, capsys)
    service.settle()
    after, _ = heard(caplog, capsys)

    assert len(service.flinks_calls("GetAccountsDetailAsync")) > 150
    assert (before, meanwhile, after) == (["login received", "fetch ended"], [], ["fetch ended"])
    assert measured <= {"OldestOverdueSeconds"}


@pytest.mark.parametrize("function", ["fetch_accounts", "delete_connection"])
@pytest.mark.parametrize("attempt", [0, 1], ids=["too late", "too early"])
@pytest.mark.usefixtures("erasing")
def test_a_message_that_comes_at_the_wrong_time_says_nothing(
    service: Service,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    function: str,
    attempt: int,
) -> None:
    connection_id = service.connect_and_post(pending={"seconds": 600})
    service.until(connection_id, Status.PENDING)
    hint = {"connectionId": connection_id, "generation": 1, "attempt": attempt}
    caplog.set_level("INFO")
    heard(caplog, capsys)

    answered = service.call(
        function, {"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(hint)}]}
    )

    assert answered == {"batchItemFailures": []}
    assert heard(caplog, capsys) == ([], set())


def test_a_tick_that_finds_nothing_only_measures(
    service: Service, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")

    service.call("resume_stalled", {})

    assert heard(caplog, capsys) == ([], {"OldestOverdueSeconds"})


def heard(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], set[str]]:
    """The lines that were logged since, and the metrics that were printed."""
    lines = [each.getMessage() for each in caplog.records]
    caplog.clear()
    emf = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return lines, {each["Name"] for line in emf for of in line["_aws"]["CloudWatchMetrics"] for each in of["Metrics"]}


def labels(printed: str) -> list[str]:
    """Under which causes something was counted."""
    lines = [json.loads(line) for line in printed.splitlines() if "EndedByCause" in line]
    (dimensions,) = {tuple(of) for line in lines for of in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]} or {()}
    assert set(dimensions) == ({"service", "cause"} if lines else set())
    return [line["cause"] for line in lines]
