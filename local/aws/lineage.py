"""Lambda's recursive-loop detection: a chain of messages that has passed one function 16 times is ended.

Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops". The chain's lineage travels in
the tracing header: Lambda gives it to an invocation, the SDK copies it to what is sent, SQS keeps it as the message's
attribute AWSTraceHeader. AWS says "approximately 16" and not how a batch of several chains counts: here it is 16, and
a batch counts as its longest.
"""

import zlib
from collections.abc import Iterable
from typing import Any

MOST_PASSES = 16

_ROOT = "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0;Lineage="


def traces_of(event: Any) -> list[str]:
    """The tracing headers of the messages of an event; of any other event, none."""
    records = event.get("Records") if isinstance(event, dict) else None
    attributes = (record.get("attributes", {}) for record in records or [] if isinstance(record, dict))
    return [each["AWSTraceHeader"] for each in attributes if "AWSTraceHeader" in each]


def is_endless(trace: str, function: str) -> bool:
    """Whether the next invocation of `function` by this chain is one too many."""
    return _passes(trace).get(_id(function), 0) >= MOST_PASSES


def onward(traces: Iterable[str], function: str) -> str:
    """The tracing header of an invocation of `function` by messages with these."""
    passes = {_id(function): 0}
    for trace in traces:
        passes |= {name: max(count, passes.get(name, 0)) for name, count in _passes(trace).items()}
    passes[_id(function)] += 1
    return _ROOT + "|".join(f"{name}:{count}" for name, count in passes.items())


def _id(function: str) -> str:
    return f"{zlib.crc32(function.encode()):08x}"


def _passes(trace: str) -> dict[str, int]:
    members = dict(member.split("=", 1) for member in trace.split(";") if "=" in member)
    counts = (each.rsplit(":", 1) for each in members.get("Lineage", "").split("|") if ":" in each)
    return {name: int(count) for name, count in counts}
