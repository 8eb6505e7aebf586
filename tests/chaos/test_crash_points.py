"""At any call of a connection's whole life something may go wrong: it gets there all the same, and no promise breaks.

POST, stream, exchange, pending, polls, drop, commit, announcement; other accounts; a refetch; a backup; deletion,
sweep, receipt; the table is lost and restored. Whoever gets no answer asks again, as a browser or ops would.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from landing.domain.connection import Connection
from ops import restore
from tests.chaos.promises import Promises
from tests.chaos.schedules import quiet
from tests.world.audience import Audience, audience_of
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import BUCKET, TABLE, Service, running_service
from tests.world.world import WorkerDied, World

type Moment = Literal["before", "unanswered", "after_effect", "late"]

MOMENTS: tuple[Moment, ...] = ("before", "unanswered", "after_effect", "late")
"""Whoever calls dies before it; lives, and never hears the answer; dies with the answer; dies, and the call lands."""
TRIES = 4


@dataclass
class Life:
    """A connection from its POST to its restore, and what is checked after every step of it."""

    service: Service
    erasing: Erasing
    audience: Audience
    promises: Promises
    connection_id: str = ""
    login_id: str = ""
    backup: dict[str, Any] = field(default_factory=dict)
    asked: int = 0
    """How often somebody had to ask, in all."""

    def go(self) -> None:
        self.login_id = self.service.connect_bank(pending={"polls": 2})
        accounts = self.service.accounts_of(self.login_id)
        self.connection_id = self.post()
        self.rest()
        assert self.status == "ready"
        self.post(accountIds=accounts[:1])
        self.rest()
        assert self.row.drop is not None
        assert self.row.drop.accounts == 1
        self.backup = dict(self.service.world.tables[TABLE].items)
        self.service.world.clock.advance(61)
        self.asks(lambda: self.service.call("refetch_connections", self.order()))
        self.rest()
        assert self.status == "ready"
        self.asks(lambda: self.erasing.erase(self.connection_id))
        self.rest()
        assert self.status == "deleted"
        self.restore()
        self.rest()

    def post(self, **members: Any) -> str:
        answer = self.asks(lambda: self.service.post(self.login_id, **members))
        assert answer["statusCode"] == 202, answer
        return str(json.loads(answer["body"])["connectionId"])

    def order(self) -> dict[str, Any]:
        return {"refetch": {"ids": [self.connection_id]}, "ticket": "T-1", "dryRun": False}

    def restore(self) -> None:
        """The table is lost; what it held when its only connection still lived is brought back, as ops would."""
        self.service.world.tables[TABLE].items.clear()

        def again() -> dict[str, Any]:
            receipts = restore.last_receipts(self.service.world.s3, BUCKET)
            for row in self.backup.values():
                if not restore.was_erased(row, receipts):
                    highest = restore.highest_key(self.service.world.s3, BUCKET, row)
                    restored = restore.above_what_was_given(row, highest)
                    self.service.world.dynamodb.put_item(TableName=TABLE, Item=restored)
            return {}

        self.asks(again)

    def asks(self, what: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Somebody asks until there is an answer that is no failure."""
        for _ in range(TRIES):
            self.asked += 1
            answer: dict[str, Any] | None = None
            with suppress(WorkerDied, ClientError, BotoCoreError):
                answer = what()
            self.promises.check()
            if answer is not None and answer.get("statusCode", 200) < 500 and "not_done" not in repr(answer):
                return answer
        raise AssertionError(f"no answer in {TRIES} tries")

    def rest(self) -> None:
        self.service.world.settle(self.nothing_is_due, timedelta(hours=3))
        self.promises.check_at_rest()

    def nothing_is_due(self) -> bool:
        self.promises.check()
        return all(row.due_at is None for row in self.service.rows())

    @property
    def status(self) -> str:
        return self.row.status.value

    @property
    def row(self) -> Connection:
        return self.service.row(self.connection_id)


@pytest.fixture
def lives(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Iterator[Life]]:
    def one() -> Iterator[Life]:
        with quiet(), running_service(World(), monkeypatch) as service:
            yield Life(service, with_erasing(service, monkeypatch), audience_of(service), Promises(service))

    return one


def live(lives: Callable[[], Iterator[Life]], *goes_wrong: tuple[int, Moment]) -> Life:
    """A whole life in which calls go wrong; what it came to is checked."""
    for life in lives():
        for number, moment in goes_wrong:
            if moment == "unanswered":
                life.service.world.leave_unanswered(number)
            else:
                life.service.world.crash_at(number, moment, lands_after=29)
        life.go()
        world = life.service.world
        at = [
            (moment, world.calls[number - 1].operation) for number, moment in goes_wrong if number <= len(world.calls)
        ]
        assert life.service.rows() == [], at  # what was erased is not restored
        assert life.service.bank.vault.cards == {}, at
        assert life.service.versions_below(life.connection_id) == 0, at
        assert len(life.erasing.receipts(life.connection_id)) == 1, at
        heard = life.audience.of(life.connection_id)
        assert heard[-1].endswith("deleted"), at
        assert len({entry for entry in heard if entry.endswith("ready")}) >= 3, at
    return life


@pytest.mark.parametrize("moment", MOMENTS)
def test_wherever_something_goes_wrong_in_a_whole_life_no_promise_breaks(
    lives: Callable[[], Iterator[Life]], moment: Moment
) -> None:
    calls = len(live(lives).service.world.calls)
    for number in range(1, calls + 1):
        live(lives, (number, moment))

    print(f"{calls} points, {moment}")
    assert calls > 75


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("first", MOMENTS)
@pytest.mark.parametrize("second", MOMENTS)
def test_two_things_may_go_wrong_in_one_life(
    lives: Callable[[], Iterator[Life]], first: Moment, second: Moment
) -> None:
    calls, tried = len(live(lives).service.world.calls), 0
    for number in range(1, calls + 1, 2):
        for after in (1, 2, 3, 5, 8, 13, 21):
            live(lives, (number, first), (number + after, second))
            tried += 1

    print(f"{tried} pairs, {first} and {second}")
