"""GET /connections and GET /connections/{connectionId}: what the caller's connections are doing."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from landing import wiring
from landing.domain.connection import Connection
from landing.edge import web
from landing.edge.invocation import invoked
from landing.stores.connection_row import UnreadableRow

logger = Logger()
wiring.in_init(wiring.connection_table)


def show_connection(event: web.Event) -> web.Reply:
    connection = wiring.connection_table().get_of_owner(
        web.owner(event, wiring.owner_claim()), web.connection_id(event)
    )
    if connection is None:
        raise web.not_found()
    return web.found(connection)


def list_connections(event: web.Event) -> web.Reply:
    limit, token = web.page(event)
    owner = web.owner(event, wiring.owner_claim())
    page = wiring.connection_table().page_of_owner(owner, limit, token)
    unreadable = [row.connection_id for row in page.connections if isinstance(row, UnreadableRow)]
    if unreadable:
        logger.error("rows cannot be read", connectionIds=unreadable)
    return web.listed([row for row in page.connections if isinstance(row, Connection)], page.next_token)


ROUTES = {
    "GET /connections": list_connections,
    "GET /connections/{connectionId}": show_connection,
}


@logger.inject_lambda_context
@invoked
def lambda_handler(event: web.Event, context: LambdaContext) -> web.Reply:
    return web.answer(event, ROUTES[event["routeKey"]], logger)
