"""Each request of the table gets its refusal, valid to the letter, and nothing of it comes back."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from landing.web import ProblemType
from tests.bad_requests import BAD_REQUESTS, LOGIN_ID, MARK, NOBODYS, BadRequest, status_of
from tests.live_service import LiveService


class Wire:
    """HTTP byte for byte: no header and no escape that was not asked for. One connection, kept alive."""

    def __init__(self, live: LiveService) -> None:
        self._live = live
        self._connection = http.client.HTTPConnection(urlsplit(live.stack.outputs["ApiUrl"]).netloc, timeout=30)

    def send(self, request: BadRequest) -> tuple[int, dict[str, str], bytes]:
        authorization = request.authorization(self._live.stack.issuer)
        headers = {"X-Trace": MARK, "User-Agent": MARK, **request.headers}
        if authorization is not None:
            headers["Authorization"] = authorization
        if request.body is not None:
            headers["Content-Length"] = str(len(request.body))
        self._connection.putrequest(request.method, request.path, skip_accept_encoding=True)
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(request.body)
        answer = self._connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def wire(live: LiveService) -> Iterator[Wire]:
    wire = Wire(live)
    yield wire
    wire.close()


@pytest.mark.parametrize("request_", BAD_REQUESTS, ids=[each.name for each in BAD_REQUESTS])
def test_a_bad_request_is_refused_as_promised_and_nothing_of_it_comes_back(wire: Wire, request_: BadRequest) -> None:
    status, headers, body = wire.send(request_)

    said, refusal = json.loads(body), request_.refusal
    assert status == status_of(refusal), said
    if isinstance(refusal, ProblemType):
        assert headers["content-type"] == "application/problem+json"
        assert headers["cache-control"] == "no-store"
        assert said.keys() == {"type", "title", "status", "detail", "instance"}
        assert (said["type"], said["title"], said["status"]) == (refusal.urn, refusal.title, status)
    else:
        assert headers["content-type"] == "application/json"
        assert said == {"message": refusal.message}
    echoed = f"{headers} {body.decode()}".lower()
    assert MARK not in echoed
    assert LOGIN_ID not in echoed
    assert NOBODYS not in echoed


JSON = "application/json"
WITHIN = {
    "8192 bytes": ({"Content-Type": JSON}, json.dumps({"loginId": LOGIN_ID}).encode().ljust(8192)),
    "capitals": ({"Content-Type": JSON}, json.dumps({"loginId": LOGIN_ID.upper()}).encode()),
    "64 characters": ({"Content-Type": JSON}, json.dumps({"loginId": LOGIN_ID, "institution": "é" * 64}).encode()),
    "a header in capitals": ({"CONTENT-TYPE": JSON}, json.dumps({"loginId": LOGIN_ID}).encode()),
    "a type in capitals": ({"content-type": JSON.upper()}, json.dumps({"loginId": LOGIN_ID}).encode()),
    "a charset": ({"content-type": f"{JSON};charset=UTF-8"}, json.dumps({"loginId": LOGIN_ID}).encode()),
    "a charset in quotes": ({"content-type": f'{JSON} ; charset="utf-8"'}, json.dumps({"loginId": LOGIN_ID}).encode()),
    "blanks": ({"content-type": JSON}, f'\r\n\t{{ "loginId" :"{LOGIN_ID}" }}\n'.encode()),
    "escapes": ({"content-type": JSON}, json.dumps({"loginId": LOGIN_ID}).replace("I", "\\u0049").encode()),
    "nulls": ({"content-type": JSON}, f'{{"loginId":"{LOGIN_ID}","institution":null,"accountIds":null}}'.encode()),
}


@pytest.mark.parametrize(("headers", "body"), WITHIN.values(), ids=WITHIN)
def test_what_is_just_within_the_limits_is_accepted(wire: Wire, headers: dict[str, str], body: bytes) -> None:
    good = BadRequest("", "POST", "/connections", ProblemType.INVALID_BODY, body, headers)

    status, _, said = wire.send(good)

    assert status == 202, said


def test_the_table_is_long_and_names_everything_once() -> None:
    assert len({each.name for each in BAD_REQUESTS}) == len(BAD_REQUESTS) >= 150


def test_no_refused_login_was_kept(live: LiveService) -> None:
    listed = live.request("GET", "/connections?limit=100", "alice")

    assert listed.status == 200
    assert not [each for each in listed.body["connections"] if MARK in json.dumps(each)]
