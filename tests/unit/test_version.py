"""One version, said in one place: the template's output. Whoever else says it has read it there."""

import json
import re
import subprocess
import tomllib
import urllib.request
from pathlib import Path

from local.page import Page
from ops.asyncapi import asyncapi
from ops.version import version
from tests.processed_template import source

ROOT = Path(__file__).parents[2]
SEMANTIC = re.compile(r"\d+\.\d+\.\d+")


def test_the_stack_says_which_version_it_is() -> None:
    assert source()["Outputs"]["Version"]["Value"] == version()
    assert SEMANTIC.fullmatch(version())


def test_the_tool_says_it() -> None:
    said = subprocess.run([ROOT / "bin/landing", "--version"], capture_output=True, text=True, check=True)

    assert said.stdout == f"flinks-landing {version()}\n"


def test_the_landing_page_says_what_is_deployed() -> None:
    with Page(lambda _: "a token") as page:
        page.serve("http://127.0.0.1:1", version="7.8.9")
        with urllib.request.urlopen(f"{page.url}config.json", timeout=5) as answer:  # noqa: S310 - loopback
            config = json.load(answer)

    assert config["version"] == "7.8.9"
    assert "version }" in (ROOT / "local/page/page.js").read_text()


def test_the_contracts_and_the_changelog_say_it() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]|^To become (\d+\.\d+\.\d+)", changelog, re.MULTILINE)

    assert asyncapi()["info"]["version"] == version()
    assert newest is not None
    assert version() in newest.groups()


def test_nobody_else_says_another() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert "version" not in project
    assert project["dynamic"] == ["version"]
