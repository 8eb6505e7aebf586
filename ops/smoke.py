"""After a deployment: what can be seen from outside works, up to a whole connection and its deletion."""

import hashlib
import time
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import requests

from ops import connections, deletions, logs
from ops.connections import Unreadable
from ops.doctor import Finding
from ops.target import Target

TICKET = "smoke-check"
_PATIENCE = timedelta(minutes=10)
_SECONDS = 30


class Caller:
    """The HTTP API as an app calls it, with a person's access token."""

    def __init__(self, target: Target, token: str | None) -> None:
        self._root = target.output("ApiUrl").rstrip("/")
        self._session = requests.Session()
        if target.is_local:
            self._session.trust_env = False
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON; (0, None) when nobody answers."""
        try:
            answer = self._session.request(method, self._root + path, json=body, timeout=_SECONDS)
            return answer.status_code, answer.json()
        except requests.JSONDecodeError:
            return answer.status_code, None
        except requests.RequestException:
            return 0, None


def of_strangers(target: Target) -> Iterator[Finding]:
    """What a caller without a token gets."""
    status, _ = Caller(target, None)("GET", "/connections")
    yield _finding("a call without a token", status, HTTPStatus.UNAUTHORIZED)


def of_sessions(target: Target, token: str) -> Iterator[Finding]:
    """A list and a Connect session: the authorizer, the table, the secret key and Flinks."""
    call = Caller(target, token)
    status, _ = call("GET", "/connections")
    yield _finding("GET /connections with a token", status, HTTPStatus.OK)
    status, _ = call("POST", "/connect-sessions", {})
    yield _finding("POST /connect-sessions", status, HTTPStatus.CREATED)


def of_a_connection(target: Target, token: str, login_id: str) -> Iterator[Finding]:
    """A whole connection: its drop, its event, its deletion. Each finding as it is made; stops at the first bad one."""
    call, began = Caller(target, token), connections.now()
    status, body = call("POST", "/connections", {"loginId": login_id, "institution": "FlinksCapital"})
    yield (posted := _finding("POST /connections", status, HTTPStatus.ACCEPTED))
    if posted.how == "bad":
        return
    id_ = str(body["connectionId"])
    ended = _followed(call, id_)
    yield _finding(f"{id_} becomes", ended, "ready")
    if ended == "ready":
        yield _drop(target, id_)
        yield _event(target, id_, began)
    yield from _deletion(target, id_)


def demo_login(target: Target) -> str:
    """The loginId that Flinks Capital's test user gets from the local stack's Connect."""
    person = {"username": "Greatday", "password": "Everyday", "language": "en"}
    session = requests.Session()
    session.trust_env = False
    answer = session.post(f"{target.local['flinks']['control']}/connect", json=person, timeout=_SECONDS)
    return str(answer.json()["loginId"])


def _followed(call: Caller, id_: str) -> str:
    deadline = time.monotonic() + _PATIENCE.total_seconds()
    status = "processing"
    while status == "processing" and time.monotonic() < deadline:
        time.sleep(1)
        code, body = call("GET", f"/connections/{id_}")
        status = str(body["status"]) if code == HTTPStatus.OK else f"HTTP {code}"
    return status


def _drop(target: Target, id_: str) -> Finding:
    row = connections.one(target, id_)
    if isinstance(row, Unreadable) or row.drop is None:
        return Finding("its drop", "bad", "the row names none")
    found = target.client("s3").get_object(
        Bucket=target.output("DropBucket"), Key=row.drop.key, VersionId=row.drop.version_id
    )
    same = hashlib.sha256(found["Body"].read()).hexdigest() == row.drop.sha256
    sealed = found.get("ServerSideEncryption") == "aws:kms"
    said = f"{row.drop.accounts} accounts, {row.drop.transactions} transactions, {row.drop.bytes} bytes"
    return Finding("its drop", "ok" if same and sealed else "bad", said if same else "it is not what the row says")


def _event(target: Target, id_: str, began: Any) -> Finding:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        said = logs.lines(target, ("publish_events",), began - timedelta(minutes=1), f'"{id_}"')
        if any(line.members.get("fate") == "announced" for line in said):
            return Finding("its event", "ok", "announced on the bus")
        time.sleep(2)
    return Finding("its event", "bad", "no log line says so", "bin/landing tail --function publish_events")


def _deletion(target: Target, id_: str) -> Iterator[Finding]:
    order = deletions.Order("connectionId", [id_], TICKET, dry_run=False, patience=_PATIENCE)
    (done,) = deletions.carry_out(target, order, lambda _: None, lambda _: None)
    complete = done["outcome"] == "deleted" and done.get("receipt", {}).get("complete") is True
    said = "complete, with a receipt" if complete else f"{done['outcome']}: {done.get('reason')}"
    yield Finding("its deletion", "ok" if complete else "bad", said)


def _finding(what: str, got: Any, wanted: Any) -> Finding:
    shown = "nobody answers" if got == 0 else str(int(got)) if isinstance(got, int) else str(got)
    fine = got == wanted
    return Finding(what, "ok" if fine else "bad", shown if fine else f"{shown}, and not {wanted}")
