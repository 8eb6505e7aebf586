"""Announces how connections ended: what the stream said was committed, if the table confirms it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from landing.domain.announcements import Announcement, announcement_of
from landing.domain.connection import Settled
from landing.error_names import NOT_SERVED, name_of
from landing.stores.bus import PERMANENT, Bus
from landing.stores.connection_table import ConnectionTable
from landing.stores.queues import PutAside


class Fate(StrEnum):
    """What became of something that the stream said."""

    ANNOUNCED = "announced"
    SUPERSEDED = "superseded"
    """It is no longer so: what came after it will be announced, and nothing of a deleted connection but that."""
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
    """The stream is the outbox: what it says was committed, and is announced if the table still says so."""

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
                announcement = self._confirmed(each)
            except NOT_SERVED as error:
                outcomes[each] = AnnounceOutcome(Fate.NOT_NOW, name_of(error))
            except Exception as error:  # noqa: BLE001 - a row that this release cannot read or put into words
                outcomes[each] = self._give_up(each, type(error).__name__)
            else:
                outcomes[each] = AnnounceOutcome(Fate.SUPERSEDED)
                if announcement is not None:
                    due[each] = announcement
        for (each, announcement), code in zip(due.items(), self.bus.put(due.values()), strict=True):
            outcomes[each] = self._outcome(each, announcement, code)
        return outcomes

    def _confirmed(self, settled: Settled) -> Announcement | None:
        row = self.table.get(settled.connection_id)
        if row is None or (row.generation, row.status) != (settled.generation, settled.status):
            return None
        return announcement_of(row, self.bucket)

    def _outcome(self, settled: Settled, announcement: Announcement, code: str | None) -> AnnounceOutcome:
        if code is None:
            return AnnounceOutcome(Fate.ANNOUNCED, correlation_id=announcement.correlation_id)
        return self._give_up(settled, code) if code in PERMANENT else AnnounceOutcome(Fate.NOT_NOW, code)

    def _give_up(self, settled: Settled, code: str) -> AnnounceOutcome:
        try:
            self.refused.keep(settled.connection_id, code, generation=settled.generation, status=settled.status)
        except NOT_SERVED as error:
            return AnnounceOutcome(Fate.NOT_NOW, name_of(error))
        return AnnounceOutcome(Fate.REFUSED, code)
