"""JSON that means one thing only: bytes in, values out, NotStrictJson where in doubt."""

from codecs import BOM_UTF8
from contextlib import suppress
from typing import Any

import jiter

type JsonObject = dict[str, Any]

MAX_DEPTH = 32


class NotStrictJson(ValueError):
    """Not what this module calls JSON. Never says what was read: it may be a secret."""


def parse(content: bytes, *, exact: bool = True) -> Any:
    """UTF-8 JSON as Python values: int for integers, Decimal for every other number.

    With `exact=False` those others are floats: quicker and smaller, for who keeps the bytes anyway.

    Refused are duplicate keys, NaN and Infinity, lone surrogates, more than `MAX_DEPTH` levels, and integers
    of thousands of digits. A leading byte order mark is passed over, as RFC 8259 §8.1 allows.

    Raises:
        NotStrictJson: With no cause and no context, because a parser's own errors quote the document.
    """
    with suppress(ValueError):
        value = jiter.from_json(
            content.removeprefix(BOM_UTF8),
            allow_inf_nan=False,
            cache_mode="keys",  # the cache outlives the call: no value goes into it
            catch_duplicate_keys=True,
            float_mode="decimal" if exact else "float",
        )
        if _is_shallow(value):
            return value
    raise NotStrictJson("not strict JSON")


_COSTS = {b"{": 100, b"[": 88, b":": 60, b",": 56}
_WORST = 42  # bytes for one of `[[[[]]]]`


def memory_to_read(content: bytes) -> int:
    """How many bytes the values of `content` take up at the most, without exact numbers. Quick: it only counts."""
    if len(content) < 1024 * 1024:
        return _WORST * len(content)
    texts = len(content) * (1 if content.isascii() else 4)  # one wide character makes its whole text wide
    return texts + sum(bytes_each * content.count(mark) for mark, bytes_each in _COSTS.items())


def _is_shallow(value: Any) -> bool:
    """Level by level, so that depth is counted without recursion."""
    containers = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH - 1):
        containers = [
            inner
            for outer in containers
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not containers:
            return True
    return not any(containers)
