"""make on macOS: lint and the tests in memory run, and what needs Linux says so in a sentence."""

import os
import re
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
    """Runs our Makefile without what GNU make 3.81 does not know, where `uname` says Darwin."""
    uname = tmp_path / "uname"
    uname.write_text(UNAME)
    uname.chmod(0o755)
    makefile = tmp_path / "Makefile"
    makefile.write_text(
        re.sub(r"^\.(ONESHELL|SHELLFLAGS).*\n", "", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    )

    def make(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "-f", makefile, f"PYTHON={sys.executable}", *arguments],  # noqa: S607 - which make is the machine's business
            cwd=ROOT,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return make


@pytest.mark.parametrize("target", ["lint", "suite-in-memory", ".venvs/tools/.installed", ".venvs/test/.installed"])
def test_lint_and_the_tests_in_memory_ask_for_no_linux(make_of_macos: Make, target: str) -> None:
    run = make_of_macos("--dry-run", "--always-make", target)

    assert run.returncode == 0, run.stderr
    assert "uname" not in run.stdout


def test_a_python_that_is_not_there_is_said_in_a_sentence(make_of_macos: Make) -> None:
    run = make_of_macos("cpython", "PYTHON=")

    assert run.returncode == 2
    assert run.stderr.startswith("No CPython 3.13 found.")


@pytest.mark.parametrize("target", ["demo", "up", "build", "test"])
def test_what_needs_linux_says_so_before_it_installs_or_starts_anything(make_of_macos: Make, target: str) -> None:
    run = make_of_macos("--dry-run", "--always-make", target)
    refusal = make_of_macos("linux")

    assert "uname" in run.stdout
    assert refusal.returncode == 2
    assert "runs its local stack on Linux (x86_64 or arm64, WSL2 included); this is Darwin arm64." in refusal.stderr
