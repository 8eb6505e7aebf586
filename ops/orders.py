"""Orders to the functions that ops may invoke, and their answers."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ops.target import Refused, Target

LARGEST = 100
"""Connections that one order may name."""

DONE = ("refetched", "announced", "retried")
"""What a run counts against its limit."""


class NotDone(Exception):
    """The function did not do what it was told; the message says what it answered, in words of ours."""


def invoke(target: Target, output: str, order: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the function that `output` names. Raises Refused for an order that it refuses, else NotDone."""
    answered = target.client("lambda", never_twice=True).invoke(
        FunctionName=target.output(output), Payload=json.dumps(order).encode()
    )
    answer = json.loads(answered["Payload"].read() or b"null")
    if "FunctionError" in answered:
        kind = answer.get("errorType", "an error") if isinstance(answer, dict) else "an error"
        raise NotDone(f"{output} died of {kind}. What it had begun goes on; look: bin/landing tail --since 15m")
    if not isinstance(answer, dict):
        raise NotDone(f"{output} answered with something that is no object.")
    if answer.get("outcome") == "refused":
        raise Refused(f"The order was refused: {answer.get('detail', 'it is of another release')}")
    if answer.get("outcome") == "not_done":
        raise NotDone(f"{output} could not begin: {answer.get('reason')}. Nothing was changed; ask again.")
    return answer


def refetch(
    target: Target,
    verb: str,
    chosen: Mapping[str, Any],
    *,
    ticket: str,
    dry_run: bool,
    limit: int,
    seen: Callable[[int], None],
) -> dict[str, Any]:
    """Run after run until all that was chosen is seen, or `limit` are done; gives all counts. Raises NotDone."""
    counts: dict[str, int] = {}
    connections: dict[str, str] = {}
    order: dict[str, Any] = {verb: dict(chosen), "ticket": ticket, "dryRun": dry_run}
    while True:
        left = limit - sum(counts.get(done, 0) for done in DONE)
        answer = invoke(target, "RefetchConnectionsFunction", {**order, "limit": min(max(left, 1), 1000)})
        for name, times in answer["counts"].items():
            counts[name] = counts.get(name, 0) + times
        connections |= answer.get("connections", {})
        seen(sum(answer["counts"].values()))
        if answer["complete"] or limit <= sum(counts.get(done, 0) for done in DONE):
            return {"dryRun": dry_run, "complete": answer["complete"], "counts": counts, "connections": connections}
        if answer.get("continueAfter") == order.get("continueAfter"):
            raise NotDone(
                f"AWS does not serve: after {sum(counts.values())} connections no run got further. Ask again."
            )
        order["continueAfter"] = answer["continueAfter"]
