"""What a connection may become, and how it is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from landing.domain.after_post import AfterPost, after_post
from landing.domain.connection import (
    Connection,
    Status,
    connection_id,
    due_shard,
    instant,
    timestamp,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CHEQUING = "d2740b9c-61fe-4a3d-f0c8-08de7a41ca07"
SAVINGS = "5c03e8a1-7b46-4d1f-f0c9-08de7a41ca07"


def a_connection(status: Status, account_ids: tuple[str, ...] | None = None) -> Connection:
    return Connection(
        connection_id="con_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        login_ref="ref",
        owner="alice",
        status=status,
        generation=1,
        attempt=0,
        received_at=NOON,
        updated_at=NOON,
        account_ids=account_ids,
    )


@pytest.mark.parametrize(
    ("status", "same_accounts", "other_accounts"),
    [
        (Status.RECEIVED, AfterPost.NOTHING, AfterPost.STORE_ACCOUNTS),
        (Status.FETCHING, AfterPost.NOTHING, AfterPost.STORE_ACCOUNTS_FOR_NEXT),
        (Status.PENDING, AfterPost.NOTHING, AfterPost.NEXT_GENERATION),
        (Status.WAITING, AfterPost.START_AGAIN, AfterPost.NEXT_GENERATION),
        (Status.READY, AfterPost.NOTHING, AfterPost.NEXT_GENERATION),
        (Status.ACTION_REQUIRED, AfterPost.NEXT_GENERATION, AfterPost.NEXT_GENERATION),
        (Status.FAILED, AfterPost.NEXT_GENERATION, AfterPost.NEXT_GENERATION),
        (Status.DELETING, AfterPost.REFUSE, AfterPost.REFUSE),
        (Status.DELETED, AfterPost.REFUSE, AfterPost.REFUSE),
    ],
)
def test_a_repeated_post_does_what_the_state_allows(
    status: Status, same_accounts: AfterPost, other_accounts: AfterPost
) -> None:
    row = a_connection(status, (CHEQUING,))

    assert after_post(row, (CHEQUING,), NOON) is same_accounts
    assert after_post(row, (SAVINGS,), NOON) is other_accounts


def test_a_choice_that_changes_once_flinks_may_have_been_asked_is_the_next_generation() -> None:
    row = replace(a_connection(Status.RECEIVED, (CHEQUING,)), asked=True)

    assert after_post(row, (CHEQUING,), NOON) is AfterPost.NOTHING
    assert after_post(row, (SAVINGS,), NOON) is AfterPost.NEXT_GENERATION


def test_the_order_of_accounts_is_nothing_and_leaving_them_out_changes_nothing() -> None:
    row = a_connection(Status.READY, (CHEQUING, SAVINGS))

    assert after_post(row, (SAVINGS, CHEQUING), NOON) is AfterPost.NOTHING
    assert after_post(row, None, NOON) is AfterPost.NOTHING


def test_a_ready_connection_is_fetched_anew_once_the_minute_is_over() -> None:
    row = a_connection(Status.READY)

    assert after_post(row, None, NOON + timedelta(seconds=60)) is AfterPost.NOTHING
    assert after_post(row, None, NOON + timedelta(seconds=60, milliseconds=1)) is AfterPost.NEXT_GENERATION


def test_an_id_is_stable_for_owner_and_login_and_tells_neither() -> None:
    alices = connection_id("ref-of-a-login", "alice")

    assert alices == connection_id("ref-of-a-login", "alice")
    assert alices != connection_id("ref-of-a-login", "bob")
    assert alices != connection_id("ref-of-a-logina", "lice")
    assert alices.startswith("con_")
    assert len(alices) == 30


def test_due_connections_are_spread_over_all_shards() -> None:
    shards = {due_shard(connection_id(f"ref-{n}", "alice")) for n in range(200)}

    assert shards == set("01234567")


def test_timestamps_compare_as_the_times_they_are() -> None:
    early = datetime(2026, 1, 9, 23, 59, 59, 7000, tzinfo=UTC)
    late = datetime(2026, 1, 10, tzinfo=UTC)

    assert timestamp(early) == "2026-01-09T23:59:59.007Z"
    assert timestamp(early) < timestamp(late)
    assert instant(timestamp(early)) == early


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.FETCHING, Status.PENDING, Status.WAITING])
def test_the_public_sees_one_word_for_all_work_in_progress(status: Status) -> None:
    assert a_connection(status).public_status == "processing"
