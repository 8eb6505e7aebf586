"""bin/landing import: a file is checked as a whole and nothing of it is quoted; portions are throttled and repeated."""

import io
import json
from typing import Any

import pytest

from ops import imports, orders
from ops.imports import Done, Line, bring, read
from ops.orders import NotDone

GUID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
OTHER = "9a0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
HEAD = "loginId,owner,institution,receivedAt\n"
TARGET: Any = None


def of_csv(text: str) -> tuple[list[Line], list[str]]:
    lines, mistakes = read(io.StringIO(text, newline=""), "csv")
    return lines, [str(each) for each in mistakes]


def of_json(text: str) -> tuple[list[Line], list[str]]:
    lines, mistakes = read(io.StringIO(text), "jsonl")
    return lines, [str(each) for each in mistakes]


def test_csv_and_json_lines_say_the_same() -> None:
    csv, _ = of_csv(f'{HEAD}{GUID.upper()},alice,"Bank, of X",2025-11-03T09:30:00Z\n{OTHER},bob,,\n')
    first = {"loginId": GUID, "owner": "alice", "institution": "Bank, of X", "receivedAt": "2025-11-03T09:30:00Z"}
    json_lines, _ = of_json(f'{json.dumps(first)}\n\n{{"loginId": "{OTHER}", "owner": "bob", "institution": null}}\n')

    assert [dict(line.login) for line in csv] == [first, {"loginId": OTHER, "owner": "bob"}]
    assert [line.login for line in json_lines] == [line.login for line in csv]
    assert [line.number for line in csv] == [2, 3]


def test_one_login_of_one_owner_is_brought_once() -> None:
    lines, mistakes = of_csv(f"{HEAD}{GUID},alice,,\n{GUID.upper()},alice,,\n{GUID},bob,,\n")

    assert [line.number for line in lines] == [2, 4]
    assert mistakes == []


WRONG = {
    "no GUID": (f"{HEAD}CANARY,alice,,\n", ["line 2: loginId must be a GUID: 8-4-4-4-12 hexadecimal digits."]),
    "no owner": (f"{HEAD}{GUID},,,\n", ["line 2: owner is missing."]),
    "a day only": (f"{HEAD}{GUID},a,,2025-11-03\n", ["line 2: receivedAt must be a time of the past"]),
    "tomorrow": (f"{HEAD}{GUID},a,,2999-11-03T00:00:00Z\n", ["line 2: receivedAt must be a time of the past"]),
    "too few columns": (f"{HEAD}{GUID},a\n", ["line 2: must have 4 columns."]),
    "a column misspelt": (f"loginid,owner\n{GUID},a\n", ["line 1: there is a column that nobody knows. Did you mean"]),
    "no head": (f"{GUID},CANARY\n", ["line 1: there is a column that nobody knows. There are loginId"]),
    "half a head": (f"loginId\n{GUID}\n", ["line 1: the first line must name the columns"]),
    "an open quote": (f'{HEAD}"CANARY\n', ["line 2: cannot be read as CSV"]),
    "nothing": (HEAD, ["line 1: there is nothing in the file."]),
    "several": (f"{HEAD}CANARY,,,\n{GUID},a,,CANARY\n", ["line 2: loginId", "line 2: owner", "line 3: receivedAt"]),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
def test_every_mistake_is_named_by_line_and_member_and_nothing_is_quoted(text: str, told: list[str]) -> None:
    _, mistakes = of_csv(text)

    assert len(mistakes) == len(told)
    assert all(mistake.startswith(begin) for mistake, begin in zip(mistakes, told, strict=True))
    assert "CANARY" not in "".join(mistakes)
    assert GUID not in "".join(mistakes)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("CANARY", "line 1: must be one JSON object."),
        ("[]", "line 1: must be one JSON object."),
        ('{"loginID": "CANARY", "owner": "a"}', "line 1: there is a column that nobody knows. Did you mean loginId?"),
        ('{"loginId": 5, "owner": "a"}', "line 1: loginId must be a GUID: 8-4-4-4-12 hexadecimal digits."),
        (f'{{"loginId": "{GUID}", "owner": 5}}', "line 1: owner must be a text of 1 to 256 characters."),
        (f'{{"loginId": "{GUID}", "owner": "a", "institution": []}}', "line 1: institution must be a text."),
    ],
)
def test_a_json_line_that_is_wrong_is_named_too(line: str, told: str) -> None:
    assert of_json(line + "\n") == ([], [told])


class Function:
    """import_logins as the tool sees it: keeps each login once, and may fail as it is told."""

    def __init__(self) -> None:
        self.here: set[tuple[str, str]] = set()
        self.orders: list[int] = []
        self.dies_at: set[int] = set()
        self.refuses_first: int = 0

    def __call__(self, _: Any, __: str, order: dict[str, Any]) -> dict[str, Any]:
        self.orders.append(len(order["logins"]))
        said = []
        for login in order["logins"]:
            if self.refuses_first:
                self.refuses_first -= 1
                said.append({"outcome": "not_done"})
                continue
            key = login["loginId"], login["owner"]
            said.append({"outcome": "already_here" if key in self.here else "imported", "connectionId": "con_x"})
            self.here |= set() if order["dryRun"] else {key}
        if len(self.orders) in self.dies_at:
            raise NotDone("died")
        return {"logins": said}


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Function:
    function = Function()
    monkeypatch.setattr(orders, "invoke", function)
    return function


def some(count: int) -> list[Line]:
    return [Line(n, {"loginId": f"{n:08x}-0000-4000-8000-000000000000", "owner": "alice"}) for n in range(count)]


def run(lines: list[Line], *, dry_run: bool = False, slept: list[float] | None = None) -> tuple[Any, list[Done]]:
    heard: list[Done] = []
    sleeps: list[float] = [] if slept is None else slept
    counts = bring(
        TARGET, lines, ticket="T-7", fetch="now", dry_run=dry_run, per_second=5, heard=heard.append, sleep=sleeps.append
    )
    return counts, heard


def test_portions_leave_time_for_others_between_them(function: Function) -> None:
    slept: list[float] = []

    counts, _ = run(some(60), slept=slept)

    assert counts == {"imported": 60}
    assert function.orders == [25, 25, 10]
    assert [round(each) for each in slept] == [5, 5, 2]


def test_a_dry_run_does_not_wait(function: Function) -> None:
    slept: list[float] = []

    run(some(60), dry_run=True, slept=slept)

    assert slept == []
    assert function.here == set()


def test_what_aws_did_not_serve_is_ordered_again(function: Function) -> None:
    function.refuses_first = 3

    counts, heard = run(some(10))

    assert counts == {"imported": 10}
    assert function.orders == [10, 3]
    assert sorted(each.number for each in heard) == list(range(10))


def test_a_portion_whose_function_died_is_ordered_again_and_nothing_is_there_twice(function: Function) -> None:
    function.dies_at = {1}

    counts, _ = run(some(10))

    assert counts == {"already_here": 10}
    assert len(function.here) == 10


def test_a_run_that_broke_off_is_repeated_from_the_beginning_and_brings_each_once(function: Function) -> None:
    function.dies_at = {3, 4, 5}
    with pytest.raises(NotDone):
        run(some(100))
    function.dies_at = set()

    counts, _ = run(some(100))

    assert counts["imported"] + counts["already_here"] == 100
    assert len(function.here) == 100
    assert imports.TRIES == 3
