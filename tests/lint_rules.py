"""Rules of our own for what ships, in `make lint`: secrets leak through libraries, so what they say stays unsaid.

python -m tests.lint_rules      exits with 1 where a rule is broken, and names file, line and rule
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHIPPED = ("layers/landing/landing", "functions")
SECRETS = {
    "login_id",
    "request_id",
    "token",
    "secret_key",
    "api_key",
    "sub",
    "owner",
    "body",
    "headers",
    "event",
    "url",
}
"""Names of what must be in no log line, repr or exception: secrets, who somebody is, and what may hold either."""
LOGS = {"debug", "info", "warning", "error", "critical", "exception"}
MAY_SAY_AN_ERROR = {
    ("edge/bodies.py", "_as"): "a ValueError of our own rules",
    ("edge/bodies.py", "parsed"): "to be put into our own words, and dropped",
    ("error_names.py", "name_of"): "a Defect, whose message is ours",
}
"""Who may read what an exception says, and why."""

type Rule = Callable[[ast.AST, str], Iterator[tuple[int, str]]]
type Found = tuple[str, int, str]


def logs_say_constants_and_safe_names(tree: ast.AST, _: str) -> Iterator[tuple[int, str]]:
    for call in _calls(tree):
        if not (isinstance(call.func, ast.Attribute) and call.func.attr in LOGS and _is_logger(call.func.value)):
            continue
        if call.func.attr == "exception" or any(word.arg in ("exc_info", "stack_info") for word in call.keywords):
            yield call.lineno, "a log line has no traceback: its last line quotes what a library was given"
        if not (call.args and isinstance(call.args[0], ast.Constant)):
            yield call.lineno, "a log line begins with a constant text"
        said = [*call.args[1:], *(word.value for word in call.keywords)]
        names = {_last_name(each) for value in said for each in ast.walk(value)} | {word.arg for word in call.keywords}
        for name in sorted(SECRETS & names - {None}, key=str):
            yield call.lineno, f"a log line does not say `{name}`"


def an_exception_is_named_and_not_quoted(tree: ast.AST, file: str) -> Iterator[tuple[int, str]]:
    for function in _functions(tree):
        if (file, function.name) in MAY_SAY_AN_ERROR:
            continue
        caught = {each.name for each in ast.walk(function) if isinstance(each, ast.ExceptHandler) and each.name}
        for node in ast.walk(function):
            quoted: list[ast.expr] = []
            if isinstance(node, ast.FormattedValue):
                quoted = [node.value]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("str", "repr"):
                quoted = [*node.args]
            for each in quoted:
                if not (isinstance(each, ast.Name) and each.id in caught):
                    continue
                yield each.lineno, "an exception is named (`name_of`), not quoted: it may hold a URL or an input"


def http_is_the_wires_alone(tree: ast.AST, file: str) -> Iterator[tuple[int, str]]:
    for call in _calls(tree):
        called = ast.unparse(call.func)
        if called.count(".") == 1 and called.startswith("requests.") and called != "requests.Request":
            yield call.lineno, "requests is used below its Session (flinks/wire.py), which follows and trusts too much"
        for word in call.keywords:
            if word.arg == "verify" and isinstance(word.value, ast.Constant) and word.value.value is False:
                yield call.lineno, "certificates are checked"
    if file != "flinks/wire.py":
        imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in imported:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            if any(name.split(".")[0] in ("requests", "urllib3", "http") and name != "http" for name in names):
                yield node.lineno, "only flinks/wire.py speaks HTTP"


def every_write_to_a_table_has_a_condition(tree: ast.AST, _: str) -> Iterator[tuple[int, str]]:
    for call in _calls(tree):
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("put_item", "update_item", "delete_item"):
            given = {word.arg for word in call.keywords}
            if not given & {"ConditionExpression"}:
                yield call.lineno, "a write to a table has a condition"


def what_is_secret_has_no_repr(tree: ast.AST, _: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(each) for each in node.decorator_list):
            for each in node.body:
                if isinstance(each, ast.AnnAssign) and ast.unparse(each.target) in SECRETS - {"owner", "url"}:
                    said = ast.unparse(each.value) if each.value else ""
                    if "repr=False" not in said:
                        yield each.lineno, f"`{ast.unparse(each.target)}` is in no repr: field(repr=False)"


RULES: tuple[Rule, ...] = (
    logs_say_constants_and_safe_names,
    an_exception_is_named_and_not_quoted,
    http_is_the_wires_alone,
    every_write_to_a_table_has_a_condition,
    what_is_secret_has_no_repr,
)


def broken_in(source: str, file: str) -> list[tuple[int, str]]:
    """Line and rule, for each that `source` breaks; `file` is its name below its folder."""
    tree = ast.parse(source)
    return sorted(found for rule in RULES for found in rule(tree, file))


def broken() -> Iterator[Found]:
    for folder in SHIPPED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for line, rule in broken_in(path.read_text(), str(path.relative_to(ROOT / folder))):
                yield str(path.relative_to(ROOT)), line, rule


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _is_logger(value: ast.AST) -> bool:
    return _last_name(value) in ("logger", "log", "_logger", "logging")


def _last_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def main() -> int:
    found = list(broken())
    for file, line, rule in found:
        sys.stdout.write(f"{file}:{line}: {rule}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
