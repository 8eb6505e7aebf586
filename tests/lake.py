"""Many drops at once: what the simulator's books become in the bucket, without a stack around them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landing.domain.connection import connection_id
from landing.flinks import account_data
from landing.flinks.answer import received
from landing.stores.drop_store import drop_key
from local.flinks.bank import Bank
from local.flinks.cards import Identity, Options, Pending
from local.flinks.clock import Clock
from local.flinks.ids import random_guid
from local.flinks.personas import persona_of

NOW = datetime(2026, 3, 2, 14, 5, 11, 204_000, UTC)

type Json = dict[str, Any]


@dataclass(frozen=True)
class Dropped:
    """One drop and what it was made of: `books` is the answer of Flinks, unstripped."""

    key: str
    connection_id: str
    owner: str
    packed: account_data.AccountData
    books: Json


def bank() -> Bank:
    return Bank(clock=Clock(NOW))


def dropped(at: Bank, username: str, *, days: int = 90, generation: int = 1, owner: str | None = None) -> Dropped:
    """The drop of whoever has this username at the bank."""
    persona = persona_of(username) or persona_of("greatday_nomfa")
    assert persona is not None
    card = at.vault.connect(Identity(username), persona, at.clock.now(), Pending(polls=0), days=365)
    books = at.detail(card, Options(days=days), random_guid(username, generation), None)
    owner = owner or f"user-{username}"
    id_ = connection_id(f"ref-{card.login_id}", owner)
    return packed(books, account_data.About(id_, generation, owner, "FlinksCapital", at.clock.now()))


def packed(books: Json, about: account_data.About) -> Dropped:
    """What the service makes of `books`. It is no answer of Flinks if this raises."""
    made = account_data.read(received(json.dumps(books).encode()), books["Login"]["Id"], about)
    return Dropped(drop_key(about.connection_id, about.generation), about.connection_id, about.owner or "", made, books)


def put(lake: Path, drop: Dropped) -> Path:
    """Lay the drop below the folder `lake`, which stands for the bucket."""
    return put_bytes(lake, drop.key, drop.packed.compressed)


def put_bytes(lake: Path, key: str, content: bytes) -> Path:
    path = lake / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def crowd(at: Bank, count: int, *, days: int = 90) -> Iterator[Dropped]:
    """Drops of `count` connections of the bank's everyday users."""
    for number in range(count):
        yield dropped(at, f"greatday_nomfa+{number}", days=days)
