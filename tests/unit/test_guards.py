"""The list of guards is of this code: each stands where the list says, once, and its test is there (`make guards`)."""

import ast
from functools import cache

import pytest

from tests.guards.__main__ import ROOT, without
from tests.guards.listed import GUARDS, LAYER, Guard

AT_LEAST = 60


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@cache
def content_of(file: str) -> str:
    return (ROOT / file).read_text()


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.keeps)
def test_a_guard_stands_where_the_list_says_and_its_test_is_there(guard: Guard) -> None:
    taken_out = without(guard, content_of(guard.file))
    file, _, test = guard.test.partition("::")

    assert taken_out != content_of(guard.file)
    if guard.file.endswith(".py"):
        ast.parse(taken_out)
    assert test in names_in(file)


def test_no_guard_is_listed_twice() -> None:
    assert len({guard.keeps for guard in GUARDS}) == len(GUARDS) >= AT_LEAST
    assert len({(guard.file, guard.text, guard.instead) for guard in GUARDS}) == len(GUARDS)


@pytest.mark.parametrize("module", ["domain/transitions.py", "domain/erasing.py"])
def test_whatever_a_transition_expects_is_in_the_list(module: str) -> None:
    file, shared = f"{LAYER}/{module}", ("_fenced", "_fenced_erasing", "_unchanged")  # in the list where they are made
    guarded = [guard.text for guard in GUARDS if guard.file == file]
    nodes = list(ast.walk(ast.parse(content_of(file))))
    named = {ast.unparse(node.targets[0]): node.value for node in nodes if isinstance(node, ast.Assign)}
    made = [node.args[0] for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "Transition"]

    expected = [
        ast.get_source_segment(content_of(file), named.get(ast.unparse(each), each)) or ""
        for each in made
        if ast.unparse(each).split("(")[0] not in shared
    ]

    assert expected
    assert [each for each in expected if not any(text in each or each in text for text in guarded)] == []
