"""One key, three kinds of MAC: none reads as another, and none says what it was made of."""

import base64

import pytest

from landing.stores.index_key import IndexKey
from tests.world.world import World

LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
OURS = "con_" + "a" * 26


@pytest.fixture
def index() -> IndexKey:
    world = World()
    key = world.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    return IndexKey(world.kms, key)


def opened(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=")


def test_no_tag_of_an_owner_is_a_reference_to_a_login(index: IndexKey) -> None:
    """An app user may be called anything, a loginId for one: her tag must not be what a leaked table holds."""
    assert index.owner_mac(LOGIN_ID.encode()) != opened(index.login_ref(LOGIN_ID))


def test_no_mark_of_a_choice_is_a_reference_to_a_login(index: IndexKey) -> None:
    mark = index.choice_mark(LOGIN_ID, ())

    assert opened(mark) not in (index.owner_mac(LOGIN_ID.encode()), opened(index.login_ref(LOGIN_ID)))


def test_a_mark_says_nothing_of_what_was_chosen(index: IndexKey) -> None:
    mark = index.choice_mark(OURS, (LOGIN_ID,))

    assert len(opened(mark)) == 32
    assert LOGIN_ID.encode() not in opened(mark)


def test_a_mark_is_of_one_connection(index: IndexKey) -> None:
    assert index.choice_mark(OURS, (LOGIN_ID,)) != index.choice_mark("con_" + "b" * 26, (LOGIN_ID,))
