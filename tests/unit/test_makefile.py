"""make on macOS: lint and the tests in memory run, and what needs Linux says so in a sentence."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNAME = """#!/bin/sh
[ "$1" = -m ] && echo arm64 || echo Darwin
"""

type Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def make_of_macos(tmp_path: Path) -> Make:
    """Runs our Makefile where `uname` says Darwin."""
    uname = tmp_path / "uname"
    uname.write_text(UNAME)
    uname.chmod(0o755)

    def make(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", f"PYTHON={sys.executable}", *arguments],  # noqa: S607 - which make is the machine's business
            cwd=ROOT,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return make


def test_nothing_in_it_is_unknown_to_the_make_of_macos() -> None:
    """GNU make 3.81 passes over these targets, and would run a recipe line by line after all."""
    lines = (ROOT / "Makefile").read_text().splitlines()

    assert [line for line in lines if line.startswith((".ONESHELL", ".SHELLFLAGS"))] == []


@pytest.mark.parametrize(
    "target",
    [
        *("lint", "suite-in-memory", "build", "deploy", "destroy"),
        *(".venvs/tools/.installed", ".venvs/test/.installed", ".venvs/ops/.installed"),
    ],
)
def test_what_needs_no_local_stack_asks_for_no_linux(make_of_macos: Make, target: str) -> None:
    run = make_of_macos("--dry-run", "--always-make", target)

    assert run.returncode == 0, run.stderr
    assert "uname" not in run.stdout


def test_a_python_that_is_not_there_is_said_in_a_sentence(make_of_macos: Make) -> None:
    run = make_of_macos("cpython", "PYTHON=")

    assert run.returncode == 2
    assert run.stderr.startswith("No CPython 3.13 found.")


@pytest.mark.parametrize("target", ["demo", "up", "test"])
def test_what_needs_linux_says_so_before_it_installs_or_starts_anything(make_of_macos: Make, target: str) -> None:
    run = make_of_macos("--dry-run", "--always-make", target)
    refusal = make_of_macos("linux")

    assert "uname" in run.stdout
    assert refusal.returncode == 2
    assert "runs its local stack on Linux (x86_64 or arm64, WSL2 included); this is Darwin arm64." in refusal.stderr


def test_every_file_of_tests_is_in_a_suite() -> None:
    makefile = (ROOT / "Makefile").read_text()
    suites = [word for line in makefile.splitlines() if '-m "not long"' in line for word in line.split()]

    files = [file.relative_to(ROOT) for file in (ROOT / "tests").rglob("test_*.py")]

    assert [file for file in files if not any(str(folder) in suites for folder in file.parents)] == []
