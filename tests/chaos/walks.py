"""Random walks of the whole service: what people, ops, workers and AWS may do, in any order, each step checked.

A walk is its seed. It begins with a posted login; after its steps it lets everything come to rest.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from landing import wiring
from landing.domain.connection import ERASED, TERMINAL, Connection, Status
from ops import restore
from tests.chaos.promises import Broken, Promises
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import BUCKET, TABLE, Service, running_service
from tests.world.world import WorkerDied, World

STEPS = 50


class Walk:
    """One walk; `log` says what was done, in words."""

    def __init__(self, seed: int, service: Service, erasing: Erasing) -> None:
        self.random = Random(seed)  # noqa: S311 - chooses a way, keeps no secret
        self.service, self.erasing, self.world = service, erasing, service.world
        self.promises = Promises(service)
        self.login_id = service.connect_bank(pending={"polls": self.random.randint(0, 2)})
        self.accounts = service.accounts_of(self.login_id)
        self.backup: dict[str, Any] = {}
        self.log: list[str] = []

    def go(self) -> None:
        """Raises Broken, with the way there."""
        ways = [
            *[(12, self.delivery), (6, self.post), (4, self.time), (3, self.unheard_put), (3, self.refusal)],
            *[(3, self.death), (4, self.interleaving), (1, self.erase), (1, self.stranger), (1, self.other_tag)],
            *[(1, self.save), (1, self.restored), (1, self.tombstone_ends), (1, self.session_ends)],
        ]
        weights = [weight for weight, _ in ways]
        try:
            self.post()
            for _ in range(STEPS):
                (way,) = self.random.choices([way for _, way in ways], weights)
                self._do(way)
            self.rest()
        except Broken as broken:
            raise Broken(f"{broken}\n" + "\n".join(self.log)) from None

    def rest(self) -> None:
        self.world.calm()
        self.world.settle(self._nothing_is_due)
        self.promises.check_at_rest()

    def _nothing_is_due(self) -> bool:
        self.promises.check()
        return all(row.due_at is None for row in self.service.rows())

    def _do(self, way: Callable[[], None]) -> None:
        self.log.append(way.__name__)
        with suppress(WorkerDied, ClientError, BotoCoreError):
            way()
        self.promises.check()

    # --- what may happen

    def delivery(self) -> None:
        self.world.step()

    def time(self) -> None:
        self.world.run(self.world.clock.now() + self._seconds(1, 240))

    def post(self, owner: str = "alice") -> None:
        chosen = self.random.choice([None, None, self.accounts[:1], self.accounts[1:3]])
        self.service.post(self.login_id, owner, **({} if chosen is None else {"accountIds": chosen}))

    def stranger(self) -> None:
        self.post("bob")

    def unheard_put(self) -> None:
        if self.random.random() < 0.5:
            self.world.answer_never("s3", "put_object", self.random.randint(1, 149))
        else:
            self.world.fail("s3", "put_object", "Timeout", effect=True)

    def refusal(self) -> None:
        service, operation, code = self.random.choice(
            [
                ("dynamodb", "update_item", "ThrottlingException"),
                ("kms", "decrypt", "ThrottlingException"),
                ("kms", "encrypt", "ThrottlingException"),
                ("sqs", "send_message", "InternalError"),
                ("s3", "put_object", "SlowDown"),
                ("s3", "head_object", "SlowDown"),
                ("s3", "list_object_versions", "SlowDown"),
                ("s3", "delete_objects", "SlowDown"),
            ]
        )
        self.world.fail(service, operation, code, effect=self.random.random() < 0.3)

    def death(self) -> None:
        when: Any = self.random.choice(["before", "after_effect", "late"])
        self.world.crash_at(self._soon(), when, self.random.randint(1, 149))
        self.world.step()

    def interleaving(self) -> None:
        """In the middle of a delivery somebody else does something."""
        other = self.random.choice([self.post, self.post, self.erase, self.another_worker, self.stranger])

        def act() -> None:
            self.log.append(f"  meanwhile {other.__name__}")
            wiring.reset()  # in another process, which shares nothing but AWS and Flinks
            with suppress(ClientError, BotoCoreError):
                other()

        self.world.interrupt(self._soon(), self.random.choice(["before", "after_effect"]), act)
        self.world.step()

    def another_worker(self) -> None:
        if row := self._any(set(Status) - ERASED):
            wiring.fetcher().fetch(row.hint)

    def erase(self) -> None:
        if row := self._any(set(Status)):
            wiring.eraser().erase(row.connection_id, f"T-{len(self.log)}", lambda: timedelta(seconds=300))

    def other_tag(self) -> None:
        owner = self.random.choice(["alice", "bob"])
        if self.login_id in self.service.bank.vault.cards:
            self.service.retag(self.login_id, self.service.tag_for(owner))

    def session_ends(self) -> None:
        self.service.bank.vault.sessions.clear()

    def save(self) -> None:
        """A backup, while nothing is under way: what is lost later must not be what nobody could know."""
        if all(row.status in TERMINAL and row.due_at is None for row in self.service.rows()):
            self.backup = dict(self.world.tables[TABLE].items)

    def restored(self) -> None:
        """Every row is lost, and brought back from the backup as far as it goes."""
        if not self.backup or any(row.status not in TERMINAL or row.due_at for row in self.service.rows()):
            return
        receipts = restore.last_receipts(self.world.s3, BUCKET)
        self.world.tables[TABLE].items.clear()
        for row in self.backup.values():
            if not restore.was_erased(row, receipts):
                highest = restore.highest_key(self.world.s3, BUCKET, row)
                self.world.dynamodb.put_item(TableName=TABLE, Item=restore.above_what_was_given(row, highest))

    def tombstone_ends(self) -> None:
        for row in self.service.rows():
            if row.status is Status.DELETED:
                del self.world.tables[TABLE].items[row.connection_id,]
                self.world.clock.advance(1)

    # ---

    def _any(self, statuses: set[Status]) -> Connection | None:
        rows = [row for row in self.service.rows() if row.status in statuses]
        return self.random.choice(rows) if rows else None

    def _soon(self) -> int:
        return len(self.world.calls) + self.random.randint(1, 14)

    def _seconds(self, least: int, most: int) -> Any:
        return timedelta(seconds=self.random.randint(least, most))


@contextmanager
def a_walk(seed: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    with running_service(World(seed), monkeypatch) as service:
        yield Walk(seed, service, with_erasing(service, monkeypatch))


def walk(seeds: range, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Go every walk; gives how often each kind of step was taken. Raises Broken at the first that breaks a promise."""
    steps: dict[str, int] = {}
    logging.disable(logging.CRITICAL)
    try:
        for seed in seeds:
            with a_walk(seed, monkeypatch) as one:
                try:
                    one.go()
                except Broken as broken:
                    raise Broken(f"seed {seed}: {broken}") from None
                for name in one.log:
                    steps[name.strip()] = steps.get(name.strip(), 0) + 1
    finally:
        logging.disable(logging.NOTSET)
    return steps


def told(seeds: range, steps: dict[str, int]) -> str:
    return f"{len(seeds)} walks of {STEPS} steps, 0 violations: {json.dumps(steps, sort_keys=True)}"
