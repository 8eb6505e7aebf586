"""Runs deployed functions as Lambda does: artifact, layers, environment and role, under AWS's own runtime client.

Restores, in place of the emulator's worker (which runs functions on its own interpreter, packages and environment):

* the execution environment holds what was deployed and nothing else;
* at most one invocation at a time in each environment; environments are reused;
* a function that exceeds its timeout is killed and answers `Sandbox.Timedout`; one that cannot be imported answers with
  the error of its init phase; one whose process ends answers `Runtime.ExitError`;
* a response over 6 MB is an error.

Unlike AWS, a function has at most four environments, and further invocations wait for one.
"""

import contextlib
import hashlib
import io
import json
import os
import queue
import select
import signal
import subprocess
import threading
import time
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from local.process import of_ours

ENVIRONMENTS_PER_FUNCTION = 4
INIT_SECONDS = 30  # AWS allows 10 and then begins again inside the invocation; a busy laptop gets it in one piece
RESPONSE_BYTES = 6_291_556  # Lambda quotas: synchronous payload, 6 MB

# The watching thread ends the process with the emulator, however the emulator ended: the other end of stdin is its.
RUNTIME = """
import os, sys, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
from awslambdaric.__main__ import main
main(sys.argv)
"""


class Deployed(NamedTuple):
    """What an execution environment is made of; another value is another environment."""

    name: str
    version: str
    handler: str
    timeout: int
    code: bytes = field(repr=False)
    layers: tuple[bytes, ...] = field(repr=False)
    environment: tuple[tuple[str, str], ...] = field(repr=False)


class Outcome(NamedTuple):
    """An invocation's payload (JSON), whether it is an error, and what the function printed meanwhile."""

    payload: Any
    failed: bool
    output: str


@dataclass(frozen=True)
class Invocation:
    request_id: str
    arn: str
    event: bytes
    deadline: float
    trace: str


class _RuntimeApi(BaseHTTPRequestHandler):
    """The Lambda Runtime API of one environment: `next`, `response`, `error`, `init/error`."""

    protocol_version = "HTTP/1.1"
    # Headers and body leave in one segment; otherwise each answer waits 40 ms for a delayed acknowledgement, twice.
    wbufsize = -1
    disable_nagle_algorithm = True
    environment: "Environment"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.environment.happened.put(("next", b""))
        invocation = self.environment.asked.get()
        if invocation is None:
            return
        self._answer(
            200,
            invocation.event,
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
                "Lambda-Runtime-Trace-Id": invocation.trace,
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        what = "init error" if self.path.endswith("/init/error") else self.path.rsplit("/", 1)[1]
        self.environment.happened.put((what, body))
        self._answer(202, b"{}", {"Content-Type": "application/json"})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class Environment:
    """One execution environment: a process of the runtime client, its Runtime API, and its output."""

    def __init__(self, function: Deployed, python: Path, code: Path, variables: Mapping[str, str], log: Path) -> None:
        self.function = function
        self.asked: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self.happened: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._ready = False
        self._output = bytearray()
        self._reading = threading.Lock()
        self._log = log.open("ab", buffering=0)
        api = type("RuntimeApi", (_RuntimeApi,), {"environment": self})
        self._api = ThreadingHTTPServer(("127.0.0.1", 0), api)
        self._api.daemon_threads = True
        threading.Thread(target=self._api.serve_forever, name=f"{function.name}-api", daemon=True).start()
        self._process = subprocess.Popen(
            [python, "-P", "-c", RUNTIME, function.handler],
            env={**variables, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_port}"},
            cwd=code,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C is for the emulator to act on
        )
        assert self._process.stdout is not None  # noqa: S101 - tells mypy what PIPE means
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        threading.Thread(target=self._read_output, name=f"{function.name}-output", daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def invoke(self, request_id: str, arn: str, event: Any, trace: str) -> Outcome:
        """One invocation; afterwards an environment that is not `alive` must not be used again."""
        if not self._ready:
            what, body = self._wait(time.monotonic() + INIT_SECONDS)
            if what != "next":
                return self._failed(request_id, what, body, INIT_SECONDS)
            self._ready = True
        timeout = self.function.timeout
        self.asked.put(Invocation(request_id, arn, json.dumps(event).encode(), time.time() + timeout, trace))
        what, body = self._wait(time.monotonic() + timeout)
        if what != "response" or len(body) > RESPONSE_BYTES:
            return self._failed(request_id, what, body, timeout)
        self._settle()
        return Outcome(json.loads(body or b"null"), False, self._take_output())

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.asked.put(None)
        threading.Thread(target=self._end_api, name=f"{self.function.name}-end", daemon=True).start()

    def _end_api(self) -> None:
        self._api.shutdown()  # takes up to half a second
        self._api.server_close()

    def _wait(self, until: float) -> tuple[str, bytes]:
        try:
            return self.happened.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return "timeout", b""

    def _settle(self) -> None:
        """Wait until the runtime asks for more work: what the invocation printed is then in the pipe."""
        what, _ = self._wait(time.monotonic() + 1)
        if what != "next":
            self.stop()

    def _failed(self, request_id: str, what: str, body: bytes, timeout: float) -> Outcome:
        error: dict[str, Any]
        if what == "error":
            error = json.loads(body)
            self._settle()
        elif what == "init error":
            error = json.loads(body)
            self.stop()
        elif what == "timeout":
            said = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
            error = {"errorType": "Sandbox.Timedout", "errorMessage": said}
            self.stop()
        elif what == "response":
            said = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes)."
            error = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": said}
            self._settle()
        else:
            said = f"RequestId: {request_id} Error: Runtime exited with error: {body.decode()}"
            error = {"errorType": "Runtime.ExitError", "errorMessage": said}
        output = self._take_output()
        if what in {"timeout", "exit"}:
            output += error["errorMessage"] + "\n"
        return Outcome(error, True, output)

    def _read_output(self) -> None:
        ready = select.poll()
        ready.register(self._pipe, select.POLLIN | select.POLLHUP)
        while True:
            ready.poll()
            with self._reading:
                if not self._keep_chunk():
                    break
        code = self._process.wait()
        self._log.close()
        self.happened.put(("exit", (f"exit status {code}" if code >= 0 else f"signal: {-code}").encode()))

    def _keep_chunk(self) -> bool:
        """Move what the pipe holds into the output; false at its end. The caller holds the reading lock."""
        try:
            chunk = os.read(self._pipe, 1 << 16)
        except BlockingIOError:
            return True
        self._output += chunk
        self._log.write(chunk)
        return bool(chunk)

    def _take_output(self) -> str:
        with self._reading:
            if not self._log.closed:
                self._keep_chunk()
            text = self._output.decode(errors="replace")
            self._output.clear()
            return text


@dataclass
class _Pool:
    """A function's environments; a new deployment makes a new pool and retires this one."""

    function: Deployed
    slots: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(ENVIRONMENTS_PER_FUNCTION)
    )
    idle: list[Environment] = field(default_factory=list)
    retired: bool = False


class Functions:
    """All execution environments of the emulator."""

    def __init__(self, python: Path, folder: Path, endpoint: str) -> None:
        self._python = python
        self._folder = folder
        self._endpoint = endpoint
        self._pools: dict[tuple[str, str], _Pool] = {}
        self._running: set[Environment] = set()
        self._lock = threading.Lock()
        self._closed = False
        (folder / "functions").mkdir(parents=True, exist_ok=True)

    def invoke(
        self, function: Deployed, variables: Mapping[str, str], request_id: str, arn: str, event: Any, trace: str
    ) -> Outcome:
        """Run one invocation, asked for by `arn`, waiting for a free environment if need be."""
        pool = self._pool(function)
        with pool.slots:
            environment = self._environment(pool, variables)
            outcome = environment.invoke(request_id, arn, event, trace)
            self._give_back(pool, environment)
            return outcome

    def close(self) -> None:
        """End every process that runs a function."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, set()
        for environment in running:
            environment.stop()

    def _pool(self, function: Deployed) -> _Pool:
        with self._lock:
            pool = self._pools.get((function.name, function.version))
            if pool is not None and pool.function == function:
                return pool
            self._pools[function.name, function.version] = new = _Pool(function)
            idle = []
            if pool is not None:
                pool.retired = True
                idle, pool.idle = pool.idle, []
                self._running.difference_update(idle)
        for environment in idle:
            environment.stop()
        return new

    def _environment(self, pool: _Pool, variables: Mapping[str, str]) -> Environment:
        with self._lock:
            if self._closed:
                raise RuntimeError("the emulator is ending")
            while pool.idle:
                if (environment := pool.idle.pop()).alive:
                    return environment
                self._running.discard(environment)
        function = pool.function
        task = self._unpacked(function.code)
        layers = [self._unpacked(layer) / "python" for layer in function.layers]
        day = time.strftime("%Y/%m/%d", time.gmtime())
        all_variables = {
            **of_ours(),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join(map(str, [task, *layers])),
            "LAMBDA_TASK_ROOT": str(task),
            "_HANDLER": function.handler,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{day}/[{function.version}]{uuid.uuid4().hex}",
            "AWS_ENDPOINT_URL": self._endpoint,
            **variables,
        }
        log = self._folder / "functions" / f"{function.name}.log"
        with self._lock:
            if self._closed:
                raise RuntimeError("the emulator is ending")
            environment = Environment(function, self._python, task, all_variables, log)
            self._running.add(environment)
        return environment

    def _give_back(self, pool: _Pool, environment: Environment) -> None:
        with self._lock:
            if environment.alive and not pool.retired:
                pool.idle.append(environment)
                return
            self._running.discard(environment)
        environment.stop()

    def _unpacked(self, archive: bytes) -> Path:
        """The archive's folder, unpacked once for all environments (read-only by convention, as /var/task is)."""
        folder = self._folder / "code" / hashlib.sha256(archive).hexdigest()[:20]
        with self._lock:
            if not folder.is_dir():
                unfinished = folder.with_suffix(".unfinished")
                zipfile.ZipFile(io.BytesIO(archive)).extractall(unfinished)
                unfinished.rename(folder)
        return folder
