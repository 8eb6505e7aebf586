"""Cut out of the bytes or taken out of the values: the same is left, however Flinks may write its JSON."""

import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landing.flinks import account_data
from landing.flinks.account_data import OURS, About, AnotherLogin, Incomplete
from landing.flinks.answer import received
from landing.strict_json import NotStrictJson
from tests.unit import account_data_by_value as by_value

LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
REQUEST_ID = "b7a1e0d2-5c3f-4f86-a0be-6e1d97c2f405"
ABOUT = About("con_aaaaaaaaaaaaaaaaaaaaaaaaaa", 2, "user-8841", "FlinksCapital", datetime(2026, 3, 2, 15, tzinfo=UTC))


class Number(str):
    """A number as it is written."""

    __slots__ = ()


NUMBERS = st.sampled_from(
    ["0", "-0", "7", "63.28", "0.10", "-512.90", "1e5", "1E-7", "1.50e+3", "12345678901234567890.01", "1e400"]
).map(Number)
SECRETS = st.sampled_from([LOGIN_ID, REQUEST_ID, LOGIN_ID.upper(), REQUEST_ID.upper(), LOGIN_ID[:-1], "another"])
QUOTED = st.tuples(st.text(max_size=3), SECRETS, st.text(max_size=3)).map("".join)
TEXTS = st.text(max_size=6) | SECRETS | QUOTED
NAMES = (
    st.sampled_from(["Login", "login", "LOGIN", "Id", "id", "Username", "Accounts", "Transactions", "Holder", "Links"])
    | st.sampled_from(["RequestId", "requestid", "REQUESTID", "LoginId", "loginid", "Tag", "lin\u212as", "log\u0131n"])
    | TEXTS
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
ANSWERS = st.builds(
    lambda login, accounts, rest: {"Login": {"Id": LOGIN_ID} | login, "Accounts": accounts} | rest,
    st.dictionaries(NAMES.filter(lambda name: name != "Id"), ANYTHING, max_size=3),
    st.lists(st.dictionaries(NAMES, ANYTHING, max_size=4), max_size=3),
    st.dictionaries(NAMES.filter(lambda name: name not in ("Login", "Accounts")), ANYTHING, max_size=4),
)


@dataclass(frozen=True)
class Writer:
    """Writes JSON with blanks and escapes wherever JSON allows them; with `doubles`, some members twice."""

    dice: Random
    doubles: bool = False

    def write(self, value: Any) -> str:
        return f"{self.blank()}{self.bare(value)}{self.blank()}"

    def bare(self, value: Any) -> str:
        match value:
            case Number():
                return str(value)
            case str():
                return self.text(value)
            case list():
                return f"[{','.join(map(self.write, value)) or self.blank()}]"
            case dict():
                members = [*value.items(), *self.again(value)]
                return f"{{{','.join(f'{self.name(name)}:{self.write(of)}' for name, of in members) or self.blank()}}}"
            case _:
                return json.dumps(value)

    def again(self, members: dict[str, Any]) -> list[tuple[str, Any]]:
        wanted = self.doubles and members and self.dice.random() < 0.2
        return [self.dice.choice(list(members.items()))] if wanted else []

    def name(self, name: str) -> str:
        return f"{self.blank()}{self.text(name)}{self.blank()}"

    def text(self, text: str) -> str:
        return f'"{"".join(map(self.character, text))}"'

    def character(self, character: str) -> str:
        if character not in '"\\' and character >= " " and self.dice.random() < 0.9:
            return character
        units = character.encode("utf-16-be", "surrogatepass")
        return "".join(self.escape(units[at : at + 2].hex()) for at in range(0, len(units), 2))

    def escape(self, digits: str) -> str:
        return "\\u" + self.dice.choice((digits, digits.upper()))

    def blank(self) -> str:
        return "".join(self.dice.choices(" \t\r\n", k=self.dice.choice((0, 0, 0, 1, 2))))


@settings(max_examples=300, deadline=None)
@given(ANSWERS, st.builds(Random, st.integers(0, 2**32)))
def test_what_is_cut_and_what_stays_is_the_same_by_bytes_and_by_value(answer: Any, dice: Random) -> None:
    content = Writer(dice).write(answer).encode()

    drop = account_data.read(received(content), LOGIN_ID, ABOUT)

    text = gzip.decompress(drop.compressed).decode()
    kept = by_value.as_written(text)
    assert kept.pop(OURS)["connectionId"] == ABOUT.connection_id
    assert kept == by_value.stored(by_value.parsed(content), LOGIN_ID)
    assert LOGIN_ID not in json.dumps(json.loads(text)).lower()


@settings(max_examples=300, deadline=None)
@given(ANYTHING, st.builds(Random, st.integers(0, 2**32)))
def test_what_one_reader_refuses_the_other_refuses_too(value: Any, dice: Random) -> None:
    content = Writer(dice, doubles=True).write(value).encode("utf-8", "surrogatepass")

    try:
        by_value.parsed(content)
    except ValueError:
        with pytest.raises(NotStrictJson):
            received(content)
    else:
        with_body = received(content)
        assert (with_body is not None) == isinstance(value, dict)


@settings(max_examples=200, deadline=None)
@given(st.integers(28, 36), st.sampled_from(["[]", "{}", "7", '{"a":7}', '["a"]']), st.booleans())
def test_both_readers_count_levels_alike(levels: int, innermost: str, of_objects: bool) -> None:
    before, after = ('{"a":', "}") if of_objects else ("[", "]")
    content = (before * levels + innermost + after * levels).encode()

    try:
        by_value.parsed(content)
    except ValueError:
        with pytest.raises(NotStrictJson):
            received(content)
    else:
        received(content)


@settings(max_examples=50, deadline=None)
@given(ANSWERS, st.builds(Random, st.integers(0, 2**32)))
def test_another_login_is_never_stored_and_never_named(answer: Any, dice: Random) -> None:
    answer["Login"]["Id"] = REQUEST_ID

    with pytest.raises((AnotherLogin, Incomplete)) as refusal:
        account_data.read(received(Writer(dice).write(answer).encode()), LOGIN_ID, ABOUT)

    assert REQUEST_ID not in str(refusal.value)
