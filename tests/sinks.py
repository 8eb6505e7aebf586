"""Where the service leaves anything behind, on the local stack; and a search of all of it for secrets in disguise.

The sinks are the stack's own resources, as CloudFormation lists them: another queue, table, bucket or log group is
searched as soon as it is there, and a type of resource that nobody has thought of is named.
"""

import base64
import gzip
import json
import re
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from local.aws.deployment import STACK_NAME
from tests.live_service import LiveService, listener_beside, stop_listening

# --- disguises


def disguises(secret: str) -> dict[str, bytes]:
    """A secret as it may turn up, by the name of the encoding. Longer ones hold less: base64 may be cut anywhere."""
    text = secret.encode()
    found = {
        "plain": text,
        "upper case": secret.upper().encode(),
        "lower case": secret.lower().encode(),
        "reversed": secret[::-1].encode(),
        "hex": text.hex().encode(),
        "URL": _percent(text),
        "URL, in part": quote(secret, safe="").encode(),
        "JSON, escaped": "".join(f"\\u{ord(each):04x}" for each in secret).encode(),
        "JSON, hyphens escaped": secret.replace("-", "\\u002d").encode(),
        "UTF-16": secret.encode("utf-16-le"),
        **{f"base64, {name}": each for name, each in _base64(text).items()},
    }
    with suppress(ValueError):
        guid = uuid.UUID(secret)
        found |= {
            "GUID, bare": guid.hex.encode(),
            "GUID, bare, upper case": guid.hex.upper().encode(),
            "GUID, bytes": guid.bytes,
            "GUID, bytes reversed": guid.bytes_le,
            "GUID, hex of bytes reversed": guid.bytes_le.hex().encode(),
            "GUID, repr of bytes": repr(guid.bytes)[2:-1].encode(),
            "GUID, number": str(guid.int).encode(),
            **{f"GUID, base64 of bytes, {name}": each for name, each in _base64(guid.bytes).items()},
            **{f"GUID, base64 of bytes reversed, {name}": each for name, each in _base64(guid.bytes_le).items()},
        }
    return {name: each for name, each in found.items() if len(each) >= SHORTEST}


SHORTEST = 8
"""Bytes: what is shorter turns up by chance."""


def _percent(text: bytes) -> bytes:
    return "".join(f"%{each:02X}" for each in text).encode()


def _base64(content: bytes) -> dict[str, bytes]:
    """In its three alignments, each less what depends on the neighbours; and in the alphabet of URLs."""
    found = {}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + content)
        first, last = -(-8 * shift // 6), (8 * (shift + len(content))) // 6
        found[f"shifted by {shift}"] = whole[first:last]
    return found | {"of URLs": found["shifted by 0"].replace(b"+", b"-").replace(b"/", b"_")}


def laid_open(content: bytes) -> Iterator[bytes]:
    """What is there, and what is in there: each gzip stream, each run of base64, and gzip within base64."""
    yield content
    for start in re.finditer(rb"\x1f\x8b\x08", content):
        with suppress(zlib.error, EOFError):
            yield zlib.decompressobj(31).decompress(content[start.start() :])
    for run in re.finditer(rb"H4sI[A-Za-z0-9+/_=-]{16,}", content):
        with suppress(ValueError, zlib.error, EOFError):
            yield zlib.decompressobj(31).decompress(base64.b64decode(run[0].rstrip(b"=") + b"==", altchars=b"-_"))


# --- sinks


@dataclass(frozen=True)
class Sink:
    """One place: what is left there, and a way to leave something there as a leak would."""

    name: str
    kind: str
    read: Callable[[], Iterable[bytes]]
    leak: Callable[[bytes], object]


@dataclass(frozen=True)
class Hit:
    sink: str
    secret: str
    """Its name, not itself."""
    encoding: str


@dataclass
class Search:
    """What a search found, and how much it has read."""

    hits: list[Hit]
    sinks: dict[str, int]
    """Bytes by sink."""
    encodings: int

    def __str__(self) -> str:
        total = sum(self.sinks.values())
        return f"{len(self.sinks)} sinks x {self.encodings} encodings x {total:,} bytes: {len(self.hits)} hits"


def search(sinks: Iterable[Sink], secrets: Mapping[str, str]) -> Search:
    """Look for each of `secrets` (by name) in each sink, in every disguise."""
    needles = [
        (name, encoding, each) for name, secret in secrets.items() for encoding, each in disguises(secret).items()
    ]
    result = Search([], {}, len({encoding for _, encoding, _ in needles}))
    for sink in sinks:
        opened = [piece for content in sink.read() for piece in laid_open(content)]
        whole = b"\0\0".join(opened)
        result.sinks[sink.name] = len(whole)
        result.hits += [Hit(sink.name, name, encoding) for name, encoding, needle in needles if needle in whole]
    return result


KEEPS_NOTHING = {
    "AWS::ApiGatewayV2::Api": "what it answers is heard by who asks, and its log is a group of its own",
    "AWS::ApiGatewayV2::Stage": "likewise",
    "AWS::CloudWatch::Alarm": "a threshold over metrics, which are written as lines of the logs",
    "AWS::CloudWatch::Dashboard": "a picture of metrics",
    "AWS::Events::EventBusPolicy": "a grant",
    "AWS::Events::Rule": "a schedule, which carries nothing of a request",
    "AWS::IAM::ManagedPolicy": "a grant",
    "AWS::IAM::Role": "a name",
    "AWS::IAM::RolePolicy": "a grant",
    "AWS::KMS::Key": "it never leaves KMS; what is said beside it is in `authorizations`",
    "AWS::Lambda::Alias": "a name",
    "AWS::Lambda::EventSourceMapping": "what it hands on comes from a stream or queue, and so goes what it gives up",
    "AWS::Lambda::LayerVersion": "code",
    "AWS::Lambda::Permission": "a grant",
    "AWS::Lambda::Version": "the function's, as it was",
    "AWS::Logs::MetricFilter": "it counts lines",
    "AWS::S3::BucketPolicy": "a grant",
    "AWS::SQS::QueuePolicy": "a grant",
}
"""Types of resources where no request leaves anything, and why."""


class Sinks:
    """Every sink of a running stack. To be made before anything happens: the bus forgets what nobody hears."""

    def __init__(self, live: LiveService) -> None:
        self._live = live
        self.said: list[bytes] = []
        """What the service answered to people, apps and ops: whoever asks it adds to this."""
        pages = live.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
        self._resources = [each for page in pages for each in page["StackResourceSummaries"]]
        self._heard = listener_beside(self._live, "searched")

    def unknown_types(self) -> set[str]:
        """Types of resources of which nobody has said whether they keep anything."""
        return {each["ResourceType"] for each in self._resources} - KEEPS_NOTHING.keys() - self._kinds().keys()

    def all(self) -> list[Sink]:
        kinds = self._kinds()
        of_stack = [
            sink
            for each in self._resources
            if each["ResourceType"] in kinds
            for sink in kinds[each["ResourceType"]](each["LogicalResourceId"], each["PhysicalResourceId"])
        ]
        return [*of_stack, *self._beside()]

    def _kinds(self) -> dict[str, Callable[[str, str], list[Sink]]]:
        return {
            "AWS::DynamoDB::Table": self._table,
            "AWS::Events::EventBus": self._bus,
            "AWS::Lambda::Function": self._function,
            "AWS::Logs::LogGroup": self._log_group,
            "AWS::S3::Bucket": self._bucket,
            "AWS::SQS::Queue": self._queue,
            "AWS::SecretsManager::Secret": self._secret,
        }

    # --- resources of the stack

    def _table(self, name: str, table: str) -> list[Sink]:
        dynamodb, streams = self._live.client("dynamodb"), self._live.client("dynamodbstreams")
        described = dynamodb.describe_table(TableName=table)["Table"]
        keys = [each["AttributeName"] for each in described["KeySchema"]]

        def rows() -> Iterator[bytes]:
            for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
                yield from (_written(item) for item in page["Items"])

        def records() -> Iterator[bytes]:
            stream = described["LatestStreamArn"]
            for shard in streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
                at = {"StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
                iterator = streams.get_shard_iterator(**at)["ShardIterator"]
                while iterator:
                    answer = streams.get_records(ShardIterator=iterator)
                    yield from (_written(record) for record in answer["Records"])
                    iterator = answer.get("NextShardIterator") if answer["Records"] else None

        def leak(content: bytes) -> None:
            key = {name: {"S": f"leak-{uuid.uuid4()}"} for name in keys}
            dynamodb.put_item(TableName=table, Item={**key, "leak": {"B": content}})

        found = [Sink(name, "table", rows, leak)]
        return [*found, Sink(f"{name}, stream", "stream", records, leak)] if "LatestStreamArn" in described else found

    def _bucket(self, name: str, bucket: str) -> list[Sink]:
        s3 = self._live.client("s3")

        def objects() -> Iterator[bytes]:
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                yield _written(page.get("DeleteMarkers", []))
                for version in page.get("Versions", []):
                    at = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
                    found = s3.get_object(**at)
                    yield _written({"key": version["Key"], "metadata": found["Metadata"]}) + b" " + found["Body"].read()
            yield _written(s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []))

        def leak(content: bytes) -> None:
            s3.put_object(Bucket=bucket, Key=f"leak/{uuid.uuid4()}", Body=gzip.compress(content))

        return [Sink(name, "bucket", objects, leak)]

    def _queue(self, name: str, url: str) -> list[Sink]:
        sqs = self._live.client("sqs")

        def messages() -> Iterator[bytes]:
            yield _written(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
            seen: set[str] = set()
            while new := [each for each in _received(sqs, url) if each["MessageId"] not in seen]:
                seen |= {each["MessageId"] for each in new}
                yield from (_written(each) for each in new)

        def leak(content: bytes) -> None:
            sqs.send_message(QueueUrl=url, MessageBody=f"leak {content.decode()}")

        return [Sink(name, "queue", messages, leak)]

    def _log_group(self, name: str, group: str) -> list[Sink]:
        logs = self._live.client("logs")

        def lines() -> Iterator[bytes]:
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
                yield from (each["message"].encode() for each in page["events"])

        def leak(content: bytes) -> None:
            stream = f"leak-{uuid.uuid4()}"
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            event = {"timestamp": 1, "message": content.decode()}
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

        return [Sink(name, "log group", lines, leak)]

    def _function(self, name: str, function: str) -> list[Sink]:
        client, folder = self._live.client("lambda"), self._live.stack.folder / "functions"

        def told() -> Iterator[bytes]:
            yield _written(client.get_function_configuration(FunctionName=function))
            if (output := folder / f"{function}.log").exists():
                yield output.read_bytes()

        def leak(content: bytes) -> None:
            with (folder / f"{function}.log").open("ab") as output:
                output.write(content + b"\n")

        return [Sink(name, "function's settings and output", told, leak)]

    def _secret(self, name: str, arn: str) -> list[Sink]:
        secrets = self._live.client("secretsmanager")

        def described() -> Iterator[bytes]:
            yield _written(secrets.describe_secret(SecretId=arn))

        def leak(content: bytes) -> None:
            tag = {"Key": f"leak-{uuid.uuid4()}", "Value": content.decode()}
            secrets.tag_resource(SecretId=arn, Tags=[tag])

        return [Sink(f"{name}, around it", "secret's description", described, leak)]

    def _bus(self, name: str, bus: str) -> list[Sink]:
        events, sqs = self._live.client("events"), self._live.client("sqs")

        def heard() -> Iterator[bytes]:
            seen: set[str] = set()
            while new := [each for each in _received(sqs, self._heard) if each["MessageId"] not in seen]:
                seen |= {each["MessageId"] for each in new}
                yield from (_written(each) for each in new)

        def leak(content: bytes) -> None:
            detail = json.dumps({"leak": content.decode()})
            events.put_events(
                Entries=[{"EventBusName": bus, "Source": "flinks-landing", "DetailType": "Leak", "Detail": detail}]
            )

        return [Sink(name, "bus", heard, leak)]

    def stop_listening(self) -> None:
        stop_listening(self._live, "searched")

    # --- leaks that were planted

    @contextmanager
    def nobody_consumes(self) -> Iterator[None]:
        """No function takes messages meanwhile: what lies in a queue is seen."""
        client = self._live.client("lambda")
        found = client.list_event_source_mappings()["EventSourceMappings"]
        queues = [each["UUID"] for each in found if ":sqs:" in each["EventSourceArn"]]
        for mapping in queues:
            client.update_event_source_mapping(UUID=mapping, Enabled=False)
        try:
            yield
        finally:
            for mapping in queues:
                client.update_event_source_mapping(UUID=mapping, Enabled=True)

    def mop_up(self) -> None:
        """Take away what was leaked where others would stumble over it."""
        s3, sqs, dynamodb = (self._live.client(name) for name in ("s3", "sqs", "dynamodb"))
        for each in self._resources:
            name = each["PhysicalResourceId"]
            match each["ResourceType"]:
                case "AWS::S3::Bucket":
                    listed = s3.list_object_versions(Bucket=name, Prefix="leak/").get("Versions", [])
                    for version in listed:
                        s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
                case "AWS::SQS::Queue":
                    while leaked := [m for m in _received(sqs, name) if m["Body"].startswith("leak ")]:
                        for message in leaked:
                            sqs.delete_message(QueueUrl=name, ReceiptHandle=message["ReceiptHandle"])
                case "AWS::DynamoDB::Table":
                    keys = dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]
                    for item in dynamodb.scan(TableName=name)["Items"]:
                        if "leak" in item:
                            key = {part["AttributeName"]: item[part["AttributeName"]] for part in keys}
                            dynamodb.delete_item(TableName=name, Key=key)

    # --- what is no resource

    def _beside(self) -> list[Sink]:
        folder = self._live.stack.folder
        files = {"authorizations": "authorizations.jsonl", "the emulator's log": "emulator.log"}

        def leak(path: Any) -> Callable[[bytes], None]:
            def append(content: bytes) -> None:
                with path.open("ab") as file:
                    file.write(b"leak " + content + b"\n")

            return append

        def read(path: Any) -> Callable[[], list[bytes]]:
            return lambda: [path.read_bytes()]

        of_files = [Sink(name, name, read(folder / file), leak(folder / file)) for name, file in files.items()]
        return [
            *of_files,
            Sink("answers", "answers to people, apps and ops", lambda: list(self.said), self.said.append),
        ]


def _received(sqs: Any, url: str) -> list[dict[str, Any]]:
    asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 1, "AttributeNames": ["All"]}
    found: list[dict[str, Any]] = sqs.receive_message(**asked, MessageAttributeNames=["All"]).get("Messages", [])
    return found


def _written(value: Any) -> bytes:
    """As text, with bytes as the bytes they are."""
    raw: list[bytes] = []

    def of(each: Any) -> str:
        if isinstance(each, bytes):
            raw.append(each)
        return "" if isinstance(each, bytes) else str(each)

    text = json.dumps(value, default=of, ensure_ascii=False).encode()
    return b"\0\0".join([text, text.replace(b'\\"', b'"').replace(b"\\\\", b"\\"), *raw])
