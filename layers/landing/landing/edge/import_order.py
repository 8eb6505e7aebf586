"""An order to import logins, as ops gives it, and what became of each; no loginId and no owner is said again."""

from collections import Counter
from typing import Annotated, Any, Literal

from aws_lambda_powertools import Logger
from pydantic import AfterValidator, Field

from landing import metrics
from landing.deadlines import TimeLeft
from landing.domain.connection import whole_milliseconds
from landing.edge.inputs import TICKET, NotAsDescribed, label
from landing.edge.orders import Guid, Instant, OrderBody, Owner, Ticket, parsed
from landing.metrics import Metric
from landing.verbs.import_logins import BroughtLogin, ImportEnding, Importer

ACCEPTED = {
    "logins": [
        {
            "loginId": "a GUID",
            "owner": "whose it is: the `sub` of their token",
            "institution": "the bank's name, if known",
            "receivedAt": "when it was got, an RFC 3339 time with a zone; now, if not given",
        }
    ],
    "ticket": TICKET,
    "fetch": "now, or later: only keep it, until a retry is ordered or its owner posts it",
    "dryRun": "true, if not given: only look. false: do it",
}


class Login(OrderBody):
    """One login of an order."""

    login_id: Guid = Field(repr=False)
    owner: Owner
    institution: Annotated[str | None, AfterValidator(label)] = None
    received_at: Annotated[Instant, AfterValidator(whole_milliseconds)] | None = None


class Order(OrderBody):
    """What ops sent."""

    logins: Annotated[list[Login], Field(min_length=1, max_length=100, repr=False)]
    ticket: Ticket
    fetch: Literal["now", "later"]
    dry_run: bool = True


def answer(
    given: Any, importer: Importer, time_left: TimeLeft, *, correlation_id: str, logger: Logger
) -> dict[str, Any]:
    """Do what was ordered, if it can be read, and say what became of each login, in the order's order."""
    try:
        order = parsed(given, Order)
    except NotAsDescribed as refusal:
        logger.warning("order refused", detail=refusal.detail)
        return {"outcome": "refused", "detail": refusal.detail, "accepted": ACCEPTED}
    logins = [BroughtLogin(each.owner, each.login_id, each.institution, each.received_at) for each in order.logins]
    done = importer.run(
        logins, time_left, fetch=order.fetch == "now", dry_run=order.dry_run, correlation_id=correlation_id
    )
    counts = Counter(each.ending for each in done)
    logger.info("logins imported", counts=counts, ticket=order.ticket, fetch=order.fetch, dryRun=order.dry_run)
    for cause in sorted({each.cause for each in done if each.cause}):
        logger.error("import broke off", cause=cause, ticket=order.ticket)
    if not order.dry_run:
        metrics.count([Metric.LOGIN_IMPORTED] * counts[ImportEnding.IMPORTED])
    return {
        "dryRun": order.dry_run,
        "counts": counts,
        "logins": [{"outcome": each.ending, "connectionId": each.connection_id} for each in done],
    }
