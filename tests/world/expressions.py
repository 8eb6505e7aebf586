"""DynamoDB's expression language: parse once, evaluate on items of typed attribute values."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path as File
from typing import Any

type Value = dict[str, Any]  # one typed attribute value, such as {"S": "text"}
type Item = dict[str, Value]
type Node = tuple[Any, ...]  # ("and", left, right), ("path", ...), ("value", ":v"), ...
type Steps = tuple[str | int, ...]

TOKEN = re.compile(r"\s*(?:([#:]?[A-Za-z_0-9]+)|(<>|<=|>=|[=<>(),.+\-\[\]]))")
COMPARISONS = {"=", "<>", "<", "<=", ">", ">="}
CONDITIONS = {  # function: how many operands it takes
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}
NOT_REACHED = "The document path provided in the update expression is invalid for update"
NO_ATTRIBUTE = "The provided expression refers to an attribute that does not exist in the item"
ORDERED = {"S", "N", "B"}


class ExpressionError(Exception):
    """What AWS refuses with a ValidationException; the message is for the reader of a red test."""


@dataclass(frozen=True)
class Parsed:
    tree: Any
    names: frozenset[str]
    values: frozenset[str]


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
            self.tokens.append(match[1] or match[2])
            position = match.end()
        if not self.tokens:
            raise ExpressionError("The expression can not be empty")
        self.names: set[str] = set()
        self.values: set[str] = set()
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.peek()
        if not token or (expected and token.upper() not in expected):
            raise ExpressionError(f"Syntax error; token: {token!r}, expected: {expected}")
        self.at += 1
        return token

    def taken(self, *tokens: str) -> str:
        return self.take().upper() if self.peek().upper() in tokens else ""

    def end(self, tree: Any) -> Parsed:
        if self.peek():
            raise ExpressionError(f"Syntax error; token: {self.peek()!r}")
        return Parsed(tree, frozenset(self.names), frozenset(self.values))

    def disjunction(self) -> Node:
        node = self.conjunction()
        while self.taken("OR"):
            node = ("or", node, self.conjunction())
        return node

    def conjunction(self) -> Node:
        node = self.negation()
        while self.taken("AND"):
            node = ("and", node, self.negation())
        return node

    def negation(self) -> Node:
        if self.taken("NOT"):
            return ("not", self.negation())
        if self.taken("("):
            node = self.disjunction()
            self.take(")")
            return node
        if (function := self.peek()) in CONDITIONS and self.peek(1) == "(":
            return self.call(function, CONDITIONS[function])
        left = self.operand()
        if self.taken("BETWEEN"):
            low = self.operand()
            self.take("AND")
            return ("between", left, low, self.operand())
        if self.taken("IN"):
            self.take("(")
            return ("in", left, *self.operands())
        return (self.take(*COMPARISONS), left, self.operand())

    def call(self, function: str, arity: int) -> Node:
        self.at += 2
        arguments = tuple(self.operands())
        if len(arguments) != arity:
            raise ExpressionError(f"Incorrect number of operands for operator or function: {function}")
        return (function, *arguments)

    def operands(self) -> Iterator[Node]:
        yield self.operand()
        while self.take(",", ")") == ",":
            yield self.operand()

    def operand(self) -> Node:
        token = self.peek()
        if token.startswith(":"):
            self.values.add(self.take())
            return ("value", token)
        if self.peek(1) == "(" and token in {"size", "if_not_exists", "list_append"}:
            return self.call(token, 1 if token == "size" else 2)
        return self.path()

    def path(self) -> Node:
        steps: list[str | int] = [self.name()]
        while self.peek() in {".", "["}:
            if self.take() == ".":
                steps.append(self.name())
            else:
                steps.append(int(self.take()))
                self.take("]")
        return ("path", *steps)

    def name(self) -> str:
        token = self.take()
        if token.startswith("#"):
            self.names.add(token)
        elif not re.fullmatch(r"[A-Za-z_]\w*", token):
            raise ExpressionError(f"Syntax error; token: {token!r}")
        elif token.upper() in reserved_words():
            raise ExpressionError(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return token

    def projection(self) -> Iterator[Node]:
        yield self.path()
        while self.taken(","):
            yield self.path()

    def clauses(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        while self.peek():
            if (clause := self.take("SET", "REMOVE", "ADD", "DELETE").upper()) in found:
                raise ExpressionError(f'The "{clause}" section can only be used once in an update expression')
            found[clause] = [self.action(clause)]
            while self.taken(","):
                found[clause].append(self.action(clause))
        return found

    def action(self, clause: str) -> Node:
        path = self.path()
        if clause == "REMOVE":
            return (path, None)
        if clause == "SET":
            self.take("=")
            right = self.operand()
            if sign := self.taken("+", "-"):
                right = (sign, right, self.operand())
            return (path, right)
        return (path, self.operand())


@lru_cache(1024)
def parse(kind: str, text: str) -> Parsed:
    """Parse a `condition`, an `update` or a `projection`; raises ExpressionError."""
    parser = _Parser(text)
    if kind == "update":
        return parser.end(parser.clauses())
    return parser.end(tuple(parser.projection()) if kind == "projection" else parser.disjunction())


class Evaluation:
    """Expressions with their placeholders filled in, on one item (None: there is no such item)."""

    def __init__(self, item: Item | None, names: Mapping[str, str], values: Mapping[str, Value]) -> None:
        self.item: Item = item or {}
        self.names = names
        self.values = values

    def steps(self, path: Node) -> Steps:
        return tuple(self.names[s] if isinstance(s, str) and s.startswith("#") else s for s in path[1:])

    def value(self, node: Node) -> Value | None:
        match node:
            case ("path", *_):
                return find(self.item, self.steps(node))
            case ("value", name):
                return self.values[name]
            case ("size", inner):
                found = self.value(inner)
                return None if found is None else {"N": str(len(next(iter(found.values()))))}
            case ("if_not_exists", path, other):
                return found if (found := self.value(path)) is not None else self.value(other)
        left, right = self.value(node[1]), self.value(node[2])
        if left is None or right is None:
            raise ExpressionError(NO_ATTRIBUTE)
        if node[0] == "list_append":
            return {"L": [*left["L"], *right["L"]]}
        if "N" not in left or "N" not in right:
            raise ExpressionError(f"Incorrect operand type for operator or function: {node[0]}")
        sign = 1 if node[0] == "+" else -1
        return {"N": number(Decimal(left["N"]) + sign * Decimal(right["N"]))}

    def holds(self, node: Node) -> bool:  # noqa: C901 - one case per word of the language
        match node:
            case ("and", left, right):
                return self.holds(left) and self.holds(right)
            case ("or", left, right):
                return self.holds(left) or self.holds(right)
            case ("not", inner):
                return not self.holds(inner)
            case ("attribute_exists", path):
                return self.value(path) is not None
            case ("attribute_not_exists", path):
                return self.value(path) is None
            case ("attribute_type", path, kind):
                return (self.value(kind) or {})["S"] in (self.value(path) or {})
            case ("in", left, *choices):
                return any(compare("=", self.value(left), self.value(choice)) for choice in choices)
            case ("between", left, low, high):
                middle = self.value(left)
                return compare(">=", middle, self.value(low)) and compare("<=", middle, self.value(high))
            case (operator, left, right) if operator in COMPARISONS:
                return compare(operator, self.value(left), self.value(right))
            case (function, left, right):
                return includes(self.value(left), self.value(right), at_start=function == "begins_with")
        raise ExpressionError(f"not a condition: {node}")

    def project(self, paths: tuple[Node, ...]) -> Item:
        kept: Item = {}
        for path in paths:
            if (found := self.value(path)) is not None:
                steps = self.steps(path)
                target: Any = kept
                for step in steps[:-1]:  # of a list, only whole elements are kept by this world
                    target = target.setdefault(step, {"M": {}})["M"]
                target[steps[-1]] = found
        return kept

    def updated(self, clauses: dict[str, list[Node]], keys: frozenset[str]) -> Item:
        """Return the item after the update; every right-hand side sees the item as it was before."""
        paths = [self.steps(path) for actions in clauses.values() for path, _ in actions]
        for index, path in enumerate(paths):
            if path[0] in keys:
                raise ExpressionError(f"Cannot update attribute {path[0]}. This attribute is part of the key")
            if any(path[: len(other)] == other or other[: len(path)] == path for other in paths[:index]):
                raise ExpressionError("Two document paths overlap with each other")
        changes = [
            (self.steps(path), self._changed(clause, path, right))
            for clause, actions in clauses.items()
            for path, right in actions
        ]
        item = dict(self.item)
        for steps, value in changes:
            first = str(steps[0])
            if len(steps) > 1 and first in item:
                item[first] = copied(item[first])  # the old item stays as it is
            _assign(item, steps, value)
        return item

    def _changed(self, clause: str, path: Node, right: Node | None) -> Value | None:
        """Return what the action leaves at its path; None removes it."""
        given = None if right is None else self.value(right)
        if clause == "REMOVE":
            return None
        if given is None:
            raise ExpressionError(NO_ATTRIBUTE)
        if clause == "SET":
            return given
        [(kind, operand)] = given.items()
        before = self.value(path)
        if kind not in ({"N", "SS", "NS", "BS"} if clause == "ADD" else {"SS", "NS", "BS"}) or (
            before is not None and kind not in before
        ):
            raise ExpressionError(f"Incorrect operand type for operator or function: {clause}")
        if before is None:
            return given if clause == "ADD" else None
        if kind == "N":
            return {"N": number(Decimal(before["N"]) + Decimal(operand))}
        if clause == "ADD":
            return {kind: sorted({*before[kind], *operand})}
        return {kind: kept} if (kept := sorted(set(before[kind]) - set(operand))) else None


def find(item: Item, steps: Steps) -> Value | None:
    value: Any = {"M": item}
    for step in steps:
        inside = value.get("M" if isinstance(step, str) else "L")
        if inside is None or (step not in inside if isinstance(step, str) else step >= len(inside)):
            return None
        value = inside[step]
    found: Value = value
    return found


def _assign(item: Item, steps: Steps, value: Value | None) -> None:
    parent = find(item, steps[:-1]) if steps[:-1] else {"M": item}
    last = steps[-1]
    inside: Any = (parent or {}).get("M" if isinstance(last, str) else "L")
    if inside is None:
        raise ExpressionError(NOT_REACHED)
    if isinstance(last, str):
        inside.pop(last, None)
        if value is not None:
            inside[last] = copied(value)
    else:  # past its end a list is extended, never padded
        inside[last : last + 1] = [] if value is None else [copied(value)]


def compare(operator: str, left: Value | None, right: Value | None) -> bool:
    """Compare as DynamoDB does: what is missing or of another type is only ever 'not equal'."""
    if operator in {"=", "<>"}:
        return (left is not None and left == right) == (operator == "=")
    if left is None or right is None:
        return False
    [(kind, a)], [(other, b)] = left.items(), right.items()
    if kind != other or kind not in ORDERED:
        return False
    a, b = (Decimal(a), Decimal(b)) if kind == "N" else (a, b)
    smaller, same = bool(a < b), bool(a == b)
    return {"<": smaller, "<=": smaller or same, ">": not (smaller or same), ">=": not smaller}[operator]


def includes(whole: Value | None, part: Value | None, *, at_start: bool) -> bool:
    if whole is None or part is None:
        return False
    [(kind, content)], [(part_kind, piece)] = whole.items(), part.items()
    if at_start:
        return kind == part_kind and kind in {"S", "B"} and bool(content.startswith(piece))
    if kind == "L":
        return part in content
    return part_kind in kind and piece in content  # S in S, B in B, or a member of SS, NS, BS


def number(value: Decimal | str) -> str:
    """Write a number as DynamoDB keeps it: no leading or trailing zeros, no exponent for what is usual."""
    text = format(Decimal(value), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def copied[T](value: T) -> T:
    """A deep copy of JSON-like data, several times faster than `copy.deepcopy`."""
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}  # type: ignore[return-value]  # a dict for a dict
    if isinstance(value, list):
        return [copied(v) for v in value]  # type: ignore[return-value]  # a list for a list
    return value
