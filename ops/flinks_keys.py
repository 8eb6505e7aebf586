"""The two secrets that hold Flinks' keys: put in, and judged without being shown."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.target import Refused, Target

MEMBERS = {"secret-key": "secretKey", "api-key": "apiKey"}
_PARAMETERS = {"secret-key": "FlinksSecretKeyArn", "api-key": "FlinksApiKeyArn"}
_RESOURCES = {"secret-key": "FlinksSecretKey", "api-key": "FlinksApiKey"}
LONGEST_KEY = 4096
PLACEHOLDER = "to be filled in"
"""As the template writes it."""


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a secret, None for nothing; never what is in it."""

    which: str
    wrong: str | None
    changed: datetime | None


def arn(target: Target, which: str) -> str:
    """The secret's ARN: the operator's own, or the one that the stack made."""
    return target.parameters.get(_PARAMETERS[which]) or target.resource(_RESOURCES[which])


def put(target: Target, which: str, key: str) -> None:
    """Raises Refused for what cannot be a key: it travels in a header."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or len(key) > LONGEST_KEY:
        raise Refused("That is no key: one line of printable ASCII, without the JSON around it.")
    if key.startswith("{"):
        raise Refused("Give the key alone; the JSON around it is made here.")
    secret = json.dumps({MEMBERS[which]: key})
    target.client("secretsmanager").put_secret_value(SecretId=arn(target, which), SecretString=secret)


def check(target: Target, which: str) -> Verdict:
    manager, id_ = target.client("secretsmanager"), arn(target, which)
    value = manager.get_secret_value(SecretId=id_)
    return Verdict(which, wrong_with(value.get("SecretString"), MEMBERS[which]), value.get("CreatedDate"))


def wrong_with(secret: Any, member: str) -> str | None:
    """In words that quote nothing of it."""
    if not isinstance(secret, str):
        return "it is binary; it must be JSON text"
    try:
        found = json.loads(secret)
    except ValueError:
        return f'it is not JSON; it must be {{"{member}": "…"}}'
    if not isinstance(found, dict) or not isinstance(found.get(member), str):
        return f'it has no text member "{member}"; it must be {{"{member}": "…"}}'
    key = found[member].strip()
    if not key:
        return "the key is empty"
    if key == PLACEHOLDER:
        return "it is still the placeholder that the stack made"
    if not key.isascii() or not key.isprintable():
        return "the key has characters that no header can carry"
    return None


def value(target: Target, which: str) -> str:
    """The key itself, for whoever sends it to Flinks; empty when the secret holds none."""
    secret = target.client("secretsmanager").get_secret_value(SecretId=arn(target, which)).get("SecretString")
    if wrong_with(secret, MEMBERS[which]) is not None:
        return ""
    return str(json.loads(secret)[MEMBERS[which]])
