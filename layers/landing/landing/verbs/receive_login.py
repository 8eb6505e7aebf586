"""Receives a login: keeps it sealed as a connection that someone will fetch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from landing.domain.after_post import AfterPost, after_post
from landing.domain.connection import Connection, DaysOfTransactions, Language, Status, connection_id
from landing.domain.transitions import reposted
from landing.stores.connection_table import ConnectionTable, RowChanged
from landing.stores.hourly_count import FetchCount
from landing.stores.index_key import IndexKey
from landing.stores.login_seal import LoginSeal, Purpose

_TRIES = 5


@dataclass(frozen=True)
class NewLogin:
    """What a browser brought: `login_id` canonical (lower case), `owner` from the caller's token."""

    owner: str
    login_id: str = field(repr=False)
    institution: str | None = None
    language: Language | None = None
    days_of_transactions: DaysOfTransactions | None = None
    account_ids: tuple[str, ...] | None = None
    """None where nothing was said of accounts; empty where all are meant."""
    correlation_id: str | None = None


class ConnectionErased(Exception):
    """This owner's connection to this login was erased, or is being erased."""


class Contended(Exception):
    """Others kept changing the row; nothing was written, and asking again helps."""


def receive(
    login: NewLogin,
    *,
    table: ConnectionTable,
    seal: LoginSeal,
    index: IndexKey,
    count: FetchCount,
    clock: Callable[[], datetime],
) -> Connection:
    """Keep `login`, or do what a repeated POST means for the connection that is already there.

    Raises ConnectionErased, Contended, TooMany when Flinks would be asked once more than an hour allows, and one of
    `NOT_SERVED` when KMS or DynamoDB cannot serve.
    """
    login_ref = index.login_ref(login.login_id)
    id_ = connection_id(login_ref, login.owner)

    first = cache(lambda: count.take_first(login.owner, clock()))  # once for a POST, however often it is tried
    another = cache(lambda: count.take_another(id_, login.owner, clock()))
    for _ in range(_TRIES):
        row = table.get(id_)
        try:
            if row is None:
                return _add(login, login_ref, id_, first, table=table, seal=seal, now=clock())
            return _repost(row, login, another, table=table, now=clock())
        except RowChanged:
            continue
    raise Contended("the connection keeps changing")


def _add(
    login: NewLogin,
    login_ref: str,
    id_: str,
    count: Callable[[], None],
    *,
    table: ConnectionTable,
    seal: LoginSeal,
    now: datetime,
) -> Connection:
    connection = Connection(
        connection_id=id_,
        login_ref=login_ref,
        owner=login.owner,
        institution=login.institution,
        language=login.language,
        days_of_transactions=login.days_of_transactions,
        sealed_login=seal.seal(login.login_id, id_, Purpose.LOGIN),
        account_ids=login.account_ids or None,
        status=Status.RECEIVED,
        generation=1,
        attempt=0,
        due_at=now,
        started_at=now,
        received_at=now,
        updated_at=now,
        correlation_id=login.correlation_id,
    )
    count()
    table.add(connection)
    return connection


def _repost(
    row: Connection, login: NewLogin, count: Callable[[], None], *, table: ConnectionTable, now: datetime
) -> Connection:
    what = after_post(row, login.account_ids, now, login.days_of_transactions)
    if what is AfterPost.REFUSE:
        raise ConnectionErased("the connection was erased")
    if what is AfterPost.NOTHING:
        return row
    if what is not AfterPost.STORE_ACCOUNTS:  # nobody has asked yet: the one fetch that was counted does
        count()
    transition = reposted(
        row,
        what,
        now,
        account_ids=login.account_ids,
        institution=login.institution,
        correlation_id=login.correlation_id,
        language=login.language,
        days_of_transactions=login.days_of_transactions,
    )
    return table.apply(row.connection_id, transition)
