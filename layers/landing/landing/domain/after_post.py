"""What a repeated POST means for a connection that is already there: decided here, done by `transitions.reposted`."""

from datetime import datetime, timedelta
from enum import StrEnum

from landing.domain.connection import Connection, DaysOfTransactions, Status

SAME_ANSWER_FOR = timedelta(seconds=60)
"""How long after it became ready a repeated POST asks for nothing new."""


class AfterPost(StrEnum):
    """What a POST does to a connection that is already there."""

    NOTHING = "nothing"
    START_AGAIN = "start_again"
    """Same generation, due now, the backoff forgotten."""
    STORE_ACCOUNTS = "store_accounts"
    """Keep the new choice, of accounts or of days; nobody has asked Flinks for this generation yet."""
    STORE_ACCOUNTS_FOR_NEXT = "store_accounts_for_next"
    """Keep the new choice; the running claim hands over to the next generation when it ends."""
    NEXT_GENERATION = "next_generation"
    REFUSE = "refuse"
    """It was erased."""


def after_post(
    row: Connection,
    account_ids: tuple[str, ...] | None,
    now: datetime,
    days_of_transactions: DaysOfTransactions | None = None,
) -> AfterPost:
    """What a repeated POST means for `row`. What is omitted stays as it was chosen; order does not matter.

    Omitted `account_ids` are None; empty ones take the choice back: all accounts again.
    """
    other_accounts = account_ids is not None and set(account_ids) != set(row.account_ids or ())
    other_days = days_of_transactions not in (None, row.days_of_transactions)
    other_choice = other_accounts or other_days
    match row.status:
        case Status.DELETING | Status.DELETED:
            return AfterPost.REFUSE
        case Status.RECEIVED if row.asked and other_choice:
            return AfterPost.NEXT_GENERATION
        case Status.RECEIVED:
            return AfterPost.STORE_ACCOUNTS if other_choice else AfterPost.NOTHING
        case Status.FETCHING:
            return AfterPost.STORE_ACCOUNTS_FOR_NEXT if other_choice else AfterPost.NOTHING
        case Status.PENDING:
            return AfterPost.NEXT_GENERATION if other_choice else AfterPost.NOTHING
        case Status.WAITING:
            return AfterPost.NEXT_GENERATION if other_choice else AfterPost.START_AGAIN
        case Status.READY if not other_choice and now <= row.updated_at + SAME_ANSWER_FOR:
            return AfterPost.NOTHING
        case _:
            return AfterPost.NEXT_GENERATION
