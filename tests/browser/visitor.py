"""A person with a browser of her own at the landing page, and what her browser lets us see."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, FrameLocator, Page, Request, WebError

from tests.live_service import LiveService, eventually

# A page of a test's own, with one Connect in `connect`; `make()` gives another.
OWN_PAGE = """
import { Connect } from "./connect.js";
const { apiUrl } = await (await fetch("config.json")).json();
const getToken = async () => (await fetch("token?as=alice")).text();
const room = document.getElementById("connect");
window.make = (options) => new Connect(room, { apiUrl, getToken, ...options });
window.connect = make();
%s
document.getElementById("stage").dataset.state = "connecting";
"""

# Every event of connect.js, and every message of any window, as the page got them.
EARS = """
window.heard = [];
window.messages = 0;
addEventListener("message", () => { window.messages += 1; });
for (const name of ["connect:step", "connect:closed", "connect:error", "connection:status", "connection:ready",
                    "connection:action-required", "connection:failed"]) {
  document.addEventListener(name, ({ detail }) => heard.push({ name, detail: JSON.parse(JSON.stringify(detail)) }));
}
"""


class Visitor:
    """One app user; her tabs share a browser context. Her name is new, so that she finds no one else's connections."""

    def __init__(self, context: BrowserContext, live: LiveService, language: str = "en") -> None:
        self.name = f"visitor-{uuid.uuid4().hex[:12]}"
        self.context = context
        self.live = live
        self.said: list[str] = []  # on the console
        self.broke: list[str] = []  # exceptions that nothing caught
        self.requests: list[Request] = []
        self.address = f"{live.stack.page.url}?lang={language}"
        self._language = language
        context.add_init_script(EARS)
        context.on("console", self._note)
        context.on("request", self._count)
        context.on("weberror", self._note_error)
        token = live.stack.issuer.token(self.name)
        context.route("**/token?*", lambda route: route.fulfill(body=token))

    def _note(self, message: ConsoleMessage) -> None:
        self.said.append(message.text)

    def _note_error(self, error: WebError) -> None:
        self.broke.append(str(error.error))

    def _count(self, request: Request) -> None:
        self.requests.append(request)

    # --- what she does

    def arrive(self, query: str = "") -> Page:
        """A new tab, once the page knows what to show."""
        tab = self.context.new_page()
        tab.goto(self.address + query)
        tab.wait_for_selector("#stage:not([data-state=loading], [data-state=before])")
        return tab

    def runs(self, script: str) -> None:
        """Let the page be a bare one, with this script in the place of the landing page's."""
        body = OWN_PAGE % script
        self.context.route("**/page.js", lambda route: route.fulfill(body=body, content_type="text/javascript"))

    def open_connect(self, tab: Page) -> FrameLocator:
        tab.locator("#act").click()
        inside = tab.frame_locator("#connect iframe")
        inside.get_by_role("button").first.wait_for()
        return inside

    def sign_in(self, tab: Page, username: str, *, straight: bool = False) -> None:
        """All of Connect, for a user who is asked no question; she shares all her accounts. `straight`: at her bank."""
        tab.bring_to_front()  # a tab behind another draws, and so clicks, slowly
        inside = self.open_connect(tab)
        inside.get_by_role("button").first.click()  # consent
        if not straight:
            inside.get_by_role("button", name="Flinks Capital").click()
        inside.locator("#username").fill(username)
        inside.locator("#password").fill("Everyday")
        inside.locator("button[type=submit]").click()
        inside.get_by_role("checkbox").first.wait_for()
        for account in inside.get_by_role("checkbox").all():
            account.check()
        inside.locator("button[type=submit]").click()

    # --- what can be seen

    def sees(self, tab: Page, state: str) -> None:
        """Wait until the stage shows `state`."""
        tab.wait_for_selector(f"#stage[data-state={state}]", timeout=30_000)

    def waits(self, tab: Page, look: Callable[[], object], what: str) -> None:
        """Until `look` finds something. Nothing of a browser reaches us while we sleep, so it is asked to wait."""

        def found() -> bool | None:
            tab.wait_for_timeout(20)
            return True if look() else None

        eventually(found, what, timedelta(seconds=20))

    def heard(self, tab: Page, name: str) -> list[Any]:
        """The details of the events of this name."""
        return [event["detail"] for event in tab.evaluate("window.heard") if event["name"] == name]

    def waits_to_hear(self, tab: Page, name: str) -> None:
        self.waits(tab, lambda: self.heard(tab, name), name)

    def waits_for_posts(self, tab: Page, count: int) -> None:
        self.waits(tab, lambda: len(self.posted()) >= count, f"{count} POSTs")

    def posted(self, path: str = "/connections") -> list[Any]:
        """The bodies that her tabs sent to this path of the API."""
        url = self.live.stack.outputs["ApiUrl"] + path
        return [json.loads(each.post_data or "") for each in self.requests if (each.method, each.url) == ("POST", url)]

    def traces(self, tab: Page) -> dict[str, str]:
        """Everything that a loginId could be left behind in, by place, in lower case."""
        # An entry's userTypedURL, the browser's own note, is out of any page's reach.
        history = self.context.new_cdp_session(tab).send("Page.getNavigationHistory")["entries"]
        # What the page sends to its API is the one place where it belongs.
        heads = [(each.headers, each.url) for each in self.requests if not each.is_navigation_request()]
        found = {
            "address": tab.url,
            "history": [[each["url"], each["title"]] for each in history] + tab.evaluate("[[history.state, name]]"),
            "storage": [
                self.context.storage_state(indexed_db=True),
                tab.evaluate("[{ ...sessionStorage }, { ...localStorage }, document.cookie]"),
                tab.evaluate("caches.keys()"),
            ],
            "document": [
                tab.content(),
                tab.evaluate("[...document.querySelectorAll('input, select')].map((field) => field.value)"),
            ],
            "events": tab.evaluate("heard"),
            "console": self.said + self.broke,
            "requests": heads,
        }
        return {place: json.dumps(content).lower() for place, content in found.items()}

    # --- her bank

    def login(self, **card: Any) -> tuple[str, str]:
        """A bank user who is asked no question: the name she signs in with, and her loginId."""
        username = f"greatday_nomfa+{uuid.uuid4().hex[:12]}"
        return username, self.live.connect_bank(username=username, language=self._language, **card)


type Meet = Callable[..., Visitor]
