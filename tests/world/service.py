"""The real service in the world: real handlers, wiring and stores; AWS and Flinks are replaced, nothing of ours is."""

import gzip
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ReadTimeoutError

from landing import aws_clients, metrics, wiring
from landing.domain.connection import TERMINAL, Connection, Status, whole_milliseconds
from landing.flinks import client
from landing.flinks.wire import Fault, Reply
from landing.stores.connection_row import from_item
from local.flinks.bank import Bank
from local.flinks.clock import Clock
from local.flinks.connect import Connect
from local.flinks.control import Control
from local.flinks.reply import Reply as BankReply
from tests.processed_template import ROOT, source
from tests.world.world import QueueMapping, Schedule, StreamDelivery, World

TEMPLATE: dict[str, Any] = source()["Resources"]
BUS, REFUSED = "flinks-landing-test", "announcement-failures"
TABLE, BUCKET, QUEUE, STREAM_FAILURES = "connections", "drops", "fetch", "stream-failures"
LAMBDA_SECONDS = 120


class Service:
    """The service with verbs for tests. `bank` is Flinks' simulator in process, on the world's clock."""

    stream: StreamDelivery
    queue: QueueMapping
    schedule: Schedule

    def __init__(self, world: World, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.bank = bank
        self.seconds_left: float = LAMBDA_SECONDS
        self._monkeypatch = monkeypatch
        self._control = Control(bank, Connect(bank))

    # --- what a person and her app do

    def connect_bank(self, username: str = "greatday_nomfa", **card: Any) -> str:
        """A bank login that Flinks knows; gives its loginId. Members of `card` are those of the simulator's control."""
        card = {"username": username, "pending": {"polls": 0}, **card}
        made = self._control.answer("POST", "/cards", json.dumps(card).encode())
        assert made.status < 300, made.json()
        return str(made.json()["loginId"])

    def script(self, **fault: Any) -> None:
        """Have Flinks misbehave, as the simulator's control takes it."""
        added = self._control.answer("POST", "/faults", json.dumps(fault).encode())
        assert added.status < 300, added.json()

    def post(self, login_id: Any, owner: str = "alice", **members: Any) -> dict[str, Any]:
        return self.post_raw(json.dumps({"loginId": login_id, **members}), owner)

    def post_raw(self, body: str, owner: str = "alice", **event: Any) -> dict[str, Any]:
        return self.call("receive_login", http_event("POST /connections", owner, body=body, **event))

    def get(self, connection_id: str, owner: str = "alice") -> dict[str, Any]:
        event = http_event("GET /connections/{connectionId}", owner, pathParameters={"connectionId": connection_id})
        return self.call("show_connection", event)

    def connect_and_post(self, username: str = "greatday_nomfa", **card: Any) -> str:
        """A person connects and her app posts; gives the connectionId."""
        answer = self.post(self.connect_bank(username, **card))
        assert answer["statusCode"] == 202, answer
        return str(json.loads(answer["body"])["connectionId"])

    def retag(self, login_id: str, tag: str) -> None:
        """Someone else connected the same login since."""
        self._control.answer("PUT", f"/cards/{login_id}/tag", json.dumps({"tag": tag}).encode())

    def tag_for(self, owner: str) -> str:
        """The owner tag that a Connect session of `owner` carries."""
        return wiring.owner_tag().sign(owner, self.world.clock.now())

    # --- what can be seen

    def accounts_of(self, login_id: str) -> list[str]:
        return list(self._control.answer("GET", f"/cards/{login_id}").json()["accountIds"])

    def rows(self) -> list[Connection]:
        return [from_item(item) for item in self.world.tables[TABLE].items.values()]

    def row(self, connection_id: str) -> Connection:
        return next(row for row in self.rows() if row.connection_id == connection_id)

    def drops(self) -> list[str]:
        return sorted(self.world.buckets[BUCKET].versions)

    def versions_below(self, connection_id: str) -> int:
        """How many versions and markers S3 holds of a connection."""
        stored = self.world.buckets[BUCKET].versions.items()
        return sum(len(versions) for key, versions in stored if f"/{connection_id}/" in key)

    def flinks_calls(self, *endpoints: str) -> list[datetime]:
        """When each of these was called."""
        return [datetime.fromisoformat(call["at"]) for call in self.bank.traffic.log() if call["endpoint"] in endpoints]

    def request_ids(self) -> list[str]:
        """Every requestId that Flinks gave out and still knows."""
        return list(self.bank.vault.sessions)

    # --- what ops do

    def set_environment(self, **variables: str) -> None:
        """Deploy with other numbers."""
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        wiring.reset()

    # --- what the platform does

    def settle(self, within: timedelta = timedelta(days=2)) -> None:
        """Deliver streams and messages, moving the clock, until every connection has come to its end."""
        self.world.settle(lambda: all(row.status in TERMINAL for row in self.rows()), within)

    def until(self, connection_id: str, status: Status) -> Connection:
        """Deliver one thing after the other until the connection is there."""
        while self.row(connection_id).status is not status:
            assert self.world.step(), f"never {status}"
        return self.row(connection_id)

    def call(
        self, function: str, event: dict[str, Any], seconds_left: Callable[[], float] | None = None
    ) -> dict[str, Any]:
        """Invoke a function; `seconds_left` is what its context says of its time whenever it is asked."""
        context: Any = context_of(function, self.seconds_left)
        if seconds_left is not None:
            context.get_remaining_time_in_millis = lambda: int(seconds_left() * 1000)
        answer: dict[str, Any] = handler_of(function)(event, context)
        return answer


@contextmanager
def running_service(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The service, deployed to `world` as template.yaml says, with its stream and queue attached."""
    bank = Bank(clock=BankClock(world))
    _deploy(world, bank, monkeypatch)
    wiring.reset()
    metrics._metrics.cache_clear()  # noqa: SLF001 - a new process knows nothing of another one's namespace
    world.calls.clear()  # what deploying took is not of interest
    service = Service(world, bank, monkeypatch)
    fetch = lambda event: service.call("fetch_accounts", event)  # noqa: E731 - one handler, attached twice
    service.stream = world.on_stream(TABLE, fetch, **stream_mapping("FetchAccountsFunction"))
    service.queue = world.on_queue(QUEUE, fetch, recursive_loop=recursive_loop("FetchAccountsFunction"))
    service.schedule = world.every(300, lambda event: service.call("resume_stalled", event))
    yield service
    wiring.reset()


def is_looked_after(row: Connection) -> bool:
    """Whoever has not ended is due for something; who has, for nothing but the announcement."""
    if row.status not in TERMINAL:
        return row.due_at is not None
    return row.due_at == row.announce_by


class BankClock(Clock):
    """The simulator's time is the world's."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def now(self) -> datetime:
        return self._world.clock.now()


class BankWire:
    """In place of the client's wire: the simulator in process, in virtual time."""

    def __init__(self, world: World, bank: Bank, max_bytes: int) -> None:
        self._world = world
        self._bank = bank
        self._max_bytes = max_bytes

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float) -> Reply:
        path = "/" + url.split("/", 3)[3]
        endpoint = path.split("/")[4]

        def ask() -> BankReply:
            return self._bank.answer(method, path, headers, body or b"")

        try:
            answered = self._world.call("flinks", endpoint, {}, ask)
        except ReadTimeoutError:  # a fault of the world, which ended the wait
            return Reply(fault=Fault.TIMEOUT)
        if answered.wire.hang_seconds >= seconds:
            self._world.clock.advance(seconds)
            return Reply(fault=Fault.TIMEOUT)
        self._world.clock.advance(answered.wire.hang_seconds)
        if answered.wire.cut or answered.wire.reset:
            return Reply(fault=Fault.UNREACHABLE)
        if 300 <= answered.status < 400:
            return Reply(answered.status, fault=Fault.REDIRECTED)
        content = answered.body
        if answered.headers.get("Content-Encoding") == "gzip":
            try:
                content = gzip.decompress(content)
            except OSError:
                return Reply(answered.status, fault=Fault.UNREADABLE)
        if len(content) > self._max_bytes:
            return Reply(answered.status, fault=Fault.TOO_LARGE)
        return Reply(answered.status, answered.headers.get("Retry-After"), content)


def http_event(route: str, owner: str, body: str | None = None, **members: Any) -> dict[str, Any]:
    """What the HTTP API gives a function (payload format 2.0), as far as ours look at it."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "headers": {"content-type": "application/json"},
        "requestContext": {"requestId": "c3RyYWlnaHQ=", "authorizer": {"jwt": {"claims": {"sub": owner}}}},
        "isBase64Encoded": False,
    }
    if body is not None:
        event["body"] = body
    return event | members


def context_of(function: str, seconds_left: float = LAMBDA_SECONDS) -> LambdaContext:
    context = SimpleNamespace(
        function_name=function,
        memory_limit_in_mb=512,
        invoked_function_arn=f"arn:aws:lambda:ca-central-1:000000000000:function:{function}",
        aws_request_id="8d7b1c9e-0000-4000-8000-000000000000",
        get_remaining_time_in_millis=lambda: int(seconds_left * 1000),
    )
    return cast("LambdaContext", context)


@cache
def handler_module(function: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"app_{function}", ROOT / "functions" / function / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def handler_of(function: str) -> Any:
    return handler_module(function).lambda_handler


def stream_mapping(function: str) -> dict[str, Any]:
    """The stream mapping of a function, as template.yaml has it."""
    events = TEMPLATE[function]["Properties"]["Events"].values()
    mapping = next(event["Properties"] for event in events if event["Type"] == "DynamoDB")
    settings = {name: value for name, value in mapping.items() if name != "Stream"}
    return settings | {"DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:sqs:::{STREAM_FAILURES}"}}}


def recursive_loop(function: str) -> str:
    """Whether the function says that it may feed itself."""
    return str(TEMPLATE[function]["Properties"].get("RecursiveLoop", "Terminate"))


def make_queue(world: World, name: str, resource: str) -> str:
    """A queue and its dead letters, as template.yaml has them; its URL."""
    queue = TEMPLATE[resource]["Properties"]
    world.sqs.create_queue(QueueName=f"{name}-dead")
    redrive = queue["RedrivePolicy"] | {"deadLetterTargetArn": world.queues[f"{name}-dead"].arn}
    return world.sqs.create_queue(
        QueueName=name,
        Attributes={"VisibilityTimeout": str(queue["VisibilityTimeout"]), "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]


def _deploy(world: World, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    table: Any = TEMPLATE["ConnectionsTable"]["Properties"]
    world.dynamodb.create_table(
        TableName=TABLE,
        KeySchema=table["KeySchema"],
        AttributeDefinitions=table["AttributeDefinitions"],
        GlobalSecondaryIndexes=table["GlobalSecondaryIndexes"],
        StreamSpecification=table["StreamSpecification"] | {"StreamEnabled": True},
        BillingMode="PAY_PER_REQUEST",
    )
    counters: Any = TEMPLATE["SessionsTable"]["Properties"]
    world.dynamodb.create_table(
        TableName="sessions",
        KeySchema=counters["KeySchema"],
        AttributeDefinitions=counters["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
    )
    world.s3.create_bucket(Bucket=BUCKET)
    world.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    queue = make_queue(world, QUEUE, "FetchQueue")
    login_key = world.kms.create_key()["KeyMetadata"]["Arn"]
    index_key = world.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    world.events.create_event_bus(Name=BUS)
    settings = bank.settings
    for name, member, key in (
        ("secret-key", "secretKey", settings.secret_key),
        ("api-key", "apiKey", settings.api_key),
    ):
        world.secretsmanager.create_secret(Name=name, SecretString=json.dumps({member: key}))
    environment = {
        "CONNECTIONS_TABLE": TABLE,
        "SESSIONS_TABLE": "sessions",
        "FETCHES_PER_HOUR": "100000",
        "FETCHES_PER_CONNECTION": "100000",
        "LOGIN_KEY_ARN": login_key,
        "INDEX_KEY_ARN": index_key,
        "DATA_KEY_ARN": "arn:aws:kms:ca-central-1:000000000000:key/data",
        "DROP_BUCKET": BUCKET,
        "FETCH_QUEUE_URL": queue,
        "ERASE_QUEUE_URL": queue.replace(QUEUE, "erase"),
        "EVENT_BUS_NAME": BUS,
        "ANNOUNCEMENT_FAILURES_URL": world.sqs.create_queue(QueueName=REFUSED)["QueueUrl"],
        "STREAM_FAILURES_URL": world.sqs.create_queue(QueueName=STREAM_FAILURES)["QueueUrl"],
        "FLINKS_API_URL": "http://127.0.0.1",
        "FLINKS_CUSTOMER_ID": settings.customer_id,
        "FLINKS_SECRET_KEY_ARN": "secret-key",
        "FLINKS_API_KEY_ARN": "api-key",
        "FETCH_THREADS": "1",  # one after the other: the same calls in the same order, every time
        "POWERTOOLS_METRICS_NAMESPACE": "flinks-landing",
        "POWERTOOLS_SERVICE_NAME": "flinks-landing",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws_clients, "client", lambda service, _: getattr(world, service))
    monkeypatch.setattr(client, "Wire", lambda _, max_bytes: BankWire(world, bank, max_bytes))
    monkeypatch.setattr(wiring, "clock", lambda: whole_milliseconds(world.clock.now()))
