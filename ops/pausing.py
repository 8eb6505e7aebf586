"""Stops the fetching and lets it go on: claims stop, erasing and announcing go on, and no POST is refused.

However long a pause lasts, no connection times out by it: before claims begin again, every budget begins anew. So a
pause must end by `resumed`, and not by turning the mappings on alone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ops import orders
from ops.orders import NotDone
from ops.target import Target

ALARM_AFTER = timedelta(minutes=45)
"""Then ConnectionsAreOverdue pages, as it should: people are waiting."""

EVERYTHING = 10**9

_SETTLES_WITHIN = timedelta(minutes=5)


@dataclass(frozen=True)
class Mapping:
    """One event source mapping."""

    id: str
    source: str
    state: str
    changed: datetime

    @property
    def is_on(self) -> bool:
        return self.state in {"Enabled", "Enabling", "Creating", "Updating"}


def mappings(target: Target, output: str = "FetchAccountsFunction") -> list[Mapping]:
    """Those of the function behind `output`, of whatever qualifier."""
    function = target.output(output).split(":function:")[-1].split(":")[0]
    found: dict[str, Any] = {}
    for name in (function, f"{function}:live"):
        pages = target.client("lambda").get_paginator("list_event_source_mappings").paginate(FunctionName=name)
        found |= {each["UUID"]: each for page in pages for each in page["EventSourceMappings"]}
    return [
        Mapping(id_, _source(each["EventSourceArn"]), each["State"], each["LastModified"])
        for id_, each in sorted(found.items())
    ]


def switch(target: Target, *, on: bool) -> list[Mapping]:
    """Turn every mapping of fetch_accounts on or off and wait until AWS says so. Raises NotDone."""
    wanted = "Enabled" if on else "Disabled"
    for mapping in mappings(target):
        if mapping.state != wanted:
            target.client("lambda").update_event_source_mapping(UUID=mapping.id, Enabled=on)
    deadline = time.monotonic() + _SETTLES_WITHIN.total_seconds()
    while True:
        found = mappings(target)
        if all(mapping.state == wanted for mapping in found):
            return found
        if time.monotonic() > deadline:
            raise NotDone(f"AWS has been told, and not all mappings are {wanted} yet: bin/landing doctor shows them.")
        time.sleep(0.2 if target.is_local else 3)


def resumed(target: Target, now: datetime, seen: Callable[[int], None]) -> tuple[int, list[Mapping]]:
    """Have the budgets of all that is at work begin anew, then let claims begin. Raises NotDone.

    How many were retried, and the mappings. In this order: a claim that came first would find its time used up.
    """
    everything = {"receivedTo": (now + timedelta(days=1)).isoformat()}
    done = orders.refetch(target, "retry", everything, ticket="resume", dry_run=False, limit=EVERYTHING, seen=seen)
    if done["counts"].get("not_done"):
        raise NotDone("AWS did not serve for all of them; fetching is still paused. Again: bin/landing resume")
    return done["counts"].get("retried", 0), switch(target, on=True)


def _source(arn: str) -> str:
    return "the table's stream" if ":dynamodb:" in arn else "its queue"
