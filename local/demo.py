"""One connection driven through the local stack before your eyes."""

import gzip
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local.stack import ROOT, Say, Stack

PERSON = {"username": "Greatday", "password": "Everyday", "language": "en"}
_PATIENCE = 180


class DemoFailed(RuntimeError):
    """The connection did not become ready; the message says what it was instead."""


def run(say: Say) -> None:
    folder = _folder()
    print("flinks-landing: one connection, from Flinks Connect to account data in S3\n\nsetting the stage")
    with Stack(folder, say) as stack:
        print("\nwhat happens")
        _drive(stack, _Told())


def _drive(stack: Stack, told: "_Told") -> None:
    login_id = _connect(stack)
    told("Flinks Connect gave the browser a loginId", "local/flinks/")
    token = stack.issuer.token("alice")
    status, headers, body = _call(
        f"{stack.outputs['ApiUrl']}/connections", token, {"loginId": login_id, "institution": "FlinksCapital"}
    )
    if status != HTTPStatus.ACCEPTED:
        raise DemoFailed(f"POST /connections answered {status}")
    told(f"POST /connections: {status} accepted, {body['connectionId']}", "functions/receive_login/app.py")
    _show_row(stack, body["connectionId"], login_id, told)
    ready = _follow(stack, headers["Location"], token, told)
    _show_drop(stack, ready["connectionId"], told)
    print("\nwhere everything lies")
    for what, where in (
        ("logs of the functions", stack.folder / "functions"),
        ("the drop, copied out", stack.folder / "drop.json"),
        ("the template that was deployed", ROOT / "template.yaml"),
    ):
        print(f"  {what:32}{os.path.relpath(where)}")


def _connect(stack: Stack) -> str:
    """What the iframe does in a browser: the person logs in at Flinks Capital and answers the question."""
    if stack.flinks.control is None:
        raise DemoFailed("the demo needs our own simulator: unset FLINKS_API_URL")
    request = urllib.request.Request(
        f"{stack.flinks.control}/connect",
        json.dumps(PERSON).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["loginId"])


def _show_row(stack: Stack, connection_id: str, login_id: str, told: "_Told") -> None:
    item = stack.client("dynamodb").get_item(
        TableName=stack.outputs["ConnectionsTable"], Key={"connectionId": {"S": connection_id}}
    )["Item"]
    if login_id.encode() in repr(item).encode():
        raise DemoFailed("the row holds the loginId in clear")
    sealed = len(item["sealedLogin"]["B"])
    told(
        f"the row holds the loginId sealed by KMS ({sealed} bytes), never in clear",
        "layers/landing/landing/verbs/receive_login.py",
    )


def _follow(stack: Stack, location: str, token: str, told: "_Told") -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE
    seen = ""
    while time.monotonic() < deadline:
        _, _, body = _call(stack.outputs["ApiUrl"] + location, token)
        if body["status"] != seen:
            seen = body["status"]
            told(f"GET {location}: {seen}", "functions/show_connection/app.py")
        if seen == "ready":
            return body
        if seen != "processing":
            raise DemoFailed(f"the connection is {seen}: {body['reason']}")
        time.sleep(0.2)
    raise DemoFailed(f"still {seen} after {_PATIENCE} s: see {stack.folder}")


def _show_drop(stack: Stack, connection_id: str, told: "_Told") -> None:
    item = stack.client("dynamodb").get_item(
        TableName=stack.outputs["ConnectionsTable"], Key={"connectionId": {"S": connection_id}}
    )["Item"]
    key = item["drop"]["M"]["key"]["S"]
    found = stack.client("s3").get_object(Bucket=stack.outputs["DropBucket"], Key=key)
    told(f"the drop: s3://{stack.outputs['DropBucket']}/{key}", "layers/landing/landing/verbs/fetch_accounts.py")
    told(
        f"encrypted: {found['ServerSideEncryption']}, by the stack's own key",
        "layers/landing/landing/stores/drop_store.py",
    )
    text = gzip.decompress(found["Body"].read())
    (stack.folder / "drop.json").write_bytes(text)
    data = json.loads(text)
    print(f"\n  {'account':22}{'type':14}{'currency':10}{'current':>12}{'transactions':>14}")
    for account in data["Accounts"]:
        current = (account["Balance"] or {}).get("Current")
        print(
            f"  {account['Title'] or '-':22}{account['Type'] or '-':14}{account['Currency'] or '-':10}"
            f"{'-' if current is None else format(current, ',.2f'):>12}{len(account['Transactions']):>14}"
        )


class _Told:
    """Prints what happened, how long after the start, and which file did it."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, what: str, file: str) -> None:
        print(f"  {time.monotonic() - self._start:5.1f} s  {what}\n           {file}", flush=True)


def _call(url: str, token: str, body: dict[str, Any] | None = None) -> tuple[int, Any, dict[str, Any]]:
    request = urllib.request.Request(
        url,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, json.load(refused)


def _folder() -> Path:
    """A folder of this run's own; those of runs that have ended are cleared away."""
    local = ROOT / ".local"
    for old in local.glob("demo-*"):
        if not _alive(int(old.name.removeprefix("demo-"))):
            shutil.rmtree(old, ignore_errors=True)  # another demo may be clearing it away as well
    return local / f"demo-{os.getpid()}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
