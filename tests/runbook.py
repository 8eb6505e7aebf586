"""The commands of docs/operations.md, as a person reads them there: in code blocks and in the sentences."""

import re
import shlex
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs/operations.md").read_text()
SAMPLE = "con_4kx2q7mzr3v5wt6yb6nhcjdpae"
"""The connection of the page's examples."""


def commands(page: str = PAGE) -> list[list[str]]:
    """What follows `bin/landing`, each once, in the page's order."""
    blocks = re.findall(r"^ *bin/landing (.+)$", page, re.MULTILINE)
    spans = re.findall(r"`bin/landing ([^`]+)`", page)
    found = [tuple(shlex.split(" ".join(each.split()))) for each in (*blocks, *spans)]
    return [list(each) for each in dict.fromkeys(found) if "COMMAND" not in each]
