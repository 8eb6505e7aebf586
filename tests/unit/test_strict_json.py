"""JSON that means one thing only."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landing.strict_json import MAX_DEPTH, NotStrictJson, parse


@pytest.mark.parametrize("literal", ["49993.96", "1842.170", "0.1", "-512.9", "1e-7", "12345678901234567890.01"])
def test_a_fraction_keeps_its_last_digit(literal: str) -> None:
    assert parse(literal.encode()) == Decimal(literal)


def test_an_integer_stays_an_integer() -> None:
    number = parse(b"12345678901234567890")

    assert (type(number), number) == (int, 12345678901234567890)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse(b'\xef\xbb\xbf{"City": "Montr\xc3\xa9al"}') == {"City": "Montréal"}


def test_as_deep_as_allowed_is_read() -> None:
    value = parse(nested(MAX_DEPTH))

    assert json.dumps(value).encode() == nested(MAX_DEPTH)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>Bad Gateway</html>", id="HTML"),
        pytest.param(b'{"Accounts": [{"Id": 1}', id="cut short"),
        pytest.param(b'{"a": 1} {"a": 2}', id="two values"),
        pytest.param(b'{"a": 1, "a": 2}', id="duplicate key"),
        pytest.param(b'[{"b": {"a": 1, "\\u0061": 2}}]', id="duplicate key in disguise"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": -Infinity}', id="infinity"),
        pytest.param(b'"\\ud800"', id="lone surrogate"),
        pytest.param(b'{"\\udfff": 1}', id="lone surrogate in a key"),
        pytest.param(b'"\xed\xa0\x80"', id="surrogate as bytes"),
        pytest.param(b'"\xff"', id="not UTF-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b"9" * 100_000, id="integer of 100,000 digits"),
        pytest.param(b"1e99999999999999999999", id="exponent beyond any decimal"),
        pytest.param(b'"line\nbreak"', id="raw control character"),
        pytest.param(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), id="one level too deep"),
        pytest.param(b"[" * 200_000 + b"]" * 200_000, id="deep enough to end the stack"),
        pytest.param(b'{"a":' * 200_000 + b"1" + b"}" * 200_000, id="deep objects"),
    ],
)
def test_what_is_in_doubt_is_refused(content: bytes) -> None:
    with pytest.raises(NotStrictJson):
        parse(content)


def test_a_refusal_keeps_nothing_of_the_document() -> None:
    with pytest.raises(NotStrictJson) as refusal:
        parse(b'{"LoginId": "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"')

    assert "3f0c6a54" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


@given(st.binary())
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        parse(content)
    except NotStrictJson:
        return


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_what_json_writes_is_read_back(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels
