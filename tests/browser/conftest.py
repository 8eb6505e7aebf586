"""One system Chromium for all browser tests; without it they are skipped, in one line."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

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
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on PATH, so nothing was tested in a browser (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=STAY_AT_HOME)
        yield chromium
        chromium.close()


@pytest.fixture
def meet(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Meet]:
    """Make a Visitor; keyword arguments are those of a browser context, and `language`."""
    # Asked for here, so that a run without a browser does not start a stack to skip its tests.
    live: LiveService = request.getfixturevalue("live")
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
