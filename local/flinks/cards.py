"""What Flinks remembers: a card for each bank login, a session for each Authorize (flinks.md §14)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.flinks import data, households
from local.flinks.ids import random_guid, sequential_guid
from local.flinks.personas import INSTITUTIONS, Persona, Question
from local.flinks.reply import Json

HISTORY_DAYS = 365
IDLE_LIFE = timedelta(minutes=8)  # of a session nobody asked data of
TOTAL_LIFE = timedelta(minutes=30)
LEFT_ALONE = timedelta(seconds=60)  # a session that polls no more holds its card this long


@dataclass(frozen=True)
class Identity:
    """Whose bank login it is. All three decide the loginId: a French session makes another one."""

    username: str
    institution: str = "FlinksCapital"
    language: str = "en"

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.institution, self.username.casefold(), self.language)


@dataclass(frozen=True)
class Pending:
    """How long data is awaited after each connection: at least so many 202s, and so many seconds."""

    polls: int = 1
    seconds: float = 0.0
    never: bool = False  # never ready


@dataclass(frozen=True)
class Options:
    """What GetAccountsDetail was asked for (flinks.md §6.1)."""

    with_identity: bool = True
    with_kyc: bool = True
    with_transactions: bool = True
    with_balance: bool = True
    days: int = 90
    only: frozenset[str] | None = None


@dataclass
class Card:
    identity: Identity
    persona: Persona
    login_id: str
    connected: datetime
    pending: Pending
    refreshed: datetime
    days: int = HISTORY_DAYS
    tag: str | None = None
    outcome: str | None = None  # the FlinksCode of the last live attempt, replayed by cached calls
    polls_owed: int = 0
    ready_at: datetime | None = None  # None: never
    sessions: list["Session"] = field(default_factory=list)  # those that are over go when the next one comes
    sessions_opened: int = 0
    most_open: int = 0

    def aggregate(self, now: datetime) -> None:
        """Collect the data anew: what was ready is pending again."""
        self.refreshed = now
        self.wait(self.pending, now)

    def wait(self, pending: Pending, now: datetime) -> None:
        self.pending = pending
        self.polls_owed = pending.polls
        self.ready_at = None if pending.never else now + timedelta(seconds=pending.seconds)

    def is_aggregating(self, now: datetime) -> bool:
        return self.ready_at is None or now < self.ready_at

    def is_pending(self, now: datetime) -> bool:
        return self.is_aggregating(now) or self.polls_owed > 0

    def count_open(self, now: datetime) -> int:
        """Count the sessions that were authorized and neither delivered data nor ended."""
        return sum(
            not session.delivered and not session.is_over(now) and session.question is None for session in self.sessions
        )

    def login(self) -> Json:
        return {
            "Username": self.identity.username,
            "IsScheduledRefresh": False,
            "LastRefresh": self.last_refresh(),
            "Type": "Personal",
            "Id": self.login_id,
        }

    def last_refresh(self) -> str:
        """Write UTC with seven fractional digits and no zone, as Flinks does."""
        if self.persona.never_refreshed:
            return "0001-01-01T00:00:00"
        return f"{self.refreshed:%Y-%m-%dT%H:%M:%S.%f}{int(self.login_id[-1], 16) % 9 + 1}"

    def institution(self) -> Json:
        name = self.identity.institution
        return {"InstitutionName": name, "InstitutionId": INSTITUTIONS.get(name, 99), "Institution": name}

    def every_account(self) -> Sequence[Json]:
        first_day, last_day = self.connected.date() - timedelta(days=HISTORY_DAYS), self.refreshed.date()
        if self.persona.household is not None:
            return households.accounts(self.persona.household, self.login_id, first_day, last_day)
        return data.accounts(self.login_id, first_day, last_day)

    def accounts(self, options: Options, now: datetime) -> list[Json]:
        collected_since = self.refreshed.date() - timedelta(days=self.days)
        since = max(collected_since, now.date() - timedelta(days=options.days)).isoformat()
        return [
            _shown(account, options, since)
            for account in self.every_account()
            if options.only is None or account["Id"] in options.only
        ]


def _shown(account: Json, options: Options, since: str) -> Json:
    shown = dict(account)
    shown["Transactions"] = (
        [entry for entry in account["Transactions"] if entry["Date"] >= since] if options.with_transactions else []
    )
    if not options.with_identity:
        shown |= {"TransitNumber": None, "InstitutionNumber": None, "AccountNumber": None}
    if not options.with_kyc:
        shown["Holder"] = None
    if not options.with_balance:
        shown["Balance"] = {"Available": None, "Current": None, "Limit": None}
    return shown


@dataclass
class Session:
    request_id: str
    created: datetime
    last_used: datetime
    login_id: str | None = None
    tag: str | None = None
    question: Question | None = None  # still to be answered
    identity: Identity | None = None  # of a live session
    save: bool = True
    options: Options | None = None  # of the last GetAccountsDetail
    processing: bool = False  # it was told 202 and not yet 200
    delivered: bool = False

    def is_over(self, now: datetime) -> bool:
        idle = self.options is None and now - self.last_used >= IDLE_LIFE
        return idle or now - self.created >= TOTAL_LIFE

    def holds_its_card(self, card: Card, now: datetime) -> bool:
        """Say whether another session on the card would be a concurrent one (flinks.md §18.17)."""
        if not self.processing or self.is_over(now) or not card.is_pending(now):
            return False
        return card.is_aggregating(now) or now - self.last_used < LEFT_ALONE


@dataclass
class Vault:
    """All cards and sessions. A deleted card leaves only the count that gives its successor another loginId."""

    instance: str = "toolbox"
    cards: dict[str, Card] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    _deletions: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _requests: int = 0

    def login_id(self, identity: Identity) -> str:
        return sequential_guid(self.instance, *identity.key, self._deletions.get(identity.key, 0))

    def connect(
        self, identity: Identity, persona: Persona, now: datetime, pending: Pending, days: int = HISTORY_DAYS
    ) -> Card:
        """Make or refresh the card of a login that the bank accepted; its data is being collected from now on."""
        login_id = self.login_id(identity)
        card = self.cards.get(login_id)
        if card is None:
            card = Card(identity, persona, login_id, now, pending, now)
            self.cards[login_id] = card
        card.days = days
        card.outcome = persona.outcome
        card.aggregate(now)
        return card

    def delete(self, card: Card) -> None:
        del self.cards[card.login_id]
        key = card.identity.key
        self._deletions[key] = self._deletions.get(key, 0) + 1
        for session in card.sessions:
            self.sessions.pop(session.request_id, None)

    def open(self, now: datetime, card: Card | None = None) -> Session:
        self._requests += 1
        session = Session(random_guid(self.instance, now.isoformat(), self._requests), now, now)
        self.sessions[session.request_id] = session
        if card:
            self.attach(session, card, now)
        return session

    def attach(self, session: Session, card: Card, now: datetime) -> None:
        self.tie(session, card, now)
        if card.persona.always_pending:
            card.polls_owed = max(card.polls_owed, 1)
        card.sessions_opened += 1
        card.most_open = max(card.most_open, card.count_open(now))

    def tie(self, session: Session, card: Card, now: datetime) -> None:
        """Let a session read a card without being counted among those our side opened."""
        session.login_id = card.login_id
        session.tag = session.tag or card.tag
        for over in [each for each in card.sessions if each.is_over(now)]:
            self.end(over)
        card.sessions.append(session)

    def end(self, session: Session) -> None:
        self.sessions.pop(session.request_id, None)
        card = self.cards.get(session.login_id or "")
        if card and session in card.sessions:
            card.sessions.remove(session)

    def session(self, request_id: str, now: datetime) -> Session | None:
        session = self.sessions.get(request_id.lower())
        if session and session.is_over(now):
            self.end(session)
            return None
        return session
