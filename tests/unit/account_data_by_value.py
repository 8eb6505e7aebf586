"""What a drop must hold, said with values instead of bytes: slow, and plain to see. Tests hold the scissors to it."""

import json
from typing import Any

from landing.strict_json import MAX_DEPTH

OF_THE_ANSWER = {"links", "tag"}
OF_A_LOGIN = {"id", "username"}
ANYWHERE = {"requestid", "loginid"}


class NotStrict(ValueError):
    pass


def parsed(content: bytes) -> Any:
    """By the standard library, as strictly as `strict_json`. Raises ValueError."""
    text = content.decode("utf-8-sig")
    value = json.loads(text, object_pairs_hook=without_duplicates, parse_constant=refused)
    if depth(value) > MAX_DEPTH or lone_surrogates(value):
        raise NotStrict
    return as_written(text)


def as_written(text: str) -> Any:
    """With every number as (its text,): equal only if written alike."""
    return json.loads(text, parse_float=lambda literal: (literal,), parse_int=lambda literal: (literal,))


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise NotStrict
    return dict(pairs)


def refused(_constant: str) -> None:
    raise NotStrict


def depth(value: Any) -> int:
    """A scalar is one level."""
    if isinstance(value, dict):
        return 1 + max([depth(member) for member in value.values()], default=1 if value else 0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 1


def lone_surrogates(value: Any) -> list[str]:
    """The texts in `value` that no encoding can carry."""
    if isinstance(value, dict):
        return [text for name, member in value.items() for text in lone_surrogates(name) + lone_surrogates(member)]
    if isinstance(value, list):
        return [text for item in value for text in lone_surrogates(item)]
    return [value] if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value) else []


def stored(body: dict[str, Any], login_id: str) -> Any:
    """The answer less what names login and session, and less whatever quotes them."""
    request_id = body.get("RequestId")
    secrets = [login_id]
    if isinstance(request_id, str) and len(request_id) == len(login_id):
        secrets.append(request_id.lower())
    kept = {name: value for name, value in body.items() if name.lower() not in OF_THE_ANSWER}
    return without_quotes(stripped(kept), secrets)


def stripped(value: Any, within: str = "") -> Any:
    if isinstance(value, dict):
        return {
            name: stripped(member, name.lower())
            for name, member in value.items()
            if name.lower() not in ANYWHERE and not (within == "login" and name.lower() in OF_A_LOGIN)
        }
    if isinstance(value, list):
        return [stripped(item, within) for item in value]
    return value


def without_quotes(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, dict):
        return {
            name: without_quotes(member, secrets)
            for name, member in value.items()
            if not quotes(name, secrets) and not quotes(member, secrets)
        }
    if isinstance(value, list):
        return [without_quotes(item, secrets) for item in value if not quotes(item, secrets)]
    return value


def quotes(value: Any, secrets: list[str]) -> bool:
    return isinstance(value, str) and any(secret in value.lower() for secret in secrets)
