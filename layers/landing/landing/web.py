"""HTTP at the border: a strict body, the caller's name, and answers that never echo what came in.

Errors are RFC 9457 problems. The gateway answers some things by itself (401, 404 for a route it does not know,
413 above its own limit, 429); those are documented in openapi.yaml as they are.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from landing import trouble
from landing.connection import Action, Connection, timestamp
from landing.connection_table import BadToken
from landing.receive import ConnectionErased, Contended

type Event = dict[str, Any]
type Reply = dict[str, Any]

BODY_LIMIT = 8 * 1024
_DEPTH_LIMIT = 8
_PROBLEMS = "urn:flinks-landing:problem:"
_RETRY_SECONDS = 2
_PAGE = 20
_LONGEST_OWNER = 256
_POLL_SECONDS = 2


class Problem(Exception):
    """An answer that says no: `type` is stable, `detail` says what to do and quotes nothing that was sent."""

    def __init__(self, status: HTTPStatus, type_: str, title: str, detail: str, retry_after: int | None = None) -> None:
        super().__init__(type_)
        self.status = status
        self.type = type_
        self.title = title
        self.detail = detail
        self.retry_after = retry_after
        self.cause = type_
        """For the log line: what we know and do not say."""

    def reply(self, request_id: str) -> Reply:
        body = {
            "type": _PROBLEMS + self.type,
            "title": self.title,
            "status": self.status.value,
            "detail": self.detail,
            "instance": f"urn:request:{request_id}",
        }
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after is not None else {}
        return _reply(self.status, body, headers, "application/problem+json")


def answer(event: Event, verb: Callable[[Event], Reply], refused: Callable[[str, str], None]) -> Reply:
    """Run `verb`; what it raises becomes a problem. `refused` is told (type, cause), for one log line."""
    try:
        return verb(event)
    except Problem as problem:
        said, cause = problem, problem.cause
    except ConnectionErased as erased:
        said, cause = _erased(), type(erased).__name__
    except BadToken as token:
        said, cause = bad_page(), type(token).__name__
    except (Contended, ClientError, BotoCoreError) as fault:
        said, cause = unavailable(), trouble.name_of(fault)
    refused(said.type, cause)
    return said.reply(event["requestContext"]["requestId"])


# --- what came in


def owner(event: Event) -> str:
    """The app user: the `sub` claim of the token that the gateway has verified. Raises Problem 403."""
    claims = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
    sub = claims.get("sub")
    if not isinstance(sub, str) or not 1 <= len(sub) <= _LONGEST_OWNER:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "no-subject",
            "The token names no app user",
            "Send an access token with a `sub` claim of 1 to 256 characters.",
        )
    return sub


def body[M: BaseModel](event: Event, model: type[M]) -> M:
    """The JSON body as `model`. Raises Problem 400, 413, 415 or 422."""
    media_type = event["headers"].get("content-type", "").strip()
    if not re.fullmatch(r'application/json(\s*;\s*charset="?utf-8"?)?', media_type, re.IGNORECASE):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "The body must be JSON",
            "Send the header `Content-Type: application/json`.",
        )
    try:
        return model.model_validate(_parse(_raw_body(event)))
    except ValidationError as error:
        raise _invalid(error) from None


def path_parameter(event: Event, name: str) -> str:
    return str(event.get("pathParameters", {}).get(name, ""))


def _raw_body(event: Event) -> bytes:
    sent = event.get("body") or ""
    if len(sent) > 2 * BODY_LIMIT:
        raise _too_large()
    try:
        raw = base64.b64decode(sent, validate=True) if event.get("isBase64Encoded") else sent.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise _malformed() from None
    if len(raw) > BODY_LIMIT:
        raise _too_large()
    return raw


def _parse(raw: bytes) -> Any:
    try:
        text = raw.decode()
        # The gateway puts U+FFFD where bytes were broken, so we cannot tell it from one that was sent.
        if "\ufffd" in text or _depth(text) > _DEPTH_LIMIT:
            raise _malformed()
        parsed = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        json.dumps(parsed, ensure_ascii=False).encode()  # lone surrogates parse and cannot be written
    except ValueError:
        raise _malformed() from None
    return parsed


def _depth(text: str) -> int:
    """An upper bound on the nesting, found before parsing can run into it."""
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(_: str) -> Any:
    raise ValueError("not a JSON number")


# --- what is accepted

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def _canonical_guid(value: str) -> str:
    """Flinks' GUIDs have no version bits (flinks-api §14), so only the spelling is checked."""
    lowered = value.lower() if value.isascii() else ""
    if not _GUID.fullmatch(lowered):
        raise ValueError("must be a GUID: 8-4-4-4-12 hexadecimal digits")
    return lowered


def _all_different(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("must not name an account twice")
    return values


type Guid = Annotated[str, AfterValidator(_canonical_guid)]


class Body(BaseModel):
    """camelCase outside; nothing unknown, nothing converted, nothing quoted in an error."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, frozen=True, hide_input_in_errors=True
    )


class PostedLogin(Body):
    """What the browser sends after Flinks Connect."""

    login_id: Guid = Field(repr=False)
    institution: Annotated[str, StringConstraints(pattern=r"^[\w .,&'()/-]{1,64}$")] | None = None
    account_ids: Annotated[list[Guid], Field(min_length=1, max_length=100), AfterValidator(_all_different)] | None = (
        None
    )


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
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-body", "The body is not as described", detail)


# --- what goes out


def accepted(connection: Connection) -> Reply:
    location = {"Location": f"/connections/{connection.connection_id}"}
    return _reply(HTTPStatus.ACCEPTED, shown(connection), location)


def session_created(connect_url: str, expires_at: datetime) -> Reply:
    body = {"connectUrl": connect_url, "expiresAt": timestamp(expires_at)}
    return _reply(HTTPStatus.CREATED, body)


def found(connection: Connection) -> Reply:
    """One connection; while it is being worked on, with when to look again."""
    processing = connection.public_status == "processing"
    return _reply(HTTPStatus.OK, shown(connection), {"Retry-After": str(_POLL_SECONDS)} if processing else {})


def listed(connections: tuple[Connection, ...], next_token: str | None) -> Reply:
    body: dict[str, Any] = {"connections": [shown(connection) for connection in connections]}
    if next_token is not None:
        body["nextToken"] = next_token
    return _reply(HTTPStatus.OK, body)


def shown(connection: Connection) -> dict[str, Any]:
    """What the owner may see of a connection."""
    processing = connection.public_status == "processing"
    return {
        "connectionId": connection.connection_id,
        "status": connection.public_status,
        "reason": connection.reason,
        "action": Action.WAIT.value if processing else connection.action.value,
        "institution": connection.institution,
        "receivedAt": timestamp(connection.received_at),
        "updatedAt": timestamp(connection.updated_at),
    }


def not_found() -> Problem:
    """The same for what never was and for what belongs to someone else."""
    return Problem(
        HTTPStatus.NOT_FOUND,
        "no-such-connection",
        "No such connection",
        "The caller has no connection of this id; GET /connections lists those there are.",
    )


def page(event: Event) -> tuple[int, str | None]:
    """How many to list, and from where. Raises Problem 400."""
    asked = event.get("queryStringParameters") or {}
    limit = asked.get("limit", str(_PAGE))
    if not re.fullmatch(r"[1-9][0-9]?|100", limit, re.ASCII):
        raise bad_page()
    return int(limit), asked.get("nextToken")


def bad_page() -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "bad-page",
        "No such page",
        "`limit` is a number from 1 to 100; `nextToken` comes from the answer before, as it is.",
    )


def _erased() -> Problem:
    return Problem(
        HTTPStatus.GONE,
        "connection-erased",
        "This connection was erased",
        "The connection was deleted on request, or is being deleted. Ask support before connecting again.",
    )


def unavailable(reason: str = "") -> Problem:
    """For now. `reason` is a word of ours, for the log line; the caller can only try again."""
    problem = Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "The service cannot answer now",
        "Nothing was lost. Send the same request again after the time in `Retry-After`.",
        retry_after=_RETRY_SECONDS,
    )
    problem.cause = reason or problem.type
    return problem


def _malformed() -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "malformed-json",
        "The body is not JSON",
        "Send one JSON object in UTF-8, without duplicate members, not nested deeper than 8.",
    )


def _too_large() -> Problem:
    return Problem(
        HTTPStatus.CONTENT_TOO_LARGE,
        "body-too-large",
        "The body is too large",
        f"A body may have {BODY_LIMIT} bytes at the most.",
    )


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
