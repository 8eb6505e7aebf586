"""No answer of Flinks, whatever its bytes, makes a fetch end otherwise than a fetch can."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landing.domain.connection import Status
from landing.flinks import client
from landing.flinks.wire import Fault, Reply
from local.flinks.codes import CODES
from tests.unit.flinks_answers import ASYNC, CALLS, DATA, FATES
from tests.world.service import BUCKET, TABLE, BankWire, Service, is_looked_after

HER_LOGIN = b"3F0C6A54-2B1E-4C77-5D25-08DE7A41C9B2"
"""Stands for the loginId that was posted."""

NAMED = {(fate.status, fate.reason) for fate in FATES.values()}

type Speech = Callable[[Reply], Reply]


class SpokenFor(BankWire):
    """The simulator's wire, on which the next answer to one call is what a test makes of it."""

    call = ""
    speech: Speech | None = None
    login_id = ""
    said: Reply | None = None

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float) -> Reply:
        usual = super().send(method, url, headers, body, seconds)
        if SpokenFor.speech is None or url.split("/")[6] != SpokenFor.call:
            return usual
        said, SpokenFor.speech = SpokenFor.speech(usual), None
        SpokenFor.said = replace(said, content=said.content.replace(HER_LOGIN, SpokenFor.login_id.encode()))
        return SpokenFor.said


# --- bodies: any bytes; any JSON; JSON with Flinks' members in it; and the real thing, a little damaged

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
guid = st.sampled_from([HER_LOGIN.decode(), "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2", "not a guid"])
login = st.fixed_dictionaries({}, optional={"Id": guid | anything, "Username": anything, "LastRefresh": anything})
account = st.fixed_dictionaries({}, optional={"Id": guid, "Transactions": anything, "Holder": anything}) | anything
flinks_like = st.fixed_dictionaries(
    {},
    optional={
        "HttpStatusCode": st.sampled_from([200, 202, 203, 400, 401, 429, 500]) | anything,
        "StatusCode": anything,
        "FlinksCode": st.sampled_from(sorted(CODES)) | anything,
        "RequestId": guid | anything,
        "Token": st.text(max_size=40) | anything,
        "Tag": st.sampled_from(["flt1.", "flt1.1.x", "client=1"]) | anything,
        "Login": login | anything,
        "Accounts": st.lists(account, max_size=3) | anything,
        "Message": anything,
    },
)


@st.composite
def speeches(draw: st.DrawFn) -> Speech:
    status = draw(
        st.sampled_from([200, 200, 200, 202, 203, 204, 400, 401, 403, 404, 429, 500, 503]) | st.integers(100, 999)
    )
    retry_after = draw(st.none() | st.text(max_size=12) | st.integers().map(str))
    match draw(st.sampled_from(["bytes", "JSON", "Flinks", "damaged", "fault"])):
        case "bytes":
            content = draw(st.binary(max_size=60))
        case "JSON":
            content = json.dumps(draw(anything)).encode()
        case "Flinks":
            content = json.dumps(draw(flinks_like)).encode()
        case "fault":
            fault = draw(st.sampled_from(Fault))
            return lambda _: Reply(status, fault=fault)
        case _:
            place, put, cut = draw(st.floats(0, 1)), draw(st.binary(max_size=6)), draw(st.integers(0, 40))
            return lambda usual: Reply(usual.status, retry_after, damaged(usual.content, place, put, cut))
    return lambda _: Reply(status, retry_after, content)


def damaged(content: bytes, place: float, put: bytes, cut: int) -> bytes:
    at = int(place * len(content))
    return content[:at] + put + content[at + cut :]


@pytest.fixture
def overheard(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, on a wire that a test may speak on."""
    monkeypatch.setattr(client, "Wire", lambda _, max_bytes: SpokenFor(service.world, service.bank, max_bytes))
    return service


ONE_SERVICE = [HealthCheck.function_scoped_fixture]  # each example leaves it empty
FEW = settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=ONE_SERVICE)
MANY = settings(max_examples=1500, deadline=None, suppress_health_check=ONE_SERVICE)


@pytest.mark.parametrize("call", CALLS)
@FEW
@given(speech=speeches())
def test_any_answer_ends_as_a_fetch_can_end(overheard: Service, call: str, speech: Speech) -> None:
    one_fetch(overheard, call, speech)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("call", CALLS)
@MANY
@given(speech=speeches())
def test_any_of_thousands_of_answers_ends_as_a_fetch_can_end(overheard: Service, call: str, speech: Speech) -> None:
    one_fetch(overheard, call, speech)


def one_fetch(service: Service, call: str, speech: Speech) -> None:
    login_id = service.connect_bank("she", pending={"polls": 1 if call == ASYNC else 0})
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    if call == ASYNC:
        service.until(connection_id, Status.PENDING)
    claim, calls = service.row(connection_id).attempt + 1, len(service.flinks_calls(call))
    SpokenFor.call, SpokenFor.login_id, SpokenFor.speech = call, login_id, speech

    while (row := service.row(connection_id)).attempt < claim or row.status is Status.FETCHING:
        assert service.world.step()

    assert (row.status, row.reason) in NAMED
    assert is_looked_after(row)
    assert service.versions_below(connection_id) == (1 if row.status is Status.READY else 0)
    if row.status is Status.READY and call in (DATA, ASYNC) and len(service.flinks_calls(call)) == calls + 1:
        assert_is_data_of(login_id, SpokenFor.said)
    service.settle()
    assert not [i for i in service.world.invocations if i.error or (i.response or {}).get("batchItemFailures")]
    clear(service)


def assert_is_data_of(login_id: str, said: Reply | None) -> None:
    assert said is not None
    assert said.status == 200
    answer = json.loads(said.content.decode("utf-8-sig"))
    assert answer["Login"]["Id"].lower() == login_id
    assert isinstance(answer["Accounts"], list)


def clear(service: Service) -> None:
    service.bank.reset()
    service.world.tables[TABLE].items.clear()
    service.world.buckets[BUCKET].versions.clear()
    service.world.invocations.clear()
    service.world.calls.clear()
