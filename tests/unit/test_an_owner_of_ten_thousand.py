"""Ten thousand connections of one owner are deleted: it ends, with a receipt each, in bounded orders and answers."""

import json
import tracemalloc
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from landing import wiring
from landing.domain.connection import Connection, Drop, Status, connection_id
from landing.settings import ResumeSettings
from landing.stores.connection_row import to_item
from landing.stores.drop_store import drop_key
from landing.stores.login_seal import Purpose
from tests.world import world
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import BUCKET, TABLE, Service

LARGEST_ANSWER = 6 * 1024 * 1024
"""Of a function that is invoked and waited for: Lambda's quota, "Invocation payload"."""
MEMORY = 512 * 1024 * 1024
"""What delete_connection is given."""
PERIOD = timedelta(minutes=5)
"""Of `resume_stalled`, which wakes whoever still waits in a long queue, once in each."""


@dataclass
class Orders:
    """What ops sends until an answer is complete, and what came of it."""

    erasing: Erasing
    limit: int
    answers: list[dict[str, Any]] = field(default_factory=list)

    def give(self, *, dry_run: bool = False) -> "Orders":
        """One order after the other, each going on where the one before ended."""
        after: dict[str, str] = {}
        while True:
            answer = self.erasing.invoke(owner="alice", ticket="T-1", limit=self.limit, dryRun=dry_run, **after)
            self.answers.append(answer)
            if answer["complete"]:
                return self
            after = {"continueAfter": answer["continueAfter"]}

    @property
    def connections(self) -> list[dict[str, Any]]:
        return [each for answer in self.answers for each in answer["connections"]]


@pytest.fixture
def erasing(service: Service, monkeypatch: pytest.MonkeyPatch) -> Erasing:
    made = with_erasing(service, monkeypatch)
    began = service.world.clock.now()
    handle = made.handle

    def timed(event: Any) -> dict[str, Any]:
        nonlocal began
        began = service.world.clock.now()
        return handle(event)

    monkeypatch.setattr(made, "handle", timed)
    made.mapping.handler = timed
    made.seconds_left = lambda: 300 - (service.world.clock.now() - began).total_seconds()
    return made


def of_alice(service: Service, how_many: int) -> list[str]:
    """So many connections of hers, each ready, with a drop and a card at Flinks."""
    now, made = service.world.clock.now() - timedelta(days=1), []
    seal, index = wiring.login_seal(), wiring.index_key()
    for number in range(how_many):
        login_id = service.connect_bank(f"greatday_nomfa+{number}")
        login_ref = index.login_ref(login_id)
        id_ = connection_id(login_ref, "alice")
        put = service.world.s3.put_object(Bucket=BUCKET, Key=drop_key(id_, 1), Body=b"drop", IfNoneMatch="*")
        row = Connection(
            connection_id=id_,
            login_ref=login_ref,
            status=Status.READY,
            generation=1,
            attempt=1,
            received_at=now,
            updated_at=now,
            owner="alice",
            sealed_login=seal.seal(login_id, id_, Purpose.LOGIN),
            drop=Drop(drop_key(id_, 1), put["VersionId"], "0" * 64, 4, 1, 1),
        )
        service.world.dynamodb.put_item(TableName=TABLE, Item=to_item(row))
        made.append(id_)
    return sorted(made)


def takes_its_time(service: Service, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """So an order erases a few itself, and tombstones the rest."""
    delete_card = wiring.flinks().delete_card

    def slowly(login_id: str) -> Any:
        service.world.clock.advance(seconds)
        return delete_card(login_id)

    monkeypatch.setattr(wiring.flinks(), "delete_card", slowly)


@pytest.mark.parametrize(
    ("how_many", "limit", "seconds_each"),
    [(60, 20, 10), pytest.param(10_000, 1000, 1, marks=[pytest.mark.long, pytest.mark.timeout(3600)])],
)
def test_everything_of_an_owner_is_deleted_with_a_receipt_each(
    service: Service,
    erasing: Erasing,
    monkeypatch: pytest.MonkeyPatch,
    how_many: int,
    limit: int,
    seconds_each: int,
) -> None:
    service.stream.enabled = False
    monkeypatch.setattr(world, "SPINNING", 2000 + 3 * how_many)  # so many messages may be due at one moment
    ids = of_alice(service, how_many)
    takes_its_time(service, monkeypatch, seconds_each)
    looked = Orders(erasing, limit).give(dry_run=True)
    before, ordered_at = len(service.world.invocations), service.world.clock.now()

    tracemalloc.start()
    ordered = Orders(erasing, limit).give()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    service.world.settle(within=timedelta(hours=12))
    invocations = len(service.world.invocations) - before
    took = service.world.clock.now() - ordered_at
    again = Orders(erasing, limit).give()

    assert len(looked.answers) == len(ordered.answers) == len(again.answers) == how_many // limit
    assert [each["connectionId"] for each in looked.connections] == ids
    assert {each["outcome"] for each in ordered.connections} == {"deleted", "deleting"}
    assert [each["outcome"] for each in again.connections] == ["deleted"] * how_many
    assert [each["receipt"]["connectionId"] for each in again.connections] == ids
    assert all(len(erasing.receipts(id_)) == 1 for id_ in ids)
    assert service.bank.vault.cards == {}
    assert not [key for key in erasing.bucket.versions if key.startswith("accounts/")]
    woken = min(how_many, ResumeSettings.from_environment().resume_at_most)
    print(f"{invocations} invocations, {took}, at most {peak / 2**20:.0f} MiB in an order")
    assert invocations <= how_many + len(ordered.answers) + (took // PERIOD + 1) * (1 + woken)
    assert max(len(json.dumps(answer)) for answer in again.answers) < LARGEST_ANSWER / 3
    assert peak < MEMORY / 2
