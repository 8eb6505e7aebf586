"""Two app users with one bank login, a joint account for one: neither can tell that the other exists."""

import uuid
from typing import Any

import pytest

from tests.live_service import Answer, LiveService

NOBODYS = "con_" + "a" * 26
OF_ONE_ANSWER = {"date", "apigw-requestid", "x-amzn-requestid"}
"""Headers that differ from any answer to the next."""
OF_ONE_CONNECTION = {"connectionId", "receivedAt", "updatedAt"}


def without_what_is_its_own(answer: Answer) -> tuple[int, dict[str, str], dict[str, Any]]:
    """The answer, but for what two answers to the same question differ in too."""
    headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() not in OF_ONE_ANSWER}
    if "location" in headers:
        headers["location"] = headers["location"].replace(answer.body["connectionId"], NOBODYS)
    body = {name: value for name, value in answer.body.items() if name not in OF_ONE_CONNECTION | {"instance"}}
    return answer.status, headers, body


@pytest.fixture
def owners() -> tuple[str, str]:
    """Two people nobody has met."""
    return f"one-{uuid.uuid4()}", f"other-{uuid.uuid4()}"


def test_each_sees_only_their_own_connection(live: LiveService, owners: tuple[str, str]) -> None:
    one, other = owners
    login_id = live.connect_bank()

    ids = {owner: live.post(login_id, owner).body["connectionId"] for owner in owners}

    assert ids[one] != ids[other]
    for owner in owners:
        live.until(ids[owner], "ready", owner)
        listed = live.request("GET", "/connections", owner)
        assert [each["connectionId"] for each in listed.body["connections"]] == [ids[owner]]
        assert "nextToken" not in listed.body


def test_a_login_that_someone_else_has_is_accepted_like_one_that_nobody_has(
    live: LiveService, owners: tuple[str, str]
) -> None:
    one, other = owners
    shared, unshared = live.connect_bank(), live.connect_bank()
    live.until(live.post(shared, one).body["connectionId"], "ready", one)

    second_to_have_it, first_to_have_it = live.post(shared, other), live.post(unshared, other)

    assert second_to_have_it.status == 202
    assert without_what_is_its_own(second_to_have_it) == without_what_is_its_own(first_to_have_it)


def test_the_connection_of_another_looks_like_none(live: LiveService, owners: tuple[str, str]) -> None:
    one, other = owners
    connection_id = live.connect_and_post(one)

    theirs, nobodys = live.get(connection_id, other), live.get(NOBODYS, other)

    assert theirs.status == 404
    assert without_what_is_its_own(theirs) == without_what_is_its_own(nobodys)


def test_the_page_token_of_another_leads_nowhere_else(live: LiveService, owners: tuple[str, str]) -> None:
    one, other = owners
    for owner in (one, one, other):
        live.connect_and_post(owner)
    token = live.request("GET", "/connections?limit=1", one).body["nextToken"]

    seen = live.request("GET", f"/connections?nextToken={token}", other)

    mine = {each["connectionId"] for each in live.request("GET", "/connections", other).body["connections"]}
    assert seen.status == 200
    assert {each["connectionId"] for each in seen.body["connections"]} <= mine
    assert len(mine) == 1
