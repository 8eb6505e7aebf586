"""The emulator leaves no process behind, however it ends, and takes nothing from the environment it was started in."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws.deployment import EmulatorAddress
from tests.integration.aws.conftest import command, make_role

PARENT = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
print(child.pid, flush=True)
child.wait()
"""
BUSY = "import os, time\ndef lambda_handler(event, context):\n    print(os.getpid(), flush=True)\n    time.sleep(60)"


class Emulator:
    """An emulator that is the child of a process of its own, with a function that is running."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        arguments = [str(part) for part in command(folder)]
        secrets = {"FLINKS_SECRET_KEY": "ours", "HTTP_PROXY": "http://127.0.0.1:9", "AWS_PROFILE": "ours"}
        self.parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, *arguments],
            stdout=subprocess.PIPE,
            env={**os.environ, **secrets},
            text=True,
            start_new_session=True,
        )
        assert self.parent.stdout is not None
        self.pid = int(self.parent.stdout.readline())
        self.address = EmulatorAddress.from_line(self.parent.stdout.readline())

    def run_a_function(self) -> int:
        """Starts an invocation that does not end; the process it runs in."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr("app.py", BUSY)
        lambda_ = self.address.client("lambda")
        role = make_role(self.address.client, "busy-role")
        deployed: dict[str, Any] = {"FunctionName": "busy", "Role": role, "Timeout": 60}
        deployed |= {"Runtime": "python3.13", "Handler": "app.lambda_handler"}
        lambda_.create_function(**deployed, Code={"ZipFile": archive.getvalue()})
        threading.Thread(target=self._invoke, daemon=True).start()
        log = self._folder / "functions" / "busy.log"
        return int(_eventually(lambda: log.exists() and log.read_text().strip()))

    def _invoke(self) -> None:
        self.address.client("lambda").invoke(FunctionName="busy", InvocationType="Event")

    def end(self) -> None:
        for pid in (self.pid, self.parent.pid):
            if _is_running(pid):
                os.kill(pid, signal.SIGKILL)
        self.parent.wait()
        assert self.parent.stdout is not None
        self.parent.stdout.close()


@pytest.fixture
def emulator_with_parent(tmp_path: Path) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path)
    yield emulator
    emulator.end()


def _eventually(look: Any) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(0.05)
    raise AssertionError("not within 30 s")


def _is_running(pid: int) -> bool:
    """A zombie has ended; its new parent has not looked yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_runs_after_a_signal(emulator_with_parent: Emulator, number: int) -> None:
    function = emulator_with_parent.run_a_function()

    os.kill(emulator_with_parent.pid, number)

    _eventually(lambda: not _is_running(emulator_with_parent.pid))
    _eventually(lambda: not _is_running(function))


def test_nothing_runs_after_the_parents_death(emulator_with_parent: Emulator) -> None:
    function = emulator_with_parent.run_a_function()

    emulator_with_parent.parent.kill()

    _eventually(lambda: not _is_running(emulator_with_parent.pid))
    _eventually(lambda: not _is_running(function))


def test_nothing_runs_after_ctrl_c(emulator_with_parent: Emulator) -> None:
    function = emulator_with_parent.run_a_function()

    os.killpg(emulator_with_parent.parent.pid, signal.SIGINT)

    _eventually(lambda: not _is_running(emulator_with_parent.pid))
    _eventually(lambda: not _is_running(function))


def test_the_processes_hold_nothing_of_the_environment_they_were_started_in(emulator_with_parent: Emulator) -> None:
    function = emulator_with_parent.run_a_function()

    environment = Path(f"/proc/{function}/environ").read_bytes().decode()

    assert "AWS_LAMBDA_FUNCTION_NAME=busy" in environment
    assert "ours" not in environment
    assert "PROXY" not in environment


def test_the_emulator_listens_on_loopback_only(emulator_with_parent: Emulator) -> None:
    process = Path(f"/proc/{emulator_with_parent.pid}")
    targets = [str(link.readlink()) for link in (process / "fd").iterdir() if link.is_symlink()]
    inodes = {target.removeprefix("socket:[").removesuffix("]") for target in targets if target.startswith("socket:")}

    tables = [(process / "net" / table).read_text() for table in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables for line in table.splitlines()[1:]]
    listening = {fields[1].split(":")[0] for fields in sockets if fields[3] == "0A" and fields[9] in inodes}

    assert listening == {"0100007F"}
