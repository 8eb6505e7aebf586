"""Whatever shell `make` is called from, its recipes run in an environment of our own making."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.process import of_ours
from tests.machines import MACHINES, ROOT, Machine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the probe stands for the local stack")

CALLER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class Loopback(http.server.BaseHTTPRequestHandler):
    """AWS' STS for who posts, a page for who gets."""

    def do_GET(self) -> None:
        self._answer("a page")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(CALLER)

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def listening() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Loopback)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def probe(listening: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`make probe` as this machine would call it."""
    tmp_path.chmod(0o755)

    def run(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
        with machine.in_use():
            return subprocess.run(
                [  # noqa: S607 - which make is the machine's business
                    "make",
                    "-s",
                    "-f",
                    "Makefile",
                    "-f",
                    "tests/unit/probe.mk",
                    "probe",
                    f"LISTENING={listening}",
                    *arguments,
                ],
                cwd=ROOT,
                env=machine.environment(tmp_path),
                user=machine.user or None,
                umask=machine.umask,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )

    return run


def told(run: subprocess.CompletedProcess[str]) -> Any:
    assert run.returncode == 0, run.stderr
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("{")]  # make may say where it is
    return json.loads(line)


def test_there_are_enough_machines() -> None:
    assert len(MACHINES) >= 25


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_a_recipe_finds_loopback_and_nothing_of_the_machine_s(
    probe: Callable[..., subprocess.CompletedProcess[str]], machine: Machine, tmp_path: Path
) -> None:
    if machine.user and os.getuid() != 0:
        pytest.skip("only root can be somebody else")
    if machine.user and not _reachable(ROOT):
        pytest.skip("this tree is for nobody else")

    seen = told(probe(machine))

    given = seen["environment"]
    theirs = {name: value for name, value in machine.variables(tmp_path).items() if value is not None}
    came_through = {name for name, value in theirs.items() if given.get(name) == value}
    assert (seen["page"], seen["account"]) == ("a page", "123456789012")
    assert (seen["asserts"], seen["encoding"]) == (True, "utf-8")
    assert came_through == set(machine.passed_on) | (came_through & {"HOME"})


def _reachable(folder: Path) -> bool:
    """Whether somebody else could read this tree and run what it holds."""
    python = Path(sys.executable).resolve()
    return all(each.stat().st_mode & 0o001 for each in [*folder.parents, folder, *python.parents, python])


@pytest.mark.parametrize("name", ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"])
def test_what_the_local_stack_starts_has_the_library_path_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "/opt/python/lib")

    assert of_ours()[name] == "/opt/python/lib"
