"""One random walk of the whole service: what people, ops, workers, hosts, AWS and Flinks may do, each step checked.

A walk is a list of steps; a step is its name and the seed of its own draws, so that it does the same whichever steps
are left out before it. `schedules` makes walks, runs them, replays them and makes a failing one shorter.
"""

import json
import random
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from landing import metrics, wiring
from landing.domain.connection import CLOCKS_DISAGREE, ERASED, TERMINAL, Connection, Status, whole_milliseconds
from landing.stores.connection_row import from_item
from landing.verbs import fetch_accounts
from ops import restore
from tests.chaos.promises import Heard, Promises
from tests.chaos.reference import Broken, Reference
from tests.chaos.workers import Inline, Worker, Workers
from tests.world.audience import Audience, audience_of
from tests.world.erasing import LAMBDA_SECONDS as ERASER_SECONDS
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import BUCKET, LAMBDA_SECONDS, QUEUE, TABLE, Service, running_service
from tests.world.wire import Parameters
from tests.world.world import WorkerDied, World

STILL_LANDS = 29
"""Seconds after it was sent, at the most, until a PUT lands that nobody waits for any more."""
ENDS_WITHIN = timedelta(hours=3)
"""Once nothing fails any more: sessions are polled for half an hour, and a pause lasts a quarter of one at the most."""
BEYOND = timedelta(minutes=10)
"""In some walks clocks lie as far apart, and a frozen worker outlives its function and its lease."""
PUT = "s3 put_object"
TO_BE_FETCHED = frozenset({Status.RECEIVED, Status.WAITING, Status.PENDING})
OWNERS = ("alice", "bob")

WAYS = {  # how often each is taken, beside the others
    "delivery": 14,
    "post": 6,
    "time": 4,
    "unheard_put": 3,
    "refusal": 3,
    "bank_fault": 3,
    "death": 3,
    "interleaving": 4,
    "freeze": 3,
    "thaw": 3,
    "slow_put": 1,
    "overtaken": 1,
    "delivered_again": 2,
    "message_twice": 1,
    "message_late": 1,
    "message_lost": 1,
    "pause": 1,
    "unpause": 1,
    "erase": 2,
    "stranger": 1,
    "other_tag": 1,
    "session_ends": 1,
    "save": 1,
    "restored": 1,
    "tombstone_ends": 1,
    "refetch": 1,
    "keys_rotated": 1,
    "keys_broken": 1,
    "keys_mended": 1,
    "deploy": 1,
    "older_row": 1,
}


class Step(NamedTuple):
    way: str
    seed: int


@dataclass
class Frozen:
    """A worker that stands still between two calls, until its function's time is over and Lambda ends it."""

    worker: Worker
    ends: datetime


class Walk:
    """One walk; `log` says what was done, in words."""

    def __init__(self, seed: int, service: Service, erasing: Erasing, audience: Audience) -> None:
        self.random = Random(seed)  # noqa: S311 - chooses a way, keeps no secret
        random.seed(seed)  # the pauses' jitter
        self.service, self.erasing, self.audience, self.world = service, erasing, audience, service.world
        self.workers = Workers(self.world)
        self.log: list[str] = []
        self.backup: dict[str, Any] = {}
        self.frozen: list[Frozen] = []
        self.skew = timedelta()
        self.timely = self.random.random() < 0.8
        half = (CLOCKS_DISAGREE if self.timely else BEYOND).total_seconds() / 2
        self.hosts = self.random.choice([[0.0], [self.random.uniform(-half, half) for _ in range(3)], [-half, half]])
        self.service.world.tables[TABLE].lag = self.random.choice([0, 0, 0, 5])
        self.login_id = service.connect_bank(pending={"polls": self.random.randint(0, 2)})
        self.accounts = service.accounts_of(self.login_id)
        self.heard_of: list[str] = []
        self.meanings: dict[str, tuple[str, str]] = {}
        self.reference = Reference(self.world.clock.now, timedelta(seconds=STILL_LANDS))
        self.owners: dict[str, str] = {}
        self.world.tables[TABLE].watchers.append(self._written)
        self.promises = Promises(service, frozenset(self.accounts), timely=self.timely)
        self.heard = Heard(service, self.promises, CLOCKS_DISAGREE)
        self._call, service.call = service.call, self._on_some_host  # type: ignore[method-assign,assignment]  # as a host

    # --- the walk

    def go(self, steps: list[Step]) -> None:
        """Raises Broken, with the way there."""
        try:
            for step in (Step("post", 0), *steps):
                self._do(step)
            self._rest()
        except Broken as broken:
            raise Broken(f"{broken}\n" + "\n".join(self.log)) from None

    @property
    def trace(self) -> str:
        """All that was done and all that was sent, in short: two runs of one walk have the same."""
        calls = ((call.service, call.operation, _without_bodies(call.parameters)) for call in self.world.calls)
        return sha256(repr((self.log, list(calls), self.world.clock.now())).encode()).hexdigest()

    def _do(self, step: Step) -> None:
        self.log.append(step.way)
        for chance in (self.random, random, self.world.random):
            chance.seed(step.seed)
        with suppress(WorkerDied, ClientError, BotoCoreError), self._host():
            getattr(self, step.way)()
        for frozen in self.frozen:
            if self.world.clock.now() >= frozen.ends:
                frozen.worker.die()
        self.frozen = [frozen for frozen in self.frozen if not frozen.worker.over]
        self.check()

    def check(self) -> None:
        self.promises.check()
        self._listen()
        if self.timely:
            self.heard.check()
        self.reference.check(self._rows())

    def _rest(self) -> None:
        """Nothing fails any more, and everything comes to its end within its bound."""
        self.log.append("rest")
        self.world.calm()
        self.service.bank.faults.remove()
        self.keys_mended()
        self.unpause()
        for frozen in self.frozen:
            frozen.worker.advance()
        try:
            self.world.settle(self._nothing_is_due, ENDS_WITHIN)
        except AssertionError as stuck:
            if isinstance(stuck, Broken):
                raise
            raise Broken(f"{stuck}: {[(row.status.value, row.reason) for row in self.promises.rows()]}") from None
        self.promises.check_at_rest()
        self.reference.check_at_rest(self._rows())
        self._announced()

    def close(self) -> None:
        """No worker's thread outlives the walk."""
        for frozen in self.frozen:
            frozen.worker.die()

    def _nothing_is_due(self) -> bool:
        self.check()
        return all(row.due_at is None for row in self.promises.rows())

    def _listen(self) -> None:
        """An event id has one meaning, and what is announced as ready was committed."""
        for entry in self.audience.entries[len(self.heard_of) :]:
            told = json.loads(entry["Detail"])
            drop = told.get("drop") or {"key": "", "versionId": ""}
            where = drop["key"], drop["versionId"]
            self.heard_of.append(told["id"])
            if self.meanings.setdefault(told["id"], where) != where:
                raise Broken(f"an event id has two meanings: {told['status']} of generation {told['generation']}")
            if told["status"] == "ready" and not self.promises.is_committed(*where):
                raise Broken(f"what nobody committed was announced: generation {told['generation']}")

    def _begins_anew(self, connection_id: str) -> None:
        """A life is over that nobody can know of any more: the next one gives the same ids again."""
        for id_ in [each for each in self.meanings if each.startswith(f"{connection_id}/")]:
            del self.meanings[id_]

    def _announced(self) -> None:
        """Whoever listens has heard how each connection ended."""
        for row in self.promises.rows():
            heard = self.audience.of(row.connection_id)
            if f"{row.generation} {row.status}" not in heard and not self.audience.refused:
                raise Broken(f"nobody was told: {row.status} of generation {row.generation}, but {heard}")

    def _written(self, item: Any) -> None:
        if "owner" in item:
            self.owners[item["connectionId"]["S"]] = item["owner"]["S"]

    def _rows(self) -> dict[str, Connection]:
        rows = self.promises.rows()
        of_whom = {self.owners[row.connection_id]: row for row in rows}
        if len(of_whom) < len(rows):
            raise Broken("somebody has two connections to one login")
        return of_whom

    # --- people

    def post(self, owner: str = "alice") -> None:
        draws: list[Any] = ["as before", "as before", None, self.accounts[:1], self.accounts[1:3]]
        chosen = self.random.choice(draws)
        members: dict[str, Any] = {} if chosen == "as before" else {"accountIds": chosen}
        if self.random.random() < 0.1:
            members["daysOfTransactions"] = self.random.choice([90, 365])
        choice = frozenset(chosen) if isinstance(chosen, list) else chosen
        with self.reference.posting(owner, choice) as posting:
            posting.status = self.service.post(self.login_id, owner, **members)["statusCode"]

    def stranger(self) -> None:
        self.post("bob")

    def other_tag(self) -> None:
        owner = self.random.choice(OWNERS)
        if self.login_id in self.service.bank.vault.cards:
            self.service.retag(self.login_id, self.service.tag_for(owner))

    # --- ops

    def erase(self) -> None:
        if row := self._any(set(Status)):
            self._erase(row)

    def _erase(self, row: Connection) -> None:
        owner = self.owners[row.connection_id]
        self.reference.erasing(owner)
        wiring.eraser().erase(row.connection_id, f"T-{len(self.log)}", lambda: timedelta(seconds=ERASER_SECONDS))
        self.reference.erased(owner)

    def refetch(self) -> None:
        if row := self._any(set(Status)):
            order = {"refetch": {"ids": [row.connection_id]}, "ticket": f"T-{len(self.log)}", "dryRun": False}
            answer = self.service.call("refetch_connections", order)
            assert answer.get("outcome") != "refused", answer

    def save(self) -> None:
        """A backup, while nothing is under way: what is lost later must not be what nobody could know."""
        if self._all_at_rest():
            self.backup = dict(self.world.tables[TABLE].items)

    def restored(self) -> None:
        """Every row is lost, and, long after anything could land, brought back from the backup as far as it goes."""
        self.world.run(timedelta(seconds=STILL_LANDS + 1))
        if not self.backup or not self._all_at_rest():
            return
        receipts = restore.last_receipts(self.world.s3, BUCKET)
        back = [row for row in self.backup.values() if not restore.was_erased(row, receipts)]
        highest = [restore.highest_key(self.world.s3, BUCKET, row) for row in back]
        items = [restore.above_what_was_given(row, key) for row, key in zip(back, highest, strict=True)]
        self.world.calm()
        self.world.tables[TABLE].items.clear()
        for connection_id in self.owners.keys() - {item["connectionId"]["S"] for item in items}:
            self._begins_anew(connection_id)
        self.reference.lost({self.owners[item["connectionId"]["S"]]: from_item(item) for item in items})
        for item in items:
            self.world.dynamodb.put_item(TableName=TABLE, Item=item)

    def keys_rotated(self) -> None:
        """Flinks has new keys for us; our secrets may say so at once, or later."""
        settings, number = self.service.bank.settings, self.random.getrandbits(32)
        settings.secret_key, settings.api_key = f"secret-{number}", f"key-{number}"
        if self.random.random() < 0.5:
            self.keys_mended()

    def keys_broken(self) -> None:
        name, nothing = self.random.choice(["secret-key", "api-key"]), self.random.choice(["{}", "no JSON", "[]"])
        self._write_secret(name, nothing)

    def keys_mended(self) -> None:
        settings = self.service.bank.settings
        self._write_secret("secret-key", json.dumps({"secretKey": settings.secret_key}))
        self._write_secret("api-key", json.dumps({"apiKey": settings.api_key}))

    def _write_secret(self, name: str, content: str) -> None:
        """Ops see to it that it is done: a write of theirs that lands late would bring an old key back."""
        self.world.secrets.put_secret_value(Parameters({"SecretId": name, "SecretString": content}))

    def deploy(self) -> None:
        """Other numbers, in new environments; what the old ones have under way goes on."""
        numbers = {
            "POLL_SECONDS": self.random.choice(["5", "10", "30"]),
            "DAYS_OF_TRANSACTIONS": self.random.choice(["90", "365"]),
            "REQUIRE_OWNER_TAG": self.random.choice(["false", "false", "true"]),
        }
        self.service.set_environment(**numbers)

    def older_row(self) -> None:
        """A row as the release before wrote it, or as the next will: with less or more than this one knows."""
        if row := self._any(set(Status) - {Status.DELETED}):
            items, key = self.world.tables[TABLE].items, (row.connection_id,)
            unknown = {"flinksHome", "correlationId", "language", "overdueSince"}
            kept = {name: value for name, value in items[key].items() if name not in unknown}
            of_tomorrow = {"ofTomorrow": {"M": {"mood": {"S": "fine"}}}}
            items[key] = self.random.choice([kept, items[key] | of_tomorrow])

    # --- workers and hosts

    def death(self) -> None:
        when: Any = self.random.choice(["before", "after_effect", "late"])
        self.world.crash_at(self._soon(), when, self.random.randint(1, STILL_LANDS))
        self.world.step()

    def interleaving(self) -> None:
        """In the middle of a delivery somebody else does something."""
        others = [self.post, self.post, self.erase, self.another_worker, self.stranger, self.refetch]
        other = self.random.choice(others)

        def act() -> None:
            self.log.append(f"  meanwhile {other.__name__}")
            wiring.reset()  # in another process, which shares nothing but AWS and Flinks
            with suppress(ClientError, BotoCoreError), self._host():
                other()

        self.world.interrupt(self._soon(), self.random.choice(["before", "after_effect"]), act)
        self.world.step()

    def another_worker(self) -> None:
        if row := self._any(set(Status) - ERASED):
            wiring.fetcher().fetch(row.hint)

    def freeze(self) -> None:
        """A worker begins, and stops between two of its calls: often just before its drop."""
        if row := self._any(set(Status) - {Status.DELETED}):
            frozen = self._begun(row)
            if self.random.random() < 0.5:
                frozen.worker.advance_to(PUT)
            else:
                frozen.worker.advance(self.random.randint(0, 12))
            self.frozen.append(frozen)

    def slow_put(self) -> None:
        """A worker stands before its drop while another host erases, and sends it when its time is nearly over."""
        if row := self._any(TO_BE_FETCHED):
            frozen = self._begun(row)
            frozen.worker.advance_to(PUT)
            self.frozen.append(frozen)
            with self._host():
                self._erase(row)
            left = frozen.ends - self.world.clock.now()
            self.world.run(min(left, timedelta(seconds=LAMBDA_SECONDS)) * 0.99)
            frozen.worker.advance()

    def overtaken(self) -> None:
        """A worker stands before its last write until others have taken over and begun anew: beyond its lease."""
        if self.timely:
            return
        self.post()
        row = self._any(TO_BE_FETCHED)
        if row is None:
            return
        slow = self._begun(row)
        slow.worker.advance_to(PUT)
        slow.worker.advance(1)
        self.frozen.append(slow)
        self.post(self.owners[row.connection_id])
        self.world.clock.advance(BEYOND * 2)
        wiring.fetcher().fetch(self.service.row(row.connection_id).hint)
        other = self._begun(self.service.row(row.connection_id))
        other.worker.advance_to(PUT)
        self.frozen.append(other)
        slow.worker.advance()

    def _begun(self, row: Connection) -> Frozen:
        """A worker of its own host, before its first call."""
        self.world.calm()
        wiring.reset()
        hint, skew, now = row.hint, self.skew, self.world.clock.now()
        clock = lambda: whole_milliseconds(self.world.clock.now() + skew)  # noqa: E731 - of its own host
        if row.status is Status.DELETING:
            eraser = replace(wiring.eraser(), clock=clock)
            ends = now + timedelta(seconds=ERASER_SECONDS)
            worker = Worker(self.workers, lambda: eraser.resume(hint, lambda: ends - self.world.clock.now()))
        else:
            fetcher, ends = replace(wiring.fetcher(), clock=clock), now + timedelta(seconds=LAMBDA_SECONDS)
            worker = Worker(self.workers, lambda: fetcher.fetch(hint))
        wiring.reset()
        return Frozen(worker, ends if self.timely else ends + timedelta(hours=1))

    def thaw(self) -> None:
        """One that stood still goes on, as late as its function lets it; or dies with its next call, which may land."""
        if not self.frozen:
            return
        frozen = self.random.choice(self.frozen)
        left = (frozen.ends - self.world.clock.now()).total_seconds()
        self.world.run(timedelta(seconds=left * self.random.choice([0, self.random.random(), 0.99])))
        self.world.calm()
        match self.random.choice(["further", "to its end", "to its end", "dies", "dies late"]):
            case "further":
                frozen.worker.advance(self.random.randint(1, 8))
            case "to its end":
                frozen.worker.advance()
            case "dies":
                frozen.worker.die()
            case "dies late" if not frozen.worker.over:
                frozen.worker.die_with_a_late_put(self.random.randint(1, STILL_LANDS))
                frozen.worker.advance()

    def _on_some_host(self, *invocation: Any) -> dict[str, Any]:
        with self._host():
            return self._call(*invocation)

    @contextmanager
    def _host(self) -> Iterator[None]:
        """Whoever runs now goes by the clock of one of the hosts."""
        before, self.skew = self.skew, timedelta(seconds=self.random.choice(self.hosts))
        try:
            yield
        finally:
            self.skew = before

    # --- AWS

    def delivery(self) -> None:
        self.world.step()

    def time(self) -> None:
        self.world.run(timedelta(seconds=1800 if self.random.random() < 0.1 else self.random.randint(1, 240)))

    def delivered_again(self) -> None:
        """What was delivered once is delivered once more, however long ago."""
        if self.world.invocations:
            invocation = self.random.choice(self.world.invocations[-20:])
            self.world.invoke(invocation.handler, invocation.event)

    def message_twice(self) -> None:
        if message := self._message():
            queue, message = message
            queue.messages.append(replace(message, receipt=""))

    def message_late(self) -> None:
        if message := self._message():
            message[1].due += timedelta(seconds=self.random.randint(1, 900))

    def message_lost(self) -> None:
        if message := self._message():
            message[0].messages.remove(message[1])

    def pause(self) -> None:
        """A mapping or the schedule is switched off."""
        self.random.choice(self._deliverers()).enabled = False

    def unpause(self) -> None:
        for deliverer in self._deliverers():
            deliverer.enabled = True

    def unheard_put(self) -> None:
        if self.random.random() < 0.5:
            self.world.answer_never("s3", "put_object", self.random.randint(1, STILL_LANDS))
        else:
            self.world.fail("s3", "put_object", "Timeout", effect=True)

    def refusal(self) -> None:
        service, operation, code = self.random.choice(
            [
                ("dynamodb", "update_item", "ThrottlingException"),
                ("dynamodb", "get_item", "ThrottlingException"),
                ("dynamodb", "query", "InternalServerError"),
                ("kms", "decrypt", "ThrottlingException"),
                ("kms", "encrypt", "ThrottlingException"),
                ("kms", "generate_mac", "ThrottlingException"),
                ("sqs", "send_message", "InternalError"),
                ("s3", "put_object", "SlowDown"),
                ("s3", "head_object", "SlowDown"),
                ("s3", "list_object_versions", "SlowDown"),
                ("s3", "delete_objects", "SlowDown"),
                ("events", "put_events", "ThrottlingException"),
                ("secretsmanager", "get_secret_value", "InternalServiceError"),
            ]
        )
        if operation in ("delete_objects", "put_events") and self.random.random() < 0.5:
            self.world.fail_entries(service, operation, code)  # some of a batch are done, others not
        else:
            self.world.fail(service, operation, code, effect=self.random.random() < 0.3)

    def tombstone_ends(self) -> None:
        """Sixty days later; nothing that was sent before can land then."""
        self.world.run(timedelta(seconds=STILL_LANDS + 1))
        for row in self.promises.rows():
            if row.status is Status.DELETED:
                del self.world.tables[TABLE].items[row.connection_id,]
                self.reference.tombstone_ended(self.owners[row.connection_id])
                self._begins_anew(row.connection_id)
                self.world.clock.advance(1)

    # --- Flinks

    def bank_fault(self) -> None:
        endpoint = self.random.choice(["Authorize", "GetAccountsDetail", "GetAccountsDetailAsync", "DeleteCard", "*"])
        codes = ["TOO_MANY_REQUESTS", "RETRY_LATER", "SESSION_EXPIRED", "AGGREGATION_ERROR", "UNAUTHORIZED"]
        faults: list[dict[str, Any]] = [{"code": code} for code in codes]
        faults += [{"fault": name} for name in ("reset", "truncated", "html", "refused", "pending", "other_request")]
        faults += [{"fault": "ok", "hang": 300}, {"code": "CARD_IN_USE"}]
        step = self.random.choice(faults)
        self.service.script(endpoint=endpoint, steps=[step | {"times": self.random.randint(1, 2)}])

    def session_ends(self) -> None:
        self.service.bank.vault.sessions.clear()

    # ---

    def _any(self, statuses: AbstractSet[Status]) -> Connection | None:
        rows = [row for row in self.promises.rows() if row.status in statuses]
        return self.random.choice(rows) if rows else None

    def _all_at_rest(self) -> bool:
        return not self.frozen and all(row.status in TERMINAL and row.due_at is None for row in self.promises.rows())

    def _message(self) -> Any:
        queues = [self.world.queues[QUEUE], self.world.queues["erase"]]
        found = [(queue, message) for queue in queues for message in queue.messages]
        return self.random.choice(found) if found else None

    def _deliverers(self) -> list[Any]:
        service = self.service
        return [service.stream, service.queue, service.schedule, self.erasing.mapping, self.audience.mapping]

    def _soon(self) -> int:
        return len(self.world.calls) + self.random.randint(1, 14)


def _without_bodies(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value if name != "Body" else len(value) for name, value in parameters.items()}


@contextmanager
def a_walk(seed: int) -> Iterator[Walk]:
    with pytest.MonkeyPatch.context() as monkeypatch, running_service(World(seed), monkeypatch) as service:
        monkeypatch.setattr(fetch_accounts, "ThreadPoolExecutor", Inline)
        for counting in ("count", "count_causes"):
            monkeypatch.setattr(metrics, counting, lambda _: None)
        walk = Walk(seed, service, with_erasing(service, monkeypatch), audience_of(service))
        monkeypatch.setattr(metrics, "measure", walk.heard.measured)
        clock = lambda: whole_milliseconds(service.world.clock.now() + walk.skew)  # noqa: E731 - it moves
        monkeypatch.setattr(wiring, "clock", clock)
        wiring.reset()
        try:
            yield walk
        finally:
            walk.close()
