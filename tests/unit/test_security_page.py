"""docs/security.md is of this template and of these tests."""

import re
from pathlib import Path

import pytest

from tests.processed_template import ROOT
from tests.security_page import PAGE, made

PAGES = (PAGE, ROOT / "SECURITY.md")


def test_the_tables_are_made_from_the_template() -> None:
    assert made(PAGE.read_text()) == PAGE.read_text()


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:unit|integration|chaos|browser)/[\w/]+\.py)`", PAGE.read_text()))

    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / "tests" / name).exists()] == []


def test_every_way_in_has_something_that_stops_it_and_a_test() -> None:
    model = PAGE.read_text().split("| Way in |")[1].split("\n\n")[0].splitlines()[2:]

    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in model]

    assert len(rows) >= 12
    assert all(len(row) == 3 and all(row) and ".py`" in row[2] for row in rows)


def test_every_control_is_met_or_excused() -> None:
    controls = PAGE.read_text().split("| Control |")[1].split("\n\n")[0].splitlines()[2:]

    assert len(controls) >= 15
    assert [line for line in controls if not re.search(r"\| (met|excused)", line)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([\w-]+))?\)", text):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        titles = [line.lstrip("# ") for line in file.read_text().splitlines() if line.startswith("#")]
        headings = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
        assert not anchor or anchor in headings, anchor
