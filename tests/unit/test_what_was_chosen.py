"""What a person and her app chose in Connect: it never refuses her login, and it holds at every later fetch."""

import gzip
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from landing.domain.connection import DaysOfTransactions, Language, Status
from tests.world.service import BUCKET, Service, http_event

LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
CONNECT = "https://toolbox-iframe.private.fin.ag/v2/"

LABELS = [
    ("FlinksCapital", "FlinksCapital"),
    ("President's Choice Financial®", "President's Choice Financial®"),
    ("Tangerine™", "Tangerine™"),
    ("Caisse populaire — Québec", "Caisse populaire — Québec"),
    ("“Bank” | «Banque» 🏦", "“Bank” | «Banque» 🏦"),
    ("Банк", "Банк"),
    ('A "quoted" \\ name', 'A "quoted" \\ name'),
    ("E\u0301pargne", "\u00c9pargne"),
    ("  Two\tlines\nof \u2028 it  ", "Two lines of it"),
    ("x" * 65, "x" * 64),
    ("Word " * 20, ("Word " * 13)[:64].rstrip()),
    ("x" * 8000, "x" * 64),
    ("a\0b\a\u202e\u200bc", "abc"),
    ("<script>alert(1)</script>", "scriptalert(1)/script"),
    ("", None),
    (" \n\0", None),
    ("undefined", None),
    ("null", None),
    (LOGIN_ID, None),
    (f"RBC {LOGIN_ID.upper()}", None),
    (None, None),
]


@pytest.mark.parametrize(("label", "kept"), LABELS)
def test_a_label_never_refuses_a_login(service: Service, label: str | None, kept: str | None) -> None:
    answer = service.post(LOGIN_ID, institution=label)

    (row,) = service.rows()
    assert answer["statusCode"] == 202
    assert row.institution == json.loads(answer["body"])["institution"] == kept


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf8",
        "application/json;",
        "application/json; odata=x",
        'Application/JSON ;; charset="UTF-8"; odata.metadata=minimal',
    ],
)
def test_a_json_body_is_one_whatever_else_its_type_says(service: Service, content_type: str) -> None:
    body = json.dumps({"loginId": LOGIN_ID})

    answer = service.post_raw(body, headers={"content-type": content_type})

    assert answer["statusCode"] == 202


def test_the_language_of_the_session_is_kept_for_a_reconnect(service: Service) -> None:
    first = service.post(LOGIN_ID, language="fr")
    again = service.post(LOGIN_ID)

    (row,) = service.rows()
    assert row.language is Language.FRENCH
    assert [json.loads(answer["body"])["language"] for answer in (first, again)] == ["fr", "fr"]


def test_a_language_that_comes_later_is_kept_with_the_next_fetch(service: Service) -> None:
    connection_id = service.connect_and_post()
    service.settle()
    service.world.clock.advance(61)

    service.post(service.connect_bank(), language="en")

    assert service.row(connection_id).language is Language.ENGLISH


def history_of(service: Service, connection_id: str) -> int:
    """How many transactions the newest drop of a connection holds."""
    drop = service.row(connection_id).drop
    assert drop is not None
    return drop.transactions


@pytest.mark.parametrize(("deployed", "chosen", "more"), [(None, None, False), ("365", None, True), (None, 365, True)])
def test_a_year_of_history_comes_where_deployment_or_page_asked_for_it(
    service: Service, deployed: str | None, chosen: int | None, more: bool
) -> None:
    usual = service.connect_and_post("greatday_nomfa+usual", daysOfTransactions="Days365")
    service.settle()
    if deployed:
        service.set_environment(DAYS_OF_TRANSACTIONS=deployed)

    login_id = service.connect_bank("greatday_nomfa+asked", daysOfTransactions="Days365")
    answer = service.post(login_id, daysOfTransactions=chosen)
    service.settle()

    connection_id = json.loads(answer["body"])["connectionId"]
    assert (history_of(service, connection_id) > 2 * history_of(service, usual)) is more
    assert json.loads(service.get(connection_id)["body"])["daysOfTransactions"] == chosen


def test_the_days_that_were_chosen_hold_when_ops_fetch_again(service: Service) -> None:
    login_id = service.connect_bank(daysOfTransactions="Days365")
    connection_id = json.loads(service.post(login_id, daysOfTransactions=365)["body"])["connectionId"]
    service.settle()
    before = history_of(service, connection_id)

    service.set_environment(EVENT_BUS_NAME="bus")
    order = {"refetch": {"ids": [connection_id]}, "ticket": "OPS-1", "dryRun": False}
    service.call("refetch_connections", order)
    service.settle()

    row = service.row(connection_id)
    assert (row.generation, row.days_of_transactions) == (2, DaysOfTransactions.DAYS_365)
    assert history_of(service, connection_id) == before


def test_other_days_are_a_new_choice_and_begin_the_next_fetch(service: Service) -> None:
    login_id = service.connect_bank(daysOfTransactions="Days365")
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    service.settle()
    before = history_of(service, connection_id)

    service.post(login_id, daysOfTransactions=365)
    service.settle()

    assert service.row(connection_id).generation == 2
    assert history_of(service, connection_id) > 2 * before


def test_days_that_come_while_it_is_fetched_are_asked_for_next(service: Service) -> None:
    login_id = service.connect_bank(daysOfTransactions="Days365", pending={"polls": 2})
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    service.until(connection_id, Status.PENDING)

    service.post(login_id, daysOfTransactions=365)
    service.settle()

    row = service.row(connection_id)
    assert (row.generation, row.days_of_transactions) == (2, DaysOfTransactions.DAYS_365)


def test_how_many_accounts_the_newest_data_holds_is_shown(service: Service) -> None:
    connection_id = service.connect_and_post()
    before = json.loads(service.get(connection_id)["body"])["accounts"]
    service.settle()

    after = json.loads(service.get(connection_id)["body"])["accounts"]

    (key,) = service.drops()
    stored = service.world.buckets[BUCKET].versions[key][-1].body or b""
    assert before is None
    assert after == len(json.loads(gzip.decompress(stored))["Accounts"])


# --- what a page may ask of a session


@pytest.fixture(autouse=True)
def _connect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLINKS_CONNECT_URL", CONNECT)


def session(service: Service, **wanted: Any) -> tuple[str, dict[str, str]]:
    """The path below Connect's own URL, and the parameters."""
    event = http_event("POST /connect-sessions", "alice", body=json.dumps(wanted))
    answer = service.call("create_connect_session", event)
    assert answer["statusCode"] == 201, answer
    url = json.loads(answer["body"])["connectUrl"]
    assert url.startswith(CONNECT)
    parameters = {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
    return url.removeprefix(CONNECT).partition("?")[0], parameters


@pytest.mark.parametrize(
    ("wanted", "name", "value"),
    [
        ({"customerName": "Pay & Go?#é"}, "customerName", "Pay & Go?#é"),
        ({"customerName": "x" * 100}, "customerName", "x" * 64),
        ({"customerName": ""}, "customerName", None),
        ({"theme": "dark"}, "theme", "dark"),
        ({"termsUrl": "https://app.example.com/terms?a=1#b"}, "termsUrl", "https://app.example.com/terms?a=1#b"),
        ({"webview": True}, "webview", "true"),
        ({"webview": False}, "webview", None),
        ({"daysOfTransactions": 365}, "daysOfTransactions", "Days365"),
        ({"daysOfTransactions": None}, "daysOfTransactions", "Days90"),
        ({}, "daysOfTransactions", "Days90"),
        ({}, "theme", None),
    ],
)
def test_an_option_is_a_parameter_of_connect(
    service: Service, wanted: dict[str, Any], name: str, value: str | None
) -> None:
    place, parameters = session(service, **wanted)

    assert place == ""
    assert parameters.get(name) == value


@pytest.mark.parametrize(
    ("institution", "place"),
    [
        ("FlinksCapital", "Credential/FlinksCapital/"),
        ("RBC", "Credential/RBC/"),
        ("President's Choice Financial®", ""),
        ("../../evil", ""),
        ("RBC/?tag=x", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_reconnect_goes_straight_to_its_bank_and_never_elsewhere(
    service: Service, institution: str | None, place: str
) -> None:
    assert session(service, institution=institution)[0] == place


def test_a_deployment_may_collect_a_year_for_everybody(service: Service) -> None:
    service.set_environment(DAYS_OF_TRANSACTIONS="365")

    assert session(service)[1]["daysOfTransactions"] == "Days365"
    assert session(service, daysOfTransactions=90)[1]["daysOfTransactions"] == "Days90"


def test_a_session_of_another_url_of_connect_finds_its_bank_too(service: Service) -> None:
    service.set_environment(FLINKS_CONNECT_URL="https://connect.example.com/v2")
    event = http_event("POST /connect-sessions", "alice", body='{"institution": "RBC"}')

    url = json.loads(service.call("create_connect_session", event)["body"])["connectUrl"]

    assert url.startswith("https://connect.example.com/v2/Credential/RBC/?authorizeToken=")
