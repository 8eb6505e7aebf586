"""What the guide shows works as it stands there: its snippet, the examples, and the page for a native app's WebView."""

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.browser.conftest import ROOT
from tests.browser.scripted_connect import answer_posts
from tests.browser.visitor import Meet, Visitor
from tests.live_service import LiveService

FRONTEND = ROOT / "docs" / "frontend"
REACT = ROOT / ".venvs" / "react" / "node_modules"
HTML = "text/html; charset=utf-8"
SCRIPT = "text/javascript; charset=utf-8"
NONCE = "bm9uY2U"
API_OF_THE_GUIDE = "https://abcdef1234.execute-api.ca-central-1.amazonaws.com"


def code_of(page: str, language: str = "html") -> str:
    """The first block of code of this language on a page of the docs."""
    found = re.search(rf"^```{language}\n(.*?)^```", (FRONTEND / page).read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def serve(visitor: Visitor, path: str, body: str, media_type: str, **headers: str) -> None:
    """Let the page's own origin have this, too."""
    url = re.compile(re.escape(visitor.live.stack.page.origin + path) + r"(\?.*)?$")
    head = {"Content-Type": media_type, "Referrer-Policy": "origin", **headers}
    visitor.context.route(url, lambda route: route.fulfill(body=body, headers=head))


def visit(visitor: Visitor, path: str) -> Page:
    tab = visitor.context.new_page()
    tab.goto(visitor.live.stack.page.origin + path)
    return tab


def walk(inside: FrameLocator | Page, username: str, *, straight: bool = False) -> None:
    """All of Connect, for a user who is asked no question."""
    inside.get_by_role("button", name="I agree").click()
    if not straight:
        inside.get_by_role("button", name="Flinks Capital").click()
    inside.get_by_label("Username").fill(username)
    inside.get_by_label("Password").fill("Everyday")
    inside.get_by_role("button", name="Sign in").click()


def choose_all(inside: FrameLocator) -> None:
    inside.get_by_role("checkbox").first.wait_for()
    for account in inside.get_by_role("checkbox").all():
        account.check()
    inside.get_by_role("button", name="Continue").click()


def with_the_guide(visitor: Visitor) -> None:
    snippet = code_of("guide.md").replace(API_OF_THE_GUIDE, visitor.live.stack.outputs["ApiUrl"])
    token = visitor.live.stack.issuer.token(visitor.name)
    visitor.context.route("**/my-backend/access-token", lambda route: route.fulfill(body=token))
    serve(visitor, "/mine", f"<!DOCTYPE html><html lang=en><title>Mine</title>{snippet}</html>", HTML)


def with_the_vanilla_page(visitor: Visitor, integrity: str) -> None:
    page = (FRONTEND / "examples" / "vanilla.html").read_text()
    stack = visitor.live.stack
    policy = " ".join(code_of("guide.md", "").split())  # the policy that the guide gives
    for ours, theirs in {
        "…": NONCE,
        API_OF_THE_GUIDE: stack.outputs["ApiUrl"],
        "https://<instance>-iframe.private.fin.ag": stack.flinks.url,
    }.items():
        policy = policy.replace(ours, theirs)
    filled = page.replace("{{nonce}}", NONCE).replace("{{integrity}}", integrity)
    serve(visitor, "/vanilla", filled, HTML, **{"Content-Security-Policy": policy})


def test_the_snippet_of_the_guide_connects_cancels_and_shows_the_newest(meet: Meet, live: LiveService) -> None:
    visitor = meet()
    username, _ = visitor.login()
    older = live.post(visitor.login()[1], visitor.name).body["connectionId"]
    live.until(older, "ready", visitor.name)
    with_the_guide(visitor)
    tab = visit(visitor, "/mine")
    status, inside = tab.get_by_role("status"), tab.frame_locator("#bank iframe")
    expect(status).to_have_text("Your accounts have been collected.")

    tab.get_by_role("button", name="Connect a bank account").click()
    tab.get_by_role("button", name="Cancel").click()
    expect(tab.locator("iframe")).to_have_count(0)
    tab.get_by_role("button", name="Connect a bank account").click()
    walk(inside, username)
    expect(status).to_have_text("Sign in at your bank.")
    choose_all(inside)
    visitor.waits_to_hear(tab, "connection:ready")

    (ready,) = visitor.heard(tab, "connection:ready")
    assert ready["connectionId"] != older
    expect(status).to_have_text("Your accounts have been collected.")


def test_the_snippet_of_the_guide_offers_to_reconnect_and_to_try_again(meet: Meet, live: LiveService) -> None:
    visitor = meet()
    username, login_id = visitor.login()
    refused = {"endpoint": "Authorize", "loginId": login_id, "steps": [{"code": "INVALID_PASSWORD"}]}
    live.control("POST", "/faults", refused)
    mended = live.post(login_id, visitor.name, institution="FlinksCapital", language="en").body["connectionId"]
    live.until(mended, "action_required", visitor.name)
    live.until(live.post(visitor.login()[1], visitor.name).body["connectionId"], "ready", visitor.name)
    live.control("POST", "/faults", refused)
    live.post(login_id, visitor.name)
    live.until(mended, "action_required", visitor.name)  # the newest now, though it was received first
    with_the_guide(visitor)
    answer_posts(visitor, 403, {"message": "Forbidden"}, {}, times=1)
    tab = visit(visitor, "/mine")
    expect(tab.get_by_role("status")).to_contain_text("Please connect again.")

    tab.get_by_role("button", name="Connect again").click()
    inside = tab.frame_locator("#bank iframe")
    walk(inside, username, straight=True)
    choose_all(inside)
    tab.get_by_role("button", name="Try again").click()

    expect(tab.get_by_role("status")).to_have_text("Your accounts have been collected.")
    assert live.row(mended).generation == 3


def test_the_vanilla_example_runs_under_the_policy_and_the_hash_of_the_guide(meet: Meet) -> None:
    visitor = meet()
    username, _ = visitor.login()
    module = (FRONTEND / "connect.js").read_bytes()
    with_the_vanilla_page(visitor, "sha384-" + base64.b64encode(hashlib.sha384(module).digest()).decode())
    tab = visit(visitor, "/vanilla")
    tab.get_by_role("button", name="Connect a bank account").click()
    inside = tab.frame_locator("#bank iframe")

    walk(inside, username)
    choose_all(inside)

    expect(tab.get_by_role("status")).to_have_text("Your accounts have been collected.")
    assert [said for said in visitor.said if "Content Security Policy" in said] == []


def test_the_vanilla_example_does_not_run_a_module_of_another_hash(meet: Meet) -> None:
    visitor = meet()
    with_the_vanilla_page(visitor, "sha384-" + base64.b64encode(hashlib.sha384(b"another").digest()).decode())

    tab = visit(visitor, "/vanilla")
    visitor.waits(tab, lambda: [said for said in visitor.said if "integrity" in said], "the browser's refusal")

    expect(tab.get_by_role("button")).to_have_count(0)
    assert tab.locator("iframe").count() == 0
    assert [each.url for each in visitor.requests if "/connect" in each.url and "/connect.js" not in each.url] == []


@pytest.mark.skipif(not (REACT / "react").is_dir(), reason="no npm brought React (make setup): the hook was not tried")
def test_the_react_hook_posts_a_landed_login_once_in_strict_mode_and_connects(meet: Meet) -> None:
    visitor = meet()
    _, login_id = visitor.login()
    username, _ = visitor.login()
    serve_react(visitor)

    tab = visit(visitor, f"/react#/done?loginId={login_id}&institution=FlinksCapital")
    expect(tab.get_by_role("listitem")).to_have_text("Your accounts have been collected.")
    landed = visitor.posted()
    tab.get_by_role("button", name="Connect a bank account").click()
    walk(tab.frame_locator(".bank iframe"), username)

    expect(tab.get_by_role("listitem")).to_have_text(["Your accounts have been collected."] * 2)
    expect(tab.get_by_role("button", name="Connect a bank account")).to_be_visible()
    assert landed == [{"loginId": login_id, "institution": "FlinksCapital"}]
    assert len(visitor.posted()) == 2
    assert tab.url.endswith("/react#/done")


def test_a_page_in_a_webview_tells_the_app_how_things_stand_and_no_login(meet: Meet) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    agent = "Mozilla/5.0 (Linux; Android 15; wv) AppleWebKit/537.36 Version/4.0 Chrome/130.0.0.0 Mobile Safari/537.36"
    visitor = meet(user_agent=agent, **phone)
    username, login_id = visitor.login()
    token = visitor.live.stack.issuer.token(visitor.name)
    told: list[dict[str, Any]] = []
    tab = visitor.context.new_page()
    tab.expose_function("toApp", lambda text: told.append(json.loads(text)))
    tab.add_init_script(
        "window.ReactNativeWebView = { postMessage: (text) => { toApp(text);"
        f" if (text.includes('token-wanted')) setTimeout(() => receiveToken('{token}')); }} }};"
    )
    serve(visitor, "/app", f"<!DOCTYPE html><html lang=en><title>App</title>{code_of('mobile.md')}</html>", HTML)
    tab.goto(visitor.live.stack.page.origin + "/app")
    visitor.waits(tab, lambda: {"name": "page-ready"} in told, "the page")

    tab.evaluate("openConnect()")
    inside = tab.frame_locator("#bank iframe")
    fits = tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    walk(inside, username)
    visitor.waits(tab, lambda: any(each["name"] == "connection:ready" for each in told), "its end")

    assert fits
    assert [each["loginId"] for each in visitor.posted()] == [login_id]
    assert login_id not in json.dumps(told)
    assert token not in json.dumps(told)


def test_connect_in_a_webview_of_its_own_tells_the_app_and_nobody_else(meet: Meet, live: LiveService) -> None:
    visitor = meet(user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile")
    username, login_id = visitor.login()
    wanted = {"webview": True, "customerName": "Your app"}
    session = live.request("POST", "/connect-sessions", visitor.name, json=wanted)
    told: list[dict[str, Any]] = []
    tab = visitor.context.new_page()
    tab.expose_function("toApp", lambda text: told.append(json.loads(text)))
    handlers = "{ flinksEvent: { postMessage: (text) => toApp(text) } }"
    tab.add_init_script(f"window.webkit = {{ messageHandlers: {handlers} }};")

    tab.goto(session.body["connectUrl"])
    expect(tab.get_by_text("You allow Your app to receive")).to_be_visible()
    walk(tab, username)
    visitor.waits(tab, lambda: told and told[-1]["step"] == "REDIRECT", "the end of Connect")

    assert told[-1]["loginId"] == login_id
    assert tab.evaluate("window.messages") == 0
    connection_id = live.post(told[-1]["loginId"], visitor.name, institution=told[-1]["institution"]).body[
        "connectionId"
    ]
    live.until(connection_id, "ready", visitor.name)


def serve_react(visitor: Visitor) -> None:
    """The example as it is, with React's own builds behind the names that it imports."""
    names = {
        "react": ("React", ["StrictMode", "createElement", "useCallback", "useEffect", "useRef", "useState"]),
        "react-dom/client": ("ReactDOM", ["createRoot"]),
    }
    imports = {}
    for name, (from_, exported) in names.items():
        serve(visitor, f"/{name}.js", f"export const {{ {', '.join(exported)} }} = window.{from_};", SCRIPT)
        imports[name] = f"/{name}.js"
    for name in ("react", "react-dom"):
        build = REACT / name / "umd" / f"{name}.development.js"
        serve(visitor, f"/umd/{name}.js", build.read_text(), SCRIPT)
    for path in ("examples/react/app.js", "examples/react/use-connect.js", "connect.js"):
        serve(visitor, f"/{path}", (FRONTEND / path).read_text(), SCRIPT)
    page = (
        "<!DOCTYPE html><html lang=en><title>React</title><link rel=icon href='data:,'><div id=root></div>"
        "<script src=/umd/react.js></script><script src=/umd/react-dom.js></script>"
        f"<script type=importmap>{json.dumps({'imports': imports})}</script>"
        "<script type=module src=/examples/react/app.js></script></html>"
    )
    serve(visitor, "/react", page, HTML)
