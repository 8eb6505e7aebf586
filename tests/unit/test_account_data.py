"""Account data as Flinks sent it, less what identifies session and login, packed to be stored."""

import gzip
import hashlib
import json
import zlib
from codecs import BOM_UTF8
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landing.flinks import account_data
from landing.flinks.account_data import OURS, About, AccountData, AnotherLogin, Incomplete
from landing.flinks.answer import received
from landing.strict_json import JsonObject

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
    return body | members


def packed(answer: JsonObject | bytes) -> AccountData:
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return account_data.read(received(content), LOGIN_ID, ABOUT)


def stored(answer: JsonObject | bytes) -> str:
    return gzip.decompress(packed(answer).compressed).decode()


def test_a_drop_is_the_answer_without_session_and_login() -> None:
    body = answer(Links=[{"rel": "Statements"}], Tag="client=40817")

    kept = json.loads(stored(body))

    expected = answer()
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


@pytest.mark.parametrize("transactions", [1, 20, 300, 3_000])
def test_a_drop_of_any_size_is_hardly_larger_than_zlib_would_make_it(transactions: int) -> None:
    (account,) = answer()["Accounts"]
    entries = [account["Transactions"][0] | {"Debit": number / 100} for number in range(transactions)]

    compressed = packed(answer(Accounts=[account | {"Transactions": entries}])).compressed

    assert len(compressed) < 1.25 * len(zlib.compress(gzip.decompress(compressed), 6)) + 100


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_a_drop_is_one_line_however_the_answer_was_written(line_break: str) -> None:
    written = json.dumps(answer(Note="line\nbreak"), indent=2).replace("\n", line_break)

    packed = account_data.read(received(written.encode()), LOGIN_ID, ABOUT)

    text = gzip.decompress(packed.compressed).decode()
    assert not {"\n", "\r"} & set(text)
    assert json.loads(text) == json.loads(stored(answer(Note="line\nbreak")))


@pytest.mark.parametrize("name", [OURS, OURS.upper(), OURS.lower()])
def test_flinks_cannot_speak_in_our_name(name: str) -> None:
    kept = json.loads(stored(answer(**{name: {"owner": "another"}})))

    assert [kept[member]["owner"] for member in kept if member.lower() == OURS.lower()] == ["user-4711"]


def test_what_was_packed_is_described() -> None:
    body = answer(Accounts=[{"Transactions": [{}, {}]}, {"Transactions": [{}]}, {"Transactions": None}, {}])

    data = packed(body)

    assert (data.accounts, data.transactions) == (4, 3)
    assert data.last_refresh == "2026-03-02T14:05:09.4172038"
    assert data.sha256 == hashlib.sha256(data.compressed).hexdigest()


@pytest.mark.parametrize(
    "literal",
    ["49993.96", "1842.10", "0.00", "-512.9", "5000", "123456789012345678.12", "0.1000000000000000055511151231257827"],
)
def test_money_is_stored_to_the_last_digit(literal: str) -> None:
    body = b'{"Login":{"Id":"%b"},"Accounts":[{"Balance":%b}]}' % (LOGIN_ID.encode(), literal.encode())

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
    data = packed(answer(Accounts=[]))

    assert (data.accounts, data.transactions) == (0, 0)


@pytest.mark.parametrize("accounts", [None, {}, "none", 3, [None], [[]], ["x"]])
def test_without_an_array_of_accounts_it_is_no_account_data(accounts: Any) -> None:
    with pytest.raises(Incomplete):
        packed(answer(Accounts=accounts))


def test_absent_accounts_are_not_an_empty_array() -> None:
    body = answer()
    del body["Accounts"]

    with pytest.raises(Incomplete):
        packed(body)


def test_the_data_of_another_login_is_refused() -> None:
    another = {"Id": "00000000-2b1e-4c77-5d25-08de7a41c9b2"}

    with pytest.raises(AnotherLogin) as refusal:
        packed(answer(Login=another))

    assert "2b1e" not in str(refusal.value)


@pytest.mark.parametrize("login", [None, {}, {"Id": None}, {"Id": 7}, LOGIN_ID, [{"Id": LOGIN_ID}]])
def test_data_of_a_login_that_is_not_named_is_refused(login: Any) -> None:
    with pytest.raises(Incomplete):
        packed(answer(Login=login))


def test_no_answer_is_no_account_data() -> None:
    with pytest.raises(Incomplete):
        account_data.read(None, LOGIN_ID, ABOUT)


def test_a_login_is_the_same_in_any_case() -> None:
    text = stored(answer(Login={"Id": LOGIN_ID.upper()}))

    assert LOGIN_ID not in text.lower()


def test_an_id_of_a_login_in_another_form_is_not_stored() -> None:
    bare = LOGIN_ID.replace("-", "")

    text = stored(answer(Login={"Id": LOGIN_ID, "ID": bare, "iD": {"guid": bare}}))

    assert bare not in text


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
        pytest.param({"Accounts": [{"Login": {"Username": "Greatday"}}]}, id="a username alone inside an account"),
        pytest.param({"Accounts": [{"Notes": {"LoginId": "another"}}]}, id="any loginId inside an account"),
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


@pytest.mark.parametrize("place", range(len(LOGIN_ID)))
def test_a_secret_that_is_partly_written_as_an_escape_is_found(place: int) -> None:
    disguised = LOGIN_ID[:place] + f"\\u{ord(LOGIN_ID[place]):04X}" + LOGIN_ID[place + 1 :]
    content = json.dumps(answer(Accounts=[{"Note": "HERE", "Kind": 7}])).replace("HERE", disguised).encode()

    kept = json.loads(stored(content))

    assert kept["Accounts"] == [{"Kind": 7}]


@pytest.mark.parametrize("before_the_edge", [1, 18, 35])
def test_a_secret_is_found_wherever_it_stands_in_a_long_answer(before_the_edge: int) -> None:
    start = len('[{"Padding": "", "Note": "')
    padding = "x" * (account_data.STRIDE - start - before_the_edge)
    content = json.dumps(answer(Accounts=[{"Padding": padding, "Note": LOGIN_ID}])).encode()

    kept = json.loads(stored(content))

    assert kept["Accounts"] == [{"Padding": padding}]


@pytest.mark.parametrize("odd", ["é", '"', "\\", "\n", "\u0130"])
def test_a_request_id_with_odd_characters_is_found_too(odd: str) -> None:
    request_id = odd + REQUEST_ID[1:]

    kept = json.loads(stored(answer(RequestId=request_id, Accounts=[{"Note": f"session {request_id}", "Kind": 7}])))

    assert kept["Accounts"] == [{"Kind": 7}]


def test_a_request_id_that_is_no_guid_is_not_searched_for_in_the_data() -> None:
    kept = json.loads(stored(answer(RequestId="a")))

    assert kept["Accounts"] == json.loads(stored(answer()))["Accounts"]


@pytest.mark.parametrize(
    "last_refresh", [None, 7, "yesterday", "2026-03-02T14:05:09\r\nx-amz-acl: public-read", "é" * 20]
)
def test_a_last_refresh_that_is_no_time_is_not_written_as_metadata(last_refresh: Any) -> None:
    data = packed(answer(Login={"Id": LOGIN_ID, "LastRefresh": last_refresh}))

    assert data.last_refresh is None


def test_the_same_answer_gives_the_same_bytes() -> None:
    first, second = (packed(answer()) for _ in range(2))

    assert first == second
    assert first.compressed[4:8] == bytes(4)  # gzip's own time stamp, which would change by the second


def test_a_byte_order_mark_is_not_stored() -> None:
    content = json.dumps(answer()).encode()

    assert stored(BOM_UTF8 + content) == stored(content)


def test_what_was_read_of_the_answer_is_left_as_it_was() -> None:
    came = received(json.dumps(answer()).encode())
    assert came is not None
    before = dict(came.body)

    account_data.read(came, LOGIN_ID, ABOUT)

    assert came.body == before


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
        packed(body)
    except (Incomplete, AnotherLogin):
        return


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.text(max_size=5), json_of(st.text(max_size=5)), max_size=3), max_size=3))
def test_accounts_of_any_shape_are_stored_as_they_came(accounts: list[JsonObject]) -> None:
    body = answer(Accounts=accounts)

    kept = json.loads(stored(body))

    assert kept["Accounts"] == accounts
