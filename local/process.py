"""A child process that says once, in one line of JSON, that it is ready, and that ends when we do."""

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_TO_END = 15
LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Without them a Python that finds its own library there ends with 127, before its first line."""


def of_ours(*names: str) -> dict[str, str]:
    """These variables of our environment, as far as they are set; the library paths always are among them."""
    return {name: os.environ[name] for name in (*LIBRARY_PATHS, *names) if name in os.environ}


class NotReady(RuntimeError):
    """The child ended, or said nothing in time; the message names its log."""


class Child:
    """Runs `command` with its stderr in `log`; its stdin stays open as long as we live, and tells it when we do not."""

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=env,
                start_new_session=True,  # Ctrl-C is for us: we end our children in order
            )

    def ready(self, within: float) -> str:
        """The child's first line. Raises NotReady after `within` seconds."""
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self._process.stdout], [], [], 0.2)
            if readable:
                line = self._process.stdout.readline()
                if line:
                    return line.decode()
            if self._process.poll() is not None:
                raise NotReady(f"ended with {self._process.returncode} before it was ready: see {self._log}")
        raise NotReady(f"not ready within {within:.0f} s: see {self._log}")

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
