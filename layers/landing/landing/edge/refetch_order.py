"""An order to ask Flinks again, to try again at once, or to announce again, as ops gives it, and what became of it."""

from typing import Annotated, Any, Self

from aws_lambda_powertools import Logger
from pydantic import AfterValidator, Field, model_validator

from landing import metrics
from landing.deadlines import TimeLeft
from landing.domain.connection import TERMINAL, Status
from landing.domain.reasons import Reason
from landing.domain.transitions import AT_WORK
from landing.edge.inputs import TICKET, NotAsDescribed
from landing.edge.orders import ConnectionId, Instant, OrderBody, Ticket, parsed
from landing.metrics import Metric
from landing.stores.connection_table import Criteria
from landing.verbs.refetch_connections import Order, RefetchEnding, Refetcher, Run, Verb

_REASONS = sorted(Reason)

ACCEPTED = {
    "refetch | retry | reannounce": {
        "ids": "up to 100 connectionIds; or any of the following, which must all hold:",
        "reason": f"why it is not ready: {', '.join(_REASONS)}",
        "updatedFrom, updatedTo": "when it came to be as it is: RFC 3339 times with a zone, from included, to not",
        "receivedFrom, receivedTo": "when it was first posted, likewise",
    },
    "ticket": TICKET,
    "dryRun": "true, if not given: only count. false: do it",
    "limit": "how many to do in one run: 1 to 1000; 100, if not given",
    "continueAfter": "as the run before answered it",
}


def _reason(value: str) -> str:
    if value not in _REASONS:
        raise ValueError(f"must be one of {', '.join(_REASONS)}")
    return value


class Chosen(OrderBody):
    """Which connections are meant."""

    ids: Annotated[list[ConnectionId], Field(min_length=1, max_length=100)] | None = None
    reason: Annotated[str, AfterValidator(_reason)] | None = None
    updated_from: Instant | None = None
    updated_to: Instant | None = None
    received_from: Instant | None = None
    received_to: Instant | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if not self.model_fields_set or ("ids" in self.model_fields_set and len(self.model_fields_set) > 1):
            raise ValueError("must have either `ids` alone or at least one of the criteria")
        return self


class Asked(OrderBody):
    """What ops sent."""

    refetch: Chosen | None = None
    retry: Chosen | None = None
    reannounce: Chosen | None = None
    ticket: Ticket
    dry_run: bool = True
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    continue_after: ConnectionId | None = None

    @model_validator(mode="after")
    def _asks_for_one_thing(self) -> Self:
        if sum(chosen is not None for chosen in (self.refetch, self.retry, self.reannounce)) != 1:
            raise ValueError("must have exactly one of `refetch`, `retry` and `reannounce`")
        return self


def answer(
    given: Any, refetcher: Refetcher, time_left: TimeLeft, *, correlation_id: str, logger: Logger
) -> dict[str, Any]:
    """Do what was ordered, if it can be read, and say what became of it."""
    try:
        asked = parsed(given, Asked)
    except NotAsDescribed as refusal:
        logger.warning("order refused", detail=refusal.detail)
        return {"outcome": "refused", "detail": refusal.detail, "accepted": ACCEPTED}
    order = order_of(asked, correlation_id)
    run = refetcher.run(order, time_left)
    said: dict[str, Any] = {
        "ticket": asked.ticket,
        "dryRun": order.dry_run,
        "counts": run.counts,
        "complete": run.complete,
    }
    logger.info("order ended", verb=order.verb, **said)
    if run.unreadable:
        logger.error("rows cannot be read", connectionIds=run.unreadable)
    if not order.dry_run:
        metrics.count(
            [Metric.EVENT_ANNOUNCED] * run.counts[RefetchEnding.ANNOUNCED]
            + [Metric.CONNECTION_REFETCHED] * run.counts[RefetchEnding.REFETCHED]
            + [Metric.CONNECTION_RETRIED] * run.counts[RefetchEnding.RETRIED]
        )
    return shown(order, run)


def order_of(asked: Asked, correlation_id: str) -> Order:
    ((verb, chosen),) = [(verb, chosen) for verb in Verb if (chosen := getattr(asked, verb)) is not None]
    return Order(
        verb=verb,
        correlation_id=correlation_id,
        dry_run=asked.dry_run,
        limit=asked.limit,
        ids=tuple(dict.fromkeys(chosen.ids)) if chosen.ids else None,
        criteria=None
        if chosen.ids
        else Criteria(
            statuses=_MEANT[verb],
            due=verb is Verb.RETRY and chosen.reason is None,
            reason=chosen.reason,
            updated_from=chosen.updated_from,
            updated_to=chosen.updated_to,
            received_from=chosen.received_from,
            received_to=chosen.received_to,
        ),
        after=asked.continue_after,
    )


_MEANT = {Verb.REFETCH: TERMINAL - {Status.DELETED}, Verb.REANNOUNCE: TERMINAL, Verb.RETRY: AT_WORK}


def shown(order: Order, run: Run) -> dict[str, Any]:
    """Counts; for an order by ids, also what became of each."""
    answer: dict[str, Any] = {"dryRun": order.dry_run, "complete": run.complete, "counts": run.counts}
    if order.ids:
        answer["connections"] = run.endings
    if run.unreadable:
        answer["unreadable"] = run.unreadable
    if run.after is not None:
        answer["continueAfter"] = run.after
    return answer
