"""Ask what is known against the packages we pin: `make audit`, or `python -m ops.audit PIP_AUDIT REQUIREMENTS...`.

Exits with 0 when nothing is known of any of them, with 1 when something is, and with 3 when not all could be asked
about: pip-audit skips what its index does not know, and would call that clean.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLEAN, FOUND, NOT_ASKED = 0, 1, 3
SECONDS = 300


@dataclass
class Known:
    """What was found in one file of requirements."""

    asked: set[str] = field(default_factory=set)
    against: list[str] = field(default_factory=list)
    """One line for each vulnerability."""


def main(pip_audit: str, files: Iterable[str]) -> int:
    worst = CLEAN
    for file in files:
        pinned, known = pinned_in(Path(file).read_text()), ask(pip_audit, file)
        missing = sorted(pinned - known.asked)
        if known.against:
            say(f"{file}: {len(known.against)} known vulnerabilities")
            for line in known.against:
                say(f"  {line}")
            worst = max(worst, FOUND)
        if missing:
            count = f"{len(missing)} of {len(pinned)} packages"
            say(f"{file}: {count} could not be asked about, {missing[0]} for one. Is this machine offline?")
            worst = NOT_ASKED
        elif not known.against:
            say(f"{file}: nothing is known against its {len(pinned)} packages")
    return worst


def pinned_in(requirements: str) -> set[str]:
    return {normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", requirements, re.MULTILINE)}


def ask(pip_audit: str, file: str) -> Known:
    """What pip-audit tells of a file; nothing was asked where it tells nothing that can be read."""
    quietly = ["--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    command = [pip_audit, "--requirement", file, "--require-hashes", "--disable-pip", "--strict", *quietly]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)  # noqa: S603 - ours
        told: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return Known()
    known = Known()
    for each in told:
        if "vulns" in each:  # else it was skipped
            known.asked.add(normal(each["name"]))
            known.against += [f"{each['name']} {each['version']}: {vuln['id']}" for vuln in each["vulns"]]
    return known


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
