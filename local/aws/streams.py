"""Runs `stream_mapping` for every DynamoDB stream mapping of the emulator, in place of the emulator's own poller.

Restores, beyond the rules of `stream_mapping`: a mapping reads as the function's role (without the stream actions it
reads nothing), and its discarded batches are sent as that role too.
"""

import bisect
import json
import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore.exceptions import ClientError
from ministack.core import lambda_runtime
from ministack.core.responses import request_scope
from ministack.services import dynamodb

from local.aws import internals
from local.aws.stream_mapping import Answer, Lane, MappingConfig, Record, StreamMapping

DISCOVERY_SECONDS = 0.2
POLL_SECONDS = 0.05  # Lambda polls each shard four times a second; a person watching the demo waits for it
REFUSED_SECONDS = 2

logger = logging.getLogger(__name__)


class Streams:
    """Starts, restarts and stops a `_Running` for each enabled mapping, as mappings come, change and go."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._running: dict[str, _Running] = {}
        self._checkpoints: dict[str, str | None] = {}  # of mappings that exist; disabled ones continue from here
        self._ended = threading.Event()
        internals.replace("poll_dynamodb_streams", lambda: False)
        threading.Thread(target=self._discover, name="stream-mappings", daemon=True).start()

    def close(self) -> None:
        self._ended.set()
        for running in list(self._running.values()):
            running.stop()

    def _discover(self) -> None:
        while not self._ended.wait(DISCOVERY_SECONDS):
            try:
                self._follow()
            except Exception:
                logger.exception("stream mappings could not be followed")

    def _follow(self) -> None:
        mappings = {
            mapping["UUID"]: (account, region, mapping)
            for account, region, mapping in internals.iter_all_esms()
            if ":dynamodb:" in mapping["EventSourceArn"]
        }
        for identifier in [*self._running]:
            running = self._running[identifier]
            mapping = mappings.get(identifier, (None, None, None))[2]
            if mapping is None or not running.is_current:
                running.stop()
            if running.has_ended:
                self._checkpoints[identifier] = running.mapping.checkpoint
                del self._running[identifier]
        self._checkpoints = {i: at for i, at in self._checkpoints.items() if i in mappings}
        for identifier, (account, region, mapping) in mappings.items():
            if mapping["Enabled"] and identifier not in self._running:
                checkpoint = self._checkpoints.get(identifier)
                self._running[identifier] = _Running(self._url, account, region, mapping, checkpoint)


class _Shard:
    """A table's stream inside the emulator: one shard, records in order."""

    def __init__(self, account: str, region: str, stream_arn: str) -> None:
        self._scope = {"account_id": account, "region": region}
        self._table = stream_arn.split("/")[1]

    def after(self, sequence_number: str | None, limit: int) -> Sequence[Record]:
        records: list[Record] = dynamodb.stream_live_records(self._table, **self._scope)
        start = bisect.bisect_right(records, sequence_number or "", key=_position)
        return records[start : start + limit]

    def latest(self) -> str | None:
        records: list[Record] = dynamodb.stream_live_records(self._table, **self._scope)
        return _position(records[-1]) if records else None


def _position(record: Record) -> str:
    """Sequence numbers of the emulator have a fixed width."""
    return str(record["dynamodb"]["SequenceNumber"])


class _Running:
    """One enabled mapping: a thread for each of its lanes."""

    def __init__(self, url: str, account: str, region: str, mapping: dict[str, Any], checkpoint: str | None) -> None:
        self.config = MappingConfig.from_api(mapping)
        self._url, self._account, self._region, self._mapping = url, account, region, mapping
        self._stopped = threading.Event()
        shard = _Shard(account, region, self.config.stream_arn)
        self.mapping = StreamMapping(self.config, shard, self._invoke, self._send_failure, time.time, checkpoint)
        self._threads = [
            threading.Thread(target=self._run, args=[lane], name="stream-lane", daemon=True)
            for lane in self.mapping.lanes
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_current(self) -> bool:
        """Not disabled, deleted or changed meanwhile."""
        mapping = self._mapping
        enabled = mapping["Enabled"] and mapping["State"] != "Deleting"
        return enabled and MappingConfig.from_api(mapping) == self.config

    @property
    def has_ended(self) -> bool:
        """After `stop`, once the invocations under way have ended."""
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        self._stopped.set()

    def _run(self, lane: Lane) -> None:
        while not self._may_read() and not self._stopped.wait(REFUSED_SECONDS):
            pass
        while not self._stopped.is_set():
            try:
                moved = lane.step()
            except Exception:
                logger.exception("stream mapping of %s", self.config.function_arn)
                moved = False
            if not moved:
                self._stopped.wait(POLL_SECONDS)

    def _may_read(self) -> bool:
        try:
            streams = self._client("dynamodbstreams")
            stream = streams.describe_stream(StreamArn=self.config.stream_arn)["StreamDescription"]
            iterator = streams.get_shard_iterator(
                StreamArn=self.config.stream_arn,
                ShardId=stream["Shards"][0]["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
            streams.get_records(ShardIterator=iterator, Limit=1)
        except ClientError as error:
            logger.warning("stream mapping of %s: %s", self.config.function_arn, error)
            self._mapping["LastProcessingResult"] = f"PROBLEM: {error}"
            return False
        return True

    def _invoke(self, event: dict[str, Any]) -> Answer:
        if not self.is_current:
            return Answer(reached=False)
        with request_scope(self._account, self._region):
            # In JSON there and back: what the function gets must not be the emulator's own objects.
            result = internals.execute_function(self._function(), json.loads(json.dumps(event)))
        failed = bool(result.get("error"))
        self._mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if failed else "OK"
        reached = not result.get("throttle")
        return Answer(result.get("body"), failed, reached, request_id=str(uuid.uuid4()))

    def _send_failure(self, record: dict[str, Any]) -> None:
        queue = str(self.config.on_failure).rsplit(":", 1)[1]
        sqs = self._client("sqs")
        try:
            url = f"{self._url}/{self._account}/{queue}"
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(record))
        except ClientError:
            logger.exception("on-failure destination of %s", self.config.function_arn)

    def _function(self) -> Mapping[str, Any]:
        name, qualifier = self._mapping["FunctionName"], self._mapping.get("Qualifier")
        function: Mapping[str, Any] = internals.get_func_record_for_qualifier(name, qualifier)[0]
        return function

    def _client(self, service: str) -> Any:
        """As the function's role."""
        with request_scope(self._account, self._region):
            session = lambda_runtime.execution_credentials(self._function()["config"])
        make: Any = boto3.client  # its overloads want the name of a service, not a string
        return make(
            service,
            endpoint_url=self._url,
            region_name=self._region,
            aws_access_key_id=session["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=session["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=session["AWS_SESSION_TOKEN"],
        )
