"""One system Chromium for all browser tests; without it they are skipped, in one line a file."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.visitor import Meet, Visitor
from tests.live_service import LiveService

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
STAY_AT_HOME = [
    "--no-sandbox",  # containers run as root and lack what the sandbox needs
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-pings",
    "--disable-features=LocalNetworkAccessChecks",  # a page that a test makes up seems to come from elsewhere
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is not None:
        return
    skip = pytest.mark.skip("no Chromium on PATH: nothing was tested in a browser (Debian: apt-get install chromium)")
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=STAY_AT_HOME)
        yield chromium
        chromium.close()


@pytest.fixture
def meet(browser: Browser, live: LiveService) -> Iterator[Meet]:
    """Make a Visitor; keyword arguments are those of a browser context, and `language`."""
    met: list[Visitor] = []

    def one(language: str = "en", **options: Any) -> Visitor:
        context = browser.new_context(**options)
        context.set_default_timeout(15_000)
        met.append(Visitor(context, live, language))
        return met[-1]

    yield one
    for visitor in met:
        visitor.context.close()
    assert [error for visitor in met for error in visitor.broke] == []
