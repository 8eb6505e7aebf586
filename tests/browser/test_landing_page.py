"""What a person meets at the landing page, from her first click to her accounts."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.visitor import Meet, Visitor
from tests.live_service import LiveService

PHONE = {"viewport": {"width": 375, "height": 812}, "has_touch": True, "is_mobile": True}


def test_a_person_gets_from_the_first_click_to_her_accounts(meet: Meet, live: LiveService) -> None:
    visitor = meet()
    tab = visitor.arrive()

    inside = visitor.open_connect(tab)
    inside.get_by_role("button", name="I agree").click()
    inside.get_by_role("button", name="Flinks Capital").click()
    below = dict(
        zip(inside.locator(".hint dt").all_inner_texts(), inside.locator(".hint dd").all_inner_texts(), strict=True)
    )
    inside.get_by_label("Username").fill(below["Username"])
    inside.get_by_label("Password").fill(below["Password"])
    inside.get_by_role("button", name="Sign in").click()
    inside.get_by_label("Password").wait_for(state="detached")  # until the next page is there
    question = inside.locator("label").inner_text()
    inside.get_by_label(question).fill(below[question])
    inside.get_by_role("button", name="Continue").click()
    inside.get_by_label("Savings CAD").check()
    inside.get_by_label("Visa Horizon").check()
    inside.get_by_role("button", name="Continue").click()
    visitor.sees(tab, "ready")

    (posted,) = visitor.posted()
    (ready,) = visitor.heard(tab, "connection:ready")
    _, data = live.drop_of(ready["connectionId"])
    assert posted["institution"] == "FlinksCapital"
    assert [account["Title"] for account in data["Accounts"]] == ["Savings CAD", "Visa Horizon"]
    assert [account["Id"] for account in data["Accounts"]] == posted["accountIds"]
    expect(tab.get_by_role("heading", level=1)).to_have_text("You are connected")
    expect(tab.get_by_role("status")).to_have_text("Your accounts have been collected.")
    assert [each["step"] for each in visitor.heard(tab, "connect:step")] == [
        "APP_MOUNTED",
        "COMPONENT_LOAD_CONSENT",
        "COMPONENT_ACCEPT_CONSENT",
        "COMPONENT_LOAD_INSTITUTION_SELECTOR",
        "INSTITUTION_SELECTED",
        "COMPONENT_LOAD_CREDENTIAL",
        "SUBMIT_CREDENTIAL",
        "QUESTION_NOT_FOUND",
        "COMPONENT_LOAD_MFA",
        "SUBMIT_MFA",
        "COMPONENT_LOAD_ACCOUNT_SELECTION",
        "ACCOUNT_SELECTED",
        "REDIRECT",
    ]


def test_on_a_phone_in_french_a_keyboard_is_enough(meet: Meet) -> None:
    visitor = meet(language="fr", **PHONE)
    username, _ = visitor.login()
    tab = visitor.arrive()

    def fits() -> bool:
        return bool(tab.evaluate("document.documentElement.scrollWidth <= innerWidth"))

    tab_to(tab, "Connecter un compte bancaire")
    tab.keyboard.press("Enter")
    inside = tab.frame_locator("#connect iframe")
    inside.get_by_role("button", name="accepte").wait_for()
    fitted = [fits()]
    tab.keyboard.press("Tab")  # from the title, where the focus is, into the iframe
    tab.keyboard.press("Enter")
    expect(inside.get_by_role("heading")).to_be_focused()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(inside.get_by_label("utilisateur")).to_be_focused()
    tab.keyboard.type(username)
    tab.keyboard.press("Tab")
    tab.keyboard.type("Everyday")
    tab.keyboard.press("Enter")
    expect(inside.get_by_role("checkbox").first).to_be_focused()
    tab.keyboard.press("Space")
    tab.keyboard.press("Enter")
    visitor.sees(tab, "ready")

    assert [*fitted, fits()] == [True, True]
    expect(tab.get_by_role("heading", level=1)).to_be_focused()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Vous êtes connecté")
    assert tab.evaluate("document.documentElement.lang") == "fr"
    assert visitor.posted("/connect-sessions") == [{"language": "fr", "selectAccounts": True}]


def test_a_person_who_must_reconnect_sees_what_to_do_and_can_do_it(meet: Meet, live: LiveService) -> None:
    visitor = meet()
    username, login_id = visitor.login()
    refused = {"endpoint": "Authorize", "loginId": login_id, "steps": [{"code": "INVALID_PASSWORD"}]}
    live.control("POST", "/faults", refused)
    connection_id = live.post(login_id, visitor.name, institution="FlinksCapital").body["connectionId"]
    tab = visitor.arrive()
    visitor.sees(tab, "action_required")

    sentence = tab.get_by_role("status").inner_text()
    button = tab.locator("#act").inner_text()
    visitor.sign_in(tab, username, straight=True)
    visitor.sees(tab, "ready")

    row = live.row(connection_id)
    assert sentence == "Your bank no longer accepts the password you gave. Please connect again."
    assert button == "Connect again"
    assert (row.status, row.generation) == ("ready", 2)
    assert tab.locator("#others").is_hidden()


def test_a_reload_in_the_middle_finds_the_connection_again(meet: Meet, live: LiveService) -> None:
    visitor = meet()
    username, login_id = visitor.login(pending={"never": True})
    tab = visitor.arrive()
    visitor.sign_in(tab, username)
    visitor.waits(tab, lambda: visitor.heard(tab, "connection:status"), "the answer to the POST")
    (before,) = visitor.heard(tab, "connection:status")

    tab.reload()
    visitor.sees(tab, "processing")
    live.control("PUT", f"/cards/{login_id}/pending", {})
    visitor.sees(tab, "ready")

    (ready,) = visitor.heard(tab, "connection:ready")
    assert ready["connectionId"] == before["connectionId"]
    assert len(visitor.posted()) == 1


def test_two_tabs_end_at_one_connection_and_one_drop(meet: Meet, live: LiveService) -> None:
    visitor = meet()
    username, _ = visitor.login()
    tabs = visitor.arrive(), visitor.arrive()

    for tab in tabs:
        visitor.sign_in(tab, username)
    for tab in tabs:
        visitor.sees(tab, "ready")

    ids = {visitor.heard(tab, "connection:ready")[0]["connectionId"] for tab in tabs}
    assert len(visitor.posted()) == 2
    assert len(ids) == 1
    assert len(live.drops_of(ids.pop())) == 1


def test_who_closes_connect_is_back_at_the_start(meet: Meet) -> None:
    visitor = meet()
    tab = visitor.arrive()
    visitor.open_connect(tab)

    tab.get_by_role("button", name="Cancel").click()

    visitor.sees(tab, "start")
    expect(tab.locator("iframe")).to_have_count(0)
    expect(tab.get_by_role("heading", level=1)).to_be_focused()
    assert visitor.posted() == []


def test_what_was_erased_is_said_to_be_gone(meet: Meet, live: LiveService) -> None:
    visitor = meet()
    username, login_id = visitor.login()
    connection_id = live.post(login_id, visitor.name).body["connectionId"]
    live.until(connection_id, "ready", visitor.name)
    erase(live, connection_id)
    tab = visitor.arrive()

    visitor.sign_in(tab, username)
    visitor.sees(tab, "gone")

    (error,) = visitor.heard(tab, "connect:error")
    assert error["problem"]["status"] == 410
    assert error["problem"]["type"] == "urn:flinks-landing:problem:connection-erased"
    expect(tab.locator("#act")).to_be_hidden()


def test_a_service_that_does_not_answer_can_be_asked_again(meet: Meet) -> None:
    visitor = meet()
    username, _ = visitor.login()
    down = [True]
    api = visitor.live.stack.outputs["ApiUrl"]
    visitor.context.route(
        f"{api}/connections",
        lambda route: route.abort() if down[0] and route.request.method == "POST" else route.fallback(),
    )
    tab = visitor.arrive()
    tab.clock.install()
    visitor.sign_in(tab, username)
    give_up(tab, visitor)

    down.clear()
    down.append(False)
    tab.get_by_role("button", name="Try again").click()
    tab.clock.resume()
    visitor.sees(tab, "ready")

    posted = visitor.posted()
    assert len(posted) == 6
    assert all(each == posted[0] for each in posted)


def give_up(tab: Page, visitor: Visitor) -> None:
    """Let the time of all pauses between tries pass at once."""

    def gave_up() -> list[Any]:
        tab.clock.fast_forward(1_000)
        return visitor.heard(tab, "connect:error")

    visitor.waits(tab, gave_up, "connect.js gives up")
    visitor.sees(tab, "unavailable")


def tab_to(tab: Page, name: str) -> None:
    """Press Tab until the button of this name has the focus."""
    for _ in range(10):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.textContent") == name:
            return
    raise AssertionError(f"Tab never reached {name}")


def erase(live: LiveService, connection_id: str) -> None:
    live.client("dynamodb").update_item(
        TableName=live.stack.outputs["ConnectionsTable"],
        Key={"connectionId": {"S": connection_id}},
        UpdateExpression="SET #status = :deleting",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":deleting": {"S": "deleting"}},
    )
