"""Each request of the table gets its refusal, valid to the letter, and nothing of it comes back."""

import http.client
import json
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest

from landing.edge.web import ProblemType
from tests.bad_requests import BAD_REQUESTS, LOGIN_ID, MARK, NOBODYS, BadRequest, alice
from tests.live_service import LiveService


class Wire:
    """HTTP byte for byte: no header and no escape that was not asked for. One connection, kept alive."""

    def __init__(self, live: LiveService) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(live.stack.outputs["ApiUrl"]).netloc, timeout=30)

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], authorization: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        """Give the status, the headers by lower-case name, and the body."""
        more = {} if authorization is None else {"Authorization": authorization}
        if body is not None:
            more["Content-Length"] = str(len(body))
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {"X-Trace": MARK, "User-Agent": MARK, **headers, **more}.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(body)
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
def test_a_bad_request_is_refused_as_promised_and_nothing_of_it_comes_back(
    live: LiveService, wire: Wire, request_: BadRequest
) -> None:
    bad, issuer = request_, live.stack.issuer

    status, headers, body = wire.send(bad.method, bad.path, bad.body, bad.headers, bad.authorization(issuer))

    said, refusal = json.loads(body), bad.refusal
    assert status == refusal.status, said
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
    "another name of UTF-8": ({"content-type": f"{JSON}; charset=utf8"}, json.dumps({"loginId": LOGIN_ID}).encode()),
    "a semicolon at the end": ({"content-type": f"{JSON};"}, json.dumps({"loginId": LOGIN_ID}).encode()),
    "a parameter of others": (
        {"content-type": f'{JSON};odata=x; ;charset="UTF8"; b="y z"'},
        json.dumps({"loginId": LOGIN_ID}).encode(),
    ),
    "a long label": ({"Content-Type": JSON}, json.dumps({"loginId": LOGIN_ID, "institution": "é" * 1000}).encode()),
    "brackets inside a label": (
        {"Content-Type": JSON},
        json.dumps({"loginId": LOGIN_ID, "institution": "[" * 64}).encode(),
    ),
    "blanks": ({"content-type": JSON}, f'\r\n\t{{ "loginId" :"{LOGIN_ID}" }}\n'.encode()),
    "escapes": ({"content-type": JSON}, json.dumps({"loginId": LOGIN_ID}).replace("I", "\\u0049").encode()),
    "nulls": ({"content-type": JSON}, f'{{"loginId":"{LOGIN_ID}","institution":null,"accountIds":null}}'.encode()),
}


@pytest.mark.parametrize(("headers", "body"), WITHIN.values(), ids=WITHIN)
def test_what_is_just_within_the_limits_is_accepted(
    live: LiveService, wire: Wire, headers: dict[str, str], body: bytes
) -> None:
    status, _, said = wire.send("POST", "/connections", body, headers, alice(live.stack.issuer))

    assert status == 202, said


def test_every_bad_request_has_a_name_of_its_own() -> None:
    assert len({each.name for each in BAD_REQUESTS}) == len(BAD_REQUESTS) >= 150


def test_no_refused_login_was_kept(live: LiveService) -> None:
    listed = live.request("GET", "/connections?limit=100", "alice")

    assert listed.status == 200
    assert not [each for each in listed.body["connections"] if MARK in json.dumps(each)]
