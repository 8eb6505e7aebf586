"""docs/aws.md leaves out no rule that the local world knows, and names nothing that is not there."""

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ops import ledger
from ops.ledger import Question, Rule

ROOT = Path(__file__).parents[2]
RULES = ledger.rules()
QUESTIONS = ledger.questions()
TEMPLATE_NAMES = set(re.findall(r"^  (\w+):", (ROOT / "template.yaml").read_text(), re.MULTILINE))


def promises_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def restored() -> dict[str, list[str]]:
    """`{module of local/aws: the rules that its docstring lists}`."""
    modules = {path: ast.get_docstring(ast.parse(path.read_text())) or "" for path in ROOT.glob("local/aws/*.py")}
    return {
        path.name: [
            " ".join(rule.split()).rstrip(";.")
            for rule in re.findall(r"^\* (.+?)(?=\n\* |\n\n|\Z)", said, re.MULTILINE | re.DOTALL)
        ]
        for path, said in modules.items()
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says[:50])
def test_a_rule_has_a_source_and_somebody_who_leans_on_it_and_is_held(rule: Rule) -> None:
    assert rule.source
    assert rule.leaned_on_by
    assert rule.tests or rule.questions


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says[:50])
def test_what_holds_a_rule_is_there(rule: Rule) -> None:
    missing = [f"{file}::{test}" for file, test in rule.tests if test not in promises_of(file)]

    assert missing == []
    assert set(rule.questions) <= {question.id for question in QUESTIONS}


def test_no_rule_stands_twice_and_no_question_is_asked_for_nothing() -> None:
    ids = [question.id for question in QUESTIONS]

    assert len({rule.says for rule in RULES}) == len(RULES)
    assert sorted(set(ids)) == sorted(ids)
    assert {asked for rule in RULES for asked in rule.questions} == set(ids)


def test_every_rule_that_all_stand_ins_are_asked_for_is_in_the_ledger() -> None:
    contract = "tests/integration/test_world_contract.py"
    named = {test for rule in RULES for file, test in rule.tests if file == contract}
    about_itself = "test_every_deviation_is_of_a_test_below_and_none_is_the_worlds_own"

    assert promises_of(contract) - named == {about_itself}


@pytest.mark.parametrize("module", [name for name, rules in restored().items() if rules])
def test_every_rule_that_a_module_of_the_local_stack_restores_is_in_the_ledger(module: str) -> None:
    assert set(restored()[module]) - {rule.says for rule in RULES} == set()


def test_modules_that_list_no_rules_are_named() -> None:
    of_the_stack_itself = {"__init__.py", "__main__.py", "deployment.py", "emulator.py"}
    unlisted = {name for name, rules in restored().items() if not rules} - of_the_stack_itself

    assert {name for name in unlisted if f"`local/aws/{name}`" not in ledger.PAGE.read_text()} == set()
    assert len(unlisted) < len(restored()) / 2  # the lists are found


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_a_question_can_be_asked_of_a_deployment(question: Question) -> None:
    named = set(re.findall(r"\$\((?:physical|output) (\w+)\)", question.ask))
    words = set(re.findall(r"\$\((\w+) |\$\{?(\w+)", question.ask))

    assert question.expect
    assert named <= TEMPLATE_NAMES
    assert {word for pair in words for word in pair if word} <= {
        "physical",
        "output",
        "aws",
        "STACK",
        "AWS_REGION",
        "default",
    }
    assert shlex.split(question.ask)[0] in ("aws", "curl")  # what ops/questions.py understands


def test_the_questions_are_printed_for_a_program_to_ask() -> None:
    run = subprocess.run([sys.executable, "-m", "ops.ledger"], cwd=ROOT, capture_output=True, text=True, check=True)

    printed = [json.loads(line) for line in run.stdout.splitlines()]

    assert [each["id"] for each in printed] == [question.id for question in QUESTIONS]
    assert all(each.keys() == {"id", "ask", "expect"} for each in printed)
