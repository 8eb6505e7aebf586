"""Schedules that once broke a promise: choices, PUTs, commits, erasures, restores and second lives that cross."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from landing import wiring
from landing.domain.connection import AtFlinks, Connection, Status, whole_milliseconds
from landing.verbs.delete_connection import EraseEnding
from ops import restore
from tests.chaos.promises import Promises
from tests.chaos.workers import Worker, Workers
from tests.world.audience import Audience, audience_of
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import BUCKET, LAMBDA_SECONDS, TABLE, Service, running_service
from tests.world.world import World


class Scene:
    """A service with everything attached, one login with several accounts, and the promises, checked at every step."""

    def __init__(self, service: Service, erasing: Erasing, audience: Audience) -> None:
        self.service, self.erasing, self.audience, self.world = service, erasing, audience, service.world
        self.promises = Promises(service)
        self.login_id = ""
        self.connection_id = ""

    def post(self, owner: str = "alice", **members: Any) -> str:
        answer = self.service.post(self.login_id, owner, **members)
        assert answer["statusCode"] == 202, answer
        self.promises.check()
        return str(json.loads(answer["body"])["connectionId"])

    def begin(self, *, pending: dict[str, Any] | None = None) -> None:
        """Post a login of which nobody has chosen accounts; nothing is delivered yet."""
        self.login_id = self.service.connect_bank(pending=pending or {"polls": 0})
        self.connection_id = self.post()

    def fetch(self) -> None:
        """One delivery: whoever is told of the connection as it is now."""
        wiring.fetcher().fetch(self.row.hint)
        self.promises.check()

    def until_given_up(self, *, losing_messages: bool = False) -> None:
        for _ in range(3):  # the session has ended; a new one; whose login is it?
            if self.row.status is Status.WAITING:
                self.let(60)
                if losing_messages:
                    self.world.fail("sqs", "send_message", "InternalError")
                self.fetch()

    def one_account(self) -> list[str]:
        return self.service.accounts_of(self.login_id)[:1]

    def let(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @property
    def row(self) -> Connection:
        return self.service.row(self.connection_id)

    def deliver(self, *, enabled: bool) -> None:
        self.service.stream.enabled = self.service.queue.enabled = self.service.schedule.enabled = enabled

    def rest(self) -> None:
        """Deliver until nothing is due, checking after every step."""
        self.deliver(enabled=True)
        self.world.settle(self._nothing_is_due)
        self.promises.check_at_rest()

    def _nothing_is_due(self) -> bool:
        self.promises.check()
        return all(row.due_at is None for row in self.service.rows())


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Any:
    with running_service(World(), monkeypatch) as service:
        made = Scene(service, with_erasing(service, monkeypatch), audience_of(service))
        made.deliver(enabled=False)
        yield made


# --- no account that the person did not pick is committed


def test_a_choice_that_came_after_an_unheard_put_is_kept_to(scene: Scene) -> None:
    scene.begin()
    scene.world.fail("s3", "put_object", "Timeout", effect=True)
    scene.fetch()
    scene.post()

    scene.post(accountIds=scene.one_account())
    scene.rest()

    assert scene.row.status is Status.READY
    assert scene.row.drop is not None
    assert scene.row.drop.accounts == 1
    assert scene.service.versions_below(scene.connection_id) == 1


def test_a_choice_that_came_while_flinks_was_collecting_is_kept_to(scene: Scene) -> None:
    scene.begin(pending={"polls": 1})
    scene.fetch()
    scene.service.script(endpoint="GetAccountsDetailAsync", steps=[{"code": "TOO_MANY_REQUESTS"}])
    scene.let(10)
    scene.fetch()
    assert scene.row.sealed_request is not None
    scene.post()

    scene.post(accountIds=scene.one_account())
    scene.rest()

    assert scene.row.drop is not None
    assert scene.row.drop.accounts == 1


def test_a_drop_of_another_choice_under_the_same_key_is_not_committed(scene: Scene) -> None:
    scene.begin()
    scene.world.fail("s3", "put_object", "Timeout", effect=True)
    scene.fetch()
    narrowed = {"accountIds": {"L": [{"S": account_id} for account_id in scene.one_account()]}}
    scene.world.tables[TABLE].items[scene.connection_id,] |= narrowed  # as no POST would do it

    scene.rest()

    assert scene.row.drop is not None
    assert (scene.row.generation, scene.row.drop.accounts) == (2, 1)


def test_a_drop_of_other_days_of_transactions_under_the_same_key_is_not_committed(scene: Scene) -> None:
    scene.begin()
    scene.world.fail("s3", "put_object", "Timeout", effect=True)
    scene.fetch()
    scene.world.tables[TABLE].items[scene.connection_id,] |= {"daysOfTransactions": {"N": "365"}}  # as no POST would

    scene.rest()

    assert (scene.row.status, scene.row.generation) == (Status.READY, 2)
    assert scene.row.days_of_transactions == 365
    assert scene.service.versions_below(scene.connection_id) == 1


# --- a drop that was not committed is not data


def test_what_was_put_under_a_choice_that_was_narrowed_meanwhile_is_swept(scene: Scene) -> None:
    scene.begin()
    claim_and_all_before_put = 7
    put = len(scene.world.calls) + claim_and_all_before_put + 1

    def narrowed() -> None:
        scene.service.post(scene.login_id, accountIds=scene.one_account())

    scene.world.interrupt(put, "after_effect", narrowed)
    scene.fetch()
    assert scene.world.calls[put - 1].operation == "put_object"
    scene.rest()

    assert (scene.row.status, scene.row.generation) == (Status.READY, 2)
    assert scene.service.drops() == [scene.row.drop.key if scene.row.drop else ""]


def foreign_tag(scene: Scene) -> None:
    """Somebody else connected the login since, and the session of before is over."""
    scene.service.retag(scene.login_id, scene.service.tag_for("bob"))
    scene.service.bank.vault.sessions.clear()


def login_gone(scene: Scene) -> None:
    scene.service.bank.vault.cards.clear()


def unheard(scene: Scene) -> None:
    scene.world.fail("s3", "put_object", "Timeout", effect=True)
    scene.fetch()


def lands_late(scene: Scene) -> None:
    scene.world.answer_never("s3", "put_object", lands_after=60)
    scene.fetch()


def commit_throttled(scene: Scene) -> None:
    put = len(scene.world.calls) + 8
    scene.world.interrupt(
        put, "after_effect", lambda: scene.world.fail("dynamodb", "update_item", "ThrottlingException")
    )
    scene.fetch()
    assert scene.world.calls[put - 1].operation == "put_object"


def worker_dies(scene: Scene) -> None:
    put = len(scene.world.calls) + 8
    scene.world.crash_at(put, "after_effect")
    scene.world.invoke(lambda _: wiring.fetcher().fetch(scene.row.hint), {})
    assert scene.world.calls[put - 1].operation == "put_object"


type Act = Callable[[Scene], None]


@pytest.mark.parametrize("how", [unheard, lands_late, commit_throttled, worker_dies], ids=lambda act: act.__name__)
@pytest.mark.parametrize("end", [foreign_tag, login_gone], ids=lambda act: act.__name__)
def test_what_was_put_and_never_committed_is_swept_before_it_is_said_that_nothing_was_kept(
    scene: Scene, how: Act, end: Act
) -> None:
    scene.begin()
    how(scene)

    end(scene)
    scene.rest()

    assert scene.row.status in (Status.FAILED, Status.ACTION_REQUIRED)
    assert scene.service.versions_below(scene.connection_id) == 0
    assert scene.audience.of(scene.connection_id) == [f"1 {scene.row.status}"]


def test_while_something_is_to_be_swept_the_person_is_told_to_wait(scene: Scene) -> None:
    scene.begin()
    lands_late(scene)
    foreign_tag(scene)
    scene.until_given_up()

    shown = json.loads(scene.service.get(scene.connection_id)["body"])

    assert scene.row.status is Status.FAILED
    assert (shown["status"], shown["reason"], shown["action"]) == ("processing", None, "wait")


def test_a_sweep_that_is_ordered_too_early_waits_until_nothing_can_land_any_more(scene: Scene) -> None:
    scene.begin()
    lands_late(scene)
    foreign_tag(scene)
    scene.until_given_up()

    early = wiring.eraser().resume(scene.row.hint, lambda: timedelta(minutes=5))
    scene.rest()

    assert early.ending is EraseEnding.EARLY
    assert scene.service.versions_below(scene.connection_id) == 0


def test_when_the_order_to_sweep_is_lost_the_schedule_finds_it(scene: Scene) -> None:
    scene.begin()
    unheard(scene)
    foreign_tag(scene)
    scene.until_given_up(losing_messages=True)

    scene.rest()

    assert scene.row.status is Status.FAILED
    assert scene.service.versions_below(scene.connection_id) == 0


# --- after a complete receipt no drop lands


@pytest.mark.parametrize("lands_after", [1, 40, 149])
def test_the_last_try_leaves_what_an_erase_must_wait_for(scene: Scene, lands_after: float) -> None:
    scene.begin()
    scene.let(24 * 3600 + 1)
    scene.world.answer_never("s3", "put_object", lands_after)
    scene.fetch()
    given_up = scene.row.status

    scene.erasing.erase(scene.connection_id)
    scene.rest()
    scene.world.run(timedelta(minutes=10))

    assert (given_up, scene.row.status) == (Status.FAILED, Status.DELETED)
    assert scene.service.versions_below(scene.connection_id) == 0


def test_an_erase_by_a_clock_two_minutes_ahead_waits_for_the_last_put_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.begin()
    hint, fetcher = scene.row.hint, wiring.fetcher()
    slow = Worker(Workers(scene.world), lambda: fetcher.fetch(hint))
    slow.advance_to("s3 put_object")
    ahead = scene.world.clock.now
    monkeypatch.setattr(wiring, "clock", lambda: whole_milliseconds(ahead() + timedelta(minutes=2)))
    wiring.reset()

    scene.erasing.erase(scene.connection_id)
    scene.world.run(timedelta(seconds=LAMBDA_SECONDS - 1))
    slow.die_with_a_late_put(lands_after=29)
    scene.rest()
    scene.world.run(timedelta(minutes=10))

    assert scene.row.status is Status.DELETED
    assert scene.service.versions_below(scene.connection_id) == 0


def test_an_erasure_whose_worker_died_goes_on_in_the_very_moment_in_which_its_lease_ends(scene: Scene) -> None:
    scene.begin()
    erase = len(scene.world.calls) + 2
    scene.world.crash_at(erase, "after_effect")
    scene.world.invoke(lambda _: scene.erasing.erase(scene.connection_id), {})
    assert scene.row.due_at is not None
    scene.world.clock.advance_to(scene.row.due_at)

    run = wiring.eraser().resume(scene.row.hint, lambda: timedelta(minutes=5))

    assert run.ending is EraseEnding.DELETED


# --- a restore gives no generation twice


def test_a_restored_connection_goes_on_above_what_was_given(scene: Scene) -> None:
    scene.begin()
    scene.rest()
    scene.let(61)
    backup = dict(scene.world.tables[TABLE].items[scene.connection_id,])
    scene.post()
    scene.rest()
    assert scene.row.generation == 2
    second = scene.row.drop
    highest = restore.highest_key(scene.world.s3, BUCKET, backup)
    scene.world.dynamodb.put_item(TableName=TABLE, Item=restore.above_what_was_given(backup, highest))
    scene.rest()

    scene.let(3600)
    scene.post()
    scene.rest()

    assert scene.row.status is Status.READY
    assert scene.row.generation > 2
    assert scene.row.drop not in (None, second)
    assert len(set(scene.audience.of(scene.connection_id))) == 3


# --- a second life has its own papers


def test_a_second_life_that_is_erased_has_a_receipt_of_its_own(scene: Scene) -> None:
    scene.begin()
    scene.rest()
    scene.post("bob")
    scene.rest()
    scene.erasing.erase(scene.connection_id, "first")
    scene.rest()
    assert scene.row.erasure is not None
    assert scene.row.erasure.at_flinks is AtFlinks.KEPT
    del scene.world.tables[TABLE].items[scene.connection_id,]  # as the TTL does, after 60 days
    scene.let(3600)

    scene.post()
    scene.rest()
    backup = scene.world.tables[TABLE].items[scene.connection_id,]
    scene.erasing.erase(scene.connection_id, "second")
    scene.rest()

    assert [receipt["ticket"] for receipt in scene.erasing.receipts(scene.connection_id)] == ["first", "second"]
    assert scene.erasing.erase(scene.connection_id)["receipt"]["ticket"] == "second"
    assert restore.was_erased(backup, restore.last_receipts(scene.world.s3, BUCKET))


# --- a life that was lost leaves nothing that the next one takes for its own


def test_a_second_life_does_not_commit_what_a_lost_one_fetched(scene: Scene) -> None:
    scene.begin()
    scene.rest()
    lost = scene.row.drop
    assert lost is not None
    del scene.world.tables[TABLE].items[scene.connection_id,]  # and no backup holds it
    scene.let(3600)

    scene.post()
    scene.rest()

    assert scene.row.status is Status.READY
    assert scene.row.drop is not None
    assert (scene.row.generation, scene.row.drop.key == lost.key) == (2, False)
    assert scene.service.drops() == [scene.row.drop.key]
