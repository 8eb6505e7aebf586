"""The part of DynamoDB's expression language that the service and its readers write; all else is a syntax error.

Conditions: `AND`, `OR`, brackets, `attribute_exists`, `attribute_not_exists`, `IN`, and a path compared with a value by
`=`, `<`, `<=`, `>=`. Updates: `SET path = :value`, `ADD path :number`, `REMOVE path`. Paths go through maps, not into
lists.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path as File
from typing import Any

type Value = dict[str, Any]  # one typed attribute value, such as {"S": "text"}
type Item = dict[str, Value]
type Node = tuple[Any, ...]  # ("AND", node, ...), ("<", path, ":v"), ("attribute_exists", path), ...
type Path = tuple[str, ...]

TOKEN = re.compile(r"\s*([#:]?[A-Za-z_0-9]+|<=|>=|[=<(),.])")
COMPARISONS = ("=", "<", "<=", ">=")
EXISTENCE = ("attribute_exists", "attribute_not_exists")
ORDERED = {"S", "N", "B"}


class ExpressionError(Exception):
    """What AWS refuses with a ValidationException; the message is for the reader of a red test."""


class Sum(str):
    """A value to be added to what is there, not set."""

    __slots__ = ()


@dataclass(frozen=True)
class Parsed:
    tree: Any
    placeholders: frozenset[str]


@lru_cache(1)
def reserved_words() -> frozenset[str]:
    spec = find_spec("moto")
    assert spec
    assert spec.origin
    words = File(spec.origin).parent / "dynamodb/parsing/reserved_keywords.txt"  # AWS's list, as moto keeps it
    return frozenset(words.read_text().upper().split())


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        position, text = 0, text.rstrip()
        while position < len(text):
            if not (match := TOKEN.match(text, position)):
                raise ExpressionError(f"Syntax error near {text[position : position + 12]!r}")
            self.tokens.append(match[1])
            position = match.end()

    def peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, *expected: str) -> str:
        token = self.peek()
        if not token or (expected and token not in expected):
            raise ExpressionError(f"Syntax error; token: {token!r}, expected: {expected}")
        return self.tokens.pop(0)

    def condition(self) -> Node:
        return self._joined("OR", lambda: self._joined("AND", self._term))

    def update(self) -> dict[Path, str | None]:
        """By path, the value to set, or a Sum; None removes."""
        changes: dict[Path, str | None] = {}
        parts = {"SET": self._assignment, "ADD": self._addition, "REMOVE": self._removal}
        while self.peek():
            part = parts.pop(self.take(*parts))
            for path, value in self._several(part):
                if any(path[: len(other)] == other[: len(path)] for other in changes):
                    raise ExpressionError("Two document paths overlap with each other")
                changes[path] = value
        return changes

    def _joined(self, word: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self.peek() == word:
            self.take()
            parts.append(part())
        return (word, *parts) if len(parts) > 1 else parts[0]

    def _several[T](self, part: Callable[[], T]) -> list[T]:
        parts = [part()]
        while self.peek() == ",":
            self.take()
            parts.append(part())
        return parts

    def _term(self) -> Node:
        if self.peek() == "(":
            return self._bracketed(self.condition)
        if self.peek() in EXISTENCE:
            return (self.take(), self._bracketed(self._path))
        path, operator = self._path(), self.take(*COMPARISONS, "IN")
        if operator == "IN":
            return ("IN", path, *self._bracketed(lambda: self._several(self._value)))
        return (operator, path, self._value())

    def _bracketed[T](self, inner: Callable[[], T]) -> T:
        self.take("(")
        node = inner()
        self.take(")")
        return node

    def _removal(self) -> tuple[Path, str | None]:
        return self._path(), None

    def _assignment(self) -> tuple[Path, str | None]:
        path = self._path()
        self.take("=")
        return path, self._value()

    def _addition(self) -> tuple[Path, str | None]:
        return self._path(), Sum(self._value())

    def _value(self) -> str:
        token = self.take()
        if not token.startswith(":"):
            raise ExpressionError(f"Syntax error; token: {token!r}, expected: a value")
        return token

    def _path(self) -> Path:
        steps = [self._name()]
        while self.peek() == ".":
            self.take()
            steps.append(self._name())
        return tuple(steps)

    def _name(self) -> str:
        token = self.take()
        if not re.fullmatch(r"#?[A-Za-z_]\w*", token):
            raise ExpressionError(f"Syntax error; token: {token!r}, expected: a name")
        if token.upper() in reserved_words():
            raise ExpressionError(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return token


@lru_cache(1024)
def parse(kind: str, text: str) -> Parsed:
    """Parse a `condition` or an `update`; raises ExpressionError."""
    parser = _Parser(text)
    placeholders = frozenset(token for token in parser.tokens if token[0] in "#:")
    tree = parser.update() if kind == "update" else parser.condition()
    if parser.peek():
        raise ExpressionError(f"Syntax error; token: {parser.peek()!r}")
    return Parsed(tree, placeholders)


class Evaluation:
    """Expressions with their placeholders filled in, on one item."""

    def __init__(self, item: Item, names: Mapping[str, str], values: Mapping[str, Value]) -> None:
        self.item = item
        self.names = names
        self.values = values

    def steps(self, path: Path) -> Path:
        return tuple(self.names[step] if step.startswith("#") else step for step in path)

    def holds(self, node: Node) -> bool:
        match node:
            case ("AND", *parts):
                return all(map(self.holds, parts))
            case ("OR", *parts):
                return any(map(self.holds, parts))
            case ("attribute_exists", path):
                return find(self.item, self.steps(path)) is not None
            case ("attribute_not_exists", path):
                return find(self.item, self.steps(path)) is None
            case ("IN", path, *choices):
                return find(self.item, self.steps(path)) in [self.values[choice] for choice in choices]
        operator, path, value = node
        return compare(operator, find(self.item, self.steps(path)), self.values[value])

    def updated(self, changes: Mapping[Path, str | None], keys: frozenset[str]) -> Item:
        """The item after the update; the one before stays as it is."""
        item = dict(self.item)
        for path, value in changes.items():
            *above, last = self.steps(path)
            if (first := [*above, last][0]) in keys:
                raise ExpressionError(f"Cannot update attribute {first}. This attribute is part of the key")
            inside = item
            for step in above:
                if "M" not in inside.get(step, {}):
                    raise ExpressionError("The document path provided in the update expression is invalid for update")
                inside[step] = {"M": dict(inside[step]["M"])}
                inside = inside[step]["M"]
            before = inside.pop(last, {"N": "0"})
            if isinstance(value, Sum):
                inside[last] = added(before, self.values[value])
            elif value is not None:
                inside[last] = copied(self.values[value])
        return item


def added(before: Value, value: Value) -> Value:
    """Numbers only: DynamoDB adds to sets too, and nothing of ours does."""
    if set(before) != {"N"} or set(value) != {"N"}:
        raise ExpressionError("An operand in the update expression has an incorrect data type")
    return {"N": number(Decimal(before["N"]) + Decimal(value["N"]))}


def find(item: Item, steps: Path) -> Value | None:
    value: Any = {"M": item}
    for step in steps:
        value = value.get("M", {}).get(step)
        if value is None:
            return None
    found: Value = value
    return found


def compare(operator: str, left: Value | None, right: Value) -> bool:
    """Compare as DynamoDB does: what is missing or of another type is not equal, and comes neither before nor after."""
    if operator == "=" or left is None:
        return left == right
    [(kind, a)], [(other, b)] = left.items(), right.items()
    if kind != other or kind not in ORDERED:
        return False
    a, b = (Decimal(a), Decimal(b)) if kind == "N" else (a, b)
    return bool(a < b if operator == "<" else a <= b if operator == "<=" else a >= b)


def number(value: Decimal | str) -> str:
    """Write a number as DynamoDB keeps it: no leading or trailing zeros, no exponent for what is usual."""
    text = format(Decimal(value), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def copied[T](value: T) -> T:
    """A deep copy of JSON-like data, several times faster than `copy.deepcopy`."""
    kind = type(value)
    if kind is dict:
        return {k: copied(v) for k, v in value.items()}  # type: ignore[attr-defined,return-value]  # a dict for a dict
    if kind is list:
        return [copied(v) for v in value]  # type: ignore[attr-defined,return-value]  # a list for a list
    return value
