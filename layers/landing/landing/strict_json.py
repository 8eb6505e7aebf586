"""JSON that means one thing only: bytes in, values with exact numbers out, NotStrictJson where in doubt."""

import json
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, Never

type JsonObject = dict[str, Any]

MAX_DEPTH = 32


class NotStrictJson(ValueError):
    """Not what this module calls JSON. Never says what was read: it may be a secret."""


def parse(content: bytes) -> Any:
    """UTF-8 JSON as Python values: int for integers, Decimal for every other number.

    Refused are duplicate keys, NaN and Infinity, lone surrogates, more than `MAX_DEPTH` levels, and integers
    of thousands of digits. A leading byte order mark is passed over, as RFC 8259 §8.1 allows.

    Raises:
        NotStrictJson: With no cause and no context, because json's own errors keep the whole document.
    """
    with suppress(ValueError, RecursionError, InvalidOperation):
        value = json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_without_duplicates,
            parse_float=Decimal,
            parse_constant=_refuse,
        )
        if _is_sound(value):
            return value
    raise NotStrictJson("not strict JSON")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrictJson("duplicate key")
    return members


def _refuse(_constant: str) -> Never:
    raise NotStrictJson("not a JSON number")


def _is_sound(value: Any) -> bool:
    """Level by level, so that depth is counted without recursion; a lone surrogate fails to encode."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                if not item.isascii():
                    item.encode()
            elif isinstance(item, dict):
                below.extend(item)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return True
        level = below
    return False
