"""Announces how connections ended, if the table confirms what the stream or the schedule said."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from landing.domain.announcements import Announcement, announcement_of
from landing.domain.connection import Connection, Settled
from landing.domain.transitions import announced
from landing.error_names import NOT_SERVED, name_of
from landing.stores.bus import PERMANENT, Bus
from landing.stores.connection_row import UnreadableRow
from landing.stores.connection_table import ConnectionTable, RowChanged
from landing.stores.queues import PutAside


class Fate(StrEnum):
    """What became of something that the stream said."""

    ANNOUNCED = "announced"
    SUPERSEDED = "superseded"
    """It is no longer so: what came after it will be announced, and nothing of a deleted connection but that."""
    ALREADY = "already"
    """It was announced before; or there is something to sweep first."""
    REFUSED = "refused"
    """EventBridge will never take it; it lies in the queue for ops."""
    NOT_NOW = "not_now"
    """AWS did not serve: the stream must deliver it again."""


@dataclass(frozen=True)
class AnnounceOutcome:
    """What became of one `Settled`, for one log line."""

    fate: Fate
    code: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True)
class Announcer:
    """An ending is announced if the table still says so, and that it is due for it; then it is due no more.

    The stream brings endings at once. What it did not bring, `resume_stalled` finds in the index `by-due`.
    """

    table: ConnectionTable
    bus: Bus
    refused: PutAside
    bucket: str

    def announce(self, settled: Iterable[Settled]) -> dict[Settled, AnnounceOutcome]:
        """Announce each that is still so, at least once and, of one connection, never a later one first.

        Every row is read after all of `settled` was written: so of one connection at most one is still so, and
        their order needs no care.
        """
        outcomes: dict[Settled, AnnounceOutcome] = {}
        due: dict[Settled, Announcement] = {}
        for each in dict.fromkeys(settled):
            try:
                row = self._confirmed(each)
                announcement = announcement_of(row, self.bucket) if row is not None and row.announce_by else None
            except NOT_SERVED as error:
                outcomes[each] = AnnounceOutcome(Fate.NOT_NOW, name_of(error))
            except Exception as error:  # noqa: BLE001 - a row that this release cannot read or put into words
                outcomes[each] = self._give_up(each, type(error).__name__)
            else:
                outcomes[each] = AnnounceOutcome(Fate.SUPERSEDED if row is None else Fate.ALREADY)
                if announcement is not None:
                    due[each] = announcement
        for (each, announcement), code in zip(due.items(), self.bus.put(due.values()), strict=True):
            outcomes[each] = self._outcome(each, announcement, code)
        return outcomes

    def _confirmed(self, settled: Settled) -> Connection | None:
        """The row, if it still is as the stream said."""
        row = self.table.get(settled.connection_id)
        if row is None or (row.generation, row.status) != (settled.generation, settled.status):
            return None
        return row

    def _outcome(self, settled: Settled, announcement: Announcement, code: str | None) -> AnnounceOutcome:
        if code in PERMANENT:
            return self._give_up(settled, code)
        if code is not None:
            return AnnounceOutcome(Fate.NOT_NOW, code)
        self._settle(settled)
        return AnnounceOutcome(Fate.ANNOUNCED, correlation_id=announcement.correlation_id)

    def _give_up(self, settled: Settled, code: str) -> AnnounceOutcome:
        try:
            self.refused.keep(settled.connection_id, code, generation=settled.generation, status=settled.status)
        except NOT_SERVED as error:
            return AnnounceOutcome(Fate.NOT_NOW, name_of(error))
        self._settle(settled)
        return AnnounceOutcome(Fate.REFUSED, code)

    def _settle(self, settled: Settled) -> None:
        """It is due for this no more. Where that cannot be written, it is announced once more, by the same id."""
        with suppress(*NOT_SERVED):
            for is_swept in (True, False):
                with suppress(RowChanged, UnreadableRow):
                    self.table.apply(settled.connection_id, announced(settled, is_swept=is_swept))
                    return
