"""Machines as people have them: each an environment in which `make` must do what it does anywhere.

One list for two tests: a cheap look at what a recipe is started in (tests/unit/test_any_shell.py), and `make demo`
itself (tests/integration/test_demo_on_any_machine.py).
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOBODY_LISTENS = "http://127.0.0.1:9"
NOBODY = 65534

type Variables = Mapping[str, str | None]


@dataclass(frozen=True)
class Machine:
    """What differs from a plain one. `fresh`: setting up is what it would break, so `make demo` begins with that."""

    variables: Callable[[Path], Variables] = field(default=lambda _: {})
    """Given a folder of its own; None takes a variable away."""
    passed_on: tuple[str, ...] = ()
    """Of these variables, what recipes are given all the same."""
    fresh: bool = False
    path: str = "clone"
    library: bool = False
    """Whether its Python will not start without LD_LIBRARY_PATH."""
    piped_to: tuple[str, ...] = ()
    user: int = 0
    busy: tuple[int, ...] = ()
    umask: int = 0o022

    def environment(self, folder: Path) -> dict[str, str]:
        changed = {**os.environ, **self.variables(folder)}
        return {name: value for name, value in changed.items() if value is not None}

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Ports that others listen on, as far as they are not taken anyway."""
        with ExitStack() as servers:
            for port in self.busy:
                try:
                    servers.enter_context(socket.create_server(("127.0.0.1", port)))
                except OSError:
                    continue
            yield


def always(**variables: str | None) -> Callable[[Path], Variables]:
    return lambda _: variables


def file(folder: Path, name: str, text: str, mode: int = 0o644) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def broken_aws_home(folder: Path) -> Variables:
    file(folder, "home/.aws/config", "no section\n[profile")
    return {"HOME": str(folder / "home")}


def shadowing(folder: Path) -> Variables:
    for name in ("boto3", "requests", "yaml", "local", "sitecustomize"):
        file(folder, f"shadow/{name}.py", "raise SystemExit('this is not the module that was meant')\n")
    return {"PYTHONPATH": str(folder / "shadow")}


def pip_conf(folder: Path) -> Variables:
    text = "[global]\nuser = true\nno-binary = :all:\n[install]\ntarget = /nowhere\n"
    return {"PIP_CONFIG_FILE": file(folder, "pip.conf", text)}


def pip_conf_at_home(folder: Path) -> Variables:
    file(folder, "home/.config/pip/pip.conf", "[global]\nuser = true\nrequire-virtualenv = true\n")
    return {"HOME": str(folder / "home"), "XDG_CONFIG_HOME": None}


def shell_that_talks(folder: Path) -> Variables:
    said = file(folder, "bash_env", "echo said by BASH_ENV; cd /; exit 3\n")
    functions = {"BASH_FUNC_printf%%": "() { exit 4; }", "BASH_FUNC_exec%%": "() { exit 5; }"}
    return {"BASH_ENV": said, "ENV": said, "SHELLOPTS": "braceexpand:nounset:xtrace", "CDPATH": "/", **functions}


def shims(folder: Path) -> Variables:
    """A version manager's pythons that do not run, first on PATH, and make of its own settings too."""
    for name in ("python3.13", "python3", "python", "uv", "pip"):
        file(folder, f"shims/{name}", "#!/bin/sh\nexit 127\n", 0o755)
    return {"PATH": f"{folder / 'shims'}:{os.environ['PATH']}"}


def library_path(folder: Path) -> Variables:
    """Tests put pythons in place that will not start without it."""
    return {"LD_LIBRARY_PATH": str(folder)}


HOME_OF_NOBODY = "/proc"
"""Where not even root can make a folder."""

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATHEIROWN", "AWS_SECRET_ACCESS_KEY": "theirs", "AWS_SESSION_TOKEN": "theirs"}
SOCKS = "socks5h://127.0.0.1:9"

MACHINES = {
    "a plain one": Machine(),
    "HTTP_PROXY without NO_PROXY": Machine(
        always(HTTP_PROXY=NOBODY_LISTENS, HTTPS_PROXY=NOBODY_LISTENS, NO_PROXY=None, no_proxy=None),
        passed_on=("HTTP_PROXY", "HTTPS_PROXY"),
    ),
    "proxies in small letters": Machine(
        always(http_proxy=NOBODY_LISTENS, https_proxy=NOBODY_LISTENS), passed_on=("http_proxy", "https_proxy")
    ),
    "a SOCKS proxy for all": Machine(
        always(ALL_PROXY=SOCKS, all_proxy=SOCKS, NO_PROXY="example.com"), passed_on=("ALL_PROXY", "all_proxy")
    ),
    "an AWS profile that is unknown": Machine(always(AWS_PROFILE="acme-prod", AWS_DEFAULT_PROFILE="acme-prod")),
    "an AWS configuration that cannot be read": Machine(
        lambda folder: {"AWS_CONFIG_FILE": file(folder, "config", "no section\n[profile")}
    ),
    "the same at home": Machine(broken_aws_home),
    "AWS keys, region and endpoint": Machine(
        always(AWS_ENDPOINT_URL=NOBODY_LISTENS, AWS_REGION="mars-1", AWS_DEFAULT_REGION="mars-1", **KEYS)
    ),
    "AWS settings that are wrong": Machine(
        always(AWS_CA_BUNDLE="/nowhere.pem", AWS_MAX_ATTEMPTS="soon", AWS_RETRY_MODE="never", AWS_STS_REGIONAL="?")
    ),
    "PYTHONPATH with modules of the same names": Machine(shadowing),
    "PYTHONSAFEPATH": Machine(always(PYTHONSAFEPATH="1")),
    "PYTHONHOME": Machine(always(PYTHONHOME="/nowhere"), fresh=True),
    "PYTHONWARNINGS=error": Machine(always(PYTHONWARNINGS="error")),
    "a Python without assertions or a byte of UTF-8": Machine(
        always(
            PYTHONOPTIMIZE="2", PYTHONIOENCODING="ascii", PYTHONUTF8="0", PYTHONSTARTUP="/nowhere", PYTHONPLATLIBDIR="x"
        )
    ),
    "PIP_USER": Machine(always(PIP_USER="1"), fresh=True),
    "PIP_TARGET and PIP_PREFIX": Machine(always(PIP_TARGET="/nowhere", PIP_PREFIX="/nowhere"), fresh=True),
    "pip from sources, outside of environments": Machine(
        always(PIP_NO_BINARY=":all:", PIP_REQUIRE_VIRTUALENV="1", PIP_CONSTRAINT="/nowhere.txt"), fresh=True
    ),
    "a pip.conf": Machine(pip_conf, passed_on=("PIP_CONFIG_FILE",), fresh=True),
    "a pip.conf at home": Machine(pip_conf_at_home),
    "uv as another project has it": Machine(
        always(UV_PYTHON="3.11", UV_SYSTEM_PYTHON="1", UV_PROJECT_ENVIRONMENT="/nowhere", UV_CONSTRAINT="/nowhere.txt"),
        fresh=True,
    ),
    "a virtual environment that is active": Machine(
        always(VIRTUAL_ENV="/nowhere", CONDA_PREFIX="/nowhere", PYENV_VERSION="3.11.0", __PYVENV_LAUNCHER__="/nowhere")
    ),
    "a path with blanks and a $": Machine(fresh=True, path="a clone of $HOME, the $(2nd) 'one'"),
    "a home that is read-only": Machine(always(HOME=HOME_OF_NOBODY), fresh=True),
    "no home, no user, no terminal": Machine(always(HOME=None, USER=None, LOGNAME=None, TERM=None, LANG=None)),
    "another locale": Machine(always(LC_ALL="tr_TR.ISO-8859-9", LANG="tr_TR", LANGUAGE="tr", TZ="Pacific/Apia")),
    "a temporary folder that is gone": Machine(always(TMPDIR="/nowhere", TMP="/nowhere", TEMP="/nowhere")),
    "| head": Machine(piped_to=("head", "-n", "2")),
    "busy ports": Machine(busy=(3000, 4566, 5000, 8000, 8080, 9000)),
    "somebody who is not root": Machine(fresh=True, user=NOBODY),
    "a Python that finds its library by LD_LIBRARY_PATH": Machine(
        library_path, passed_on=("LD_LIBRARY_PATH",), fresh=True, library=True
    ),
    "a shell with functions, options and a file to read first": Machine(shell_that_talks),
    "variables that this Makefile knows too": Machine(
        always(PYTHON="/bin/false", VENVS="/nowhere", UV="/bin/false", CONFIG="prod", CONFIRM="yes", SAM="/bin/false")
    ),
    "make with flags of its own": Machine(always(MAKEFLAGS="-j3 -w", MAKELEVEL="2")),
    "shims that do not run": Machine(shims, passed_on=("PATH",)),
    "sam and Docker as others use them": Machine(
        always(SAM_CLI_BETA_FEATURES="1", SAM_CLI_POLL_DELAY="soon", DOCKER_HOST=NOBODY_LISTENS, DOCKER_CONTEXT="x")
    ),
    "git in a hook": Machine(always(GIT_DIR="/nowhere", GIT_INDEX_FILE="/nowhere", GIT_WORK_TREE="/nowhere")),
    "files for nobody else": Machine(umask=0o077),
}


def clone(to: Path) -> Path:
    """The files of the working tree, as a person would have them who has just cloned it."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    return to
