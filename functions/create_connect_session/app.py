"""POST /connect-sessions: give the caller a Flinks Connect URL of her own, good for one page view."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import metrics, wiring
from landing.edge import web
from landing.edge.bodies import WantedSession
from landing.edge.invocation import invoked
from landing.metrics import Metric
from landing.stores.hourly_count import TooMany
from landing.verbs.create_connect_session import NoSession, Options, create_connect_session

logger = Logger()
wiring.in_init(wiring.connect_page, wiring.token_mint, wiring.owner_tag, wiring.session_count)


def open_session(event: web.Event) -> web.Reply:
    owner = web.owner(event, wiring.owner_claim())
    wanted = web.body(event, WantedSession)
    try:
        session = create_connect_session(
            owner,
            page=wiring.connect_page(),
            flinks=wiring.token_mint(),
            tags=wiring.owner_tag(),
            count=wiring.session_count(),
            clock=wiring.clock,
            options=Options(
                language=wanted.language,
                select_accounts=wanted.select_accounts,
                institution=wanted.institution,
                customer_name=wanted.customer_name,
                theme=wanted.theme,
                terms_url=wanted.terms_url,
                days_of_transactions=wanted.days_of_transactions,
                webview=wanted.webview,
            ),
        )
    except TooMany as refusal:
        metrics.count([Metric.SESSION_LIMIT_REACHED])
        raise web.too_many_sessions(refusal.wait) from None
    except NoSession as refusal:
        metrics.count_causes([refusal.cause.label])
        raise web.unavailable(refusal.cause.text, refusal.reason) from None
    metrics.count([Metric.CONNECT_SESSION_CREATED])
    return web.session_created(session.connect_url, session.expires_at)


@logger.inject_lambda_context
@invoked
def lambda_handler(event: web.Event, context: LambdaContext) -> web.Reply:
    return web.answer(event, open_session, logger)
