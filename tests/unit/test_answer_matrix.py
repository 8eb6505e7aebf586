"""Call by answer: whatever Flinks says, the connection ends or is due, and only data is stored."""

import json
import logging
import socket
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import pytest

from landing.deadlines import CLAIM_TAKES
from landing.domain.connection import Action, Connection, Status
from landing.flinks import client
from landing.flinks.answer import Call
from local.flinks.cards import Pending
from local.flinks.codes import CODES
from tests.unit.flinks_answers import (
    ASYNC,
    AUTHORIZE,
    BY_CODE,
    CALLS,
    DATA,
    FATES,
    TOKEN,
    Cell,
    Step,
    cells_in_process,
    cells_on_the_wire,
)
from tests.unit.simulator.driver import Caller
from tests.world.over_http import over_http as behind_its_server
from tests.world.service import Service, is_looked_after

COUNTED = {
    Status.READY: "ConnectionReady",
    Status.PENDING: "ConnectionPending",
    Status.WAITING: "ConnectionWaiting",
    Status.ACTION_REQUIRED: "ConnectionActionRequired",
    Status.FAILED: "ConnectionFailed",
}
DEADLINES = cast("dict[Call, float]", client.DEADLINES)


@pytest.mark.parametrize("cell", list(cells_in_process()))
def test_every_answer_to_every_call_has_its_fate(
    service: Service, capsys: pytest.CaptureFixture[str], cell: Cell
) -> None:
    connection_id = claimed_up_to(cell, service, capsys)

    service.script(endpoint=cell.call, steps=[cell.step | {"times": cell.fate.calls}])
    row = after_its_next_claim(service, connection_id)

    assert_fate(cell, service, row, capsys)
    service.settle()
    assert_end(cell, service, connection_id)


@pytest.mark.parametrize("cell", list(cells_on_the_wire()))
def test_every_fault_of_the_wire_in_every_call_has_its_fate(
    over_http: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cell: Cell
) -> None:
    connection_id = claimed_up_to(cell, over_http, capsys)

    over_http.script(endpoint=cell.call, steps=[cell.step | {"times": cell.fate.calls}])
    with monkeypatch.context() as patch:
        if cell.step["fault"] in ("hang", "slow_drip"):
            patch.setitem(DEADLINES, Call(cell.call), 0.3)
        row = after_its_next_claim(over_http, connection_id)

    assert_fate(cell, over_http, row, capsys)
    over_http.settle()
    assert_end(cell, over_http, connection_id)


def test_a_flinks_where_nobody_listens_is_waited_for(over_http: Service, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_in_a_moment:
        port = closed_in_a_moment.getsockname()[1]
    over_http.set_environment(FLINKS_API_URL=f"http://127.0.0.1:{port}")
    cell = Cell(TOKEN, {}, FATES["down"])

    connection_id = claimed_up_to(cell, over_http, capsys)
    row = after_its_next_claim(over_http, connection_id)

    assert (row.status, row.reason) == (Status.WAITING, "flinks_unavailable")
    assert calls(over_http) == [0, 0, 0, 0]


def test_every_call_meets_every_answer_in_the_matrix() -> None:
    cells = [str(cell.id) for cell in (*cells_in_process(), *cells_on_the_wire())]

    assert len(cells) >= 200
    assert set(BY_CODE) - {"TOKEN_INVALID"} == set(CODES) - {"", "OK", "CREATED"}


# --- when Flinks goes on like that


@pytest.mark.parametrize(
    ("call", "step", "reason", "after", "sessions"),
    [
        (DATA, {"code": "SESSION_NONEXISTENT"}, "flinks_session_ended", timedelta(minutes=1), 3),
        (DATA, {"code": "UNAUTHORIZED"}, "flinks_refused_session", timedelta(minutes=1), 3),
        (DATA, {"code": "AGGREGATION_ERROR"}, "flinks_session_ended", timedelta(minutes=1), 3),
        (AUTHORIZE, {"code": "UNAUTHORIZED"}, "flinks_refused_session", timedelta(hours=2), 0),
        (DATA, {"fault": "absent_accounts"}, "flinks_session_ended", timedelta(hours=4), 3),  # of 30 minutes each
        (DATA, {"fault": "hang", "seconds": 300}, "timed_out", timedelta(hours=25), None),
    ],
)
def test_an_answer_that_never_gets_better_is_given_up(
    service: Service, call: str, step: Step, reason: str, after: timedelta, sessions: int | None
) -> None:
    service.script(endpoint=call, steps=[step | {"times": "forever"}])
    connection_id = service.connect_and_post()

    service.settle(within=timedelta(days=3))

    row = service.row(connection_id)
    assert (row.status, row.reason, row.action) == (Status.FAILED, reason, Action.CONTACT_SUPPORT)
    assert row.updated_at - row.received_at <= after
    assert sessions is None or row.sessions == sessions
    assert service.drops() == []
    assert_nothing_broke(service)


@pytest.mark.parametrize("call", [AUTHORIZE, DATA, ASYNC])
def test_our_credentials_being_refused_for_longer_than_a_fetch_may_take_is_paid_for_by_no_connection(
    service: Service, call: str
) -> None:
    service.script(endpoint=call, steps=[{"code": "ACCESS_DENIED", "times": "forever"}])
    login_id = service.connect_bank(pending={"polls": 1})
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]

    service.world.run(timedelta(hours=26))
    after_a_day = service.row(connection_id)
    service.bank.faults.remove()
    service.bank.vault.cards[login_id].wait(Pending(polls=2), service.world.clock.now())
    service.settle()

    assert (after_a_day.status, after_a_day.reason) == (Status.WAITING, "service_misconfigured")
    assert service.row(connection_id).status is Status.READY


# --- our keys


def rotate(service: Service) -> None:
    """Other keys, at Flinks and in Secrets Manager; the function holds the old ones."""
    service.bank.settings.secret_key = service.bank.settings.api_key = "rotated"
    for name, member in (("secret-key", "secretKey"), ("api-key", "apiKey")):
        service.world.secretsmanager.put_secret_value(SecretId=name, SecretString=json.dumps({member: "rotated"}))


def test_keys_rotated_between_the_token_and_authorize_cost_one_more_claim_and_no_refusal(service: Service) -> None:
    service.script(endpoint=AUTHORIZE, steps=[{"code": "UNAUTHORIZED"}])
    connection_id = service.connect_and_post()
    after_its_next_claim(service, connection_id)

    rotate(service)
    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.attempt, row.sessions) == (Status.READY, 2, 1)
    assert calls(service) == [2, 2, 1, 0]


def test_keys_rotated_while_flinks_is_collecting_are_read_anew_in_the_claim_that_needs_them(service: Service) -> None:
    connection_id = service.connect_and_post(pending={"polls": 1})
    service.until(connection_id, Status.PENDING)

    rotate(service)
    row = after_its_next_claim(service, connection_id)

    assert (row.status, row.sessions) == (Status.READY, 1)
    assert calls(service) == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("call", "so_far"), [(TOKEN, [1, 0, 0, 0]), (AUTHORIZE, [1, 1, 0, 0]), (DATA, [1, 1, 1, 0]), (ASYNC, [1, 1, 1, 1])]
)
def test_a_refusal_that_took_its_time_is_not_asked_twice_in_one_claim_but_the_keys_are_read_anew(
    service: Service, call: str, so_far: list[int]
) -> None:
    connection_id = service.connect_and_post(pending={"polls": 1 if call == ASYNC else 0})
    if call == ASYNC:
        service.until(connection_id, Status.PENDING)
    service.script(endpoint=call, steps=[{"code": "ACCESS_DENIED", "hang": 8}])

    row = after_its_next_claim(service, connection_id)
    in_the_claim = calls(service)
    rotate(service)
    service.settle()

    assert (row.status, row.reason) == (Status.WAITING, "service_misconfigured")
    assert in_the_claim == so_far
    assert (service.row(connection_id).status, service.row(connection_id).attempt) == (Status.READY, row.attempt + 1)


@pytest.mark.parametrize("refused", [TOKEN, AUTHORIZE, DATA])
def test_the_slowest_claim_there_can_be_leaves_time_to_write_it_down(service: Service, refused: str) -> None:
    slow = {TOKEN: 19.9, AUTHORIZE: 19.9, DATA: 44.9}
    for call, seconds in slow.items():
        refusal: list[Step] = [{"code": "ACCESS_DENIED", "hang": 4.9}] if call == refused else []
        service.script(endpoint=call, steps=[*refusal, {"fault": "ok", "hang": seconds, "times": "forever"}])
    connection_id = service.connect_and_post()

    row = after_its_next_claim(service, connection_id)

    assert row.status in (Status.READY, Status.WAITING)
    assert row.updated_at - row.received_at < CLAIM_TAKES


# --- one session for each login


def test_a_session_that_somebody_else_holds_is_waited_for(service: Service) -> None:
    login_id = service.connect_bank(pending={"seconds": 40})
    somebody = Caller(service.bank)
    somebody.detail(somebody.open(service.bank.vault.cards[login_id]))

    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    waiting = after_its_next_claim(service, connection_id)
    service.settle()

    row = service.row(connection_id)
    assert (waiting.status, waiting.reason) == (Status.WAITING, "login_busy_at_flinks")
    assert (row.status, row.sessions) == (Status.READY, 1)


@pytest.mark.parametrize("trouble", [{"code": "TOO_MANY_REQUESTS"}, {"fault": "hang", "seconds": 60}, {"fault": "nan"}])
def test_however_the_data_call_goes_wrong_there_is_never_a_second_open_session(service: Service, trouble: Step) -> None:
    service.script(endpoint=[DATA, ASYNC], steps=[{"fault": "pending"}, trouble, {"fault": "pending"}, trouble])
    login_id = service.connect_bank()

    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    service.settle()

    assert service.row(connection_id).status is Status.READY
    assert service.bank.vault.cards[login_id].most_open == 1


# --- Retry-After


@pytest.mark.parametrize(
    ("call", "step"),
    [
        (TOKEN, {"fault": "html", "status": 503}),
        (AUTHORIZE, {"code": "TOO_MANY_REQUESTS"}),
        (DATA, {"code": "TOO_MANY_REQUESTS", "status": 429}),
        (ASYNC, {"fault": "html", "status": 503}),
    ],
)
@pytest.mark.parametrize(
    ("retry_after", "at_least", "at_most"),
    [
        ("37", 37, 37),
        ("900", 900, 900),
        ("99999999999999999999", 0, 10),  # more digits than any date has: no number of seconds
        ("9999999999", 900, 900),
        ("Thu, 31 Dec 2099 23:59:59 GMT", 900, 900),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 10),
        ("0", 0, 10),
        ("-37", 0, 10),
        ("37.5", 0, 10),
        ("3e2", 0, 10),
        ("soon", 0, 10),
        ("", 0, 10),
    ],
)
def test_flinks_is_given_the_time_it_asks_for_within_reason(
    service: Service,
    capsys: pytest.CaptureFixture[str],
    call: str,
    step: Step,
    retry_after: str,
    at_least: float,
    at_most: float,
) -> None:
    cell = Cell(call, step, FATES["slower"])
    connection_id = claimed_up_to(cell, service, capsys)

    service.script(endpoint=call, steps=[step | {"headers": {"Retry-After": retry_after}}])
    row = after_its_next_claim(service, connection_id)

    assert row.status is Status.WAITING
    assert row.due_at is not None
    assert at_least <= (row.due_at - row.updated_at).total_seconds() <= at_most


# --- how a cell is played


def claimed_up_to(cell: Cell, service: Service, capsys: pytest.CaptureFixture[str]) -> str:
    """A connection whose next claim makes the cell's call."""
    connection_id = service.connect_and_post(pending={"polls": 1 if cell.call == ASYNC else 0})
    if cell.call == ASYNC:
        service.until(connection_id, Status.PENDING)
    capsys.readouterr()
    return connection_id


def after_its_next_claim(service: Service, connection_id: str) -> Connection:
    attempt = service.row(connection_id).attempt + 1
    while (row := service.row(connection_id)).attempt < attempt or row.status is Status.FETCHING:
        assert service.world.step(), "the connection is neither terminal nor due"
    return row


def assert_fate(cell: Cell, service: Service, row: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    fate = cell.fate
    shown = json.loads(service.get(row.connection_id)["body"])
    assert (row.status, shown["reason"], shown["action"]) == (fate.status, fate.reason, fate.action)
    assert counted(capsys) == counts_of(cell)
    assert (row.cause is None) == goes_as_it_should(cell)
    assert calls(service) == cell.calls_so_far
    assert is_looked_after(row)
    assert bool(service.drops()) == (fate.status is Status.READY)


def goes_as_it_should(cell: Cell) -> bool:
    """Flinks gave the data, or said that it collects them; whatever else it answers is a cause."""
    return cell.fate in (FATES["ready"], FATES["poll"])


def counts_of(cell: Cell) -> dict[str, float]:
    """What one such answer counts: nothing if it is as it was before."""
    fate, is_no_news = cell.fate, cell.fate == FATES["poll"] and cell.call == ASYNC
    counts: dict[str, float] = {} if is_no_news else {COUNTED[fate.status]: 1}
    return counts | ({fate.metric: 1} if fate.metric else {}) | ({} if goes_as_it_should(cell) else {"EndedByCause": 1})


def assert_end(cell: Cell, service: Service, connection_id: str) -> None:
    row = service.row(connection_id)
    stored = service.versions_below(connection_id)
    assert row.status is (cell.fate.status if cell.fate.then == "over" else Status.READY)
    assert stored == (1 if row.status is Status.READY else 0)
    assert calls(service) == cell.calls_by_the_end
    assert_nothing_broke(service)


def assert_nothing_broke(service: Service) -> None:
    """Whatever was said, no invocation ended with an exception or an unfinished record."""
    for invocation in service.world.invocations:
        assert invocation.error is None
        assert not (invocation.response or {}).get("batchItemFailures")


def calls(service: Service) -> list[int]:
    return [len(service.flinks_calls(call)) for call in CALLS]


def counted(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """The metrics written since the last look."""
    counts: Counter[str] = Counter()
    for line in capsys.readouterr().out.splitlines():
        if '"_aws"' in line:
            emf = json.loads(line)
            names = [metric["Name"] for metric in emf["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
            counts.update({name: sum(emf[name]) for name in names})
    return dict(counts)


@pytest.fixture
def over_http(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with behind_its_server(service, monkeypatch) as over_http:
        yield over_http


@pytest.fixture(autouse=True)
def _nothing_secret_is_logged(service: Service, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test has Flinks say."""
    caplog.set_level(logging.DEBUG)
    yield
    logged = " ".join(str(vars(record)) for record in caplog.get_records("call")).lower()
    vault = service.bank.vault
    assert "fetch ended" in logged or not vault.cards
    assert not [secret for secret in (*vault.cards, *vault.sessions) if secret.lower() in logged]
