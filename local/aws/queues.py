"""SQS event source mappings by the rules of Lambda that the emulator's own poller leaves out.

Restored: an empty, null, unknown or badly named `itemIdentifier` fails the whole batch, in place of none of it; and a
mapping consumes as the function's role: without the queue's actions it hands on nothing.
"""

# ruff: noqa: SLF001 - the emulator has no public interface for what it lacks

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.responses import get_region
from ministack.services import lambda_svc, sqs

QUEUE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def install() -> None:
    lambda_svc._run_sqs_batch = _run_batch


def _run_batch(
    mapping: dict[str, Any],
    function: Mapping[str, Any],
    event: dict[str, Any],
    batch: Sequence[Mapping[str, Any]],
    queue_url: str,
    _: str,
) -> None:
    """What failed stays in the queue and comes back after the visibility timeout."""
    if denied := _denied(function, mapping["EventSourceArn"]):
        mapping["LastProcessingResult"] = f"PROBLEM: the function's role may not {denied}"
        return
    result = lambda_svc._execute_function(function, event)
    identifiers = [message["id"] for message in batch]
    failed = set(identifiers) if result.get("error") else _failed(mapping, result.get("body"), identifiers)
    done = {message["receipt_handle"] for message in batch if message["id"] not in failed}
    if done:
        sqs._delete_messages_for_esm(queue_url, done)
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if result.get("error") else "OK"
    if result.get("error"):
        lambda_svc._esm_backoff_until[mapping["UUID"]] = time.time() + lambda_svc._ESM_BACKOFF_SECONDS


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
