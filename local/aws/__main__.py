"""The emulator as a process: `python -m local.aws --lambda-python PATH --folder DIR`, until SIGTERM or orphaned."""

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TextIO

from local.process import of_ours

ACCOUNT_ID = "123456789012"
REGION = "ca-central-1"
ROOT = {"accessKeyId": "LOCALROOTACCESSKEY00", "secretAccessKey": "local-root-secret"}
PARENT_CHECK_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.aws", description=__doc__)
    parser.add_argument("--lambda-python", type=Path, required=True, help="the interpreter that runs functions")
    parser.add_argument("--folder", type=Path, required=True, help="where logs and unpacked functions go")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    arguments = parser.parse_args()
    parent = os.getppid()
    folder: Path = arguments.folder.resolve()
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    listener = socket.create_server(("127.0.0.1", arguments.port))
    port: int = listener.getsockname()[1]
    api_listener = socket.create_server(("127.0.0.1", 0))
    announce = os.fdopen(os.dup(1), "w")
    _write_everything_to(folder / "emulator.log")
    _forget_the_environment(folder, port)
    # Absolute, but not resolved: a virtual environment's interpreter is a link, and the link is what makes it one.
    python: Path = arguments.lambda_python.absolute()
    asyncio.run(_serve(listener, api_listener, python, folder, parent, announce))
    logging.shutdown()
    os._exit(0)  # the emulator's threads wait for nothing worth waiting for


def _write_everything_to(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())


def _forget_the_environment(folder: Path, port: int) -> None:
    """Keep the developer's proxies, AWS profile, keys and Docker out; configure the emulator (it reads at import)."""
    kept = of_ours("PATH", "LANG", "LC_ALL")
    os.environ.clear()
    os.environ.update(
        kept,
        TMPDIR=str(folder / "tmp"),
        STATE_DIR=str(folder / "tmp"),
        DOCKER_HOST=f"unix://{folder}/no-docker.sock",
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="localhost",
        MINISTACK_REGION=REGION,
        MINISTACK_ACCOUNT_ID=ACCOUNT_ID,
        AWS_DEFAULT_REGION=REGION,
        AWS_ACCESS_KEY_ID=ROOT["accessKeyId"],
        AWS_SECRET_ACCESS_KEY=ROOT["secretAccessKey"],
        AUTH="true",
        SFTP_ENABLED="0",
        IOT_MTLS_ENABLED="0",
    )


async def _serve(
    listener: socket.socket,
    api_listener: socket.socket,
    python: Path,
    folder: Path,
    parent: int,
    announce: TextIO,
) -> None:
    from hypercorn.asyncio import serve  # noqa: PLC0415 - like all below: they read the environment when imported
    from hypercorn.config import Config  # noqa: PLC0415

    from local.aws.emulator import Emulator  # noqa: PLC0415

    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    api_port: int = api_listener.getsockname()[1]
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)

    async def end_with_parent() -> None:
        while os.getppid() == parent:  # noqa: ASYNC110 - no event tells of a parent's end
            await asyncio.sleep(PARENT_CHECK_SECONDS)
        end.set()

    def ready() -> None:
        print(
            json.dumps(
                {
                    "url": url,
                    "apiUrl": f"http://127.0.0.1:{api_port}",
                    "region": REGION,
                    "accountId": ACCOUNT_ID,
                    "credentials": ROOT,
                }
            ),
            file=announce,
            flush=True,
        )

    emulator = Emulator(url, api_port, python, folder, ready)
    watch = asyncio.create_task(end_with_parent())
    config = Config()
    config.bind = [f"fd://{listener.fileno()}", f"fd://{api_listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.2

    async def ended() -> None:
        await end.wait()
        await asyncio.to_thread(emulator.close)

    await serve(emulator, config, shutdown_trigger=ended)
    watch.cancel()


main()
