"""What must hold of the stores after every step, whoever did what before; a walk or a schedule checks it.

It sees rows and objects as they are, and every commit, also of those that follow each other within one step; it knows
nothing of how the service works.
"""

import gzip
import json
from collections import defaultdict
from typing import Any

from landing.domain.connection import Connection, Status, timestamp
from landing.stores.connection_row import from_item
from tests.world.service import BUCKET, TABLE, Service


class Broken(AssertionError):
    """A promise was broken; the message says which, and where."""


class Promises:
    """An observer of a service: `check` after a step raises Broken."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._committed: dict[tuple[str, int, Any], tuple[str, str]] = {}
        self._erased: dict[str, int] = {}
        self._accounts: dict[str, frozenset[str]] = {}
        self._read: dict[str, tuple[Any, Connection]] = {}
        self._written_ready: list[Any] = []
        service.world.tables[TABLE].watchers.append(self._written)

    def _written(self, item: Any) -> None:
        if item["status"] == {"S": Status.READY}:
            self._written_ready.append(item)

    def check(self) -> None:
        """Every promise that holds at every moment."""
        for item in self._written_ready:
            self._commit(from_item(item))
        self._written_ready.clear()
        below = self._objects()
        for row in self._rows():
            if row.status is Status.READY:
                self._ready(row, below[row.connection_id])
            if row.status is Status.DELETED:
                self._deleted(row, below[row.connection_id])
            if row.public_status in ("failed", "action_required"):
                self._only_committed(row, below[row.connection_id], "it is said that nothing was kept")

    def check_at_rest(self) -> None:
        """What holds once nothing is due any more."""
        self.check()
        below = self._objects()
        for row in self._rows():
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

    def _deleted(self, row: Connection, below: dict[tuple[str, str], bytes]) -> None:
        _hold(not below, row, "it is erased, and a drop lies there")
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

    def _rows(self) -> list[Connection]:
        """The rows, each read once: a write makes another item."""
        rows = []
        for (connection_id,), item in self._service.world.tables[TABLE].items.items():
            item_before, row = self._read.get(str(connection_id), (None, None))
            if item is not item_before or row is None:
                row = from_item(item)
                self._read[str(connection_id)] = item, row
            rows.append(row)
        return rows

    def _objects(self) -> dict[str, dict[tuple[str, str], bytes]]:
        """What lies in the bucket, by connection, then by key and version."""
        below: dict[str, dict[tuple[str, str], bytes]] = defaultdict(dict)
        for key, versions in self._service.world.buckets[BUCKET].versions.items():
            if key.startswith("accounts/"):
                for version in versions:
                    below[key.split("/")[2]][key, version.id] = version.body or b""
        return below


def _hold(holds: bool, row: Connection, what: str) -> None:
    if not holds:
        raise Broken(f"{what}: {row.status} of generation {row.generation}, attempt {row.attempt}")
