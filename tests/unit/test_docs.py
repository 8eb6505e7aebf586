"""The pages about the code stay true to it: citations resolve, lines are short, every name is one that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "local/**/*.md", "tests/**/*.md", "ops/**/*.md")
    for path in ROOT.glob(pattern)
)
CODE = sorted(
    path
    for room in ("layers/landing/landing", "functions", "local", "ops", "tests")
    for path in ROOT.glob(f"{room}/**/*.py")
)
WIDTH = 120
NOT_YET_WRAPPED = {"CHANGELOG.md", "README.md", "decisions.md", "operations.md", "security.md"}

CITATION = re.compile(r"flinks\.md((?:[ ,]+(?:and )?§\d+(?:\.\d+)?)+)")


def sections_of(page: str) -> set[str]:
    """What can be cited: the numbered headings, and the numbered points below one without subsections."""
    sections: set[str] = set()
    for line in page.splitlines():
        if heading := re.match(r"#+ §([\d.]+) ", line):
            chapter = heading[1]
            sections.add(chapter)
        elif point := re.match(r"(\d+)\. ", line):
            sections.add(f"{chapter}.{point[1]}")
    return sections


def citations_in(path: Path) -> set[str]:
    return {section for cited in CITATION.findall(path.read_text()) for section in re.findall(r"§([\d.]*\d)", cited)}


def prose_of(page: str) -> list[str]:
    """The lines that can be wrapped: no table, no code."""
    outside = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    return [line for line in outside.splitlines() if not line.startswith(("|", "    "))]


def test_whatever_the_code_cites_of_flinks_stands_in_the_page() -> None:
    sections = sections_of((ROOT / "docs/flinks.md").read_text())

    cited = {section: path for path in (*CODE, *PAGES) for section in citations_in(path)}

    assert len(cited) > 15  # the citations are found
    assert {section: path for section, path in cited.items() if section not in sections} == {}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in NOT_YET_WRAPPED], ids=lambda page: str(page.relative_to(ROOT))
)
def test_prose_is_wrapped(page: Path) -> None:
    assert [line for line in prose_of(page.read_text()) if len(line) > WIDTH] == []
