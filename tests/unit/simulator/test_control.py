"""The control origin: everything a test or a person may want of the simulator, as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

import local.flinks as flinks_package
from local.flinks.bank import Bank
from local.flinks.cards import Pending
from local.flinks.connect import Connect
from local.flinks.control import Control
from local.flinks.faults import CATALOGUE
from local.flinks.reply import Reply
from tests.unit.simulator.driver import NOBODY, Caller


class Remote:
    def __init__(self, bank: Bank) -> None:
        self.control = Control(bank, Connect(bank))

    def reply(self, method: str, path: str, content: Any = None) -> Reply:
        return self.control.answer(method, path, b"" if content is None else json.dumps(content).encode())

    def __call__(self, method: str, path: str, content: Any = None) -> Any:
        reply = self.reply(method, path, content)
        assert reply.status in {200, 201}, reply.body
        return reply.json()


@pytest.fixture
def control(bank: Bank) -> Remote:
    return Remote(bank)


def test_a_card_is_created_in_one_call(control: Remote, flinks: Caller) -> None:
    card = control("POST", "/cards", {"username": "u1", "tag": "t", "institution": "RBC", "pending": {}})

    opened = flinks.authorize(card["loginId"]).json()
    assert (opened["Login"]["Id"], opened["Tag"]) == (card["loginId"], "t")
    assert (opened["Institution"], opened["InstitutionId"]) == ("RBC", 3)
    assert flinks.detail(opened["RequestId"]).status == 200


def test_a_card_behaves_like_its_persona(control: Remote, flinks: Caller) -> None:
    card = control("POST", "/cards", {"username": "u1", "persona": "question_not_found"})

    assert flinks.authorize(card["loginId"]).json()["FlinksCode"] == "QUESTION_NOT_FOUND"


def test_a_created_user_can_log_in(control: Remote, flinks: Caller) -> None:
    control("POST", "/cards", {"username": "u1"})

    assert flinks.log_in("U1").status == 200


def test_the_data_it_shows_are_the_bytes_that_flinks_gives(control: Remote, flinks: Caller) -> None:
    login_id = control("POST", "/cards", {"username": "u1", "tag": "t"})["loginId"]
    first = flinks.detail(flinks.authorize(login_id).json()["RequestId"])
    wanted = [account["Id"] for account in first.json()["Accounts"][:2]]
    request_id = flinks.authorize(login_id).json()["RequestId"]

    shown = control.reply(
        "GET", f"/cards/{login_id}/data?DaysOfTransactions=Days365&WithKYC=false&AccountsFilter={','.join(wanted)}"
    )

    given = flinks.detail(request_id, DaysOfTransactions="Days365", WithKYC=False, AccountsFilter=wanted)
    assert (shown.body, len(given.json()["Accounts"])) == (given.body, 2)


def test_the_data_of_an_earlier_request_can_be_shown(control: Remote, flinks: Caller) -> None:
    login_id = control("POST", "/cards", {"username": "u1"})["loginId"]
    first, _ = (flinks.authorize(login_id).json()["RequestId"] for _ in range(2))

    shown = control.reply("GET", f"/cards/{login_id}/data?RequestId={first}")

    assert shown.body == flinks.detail(first).body


def test_pending_is_set_for_a_card_and_for_all_to_come(bank: Bank, control: Remote, flinks: Caller) -> None:
    old = control("POST", "/cards", {"username": "old"})["loginId"]
    control("PATCH", "/settings", {"pending": {"polls": 2}})
    new = control("POST", "/cards", {"username": "new"})["loginId"]

    control("PUT", f"/cards/{old}/pending", {"never": True})

    assert bank.vault.cards[new].pending == Pending(polls=2, seconds=0)
    assert flinks.detail(flinks.authorize(old).json()["RequestId"]).status == 202
    assert control("GET", f"/cards/{old}")["isAggregating"] is True


def test_outcome_and_tag_of_a_card_are_set(control: Remote, flinks: Caller) -> None:
    login_id = control("POST", "/cards", {"username": "u1"})["loginId"]

    control("PUT", f"/cards/{login_id}/tag", {"tag": "t2"})
    control("PUT", f"/cards/{login_id}/outcome", {"code": "NEW_ACCOUNT"})
    refused = flinks.authorize(login_id).json()
    control("PUT", f"/cards/{login_id}/outcome", {"code": None})

    assert refused["FlinksCode"] == "NEW_ACCOUNT"
    assert flinks.authorize(login_id).json()["Tag"] == "t2"


def test_a_refresh_collects_the_data_anew(control: Remote) -> None:
    card = control("POST", "/cards", {"username": "u1"})
    control("POST", "/clock", {"advanceSeconds": 3600})

    after = control("POST", f"/cards/{card['loginId']}/refresh")

    assert after["lastRefresh"] > card["lastRefresh"]


def test_a_card_is_forgotten_whatever_its_state(control: Remote, flinks: Caller) -> None:
    card = control("POST", "/cards", {"username": "u1", "pending": {"never": True}})

    control("DELETE", f"/cards/{card['loginId']}")

    assert control("GET", "/cards") == {"cards": []}
    assert flinks.authorize(card["loginId"]).json()["FlinksCode"] == "INVALID_LOGIN"


def test_the_clock_moves_forward_only(control: Remote) -> None:
    before = control("GET", "/clock")["now"]

    after = control("POST", "/clock", {"advanceSeconds": 90})["now"]

    assert (before[11:19], after[11:19]) == ("12:00:00", "12:01:30")
    assert control.reply("POST", "/clock", {"advanceSeconds": -1}).status == 400


def test_calls_are_counted_per_endpoint_and_per_card(control: Remote, flinks: Caller) -> None:
    login_id = control("POST", "/cards", {"username": "u1"})["loginId"]
    flinks.detail(flinks.authorize(login_id).json()["RequestId"])
    flinks.authorize()

    calls = control("GET", "/calls")

    assert {name: tally["calls"] for name, tally in calls["endpoints"].items()} == {
        "GenerateAuthorizeToken": 2,
        "Authorize": 2,
        "GetAccountsDetail": 1,
    }
    assert calls["endpoints"]["Authorize"]["codes"] == {"INVALID_LOGIN": 1}
    assert calls["cards"][login_id]["calls"] == 2
    assert (calls["calls"], calls["inFlight"], calls["maxInFlight"]) == (5, 0, 1)


def test_calls_in_flight_are_counted_until_their_answer_is_out(bank: Bank, control: Remote) -> None:
    path = f"/v3/{bank.settings.customer_id}/BankingServices/DeleteCard/{NOBODY}"
    visits = [bank.arrive("DELETE", path, {}) for _ in range(3)]

    during = control("GET", "/calls")["cards"][NOBODY]
    for visit in visits:
        bank.reply(visit)
        bank.leave(visit)

    assert (during["inFlight"], during["maxInFlight"]) == (3, 3)
    assert control("GET", "/calls")["endpoints"]["DeleteCard"]["inFlight"] == 0


def test_the_log_tells_calls_in_order_with_their_fault(control: Remote, flinks: Caller) -> None:
    control("POST", "/faults", {"endpoint": "Authorize", "code": "RETRY_LATER"})
    flinks.authorize()

    (first, second) = control("GET", "/calls/log")["calls"]

    assert (first["endpoint"], first["status"]) == ("GenerateAuthorizeToken", 200)
    assert (second["code"], second["fault"], second["at"]) == ("RETRY_LATER", "code", "2026-03-02T12:00:00+00:00")
    assert control("GET", f"/calls/log?after={first['number']}")["calls"] == [second]


def test_counts_start_again_at_zero(control: Remote, flinks: Caller) -> None:
    flinks.authorize()

    control("DELETE", "/calls")

    assert control("GET", "/calls")["calls"] == 0
    assert control("GET", "/calls/log")["calls"] == []


def test_sessions_of_a_card_are_counted(control: Remote, flinks: Caller) -> None:
    login_id = control("POST", "/cards", {"username": "u1"})["loginId"]
    first, _ = (flinks.authorize(login_id).json()["RequestId"] for _ in range(2))
    flinks.detail(first)

    assert control("GET", f"/cards/{login_id}")["sessions"] == {"opened": 2, "open": 1, "maxOpen": 2}


def test_settings_are_changed_by_name(control: Remote, flinks: Caller) -> None:
    control("PATCH", "/settings", {"secretKey": "rotated", "apiKeyRefusal": 403, "tokenMinutes": 15})

    assert flinks.bank.settings.secret_key == "rotated"
    assert control("GET", "/settings")["apiKeyRefusal"] == 403


@pytest.mark.parametrize(
    "changes", [{"nonsense": 1}, {"secretKey": 7}, {"tokenRequired": 1}, {"pending": {"pols": 1}}, {"pending": 3}]
)
def test_a_change_that_makes_no_sense_changes_nothing(bank: Bank, control: Remote, changes: Any) -> None:
    before = bank.settings.as_json()

    assert control.reply("PATCH", "/settings", {"apiKey": "other"} | changes).status == 400
    assert bank.settings.as_json() == before


def test_faults_are_listed_and_dropped(control: Remote) -> None:
    first = control("POST", "/faults", {"fault": "bom"})
    control("POST", "/faults", {"endpoint": "DeleteCard", "steps": [{"fault": "html", "times": "forever"}]})

    control("DELETE", f"/faults/{first['number']}")
    (left,) = control("GET", "/faults")["scripts"]
    control("DELETE", "/faults")

    assert left["endpoints"] == ["DeleteCard"]
    assert control("GET", "/faults") == {"scripts": []}


def test_connect_is_driven_without_a_browser(control: Remote) -> None:
    result = control("POST", "/connect", {"username": "Greatday", "password": "Everyday", "answer": "Canada"})

    assert result["events"][-1]["loginId"] == result["loginId"]
    assert result["landingUrl"].startswith("http://127.0.0.1/v2/landed?loginId=")


def test_a_reset_forgets_everything_but_settings_and_clock(bank: Bank, control: Remote, flinks: Caller) -> None:
    card = control("POST", "/cards", {"username": "u1"})
    control("PATCH", "/settings", {"apiKey": "other"})
    control("POST", "/faults", {"fault": "bom"})
    token = flinks.token()

    control("POST", "/reset")

    assert control("GET", "/cards") == {"cards": []}
    assert control("GET", "/calls")["calls"] == 0
    assert flinks.authorize(card["loginId"], token=token).json()["FlinksCode"] == "UNAUTHORIZED"
    assert bank.settings.api_key == "other"


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/nonsense", None, 404),
        ("GET", f"/cards/{NOBODY}", None, 404),
        ("GET", f"/cards/{NOBODY}/data", None, 404),
        ("POST", "/cards", {}, 400),
        ("POST", "/cards", {"username": "u", "langauge": "fr"}, 400),
        ("POST", "/cards", {"username": "u", "language": "de"}, 400),
        ("POST", "/cards", {"username": "u", "persona": "nobody"}, 404),
        ("POST", "/cards", [], 400),
        ("POST", "/faults", {"fault": "nonsense"}, 400),
        ("POST", "/faults", {"fault": "without"}, 400),
        ("POST", "/clock", {}, 400),
    ],
)
def test_a_mistaken_request_is_answered_with_the_error_and_changes_nothing(
    control: Remote, method: str, path: str, content: Any, status: int
) -> None:
    reply = control.reply(method, path, content)

    assert reply.status == status
    assert reply.json()["error"]


def test_the_readme_names_every_route_fault_and_setting(control: Remote, bank: Bank) -> None:
    told = (Path(flinks_package.__file__).parent / "README.md").read_text()

    offered = [*control("GET", "/")["routes"], *CATALOGUE, *bank.settings.as_json()]

    assert [name for name in offered if f"`{name}`" not in told] == []
