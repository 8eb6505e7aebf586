"""Two thousand connections on the local stack, while much goes wrong: everyone ends, once, and is heard of."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from landing.domain.connection import TERMINAL, Connection, Status
from landing.stores.connection_row import from_item
from local.stack import Stack
from tests.live_service import LiveService, eventually, listener_beside

HOW_MANY, WAVE = 2000, 250
FAULTS = (
    {"endpoint": "Authorize", "steps": [{"code": "TOO_MANY_REQUESTS", "times": 12}]},
    {"endpoint": "Authorize", "steps": [{"code": "RETRY_LATER", "times": 12}]},
    {"endpoint": "Authorize", "steps": [{"fault": "reset", "times": 6}]},
    {"endpoint": "GetAccountsDetail", "steps": [{"code": "AGGREGATION_ERROR", "times": 8}]},
    {"endpoint": "GetAccountsDetail", "steps": [{"fault": "truncated", "times": 6}]},
    {"endpoint": "GetAccountsDetail", "steps": [{"fault": "pending", "times": 12}]},
    {"endpoint": "GetAccountsDetail", "steps": [{"fault": "ok", "hang": 3, "times": 6}]},
    {"endpoint": "DeleteCard", "steps": [{"code": "CARD_IN_USE", "times": 2}]},
)
"""What Flinks does wrong to each wave."""


class Load:
    """A stack under load: its connections by connectionId, and what a consumer hears meanwhile."""

    def __init__(self, live: LiveService) -> None:
        self.live = live
        self.queue = listener_beside(live)
        self.logins: dict[str, str] = {}
        self.erased: set[str] = set()
        self.heard: dict[str, dict[str, Any]] = {}

    def wave(self, browsers: ThreadPoolExecutor, number: int) -> None:
        """So many people connect and post; some post again, with other accounts or not; some are erased at once."""
        for fault in FAULTS:
            self.live.control("POST", "/faults", fault)
        pending = {"polls": number % 3}
        logins = list(browsers.map(lambda _: self.live.connect_bank(pending=pending), range(WAVE)))
        ids = list(browsers.map(self.post, logins))
        self.logins |= dict(zip(ids, logins, strict=True))
        list(browsers.map(self.post, logins[::10]))
        list(browsers.map(self.post_one_account, logins[5::10]))
        self.erase(ids[::20])
        self.erased |= set(ids[::20])
        self.listen()

    def post(self, login_id: str) -> str:
        answer = self.live.post(login_id)
        assert answer.status == 202, answer
        return str(answer.body["connectionId"])

    def post_one_account(self, login_id: str) -> None:
        accounts = self.live.control("GET", f"/cards/{login_id}")["accountIds"]
        assert self.live.post(login_id, accountIds=accounts[:1]).status == 202

    def erase(self, ids: list[str]) -> None:
        order = json.dumps({"ticket": "T-1", "dryRun": False, "connectionId": ids})
        function = self.live.stack.outputs["DeleteConnectionFunction"]
        answer = self.live.client("lambda").invoke(FunctionName=function, Payload=order)
        assert "FunctionError" not in answer, answer["Payload"].read()

    def listen(self) -> bool:
        """Take what the consumer's queue holds; whether there was anything."""
        sqs = self.live.client("sqs")
        messages = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            detail = json.loads(message["Body"])["detail"]
            before = self.heard.setdefault(detail["id"], detail)
            assert before == detail, "an id was given twice"
            sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return bool(messages)

    def rows(self) -> list[Connection]:
        table = self.live.stack.outputs["ConnectionsTable"]
        pages = self.live.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [from_item(item) for page in pages for item in page["Items"]]

    def all_ended(self) -> list[Connection] | None:
        while self.listen():
            pass
        rows = self.rows()
        return rows if all(row.status in TERMINAL and row.due_at is None for row in rows) else None


@contextmanager
def nothing_left() -> Iterator[None]:
    """Neither a process nor a descriptor outlives what is done within."""
    before = sorted(descendants(os.getpid())), len(list(Path("/proc/self/fd").iterdir()))
    yield
    after = sorted(descendants(os.getpid())), len(list(Path("/proc/self/fd").iterdir()))
    assert after == before


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(FileNotFoundError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def memory_of_functions() -> int:
    """Kilobytes of the largest of the processes that run our functions."""
    sizes = [0]
    for pid in descendants(os.getpid()):
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"AWS_LAMBDA_FUNCTION_NAME=" in Path(f"/proc/{pid}/environ").read_bytes():
                status = Path(f"/proc/{pid}/status").read_text()
                sizes += [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")]
    return max(sizes)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_thousand_connections_end_are_counted_and_heard_of_and_leave_nothing_behind(tmp_path: Path) -> None:
    with nothing_left(), Stack(tmp_path, lambda _: None) as stack, ThreadPoolExecutor(8) as browsers:
        load = Load(LiveService(stack))
        sizes = []
        for number in range(HOW_MANY // WAVE):
            load.wave(browsers, number)
            sizes.append(memory_of_functions())
        rows = eventually(load.all_ended, "all ended", within=timedelta(minutes=90))
        ended = {f"{row.connection_id}/{row.generation}/{row.status}" for row in rows}
        eventually(lambda: ended <= load.heard.keys() or (load.listen() and None) or None, "all heard of")
        drops = {row.connection_id: load.live.drops_of(row.connection_id) for row in rows}

        print(Counter(row.status.value for row in rows), f"largest function, kB, wave by wave: {sizes}")
        assert len(rows) == len(load.logins) == HOW_MANY
        assert Counter(row.status for row in rows) == {
            Status.READY: HOW_MANY - len(load.erased),
            Status.DELETED: len(load.erased),
        }
        assert all(drops[row.connection_id] for row in rows if row.status is Status.READY)
        assert not any(drops[row.connection_id] for row in rows if row.status is Status.DELETED)
        assert 0 < max(sizes) < 1.25 * sizes[1]
        load.live.close()
