"""What a frontend is given: one module as it is, and a guide that explains every refusal."""

import re
from pathlib import Path

from landing.edge.web import ProblemType

FRONTEND = Path(__file__).parents[2] / "docs" / "frontend"


def test_the_guide_explains_every_problem_with_its_status() -> None:
    guide = (FRONTEND / "guide.md").read_text()

    explained = dict(re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", guide, re.MULTILINE))

    assert explained == {problem.slug: str(problem.status.value) for problem in ProblemType}


def test_the_module_can_be_read_in_one_sitting_and_needs_nothing() -> None:
    module = (FRONTEND / "connect.js").read_text()

    assert len(module.splitlines()) <= 250
    assert not re.search(r"\bimport\b|\brequire\b", module)
    assert not re.search(r"\bconsole\b|\b(local|session)Storage\b|\bcookie\b|\bindexedDB\b", module)
