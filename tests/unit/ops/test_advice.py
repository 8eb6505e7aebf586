"""What bin/landing tells an operator about a connection."""

from datetime import UTC, datetime

import pytest

from landing.domain.connection import Connection, Status
from landing.domain.reasons import Reason
from ops.advice import REASONS, STATES, advice, of_cause

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def row(status: Status, reason: Reason | None = None) -> Connection:
    return Connection("con_" + "a" * 26, "ref", status, 1, 0, NOON, NOON, reason=reason)


def test_every_reason_and_every_state_has_advice() -> None:
    assert set(REASONS) == set(Reason)
    assert set(STATES) == set(Status)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("reason", [None, *Reason])
def test_advice_says_what_it_means_and_what_to_do_and_fills_every_gap(status: Status, reason: Reason | None) -> None:
    given = advice(row(status, reason))

    assert given.means
    assert given.do
    assert "{" not in given.means + given.do


def test_a_reason_of_another_release_gets_the_advice_of_its_state() -> None:
    assert advice(row(Status.FAILED, Reason("a_word_of_tomorrow"))) == STATES[Status.FAILED]


@pytest.mark.parametrize(
    ("cause", "whose"),
    [
        ("kms:Decrypt AccessDeniedException", "AWS"),
        ("s3:PutObject SlowDown", "AWS"),
        ("secret_placeholder", "secret"),
        ("Authorize 401 UNAUTHORIZED", "Flinks"),
        ("GetAccountsDetail 503", "Flinks"),
    ],
)
def test_a_cause_says_whom_it_is_of(cause: str, whose: str) -> None:
    assert whose in of_cause(cause)
