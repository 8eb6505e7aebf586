"""Books of five households whose answers are known beforehand: what comes in, what recurs, what bounces.

What a household does on a day depends on the day alone; only groceries are drawn. Invented people and banks.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from local.flinks.data import Entry, Rule, account, keep, money
from local.flinks.reply import Json


@dataclass(frozen=True)
class Kept:
    """One account: how it is kept, and how the bank shows it."""

    title: str
    kind: str
    rule: Rule
    opening: int
    """In cents; up to 500.00 more, by the login."""
    holder: Json | str
    category: str = "Operations"
    limit: int | None = None
    shows_balances: bool = True
    particulars: Json = field(default_factory=dict)


def _holder(name: str, civic: str, city: str, province: str, postal: str, country: str = "CA", **ways: str) -> Json:
    address = {"CivicAddress": civic, "City": city, "Province": province, "PostalCode": postal, "POBox": None}
    return {
        "Name": name,
        "Address": address | {"Country": country},
        "Email": ways.get("email"),
        "PhoneNumber": ways.get("phone"),
    }


def _eft(institution: str, transit: str, number: str, **more: str) -> Json:
    return {"InstitutionNumber": institution, "TransitNumber": transit, "AccountNumber": number, **more}


def _monthly(description: str, cents: int, *days: int, in_months: Container[int] = range(1, 13)) -> Rule:
    def rule(day: date, _: int) -> Iterator[Entry]:
        if day.day in days and day.month in in_months:
            yield Entry(description, cents)

    return rule


def _fortnightly(description: str, cents: int, since: date) -> Rule:
    def rule(day: date, _: int) -> Iterator[Entry]:
        if (day - since).days % 14 == 0:
            yield Entry(description, cents)

    return rule


def _now_and_then(description: str, one_day_in: int, least: int, most: int) -> Rule:
    def rule(day: date, draw: int) -> Iterator[Entry]:  # noqa: ARG001 - as every rule
        if draw % one_day_in == 0:
            yield Entry(description, -(least + draw // one_day_in % (most - least)))

    return rule


def _all(*rules: Rule) -> Rule:
    """Of one day, in this order."""

    def rule(day: date, draw: int) -> Iterator[Entry]:
        for each in rules:
            yield from each(day, draw)

    return rule


_ODD_MONTHS, _SPRING_AND_AUTUMN = range(1, 13, 2), (5, 9)

# The rent bounces every other month; twice a year somebody helps.
_overdrawn = _all(
    _fortnightly("PAYROLL DEPOSIT ASPEN FOODS", 112_340, date(2025, 1, 3)),
    _monthly("PREAUTHORIZED DEBIT MAPLE RENTALS", -139_500, 1),
    _monthly("RETURNED ITEM MAPLE RENTALS", 139_500, 1, in_months=_ODD_MONTHS),
    _monthly("NSF FEE", -4_800, 1, in_months=_ODD_MONTHS),
    _monthly("INTERAC E-TRANSFER RECEIVED", 60_000, 3, in_months=_SPRING_AND_AUTUMN),
    _monthly("PREAUTHORIZED DEBIT PRAIRIE MOBILE", -6_215, 12),
    _now_and_then("CORNER GROCER #0412", 4, 900, 4_900),
)

# Two holders, two salaries; the savings are in one name.
_joint = _all(
    _monthly("PAYROLL NORTHLIGHT CLINIC", 241_875, 15, 28),
    _monthly("SALARY HARBOUR SCHOOL BOARD", 318_020, 20),
    _monthly("MORTGAGE LAKESHORE TRUST", -204_166, 2),
    _monthly("TRANSFER TO SAVINGS", -50_000, 16),
    _now_and_then("GREENFIELD MARKET", 3, 1_500, 10_500),
)
_savings = _monthly("TRANSFER FROM CHEQUING", 50_000, 16)

# A card that says no balances, paid once a month from the chequing account.
_on_credit = _all(_monthly("PAY BOREAL COURIER", 165_000, 7, 22), _monthly("PAYMENT CARD 7730", -90_000, 24))
_card = _all(
    _monthly("PAYMENT - THANK YOU", 90_000, 24),
    _monthly("STREAMBOX SUBSCRIPTION", -1_699, 9),
    _now_and_then("PURCHASE", 2, 400, 3_400),
)

# Two currencies, and money that goes from one to the other.
_in_dollars = _all(
    _monthly("ACH CREDIT CASCADE SOFTWARE LLC", 610_055, 5),
    _monthly("WIRE OUT TO CAD", -400_000, 6),
)
_at_home = _all(
    _monthly("INCOMING WIRE", 546_000, 8),
    _monthly("CONDO FEES STRATA 88", -48_750, 10),
    _now_and_then("CAFE AURORA", 5, 500, 2_000),
)

_en_francais = _all(
    _fortnightly("DÉPÔT PAIE ATELIER BOISÉ", 148_712, date(2025, 1, 7)),
    _monthly("ALLOCATION FAMILIALE", 62_133, 20),
    _monthly("LOYER GESTION ÉRABLIÈRE", -98_000, 1),
    _monthly("ÉLECTRICITÉ - PAIEMENT", -11_240, 18),
    _now_and_then('ÉPICERIE "CHEZ NOÉMIE"', 3, 800, 6_800),
)

_DEB = _holder("Deb Okonkwo-Lund", "31 Kestrel Way", "Brandon", "MB", "R7A 0A0", email="deb.lund@example.com")
_BOTH = _holder("Ines Haddad-Moor & Tom Moor", "8 Tern Lane", "Dartmouth", "NS", "B2W 0A0", phone="(902) 555-0134")
_NIKO = _holder("Niko Sarkela", "1900 Elm Row, Unit 12", "Sudbury", "ON", "P3A 0A0", email="niko.s@example.com")
_JUNE = _holder("June Park-Ellison", "77 Pier Street", "Seattle", "WA", "98101", "US", email="june.park@example.com")
_NOEMIE = _holder("Noémie L'Écuyer", "5 côte des Érables", "Trois-Rivières", "QC", "G8T 0A0", phone="(819) 555-0160")

HOUSEHOLDS: dict[str, tuple[Kept, ...]] = {
    "overdrawn": (
        Kept("Everyday Chequing", "Chequing", _overdrawn, 20_000, _DEB, particulars=_eft("999", "00412", "0041277")),
    ),
    "joint": (
        Kept("Joint Chequing", "Chequing", _joint, 510_000, _BOTH, particulars=_eft("998", "10233", "7700120")),
        Kept(
            "Savings",
            "Savings",
            _savings,
            90_000,
            "Ines Haddad-Moor",
            particulars=_eft("998", "10233", "7700138"),
        ),
    ),
    "on_credit": (
        Kept("Chequing", "Chequing", _on_credit, 120_000, _NIKO, particulars=_eft("997", "20881", "55120")),
        Kept(
            "Northern Card",
            "CreditCard",
            _card,
            -80_000,
            _NIKO["Name"],
            category="Credits",
            limit=5_000,
            shows_balances=False,
            particulars={"LastFourDigits": "7730"},
        ),
    ),
    "in_dollars": (
        Kept(
            "US Dollar Chequing",
            "Chequing",
            _in_dollars,
            800_000,
            _JUNE,
            particulars=_eft("996", "33007", "900117", Currency="USD"),
        ),
        Kept("Chequing", "Chequing", _at_home, 150_000, _JUNE, particulars=_eft("996", "33007", "900109")),
    ),
    "en_francais": (
        Kept("Compte chèques", "Chequing", _en_francais, 65_000, _NOEMIE, particulars=_eft("995", "08150", "0000423")),
    ),
}


@lru_cache(maxsize=64)
def accounts(household: str, seed: str, first_day: date, last_day: date) -> tuple[Json, ...]:
    """Write a household's accounts as GetAccountsDetail gives them. Shared: copy before a change."""
    kept = HOUSEHOLDS[household]
    ledgers = keep(seed, [(each.rule, each.opening) for each in kept], first_day, last_day)
    return tuple(_shown(seed, each, entries, cents) for each, (entries, cents) in zip(kept, ledgers, strict=True))


def _shown(seed: str, kept: Kept, entries: list[Json], cents: int) -> Json:
    if not kept.shows_balances:
        entries = [entry | {"Balance": None} for entry in entries]
    return account(
        seed,
        kept.title,
        kept.category,
        kept.kind,
        entries,
        {"Holder": kept.holder, "AccountType": "Personal", **kept.particulars},
        {"Available": None if kept.limit else money(cents), "Current": money(cents), "Limit": kept.limit},
    )
