"""Flinks Capital's books: accounts that depend on login and days alone, cents exact (flinks-api §6.2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256

from local.flinks.ids import random_guid, sequential_guid
from local.flinks.reply import Json

CENTS = 100


@dataclass(frozen=True)
class Entry:
    """One line of an account's history: positive amounts come in, negative ones go out."""

    description: str | None
    cents: int


_HOLDERS: tuple[Json, ...] = (
    {
        "Name": "Amélie Tremblay-Roy",
        "Address": {
            "CivicAddress": "482 rue des Ormes",
            "City": "Montréal",
            "Province": "QC",
            "PostalCode": "H2S 1K4",
            "POBox": None,
            "Country": "CA",
        },
        "Email": "amelie.tremblay@example.com",
        "PhoneNumber": "(514) 555-0148",
    },
    {
        "Name": "Zoë O'Façade",
        "Address": {
            "CivicAddress": "17 chemin de l'Anse-à-l'Eau",
            "City": "Québec",
            "Province": "QC",
            "PostalCode": "G1R 2B5",
            "POBox": None,
            "Country": "CA",
        },
        "Email": None,
        "PhoneNumber": "(418) 555-0171",
    },
    {
        "Name": "Ján Ôtterbourne",
        "Address": {
            "CivicAddress": "9 Example Crescent, Unit 4",
            "City": "Iqaluit",
            "Province": "NU",
            "PostalCode": "X0A 0H0",
            "POBox": None,
            "Country": "CA",
        },
        "Email": "jan.otterbourne@example.com",
        "PhoneNumber": None,
    },
)

_SHOPS = (
    "ÉPICERIE DU COIN #114",
    "CAFÉ LA BRÛLERIE",
    "PHARMACIE DES ÉRABLES",
    "TRANSIT PASS 3-DAY",
    "LIBRAIRIE L'ÎLE-AUX-LIVRES",
    "HYDRO & GAZ - PAIEMENT",
    'QUINCAILLERIE "CHEZ NOËL"',
    "INTERAC E-TRANSFER",
)


@lru_cache(maxsize=64)
def accounts(seed: str, first_day: date, last_day: date) -> tuple[Json, ...]:
    """Write the accounts as GetAccountsDetail gives them with every option on. Shared: copy before a change.

    A day's transactions depend on the seed and the day alone, so a later `last_day` only adds to them.
    """
    holder = _HOLDERS[_draw(seed, "holder") % len(_HOLDERS)]
    chequing, chequing_cents = _history(seed, "chequing", first_day, last_day)
    savings, savings_cents = _history(seed, "savings", first_day, last_day)
    dollars, dollars_cents = _history(seed, "dollars", first_day, last_day)
    card, card_cents = _history(seed, "card", first_day, last_day)
    card = tuple(entry | {"Balance": None} for entry in card)
    everyday = {
        "InstitutionNumber": "777",
        "LastFourDigits": None,
        "Holder": holder,
        "AccountType": "Personal",
    }
    return (
        _account(
            seed,
            "Chequing CAD",
            "Operations",
            "Chequing",
            chequing,
            everyday | {"TransitNumber": "77777", "AccountNumber": "1111000", "OverdraftLimit": 0},
            {"Available": _money(chequing_cents - 5000), "Current": _money(chequing_cents), "Limit": 5000},
        ),
        _account(
            seed,
            "Savings CAD",
            "Operations",
            "Savings",
            savings,
            everyday | {"TransitNumber": "07743", "AccountNumber": "1111001", "OverdraftLimit": None},
            {"Available": _money(savings_cents), "Current": _money(savings_cents), "Limit": None},
        ),
        _account(
            seed,
            "Chequing USD",
            "Operations",
            "Chequing",
            dollars,
            everyday | {"TransitNumber": "12347", "AccountNumber": "1111002", "OverdraftLimit": 0, "Currency": "USD"},
            {"Available": _money(dollars_cents), "Current": _money(dollars_cents), "Limit": 0},
        ),
        _account(
            seed,
            "Visa Horizon",
            "Credits",
            "CreditCard",
            card,
            {
                "LastFourDigits": "4021",
                "Holder": {"Name": holder["Name"], "Address": None, "Email": None, "PhoneNumber": None},
            },
            {"Available": None, "Current": _money(card_cents), "Limit": 3000},
        ),
        _account(
            seed,
            "RRSP",
            "Products",
            "RRSP",
            (),
            {"InstitutionNumber": "777", "AccountNumber": "1111004", "Holder": holder},
            {"Available": None, "Current": 18250.5, "Limit": None},
        ),
    )


def _account(
    seed: str,
    title: str,
    category: str,
    kind: str,
    transactions: tuple[Json, ...],
    particulars: Json,
    balance: Json,
) -> Json:
    return {
        "Transactions": list(transactions),
        "TransitNumber": None,
        "InstitutionNumber": None,
        "OverdraftLimit": None,
        "Title": title,
        "AccountNumber": None,
        "LastFourDigits": None,
        "Balance": balance,
        "Category": category,
        "Type": kind,
        "Currency": "CAD",
        "Holder": None,
        "AccountType": None,
        "Id": sequential_guid(seed, title),
    } | particulars


def _history(seed: str, account: str, first_day: date, last_day: date) -> tuple[tuple[Json, ...], int]:
    """Answer the transactions, newest first, and the balance after them in cents."""
    entries_of = {"chequing": _chequing, "savings": _savings, "dollars": _dollars, "card": _card}[account]
    balance = {"chequing": 245_017, "savings": 1_200_000, "dollars": 81_250, "card": -31_290}[account]
    balance += _draw(seed, account, "opening") % 50_000
    transactions: list[Json] = []
    for number in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=number)
        for place, entry in enumerate(entries_of(seed, day)):
            balance += entry.cents
            transactions.append(
                {
                    "Date": day.isoformat(),
                    "Code": None,
                    "Description": entry.description,
                    "Debit": _money(-entry.cents) if entry.cents < 0 else None,
                    "Credit": _money(entry.cents) if entry.cents > 0 else None,
                    "Balance": _money(balance),
                    "Id": random_guid(seed, account, day, place),
                }
            )
    return tuple(reversed(transactions)), balance


def _chequing(seed: str, day: date) -> Iterator[Entry]:
    if day.toordinal() % 14 == 0:
        yield Entry("PAYROLL NORDLUM INC", 184_217)
    if day.day == 1:
        yield Entry("LOYER - VIREMENT", -125_000)
    if day.day == 28:  # noqa: PLR2004 - any fixed day of the month
        yield Entry("PAIEMENT VISA HORIZON", -56_040)
    if day.day == 15:  # noqa: PLR2004 - the day the savings account gets it
        yield Entry("VIREMENT ÉPARGNE", -112_550)
    draw = _draw(seed, "chequing", day)
    if draw % 3 == 0:
        yield _purchase(draw)


def _savings(seed: str, day: date) -> Iterator[Entry]:
    if day.day == 1:
        yield Entry("INTÉRÊTS CRÉDITEURS", 1_000 + _draw(seed, "savings", day) % 900)
    if day.day == 15:  # noqa: PLR2004 - any fixed day of the month
        yield Entry("VIREMENT AUTOMATIQUE", 112_550)


def _dollars(seed: str, day: date) -> Iterator[Entry]:
    draw = _draw(seed, "dollars", day)
    if draw % 11 == 0:
        yield Entry(f"FX PURCHASE {draw % 10_000:04d}", draw % 9_973 - 4_000 or 1)


def _card(seed: str, day: date) -> Iterator[Entry]:
    if day.day == 28:  # noqa: PLR2004 - the day the chequing account pays
        yield Entry("PAYMENT - THANK YOU / MERCI", 56_040)
    draw = _draw(seed, "card", day)
    if draw % 2:
        yield _purchase(draw)


def _purchase(draw: int) -> Entry:
    description = None if draw % 41 == 0 else _SHOPS[draw // 97 % len(_SHOPS)]
    return Entry(description, -(199 + draw // 7 % 8_000))


def _draw(*seed: object) -> int:
    return int.from_bytes(sha256("/".join(map(str, seed)).encode()).digest()[:6])


def _money(cents: int) -> int | float:
    """Write 5000, 512.9 or 63.28: what Flinks' serialiser makes of a decimal."""
    return cents // CENTS if cents % CENTS == 0 else cents / CENTS
