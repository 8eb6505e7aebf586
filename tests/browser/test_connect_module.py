"""connect.js against what a browser, Flinks Connect, the network and strangers can do."""

import json
import re
import uuid
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Route

from tests.browser.scripted_connect import a_login, answer_posts, iframe_of, ready_at_once, redirect, say
from tests.browser.visitor import Meet, Visitor
from tests.live_service import LiveService

ODD: list[Any] = [None, 5, "", "no json", '"a string"', "null", [], [{"step": "REDIRECT"}], {}, {"step": 5}]
ODD += [{"flinksCode": {"step": "REDIRECT"}}, {"loginId": "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"}]


def test_only_connects_own_window_at_its_own_origin_is_heard(meet: Meet, live: LiveService) -> None:
    visitor = meet(bypass_csp=True)  # so that a stranger can get into the iframe at all
    tab = visitor.arrive()
    visitor.open_connect(tab)
    frame, connect = iframe_of(tab), live.stack.flinks.url
    before = tab.evaluate("messages")

    with tab.expect_popup() as opened:
        tab.evaluate("(url) => { open(url); }", f"{connect}/v3/no-such-page")
    opened.value.evaluate("(message) => opener.postMessage(message, '*')", redirect(a_login()))
    tab.evaluate("(message) => postMessage(message, '*')", redirect(a_login()))
    frame.goto(f"{live.stack.issuer.url}/jwks.json")
    say(frame, redirect(a_login()))
    visitor.waits(tab, lambda: tab.evaluate("messages") == before + 3, "three messages of strangers")
    frame.goto(f"{connect}/v3/no-such-page")
    say(frame, redirect(login_id := a_login()))

    visitor.waits(tab, visitor.posted, "a POST")
    assert visitor.posted() == [{"loginId": login_id, "institution": "FlinksCapital", "language": "en"}]
    assert [each["step"] for each in visitor.heard(tab, "connect:step")].count("REDIRECT") == 1


def test_every_documented_form_of_a_redirect_is_understood_and_posted_once(meet: Meet) -> None:
    one, other = a_login(), a_login()
    query = f"institution=TD&loginId={one}"
    forms: list[tuple[list[Any], dict[str, Any]]] = [
        ([{"step": "REDIRECT", "loginId": one, "url": "/"}], {}),
        ([{"step": "REDIRECT", "url": f"https://app.example.com/done?{query}"}], {"institution": "TD"}),
        ([{"step": "REDIRECT", "url": f"https://app.example.com/?LoginId={one}"}], {}),
        ([json.dumps(redirect(one))], {"institution": "FlinksCapital"}),
        ([{"step": "REDIRECT", "loginId": one, "accountId": other}], {"accountIds": [other]}),
        ([{"step": "REDIRECT", "loginId": one, "accountId": f"{other},{one}"}], {"accountIds": [other, one]}),
        ([{"step": "REDIRECT", "loginId": one, "accountId": [other, one, other]}], {"accountIds": [other, one]}),
        (
            [{"step": "ACCOUNT_SELECTED", "accountId": [other]}, {"step": "REDIRECT", "loginId": one}],
            {"accountIds": [other]},
        ),
        ([redirect(one), redirect(one), redirect(other)], {"institution": "FlinksCapital"}),
    ]
    visitor = meet()
    ready_at_once(visitor)
    tab = visitor.arrive()

    for messages, _ in forms:
        visitor.open_connect(tab)
        iframe_of(tab).evaluate("(all) => all.forEach((each) => parent.postMessage(each, '*'))", messages)
        visitor.sees(tab, "ready")

    assert visitor.posted() == [{"loginId": one, "language": "en"} | expected for _, expected in forms]


def test_what_is_no_event_of_connect_is_passed_over(meet: Meet) -> None:
    visitor = meet()
    tab = visitor.arrive()
    visitor.open_connect(tab)
    steps = len(visitor.heard(tab, "connect:step"))

    for odd in ODD:
        say(iframe_of(tab), odd)
    say(iframe_of(tab), {"step": "APP_ONLINE"})
    visitor.waits(tab, lambda: visitor.heard(tab, "connect:step")[-1] == {"step": "APP_ONLINE"}, "a real event")

    assert len(visitor.heard(tab, "connect:step")) == steps + 1
    assert visitor.posted() == []


def test_a_login_id_that_connect_said_is_left_behind_nowhere(meet: Meet) -> None:
    visitor = meet()
    username, login_id = visitor.login()
    tab = visitor.arrive()

    visitor.sign_in(tab, username)
    visitor.sees(tab, "ready")

    assert [each["loginId"] for each in visitor.posted()] == [login_id]  # it was there to be left behind
    assert places_of(login_id, visitor, tab) == []


def test_a_login_id_that_landed_in_the_address_is_left_behind_nowhere(meet: Meet) -> None:
    visitor = meet()
    _, login_id = visitor.login()

    tab = visitor.arrive(f"&loginId={login_id}&institution=FlinksCapital&tag=mine&kept=1#kept")
    visitor.sees(tab, "ready")

    assert [each["loginId"] for each in visitor.posted()] == [login_id]
    assert places_of(login_id, visitor, tab) == []
    assert tab.url.endswith("?lang=en&kept=1#kept")


def test_connect_cannot_take_the_page_to_an_address_with_the_login_id(meet: Meet) -> None:
    visitor = meet()
    tab = visitor.arrive()
    visitor.open_connect(tab)
    before = tab.url

    with pytest.raises(Error, match="does not have permission to navigate"):
        iframe_of(tab).evaluate("(url) => { top.location.href = url; }", f"{before}&loginId={a_login()}")

    assert tab.url == before


def test_a_landing_address_posts_once_whatever_is_tried_again_or_reloaded(meet: Meet) -> None:
    visitor = meet()
    _, login_id = visitor.login()
    refuse_the_list(visitor, 403, "Forbidden")
    tab = visitor.arrive(f"&LoginId={login_id}&institution=FlinksCapital")
    visitor.sees(tab, "signed_out")

    tab.get_by_role("button", name="Try again").click()
    visitor.sees(tab, "ready")
    tab.reload()
    visitor.sees(tab, "ready")

    assert visitor.posted() == [{"loginId": login_id, "institution": "FlinksCapital"}]


def test_a_connection_that_is_found_twice_is_followed_once(meet: Meet) -> None:
    visitor = meet()
    _, login_id = visitor.login(pending={"never": True})
    visitor.context.clock.install()
    tab = visitor.arrive(f"&loginId={login_id}")  # posted, and then listed
    (connection, *_) = visitor.heard(tab, "connection:status")

    def looks() -> int:
        return sum(each.url.endswith(connection["connectionId"]) for each in visitor.requests)

    before = looks()
    tab.clock.fast_forward(20_000)
    visitor.waits(tab, lambda: looks() > before, "a look at its status")
    tab.wait_for_timeout(300)  # what must not happen gets its chance

    assert looks() == before + 1


def test_a_session_that_connect_refuses_is_replaced(meet: Meet) -> None:
    visitor = meet()
    alter_sessions(visitor, "authorizeToken=[^&]*", f"authorizeToken={uuid.uuid4()}", times=1)
    tab = visitor.arrive()

    inside = visitor.open_connect(tab)

    inside.get_by_role("button", name="I agree").wait_for()
    steps = [each["step"] for each in visitor.heard(tab, "connect:step")]
    assert steps == ["APP_MOUNTED", "TOKEN_INVALID", "APP_MOUNTED", "COMPONENT_LOAD_CONSENT"]
    assert len(visitor.posted("/connect-sessions")) == 2


def test_sessions_that_are_always_refused_are_given_up(meet: Meet) -> None:
    visitor = meet()
    alter_sessions(visitor, "authorizeToken=[^&]*", f"authorizeToken={uuid.uuid4()}")
    tab = visitor.arrive()

    tab.locator("#act").click()
    visitor.sees(tab, "refused")

    (error,) = visitor.heard(tab, "connect:error")
    assert error["problem"]["type"] == "urn:flinks-landing:problem:session-refused"
    assert len(visitor.posted("/connect-sessions")) == 3


def test_an_access_token_that_has_expired_is_asked_for_anew(meet: Meet) -> None:
    visitor = meet()
    refuse_the_list(visitor, 401, "Unauthorized")

    tab = visitor.arrive()

    visitor.sees(tab, "start")
    assert len([each for each in visitor.requests if "/token?" in each.url]) == 2
    assert visitor.heard(tab, "connect:error") == []


def test_a_busy_service_is_not_asked_again_before_it_said(meet: Meet) -> None:
    visitor = meet()
    tab = visitor.arrive()
    tab.clock.install()
    visitor.open_connect(tab)
    answer_posts(visitor, 503, {"type": "urn:flinks-landing:problem:unavailable"}, {"Retry-After": "60"}, times=1)

    with tab.expect_response(re.compile("/connections$")):
        say(iframe_of(tab), redirect(a_login()))
    tab.clock.fast_forward(50_000)
    tab.wait_for_timeout(300)  # what must not happen gets its chance
    early = len(visitor.posted())
    tab.clock.fast_forward(20_000)

    visitor.waits(tab, lambda: len(visitor.posted()) == 2, "the second try")
    assert early == 1


def test_it_can_be_imported_where_there_is_no_document(meet: Meet) -> None:
    visitor = meet()
    visitor.context.route(
        "**/worker.js",
        lambda route: route.fulfill(
            body="import * as all from './connect.js'; postMessage(Object.keys(all));", content_type="text/javascript"
        ),
    )
    tab = visitor.arrive()

    exported = tab.evaluate(
        """new Promise((give, fail) => {
            const worker = new Worker("worker.js", { type: "module" });
            worker.onmessage = ({ data }) => give(data);
            worker.onerror = ({ message }) => fail(message);
        })"""
    )

    assert exported == ["Connect", "VERSION"]


def places_of(login_id: str, visitor: Visitor, tab: Page) -> list[str]:
    """Where it was left behind."""
    traces = visitor.traces(tab)
    (ready,) = visitor.heard(tab, "connection:ready")
    assert ready["connectionId"] in traces["events"]  # what is there is found
    return [place for place, text in traces.items() if login_id in text or login_id.replace("-", "") in text]


def refuse_the_list(visitor: Visitor, status: int, message: str) -> None:
    """Answer GET /connections once as the gateway does by itself."""

    def refuse(route: Route) -> None:
        route.fulfill(status=status, json={"message": message}, headers={"Access-Control-Allow-Origin": "*"})

    visitor.context.route("**/connections?limit=100", refuse, times=1)


def alter_sessions(visitor: Visitor, pattern: str, replacement: str, times: int | None = None) -> None:
    """Change the connectUrl of sessions on its way to the page; a token that was never minted counts as spent."""

    def alter(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        changed = re.sub(pattern, replacement, body["connectUrl"])
        assert changed != body["connectUrl"]
        route.fulfill(response=answer, json={**body, "connectUrl": changed})

    visitor.context.route("**/connect-sessions", alter, times=times)
