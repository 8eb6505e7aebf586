"""POST /connections: keep the loginId that Flinks Connect gave to the browser."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import metrics, wiring
from landing.domain.connection import DaysOfTransactions, Language
from landing.edge import web
from landing.edge.bodies import PostedLogin
from landing.edge.invocation import invoked
from landing.metrics import Metric
from landing.stores.hourly_count import TooMany
from landing.verbs.receive_login import NewLogin, receive

logger = Logger()
wiring.in_init(wiring.connection_table, wiring.login_seal, wiring.index_key, wiring.fetch_count)


def receive_login(event: web.Event) -> web.Reply:
    owner = web.owner(event, wiring.owner_claim())
    posted = web.body(event, PostedLogin)
    login = NewLogin(
        owner=owner,
        login_id=posted.login_id,
        institution=posted.institution,
        language=Language(posted.language) if posted.language else None,
        days_of_transactions=DaysOfTransactions(posted.days_of_transactions) if posted.days_of_transactions else None,
        account_ids=posted.chosen,
        correlation_id=event["requestContext"]["requestId"],
    )
    try:
        connection = receive(
            login,
            table=wiring.connection_table(),
            seal=wiring.login_seal(),
            index=wiring.index_key(),
            count=wiring.fetch_count(),
            clock=wiring.clock,
        )
    except TooMany as refusal:
        metrics.count([Metric.FETCH_LIMIT_REACHED])
        raise web.too_many_fetches(refusal.wait) from None
    logger.info(
        "login received",
        connectionId=connection.connection_id,
        generation=connection.generation,
        status=connection.status,
        correlationId=connection.correlation_id,
    )
    metrics.count([Metric.LOGIN_RECEIVED])
    return web.accepted(connection)


@logger.inject_lambda_context
@invoked
def lambda_handler(event: web.Event, context: LambdaContext) -> web.Reply:
    return web.answer(event, receive_login, logger)
