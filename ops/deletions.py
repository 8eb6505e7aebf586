"""Orders deletions and goes on asking until all are closed: by ids, by loginIds, or for whoever an owner is.

An order names a hundred at most, so that no invocation has more to do than its time allows; the connections of an
owner are read from the table's index, page by page. Whatever is open is asked for again until it is closed, or until
the patience is over: it goes on by itself meanwhile.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ops import connections, orders
from ops.orders import NotDone
from ops.target import Target

AGAIN_AFTER = timedelta(seconds=15)
LOOKING = "bin/landing"
"""The ticket of an order that changes nothing."""

OPEN = frozenset({"deleting", "not_done"})

type Done = dict[str, Any]
"""What the function answered for one connection."""


@dataclass
class Progress:
    """What has become of each connection so far, by its id; what no id is known of, by its place in the order."""

    latest: dict[str, Done] = field(default_factory=dict)

    @property
    def open(self) -> list[str]:
        return [key for key, done in self.latest.items() if done["outcome"] in OPEN]

    def hear(self, key: str, done: Done) -> bool:
        """Whether that closed it now."""
        was_closed = key in self.latest and self.latest[key]["outcome"] not in OPEN
        self.latest[key] = done
        return done["outcome"] not in OPEN and not was_closed


@dataclass(frozen=True)
class Order:
    """`member` is connectionId, loginId or owner."""

    member: str
    named: Sequence[str]
    ticket: str
    dry_run: bool
    patience: timedelta


def carry_out(target: Target, order: Order, closed: Callable[[Done], None], left: Callable[[int], None]) -> list[Done]:
    """What became of each connection at last. `closed` hears each as it is closed, `left` how many are still open."""
    deadline = time.monotonic() + order.patience.total_seconds()
    progress = Progress()
    rounds = _by_owner if order.member == "owner" else _by_name
    while True:
        for key, done in rounds(target, order, progress):
            if progress.hear(key, done):
                closed(done)
            left(len(progress.open))
        if order.dry_run or not progress.open or time.monotonic() >= deadline:
            return list(progress.latest.values())
        time.sleep(min(AGAIN_AFTER.total_seconds(), max(0.1, deadline - time.monotonic())))


def _by_name(target: Target, order: Order, progress: Progress) -> Iterator[tuple[str, Done]]:
    named = order.named
    if progress.latest and order.member == "connectionId":
        named = progress.open
    for answered in _in_hundreds(target, order.member, named, order):
        yield str(answered.get("connectionId", f"{order.member} {answered['order']}")), answered


def _by_owner(target: Target, order: Order, progress: Progress) -> Iterator[tuple[str, Done]]:
    """One look at all that each owner has, in hundreds; then once for the receipts of what was erased before."""
    for owner in order.named:
        ids = list(dict.fromkeys([*progress.open, *connections.ids_of_owner(target, owner)]))
        ids = [id_ for id_ in ids if id_ not in progress.latest or id_ in progress.open]
        for answered in _in_hundreds(target, "connectionId", ids, order):
            yield str(answered.get("connectionId")), answered
    if not progress.latest:
        for answered in _in_hundreds(target, "owner", order.named, order):
            yield str(answered.get("connectionId", f"owner {answered['order']}")), answered


def _in_hundreds(target: Target, member: str, named: Sequence[str], order: Order) -> Iterator[Done]:
    for start in range(0, len(named), orders.LARGEST):
        some = list(named[start : start + orders.LARGEST])
        given = {member: some, "ticket": order.ticket, "dryRun": order.dry_run}
        for each in _answers(target, given):
            entry: Done = {**each, "order": start + each["order"]}
            if member == "connectionId":
                entry.setdefault("connectionId", some[each["order"]])
            yield entry


def receipts_of_owner(target: Target, owner: str) -> list[Any]:
    """Of all that was erased of an owner in the last 60 days; nothing is ordered by it."""
    given = {"owner": owner, "ticket": LOOKING, "dryRun": True}
    return [each["receipt"] for each in _answers(target, given) if "receipt" in each]


def _answers(target: Target, given: dict[str, Any]) -> Iterator[Done]:
    """Page after page of what an order answers. Raises NotDone when it gets no further."""
    after: dict[str, Any] = {}
    while True:
        answer = orders.invoke(target, "DeleteConnectionFunction", given | after)
        yield from answer["connections"]
        if answer.get("complete", True):
            return
        if answer.get("continueAfter") == after.get("continueAfter"):
            raise NotDone("AWS does not serve: the order gets no further. What is open goes on by itself; ask again.")
        after = {"continueAfter": answer["continueAfter"]}
