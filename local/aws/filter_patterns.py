"""CloudWatch Logs' filter patterns, as far as our runbook and metric filters use them.

Restores, since the emulator answers every pattern with every line (CloudWatch Logs user guide, "Filter pattern
syntax"):

* `"some words"` and `word word`: all of them stand in the line; `?word ?"some words"`: one of them does;
* `{ $.member = "text" }`, with `*` for any text at an end of it, `!=`, numbers with `=`, `!=`, `<`, `>`, `<=`, `>=`;
  comparisons joined by `&&` and `||`, with parentheses.

A pattern in another shape is a ValueError: CloudWatch knows more than this, and a pattern that we cannot read must not
look as if it matched nothing.
"""

import json
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

type Matches = Callable[[str], bool]

_TERM = re.compile(r'\s*(?P<either>\?)?(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s"{}?\[\]%-][^\s"]*))')
_TOKEN = re.compile(
    r"""\s*(?:(?P<and>&&)|(?P<or>\|\|)|(?P<open>\()|(?P<close>\))|(?P<member>\$\.[A-Za-z0-9_.]+)
    |(?P<compare>!=|<=|>=|=|<|>)|"(?P<text>[^"]*)"|(?P<number>-?\d+(?:\.\d+)?)(?=[\s)}&|]|$))""",
    re.VERBOSE,
)
_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def compiled(pattern: str) -> Matches:
    """What says of a line whether `pattern` selects it. Raises ValueError for a shape that is not modelled."""
    text = pattern.strip()
    if not text:
        return lambda _: True
    if text.startswith("{"):
        if not text.endswith("}"):
            raise ValueError("a JSON pattern ends with a brace")
        test = _Json(text[1:-1]).read()
        return lambda line: _of_json(test, line)
    return _of_terms(text)


def _of_terms(text: str) -> Matches:
    every: list[str] = []
    some: list[str] = []
    at = 0
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None:
            raise ValueError("a term of words cannot be read")
        word = re.sub(r"\\(.)", r"\1", term["quoted"]) if term["quoted"] is not None else term["word"]
        (some if term["either"] else every).append(word)
        at = term.end()
        while at < len(text) and text[at].isspace():
            at += 1
    return lambda line: all(word in line for word in every) and (not some or any(word in line for word in some))


def _of_json(test: Callable[[Any], bool], line: str) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return False
    return isinstance(said, dict) and test(said)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


class _Json:
    """Reads comparisons joined by `&&`, which binds more tightly, and `||`."""

    def __init__(self, text: str) -> None:
        self._tokens = list(self._split(text))

    @staticmethod
    def _split(text: str) -> Iterator[_Token]:
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise ValueError("a JSON pattern cannot be read")
            yield _Token(found.lastgroup, found[found.lastgroup])
            at = found.end()

    def read(self) -> Callable[[Any], bool]:
        test = self._either()
        if self._tokens:
            raise ValueError("a JSON pattern goes on after its end")
        return test

    def _either(self) -> Callable[[Any], bool]:
        tests = [self._both()]
        while self._next_is("or"):
            self._tokens.pop(0)
            tests.append(self._both())
        return lambda said: any(test(said) for test in tests)

    def _both(self) -> Callable[[Any], bool]:
        tests = [self._one()]
        while self._next_is("and"):
            self._tokens.pop(0)
            tests.append(self._one())
        return lambda said: all(test(said) for test in tests)

    def _one(self) -> Callable[[Any], bool]:
        if self._next_is("open"):
            self._tokens.pop(0)
            test = self._either()
            self._take("close")
            return test
        path = self._take("member").removeprefix("$.").split(".")
        compare = self._take("compare")
        value = self._tokens.pop(0) if self._tokens else _Token("nothing", "")
        if value.kind == "number":
            return lambda said: _compares(_member(said, path), compare, float(value.text))
        if value.kind != "text" or compare not in {"=", "!="}:
            raise ValueError("a member is compared with a text or a number")
        return lambda said: _is_like(_member(said, path), value.text) is (compare == "=")

    def _next_is(self, kind: str) -> bool:
        return bool(self._tokens) and self._tokens[0].kind == kind

    def _take(self, kind: str) -> str:
        if not self._next_is(kind):
            raise ValueError(f"a JSON pattern lacks its {kind}")
        return self._tokens.pop(0).text


def _member(said: Any, path: list[str]) -> Any:
    for name in path:
        said = said.get(name) if isinstance(said, dict) else None
    return said


def _is_like(value: Any, text: str) -> bool:
    if value is None or isinstance(value, dict | list):
        return False
    shown = value if isinstance(value, str) else json.dumps(value)
    return fnmatchcase(shown, re.sub(r"([\[?])", r"[\1]", text))


def _compares(value: Any, compare: str, number: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return _NUMBERS[compare](float(value), number)
