"""What Flinks Connect may say to the page, said by a test, and POST /connections answered by nobody."""

import uuid
from typing import Any

from playwright.sync_api import Frame, Page, Route

from tests.browser.visitor import Visitor

READY: dict[str, Any] = {
    "connectionId": "con_" + "a" * 26,
    "status": "ready",
    "reason": None,
    "action": "none",
    "institution": None,
}
READY |= {"message": {"en": "Your accounts have been collected.", "fr": "Vos comptes ont été recueillis."}}
READY |= {"receivedAt": "2026-01-02T03:04:05.006Z", "updatedAt": "2026-01-02T03:04:05.006Z"}


def a_login() -> str:
    """A loginId that Flinks does not know."""
    return str(uuid.uuid4())


def redirect(login_id: str) -> dict[str, str]:
    return {"step": "REDIRECT", "institution": "FlinksCapital", "loginId": login_id, "url": "https://app.example.com/"}


def iframe_of(tab: Page) -> Frame:
    element = tab.wait_for_selector("#connect iframe")
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    return frame


def say(frame: Frame, *messages: Any) -> None:
    frame.evaluate("(all) => all.forEach((each) => parent.postMessage(each, '*'))", list(messages))


def ready_at_once(visitor: Visitor) -> None:
    answer_posts(visitor, 202, READY, {})


def answer_posts(visitor: Visitor, status: int, body: Any, headers: dict[str, str], times: int | None = None) -> None:
    """Let POST /connections be answered so, by nobody."""
    url = visitor.live.stack.outputs["ApiUrl"] + "/connections"
    cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "retry-after"}

    def answer(route: Route) -> None:
        if route.request.method != "POST":
            route.fallback()
            return
        route.fulfill(status=status, json=body, headers={**cors, **headers})

    visitor.context.route(url, answer, times=times)
