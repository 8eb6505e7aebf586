"""What a repository has that people can join: workflows that may do little, pinned actions, the lint tools."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_an_action_is_named_by_its_digest_with_the_release_beside_it(path: Path) -> None:
    used = [line.split("uses: ")[1] for line in path.read_text().splitlines() if "uses: " in line]

    assert used
    assert [each for each in used if not re.fullmatch(rf"{PINNED.pattern} # v\d+\.\d+\.\d+", each)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_the_code_and_nothing_else(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())

    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "permissions" in job] == []
    assert [s for s in steps(workflow) if "checkout" in s.get("uses", "") and s["with"]["persist-credentials"]] == []
    assert "secrets." not in path.read_text()


def test_all_tests_run_on_both_architectures_with_a_browser_and_what_needs_no_stack_on_macos() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    everything, macos = workflow["jobs"]["everything"], workflow["jobs"]["macos"]

    commands = [step.get("run", "") for step in everything["steps"]]
    assert {each["architecture"] for each in everything["strategy"]["matrix"]["include"]} == {"x86_64", "arm64"}
    assert "make test" in commands
    assert any("playwright install --with-deps chromium" in each for each in commands)
    assert any(each.startswith("make build ARCHITECTURE=") for each in commands)
    assert macos["runs-on"].startswith("macos")


def test_what_runs_before_a_commit_is_what_make_lint_runs() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    recipe = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]

    tools = {re.findall(r"test/bin/([\w-]+)", hook["entry"])[0] for hook in repository["hooks"]}
    assert repository["repo"] == "local"
    assert tools == set(re.findall(r"test/bin/([\w-]+)", recipe))


def test_the_licence_is_said_to_be_open() -> None:
    assert "The licence is open" in " ".join((ROOT / "README.md").read_text().split())
    assert list(ROOT.glob("LICEN[CS]E*")) == []
