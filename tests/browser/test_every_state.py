"""Every state of the landing page: what is so is said, there is a way on, it fits its screen, and axe is content."""

from collections.abc import Callable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.scripted_connect import READY
from tests.browser.visitor import Meet, Visitor

ALLOWED = {"Access-Control-Allow-Origin": "*"}


def a_connection(number: int, **members: Any) -> dict[str, Any]:
    """Nobody's; one of several, as the API shows it. A lower number changed later."""
    updated = f"2026-01-{28 - number:02d}T03:04:05.006Z"
    return READY | {"connectionId": "con_" + "abcdefg"[number] * 26, "updatedAt": updated, "accounts": 3} | members


REFUSED = {
    "en": "Your bank no longer accepts the password you gave.",
    "fr": "Votre banque refuse ce mot de passe.",
}
MANY = [
    a_connection(1, institution="FlinksCapital"),
    a_connection(2, institution="President's Choice Financial®", status="failed", action="contact_support"),
    a_connection(3, institution="RBC", status="action_required", action="reconnect", message=REFUSED, accounts=None),
]
WORKING = a_connection(0, status="processing", action="wait", accounts=None)


def answer(visitor: Visitor, path: str, body: Any, status: int = 200) -> None:
    visitor.context.unroute(f"**{path}")
    visitor.context.route(f"**{path}", lambda route: route.fulfill(status=status, json=body, headers=ALLOWED))


def lists(*connections: dict[str, Any], status: int = 200) -> Callable[[Visitor], None]:
    return lambda visitor: answer(visitor, "/connections?limit=100", {"connections": list(connections)}, status)


def nothing_answers(visitor: Visitor) -> None:
    visitor.context.unroute("**/connections?limit=100")
    visitor.context.route("**/connections?limit=100", lambda _: None)


ARRIVALS: dict[str, Callable[[Visitor], None]] = {
    "loading": nothing_answers,
    "start": lists(),
    "processing": lists(WORKING, *MANY),
    "ready": lists(*MANY),
    "action_required": lists(MANY[2]),
    "failed": lists(MANY[1]),
    "signed_out": lists(status=403),
    "refused": lists(status=400),
}
SESSIONS = {"gone": 404, "refused": 422}


def wrong(tab: Page, state: str) -> list[str]:
    """What axe finds, what does not fit, and where there is no way on; frames are not ours."""
    found = Axe().run(tab, options={"iframes": False}).response["violations"]
    said = [f"{state}: {each['id']} at {[node['html'][:90] for node in each['nodes']]}" for each in found]
    if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
        said.append(f"{state}: wider than the screen")
    if state != "loading" and tab.locator("#stage button:visible").count() == 0:
        said.append(f"{state}: no way on")
    if not tab.locator("#title").inner_text().strip() or not tab.locator("#sentence").inner_text().strip():
        said.append(f"{state}: nothing said")
    return said


def all_wrong(visitor: Visitor) -> list[str]:
    said: list[str] = []
    answer(visitor, "/connections/con_*", WORKING)
    tab = visitor.context.new_page()
    for state, arrange in ARRIVALS.items():
        arrange(visitor)
        tab.goto(visitor.address)
        visitor.sees(tab, state)
        said += wrong(tab, state)
    lists()(visitor)
    for state, status in SESSIONS.items():
        tab.goto(visitor.address)
        visitor.sees(tab, "start")
        answer(visitor, "/connect-sessions", {"message": "No"}, status)
        tab.locator("#act").click()
        visitor.sees(tab, state)
        said += wrong(tab, state)
    visitor.context.unroute("**/connect-sessions")
    tab.goto(visitor.address)
    visitor.open_connect(tab)
    said += wrong(tab, "connecting")
    tab.locator("#cancel").click()
    visitor.context.set_offline(True)
    tab.locator("#act").click()
    visitor.sees(tab, "offline")
    return said + wrong(tab, "offline")


def test_on_a_desk_in_english_by_day_no_state_has_anything_wrong(meet: Meet) -> None:
    visitor = meet(bypass_csp=True, viewport={"width": 1280, "height": 800})

    assert all_wrong(visitor) == []


def test_on_a_phone_in_french_at_night_no_state_has_anything_wrong(meet: Meet) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    visitor = meet(language="fr", bypass_csp=True, color_scheme="dark", **phone)

    assert all_wrong(visitor) == []


def test_without_javascript_the_page_says_what_it_is_and_what_it_needs(meet: Meet) -> None:
    visitor = meet(java_script_enabled=False)
    tab = visitor.context.new_page()

    tab.goto(visitor.address)

    shown = tab.locator("main").inner_text()
    assert "Connect your bank account" in shown
    assert "This page needs JavaScript" in shown
    assert "Who Flinks is" in shown
    assert tab.locator("button:visible, nav:visible select:visible").count() == 0


def test_connect_is_a_sheet_on_a_phone_with_the_way_out_in_sight(meet: Meet) -> None:
    visitor = meet(viewport={"width": 390, "height": 700}, is_mobile=True, has_touch=True)
    tab = visitor.arrive()

    visitor.open_connect(tab)

    stage, cancel = tab.locator("#stage").bounding_box(), tab.locator("#cancel").bounding_box()
    assert stage == {"x": 0, "y": 0, "width": 390, "height": 700}
    assert cancel is not None
    assert cancel["y"] + cancel["height"] <= 700
    assert tab.locator("header").is_hidden()


def test_what_takes_longer_than_usual_is_said_to(meet: Meet) -> None:
    visitor = meet()
    lists(WORKING)(visitor)
    answer(visitor, "/connections/con_*", WORKING)
    visitor.context.clock.install()
    tab = visitor.arrive()
    before = tab.locator("#sentence").inner_text()

    tab.clock.fast_forward(31_000)
    visitor.waits(tab, lambda: "longer than usual" in tab.locator("#sentence").inner_text(), "the sentence")

    assert "longer than usual" not in before


def test_the_headline_follows_the_steps_in_connect(meet: Meet) -> None:
    visitor = meet()
    username, _ = visitor.login()
    tab = visitor.arrive()
    headlines = "window.titles = []; new MutationObserver(() => titles.push(document.title)).observe("
    tab.evaluate(f"{headlines}document.querySelector('title'), {{ childList: true }})")

    visitor.sign_in(tab, username)
    visitor.sees(tab, "ready")

    steps = ["Read what you share", "Choose your bank", "Sign in at your bank", "Choose your accounts"]
    assert [title for title in dict.fromkeys(tab.evaluate("titles")) if title in steps] == steps


def test_who_looks_at_her_tab_again_sees_what_has_become_of_it(meet: Meet) -> None:
    visitor = meet()
    visitor.context.clock.install()
    tab = visitor.arrive()
    visitor.sees(tab, "start")
    lists(*MANY)(visitor)  # connected in another tab, meanwhile

    tab.clock.fast_forward(10_000)
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    visitor.sees(tab, "ready")
    assert tab.locator("#list li").count() == 2
    assert tab.locator("#list strong").all_inner_texts() == ["President's Choice Financial®", "RBC"]
