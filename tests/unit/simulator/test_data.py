"""GetAccountsDetail, its Async twin and the data itself: flinks.md §6, §7 and §18.7 to 13 and 19."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from local.flinks.bank import Bank
from local.flinks.cards import Card, Pending
from local.flinks.ids import GUID
from local.flinks.reply import Json
from tests.unit.simulator.driver import NOBODY, NOON, Caller, connect

MINUTE = 60


def test_fresh_data_is_pending_for_as_many_polls_as_set(bank: Bank, flinks: Caller) -> None:
    request_id = flinks.open(connect(bank, polls=3))

    statuses = [flinks.detail(request_id).status] + [flinks.poll(request_id).status for _ in range(4)]

    assert statuses == [202, 202, 202, 200, 200]


def test_a_pending_answer_names_its_request_and_carries_no_data(bank: Bank, flinks: Caller) -> None:
    request_id = flinks.open(connect(bank, polls=1))

    pending = flinks.detail(request_id).json()

    assert (pending["HttpStatusCode"], pending["FlinksCode"]) == (202, "OPERATION_PENDING")
    assert pending["RequestId"] == request_id
    assert set(pending["Links"][0]) == {"rel", "href", "example"}
    assert "Accounts" not in pending


def test_the_same_call_again_gives_the_data_once_it_is_ready(bank: Bank, flinks: Caller) -> None:
    request_id = flinks.open(connect(bank, polls=1))

    assert [flinks.detail(request_id).status for _ in range(2)] == [202, 200]


def test_data_may_be_pending_for_a_time(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    card.wait(Pending(polls=0, seconds=90), bank.clock.now())
    request_id = flinks.open(card)

    before = flinks.detail(request_id).status
    bank.clock.advance(90)

    assert (before, flinks.poll(request_id).status) == (202, 200)


def test_data_may_never_be_ready(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    card.wait(Pending(never=True), bank.clock.now())
    request_id = flinks.open(card)
    flinks.detail(request_id)

    bank.clock.advance(29 * MINUTE)

    assert flinks.poll(request_id).status == 202


def test_by_default_the_first_answer_is_pending_and_the_second_is_data(flinks: Caller) -> None:
    flinks.bank.settings.pending = Pending()
    request_id = flinks.log_in("greatday_nomfa").json()["RequestId"]

    assert [flinks.detail(request_id).status, flinks.poll(request_id).status] == [202, 200]


def test_the_poll_honours_the_options_of_the_call(bank: Bank, flinks: Caller) -> None:
    request_id = flinks.open(connect(bank, polls=1))
    flinks.detail(request_id, WithKYC=False)

    polled = flinks.poll(request_id).json()

    assert {account["Holder"] for account in polled["Accounts"]} == {None}


@pytest.mark.parametrize("unasked", [True, False])
def test_a_poll_without_a_call_before_it_has_no_session(bank: Bank, flinks: Caller, unasked: bool) -> None:
    request_id = flinks.open(connect(bank)) if unasked else NOBODY

    reply = flinks.poll(request_id)

    assert (reply.status, reply.json()["FlinksCode"]) == (400, "SESSION_NONEXISTENT")


@pytest.mark.parametrize(("minutes", "status"), [(7.9, 200), (8, 400)])
def test_a_session_idles_for_eight_minutes(bank: Bank, flinks: Caller, minutes: float, status: int) -> None:
    request_id = flinks.open(connect(bank))

    bank.clock.advance(minutes * MINUTE)

    assert flinks.detail(request_id).status == status


def test_a_session_that_is_processing_outlives_the_eight_minutes_but_not_thirty(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    card.wait(Pending(never=True), bank.clock.now())
    request_id = flinks.open(card)
    flinks.detail(request_id)

    bank.clock.advance(20 * MINUTE)
    alive = flinks.poll(request_id).status
    bank.clock.advance(10 * MINUTE)

    assert (alive, flinks.poll(request_id).json()["FlinksCode"]) == (202, "SESSION_NONEXISTENT")


def test_the_end_of_a_session_may_be_called_expired(bank: Bank, flinks: Caller) -> None:
    bank.settings.session_end_code = "SESSION_EXPIRED"

    reply = flinks.detail(NOBODY)

    assert (reply.status, reply.json()["FlinksCode"]) == (400, "SESSION_EXPIRED")


def test_without_a_request_id_the_call_is_invalid(flinks: Caller) -> None:
    assert flinks.detail("").json()["FlinksCode"] == "INVALID_REQUEST"


@pytest.mark.parametrize(
    ("flag", "check"),
    [
        (
            "WithAccountIdentity",
            lambda a: (a["TransitNumber"], a["InstitutionNumber"], a["AccountNumber"]) == (None,) * 3,
        ),
        ("WithKYC", lambda a: a["Holder"] is None),
        ("WithTransactions", lambda a: a["Transactions"] == []),
        ("WithBalance", lambda a: a["Balance"] == {"Available": None, "Current": None, "Limit": None}),
    ],
)
@pytest.mark.parametrize("off", [False, "false", "False"])
def test_an_option_set_to_false_leaves_its_part_out(
    bank: Bank, flinks: Caller, flag: str, check: Any, off: Any
) -> None:
    card = connect(bank)

    reduced, full = flinks.accounts(card, **{flag: off}), flinks.accounts(card)

    assert all(check(account) for account in reduced)
    assert not all(check(account) for account in full)


def test_a_filter_keeps_only_its_accounts(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    wanted = [account["Id"] for account in flinks.accounts(card)[1:3]]

    kept = flinks.accounts(card, AccountsFilter=wanted)

    assert [account["Id"] for account in kept] == wanted


@pytest.mark.parametrize("wanted", [[], [NOBODY], "x"])
def test_an_accounts_filter_that_matches_no_account_is_refused(bank: Bank, flinks: Caller, wanted: Any) -> None:
    reply = flinks.detail(flinks.open(connect(bank)), AccountsFilter=wanted)

    assert (reply.status, reply.json()["FlinksCode"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(("asked", "days"), [(None, 90), ("Days90", 90), ("Days365", 365)])
def test_history_is_cut_by_the_days_asked_for(bank: Bank, flinks: Caller, asked: str | None, days: int) -> None:
    card = connect(bank)

    oldest = min(_dates(flinks.accounts(card, DaysOfTransactions=asked)))

    assert timedelta(days=days - 10) < NOON.date() - oldest <= timedelta(days=days)


def test_history_is_never_deeper_than_what_was_collected(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    card.days = 90

    assert flinks.accounts(card, DaysOfTransactions="Days365") == flinks.accounts(card)


def test_the_days_are_counted_from_the_clock(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)

    bank.clock.advance(timedelta(days=60).total_seconds())

    assert min(_dates(flinks.accounts(card))) >= NOON.date() - timedelta(days=30)


def test_days360_is_refused(bank: Bank, flinks: Caller) -> None:
    reply = flinks.detail(flinks.open(connect(bank)), DaysOfTransactions="Days360")

    assert reply.json()["FlinksCode"] == "INVALID_REQUEST"


def test_data_has_flinks_nulls_accents_and_zeros(bank: Bank, flinks: Caller) -> None:
    accounts = {account["Title"]: account for account in flinks.accounts(connect(bank), DaysOfTransactions="Days365")}

    card = accounts["Visa Horizon"]
    assert list(accounts) == ["Chequing CAD", "Savings CAD", "Chequing USD", "Visa Horizon", "RRSP"]
    assert accounts["Savings CAD"]["TransitNumber"].startswith("0")
    assert accounts["RRSP"]["Transactions"] == []
    assert accounts["Chequing USD"]["Currency"] == "USD"
    assert (card["TransitNumber"], card["AccountNumber"], card["AccountType"]) == (None, None, None)
    assert (card["Balance"]["Available"], card["Holder"]["Address"]) == (None, None)
    assert accounts["Chequing CAD"]["LastFourDigits"] is None
    assert accounts["Chequing CAD"]["Holder"]["Address"]["POBox"] is None
    assert not accounts["Chequing CAD"]["Holder"]["Name"].isascii()
    assert any(entry["Description"] is None for entry in card["Transactions"])


def test_amounts_are_exact_to_the_cent_and_add_up(bank: Bank, flinks: Caller) -> None:
    account = flinks.accounts(connect(bank))[0]

    newest_first = [
        (_decimal(entry["Credit"]) - _decimal(entry["Debit"]), _decimal(entry["Balance"]))
        for entry in account["Transactions"]
    ]

    assert newest_first[0][1] == _decimal(account["Balance"]["Current"])
    assert all(later == earlier + amount for (amount, later), (_, earlier) in pairwise(newest_first))
    assert {-1, -2} <= {amount.as_tuple().exponent for amount, _ in newest_first}


def test_transactions_come_newest_first_with_one_amount_each(bank: Bank, flinks: Caller) -> None:
    entries = flinks.accounts(connect(bank))[0]["Transactions"]

    dates = [entry["Date"] for entry in entries]
    assert dates == sorted(dates, reverse=True)
    assert all((entry["Debit"] is None) != (entry["Credit"] is None) for entry in entries)
    assert len({entry["Id"] for entry in entries}) == len(entries)


def test_ids_of_accounts_look_sequential_and_those_of_transactions_random(bank: Bank, flinks: Caller) -> None:
    account = flinks.accounts(connect(bank))[0]

    assert account["Id"][24:28] == "08de"
    assert all(GUID.fullmatch(entry["Id"]) and entry["Id"][19] in "89ab" for entry in account["Transactions"])


def test_a_reconnect_keeps_what_was_there_and_adds_to_it(bank: Bank, flinks: Caller) -> None:
    before = flinks.accounts(connect(bank), DaysOfTransactions="Days365")[0]

    bank.clock.advance(timedelta(days=20).total_seconds())
    after = flinks.accounts(connect(bank), DaysOfTransactions="Days365")[0]

    old = [entry for entry in before["Transactions"] if date.fromisoformat(entry["Date"]) > date(2025, 4, 1)]
    assert after["Id"] == before["Id"]
    assert [entry for entry in after["Transactions"] if entry in old] == old
    assert after["Transactions"][0]["Date"] > before["Transactions"][0]["Date"]


def test_two_logins_have_different_data(bank: Bank, flinks: Caller) -> None:
    assert flinks.accounts(connect(bank, "one")) != flinks.accounts(connect(bank, "two"))


def test_the_data_names_its_login_request_and_tag(bank: Bank, flinks: Caller) -> None:
    card = connect(bank)
    card.tag = "client=40817"
    request_id = flinks.open(card)

    data = flinks.detail(request_id).json()

    assert (data["Login"]["Id"], data["RequestId"], data["Tag"]) == (card.login_id, request_id, "client=40817")
    assert (data["HttpStatusCode"], data["InstitutionId"], data["Institution"]) == (200, 14, "FlinksCapital")


@pytest.mark.parametrize(("refusal", "expected"), [(401, 401), (403, 403), (None, 200)])
@pytest.mark.parametrize("headers", [{}, {"X_API_KEY": "wrong"}])
def test_the_api_key_is_wanted_on_data_calls(
    bank: Bank, flinks: Caller, refusal: int | None, expected: int, headers: dict[str, str]
) -> None:
    bank.settings.api_key_refusal = refusal
    request_id = flinks.open(connect(bank))

    reply = flinks.call("POST", "GetAccountsDetail", {"RequestId": request_id}, **headers)

    assert reply.status == expected


def test_header_names_match_in_any_case(bank: Bank, flinks: Caller) -> None:
    request_id = flinks.open(connect(bank))

    reply = flinks.call("POST", "GetAccountsDetail", {"RequestId": request_id}, X_Api_KEY=bank.settings.api_key)

    assert reply.status == 200


def test_the_same_bank_at_another_time_tells_the_same_story(bank: Bank) -> None:
    card: Card = connect(bank)

    assert card.refreshed == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert card.every_account() == connect(bank).every_account()


def _dates(accounts: list[Json]) -> list[date]:
    return [date.fromisoformat(entry["Date"]) for account in accounts for entry in account["Transactions"]]


def _decimal(amount: float | None) -> Decimal:
    return Decimal(str(amount or 0))
