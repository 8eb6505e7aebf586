"""The pages about the code stay true to it: citations resolve, lines are short, every name is one that exists."""

import re
from pathlib import Path

import pytest

from ops.states import arrows

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
LONGEST_MODULE = 400
NOT_YET_WRAPPED = {"CHANGELOG.md", "decisions.md", "operations.md", "security.md"}
LAYER = ROOT / "layers/landing/landing"
MAPS = [ROOT / name for name in ("README.md", "docs/architecture.md", "tests/README.md", "docs/contracts/README.md")]


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


def names_in(page: str) -> set[str]:
    """What a page names as a file or folder: in backticks or as a link, with a slash or an ending of ours."""
    said = re.findall(r"`([^`\s]+)`", page) + re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page)
    said += re.findall(r"src=\"([^\"]+)\"", page)
    files = re.compile(r"^\.?[\w-][\w./-]*(?:/|\.(?:py|md|yaml|toml|js|json|png|svg|sql))$|^\w+(?:/[\w.-]+)+$")
    return {name for name in said if files.match(name) and not name.startswith(".local/")}  # which a run makes


@pytest.mark.parametrize("page", MAPS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_map_names_is_there(page: Path) -> None:
    names = names_in(page.read_text())

    missing = [name for name in names if not any((base / name).exists() for base in (page.parent, ROOT, LAYER))]

    assert len(names) > 3  # the names are found
    assert missing == []


def test_every_module_of_the_layer_is_on_the_map() -> None:
    modules = {str(path.relative_to(LAYER)) for path in LAYER.rglob("*.py") if path.name != "__init__.py"}

    assert modules - names_in((ROOT / "docs/architecture.md").read_text()) == set()


def test_no_module_of_the_layer_is_longer_than_400_lines() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in LAYER.rglob("*.py")}

    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def is_drawn(line: str) -> bool:
    """Whether a line of a state diagram is an arrow, or a state by its name alone."""
    return " --> " in line or re.fullmatch(r"\w+", line) is not None


def moves_in(picture: str) -> set[tuple[str, str]]:
    """The arrows of a state diagram of mermaid, each between two states: a state that holds others stands for them."""
    holds: dict[str, set[str]] = {}
    around: list[str] = []
    drawn: set[tuple[str, str]] = set()
    for line in map(str.strip, picture.splitlines()):
        composite = re.match(r'state "[^"]+" as (\w+) \{', line)
        names = [composite[1]] if composite else re.findall(r"\w+", line.split(": ")[0]) if is_drawn(line) else []
        for outer in around:
            holds[outer].update(names)
        if composite:
            holds[composite[1]] = set()
            around.append(composite[1])
        elif line == "}":
            around.pop()
        elif len(names) == len(("before", "after")):
            drawn.add((names[0], names[1]))

    def within(name: str) -> set[str]:
        return {state for inner in holds[name] for state in within(inner)} if name in holds else {name}

    return {(before, after) for one, other in drawn for before in within(one) for after in within(other)}


def test_the_picture_of_the_states_has_the_arrows_of_the_rules() -> None:
    (picture,) = re.findall(r"```mermaid\n(stateDiagram.*?)```", (ROOT / "docs/architecture.md").read_text(), re.DOTALL)

    moves = {(arrow.before.value, arrow.after.value) for arrow in arrows() if arrow.before != arrow.after}

    assert moves_in(picture) == moves
