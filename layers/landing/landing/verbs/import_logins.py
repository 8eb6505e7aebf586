"""Keeps logins that ops bring from elsewhere: each sealed as if it had been posted, and none opened or changed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from landing.deadlines import TimeLeft
from landing.domain.connection import ERASED, Connection, Status, connection_id
from landing.domain.reasons import Reason
from landing.error_names import NOT_SERVED, name_of
from landing.stores.connection_row import UnreadableRow
from landing.stores.connection_table import ConnectionTable, RowChanged
from landing.stores.index_key import IndexKey
from landing.stores.login_seal import LoginSeal, Purpose

TIME_TO_STOP = timedelta(seconds=30)
"""What must be left of an invocation for one more login, however slowly AWS answers."""


class ImportEnding(StrEnum):
    """What was done about a login; in a dry run, what would have been."""

    IMPORTED = "imported"
    ALREADY_HERE = "already_here"
    """This owner's connection to it is here: it stays as it is."""
    ERASED = "erased"
    """This owner's connection to it was erased, or is being erased: it does not come back."""
    NOT_DONE = "not_done"
    """AWS did not serve, or the time was over: order it again."""


@dataclass(frozen=True)
class BroughtLogin:
    """A login from elsewhere; `login_id` canonical (lower case). `received_at`: when it was got there, if known."""

    owner: str
    login_id: str = field(repr=False)
    institution: str | None = None
    received_at: datetime | None = None


@dataclass(frozen=True)
class Imported:
    """What became of one login; no connectionId where nothing could be found out."""

    ending: ImportEnding
    connection_id: str | None = None
    cause: str | None = None
    """The call of AWS that was not served, and its code."""


@dataclass(frozen=True)
class Importer:
    """What an import works with."""

    table: ConnectionTable
    seal: LoginSeal
    index: IndexKey
    clock: Callable[[], datetime]

    def run(
        self, logins: list[BroughtLogin], time_left: TimeLeft, *, fetch: bool, dry_run: bool, correlation_id: str
    ) -> list[Imported]:
        """Keep each in its turn, or on a dry run look. What the time or AWS leaves undone is said to be so."""
        return [
            self._one(login, fetch=fetch, dry_run=dry_run, correlation_id=correlation_id)
            if time_left() >= TIME_TO_STOP
            else Imported(ImportEnding.NOT_DONE)
            for login in logins
        ]

    def _one(self, login: BroughtLogin, *, fetch: bool, dry_run: bool, correlation_id: str) -> Imported:
        try:
            login_ref = self.index.login_ref(login.login_id)
            id_ = connection_id(login_ref, login.owner)
            try:
                row = self.table.get(id_)
            except UnreadableRow:
                return Imported(ImportEnding.ALREADY_HERE, id_)
            if row is not None:
                return Imported(ImportEnding.ERASED if row.status in ERASED else ImportEnding.ALREADY_HERE, id_)
            if not dry_run:
                self.table.add(self._connection(login, login_ref, id_, fetch=fetch, correlation_id=correlation_id))
        except RowChanged:  # posted meanwhile, or by another run of the same import
            return Imported(ImportEnding.ALREADY_HERE, id_)
        except NOT_SERVED as error:
            return Imported(ImportEnding.NOT_DONE, cause=name_of(error))
        return Imported(ImportEnding.IMPORTED, id_)

    def _connection(
        self, login: BroughtLogin, login_ref: str, id_: str, *, fetch: bool, correlation_id: str
    ) -> Connection:
        """Ops say whose login it is: that proves the owner, since no Connect session of ours can.

        Kept for later it waits without being due: nobody comes by itself, ops or a POST of its owner begin it.
        """
        now = self.clock()
        return Connection(
            connection_id=id_,
            login_ref=login_ref,
            owner=login.owner,
            owner_proven=True,
            institution=login.institution,
            sealed_login=self.seal.seal(login.login_id, id_, Purpose.LOGIN),
            status=Status.RECEIVED if fetch else Status.WAITING,
            reason=None if fetch else Reason.KEPT_FOR_LATER,
            generation=1,
            attempt=0,
            due_at=now if fetch else None,
            started_at=now,
            received_at=min(login.received_at or now, now),
            updated_at=now,
            correlation_id=correlation_id,
        )
