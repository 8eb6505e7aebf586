"""Takes every guard out, one by one, in a scratch copy, and sees its test go red: `make guards`.

    python -m tests.guards            all of them
    python -m tests.guards WORD...    those whose description or file has one of the words in it

Exits with 1 when a guard is not missed by its test, and with 2 when a test is red with all guards in place. To import
the libraries takes longer than any of these tests: they are imported once, and each test runs in a fork.
"""

import importlib
import os
import shutil
import subprocess
import sys
import time
import traceback
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.guards.listed import GUARDS, Guard

ROOT = Path(__file__).parents[2]
AT_ONCE = min(2, os.cpu_count() or 1)
LIBRARIES = (
    "aws_lambda_powertools.metrics",
    "boto3",
    "cfnlint.api",
    "hypothesis",
    "isal.isal_zlib",
    "jiter",
    "msgspec",
    "pydantic",
    "pytest",
    "requests",
    "yaml",
)
PYTEST = ["-q", "-x", "--no-header", "--tb=short", "-p", "no:cacheprovider"]
PYTEST += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of libraries that we import before it
OURS = ("landing", "local", "ops", "tests")


def main(words: list[str]) -> int:
    began = time.monotonic()
    meant = [guard for guard in GUARDS if not words or any(word in f"{guard.keeps} {guard.file}" for word in words)]
    for library in LIBRARIES:
        importlib.import_module(library)
    with TemporaryDirectory() as folder:
        copies = [Path(folder) / str(number) for number in range(AT_ONCE)]
        copy_tree(copies[0])
        if run(copies[0], sorted({guard.test for guard in meant})):
            say(said_in(copies[0]))
            say("With every guard in place a test is red, or is not there: mend that first.")
            return 2
        for copy in copies[1:]:
            shutil.copytree(copies[0], copy, symlinks=True)
        survivors = survivors_of(meant, copies)
    for guard in survivors:
        say(f"\n{guard.file}: without `{guard.text}`\n  {guard.test} is not red")
    say(f"\n{len(meant) - len(survivors)}/{len(meant)} guards are missed ({time.monotonic() - began:.0f} s)")
    return 1 if survivors else 0


def survivors_of(meant: list[Guard], copies: list[Path]) -> list[Guard]:
    """The guards without which their test is not red."""
    waiting, free, survivors = deque(meant), [*copies], []
    running: dict[int, tuple[Guard, Path, Whole]] = {}
    while waiting or running:
        if waiting and free:
            guard, copy = waiting.popleft(), free.pop()
            whole = take_out(guard, copy)
            running[start(copy, [guard.test])] = guard, copy, whole
            continue
        pid, status = os.wait()
        guard, copy, whole = running.pop(pid)
        whole.put_back()
        free.append(copy)
        is_red = os.waitstatus_to_exitcode(status) == 1
        say(f"{'missed    ' if is_red else 'NOT MISSED'} {guard.keeps}")
        if not is_red:
            survivors.append(guard)
            say(said_in(copy))
    return survivors


# --- scratch copies


def copy_tree(to: Path) -> None:
    """What the tests read of this working tree."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file():  # else it was removed
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    (to / ".venvs").symlink_to(ROOT / ".venvs")


def without(guard: Guard, content: str) -> str:
    """Raises ValueError unless the guard's text stands there exactly once."""
    if content.count(guard.text) != 1:
        raise ValueError(f"{guard.file} has `{guard.text}` {content.count(guard.text)} times")
    return content.replace(guard.text, guard.instead)


class Whole(NamedTuple):
    """A file as it was, and when it was changed: by that Python knows which bytecode is of which source."""

    path: Path
    content: str
    changed: int

    def put_back(self) -> None:
        self.path.write_text(self.content)
        os.utime(self.path, ns=(self.changed, self.changed))


def take_out(guard: Guard, copy: Path) -> Whole:
    path = copy / guard.file
    whole = Whole(path, path.read_text(), path.stat().st_mtime_ns)
    path.write_text(without(guard, whole.content))
    return whole


# --- pytest in a fork


def run(copy: Path, tests: list[str]) -> int:
    """Run tests in a copy and keep the bytecode there; the wait status."""
    return os.waitpid(start(copy, tests, keeps_bytecode=True), 0)[1]


def start(copy: Path, tests: list[str], *, keeps_bytecode: bool = False) -> int:
    """The process id. It exits as pytest does: 0 for green, 1 for red, else for what is no answer."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        said = os.open(copy / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.chdir(copy)
        sys.dont_write_bytecode = not keeps_bytecode
        sys.path[:] = [path for path in sys.path if path not in ("", str(ROOT))]
        for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
            del sys.modules[name]
        pytest = importlib.import_module("pytest")
        code = int(pytest.main([*PYTEST, *tests]))
    except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def said_in(copy: Path) -> str:
    return (copy / "said").read_text()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
