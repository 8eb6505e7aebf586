"""What docs/aws.md says, as data: the rules of AWS with what holds each, and the questions that only AWS can answer.

`python -m ops.ledger` prints the questions, one line of JSON each: `{"id", "ask", "expect"}`, in the page's order.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/aws.md"


@dataclass(frozen=True)
class Rule:
    """`tests` are `(file, test)`, `questions` ids of `Question`: by these it is held, here and on a real account."""

    says: str
    source: str
    leaned_on_by: str
    tests: tuple[tuple[str, str], ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A command for bash, with the words of the runbook, and what a sound deployment answers."""

    id: str
    ask: str
    expect: str


def rules() -> list[Rule]:
    """Raises KeyError for a room that the page does not name a file for."""
    files = {room: file.split("`")[1] for room, file in _rows("| Room | File |")}
    return [_rule(cells, files) for cells in _rows("| Rule | Source | Who leans on it | Held by |")]


def questions() -> list[Question]:
    return [Question(id_, ask.strip("`"), expect) for id_, ask, expect in _rows("| Id | Ask | Expect |")]


def _rule(cells: list[str], files: dict[str, str]) -> Rule:
    tests: list[tuple[str, str]] = []
    asked: list[str] = []
    for part in cells[3].split("; "):
        room, _, names = part.partition(": ")
        if room == "AWS alone":
            asked += names.split(", ")
        else:
            tests += [(files[room], f"test_{name}") for name in names.split(", ")]
    return Rule(cells[0], cells[1], cells[2], tuple(tests), tuple(asked))


def _rows(head: str) -> Iterator[list[str]]:
    """The cells of every row below a table's head; a bar inside backticks is none between cells."""
    inside = False
    for line in PAGE.read_text().splitlines():
        inside = line == head or (inside and line.startswith("|"))
        if inside and line != head and not line.startswith("|---"):
            yield [cell.strip() for cell in re.split(r"\|(?=(?:[^`]*`[^`]*`)*[^`]*$)", line)[1:-1]]


def main() -> None:
    for question in questions():
        sys.stdout.write(json.dumps(asdict(question)) + "\n")


if __name__ == "__main__":
    main()
