"""One walk over every path of the service on the local stack, happy or not, with secrets that are known by name.

What it leaves behind is searched for them; what its roles asked IAM for shows which grants are needed.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from typer.testing import CliRunner

from landing.domain.connection import TERMINAL, Status
from ops.cli import app, hoisted
from tests.live_service import Answer, LiveService, eventually

NEVER_POSTED = "7a1e90c4-55d2-4f0b-9e61-3b8d2f47a0c5"
"""A loginId that turns up everywhere but where it belongs."""


@dataclass
class Walk:
    """What a walk has used and heard."""

    live: LiveService
    said: list[bytes]
    """What people, apps and ops were answered; without the connectUrl, which is for its owner and holds a token."""
    secrets: dict[str, str] = field(default_factory=dict)
    """By name."""
    holders: dict[str, str] = field(default_factory=dict)
    """Of accounts: what belongs into a drop and nowhere else."""
    connections: dict[str, str] = field(default_factory=dict)
    """By the name of the path."""

    # --- what it does

    def connect(self, path: str, owner: str = "alice", **card: Any) -> str:
        """A card of its own, with a username that is a secret too; its loginId."""
        username = f"canary-{uuid.uuid4().hex}"
        login_id = self.live.connect_bank(username=username, **card)
        self.secrets |= {f"loginId, {path}": login_id, f"username, {path}": username}
        self.connections[path] = self.post(login_id, owner).body["connectionId"]
        return login_id

    def fails(self, path: str, endpoint: str, *steps: dict[str, Any]) -> str:
        """A card for which Flinks answers so; its loginId."""
        username = f"canary-{uuid.uuid4().hex}"
        login_id = self.live.connect_bank(username=username)
        self.secrets |= {f"loginId, {path}": login_id, f"username, {path}": username}
        self.live.control("POST", "/faults", {"endpoint": endpoint, "loginId": login_id, "steps": list(steps)})
        self.connections[path] = self.post(login_id).body["connectionId"]
        return login_id

    def post(self, login_id: str, owner: str = "alice", **members: Any) -> Answer:
        return self.request("POST", "/connections", owner, json={"loginId": login_id, **members})

    def request(self, method: str, path: str, owner: str = "alice", **kwargs: Any) -> Answer:
        bearer = {"Authorization": f"Bearer {self.secrets[f'access token of {owner}']}"}
        headers = kwargs.pop("headers", {}) | bearer
        return self.keep(self.live.request(method, path, owner, headers=headers, **kwargs))

    def order(self, function: str, *, refused: bool = False, dry_run: bool = False, **order: Any) -> Any:
        """Give an order as ops do."""
        said = self.invoke(function, {"ticket": "T-1", "dryRun": dry_run, **order})
        assert (said.get("outcome") == "refused") is refused, said
        return said

    def invoke(self, function: str, order: Any) -> Any:
        answer = self.live.client("lambda").invoke(
            FunctionName=self.live.stack.outputs[f"{function}Function"], Payload=json.dumps(order), LogType="Tail"
        )
        said = answer["Payload"].read()
        self.said += [said, answer.get("LogResult", "").encode()]
        return json.loads(said)

    def tool(self, *arguments: str) -> None:
        """Run bin/landing; what it says is kept, for a person and for a program."""
        described = self.live.stack.folder / "stack.json"
        described.write_text(json.dumps(self.live.stack.description()))
        for form in ((), ("--json",)):
            ran = CliRunner().invoke(app, hoisted([*arguments, *form, "--local", str(described)]))
            self.said += [ran.stdout.encode(), ran.stderr.encode()]

    def keep(self, answer: Answer) -> Answer:
        told = {name: value for name, value in answer.body.items() if name != "connectUrl"} if answer.body else {}
        self.said.append(json.dumps([answer.status, dict(answer.headers), told], ensure_ascii=False).encode())
        return answer

    @contextmanager
    def nobody_else_announces(self) -> Iterator[None]:
        """The stream's own reader rests meanwhile: what it would announce is overdue."""
        client = self.live.client("lambda")
        function = self.live.stack.outputs["PublishEventsFunction"]
        (mapping,) = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            yield
        finally:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def until(self, path: str, *statuses: str, owner: str = "alice") -> None:
        id_ = self.connections[path]

        def reached() -> Answer | None:
            shown = self.live.get(id_, owner)
            return shown if shown.body.get("status") in (statuses or {str(each) for each in TERMINAL}) else None

        self.keep(eventually(reached, f"the end of: {path}"))


def walk(live: LiveService, said: list[bytes]) -> Walk:
    """Every path, once. What is answered is added to `said`."""
    walked = Walk(live, said)
    flinks, issuer = live.stack.flinks, live.stack.issuer
    walked.secrets |= {"Flinks' secret key": flinks.secret_key, "Flinks' API key": flinks.api_key}
    walked.secrets |= {f"access token of {owner}": issuer.token(owner) for owner in ("alice", "bob")}
    for path in PATHS:
        path(walked)
    return walked


# --- the paths


def _happily(walked: Walk) -> None:
    login_id = walked.connect("ready at once", institution="FlinksCapital")
    walked.connect("after a 202", pending={"polls": 1})
    walked.connect("of another owner", owner="bob")
    for path, owner in (("ready at once", "alice"), ("after a 202", "alice"), ("of another owner", "bob")):
        walked.until(path, "ready", owner=owner)
    walked.post(login_id)
    chosen = walked.connect("with accounts chosen")
    walked.until("with accounts chosen", "ready")
    walked.post(chosen, accountIds=walked.live.control("GET", f"/cards/{chosen}")["accountIds"][:1])
    walked.request("GET", "/connections")
    walked.request("GET", f"/connections/{walked.connections['ready at once']}", "bob")


def _sessions(walked: Walk) -> None:
    made = walked.request("POST", "/connect-sessions", json={"language": "fr", "institution": NEVER_POSTED})
    token = made.body["connectUrl"].split("authorizeToken=")[1].split("&")[0]
    walked.secrets |= {"authorize token": token, "a loginId where none belongs": NEVER_POSTED}


def _badly_asked(walked: Walk) -> None:
    for body in (
        f'{{"loginId": "{NEVER_POSTED}"',
        f'{{"loginID": "{NEVER_POSTED}"}}',
        f'{{"loginId": "{NEVER_POSTED[:-1]}", "{NEVER_POSTED}": 1}}',
        f'["{NEVER_POSTED}"]',
    ):
        walked.request("POST", "/connections", data=body.encode(), headers={"Content-Type": "application/json"})
    walked.request("POST", "/connections", data=NEVER_POSTED.encode(), headers={"Content-Type": "text/plain"})
    walked.request("GET", f"/connections/{NEVER_POSTED}")
    walked.request("GET", f"/connections?nextToken={NEVER_POSTED}")
    walked.request("GET", f"/{NEVER_POSTED}")


def _flinks_fails(walked: Walk) -> None:
    walked.fails("the bank refuses the password", "Authorize", {"code": "INVALID_LOGIN"})
    walked.fails("cut off", "Authorize", {"fault": "reset", "times": 1})
    walked.fails("the session is gone", "GetAccountsDetail", {"code": "SESSION_NONEXISTENT"})
    walked.fails("another login's data", "GetAccountsDetail", {"fault": "other_login"})
    walked.fails("a page of HTML", "GetAccountsDetail", {"fault": "html", "status": 502})
    walked.fails("another tag", "GetAccountsDetail", {"fault": "other_tag", "tag": "flt1.malformed"})
    for path in ("the bank refuses the password", "another login's data", "another tag"):
        walked.until(path)


def _aws_fails(walked: Walk) -> None:
    """The login key is away: a POST is 503, and a claim breaks off in the middle."""
    kms = walked.live.client("kms")
    described = walked.live.client("cloudformation").describe_stack_resource(
        StackName="flinks-landing", LogicalResourceId="LoginKey"
    )
    arn = described["StackResourceDetail"]["PhysicalResourceId"]
    login_id = walked.live.connect_bank(username=f"canary-{uuid.uuid4().hex}")
    walked.secrets["loginId, while the key is away"] = login_id
    kms.disable_key(KeyId=arn)
    try:
        assert walked.post(login_id).status == 503
    finally:
        kms.enable_key(KeyId=arn)


def _a_key_in_the_way(walked: Walk) -> None:
    """Under the next drop's key lies something else: it is looked at, not committed, and swept."""
    id_ = walked.connections["ready at once"]
    bucket, drop = walked.live.stack.outputs["DropBucket"], walked.live.row(id_).drop
    assert drop is not None
    walked.live.client("s3").copy_object(
        Bucket=bucket,
        Key=drop.key.replace("000001", "000002"),
        CopySource={"Bucket": bucket, "Key": drop.key},
        Metadata={"life": "another"},
        MetadataDirective="REPLACE",
    )
    walked.order("RefetchConnections", refetch={"ids": [id_]})
    eventually(lambda: walked.live.row(id_).generation == 3 or None, "the next generation")
    walked.until("ready at once", "ready")


def _rows_that_cannot_be_read(walked: Walk) -> None:
    table, dynamodb = walked.live.stack.outputs["ConnectionsTable"], walked.live.client("dynamodb")
    for id_, members in {
        "con_" + "a" * 26: {"status": {"S": "received"}},
        "con_" + "b" * 26: {"status": {"S": "ready"}, "announceBy": {"S": "x"}},
    }.items():
        dynamodb.put_item(TableName=table, Item={"connectionId": {"S": id_}, **members})
    _wait_for_messages(walked, "StreamFailures", 1)
    _wait_for_messages(walked, "AnnouncementFailures", 1)
    for letter in "ab":
        dynamodb.delete_item(TableName=table, Key={"connectionId": {"S": "con_" + letter * 26}})


def _wait_for_messages(walked: Walk, queue: str, at_least: int) -> None:
    sqs = walked.live.client("sqs")
    found = walked.live.client("cloudformation").describe_stack_resource(
        StackName="flinks-landing", LogicalResourceId=queue
    )
    url, what = found["StackResourceDetail"]["PhysicalResourceId"], ["ApproximateNumberOfMessages"]

    def there() -> bool | None:
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=what)["Attributes"]
        return int(told["ApproximateNumberOfMessages"]) >= at_least or None

    eventually(there, f"{at_least} messages in {queue}")


def _forgotten(walked: Walk) -> None:
    """What is long overdue is found, to be fetched or to be erased."""
    table, dynamodb = walked.live.stack.outputs["ConnectionsTable"], walked.live.client("dynamodb")
    for path, status in (("cut off", "waiting"), ("the session is gone", "deleting")):
        row = walked.live.item(walked.connections[path])
        overdue = {"dueAt": {"S": "2026-01-01T00:00:00.000Z"}, "dueShard": {"S": "0"}, "status": {"S": status}}
        dynamodb.put_item(TableName=table, Item={**row, **overdue, "connectionId": {"S": f"con_{path[0] * 26}"}})
    ended = walked.live.item(walked.connections["of another owner"])
    announced_late = {**overdue, "announceBy": overdue["dueAt"], "status": {"S": "ready"}}
    with walked.nobody_else_announces():
        for letter, left_out in (("d", ""), ("e", "drop")):  # one is announced, the other cannot be put into words
            row = {name: value for name, value in ended.items() if name != left_out}
            item = {**row, **announced_late, "connectionId": {"S": f"con_{letter * 26}"}}
            dynamodb.put_item(TableName=table, Item=item)
        walked.invoke("ResumeStalled", {})
        for letter in "ctde":
            dynamodb.delete_item(TableName=table, Key={"connectionId": {"S": f"con_{letter * 26}"}})


def _import(walked: Walk) -> None:
    """Logins that were got elsewhere, in ops' hands."""
    username = f"canary-{uuid.uuid4().hex}"
    login_id = walked.live.connect_bank(username=username)
    walked.secrets |= {"loginId, imported": login_id, "username, imported": username}
    brought = [
        {"loginId": login_id, "owner": "carol"},
        {"loginId": walked.secrets["loginId, cut off"], "owner": "alice"},
    ]
    walked.order("ImportLogins", logins=brought, fetch="now", dry_run=True)
    walked.order("ImportLogins", logins=brought, fetch="now")
    walked.order(
        "ImportLogins", logins=[{"loginId": NEVER_POSTED, "owner": NEVER_POSTED, "x": 1}], fetch="now", refused=True
    )


def _ops(walked: Walk) -> None:
    walked.order("RefetchConnections", reannounce={"ids": [walked.connections["ready at once"]]})
    walked.order("RefetchConnections", refetch={"reason": "ownership_mismatch"}, dry_run=True)
    walked.order("RefetchConnections", refetch={"ids": [NEVER_POSTED]}, refused=True)
    walked.tool("show", walked.connections["ready at once"])
    walked.tool("list", "--owner", "alice")
    walked.tool("status")


def _erase(walked: Walk) -> None:
    def logins(path: str) -> str:
        return walked.secrets[f"loginId, {path}"]

    live, connections = walked.live, walked.connections
    walked.order("DeleteConnection", loginId=logins("ready at once").upper(), dry_run=True)
    walked.order("DeleteConnection", loginId=NEVER_POSTED[:-1], owner=NEVER_POSTED, refused=True)
    live.client("s3").create_multipart_upload(
        Bucket=live.stack.outputs["DropBucket"], Key=f"accounts/v1/{connections['ready at once']}/stray"
    )
    walked.order("DeleteConnection", loginId=logins("ready at once"))
    live.control(
        "DELETE", f"/cards/{logins('of another owner')}"
    )  # gone already: a token proves that our keys are good
    walked.order("DeleteConnection", owner="bob")
    live.control("PUT", f"/cards/{logins('after a 202')}/pending", {"seconds": 2})  # in use: it waits through its queue
    walked.order("DeleteConnection", connectionId=connections["after a 202"])
    answers = [{"fault": "reset"}, {"fault": "html"}]
    live.control("POST", "/faults", {"endpoint": "DeleteCard", "loginId": logins("another tag"), "steps": answers})
    walked.order("DeleteConnection", connectionId=connections["another tag"])
    walked.post(logins("ready at once"))
    gone = connections["after a 202"]
    eventually(lambda: live.row(gone).status is Status.DELETED or None, "the end of a card in use")


def _note_the_sessions(walked: Walk) -> None:
    """While the cards are there that Flinks knows them by."""
    for name, login_id in [*walked.secrets.items()]:
        if name.startswith("loginId, "):
            data = walked.live.control("GET", f"/cards/{login_id}/data")
            session, holder = data.get("RequestId"), data["Accounts"][0]["Holder"]
            walked.secrets |= {name.replace("loginId", "requestId"): session} if session else {}
            told = {each: holder.get(each) for each in ("Name", "Email", "PhoneNumber")}
            walked.holders |= {f"{each} of {name}": value for each, value in told.items() if value}


PATHS: tuple[Callable[[Walk], None], ...] = (
    _happily,
    _sessions,
    _badly_asked,
    _flinks_fails,
    _aws_fails,
    _a_key_in_the_way,
    _rows_that_cannot_be_read,
    _forgotten,
    _import,
    _ops,
    _note_the_sessions,
    _erase,
)
