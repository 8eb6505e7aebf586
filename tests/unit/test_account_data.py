"""Account data as Flinks sent it, less what identifies session and login, packed to be stored."""

import gzip
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landing.flinks import account_data
from landing.flinks.account_data import OURS, About, AnotherLogin, Incomplete
from landing.strict_json import JsonObject, parse

LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
REQUEST_ID = "b7a1e0d2-5c3f-4f86-a0be-6e1d97c2f405"
ACCOUNT_ID = "d2740b9c-61fe-4a3d-f0c8-08de7a41ca07"
ABOUT = About(
    connection_id="con_f5yerbhzpahoytczmz2lne2yju",
    generation=3,
    owner="user-4711",
    institution="FlinksCapital",
    fetched_at=datetime(2026, 3, 2, 14, 5, 11, 204_000, UTC),
)


def answer(**members: Any) -> JsonObject:
    """A 200 of GetAccountsDetail; `members` are put in or over it."""
    account = {
        "Transactions": [
            {"Date": "2026-02-27", "Code": None, "Description": "ÉPICERIE DU COIN", "Debit": 63.28, "Id": ACCOUNT_ID}
        ],
        "TransitNumber": "07777",
        "Balance": {"Available": None, "Current": 6230.44, "Limit": 5000},
        "Holder": {"Name": "Amélie Tremblay-Roy", "Address": None},
        "Id": ACCOUNT_ID,
    }
    body = {
        "HttpStatusCode": 200,
        "Accounts": [account],
        "InstitutionName": "FlinksCapital",
        "Login": {
            "Username": "Greatday",
            "LastRefresh": "2026-03-02T14:05:09.4172038",
            "Type": "Personal",
            "Id": LOGIN_ID,
        },
        "Institution": "FlinksCapital",
        "RequestId": REQUEST_ID,
    }
    exact: JsonObject = parse(json.dumps(body | members).encode())
    return exact


def stored(body: JsonObject) -> str:
    return gzip.decompress(account_data.read(body, LOGIN_ID, ABOUT).compressed).decode()


def test_a_drop_is_the_answer_without_session_and_login() -> None:
    body = answer(Links=[{"rel": "Statements"}], Tag="client=40817")

    kept = json.loads(stored(body))

    expected = json.loads(json.dumps(answer(), default=float))
    del kept[OURS], expected["RequestId"], expected["Login"]["Id"], expected["Login"]["Username"]
    assert kept == expected


def test_a_drop_says_first_whose_data_it_is_and_of_when() -> None:
    kept = json.loads(stored(answer()))

    assert next(iter(kept)) == OURS
    assert kept[OURS] == {
        "connectionId": "con_f5yerbhzpahoytczmz2lne2yju",
        "generation": 3,
        "owner": "user-4711",
        "institution": "FlinksCapital",
        "fetchedAt": "2026-03-02T14:05:11.204Z",
        "lastRefresh": "2026-03-02T14:05:09.4172038",
    }


@pytest.mark.parametrize("name", [OURS, OURS.upper(), OURS.lower()])
def test_flinks_cannot_speak_in_our_name(name: str) -> None:
    kept = json.loads(stored(answer(**{name: {"owner": "another"}})))

    assert [kept[member]["owner"] for member in kept if member.lower() == OURS.lower()] == ["user-4711"]


def test_what_was_packed_is_described() -> None:
    body = answer(Accounts=[{"Transactions": [{}, {}]}, {"Transactions": [{}]}, {"Transactions": None}, {}])

    packed = account_data.read(body, LOGIN_ID, ABOUT)

    assert (packed.accounts, packed.transactions) == (4, 3)
    assert packed.last_refresh == "2026-03-02T14:05:09.4172038"
    assert packed.sha256 == hashlib.sha256(packed.compressed).hexdigest()


@pytest.mark.parametrize(
    "literal",
    ["49993.96", "1842.10", "0.00", "-512.9", "5000", "123456789012345678.12", "0.1000000000000000055511151231257827"],
)
def test_money_is_stored_to_the_last_digit(literal: str) -> None:
    body = parse(b'{"Login":{"Id":"%b"},"Accounts":[{"Balance":%b}]}' % (LOGIN_ID.encode(), literal.encode()))

    text = stored(body)

    assert f'"Balance":{literal}}}' in text


@pytest.mark.parametrize(
    "oddity",
    [
        pytest.param({"Holder": "Amélie Tremblay-Roy"}, id="holder as a string"),
        pytest.param({"Holder": None, "Balance": None}, id="nulls"),
        pytest.param({"OverdraftLimit": "0"}, id="number as a string"),
        pytest.param({"Transactions": [{"Date": "2026/02/27", "Debit": 0, "Credit": 5}]}, id="odd transaction"),
        pytest.param({"Tag": "rent", "Links": [], "Username": "x"}, id="an account's own tag, links and username"),
        pytest.param({"Nickname": "🏠\u2028", "": {}}, id="members nobody knows yet"),
        pytest.param({}, id="an empty account"),
    ],
)
def test_an_odd_account_passes_unharmed(oddity: JsonObject) -> None:
    body = answer(Accounts=[oddity])

    kept = json.loads(stored(body))

    assert kept["Accounts"] == [oddity]


def test_no_accounts_are_stored_honestly() -> None:
    packed = account_data.read(answer(Accounts=[]), LOGIN_ID, ABOUT)

    assert (packed.accounts, packed.transactions) == (0, 0)


@pytest.mark.parametrize("accounts", [None, {}, "none", 3, [None], [[]], ["x"]])
def test_without_an_array_of_accounts_it_is_no_account_data(accounts: Any) -> None:
    with pytest.raises(Incomplete):
        account_data.read(answer(Accounts=accounts), LOGIN_ID, ABOUT)


def test_absent_accounts_are_not_an_empty_array() -> None:
    body = answer()
    del body["Accounts"]

    with pytest.raises(Incomplete):
        account_data.read(body, LOGIN_ID, ABOUT)


def test_the_data_of_another_login_is_refused() -> None:
    another = {"Id": "00000000-2b1e-4c77-5d25-08de7a41c9b2"}

    with pytest.raises(AnotherLogin) as refusal:
        account_data.read(answer(Login=another), LOGIN_ID, ABOUT)

    assert "2b1e" not in str(refusal.value)


@pytest.mark.parametrize("login", [None, {}, {"Id": None}, {"Id": 7}, LOGIN_ID, [{"Id": LOGIN_ID}]])
def test_data_of_a_login_that_is_not_named_is_refused(login: Any) -> None:
    with pytest.raises(Incomplete):
        account_data.read(answer(Login=login), LOGIN_ID, ABOUT)


def test_no_answer_is_no_account_data() -> None:
    with pytest.raises(Incomplete):
        account_data.read(None, LOGIN_ID, ABOUT)


def test_a_login_is_the_same_in_any_case() -> None:
    packed = account_data.read(answer(Login={"Id": LOGIN_ID.upper()}), LOGIN_ID, ABOUT)

    assert LOGIN_ID not in gzip.decompress(packed.compressed).decode().lower()


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"login": {"id": "x", "USERNAME": "Greatday"}}, id="login in another case"),
        pytest.param({"REQUESTID": REQUEST_ID, "requestId": REQUEST_ID.upper()}, id="requestId in another case"),
        pytest.param({"loginId": "another"}, id="any loginId"),
        pytest.param({"requestid": "another"}, id="any requestId"),
        pytest.param({"Message": f"RequestId {REQUEST_ID.upper()} has ended"}, id="requestId quoted in a text"),
        pytest.param({"links": [{"example": f"/GetAccountsDetailAsync/{REQUEST_ID}"}]}, id="links"),
        pytest.param({"tag": "client=Greatday"}, id="tag in another case"),
        pytest.param({"Message": f"All of LoginId {LOGIN_ID.upper()} is here"}, id="loginId quoted in a text"),
        pytest.param({"Accounts": [{"Login": {"Id": LOGIN_ID, "Username": "Greatday"}}]}, id="inside an account"),
        pytest.param({"Accounts": [{"Notes": ["fine", LOGIN_ID]}]}, id="inside an array"),
        pytest.param({"Accounts": [{LOGIN_ID: {"a": 1}}]}, id="as a name"),
        pytest.param({"Accounts": [{"Session": {"RequestId": "any"}}]}, id="requestId inside an account"),
    ],
)
def test_no_secret_slips_through_under_another_name(members: JsonObject) -> None:
    text = stored(answer(**members)).lower()

    assert "accounts" in text
    for secret in (LOGIN_ID, REQUEST_ID, "loginid", "requestid", "greatday"):
        assert secret not in text


def test_a_request_id_that_is_no_guid_is_not_searched_for_in_the_data() -> None:
    kept = json.loads(stored(answer(RequestId="a")))

    assert kept["Accounts"] == json.loads(stored(answer()))["Accounts"]


@pytest.mark.parametrize(
    "last_refresh", [None, 7, "yesterday", "2026-03-02T14:05:09\r\nx-amz-acl: public-read", "é" * 20]
)
def test_a_last_refresh_that_is_no_time_is_not_written_as_metadata(last_refresh: Any) -> None:
    packed = account_data.read(answer(Login={"Id": LOGIN_ID, "LastRefresh": last_refresh}), LOGIN_ID, ABOUT)

    assert packed.last_refresh is None


def test_the_same_answer_gives_the_same_bytes() -> None:
    first, second = (account_data.read(answer(), LOGIN_ID, ABOUT) for _ in range(2))

    assert first == second
    assert first.compressed[4:8] == bytes(4)  # gzip's own time stamp, which would change by the second


def test_the_answer_itself_is_left_as_it_was() -> None:
    body = answer()

    account_data.read(body, LOGIN_ID, ABOUT)

    assert body == answer()


def json_of(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    )


NAMES = st.sampled_from(["Login", "Accounts", "Id", "Transactions", "RequestId", "LastRefresh"])


@given(st.dictionaries(NAMES, json_of(NAMES)))
def test_any_object_is_packed_or_refused_by_name(body: JsonObject) -> None:
    try:
        account_data.read(body, LOGIN_ID, ABOUT)
    except (Incomplete, AnotherLogin):
        return


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.text(max_size=5), json_of(st.text(max_size=5)), max_size=3), max_size=3))
def test_accounts_of_any_shape_are_stored_as_they_came(accounts: list[JsonObject]) -> None:
    body = answer(Accounts=accounts)

    kept = json.loads(stored(body))

    assert kept["Accounts"] == accounts
