"""Call by answer: whatever Flinks says, the connection ends or is due, and only data is stored."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from landing import flinks, wire
from landing.connection import TERMINAL, Connection, Status
from local.flinks.codes import CODES
from local.flinks.reply import Reply
from local.flinks.server import Server
from tests.unit.flinks_answers import ASYNC, BY_CODE, CALLS, Cell, cells_in_process, cells_on_the_wire
from tests.world.service import Service

COUNTED = {
    Status.READY: "ConnectionReady",
    Status.PENDING: "ConnectionPending",
    Status.WAITING: "ConnectionWaiting",
    Status.ACTION_REQUIRED: "ConnectionActionRequired",
    Status.FAILED: "ConnectionFailed",
}
DEADLINES = cast("dict[flinks.Call, float]", flinks.DEADLINES)


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
            patch.setitem(DEADLINES, flinks.Call(cell.call), 0.3)
        row = after_its_next_claim(over_http, connection_id)

    assert_fate(cell, over_http, row, capsys)
    over_http.settle()
    assert_end(cell, over_http, connection_id)


def test_the_matrix_is_complete() -> None:
    cells = [str(cell.id) for cell in (*cells_in_process(), *cells_on_the_wire())]

    assert len(cells) >= 200
    assert set(BY_CODE) - {"TOKEN_INVALID"} == set(CODES) - {"", "OK", "CREATED"}


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
    assert counted(capsys) == {COUNTED[fate.status]: 1} | ({fate.metric: 1} if fate.metric else {})
    assert calls(service) == cell.calls_so_far
    assert (row.due_at is None) == (row.status in TERMINAL)
    assert bool(service.drops()) == (fate.status is Status.READY)


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
    """The service with its real wire, and the simulator behind its real server."""

    @contextmanager
    def flinks_api(method: str, path: str, headers: dict[str, str], body: bytes) -> Iterator[Reply]:
        yield service.bank.answer(method, path, headers, body)

    server = Server(0, flinks_api)
    server.start()
    monkeypatch.setattr(flinks, "Wire", wire.Wire)
    service.set_environment(FLINKS_API_URL=server.url)
    yield service
    server.stop()
