"""`python -m local up` and `python -m local demo`."""

import argparse
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from local import demo
from local.aws.alarm_watch import tell_of_alarms
from local.aws.deployment import DeploymentError
from local.process import NotReady
from local.stack import ROOT, Stack

ALARMS_EVERY = 5
"""Seconds."""


def say(line: str) -> None:
    print(f"  {line}", flush=True)


def up(folder: Path) -> None:
    description = folder / "stack.json"
    if _is_up(description):
        raise SystemExit(f"A stack is up already: {os.path.relpath(description)} describes it. End that one first.")
    with Stack(folder / "up", say) as stack:
        try:
            _write_private(description, json.dumps(stack.description(), indent=2))
            say(f"described in {os.path.relpath(description)} (removed at the end); Ctrl-C ends it")
            alarms = dict[str, str]()
            while True:
                time.sleep(ALARMS_EVERY)
                alarms = tell_of_alarms(alarms, stack.alarms_on(), say)
        finally:
            description.unlink(missing_ok=True)


def _is_up(description: Path) -> bool:
    """Whether somebody still answers where the description says; one who was killed leaves the file behind."""
    try:
        address = urlsplit(json.loads(description.read_text())["awsEndpointUrl"])
        socket.create_connection((address.hostname or "", address.port or 0), timeout=2).close()
    except (OSError, ValueError, KeyError):
        return False
    return True


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all: who waits for the file must not read half of it."""
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="The whole service on this machine: emulator, Flinks' simulator, the real template and artifacts.",
        epilog="Environment: FLINKS_API_URL, FLINKS_CUSTOMER_ID, FLINKS_SECRET_KEY, FLINKS_API_KEY point it at another"
        " Flinks; POLL_SECONDS is the pause between two polls; IDENTITY_PROVIDER: whose tokens ours are like.",
    )
    parser.add_argument("what", choices=["up", "demo"], help="up: until Ctrl-C. demo: one connection, then the end.")
    parser.add_argument("--folder", type=Path, default=ROOT / ".local", help="where up writes (default: .local)")
    arguments = parser.parse_args()
    what: str = arguments.what
    # A shell's background job inherits an ignored SIGINT; it shall end us all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    try:
        if what == "up":
            up(arguments.folder)
        else:
            demo.run(say)
    except KeyboardInterrupt:
        say("ended")
        raise SystemExit(130) from None
    except (DeploymentError, NotReady, demo.DemoFailed) as error:
        print(f"{what} failed: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain as it ends
        raise SystemExit(128 + signal.SIGPIPE) from None


main()
