"""Ops, and the erase queue: erase connections at Flinks, in S3 and in our table. Safe to repeat.

An order names connections by connectionId, loginId or owner (one, or a list of up to 100), with the `ticket` that
asked for it; `dryRun` only looks. Whoever may invoke this function may erase: IAM decides who.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Self

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field, StringConstraints, ValidationError, model_validator

from landing import metrics, queues, trouble, wiring
from landing.connection import timestamp
from landing.erase import Ending, Outcome, TimeLeft, erase_all, outcome_of
from landing.metrics import Metric
from landing.web import Body, Guid

logger = Logger()

type OneOrMore[T] = T | Annotated[list[T], Field(min_length=1, max_length=100)]
type ConnectionId = Annotated[str, StringConstraints(pattern=r"^con_[a-z0-9_]{1,60}$")]
type Owner = Annotated[str, StringConstraints(min_length=1, max_length=256)]

ACCEPTED = {
    "connectionId | loginId | owner": "exactly one of these members: a text, or a list of up to 100",
    "ticket": "who asked for it, as a reference without personal data: up to 64 of A-Z a-z 0-9 . _ : / # -",
    "dryRun": "true: only look, change nothing",
}

COUNTED = {
    Ending.DELETED: Metric.CONNECTION_DELETED,
    Ending.UNKNOWN_AT_FLINKS: Metric.CONNECTION_DELETED,
    Ending.DELETING: Metric.CONNECTION_DELETING,
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


def named(order: Order) -> list[list[str]]:
    """The connectionIds that each entry of the order means; none where nothing is known of it."""
    eraser = wiring.eraser()
    if order.login_id is not None:
        return [eraser.with_login(login_id) for login_id in _listed(order.login_id)]
    if order.owner is not None:
        return [eraser.of_owner(owner) for owner in _listed(order.owner)]
    return [[connection_id] for connection_id in _listed(order.connection_id or [])]


def _listed(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def report(connection_id: str, outcome: Outcome | Exception, ticket: str | None = None) -> None:
    """One log line for a run, and the metrics to count for it."""
    about: dict[str, Any] = {"connectionId": connection_id, "ticket": ticket}
    if isinstance(outcome, Exception):
        error, place = trouble.name_of(outcome), trouble.place_of(outcome)
        logger.error("erase broke off", error=error, place=place, **about)
        metrics.count([Metric.ERASE_ERROR])
        return
    logger.info("erase ended", ending=outcome.ending, reason=outcome.reason, cause=outcome.cause, **about)
    metrics.count([*outcome.metrics, *([COUNTED[outcome.ending]] if outcome.ending in COUNTED else [])])


def shown(position: int, outcome: Outcome | Exception) -> dict[str, Any]:
    """What ops sees of one connection; `order` is the position in the order's list."""
    if isinstance(outcome, Exception):
        return {"order": position, "outcome": "not_done", "reason": "service_unavailable"}
    answer = {
        "order": position,
        "connectionId": outcome.connection_id,
        "outcome": outcome.ending.value,
        "reason": outcome.reason,
        "dueAt": timestamp(outcome.due_at) if outcome.due_at else None,
        "wouldErase": outcome.would_erase,
        "receipt": outcome.receipt,
    }
    return {name: value for name, value in answer.items() if value is not None}


def erase_ordered(event: dict[str, Any], time_left: TimeLeft) -> dict[str, Any]:
    try:
        order = Order.model_validate(event)
    except ValidationError:
        logger.warning("order refused")
        return {"outcome": "refused", "accepted": ACCEPTED}
    eraser = wiring.eraser()
    entries: list[tuple[int, str]] = []
    answers: list[dict[str, Any]] = []
    try:
        for position, connection_ids in enumerate(named(order)):
            entries += [(position, connection_id) for connection_id in connection_ids]
            if not connection_ids:
                answers.append(shown(position, Outcome(None, Ending.UNKNOWN)))
    except (ClientError, BotoCoreError) as error:
        report("", error, order.ticket)
        return {"outcome": "not_done", "reason": "service_unavailable"}

    def work(connection_id: str) -> Callable[[], Outcome]:
        if order.dry_run:
            return partial(eraser.look, connection_id)
        return partial(eraser.erase, connection_id, order.ticket, time_left)

    outcomes = erase_all([work(connection_id) for _, connection_id in entries], wiring.erase_threads())
    for (position, connection_id), outcome in zip(entries, outcomes, strict=True):
        report(connection_id, outcome, order.ticket)
        answers.append(shown(position, outcome))
    return {"dryRun": order.dry_run, "connections": sorted(answers, key=lambda answer: answer["order"])}


def erase_due(records: list[dict[str, Any]], time_left: TimeLeft) -> dict[str, Any]:
    eraser = wiring.eraser()
    failed: list[str] = []
    for record in records:
        try:
            hint = queues.from_message(record.get("body", ""))
        except queues.BadMessage:
            logger.error("not a message of ours", messageId=record["messageId"])
            failed.append(record["messageId"])
            continue
        outcome = outcome_of(partial(eraser.resume, hint, time_left))
        report(hint.connection_id, outcome)
        if isinstance(outcome, Exception):
            failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}


def is_batch(event: Any) -> bool:
    """Whether the event comes from the queue; anything else is an order, a malformed one perhaps."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and all(isinstance(each, dict) and "messageId" in each for each in records)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    def time_left() -> timedelta:
        return timedelta(milliseconds=context.get_remaining_time_in_millis())

    if is_batch(event):
        return erase_due(event["Records"], time_left)
    return erase_ordered(event, time_left)
