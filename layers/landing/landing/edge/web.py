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
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from typing import Annotated, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from landing import error_names, strict_json
from landing.domain.connection import CONNECTION_ID, ERASED, Action, Connection, timestamp
from landing.edge.sentences import sentence_for
from landing.stores.connection_table import BadToken
from landing.verbs.receive_login import ConnectionErased, Contended

type Event = dict[str, Any]
type Reply = dict[str, Any]

BODY_LIMIT = 8 * 1024
LONGEST_OWNER = 256
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
    UNAVAILABLE = "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "The service cannot answer now"

    def __init__(self, slug: str, status: HTTPStatus, title: str) -> None:
        self.slug = slug
        self.urn = _URN + slug
        self.status = status
        self.title = title


class Problem(Exception):
    """An answer that says no: `detail` says what to do and quotes nothing that was sent."""

    def __init__(self, type_: ProblemType, detail: str, *, retry_after: int | None = None, cause: str = "") -> None:
        super().__init__(type_.slug)
        self.type = type_
        self.detail = detail
        self.retry_after = retry_after
        self.cause = cause or type_.slug
        """For the log line: what we know and do not say."""

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


class Crash(Exception):
    """A defect of ours, named without the words of the library that noticed: they may quote what was sent."""


def answer(event: Event, verb: Callable[[Event], Reply], refused: Callable[[str, str], None]) -> Reply:
    """Run `verb`; what it raises becomes a problem. `refused` is told (problem, cause), for one log line.

    Raises Crash for what nobody foresaw: the gateway then answers 500, and the alarms hear of it.
    """
    try:
        return verb(event)
    except Problem as problem:
        said = problem
    except ConnectionErased:
        said = _erased()
    except BadToken:
        said = bad_page()
    except (Contended, ClientError, BotoCoreError) as fault:
        said = unavailable(error_names.name_of(fault))
    except Exception as defect:  # noqa: BLE001 - see Crash
        raise Crash(f"{error_names.name_of(defect)} at {error_names.place_of(defect)}") from None
    refused(said.type.slug, said.cause)
    return said.reply(event["requestContext"]["requestId"])


# --- what came in


def owner(event: Event) -> str:
    """The app user: the `sub` claim of the token that the gateway has verified. Raises Problem 403."""
    claims = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
    sub = claims.get("sub")
    if not isinstance(sub, str) or not 1 <= len(sub) <= LONGEST_OWNER or not _is_text(sub):
        raise Problem(
            ProblemType.NO_SUBJECT, f"Send an access token with a `sub` claim of 1 to {LONGEST_OWNER} characters."
        )
    return sub


def body[M: BaseModel](event: Event, model: type[M]) -> M:
    """The JSON body as `model`. Raises Problem 400, 413, 415 or 422."""
    media_type = event["headers"].get("content-type", "").strip()
    if not re.fullmatch(r'application/json(\s*;\s*charset=(utf-8|"utf-8"))?', media_type, re.IGNORECASE):
        raise Problem(ProblemType.NOT_JSON, "Send the header `Content-Type: application/json`.")
    try:
        return model.model_validate(_parse(_raw_body(event)))
    except ValidationError as error:
        raise _invalid(error) from None


def connection_id(event: Event) -> str:
    """The id in the path. Raises Problem 404 for what cannot be one."""
    id_ = event["pathParameters"]["connectionId"]
    if not re.fullmatch(CONNECTION_ID, id_):
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


def _is_text(value: str) -> bool:
    """A lone surrogate can stand in JSON, and nowhere else."""
    return not re.search("[\ud800-\udfff]", value)


# --- what is accepted

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INSTITUTION = r"^[A-Za-z0-9\u00c0-\u024f\u0300-\u036f .,:;!#*@&'\u2019()/_+\u2013-]{1,64}$"
"""Latin letters with all their accents; no class such as \\w, which means more in each edition of Unicode."""
MOST_ACCOUNTS = 100


def _canonical_guid(value: str) -> str:
    """Flinks' GUIDs have no version bits (flinks-api §14), so only the spelling is checked."""
    lowered = value.lower()
    if not _GUID.fullmatch(lowered):
        raise ValueError("must be a GUID: 8-4-4-4-12 hexadecimal digits")
    return lowered


def _all_different(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("must not name an account twice")
    return values


type Guid = Annotated[str, AfterValidator(_canonical_guid)]
type ChosenAccounts = Annotated[
    list[Guid], Field(min_length=1, max_length=MOST_ACCOUNTS), AfterValidator(_all_different)
]


class Body(BaseModel):
    """camelCase outside; nothing unknown, nothing converted, nothing quoted in an error."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, frozen=True, hide_input_in_errors=True
    )


class PostedLogin(Body):
    """What the browser sends after Flinks Connect."""

    login_id: Guid = Field(repr=False)
    institution: Annotated[str, StringConstraints(pattern=INSTITUTION)] | None = None
    account_ids: (
        Annotated[list[Guid], Field(min_length=1, max_length=MOST_ACCOUNTS), AfterValidator(_all_different)] | None
    ) = None


class WantedSession(Body):
    """What a browser may ask of a Connect session. Where it ends is not for a browser to say."""

    language: Literal["en", "fr"] = "en"
    select_accounts: bool = False


def _invalid(error: ValidationError) -> Problem:
    """Says which member is wrong, as far as the name is ours, and why, as far as the words are ours."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    member = str(first["loc"][0]) if first["loc"] else ""
    match first["type"]:
        case "extra_forbidden":
            detail = "The body has a member that this endpoint does not know."
        case "missing":
            detail = f"The member `{member}` is missing."
        case "value_error":
            detail = f"The member `{member}` {first['msg'].removeprefix('Value error, ')}."
        case _ if not member:
            detail = "The body must be a JSON object."
        case _:
            detail = f"The member `{member}` has the wrong type, length or characters."
    return Problem(ProblemType.INVALID_BODY, detail)


# --- what goes out


def accepted(connection: Connection) -> Reply:
    location = {"Location": f"/connections/{connection.connection_id}"}
    return _reply(HTTPStatus.ACCEPTED, shown(connection), location | _look_again(connection))


def session_created(connect_url: str, expires_at: datetime) -> Reply:
    body = {"connectUrl": connect_url, "expiresAt": timestamp(expires_at)}
    return _reply(HTTPStatus.CREATED, body)


def found(connection: Connection) -> Reply:
    return _reply(HTTPStatus.OK, shown(connection), _look_again(connection))


def listed(connections: tuple[Connection, ...], next_token: str | None) -> Reply:
    body: dict[str, Any] = {"connections": [shown(connection) for connection in connections]}
    if next_token is not None:
        body["nextToken"] = next_token
    return _reply(HTTPStatus.OK, body)


def shown(connection: Connection) -> dict[str, Any]:
    """What the owner may see of a connection."""
    status = connection.public_status
    action = Action.WAIT if status == "processing" else connection.action
    reason = None if connection.status in ERASED else connection.reason
    sentence = sentence_for(status, reason, action)
    return {
        "connectionId": connection.connection_id,
        "status": status,
        "reason": reason,
        "action": action.value,
        "message": {"en": sentence.en, "fr": sentence.fr},
        "institution": connection.institution,
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


def unavailable(cause: str = "") -> Problem:
    """For now. `cause` is a word of ours, for the log line; the caller can only try again."""
    return Problem(
        ProblemType.UNAVAILABLE,
        "Nothing was lost. Send the same request again after the time in `Retry-After`.",
        retry_after=_RETRY_SECONDS,
        cause=cause,
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
