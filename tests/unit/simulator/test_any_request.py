"""Whatever is sent, the simulator answers like a server and never with an exception of its own."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.simulator.driver import NOBODY, Caller, connect, new_bank

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([NOBODY, "true", "Days365"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
# A slow machine proves nothing here.
at_any_speed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

MEMBERS = st.sampled_from(
    [
        *("LoginId", "MostRecentCached", "RequestId", "Username", "Password", "Institution", "Language", "Save"),
        *("Tag", "SecurityResponses", "WithKYC", "DaysOfTransactions", "AccountsFilter"),
    ]
)
BODIES = st.binary(max_size=60) | (VALUES | st.dictionaries(MEMBERS, VALUES)).map(lambda v: json.dumps(v).encode())


@at_any_speed
@given(
    endpoint=st.sampled_from(["GenerateAuthorizeToken", "Authorize", "GetAccountsDetail", "Nonsense", "a/b/c"]),
    body=BODIES,
)
def test_any_body_gets_an_answer(endpoint: str, body: bytes) -> None:
    flinks = Caller(new_bank())
    headers = {"flinks_auth_key": flinks.token(), "x_api_key": flinks.bank.settings.api_key}

    reply = flinks.call("POST", endpoint, body, **headers)

    assert 200 <= reply.status < 500


@at_any_speed
@given(fields=st.dictionaries(MEMBERS.filter(lambda name: name != "RequestId"), VALUES))
def test_any_options_get_an_answer(fields: dict[str, Any]) -> None:
    flinks = Caller(new_bank())

    reply = flinks.detail(flinks.open(connect(flinks.bank)), **fields)

    assert reply.status in {200, 400, 401}
