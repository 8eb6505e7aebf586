"""What must hold of the stores after every step, whoever did what before; a walk or a schedule checks it.

It sees rows and objects as they are, and every commit, also of those that follow each other within one step; it knows
nothing of how the service works.
"""

import gzip
import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from landing.domain.connection import ERASED, TERMINAL, AtFlinks, Connection, Status, instant, timestamp
from landing.domain.reasons import Reason
from landing.metrics import Metric
from landing.stores.connection_row import from_item
from landing.verbs.fetch_steps import Limits
from landing.verbs.resume_stalled import OVERDUE_AFTER
from tests.chaos.reference import Broken
from tests.world.service import BUCKET, TABLE, Service

_STILL = float("inf")
_INDEX_TRAILS = timedelta(seconds=10)
"""How far an index may trail behind: whom it does not show yet, no eraser can spare."""
REFUSED_AS_OWNER = (Reason.OWNERSHIP_MISMATCH, Reason.OWNERSHIP_UNPROVEN)


class Promises:
    """An observer of a service: `check` after a step raises Broken.

    `accounts`: all that the login has, if known. `timely`: workers end with their function and clocks agree nearly;
    without that, what rests on a lease may be late, and only what rests on none is checked.
    """

    def __init__(self, service: Service, accounts: frozenset[str] | None = None, *, timely: bool = True) -> None:
        self._service = service
        self._timely = timely
        self._all_accounts = accounts
        self._committed: dict[tuple[str, int, Any], tuple[str, str]] = {}
        self._erased: dict[str, int] = {}
        self._accounts: dict[str, frozenset[str]] = {}
        self._read: dict[str, tuple[Any, Connection]] = {}
        self._written_ready: list[Any] = []
        self._writes = 0
        self._owns_since: dict[str, tuple[int, datetime]] = {}
        self._owns_until: dict[str, float] = {}
        self._cards = set(service.bank.vault.cards)
        self._erasing: dict[str, int] = {}
        self._claimed: dict[str, tuple[int, datetime]] = {}
        self._spared_already: set[tuple[str, datetime | None]] = set()
        self._broken: list[Broken] = []  # noticed where a worker would have caught it
        service.world.tables[TABLE].watchers.append(self._written)

    def _written(self, item: Any) -> None:
        if item["status"] == {"S": Status.READY}:
            self._written_ready.append(item)
        if item["status"] != {"S": Status.FETCHING}:
            row = self._row(item)
            self._who_owns(row)
            if row.erasure is not None and row.erasure.at_flinks is AtFlinks.KEPT:
                self._spared(row)

    def check(self) -> None:
        """Every promise that holds at every moment."""
        for broken in self._broken:
            raise broken
        for item in self._written_ready:
            self._commit(self._row(item))
        self._written_ready.clear()
        self._cards_of_owners()
        below = self._objects()
        for row in self.rows():
            self._bounded(row)
            if row.status is Status.READY:
                self._ready(row, below[row.connection_id])
            if row.status is Status.DELETED:
                self._deleted(row, below[row.connection_id])
            if row.public_status in ("failed", "action_required") and self._timely:
                self._only_committed(row, below[row.connection_id], "it is said that nothing was kept")

    def is_committed(self, key: str, version_id: str) -> bool:
        """Whether some row was once ready with this version."""
        return (key, version_id) in self._committed.values()

    def check_at_rest(self) -> None:
        """What holds once nothing is due any more."""
        self.check()
        below = self._objects()
        for row in self.rows():
            if self._timely:
                self._only_committed(row, below[row.connection_id], "nothing is due")
            _hold(row.uncommitted is None, row, "something is to be swept, and nobody will")
            _hold(row.due_at is None, row, "it is due, and at rest")

    def _commit(self, row: Connection) -> None:
        assert row.drop is not None
        where = row.drop.key, row.drop.version_id
        first = self._committed.setdefault((row.connection_id, row.generation, row.received_at), where)
        _hold(first == where, row, "a generation was given twice")
        same_key = [life for life, place in self._committed.items() if place == where]
        _hold(len(same_key) == 1, row, "a drop of one generation was committed for another")

    def _ready(self, row: Connection, below: dict[tuple[str, str], bytes]) -> None:
        assert row.drop is not None
        where = row.drop.key, row.drop.version_id
        _hold(where in below, row, "a drop was committed and is not there")
        if row.account_ids is not None:
            _hold(self._ids(where, below) <= set(row.account_ids), row, "an account that was not chosen was committed")
        elif self._all_accounts is not None:
            _hold(self._ids(where, below) == self._all_accounts, row, "all accounts were chosen, and not all committed")

    def _bounded(self, row: Connection) -> None:
        limits = Limits()
        _hold(row.sessions <= limits.sessions + 1, row, "it opens sessions without end")
        _hold((row.refusals or 0) <= limits.refusals, row, "it is refused sessions without end")

    def _spared(self, row: Connection) -> None:
        """A card was spared: since its eraser's claim somebody else must have been known to own the login."""
        when = row.erasure.requested_at if row.erasure else None
        if (row.connection_id, when) in self._spared_already:
            return
        self._spared_already.add((row.connection_id, when))
        claimed, _ = self._claimed.get(row.connection_id, (0, None))
        owners = [other for other, until in self._owns_until.items() if other != row.connection_id and until > claimed]
        if not owners:
            self._broken.append(Broken(f"a card was spared, and nobody else is known to own it: {row.connection_id}"))

    def _cards_of_owners(self) -> None:
        """A card that an erasure took from Flinks was nobody's who was known as an owner when the eraser claimed it."""
        before, self._cards = self._cards, set(self._service.bank.vault.cards)
        claims = [self._claimed[row.connection_id] for row in self.rows() if row.connection_id in self._claimed]
        if before == self._cards or not claims:
            return
        claimed, when = max(claims)
        seen_in_index = when - _INDEX_TRAILS
        for row in self.rows():
            number, moment = self._owns_since.get(row.connection_id, (_STILL, seen_in_index))
            owns = self._owns_until.get(row.connection_id) == _STILL and row.status not in ERASED
            known = number < claimed and moment < seen_in_index
            _hold(not (owns and known), row, "somebody's card was deleted with another's connection")

    def _who_owns(self, row: Connection) -> None:
        """Until which write a connection was known to own its login; and with which an eraser claimed it."""
        self._writes += 1
        now = self._service.world.clock.now()
        if row.status in ERASED:
            if self._owns_until.get(row.connection_id) == _STILL:
                self._owns_until[row.connection_id] = self._writes
            if row.attempt != self._erasing.get(row.connection_id):
                self._erasing[row.connection_id] = row.attempt
                self._claimed[row.connection_id] = self._writes, now
        elif row.is_known_to_own_its_login and not (row.status is Status.FAILED and row.reason in REFUSED_AS_OWNER):
            if self._owns_until.get(row.connection_id) != _STILL:
                self._owns_since[row.connection_id] = self._writes, now
            self._owns_until[row.connection_id] = _STILL
        elif self._owns_until.get(row.connection_id) == _STILL:
            self._owns_until[row.connection_id] = self._writes

    def _deleted(self, row: Connection, below: dict[tuple[str, str], bytes]) -> None:
        _hold(not below or not self._timely, row, "it is erased, and a drop lies there")
        kept = (row.sealed_login, row.sealed_request, row.owner, row.drop, row.account_ids, row.uncommitted)
        _hold(kept == (None,) * len(kept), row, "it is erased, and something of the person is kept")
        _hold(row.erasure is not None, row, "it is erased, and nobody knows how")
        receipts = self._service.world.buckets[BUCKET].versions
        mine = [key for key in receipts if key.startswith(f"receipts/v1/{row.connection_id}")]
        bodies = [json.loads(receipts[key][-1].body or b"") for key in mine]
        asked = row.erasure.requested_at if row.erasure else None
        papers = [body for body in bodies if asked and body["requestedAt"] == timestamp(asked)]
        _hold(len(papers) == 1, row, "it is erased, and this life has no receipt of its own")
        self._erased[row.connection_id] = max(len(mine), self._erased.get(row.connection_id, 0))
        _hold(len(mine) == self._erased[row.connection_id], row, "a receipt is gone")

    def _only_committed(self, row: Connection, below: dict[tuple[str, str], bytes], when: str) -> None:
        known = {
            place for (connection_id, _, _), place in self._committed.items() if connection_id == row.connection_id
        }
        _hold(set(below) <= known, row, f"{when}, and a drop that nobody committed lies there")

    def _ids(self, where: tuple[str, str], below: dict[tuple[str, str], bytes]) -> frozenset[str]:
        if where[1] not in self._accounts:
            drop = json.loads(gzip.decompress(below[where]))
            self._accounts[where[1]] = frozenset(account["Id"] for account in drop["Accounts"])
        return self._accounts[where[1]]

    def rows(self) -> list[Connection]:
        """The rows as they are."""
        return [self._row(item) for item in self._service.world.tables[TABLE].items.values()]

    def _row(self, item: Any) -> Connection:
        """Each is read once: a write makes another item."""
        item_before, row = self._read.get(item["connectionId"]["S"], (None, None))
        if item is not item_before or row is None:
            row = from_item(item)
            self._read[row.connection_id] = item, row
        return row

    def _objects(self) -> dict[str, dict[tuple[str, str], bytes]]:
        """What lies in the bucket, by connection, then by key and version."""
        below: dict[str, dict[tuple[str, str], bytes]] = defaultdict(dict)
        for key, versions in self._service.world.buckets[BUCKET].versions.items():
            if key.startswith("accounts/"):
                for version in versions:
                    below[key.split("/")[2]][key, version.id] = version.body or b""
        return below


class Heard:
    """What ops are told of how long something has been due in vain; `check` raises Broken.

    It listens to what `resume_stalled` measures, and knows by itself since when each row, as it is, has been due.
    """

    def __init__(self, service: Service, promises: Promises, disagree: timedelta) -> None:
        self._service = service
        self._promises = promises
        self._disagree = disagree
        self._due_since: dict[tuple[str, str, str, str], datetime] = {}
        self._broken: list[Broken] = []
        service.world.tables[TABLE].watchers.append(self._written)

    def _written(self, item: Any) -> None:
        if "dueAt" in item:
            hint = (item["connectionId"]["S"], item["generation"]["N"], item["attempt"]["N"], item["status"]["S"])
            due_at = max(instant(item["dueAt"]["S"]), self._service.world.clock.now())  # a slow worker's write is late
            self._due_since.setdefault(hint, due_at)

    def measured(self, name: Metric, seconds: float) -> None:
        """In place of `metrics.measure`."""
        if name is not Metric.OLDEST_OVERDUE:
            return
        now = self._service.world.clock.now()
        overdue_before = now - OVERDUE_AFTER - self._disagree - _INDEX_TRAILS
        for row in self._promises.rows():
            hint = (row.connection_id, str(row.generation), str(row.attempt), row.status.value)
            since = self._due_since.get(hint, now)
            is_over = row.status in TERMINAL and row.announce_by is not None  # it is announced, not waited for
            if row.due_at is None or max(row.due_at, since) > overdue_before or is_over:
                continue
            since = row.erasure.requested_at if row.erasure else since
            if seconds + 1 < (now - since - self._disagree).total_seconds():
                told = f"it has been due since {since}, and ops hear of {seconds:.0f} s"
                self._broken.append(Broken(f"{told}: {row.status}"))

    def check(self) -> None:
        for broken in self._broken:
            raise broken


def _hold(holds: bool, row: Connection, what: str) -> None:
    if not holds:
        raise Broken(f"{what}: {row.status} of generation {row.generation}, attempt {row.attempt}")
