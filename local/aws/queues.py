"""SQS event source mappings by the rules of Lambda that the emulator's own poller leaves out.

Restored:

* an empty, null, unknown or badly named `itemIdentifier` fails the whole batch, in place of none of it;
* a mapping consumes as the function's role: without the queue's actions it hands on nothing;
* a message keeps the tracing header that it was sent with, by which Lambda ends endless loops (`lineage`).
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.responses import get_region
from ministack.services import cloudwatch

from local.aws import internals, lineage

QUEUE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


_trace: ContextVar[str] = ContextVar("the request's tracing header", default="")


def install() -> None:
    internals.replace("run_sqs_batch", _run_batch)
    internals.replace("build_send_sys_attrs", _system_attributes)


def traced(scope: Mapping[str, Any]) -> None:
    """Remember the request's tracing header for the message that it may send."""
    _trace.set(next((unquote(value.decode()) for name, value in scope["headers"] if name == b"x-amzn-trace-id"), ""))


def _system_attributes(now: float, given: Mapping[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = internals.build_send_sys_attrs(now, given)
    return {"AWSTraceHeader": _trace.get()} | attributes if _trace.get() else attributes


def _run_batch(
    mapping: dict[str, Any],
    function: Mapping[str, Any],
    event: dict[str, Any],
    batch: Sequence[dict[str, Any]],
    queue_url: str,
    _: str,
) -> None:
    """What failed stays in the queue and comes back after the visibility timeout."""
    if denied := _denied(function, mapping["EventSourceArn"]):
        mapping["LastProcessingResult"] = f"PROBLEM: the function's role may not {denied}"
        return
    endless = _endless(function["config"]["FunctionName"], event)
    if endless:
        _give_up(queue_url, [message for message in batch if message["id"] in endless])
        batch = [message for message in batch if message["id"] not in endless]
        event = {"Records": [record for record in event["Records"] if record["messageId"] not in endless]}
    if not batch:
        return
    result = internals.execute_function(function, event)
    identifiers = [message["id"] for message in batch]
    failed = set(identifiers) if result.get("error") else _failed(mapping, result.get("body"), identifiers)
    done = {message["receipt_handle"] for message in batch if message["id"] not in failed}
    if done:
        internals.delete_messages_for_esm(queue_url, done)
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if result.get("error") else "OK"
    if result.get("error"):
        internals.esm_backoff_until[mapping["UUID"]] = time.time() + internals.esm_backoff_seconds


def _endless(name: str, event: Mapping[str, Any]) -> set[str]:
    """The messages that come round too often for a function that does not say that it may loop."""
    if internals.functions[name].get("recursive_loop") == "Allow":
        return set()
    endless = {
        record["messageId"]
        for record in event["Records"]
        if lineage.is_endless(record["attributes"].get("AWSTraceHeader", ""), name)
    }
    if endless:
        dropped = "AWS/Lambda", "RecursiveInvocationsDropped", len(endless), "Count"
        cloudwatch.record_metric(*dropped, {"FunctionName": name})
    return endless


def _give_up(queue_url: str, messages: Sequence[dict[str, Any]]) -> None:
    """To the dead letters, as if received too often; without any, away."""
    policy = json.loads(internals.queues[queue_url]["attributes"].get("RedrivePolicy") or "{}")
    if not policy:
        internals.delete_messages_for_esm(queue_url, {message["receipt_handle"] for message in messages})
    for message in messages:
        message |= {"receive_count": int(policy.get("maxReceiveCount", 0)), "visible_at": time.time()}


def _failed(mapping: Mapping[str, Any], payload: Any, identifiers: Sequence[str]) -> set[str]:
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", ()):
        return set()
    try:
        failed = {failure["itemIdentifier"] for failure in (payload or {}).get("batchItemFailures") or []}
    except (AttributeError, KeyError, TypeError):
        return set(identifiers)
    return failed if failed.issubset(identifiers) else set(identifiers)


def _denied(function: Mapping[str, Any], queue_arn: str) -> str | None:
    access_key = lambda_runtime.execution_credentials(function["config"])["AWS_ACCESS_KEY_ID"]
    for action in QUEUE_ACTIONS:
        if iam_evaluator.enforce(access_key, action, "sqs", get_region(), queue_arn):
            return action
    return None
