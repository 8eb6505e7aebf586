"""The running local stack with the verbs of those who use it: a person, her app, a consumer, ops."""

import gzip
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests

from landing.domain.connection import Connection
from landing.stores.connection_row import from_item
from local.aws import deployment
from local.stack import Stack
from ops.logs import parsed

PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True)
class Answer:
    """What the HTTP API said."""

    status: int
    headers: Mapping[str, str]
    body: Any


class LiveService:
    """Drives the stack from outside, over HTTP and the AWS APIs only."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    # --- a person and her app

    def connect_bank(self, username: str | None = None, **card: Any) -> str:
        """A bank login of its own that Flinks knows; gives the loginId."""
        card = {"username": username or f"user-{uuid.uuid4().hex[:12]}", "pending": {"polls": 0}, **card}
        return str(self.control("POST", "/cards", card)["loginId"])

    def post(self, login_id: str, owner: str = "alice", **members: Any) -> Answer:
        return self.request("POST", "/connections", owner, json={"loginId": login_id, **members})

    def get(self, connection_id: str, owner: str = "alice") -> Answer:
        return self.request("GET", f"/connections/{connection_id}", owner)

    def request(self, method: str, path: str, owner: str | None = "alice", **kwargs: Any) -> Answer:
        headers = dict(kwargs.pop("headers", {}))
        if owner is not None:
            headers.setdefault("Authorization", f"Bearer {self.stack.issuer.token(owner)}")
        answer = self._session.request(
            method, self.stack.outputs["ApiUrl"] + path, headers=headers, timeout=30, **kwargs
        )
        is_json = "json" in answer.headers.get("Content-Type", "")
        return Answer(answer.status_code, answer.headers, answer.json() if is_json else answer.content)

    def connect_and_post(self, owner: str = "alice", **card: Any) -> str:
        """Gives the connectionId."""
        answer = self.post(self.connect_bank(**card), owner)
        assert answer.status == 202, answer
        return str(answer.body["connectionId"])

    def until(self, connection_id: str, status: str, owner: str = "alice") -> Answer:
        """Follow the connection to `status`, which it must reach."""

        def reached() -> Answer | None:
            shown = self.get(connection_id, owner)
            return shown if shown.body.get("status") == status else None

        return eventually(reached, f"{connection_id} {status}")

    # --- a consumer

    def drop_of(self, connection_id: str) -> tuple[dict[str, Any], Any]:
        """The head and the JSON of the drop that the row names."""
        drop = self.row(connection_id).drop
        assert drop is not None
        found = self.client("s3").get_object(
            Bucket=self.stack.outputs["DropBucket"], Key=drop.key, VersionId=drop.version_id
        )
        stored = found["Body"].read()
        return found, json.loads(gzip.decompress(stored))

    def drops_of(self, connection_id: str) -> list[dict[str, Any]]:
        """Every version and marker below the connection's prefix."""
        listed = self.client("s3").list_object_versions(
            Bucket=self.stack.outputs["DropBucket"], Prefix=f"accounts/v1/{connection_id}/"
        )
        return [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]

    # --- ops

    def item(self, connection_id: str) -> dict[str, Any]:
        key = {"connectionId": {"S": connection_id}}
        table = self.stack.outputs["ConnectionsTable"]
        item: dict[str, Any] = self.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        return item

    def row(self, connection_id: str) -> Connection:
        return from_item(self.item(connection_id))

    def client(self, service: str) -> Any:
        return self.stack.client(service)

    def fetches_ended(self) -> list[dict[str, Any]]:
        """The lines in which the function says how its claims ended; a batch has said so once it is over."""
        group = f"/aws/lambda/{deployment.STACK_NAME}/fetch_accounts"
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        events = (event for page in pages for event in page["events"])
        lines = (parsed("fetch_accounts", event["message"], event["timestamp"]) for event in events)
        return [dict(line.members) for line in lines if line and line.message == "fetch ended"]

    # --- Flinks

    def control(self, method: str, path: str, content: Any = None) -> Any:
        """The simulator's admin origin."""
        answer = self._session.request(method, f"{self.stack.flinks.control}{path}", json=content, timeout=10)
        assert answer.ok, answer.text
        return answer.json()


def eventually[T](look: Callable[[], T | None], what: str, within: timedelta = PATIENCE) -> T:
    """Look until there is something to see, or fail."""
    deadline = time.monotonic() + within.total_seconds()
    while time.monotonic() < deadline:
        if (seen := look()) is not None:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"not within {within}: {what}")


@contextmanager
def one_batch(live: LiveService) -> Iterator[None]:
    """The table's stream is read only afterwards: what is posted within is delivered together."""
    client = live.client("lambda")
    mappings = client.list_event_source_mappings(FunctionName=live.stack.outputs["FetchAccountsFunction"])
    (stream,) = (m["UUID"] for m in mappings["EventSourceMappings"] if ":dynamodb:" in m["EventSourceArn"])
    client.update_event_source_mapping(UUID=stream, Enabled=False)
    yield
    client.update_event_source_mapping(UUID=stream, Enabled=True)


def listener_beside(live: LiveService, name: str = "a-listener") -> str:
    """The URL of a queue that hears all that the bus says."""
    sqs, events, bus = live.client("sqs"), live.client("events"), live.stack.outputs["EventBus"]
    queue: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["flinks-landing"]})
    rule = events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)["RuleArn"]
    may_send = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may_send]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    return queue


def stop_listening(live: LiveService, name: str = "a-listener") -> None:
    """Take away the rule of `listener_beside`: a bus with rules on it cannot be deleted."""
    events, bus = live.client("events"), live.stack.outputs["EventBus"]
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
