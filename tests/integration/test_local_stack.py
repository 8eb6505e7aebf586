"""`make up` and `make demo`, from outside: they say what they do, and leave nothing behind."""

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from local.stack import ROOT, environment_python
from tests.live_service import eventually


@dataclass
class Up:
    """A running `make up`, in a folder of its own."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def description(self) -> Path:
        return self.folder / "stack.json"

    def read(self) -> dict[str, Any]:
        described: dict[str, Any] = json.loads(self.description.read_text())
        return described


def start(folder: Path) -> subprocess.Popen[bytes]:
    command: list[str | Path] = [environment_python("stack"), "-m", "local", "up", "--folder", folder]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    with start(folder) as process:
        up = Up(process, folder)
        eventually(lambda: up.description.exists() or None, "the description", timedelta(minutes=3))
        yield up
        process.kill()


def descendants(pid: int) -> set[int]:
    children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return children.union(*(descendants(child) for child in children))


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def test_the_description_is_whole_and_for_its_owner_alone(up: Up) -> None:
    described = up.read()

    assert stat.S_IMODE(up.description.stat().st_mode) == 0o600
    assert set(described) == {
        *("apiUrl", "awsEndpointUrl", "region", "credentials", "outputs", "flinks", "tokens", "pageUrl"),
    }
    assert set(described["credentials"]) == {"accessKeyId", "secretAccessKey"}
    assert set(described["flinks"]) == {"url", "customerId", "control"}
    assert set(described["tokens"]) == {"alice", "bob"}
    assert set(described["outputs"]) >= {"ApiUrl", "ConnectionsTable", "DropBucket", "EventBus", "FetchQueue"}


def test_what_it_describes_works_with_nothing_else_at_hand(up: Up) -> None:
    described = up.read()
    card = {"username": "someone", "pending": {"polls": 0}}
    login_id = requests.post(f"{described['flinks']['control']}/cards", json=card, timeout=10).json()["loginId"]

    def ask(method: str, path: str, **kwargs: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {described['tokens']['alice']}"}
        return requests.request(method, described["apiUrl"] + path, headers=headers, timeout=30, **kwargs)

    accepted = ask("POST", "/connections", json={"loginId": login_id})
    place = accepted.headers["Location"]
    eventually(lambda: ask("GET", place).json()["status"] == "ready" or None, "ready")

    assert accepted.status_code == 202
    assert requests.get(described["pageUrl"], timeout=10).status_code == 200
    assert requests.post(f"{described['apiUrl']}/connections", json={}, timeout=10).status_code == 401


def test_a_second_one_says_that_the_first_is_up(up: Up) -> None:
    with start(up.folder) as second:
        said, _ = second.communicate(timeout=30)

    assert second.returncode == 1
    assert b"up already" in said


def test_ctrl_c_leaves_no_process_and_no_description(up: Up) -> None:
    family = descendants(up.process.pid)

    os.kill(up.process.pid, signal.SIGINT)
    code = up.process.wait(timeout=30)
    eventually(lambda: not alive(family) or None, "every process gone", timedelta(seconds=10))

    assert len(family) >= 3
    assert code == 130
    assert not up.description.exists()


def test_what_a_killed_stack_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(json.dumps({"awsEndpointUrl": "http://127.0.0.1:1"}))

    with start(tmp_path) as again:
        time.sleep(1)
        running = again.poll() is None
        again.terminate()

    assert running


def demo() -> subprocess.Popen[bytes]:
    command: list[str | Path] = [environment_python("stack"), "-m", "local", "demo"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_two_demos_side_by_side_each_show_one_connection_all_the_way() -> None:
    with demo() as first, demo() as second:
        told = [process.communicate(timeout=200)[0].decode() for process in (first, second)]

    assert (first.returncode, second.returncode) == (0, 0)
    for word in ("202 accepted", "processing", "ready", "s3://", "aws:kms", "Chequing CAD", "Visa Horizon"):
        assert word in told[0]
        assert word in told[1]


def test_a_demo_that_is_broken_off_leaves_no_process() -> None:
    with demo() as process:
        eventually(lambda: len(descendants(process.pid)) >= 2 or None, "its children")
        family = descendants(process.pid)
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=30)
    eventually(lambda: not alive(family) or None, "every process gone", timedelta(seconds=10))

    assert process.returncode == 130
