"""`make demo` on each of the machines that people have; where setting up is what could break, from a fresh clone."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.aws.deployment import host_architecture, sam_build
from tests.machines import MACHINES, ROOT, Machine, clone

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

NEEDS_ITS_LIBRARY = """#!/bin/bash
[ "${{LD_LIBRARY_PATH-}}" = {library} ] || {{ echo "error while loading shared libraries" >&2; exit 127; }}
exec -a "$0" {python} "$@"
"""


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """What a proxy that leads nowhere keeps nobody from: the build of this tree is there already."""
    sam_build(host_architecture())


@pytest.fixture
def tree(machine: Machine, tmp_path: Path) -> Path:
    """Where make is called."""
    if not machine.fresh:
        return ROOT
    tree = clone(tmp_path / machine.path)
    if machine.user:
        for each in [tmp_path, *tmp_path.rglob("*")]:
            os.chown(each, machine.user, machine.user)
    return tree


def python_for(machine: Machine, folder: Path) -> tuple[str, dict[str, str]]:
    """An interpreter that who calls make can reach, and what it needs: a copy may not find its library by itself."""
    if not machine.user:
        return sys.executable, {}
    copied = Path(shutil.copytree(sys.base_prefix, folder / "python", symlinks=True))
    return str(copied / "bin/python3.13"), {"LD_LIBRARY_PATH": str(copied / "lib")}


def let_pythons_need_their_library(tree: Path, library: Path) -> None:
    for link in tree.glob(".venvs/*/bin/python"):
        python = link.resolve()
        link.unlink()
        link.write_text(NEEDS_ITS_LIBRARY.format(library=shlex.quote(str(library)), python=shlex.quote(str(python))))
        link.chmod(0o755)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_make_demo_shows_a_connection(machine: Machine, tree: Path, tmp_path: Path) -> None:
    if machine.user and os.getuid() != 0:
        pytest.skip("only root can be somebody else")
    tmp_path.chmod(0o755)
    for outer in list(tmp_path.parents)[:2] if machine.user else []:
        outer.chmod(0o755)
    python, needed = python_for(machine, tmp_path)
    arguments = [f"PYTHON={python}"] if machine.fresh else []

    def make(target: str) -> "subprocess.CompletedProcess[str]":
        command = shlex.join(["make", "--no-print-directory", target, *arguments])
        if machine.piped_to:
            command += f" | {shlex.join(machine.piped_to)}"
        with machine.in_use():
            return subprocess.run(
                ["/bin/sh", "-c", command],
                cwd=tree,
                env=machine.environment(tmp_path) | needed,
                user=machine.user or None,
                umask=machine.umask,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )

    if machine.library:
        for name in ("stack", "lambda", "sam"):
            make(f".venvs/{name}/.installed")
        let_pythons_need_their_library(tree, tmp_path)

    shown = make("demo")

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "Traceback" not in shown.stderr
    assert shown.stdout.startswith("flinks-landing: one connection") or machine.fresh
    if not machine.piped_to:
        assert "Visa Horizon" in shown.stdout
