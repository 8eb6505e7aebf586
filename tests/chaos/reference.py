"""What a person, her app and ops may expect of one login's connections, whatever happens in between: a small model.

It knows of no generation, lease, queue or worker: only who posted, what was chosen, what was erased and what was
lost. Where an answer never came, either may be so, until the rows say which.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from landing.domain.connection import ERASED, Connection, Status

type Choice = frozenset[str] | None
"""The accounts somebody chose; None: all."""


class Broken(AssertionError):
    """A promise was broken; the message says which, and where."""


class Life(StrEnum):
    NONE = "none"
    LIVES = "lives"
    ERASED = "erased"
    """The tombstone stands; what it stands for is gone, or is going."""


@dataclass
class Expected:
    """What may be so of one owner's connection: the last answer that came says it, and whatever was sent since."""

    lives: set[Life] = field(default_factory=lambda: {Life.NONE})
    choices: set[Choice] = field(default_factory=lambda: {None})
    unanswered: list[tuple[Choice, datetime]] = field(default_factory=list)
    """Choices whose POST was never answered, with the moment until which its write may still land."""


class Reference:
    """Tell it what was done and answered; `check` what the rows say, after every step. Raises Broken."""

    def __init__(self, now: Callable[[], datetime], still_lands: timedelta) -> None:
        self._now, self._still_lands = now, still_lands
        self._of: dict[str, Expected] = {}
        self._posting: list[set[str]] = []

    @contextmanager
    def posting(self, owner: str, chosen: Choice | str) -> Iterator["Posting"]:
        """While a POST is under way; `chosen` is a choice, or "as before". Others may post in the middle of it."""
        expected = self._of.setdefault(owner, Expected())
        before = Expected(set(expected.lives), set(expected.choices))
        crossed: set[str] = set()
        for other in self._posting:
            other.add(owner)
            crossed.add(owner)
        self._posting.append(crossed)
        posting = Posting()
        if Life.NONE in expected.lives:
            expected.lives.add(Life.LIVES)
            expected.choices.add(None)
        if not isinstance(chosen, str):
            expected.choices.add(chosen)
        try:
            yield posting
        finally:
            self._posting = [other for other in self._posting if other is not crossed]
            if posting.status != 202 and not isinstance(chosen, str):  # whoever sent it may have died
                expected.unanswered.append((chosen, self._now() + self._still_lands))
        _hold(posting.status != 500, f"{owner}'s POST crashed")
        if posting.status == 202:
            _hold(before.lives != {Life.ERASED}, f"{owner}'s POST was taken, and the tombstone stands")
            if owner not in crossed:
                expected.lives.discard(Life.NONE)
                if not isinstance(chosen, str):
                    expected.choices = {chosen} | {
                        other for other, until in expected.unanswered if until >= self._now()
                    }
        elif posting.status == 410:
            _hold(Life.ERASED in expected.lives, f"{owner}'s POST was refused, and nobody erased the connection")
        elif posting.status is not None:
            _hold(posting.status == 503, f"{owner}'s POST was answered {posting.status}")

    def erasing(self, owner: str) -> None:
        """Somebody is about to order it."""
        self._of[owner].lives.add(Life.ERASED)

    def erased(self, owner: str) -> None:
        """The order was accepted."""
        self._of[owner].lives = {Life.ERASED}

    def tombstone_ended(self, owner: str) -> None:
        self._of[owner] = Expected()

    def lost(self, restored: dict[str, Connection]) -> None:
        """The table was lost, and these rows were brought back: what they say is so again, but for what was erased."""
        for owner in self._of:
            row = restored.get(owner)
            _hold(row is None or self._of[owner].lives != {Life.ERASED}, f"what {owner} had erased was restored")
            choice = frozenset(row.account_ids) if row and row.account_ids else None
            self._of[owner] = Expected({Life.LIVES} if row else {Life.NONE}, {choice})

    def check(self, rows: dict[str, Connection]) -> None:
        """`rows` by owner; every connection that is there."""
        _hold(set(rows) <= set(self._of), "there is a connection that nobody posted")
        for owner, expected in self._of.items():
            row = rows.get(owner)
            life = Life.NONE if row is None else Life.ERASED if row.status in ERASED else Life.LIVES
            _hold(life in expected.lives, f"{owner}'s connection: {life}, not {sorted(expected.lives)}")
            if life is not Life.NONE:  # what was sent and never answered may land yet; what is so stays so
                expected.lives = {life} | (expected.lives & {Life.ERASED})
            if row is not None and life is Life.LIVES:
                choice = frozenset(row.account_ids) if row.account_ids else None
                _hold(choice in expected.choices, f"{owner}'s choice of accounts is none that she made")

    def check_at_rest(self, rows: dict[str, Connection]) -> None:
        """Nothing is stuck: everything has come to its end."""
        self.check(rows)
        for owner, row in rows.items():
            ended = row.status in (Status.READY, Status.ACTION_REQUIRED, Status.FAILED, Status.DELETED)
            _hold(ended, f"{owner}'s connection is stuck: {row.status}")


@dataclass
class Posting:
    """The answer's status; None while none came."""

    status: int | None = None


def _hold(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)
