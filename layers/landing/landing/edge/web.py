"""HTTP at the border: a strict body, the caller's name, and answers that never echo what came in.

Errors are RFC 9457 problems. The gateway answers some things by itself (401, 404 for a route it does not know,
413 above its own limit, 429); those are documented in openapi.yaml as they are.
"""

import base64
import binascii
import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger

from landing import metrics, strict_json
from landing.domain.connection import ERASED, Action, Connection, timestamp
from landing.domain.reasons import Reason
from landing.edge.bodies import Body, parsed
from landing.edge.inputs import LONGEST_OWNER, NotAsDescribed, is_connection_id, is_owner
from landing.edge.sentences import sentence_for
from landing.error_names import NOT_SERVED, name_of
from landing.metrics import Metric
from landing.stores.connection_row import UnreadableRow
from landing.stores.connection_table import BadToken
from landing.verbs.receive_login import ConnectionErased, Contended

type Event = dict[str, Any]
type Reply = dict[str, Any]

BODY_LIMIT = 8 * 1024
LARGEST_PAGE = 100
USUAL_PAGE = 20
_URN = "urn:flinks-landing:problem:"
_RETRY_SECONDS = 2
_POLL_SECONDS = 2


class ProblemType(Enum):
    """Every problem there is: its stable name, its status, its title."""

    MALFORMED_JSON = "malformed-json", HTTPStatus.BAD_REQUEST, "The body is not JSON"
    BAD_PAGE = "bad-page", HTTPStatus.BAD_REQUEST, "No such page"
    NO_SUBJECT = "no-subject", HTTPStatus.FORBIDDEN, "The token names no app user"
    NO_SUCH_CONNECTION = "no-such-connection", HTTPStatus.NOT_FOUND, "No such connection"
    CONNECTION_ERASED = "connection-erased", HTTPStatus.GONE, "This connection was erased"
    BODY_TOO_LARGE = "body-too-large", HTTPStatus.CONTENT_TOO_LARGE, "The body is too large"
    NOT_JSON = "not-json", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be JSON"
    INVALID_BODY = "invalid-body", HTTPStatus.UNPROCESSABLE_ENTITY, "The body is not as described"
    TOO_MANY_SESSIONS = "too-many-sessions", HTTPStatus.TOO_MANY_REQUESTS, "Too many Connect sessions"
    TOO_MANY_FETCHES = "too-many-fetches", HTTPStatus.TOO_MANY_REQUESTS, "Too many fetches"
    UNAVAILABLE = "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "The service cannot answer now"

    def __init__(self, slug: str, status: HTTPStatus, title: str) -> None:
        self.slug = slug
        self.urn = _URN + slug
        self.status = status
        self.title = title


class Problem(Exception):
    """An answer that says no: `detail` says what to do and quotes nothing that was sent."""

    def __init__(
        self,
        type_: ProblemType,
        detail: str,
        *,
        retry_after: int | None = None,
        cause: str = "",
        reason: Reason | None = None,
    ) -> None:
        super().__init__(type_.slug)
        self.type = type_
        self.detail = detail
        self.retry_after = retry_after
        self.cause = cause or type_.slug
        """For the log line only, as `reason`: the answer does not say it."""
        self.reason = reason

    def reply(self, request_id: str) -> Reply:
        body = {
            "type": self.type.urn,
            "title": self.type.title,
            "status": self.type.status.value,
            "detail": self.detail,
            "instance": f"urn:request:{request_id}",
        }
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after is not None else {}
        return _reply(self.type.status, body, headers, "application/problem+json")


def answer(event: Event, verb: Callable[[Event], Reply], logger: Logger) -> Reply:
    """Run `verb`; what it raises becomes a problem, with one log line.

    What nobody foresaw stays an exception: the gateway then answers 500, and the alarms hear of it.
    """
    try:
        return verb(event)
    except Problem as problem:
        said = problem
    except ConnectionErased:
        said = _erased()
    except BadToken:
        said = bad_page()
    except (Contended, UnreadableRow, *NOT_SERVED) as fault:
        said = unavailable(name_of(fault))
    request_id = event["requestContext"]["requestId"]
    about = {"reason": said.reason, "cause": said.cause, "correlationId": request_id}
    logger.warning("request refused", problem=said.type.slug, **about)
    metrics.count([Metric.REQUEST_REFUSED])
    return said.reply(request_id)


# --- what came in


def owner(event: Event, claim: str) -> str:
    """The app user: this claim of the token that the gateway has verified. Raises Problem 403."""
    claims = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
    named = claims.get(claim)
    if not is_owner(named):
        raise Problem(
            ProblemType.NO_SUBJECT, f"Send an access token with a `{claim}` claim of 1 to {LONGEST_OWNER} characters."
        )
    return str(named)


def body[M: Body](event: Event, model: type[M]) -> M:
    """The JSON body as `model`. Raises Problem 400, 413, 415 or 422."""
    if not _is_json(event["headers"].get("content-type", "")):
        raise Problem(ProblemType.NOT_JSON, "Send the header `Content-Type: application/json`.")
    try:
        return parsed(_parse(_raw_body(event)), model)
    except NotAsDescribed as refusal:
        raise Problem(ProblemType.INVALID_BODY, refusal.detail) from None


_PARAMETER = re.compile(r"""\s*([\w!#$%&'*+.^`|~-]+)=("[^"\\]*"|[\w!#$%&'*+.^`|~-]+)\s*""", re.ASCII)


def _is_json(content_type: str) -> bool:
    """Whether a body of this type can only be JSON in UTF-8. Parameters that say nothing else are passed over."""
    media_type, *more = content_type.split(";")
    parameters = [_PARAMETER.fullmatch(each) for each in more if each.strip()]
    charsets = [each[2].strip('"').lower() for each in parameters if each and each[1].lower() == "charset"]
    is_plain = all(parameters) and charsets in ([], ["utf-8"], ["utf8"])
    return media_type.strip().lower() == "application/json" and is_plain


def connection_id(event: Event) -> str:
    """The id in the path. Raises Problem 404 for what cannot be one."""
    id_ = event["pathParameters"]["connectionId"]
    if not is_connection_id(id_):
        raise not_found()
    return str(id_)


def _raw_body(event: Event) -> bytes:
    sent = event.get("body") or ""
    try:
        raw = base64.b64decode(sent, validate=True) if event.get("isBase64Encoded") else sent.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise _malformed() from None
    if len(raw) > BODY_LIMIT:
        raise _too_large()
    return raw


def _parse(raw: bytes) -> Any:
    # The gateway puts U+FFFD where bytes were broken, so we cannot tell it from one that was sent.
    if "\ufffd".encode() in raw or raw.startswith(BOM_UTF8):
        raise _malformed()
    try:
        return strict_json.parse(raw)
    except strict_json.NotStrictJson:
        raise _malformed() from None


# --- what goes out


def accepted(connection: Connection) -> Reply:
    location = {"Location": f"/connections/{connection.connection_id}"}
    return _reply(HTTPStatus.ACCEPTED, shown(connection), location | _look_again(connection))


def session_created(connect_url: str, expires_at: datetime) -> Reply:
    body = {"connectUrl": connect_url, "expiresAt": timestamp(expires_at)}
    return _reply(HTTPStatus.CREATED, body)


def found(connection: Connection) -> Reply:
    return _reply(HTTPStatus.OK, shown(connection), _look_again(connection))


def listed(connections: list[Connection], next_token: str | None) -> Reply:
    body: dict[str, Any] = {"connections": [shown(connection) for connection in connections]}
    if next_token is not None:
        body["nextToken"] = next_token
    return _reply(HTTPStatus.OK, body)


def shown(connection: Connection) -> dict[str, Any]:
    """What the owner may see of a connection."""
    status = connection.public_status
    action = Action.WAIT if status == "processing" else connection.action
    reason = None if connection.status in ERASED or connection.holds_what_nobody_committed else connection.reason
    sentence = sentence_for(status, reason, action)
    return {
        "connectionId": connection.connection_id,
        "status": status,
        "reason": reason,
        "action": action.value,
        "message": {"en": sentence.en, "fr": sentence.fr},
        "institution": connection.institution,
        "language": connection.language,
        "daysOfTransactions": connection.days_of_transactions,
        "accounts": connection.drop.accounts if connection.drop else None,
        "receivedAt": timestamp(connection.received_at),
        "updatedAt": timestamp(connection.updated_at),
    }


def _look_again(connection: Connection) -> dict[str, str]:
    """While it is being worked on: when to look again."""
    return {"Retry-After": str(_POLL_SECONDS)} if connection.public_status == "processing" else {}


def not_found() -> Problem:
    """The same for what never was and for what belongs to someone else."""
    return Problem(
        ProblemType.NO_SUCH_CONNECTION,
        "The caller has no connection of this id; GET /connections lists those there are.",
    )


def page(event: Event) -> tuple[int, str | None]:
    """How many to list, and from where. Raises Problem 400."""
    asked = event.get("queryStringParameters") or {}
    limit = asked.get("limit", str(USUAL_PAGE))
    if not re.fullmatch(r"[1-9][0-9]{0,2}", limit) or int(limit) > LARGEST_PAGE:
        raise bad_page()
    return int(limit), asked.get("nextToken")


def bad_page() -> Problem:
    return Problem(
        ProblemType.BAD_PAGE,
        f"`limit` is a number from 1 to {LARGEST_PAGE}; `nextToken` comes from the answer before, as it is.",
    )


def _erased() -> Problem:
    return Problem(
        ProblemType.CONNECTION_ERASED,
        "The connection was deleted on request, or is being deleted. Ask support before connecting again.",
    )


def too_many_sessions(wait: timedelta) -> Problem:
    """The owner's hour is used up; `wait` is what is left of it."""
    return Problem(
        ProblemType.TOO_MANY_SESSIONS,
        "The app user has opened as many Connect sessions as an hour allows. Wait for the time in `Retry-After`.",
        retry_after=_whole_seconds(wait),
    )


def too_many_fetches(wait: timedelta) -> Problem:
    """The hour of the owner, or of this connection, is used up; `wait` is what is left of it."""
    return Problem(
        ProblemType.TOO_MANY_FETCHES,
        "The app user has had as many fetches as an hour allows. Nothing was changed. "
        "Send the same again after the time in `Retry-After`.",
        retry_after=_whole_seconds(wait),
    )


def _whole_seconds(wait: timedelta) -> int:
    """Rounded up: who comes back then has waited long enough."""
    return -(-wait // timedelta(seconds=1))


def unavailable(cause: str = "", reason: Reason | None = None) -> Problem:
    """The 503 of a fault that passes: the caller may send the same again. `cause` and `reason` are for the log."""
    return Problem(
        ProblemType.UNAVAILABLE,
        "Nothing was lost. Send the same request again after the time in `Retry-After`.",
        retry_after=_RETRY_SECONDS,
        cause=cause,
        reason=reason,
    )


def _malformed() -> Problem:
    return Problem(
        ProblemType.MALFORMED_JSON,
        "Send one JSON object in UTF-8, without duplicate members, NaN or lone surrogates, and not deeply nested.",
    )


def _too_large() -> Problem:
    return Problem(ProblemType.BODY_TOO_LARGE, f"A body may have {BODY_LIMIT} bytes at the most.")


def _reply(
    status: HTTPStatus,
    body: dict[str, Any],
    headers: dict[str, str] | None = None,
    media_type: str = "application/json",
) -> Reply:
    return {
        "statusCode": status.value,
        "headers": {"Content-Type": media_type, "Cache-Control": "no-store", **(headers or {})},
        "body": json.dumps(body, ensure_ascii=False),
        "isBase64Encoded": False,
    }
