"""`python -m local up` and `python -m local demo`."""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

from local import demo
from local.aws.deployment import DeploymentError
from local.process import NotReady
from local.stack import ROOT, Stack

DESCRIPTION = ROOT / ".local" / "stack.json"


def say(line: str) -> None:
    print(f"  {line}", flush=True)


def up() -> None:
    if DESCRIPTION.exists():
        raise SystemExit(f"{DESCRIPTION} is there: is a stack up already? End it, or remove the file if none is.")
    with Stack(ROOT / ".local" / "up", say) as stack:
        try:
            _write_private(DESCRIPTION, json.dumps(stack.description(), indent=2))
            say(f"described in {DESCRIPTION.relative_to(ROOT)} (removed at the end); Ctrl-C ends it")
            while True:
                time.sleep(3600)
        finally:
            DESCRIPTION.unlink(missing_ok=True)


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
        " Flinks; POLL_SECONDS is the pause between two polls.",
    )
    parser.add_argument("what", choices=["up", "demo"], help="up: until Ctrl-C. demo: one connection, then the end.")
    what = parser.parse_args().what
    # A shell's background job inherits an ignored SIGINT; it shall end us all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    try:
        if what == "up":
            up()
        else:
            demo.run(say)
    except KeyboardInterrupt:
        say("ended")
        raise SystemExit(130) from None
    except (DeploymentError, NotReady, demo.DemoFailed) as error:
        print(f"{what} failed: {error}", file=sys.stderr)
        raise SystemExit(1) from None


main()
