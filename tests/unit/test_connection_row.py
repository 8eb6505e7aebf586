"""A row is written and read without loss, and in the words that the template, the filters and ops rely on."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from landing.domain.change import Absent, AllOf, AnyOf, Before, Equals, Field, Transition
from landing.domain.connection import (
    Action,
    AtFlinks,
    Connection,
    DaysOfTransactions,
    Drop,
    Erasure,
    Language,
    Status,
    due_shard,
)
from landing.domain.reasons import Reason
from landing.stores.connection_row import Expressions, UnreadableRow, from_item, to_item

NOON = datetime(2026, 3, 2, 12, 0, 0, 7000, tzinfo=UTC)
ID = "con_aaaaaaaaaaaaaaaaaaaaaaaaaa"

FULL = Connection(
    connection_id=ID,
    login_ref="ref",
    status=Status.DELETING,
    generation=2,
    attempt=12345678901234567890,
    received_at=NOON,
    updated_at=NOON,
    owner="alice",
    institution="FlinksCapital",
    language=Language.FRENCH,
    days_of_transactions=DaysOfTransactions.DAYS_365,
    sealed_login=b"\x00sealed",
    account_ids=("b", "a"),
    refetch_wanted=True,
    asked=True,
    put_open=True,
    uncommitted=(1, 2),
    generations_given=7,
    owner_proven=True,
    lease_until=NOON,
    drain_until=NOON,
    due_at=NOON,
    overdue_since=NOON,
    cause="Authorize 401 INVALID_PASSWORD",
    owner_ref="ref",
    announce_by=NOON,
    started_at=NOON,
    retries=3,
    refusals=4,
    sessions=1,
    sealed_request=b"\xffrequest",
    poll_until=NOON,
    flinks_home="home",
    drop=Drop("key", "v1", "aa", 1204, 2, 30, "2026-03-02T11:00:00"),
    reason=Reason.TIMED_OUT,
    action=Action.WAIT,
    correlation_id="c3RyYWlnaHQ=",
    expires_at=NOON.replace(microsecond=0),
    erasure=Erasure(NOON, "T-1", NOON, AtFlinks.KEPT, NOON, 1, 0, 2, NOON, NOON),
)


def test_a_row_reads_as_it_was_written() -> None:
    bare = Connection(ID, "ref", Status.RECEIVED, 1, 0, NOON, NOON)

    assert from_item(to_item(FULL)) == FULL
    assert from_item(to_item(bare)) == bare
    assert all(getattr(FULL, each.name) for each in fields(FULL))


def test_what_is_none_or_a_flag_that_is_not_up_has_no_attribute() -> None:
    bare = Connection(ID, "ref", Status.RECEIVED, 1, 0, NOON, NOON)

    written = set(to_item(bare))

    always = {"connectionId", "loginRef", "status", "generation", "attempt", "receivedAt", "updatedAt"}
    assert written == always | {"action", "retries", "sessions"}


def test_a_row_is_written_as_the_indexes_the_filters_and_the_ttl_read_it() -> None:
    item = to_item(FULL)

    assert item["dueAt"] == {"S": "2026-03-02T12:00:00.007Z"}
    assert item["dueShard"] == {"S": due_shard(ID)}
    assert item["expiresAt"] == {"N": "1772452800"}
    assert item["attempt"] == {"N": "12345678901234567890"}
    assert item["status"] == {"S": "deleting"}
    assert item["sealedLogin"] == {"B": b"\x00sealed"}
    assert item["accountIds"] == {"L": [{"S": "b"}, {"S": "a"}]}
    assert item["uncommitted"] == {"L": [{"N": "1"}, {"N": "2"}]}
    assert item["refetchWanted"] == {"BOOL": True}
    assert item["erasure"]["M"]["atFlinks"] == {"S": "kept_for_another_connection"}
    assert item["drop"]["M"]["bytes"] == {"N": "1204"}


def test_a_row_of_a_later_release_is_read_without_what_it_alone_knows() -> None:
    item = to_item(FULL) | {"shoeSize": {"N": "43"}, "reason": {"S": "a_new_word"}}

    row = from_item(item)

    assert row == replace(FULL, reason=Reason("a_new_word"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("generation", {"S": "second"}),
        ("status", {"S": "asleep"}),
        ("daysOfTransactions", {"N": "77"}),
        ("daysOfTransactions", {"S": "90"}),
        ("language", {"S": "de"}),
        ("updatedAt", {"S": "yesterday"}),
        ("sealedLogin", {"S": "text"}),
        ("drop", {"M": {"key": {"S": "key"}}}),
        ("erasure", {"S": "no map"}),
    ],
)
def test_a_row_that_cannot_be_read_is_told_without_its_words(name: str, value: dict[str, object]) -> None:
    with pytest.raises(UnreadableRow, match=f"^the row of {ID}$"):
        from_item(to_item(FULL) | {name: value})


def test_what_no_row_may_hold_is_not_written() -> None:
    with pytest.raises(TypeError):
        to_item(replace(FULL, sessions=1.5))  # type: ignore[arg-type]  # which a float is


def test_a_transition_is_written_as_one_expression_of_aliases() -> None:
    idle = AnyOf((Absent(Field.ERASURE_LEASE_UNTIL), Before(Field.ERASURE_LEASE_UNTIL, NOON)))
    transition = Transition(AllOf((Equals(Field.STATUS, Status.DELETING), idle)), {Field.ATTEMPT: 4}, {Field.DUE_AT})
    expressions = Expressions()

    update = expressions.update(ID, transition)
    condition = expressions.condition(transition.expects)

    assert update == "SET #attempt = :v0 REMOVE #dueAt, #dueShard"
    assert condition == ("#status = :v1 AND (attribute_not_exists(#erasure.#leaseUntil) OR #erasure.#leaseUntil < :v2)")
    assert expressions.aliases["ExpressionAttributeValues"] == {
        ":v0": {"N": "4"},
        ":v1": {"S": "deleting"},
        ":v2": {"S": "2026-03-02T12:00:00.007Z"},
    }
    assert expressions.aliases["ExpressionAttributeNames"]["#leaseUntil"] == "leaseUntil"
