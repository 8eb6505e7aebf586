"""What each role asked IAM for and what it was told, as lines of JSON: which grants are used, and for what.

Not a rule of AWS, which shows the same in CloudTrail and in IAM's last-accessed data.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id

FILE = "authorizations.jsonl"
_lock = Lock()
_told: set[str] = set()
_file: Path | None = None


def install(folder: Path) -> None:
    """From now on, keep them in `folder`."""
    global _file  # noqa: PLW0603 - the emulator knows functions only
    _file = folder / FILE


def note(access_key: str, action: str, resource: str, conditions: Mapping[str, Any] | None, *, allowed: bool) -> None:
    """Keep a question of a role's session and its answer, each once."""
    role = _role(access_key)
    if _file is None or role is None:
        return
    asked = {"role": role, "action": action, "resource": resource, "conditions": dict(conditions or {})}
    line = json.dumps({**asked, "allowed": allowed}, sort_keys=True, default=str)
    with _lock:
        if line not in _told:
            _told.add(line)
            with _file.open("a") as file:
                file.write(f"{line}\n")


@cache
def _role(access_key: str) -> str | None:
    """The name of the role whose session this is; None for a user or the account itself."""
    principal = iam_evaluator.resolve_principal(access_key, get_account_id())
    arn = getattr(principal, "arn", "")
    return arn.split("/")[1] if ":assumed-role/" in arn else None
