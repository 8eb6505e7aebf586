"""An order to erase, as ops gives it, and what became of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Self

from aws_lambda_powertools import Logger
from pydantic import Field, model_validator

from landing import metrics
from landing.deadlines import TimeLeft
from landing.domain.connection import timestamp
from landing.domain.reasons import Reason
from landing.edge.inputs import TICKET, NotAsDescribed
from landing.edge.orders import ConnectionId, Guid, OrderBody, Owner, Ticket, parsed
from landing.error_names import NOT_SERVED, name_of, place_of
from landing.metrics import Metric
from landing.verbs.delete_connection import EraseEnding, EraseOutcome, Eraser, erase_all

type OneOrMore[T] = T | Annotated[list[T], Field(min_length=1, max_length=100)]

ACCEPTED = {
    "connectionId | loginId | owner": "exactly one of these members: a text, or a list of up to 100",
    "ticket": TICKET,
    "dryRun": "true, if not given: only look, change nothing. false: do it",
    "limit": "how many connections in one answer: 1 to 1000; 1000, if not given",
    "continueAfter": "as the answer before gave it",
}


class Order(OrderBody):
    """What ops asks for."""

    connection_id: OneOrMore[ConnectionId] | None = None
    login_id: OneOrMore[Guid] | None = Field(default=None, repr=False)
    owner: OneOrMore[Owner] | None = None
    ticket: Ticket
    dry_run: bool = True
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000
    continue_after: ConnectionId | None = None

    @model_validator(mode="after")
    def _names_one_way(self) -> Self:
        if sum(named is not None for named in (self.connection_id, self.login_id, self.owner)) != 1:
            raise ValueError("must have exactly one of `connectionId`, `loginId` and `owner`")
        return self


@dataclass(frozen=True)
class Done:
    """What became of one connection; `position` is that of the order's entry that meant it."""

    position: int
    outcome: EraseOutcome | Exception
    connection_id: str | None = None


def answer(given: Any, eraser: Eraser, time_left: TimeLeft, *, threads: int, logger: Logger) -> dict[str, Any]:
    """Do what was ordered, if it can be read, and say what became of it."""
    try:
        order = parsed(given, Order)
    except NotAsDescribed as refusal:
        logger.warning("order refused", detail=refusal.detail)
        return {"outcome": "refused", "detail": refusal.detail, "accepted": ACCEPTED}
    try:
        done, after = carry_out(order, eraser, time_left, threads=threads)
    except NOT_SERVED as error:
        report(None, error, order.ticket, logger)
        return {"outcome": "not_done", "reason": Reason.SERVICE_UNAVAILABLE}
    for each in done:
        report(each.connection_id, each.outcome, order.ticket, logger)
    connections = [shown(each) for each in done]
    return {
        "dryRun": order.dry_run,
        "complete": after is None,
        **({"continueAfter": after} if after is not None else {}),
        "counts": Counter(each["outcome"] for each in connections),
        "connections": connections,
    }


def carry_out(order: Order, eraser: Eraser, time_left: TimeLeft, *, threads: int) -> tuple[list[Done], str | None]:
    """Erase, or on a dry run look at, what `order` means, up to its limit; with where the next order goes on.

    An order that is repeated meets every connection again, in the order of the ids: that one is erased meanwhile
    moves no other. Raises one of `NOT_SERVED` when AWS cannot serve before anything was begun.
    """
    meant = list(enumerate(_named(order, eraser)))
    ids = sorted(
        {id_ for _, known in meant for id_ in known if order.continue_after is None or id_ > order.continue_after}
    )
    these = set(ids[: order.limit])
    entries = [(position, id_) for position, known in meant for id_ in known if id_ in these]

    def work(connection_id: str) -> Callable[[], EraseOutcome]:
        if order.dry_run:
            return partial(eraser.look, connection_id)
        return partial(eraser.erase, connection_id, order.ticket, time_left)

    outcomes = erase_all([work(connection_id) for _, connection_id in entries], threads)
    done = [Done(position, outcome, id_) for (position, id_), outcome in zip(entries, outcomes, strict=True)]
    if order.continue_after is None:
        done += [Done(position, EraseOutcome(None, EraseEnding.UNKNOWN)) for position, known in meant if not known]
    after = ids[order.limit - 1] if len(ids) > order.limit else None
    return sorted(done, key=lambda each: each.position), after


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
    if isinstance(outcome, NOT_SERVED):
        return {"order": done.position, "outcome": "not_done", "reason": Reason.SERVICE_UNAVAILABLE}
    if isinstance(outcome, Exception):  # asking again will not help
        return {"order": done.position, "outcome": "not_done", "error": name_of(outcome)}
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


_COUNTED = {
    EraseEnding.DELETED: Metric.CONNECTION_DELETED,
    EraseEnding.UNKNOWN_AT_FLINKS: Metric.CONNECTION_DELETED,
    EraseEnding.DELETING: Metric.CONNECTION_DELETING,
}


def report(connection_id: str | None, outcome: EraseOutcome | Exception, ticket: str | None, logger: Logger) -> None:
    """One log line for a run that changed something, and its metrics."""
    about: dict[str, Any] = {"connectionId": connection_id, "ticket": ticket}
    if isinstance(outcome, Exception):
        logger.error("erase broke off", error=name_of(outcome), place=place_of(outcome), **about)
        metrics.count([Metric.ERASE_ERROR])
        return
    if not outcome.is_news:
        return
    cause = outcome.cause.text if outcome.cause else None
    logger.info("erase ended", ending=outcome.ending, reason=outcome.reason, cause=cause, **about)
    metrics.count([*outcome.metrics, *([_COUNTED[outcome.ending]] if outcome.ending in _COUNTED else [])])
    if outcome.cause:
        metrics.count_causes([outcome.cause.label])
