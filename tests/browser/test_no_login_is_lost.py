"""A login is posted whatever a framework, a router or a network does; never with more accounts than were chosen."""

from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page, expect

from tests.browser.scripted_connect import a_login, answer_posts, iframe_of, ready_at_once, redirect, say
from tests.browser.visitor import Meet

CLEAN = "?lang=en"
NO_TOKENS = ["async () => ''", "() => { throw new Error() }", "async () => '<p>\\n</p>'", "() => new Promise(() => {})"]
SPELLINGS = ["loginId", "LoginId", "loginID", "login_id"]

# Where a router, a bank or a program may put a login, and what is left of that address.
ADDRESSES = [
    ("&loginId={0}", CLEAN),
    ("&loginID={0}", CLEAN),
    ("&LOGINID={0}&Institution=RBC", f"{CLEAN}"),
    ("&login_id={0}", CLEAN),
    ("&loginId={1}", CLEAN),
    ("&loginId=undefined&loginId={0}", CLEAN),
    ("&accountId=undefined&loginId={0}", CLEAN),
    ("&accountId=&loginId={0}&a=%41+b#x=1", f"{CLEAN}&a=%41+b#x=1"),
    ("#/done?loginId={0}&institution=RBC", f"{CLEAN}#/done"),
    ("#/done?from=mail&loginId={0}&to=b#top", f"{CLEAN}#/done?from=mail&to=b#top"),
    ("#loginId={0}", CLEAN),
    ("#!/done?loginId={0}&tag=t", f"{CLEAN}#!/done"),
    ("?loginId={0}", CLEAN),
]


def test_a_login_in_any_part_and_spelling_of_an_address_is_posted_and_taken_out(meet: Meet) -> None:
    visitor = meet()
    ready_at_once(visitor)
    visitor.runs("await connect.resume();")
    logins = [a_login() for _ in ADDRESSES]
    left: list[str] = []

    for login_id, (landing, _) in zip(logins, ADDRESSES, strict=True):
        tab = visitor.arrive(landing.format(login_id, quote("{" + login_id.upper() + "}")))
        left.append(tab.url.removeprefix(visitor.live.stack.page.url))
        tab.close()

    assert [each["loginId"] for each in visitor.posted()] == logins
    assert [each for each in visitor.posted() if "accountIds" in each] == []
    assert left == [expected for _, expected in ADDRESSES]


def test_an_address_with_an_account_that_was_chosen_is_posted_with_that_alone(meet: Meet) -> None:
    visitor = meet()
    ready_at_once(visitor)
    login_id, one, other = a_login(), a_login(), a_login()

    tab = visitor.arrive(f"#/done?accountId=undefined&accountId={one}%2C{other}&loginId={login_id}")
    visitor.waits_for_posts(tab, 1)

    assert visitor.posted() == [{"loginId": login_id, "accountIds": [one, other]}]


def test_an_address_without_a_usable_login_is_cleaned_and_nothing_is_posted(meet: Meet) -> None:
    visitor = meet()

    tab = visitor.arrive("&loginId=undefined&institution=RBC#kept")

    visitor.sees(tab, "start")
    assert tab.url.endswith(f"/{CLEAN}#kept")
    assert visitor.posted() == []


def test_a_login_that_a_router_brings_without_a_page_load_is_posted(meet: Meet) -> None:
    visitor = meet()
    ready_at_once(visitor)
    one, other = a_login(), a_login()
    tab = visitor.arrive()
    visitor.sees(tab, "start")

    tab.evaluate("(id) => { location.hash = `#/done?loginId=${id}`; }", one)
    visitor.waits_for_posts(tab, 1)
    tab.evaluate(
        "(id) => { history.pushState({ kept: 1 }, '', `?loginId=${id}`); history.pushState(null, '', '?'); }", other
    )
    tab.go_back()
    visitor.waits_for_posts(tab, 2)

    assert [each["loginId"] for each in visitor.posted()] == [one, other]
    assert places_in_history(tab, one, other) == []
    assert tab.evaluate("history.state") == {"kept": 1}


MOUNTS = [
    "connect.resume(); connect.close(); connect.resume();",
    "connect.resume(); connect.close(); make().resume();",  # React's StrictMode
    "connect.resume(); make().resume();",
    "connect.close(); connect.resume();",
]


def test_a_login_that_landed_is_posted_once_however_often_a_framework_mounts(meet: Meet) -> None:
    visitor = meet()
    ready_at_once(visitor)
    logins = [a_login() for _ in MOUNTS]

    for login_id, mounts in zip(logins, MOUNTS, strict=True):
        visitor.runs(mounts)
        tab = visitor.arrive(f"&loginId={login_id}")
        visitor.waits_to_hear(tab, "connection:ready")

    assert [each["loginId"] for each in visitor.posted()] == logins


def test_a_login_is_posted_though_the_page_closes_connect_as_it_hears_of_it(meet: Meet) -> None:
    visitor = meet()
    _, login_id = visitor.login()
    visitor.runs(
        "room.addEventListener('connect:step', ({ detail }) => detail.step === 'REDIRECT' && connect.close());"
    )
    tab = visitor.arrive()
    tab.evaluate("connect.open()")

    say(iframe_of(tab), redirect(login_id))
    visitor.waits_for_posts(tab, 1)
    tab.wait_for_timeout(300)  # what must not happen gets its chance
    before = visitor.heard(tab, "connection:status")
    tab.evaluate("connect.resume()")
    visitor.waits_to_hear(tab, "connection:status")

    assert before == []  # closed is silent
    assert [each["loginId"] for each in visitor.posted()] == [login_id]


def test_a_login_whose_post_was_refused_for_its_token_is_posted_when_the_page_resumes(meet: Meet) -> None:
    visitor = meet()
    _, login_id = visitor.login()
    answer_posts(visitor, 403, {"message": "Forbidden"}, {}, times=1)
    visitor.runs("")
    tab = visitor.arrive()
    tab.evaluate("connect.open()")
    say(iframe_of(tab), redirect(login_id))
    visitor.waits_to_hear(tab, "connect:error")

    tab.evaluate("connect.resume()")
    visitor.waits_to_hear(tab, "connection:ready")

    assert [each["loginId"] for each in visitor.posted()] == [login_id, login_id]


def test_a_login_of_one_who_asked_too_often_is_told_at_once_and_kept_for_a_retry(meet: Meet) -> None:
    visitor = meet()
    _, login_id = visitor.login()
    too_many = {"type": "urn:flinks-landing:problem:too-many-fetches", "status": 429}
    answer_posts(visitor, 429, too_many, {"Retry-After": "1800"}, times=1)
    visitor.runs("")
    tab = visitor.arrive()
    tab.evaluate("connect.open()")

    say(iframe_of(tab), redirect(login_id))
    visitor.waits_to_hear(tab, "connect:error")
    told = len(visitor.posted())
    tab.evaluate("connect.resume()")
    visitor.waits_to_hear(tab, "connection:ready")

    assert told == 1
    assert [each["loginId"] for each in visitor.posted()] == [login_id, login_id]


def test_a_login_that_was_refused_for_good_is_not_posted_again(meet: Meet) -> None:
    visitor = meet()
    answer_posts(visitor, 410, {"type": "urn:flinks-landing:problem:connection-erased", "status": 410}, {})
    visitor.runs("await connect.resume(); await connect.resume();")

    visitor.arrive(f"&loginId={a_login()}")

    assert len(visitor.posted()) == 1


def test_a_login_of_one_person_is_not_posted_by_a_connect_of_another(meet: Meet) -> None:
    visitor = meet()
    answer_posts(visitor, 403, {"message": "Forbidden"}, {}, times=1)
    visitor.runs("")
    tab = visitor.arrive()
    tab.evaluate("connect.open()")
    say(iframe_of(tab), redirect(a_login()))
    visitor.waits_to_hear(tab, "connect:error")

    tab.evaluate("make().resume()")

    assert len(visitor.posted()) == 1


# JavaScript of what Connect says, and the accounts that are posted then; {0} and {1} are accounts.
CHOICES: list[tuple[str, list[str] | None]] = [
    ("{step, accountId: ['{0}']}, {...end, accountId: undefined}", ["{0}"]),
    ("{step, accountId: ['{0}']}, {...end, accountId: null}", ["{0}"]),
    ("{step, accountId: ['{0}']}, {...end, accountId: ''}", ["{0}"]),
    ("{step, accountId: ['{0}']}, {...end, accountId: []}", ["{0}"]),
    ("{step, accountId: ['{0}']}, {...end, accountId: [null, '']}", ["{0}"]),
    ("{step, accountId: ['{0}']}, {...end, accountId: 'undefined'}", ["{0}"]),
    ("{step, accountId: ['{0}']}, {...end, url: '/?accountId=null'}", ["{0}"]),
    ("{step, accountId: '{0}'}, end", ["{0}"]),
    ('{step, accountId: \'["{0}", "{1}"]\'}, end', ["{0}", "{1}"]),
    ("{step, accountIds: ['{0}']}, end", ["{0}"]),
    ("{step, accountId: ['{0}']}, {step, accountId: ['{1}']}, end", ["{1}"]),
    ("{step, accountId: ['{0}']}, {step, accountId: []}, end", ["{0}"]),
    ("{step, accountId: ['{0}', '{1}']}, {...end, accountId: '{1}'}", ["{1}"]),
    ("{...end, accountId: '{0}, {1}'}", ["{0}", "{1}"]),
    ("{...end, AccountId: ['{0}']}", ["{0}"]),
    ("{...end, url: 'https://app.example.com/#/done?accountId={0}'}", ["{0}"]),
    ("{...end, accountId: undefined, url: '/?accountId=undefined'}", None),
    ("{...end, accountId: 4711}", ["4711"]),  # nothing the API takes, but no wish for all of them either
]


def test_no_more_accounts_are_posted_than_were_chosen(meet: Meet) -> None:
    visitor = meet()
    ready_at_once(visitor)
    visitor.runs("")
    tab = visitor.arrive()
    one, other = a_login(), a_login()

    def named(text: str) -> str:
        return text.replace("{0}", one).replace("{1}", other)

    for count, (said, _) in enumerate(CHOICES, 1):
        tab.evaluate("connect.open()")
        frame = iframe_of(tab)
        frame.evaluate(
            f"""(loginId) => {{
                const step = "ACCOUNT_SELECTED", end = {{ step: "REDIRECT", loginId }};
                [{named(said)}].forEach((each) => parent.postMessage(each, "*"));
            }}""",
            a_login(),
        )
        visitor.waits_for_posts(tab, count)

    expected = [None if accounts is None else [named(each) for each in accounts] for _, accounts in CHOICES]
    assert [each.get("accountIds") for each in visitor.posted()] == expected


def test_a_redirect_without_a_login_is_not_the_end_of_connect(meet: Meet) -> None:
    visitor = meet()
    ready_at_once(visitor)
    tab = visitor.arrive()
    visitor.open_connect(tab)
    nothing: list[Any] = [{"url": ""}, {"url": "/done"}, {"loginId": None, "url": "https://app.example.com/done"}, {}]
    nothing += [{"loginId": "undefined"}, {"loginId": {}}, {"url": {"toString": 5}}, {"url": "?loginId=null"}]

    say(iframe_of(tab), *({"step": "REDIRECT"} | each for each in nothing), {"step": "APP_ONLINE"})
    visitor.waits(tab, lambda: {"step": "APP_ONLINE"} in visitor.heard(tab, "connect:step"), "the last of them")
    before = visitor.posted()
    say(iframe_of(tab), {"step": "REDIRECT", "url": f"/done?loginId={(login_id := a_login())}"})
    visitor.waits_for_posts(tab, 1)

    assert before == []
    assert visitor.posted() == [{"loginId": login_id, "language": "en"}]
    expect(tab.locator("iframe")).to_have_count(0)


def test_a_login_in_any_spelling_of_an_event_is_posted(meet: Meet) -> None:
    visitor = meet()
    ready_at_once(visitor)
    visitor.runs("")
    tab = visitor.arrive()
    logins = [a_login() for _ in SPELLINGS]

    for count, (spelling, login_id) in enumerate(zip(SPELLINGS, logins, strict=True), 1):
        tab.evaluate("connect.open()")
        say(iframe_of(tab), {"step": "REDIRECT", spelling: login_id.upper(), "url": "/"})
        visitor.waits_for_posts(tab, count)

    assert visitor.posted() == [{"loginId": login_id} for login_id in logins]


def test_a_click_opens_connect_though_the_handler_is_given_an_event(meet: Meet) -> None:
    visitor = meet()
    visitor.runs("document.getElementById('act').onclick = make({ session: { language: 'fr' } }).open;")
    tab = visitor.arrive()
    tab.evaluate("Object.assign(document.getElementById('act'), { textContent: 'Go', hidden: false })")

    tab.locator("#act").click()
    iframe_of(tab)

    assert visitor.posted("/connect-sessions") == [{"language": "fr"}]


def test_one_who_is_offline_is_told_so_at_once_and_goes_on_once_online(meet: Meet) -> None:
    visitor = meet()
    _, login_id = visitor.login()
    visitor.runs("")
    tab = visitor.arrive()
    tab.evaluate("connect.open()")
    frame = iframe_of(tab)
    visitor.context.unroute("**/token?*")  # the network that gives her token is gone as well
    visitor.context.set_offline(True)

    say(frame, redirect(login_id))
    visitor.waits_to_hear(tab, "connect:error")
    visitor.context.set_offline(False)
    visitor.waits_to_hear(tab, "connection:ready")

    (error,) = visitor.heard(tab, "connect:error")
    assert error["problem"] == {"type": "urn:flinks-landing:problem:offline", "status": 0}
    assert [each["loginId"] for each in visitor.posted()] == [login_id]


def test_a_refused_origin_is_told_apart_from_a_service_that_is_away(meet: Meet) -> None:
    visitor = meet()
    visitor.address = visitor.address.replace("127.0.0.1", "localhost")  # another origin, which no deployment allows
    visitor.runs("await connect.resume();")

    tab = visitor.arrive()

    (error,) = visitor.heard(tab, "connect:error")
    assert error["problem"] == {"type": "urn:flinks-landing:problem:origin-refused", "status": 0}


def test_an_access_token_that_is_none_is_named_as_the_cause(meet: Meet) -> None:
    visitor = meet()
    visitor.runs("")
    tab = visitor.arrive()
    tab.clock.install()

    for get_token in NO_TOKENS:
        tab.evaluate(f"void make({{ getToken: {get_token} }}).resume()")

    def given_up() -> bool:
        tab.clock.fast_forward(25_000)
        return len(visitor.heard(tab, "connect:error")) == len(NO_TOKENS)

    visitor.waits(tab, given_up, "connect.js gives up")
    problems = {error["problem"]["type"] for error in visitor.heard(tab, "connect:error")}
    assert problems == {"urn:flinks-landing:problem:no-token"}


def test_a_slash_at_the_end_of_the_apis_address_does_no_harm(meet: Meet) -> None:
    visitor = meet()
    visitor.runs("window.found = await make({ apiUrl: `${apiUrl}/` }).resume();")

    tab = visitor.arrive()

    assert tab.evaluate("found") == []


def test_a_label_that_no_json_may_hold_does_not_refuse_a_login(meet: Meet) -> None:
    visitor = meet()
    _, login_id = visitor.login()
    visitor.runs("")
    tab = visitor.arrive()
    tab.evaluate("connect.open()")

    label = "'\\ud800Caisse\\ufffd' + 'o'.repeat(10_000)"
    iframe_of(tab).evaluate(
        f"(loginId) => parent.postMessage({{ step: 'REDIRECT', loginId, institution: {label} }}, '*')", login_id
    )
    visitor.waits_to_hear(tab, "connection:ready")

    (ready,) = visitor.heard(tab, "connection:ready")
    assert ready["institution"] == "Caisse".ljust(64, "o")


def test_a_reconnect_goes_straight_to_its_bank_in_its_own_language(meet: Meet) -> None:
    visitor = meet()
    username, login_id = visitor.login()
    visitor.live.post(login_id, visitor.name, institution="FlinksCapital", language="en", daysOfTransactions=365)
    visitor.runs("window.usual = make({ session: { language: 'fr', selectAccounts: true } });")
    tab = visitor.arrive()

    tab.evaluate("connect.resume().then(([reconnect]) => usual.open({ reconnect, theme: 'dark' }))")
    inside = tab.frame_locator("#connect iframe")
    inside.get_by_role("button", name="I agree").click()
    inside.get_by_label("Username").fill(username)
    inside.get_by_label("Password").fill("Everyday")
    inside.get_by_role("button", name="Sign in").click()
    inside.get_by_label("Savings CAD").check()
    inside.get_by_role("button", name="Continue").click()
    visitor.waits_for_posts(tab, 1)

    (posted,) = visitor.posted()
    assert visitor.posted("/connect-sessions") == [
        {
            "language": "en",
            "selectAccounts": True,
            "theme": "dark",
            "institution": "FlinksCapital",
            "daysOfTransactions": 365,
        }
    ]
    assert (posted["loginId"], posted["language"], posted["daysOfTransactions"]) == (login_id, "en", 365)


def places_in_history(tab: Page, *secrets: str) -> list[str]:
    entries = tab.context.new_cdp_session(tab).send("Page.getNavigationHistory")["entries"]
    return [each["url"] for each in entries if any(secret in each["url"] for secret in secrets)]
