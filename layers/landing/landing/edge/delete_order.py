"""An order to erase, as ops gives it, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from landing.domain.connection import timestamp
from landing.domain.reasons import Reason
from landing.edge.web import Body, Guid
from landing.verbs.delete_connection import EraseEnding, EraseOutcome, Eraser, TimeLeft, erase_all

type OneOrMore[T] = T | Annotated[list[T], Field(min_length=1, max_length=100)]
type ConnectionId = Annotated[str, StringConstraints(pattern=r"^con_[a-z0-9_]{1,60}$")]
type Owner = Annotated[str, StringConstraints(min_length=1, max_length=256)]

ACCEPTED = {
    "connectionId | loginId | owner": "exactly one of these members: a text, or a list of up to 100",
    "ticket": "who asked for it, as a reference without personal data: up to 64 of A-Z a-z 0-9 . _ : / # -",
    "dryRun": "true: only look, change nothing",
}


class Order(Body):
    """What ops asks for."""

    connection_id: OneOrMore[ConnectionId] | None = None
    login_id: OneOrMore[Guid] | None = Field(default=None, repr=False)
    owner: OneOrMore[Owner] | None = None
    ticket: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/#-]{1,64}$")] | None = None
    dry_run: bool = False

    @model_validator(mode="after")
    def _names_one_way(self) -> Self:
        if sum(named is not None for named in (self.connection_id, self.login_id, self.owner)) != 1:
            raise ValueError("exactly one of connectionId, loginId and owner")
        return self


@dataclass(frozen=True)
class Done:
    """What became of one connection; `position` is that of the order's entry that meant it."""

    position: int
    outcome: EraseOutcome | Exception
    connection_id: str | None = None


def carry_out(order: Order, eraser: Eraser, time_left: TimeLeft, *, threads: int) -> list[Done]:
    """Erase, or on a dry run look at, everything that `order` means, in its order.

    Raises ClientError or BotoCoreError when AWS cannot serve before anything was begun.
    """
    meant = list(enumerate(_named(order, eraser)))
    entries = [(position, connection_id) for position, known in meant for connection_id in known]

    def work(connection_id: str) -> Callable[[], EraseOutcome]:
        if order.dry_run:
            return partial(eraser.look, connection_id)
        return partial(eraser.erase, connection_id, order.ticket, time_left)

    outcomes = erase_all([work(connection_id) for _, connection_id in entries], threads)
    done = [Done(position, outcome, id_) for (position, id_), outcome in zip(entries, outcomes, strict=True)]
    done += [Done(position, EraseOutcome(None, EraseEnding.UNKNOWN)) for position, known in meant if not known]
    return sorted(done, key=lambda each: each.position)


def _named(order: Order, eraser: Eraser) -> list[list[str]]:
    """The connectionIds that each entry of the order means; none where nothing is known of it."""
    if order.login_id is not None:
        return [eraser.with_login(login_id) for login_id in _listed(order.login_id)]
    if order.owner is not None:
        return [eraser.of_owner(owner) for owner in _listed(order.owner)]
    return [[connection_id] for connection_id in _listed(order.connection_id or [])]


def _listed(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def shown(done: Done) -> dict[str, Any]:
    """What ops sees of one connection; `order` is the position in the order's list."""
    outcome = done.outcome
    if isinstance(outcome, Exception):
        return {"order": done.position, "outcome": "not_done", "reason": Reason.SERVICE_UNAVAILABLE}
    answer = {
        "order": done.position,
        "connectionId": outcome.connection_id,
        "outcome": outcome.ending.value,
        "reason": outcome.reason,
        "dueAt": timestamp(outcome.due_at) if outcome.due_at else None,
        "wouldErase": outcome.would_erase,
        "receipt": outcome.receipt,
    }
    return {name: value for name, value in answer.items() if value is not None}
