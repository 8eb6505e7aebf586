"""A crowd of connections on the local stack, seen by a consumer who deployed docs/consumers/example as it stands."""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from botocore.exceptions import ClientError

from local.aws import deployment
from tests.live_service import LiveService, eventually, listener_beside, stop_listening

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "consumers" / "example"
CROWD = 200
ODDITIES = (
    "zero_accounts",
    "no_transactions",
    "holder_as_string",
    "unknown_members",
    "odd_dates",
    "debit_and_credit",
    "zero_for_null",
    "numbers_as_strings",
    "wide_number",
)
A_CENT = Decimal("0.01")

type Json = dict[str, Any]

pytestmark = pytest.mark.timeout(300)  # the crowd comes in a fixture


@dataclass
class Consumer:
    """Who deployed the example, and listens beside it. `heard` is all that came to that queue, oldest first."""

    live: LiveService
    outputs: dict[str, str]
    queue: str
    heard: list[Json] = field(default_factory=list)

    def listen(self) -> None:
        sqs = self.live.client("sqs")
        answer = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = answer.get("Messages", [])
        self.heard += [json.loads(message["Body"])["detail"] for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])

    def hear(self, ids: set[str], times: int = 1) -> None:
        """Listen until each of these was heard so often."""

        def all_heard() -> bool | None:
            self.listen()
            counts = Counter(detail["id"] for detail in self.heard)
            return True if all(counts[id_] >= times for id_ in ids) else None

        eventually(all_heard, f"{len(ids)} announcements", within=timedelta(minutes=3))

    def taken(self) -> dict[str, Json]:
        """What the example keeps, by connectionId."""
        pages = self.live.client("dynamodb").get_paginator("scan").paginate(TableName=self.outputs["Taken"])
        return {item["connectionId"]["S"]: item for page in pages for item in page["Items"]}

    def client(self, service: str) -> Any:
        """With the rights of the example's ReaderRole, and no others."""
        emulator = self.live.stack.emulator
        made = self.live.client("sts").assume_role(RoleArn=self.outputs["ReaderRole"], RoleSessionName="reader")
        return boto3.Session().client(  # type: ignore[call-overload]  # any service
            service,
            endpoint_url=emulator.url,
            region_name=emulator.region,
            aws_access_key_id=made["Credentials"]["AccessKeyId"],
            aws_secret_access_key=made["Credentials"]["SecretAccessKey"],
            aws_session_token=made["Credentials"]["SessionToken"],
        )


@dataclass(frozen=True)
class Crowd:
    """Connections with their loginIds, all ready; some had their data spoiled by one of the oddities."""

    consumer: Consumer
    logins: dict[str, str]
    oddities: dict[str, str]

    @property
    def ids(self) -> set[str]:
        return {f"{connection_id}/1/ready" for connection_id in self.logins}


@pytest.fixture(scope="module")
def consumer(live: LiveService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    given = {output: live.stack.outputs[output] for output in ("EventBus", "DropReaderPolicyArn")}
    outputs = deployment.deploy_example(
        live.stack.emulator, EXAMPLE / "template.yaml", given, tmp_path_factory.mktemp("example"), "a-consumer"
    )
    yield Consumer(live, outputs, listener_beside(live))
    stop_listening(live)
    live.client("cloudformation").delete_stack(StackName="a-consumer")
    live.client("cloudformation").get_waiter("stack_delete_complete").wait(StackName="a-consumer")


@pytest.fixture(scope="module")
def crowd(live: LiveService, consumer: Consumer) -> Crowd:
    logins, oddities = {}, {}

    def connect(number: int) -> None:
        login_id = live.connect_bank(username=f"crowd-{uuid.uuid4().hex[:12]}")
        oddity = ODDITIES[number] if number < len(ODDITIES) else "ok"
        if oddity != "ok":
            script = {"endpoint": "GetAccountsDetail", "loginId": login_id, "steps": [{"fault": oddity}]}
            live.control("POST", "/faults", script)
        connection_id = live.post(login_id).body["connectionId"]
        logins[connection_id], oddities[connection_id] = login_id, oddity

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(connect, range(CROWD)))
    made = Crowd(consumer, logins, oddities)
    consumer.hear(made.ids)
    return made


def object_of(s3: Any, drop: Json) -> bytes:
    stored: bytes = s3.get_object(Bucket=drop["bucket"], Key=drop["key"], VersionId=drop["versionId"])["Body"].read()
    return stored


def is_there(s3: Any, detail: Json) -> bool:
    digest: str = detail["drop"]["sha256"]
    return hashlib.sha256(object_of(s3, detail["drop"])).hexdigest() == digest


# --- announced


def test_everyone_of_a_crowd_is_announced_under_one_id(crowd: Crowd) -> None:
    ids = {(told["connectionId"], told["generation"], told["status"]): told["id"] for told in crowd.consumer.heard}

    assert len(crowd.logins) == CROWD
    assert {told["id"] for told in crowd.consumer.heard} >= crowd.ids
    assert len(set(ids.values())) == len(ids)
    for told in crowd.consumer.heard:
        assert told["id"] == ids[told["connectionId"], told["generation"], told["status"]]


def test_every_announced_object_is_there_as_it_was_announced(crowd: Crowd, live: LiveService) -> None:
    s3 = live.client("s3")

    announced = [told for told in crowd.consumer.heard if told["connectionId"] in crowd.logins]
    assert len(announced) >= CROWD
    assert [told["id"] for told in announced if not is_there(s3, told)] == []


def test_what_was_announced_stays_when_the_person_posts_again(crowd: Crowd, live: LiveService) -> None:
    connection_id, login_id = list(crowd.logins.items())[-1]
    account_ids = live.control("GET", f"/cards/{login_id}")["accountIds"][:2]

    live.post(login_id, accountIds=account_ids)  # another choice asks Flinks again at once
    crowd.consumer.hear({f"{connection_id}/2/ready"})

    told = {told["generation"]: told for told in crowd.consumer.heard if told["connectionId"] == connection_id}
    assert sorted(told) == [1, 2]
    assert told[1]["drop"]["key"] != told[2]["drop"]["key"]
    assert told[2]["drop"]["accounts"] == 2
    assert all(is_there(live.client("s3"), each) for each in told.values())


def test_no_rule_of_the_bucket_expires_what_was_announced(live: LiveService) -> None:
    bucket = live.stack.outputs["DropBucket"]

    rules = live.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]

    assert rules
    for rule in rules:  # only what was replaced, and announced objects never are
        assert set(rule) <= {
            *("ID", "Prefix", "Filter", "Status", "Expiration"),
            *("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"),
        }
        assert set(rule.get("Expiration", {})) <= {"ExpiredObjectDeleteMarker"}


def test_ops_can_have_everything_announced_again_under_the_same_ids(crowd: Crowd, live: LiveService) -> None:
    chosen = list(crowd.logins)[:5]
    order = {"reannounce": {"ids": chosen}, "ticket": "OPS-1", "dryRun": False}

    answer = live.client("lambda").invoke(
        FunctionName=live.stack.outputs["RefetchConnectionsFunction"], Payload=json.dumps(order).encode()
    )

    assert json.load(answer["Payload"])["counts"] == {"announced": 5}
    again = {f"{connection_id}/1/ready" for connection_id in chosen}
    crowd.consumer.hear(again, times=2)
    for id_ in again:
        first, *others = (told for told in crowd.consumer.heard if told["id"] == id_)
        assert others
        assert all(other == first for other in others)


def test_no_announcement_holds_anything_of_the_person_or_the_login(crowd: Crowd, live: LiveService) -> None:
    said = json.dumps(crowd.consumer.heard).lower()
    cards = [live.control("GET", f"/cards/{login_id}") for login_id in list(crowd.logins.values())[:20]]
    data = [live.control("GET", f"/cards/{card['loginId']}/data") for card in cards]
    accounts = [account for each in data for account in each["Accounts"]]
    secrets = {
        *crowd.logins.values(),
        *(login_id.replace("-", "") for login_id in crowd.logins.values()),
        *(card["username"] for card in cards),
        *(each["RequestId"] for each in data),
        *(account["AccountNumber"] for account in accounts if account["AccountNumber"]),
        *(account["Holder"]["Name"].lower() for account in accounts),
    }

    assert len(secrets) > CROWD
    assert [secret for secret in secrets if secret.lower() in said] == []


# --- read


def test_the_example_takes_everyone_with_the_rights_that_it_was_given(crowd: Crowd, live: LiveService) -> None:
    announced = {told["connectionId"]: told["drop"] for told in crowd.consumer.heard if told["id"] in crowd.ids}

    def all_taken() -> dict[str, Json] | None:
        taken = crowd.consumer.taken()
        return taken if all("said" in taken.get(id_, {}) for id_ in announced) else None

    taken = eventually(all_taken, "everything taken", within=timedelta(minutes=1))

    assert len(announced) == CROWD
    for connection_id, drop in announced.items():
        item = taken[connection_id]
        if item["dataOf"]["N"] == "1":
            counts = (int(item["accounts"]["N"]), int(item["transactions"]["N"]))
            assert counts == (drop["accounts"], drop["transactions"])
    sqs, dead_letters = live.client("sqs"), crowd.consumer.outputs["DeadLetters"]
    left = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["ApproximateNumberOfMessages"])
    assert left["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_the_examples_log_names_what_was_taken_and_nothing_of_anybody(crowd: Crowd, live: LiveService) -> None:
    stack = live.client("cloudformation").describe_stack_resource(StackName="a-consumer", LogicalResourceId="Logs")
    group = stack["StackResourceDetail"]["PhysicalResourceId"]

    pages = live.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    said = "\n".join(event["message"] for page in pages for event in page["events"])

    assert all(f"{id_}: taken" in said for id_ in crowd.ids)
    assert not any(login_id in said for login_id in crowd.logins.values())


def test_a_reader_may_not_look_around(crowd: Crowd, live: LiveService) -> None:
    s3, bucket = crowd.consumer.client("s3"), live.stack.outputs["DropBucket"]

    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket=bucket)


# --- queried


def queried(crowd: Crowd) -> list[str]:
    plain = [connection_id for connection_id, oddity in crowd.oddities.items() if oddity == "ok"]
    return [*(connection_id for connection_id in crowd.oddities if connection_id not in plain), *plain[:30]]


@pytest.fixture(scope="module")
def queries(crowd: Crowd, live: LiveService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """DuckDB with the page's views over drops of the crowd: all the odd ones, and some that are plain."""
    lake, s3 = tmp_path_factory.mktemp("drops"), live.client("s3")
    for told in crowd.consumer.heard:
        if told["connectionId"] in queried(crowd) and told["generation"] == 1:
            copy = lake / told["drop"]["key"]
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(object_of(s3, told["drop"]))
    with duckdb.connect() as connection:
        connection.execute(f"SET VARIABLE drops = '{lake}/accounts/v1/*/*.json.gz'")
        for script in ("duckdb.sql", "views.sql", "unread.sql"):
            connection.execute((DOCS / "consumers" / script).read_text())
        yield connection


def decimal(value: float | str | None) -> Decimal:
    return Decimal(str(value or 0))


def sums_in(books: Json, oddity: str) -> tuple[Decimal, Decimal, int]:
    """Debits, credits and how many transactions, as the simulator's own books have them after the oddity."""
    gone = oddity in ("zero_accounts", "no_transactions")
    entries = [] if gone else [entry for account in books["Accounts"] for entry in account["Transactions"]]
    least = A_CENT if oddity == "debit_and_credit" else Decimal(0)
    debits = sum((decimal(entry["Debit"]) or least for entry in entries), Decimal(0))
    return debits, sum((decimal(entry["Credit"]) or least for entry in entries), Decimal(0)), len(entries)


@pytest.mark.parametrize("oddity", ["ok", *ODDITIES])
def test_sums_of_debits_and_credits_are_the_simulators_to_the_cent(
    crowd: Crowd, live: LiveService, queries: Any, oddity: str
) -> None:
    connection_id = next(id_ for id_, told in crowd.oddities.items() if told == oddity)
    books = live.control("GET", f"/cards/{crowd.logins[connection_id]}/data")

    debits, credits_, count = queries.execute(
        "SELECT coalesce(sum(debit), 0), coalesce(sum(credit), 0), count(*) FROM transactions WHERE connection_id = ?",
        [connection_id],
    ).fetchone()

    assert isinstance(debits, Decimal)
    assert (debits, credits_, count) == sums_in(books, oddity)
    assert count > 50 or oddity in ("zero_accounts", "no_transactions")


def test_the_sums_of_many_are_the_sums_of_the_simulators_books(crowd: Crowd, live: LiveService, queries: Any) -> None:
    books = [
        sums_in(live.control("GET", f"/cards/{crowd.logins[connection_id]}/data"), crowd.oddities[connection_id])
        for connection_id in queried(crowd)
    ]

    summed = queries.execute("SELECT sum(debit), sum(credit), count(*) FROM transactions").fetchone()

    assert summed == tuple(sum(column) for column in zip(*books, strict=True))


def test_every_day_and_every_amount_is_read(queries: Any) -> None:
    days = queries.execute("SELECT min(day), max(day), count(*) - count(day) FROM transactions").fetchone()

    assert date(2000, 1, 1) < days[0] < days[1]
    assert days[2] == 0
    assert queries.execute("SELECT * FROM unread").fetchall() == []


@pytest.mark.parametrize("oddity", ["ok", "holder_as_string", "unknown_members"])
def test_holders_and_accounts_are_the_simulators(crowd: Crowd, live: LiveService, queries: Any, oddity: str) -> None:
    connection_id = next(id_ for id_, told in crowd.oddities.items() if told == oddity)
    accounts = live.control("GET", f"/cards/{crowd.logins[connection_id]}/data")["Accounts"]

    found = queries.execute(
        "SELECT account_id, h.name, a.title, a.currency, a.transit_number, b.posted, b.available"
        " FROM accounts a JOIN holders h USING (connection_id, account_id)"
        " JOIN balances b USING (connection_id, account_id) WHERE connection_id = ? ORDER BY account_id",
        [connection_id],
    ).fetchall()

    def amount(value: float | None) -> Decimal | None:
        return None if value is None else decimal(value)

    assert found == [
        (
            account["Id"],
            account["Holder"]["Name"],
            account["Title"],
            account["Currency"],
            account["TransitNumber"],
            amount(account["Balance"]["Current"]),
            amount(account["Balance"]["Available"]),
        )
        for account in sorted(accounts, key=lambda account: str(account["Id"]))
    ]


def test_an_amount_that_no_binary_float_holds_is_exact(crowd: Crowd, queries: Any) -> None:
    connection_id = next(id_ for id_, told in crowd.oddities.items() if told == "wide_number")

    (posted,) = queries.execute("SELECT max(posted) FROM balances WHERE connection_id = ?", [connection_id]).fetchone()

    assert posted == Decimal("12345678901234567.89")
