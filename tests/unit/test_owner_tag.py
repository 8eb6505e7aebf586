"""The tag that says whose Connect session it was."""

import hmac
from datetime import UTC, datetime, timedelta
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landing.stores.owner_tag import Ownership, OwnerTag

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OWNER = "amelie@example.com"


KEY = "arn:aws:kms:ca-central-1:123456789012:key/of-this-stack"
OTHER_KEY = "arn:aws:kms:ca-central-1:123456789012:key/of-another-stack"


def mac(message: bytes) -> bytes:
    return hmac.digest(b"index key", message, "sha256")


def other_mac(message: bytes) -> bytes:
    return hmac.digest(b"another key", message, "sha256")


TAGS = OwnerTag(mac, KEY)


def test_a_tag_proves_its_owner() -> None:
    tag = TAGS.sign(OWNER, NOON)

    assert TAGS.verify(tag, OWNER) is Ownership.OURS


def test_a_tag_of_someone_else_is_foreign() -> None:
    tag = TAGS.sign("noah@example.com", NOON)

    assert TAGS.verify(tag, OWNER) is Ownership.FOREIGN


def test_a_tag_that_claims_our_key_and_was_made_with_another_is_foreign() -> None:
    tag = OwnerTag(other_mac, KEY).sign(OWNER, NOON)

    assert TAGS.verify(tag, OWNER) is Ownership.FOREIGN


def test_a_tag_of_another_stack_proves_nothing_and_is_no_forgery() -> None:
    tag = OwnerTag(other_mac, OTHER_KEY).sign(OWNER, NOON)

    assert TAGS.verify(tag, OWNER) is Ownership.NONE


def test_a_tag_proves_its_owner_long_after_it_expired() -> None:
    tag = TAGS.sign(OWNER, NOON - timedelta(days=365))

    assert TAGS.verify(tag, OWNER) is Ownership.OURS


@pytest.mark.parametrize("tag", [None, "", "client=40817", "FLT1.1.x", " flt1.1.x", "flt2.1.x"])
def test_a_tag_without_our_prefix_is_no_tag(tag: str | None) -> None:
    assert TAGS.verify(tag, OWNER) is Ownership.NONE


@given(position=st.integers(min_value=5), letter=st.sampled_from(ascii_letters + digits + "-_."))
def test_a_tag_of_ours_with_one_letter_changed_is_foreign(position: int, letter: str) -> None:
    tag = TAGS.sign(OWNER, NOON)
    at = 5 + position % (len(tag) - 5)
    changed = tag[:at] + letter + tag[at + 1 :]

    said = TAGS.verify(changed, OWNER)

    names_another_key = at < len("flt1.12345678") and letter in "abcdef0123456789"
    not_ours = Ownership.NONE if names_another_key else Ownership.FOREIGN
    assert said is (Ownership.OURS if changed == tag else not_ours)


@given(st.text())
def test_whatever_follows_our_prefix_is_verified(rest: str) -> None:
    assert TAGS.verify(f"flt1.{rest}", OWNER) is Ownership.FOREIGN


@given(st.text())
def test_a_tag_needs_no_escaping_in_a_url_and_is_too_short_to_hold_its_owner(owner: str) -> None:
    tag = TAGS.sign(owner, NOON)

    assert set(tag) <= set(ascii_letters + digits + "-_.")
    assert len(tag) == len("flt1.12345678.1772452800.") + 43


def test_owner_and_expiry_cannot_be_shifted_into_each_other() -> None:
    signed = []

    def recording_mac(message: bytes) -> bytes:
        signed.append(message)
        return mac(message)

    tags = OwnerTag(recording_mac, KEY)

    tags.sign("1", datetime.fromtimestamp(1, UTC))
    tags.sign("", datetime.fromtimestamp(11, UTC))

    assert signed[0] != signed[1]
