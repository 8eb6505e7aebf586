"""Start and warm calls of a handler inside AWS's own runtime client, which fetches its work from us."""

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.processed_template import ROOT

WARM_CALLS = 60
HANDLERS = {
    "ours": ("functions/receive_login", "app.lambda_handler"),
    "bare boto3": (".", "tests.benchmarks.handlers.bare.lambda_handler"),
    "Powertools": (".", "tests.benchmarks.handlers.powertools.lambda_handler"),
    "FastAPI": (".", "tests.benchmarks.handlers.fastapi_mangum.lambda_handler"),
}
NEXT = {
    "Aws-Request-Id": "1",
    "Deadline-Ms": str(int((time.time() + 900) * 1000)),
    "Invoked-Function-Arn": "arn:aws:lambda:ca-central-1:000000000000:function:f",
    # Not sampled, as 19 of 20 are by X-Ray's default.
    "Trace-Id": "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0",
}
EVENT = {
    "version": "2.0",
    "routeKey": "POST /connections",
    "rawPath": "/connections",
    "rawQueryString": "",
    "headers": {"content-type": "application/json"},
    "requestContext": {
        "requestId": "c3RyYWlnaHQ=",
        "domainName": "127.0.0.1",
        "http": {"method": "POST", "path": "/connections", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
        "stage": "$default",
        "authorizer": {"jwt": {"claims": {"sub": "user-8841"}, "scopes": None}},
    },
    "body": json.dumps({"loginId": "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"}),
    "isBase64Encoded": False,
}


@dataclass(frozen=True)
class Measured:
    """CPU seconds of one environment; `warm` for each call."""

    init: float
    first: float
    warm: float


class _RuntimeApi(BaseHTTPRequestHandler):
    """Gives the same event again and again, and tells when it is asked for the next one."""

    asked: "queue.SimpleQueue[None]"
    go_on: "queue.SimpleQueue[None]"
    answers: list[bytes]

    def do_GET(self) -> None:
        self.asked.put(None)
        self.go_on.get()
        body = json.dumps(EVENT).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        for name, value in NEXT.items():
            self.send_header(f"Lambda-Runtime-{name}", value)
        self.send_header("Content-Length", str(len(body)))
        with suppress(OSError):  # who asked last has been ended
            self.end_headers()
            self.wfile.write(body)

    def do_POST(self) -> None:
        self.answers.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(202)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None: ...


def measure(name: str, url: str, authorities: Path) -> Measured:
    """One environment from its start to its last warm call. Each call must answer 202."""
    folder, handler = HANDLERS[name]
    with _runtime_api() as (api, address):
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, _path(ROOT / folder))),
            "AWS_LAMBDA_RUNTIME_API": address,
            "LAMBDA_TASK_ROOT": str(ROOT / folder),  # without it the tracer stays off
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_LOG_GROUP_NAME": "f",
            "AWS_LAMBDA_LOG_STREAM_NAME": "f",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "key",
            "AWS_REGION": "ca-central-1",
            "AWS_DEFAULT_REGION": "ca-central-1",
            "AWS_ENDPOINT_URL": url,
            "AWS_CA_BUNDLE": str(authorities),
            "POWERTOOLS_METRICS_NAMESPACE": "benchmark",
            "POWERTOOLS_SERVICE_NAME": "benchmark",
            **dict.fromkeys(("CONNECTIONS_TABLE", "SESSIONS_TABLE", "LOGIN_KEY_ARN", "INDEX_KEY_ARN"), "name"),
            **dict.fromkeys(("FETCHES_PER_HOUR", "FETCHES_PER_CONNECTION"), "100000"),
        }
        python = ROOT / ".venvs/lambda/bin/python"
        run = subprocess.Popen(
            [python, "-m", "awslambdaric", handler], cwd=ROOT / folder, env=environment, stdout=subprocess.DEVNULL
        )
        try:
            marks = [_cpu_at_next(api, run)]
            for calls in (1, WARM_CALLS):
                for _ in range(calls):
                    api.go_on.put(None)
                    used = _cpu_at_next(api, run)
                marks.append(used)
        finally:
            run.kill()
            run.wait()
            api.go_on.put(None)
        assert [json.loads(answer)["statusCode"] for answer in api.answers] in (
            [202] * (1 + WARM_CALLS),
            [200] * (1 + WARM_CALLS),
        ), api.answers[0]
    return Measured(marks[0], marks[1] - marks[0], (marks[2] - marks[1]) / WARM_CALLS)


def _path(function: Path) -> list[Path]:
    sites = [next((ROOT / f".venvs/{name}/lib").glob("python3*/site-packages")) for name in ("test", "benchmark")]
    return [function, ROOT / "layers/landing", ROOT, *sites]  # what both have, all take from the first


def _cpu_at_next(api: type[_RuntimeApi], run: "subprocess.Popen[bytes]") -> float:
    api.asked.get(timeout=20)
    of_the_process = ~run.pid << 3 | 2  # clock_getcpuclockid(3), as Linux makes it: ended threads count too
    return time.clock_gettime(of_the_process)


@contextmanager
def _runtime_api() -> Iterator[tuple[type[_RuntimeApi], str]]:
    api = type(
        "RuntimeApi", (_RuntimeApi,), {"asked": queue.SimpleQueue(), "go_on": queue.SimpleQueue(), "answers": []}
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), api)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield api, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
