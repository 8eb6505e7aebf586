"""A loginId goes in over HTTP, account data lies in S3: on the real template, artifacts and IAM."""

import base64
import gzip
import hashlib
import json
import re
import time

import pytest
import requests

from tests.live_service import LiveService, eventually

STRIPPED = ("RequestId", "Links", "Tag")


def test_a_posted_login_ends_as_account_data_in_the_drop_bucket(live: LiveService) -> None:
    login_id = live.connect_bank()

    accepted = live.post(login_id, institution="FlinksCapital")
    connection_id = accepted.body["connectionId"]
    live.until(connection_id, "ready")

    head, data = live.drop_of(connection_id)
    expected = live.control("GET", f"/cards/{login_id}/data")
    for member in STRIPPED:
        expected.pop(member, None)
    del expected["Login"]["Id"], expected["Login"]["Username"]
    assert accepted.status == 202
    assert accepted.headers["Location"] == f"/connections/{connection_id}"
    assert data.pop("flinksLanding")["connectionId"] == connection_id
    assert data == expected
    assert head["ContentType"] == "application/gzip"
    assert head["ServerSideEncryption"] == "aws:kms"
    assert head["SSEKMSKeyId"].startswith("arn:aws:kms:")


def test_the_drop_is_what_the_row_says_it_is(live: LiveService) -> None:
    connection_id = live.connect_and_post()
    live.until(connection_id, "ready")

    drop = live.row(connection_id).drop
    stored = live.client("s3").get_object(Bucket=live.stack.outputs["DropBucket"], Key=drop.key if drop else "")

    body = stored["Body"].read()
    accounts = json.loads(gzip.decompress(body))["Accounts"]
    assert drop is not None
    assert drop.version_id == stored["VersionId"]
    assert drop.sha256 == hashlib.sha256(body).hexdigest() == stored["Metadata"]["sha256"]
    assert drop.bytes == len(body)
    assert drop.accounts == len(accounts) == 5
    assert drop.transactions == sum(len(account["Transactions"]) for account in accounts) > 0


def test_the_row_holds_no_login_id_in_any_spelling(live: LiveService) -> None:
    login_id = live.connect_bank()
    connection_id = live.post(login_id).body["connectionId"]
    live.until(connection_id, "ready")

    item = repr(live.item(connection_id)).lower()

    bare = login_id.replace("-", "")
    spellings = [login_id, bare, base64.b64encode(login_id.encode()).decode(), repr(bytes.fromhex(bare))]
    assert "sealedlogin" in item
    assert not [spelling for spelling in spellings if spelling.lower() in item]


def test_a_connection_is_seen_by_its_owner_alone(live: LiveService) -> None:
    connection_id = live.connect_and_post(owner="alice")

    mine, theirs, nobodys = (
        live.get(connection_id, "alice"),
        live.get(connection_id, "bob"),
        live.get("con_" + "a" * 26, "bob"),
    )

    assert mine.status == 200
    assert theirs.status == 404
    assert {**theirs.body, "instance": ""} == {**nobodys.body, "instance": ""}


def test_the_same_post_again_is_the_same_connection_and_no_second_drop(live: LiveService) -> None:
    login_id = live.connect_bank()
    first = live.post(login_id).body["connectionId"]
    live.until(first, "ready")

    again = live.post(login_id.upper())

    time.sleep(2)  # what must not happen gets its chance
    assert again.status == 202
    assert again.body["connectionId"] == first
    assert again.body["status"] == "ready"
    assert len(live.drops_of(first)) == 1


def test_data_that_flinks_is_still_collecting_is_polled_for(live: LiveService) -> None:
    connection_id = live.connect_and_post(pending={"polls": 2})

    processing = live.get(connection_id)
    live.until(connection_id, "ready")

    assert processing.body["status"] == "processing"
    assert processing.headers["Retry-After"]
    assert live.row(connection_id).sessions == 1


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (None, 401),
        ("not-a-token", 401),
        ("expired", 401),
        ("other audience", 401),
        ("other issuer", 401),
        ("no scope", 403),
    ],
)
def test_without_a_good_token_nothing_is_accepted(live: LiveService, token: str | None, status: int) -> None:
    issuer = live.stack.issuer
    made = {
        "expired": lambda: issuer.token("alice", exp=int(time.time()) - 60),
        "other audience": lambda: issuer.token("alice", aud="someone-else"),
        "other issuer": lambda: issuer.token("alice", iss="https://issuer.example"),
        "no scope": lambda: issuer.token("alice", scope="email"),
    }
    headers = {} if token is None else {"Authorization": f"Bearer {made[token]() if token in made else token}"}

    answer = live.request("POST", "/connections", None, headers=headers, json={"loginId": live.connect_bank()})

    assert answer.status == status


MARK = "5ecre7-mark"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (f'{{"loginId": "{MARK}"}}', "application/json", 422),
        (f'{{"loginId": "{MARK}', "application/json", 400),
        (f'{{"loginId": "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2", "{MARK}": 1}}', "application/json", 422),
        (f'{{"institution": "{MARK}", "institution": "x"}}', "application/json", 400),
        (f'["{MARK}"]', "application/json", 422),
        (MARK, "text/plain", 415),
        (f'{{"institution": "{MARK}{"x" * 1_000_000}"}}', "application/json", 413),
        ("", "application/json", 400),
    ],
)
def test_a_bad_body_is_refused_with_a_problem_that_echoes_nothing(
    live: LiveService, body: str, content_type: str, status: int
) -> None:
    answer = live.request("POST", "/connections", data=body.encode(), headers={"Content-Type": content_type})

    assert answer.status == status
    assert MARK not in repr(answer.body)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.body) >= {"type", "title", "status", "detail", "instance"}


def test_no_function_wrote_the_login_id_into_its_log(live: LiveService) -> None:
    login_id = live.connect_bank()
    connection_id = live.post(login_id).body["connectionId"]
    live.until(connection_id, "ready")

    def logged() -> str | None:
        logs = "".join(path.read_text() for path in (live.stack.folder / "functions").iterdir())
        return logs if re.search(rf'"connectionId":"{connection_id}".*', logs) and '"ending":"ready"' in logs else None

    logs = eventually(logged, "a log line of the fetch")
    assert login_id not in logs.lower()
    assert login_id.replace("-", "") not in logs.lower()


def test_cors_admits_the_page_and_nobody_else(live: LiveService) -> None:
    def preflight(origin: str) -> requests.Response:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return requests.options(live.stack.outputs["ApiUrl"] + "/connections", headers=headers, timeout=10)

    page = live.stack.page.origin
    assert preflight(page).headers["Access-Control-Allow-Origin"] == page
    assert "Access-Control-Allow-Origin" not in preflight("https://evil.example").headers
