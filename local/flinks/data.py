"""Flinks Capital's books: accounts that depend on login and days alone, cents exact (flinks.md §6.2)."""

from collections.abc import Callable, Iterator, Sequence
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
    holder = _HOLDERS[_draws(f"{seed}/holder")[0] % len(_HOLDERS)]
    ledgers = keep(seed, _KEPT, first_day, last_day)
    (chequing, chequing_cents), (savings, savings_cents), (dollars, dollars_cents), (card, card_cents) = ledgers
    card = [entry | {"Balance": None} for entry in card]
    everyday = {
        "InstitutionNumber": "777",
        "LastFourDigits": None,
        "Holder": holder,
        "AccountType": "Personal",
    }
    return (
        account(
            seed,
            "Chequing CAD",
            "Operations",
            "Chequing",
            chequing,
            everyday | {"TransitNumber": "77777", "AccountNumber": "1111000", "OverdraftLimit": 0},
            {"Available": money(chequing_cents - 5000), "Current": money(chequing_cents), "Limit": 5000},
        ),
        account(
            seed,
            "Savings CAD",
            "Operations",
            "Savings",
            savings,
            everyday | {"TransitNumber": "07743", "AccountNumber": "1111001", "OverdraftLimit": None},
            {"Available": money(savings_cents), "Current": money(savings_cents), "Limit": None},
        ),
        account(
            seed,
            "Chequing USD",
            "Operations",
            "Chequing",
            dollars,
            everyday | {"TransitNumber": "12347", "AccountNumber": "1111002", "OverdraftLimit": 0, "Currency": "USD"},
            {"Available": money(dollars_cents), "Current": money(dollars_cents), "Limit": 0},
        ),
        account(
            seed,
            "Visa Horizon",
            "Credits",
            "CreditCard",
            card,
            {
                "LastFourDigits": "4021",
                "Holder": {"Name": holder["Name"], "Address": None, "Email": None, "PhoneNumber": None},
            },
            {"Available": None, "Current": money(card_cents), "Limit": 3000},
        ),
        account(
            seed,
            "RRSP",
            "Products",
            "RRSP",
            [],
            {"InstitutionNumber": "777", "AccountNumber": "1111004", "Holder": holder},
            {"Available": None, "Current": 18250.5, "Limit": None},
        ),
    )


def account(
    seed: str,
    title: str,
    category: str,
    kind: str,
    transactions: list[Json],
    particulars: Json,
    balance: Json,
) -> Json:
    return {
        "Transactions": transactions,
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


type Ledger = tuple[list[Json], int]
"""Transactions, newest first, and the balance after them in cents."""

type Rule = Callable[[date, int], Iterator[Entry]]
"""What happens on an account on a day; the number is drawn for that account and day."""


def keep(seed: str, kept: Sequence[tuple[Rule, int]], first_day: date, last_day: date) -> list[Ledger]:
    """Keep up to four accounts, each by its rule and from its usual opening balance in cents."""
    openings = _draws(f"{seed}/openings")
    balances = [usual + draw % 50_000 for (_, usual), draw in zip(kept, openings, strict=False)]
    transactions: list[list[Json]] = [[] for _ in kept]
    for number in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=number)
        written = day.isoformat()
        draws = _draws(f"{seed}/{written}")
        for account, (entries_of, _) in enumerate(kept):
            for place, entry in enumerate(entries_of(day, draws[account])):
                balances[account] += entry.cents
                transactions[account].append(
                    {
                        "Date": written,
                        "Code": None,
                        "Description": entry.description,
                        "Debit": money(-entry.cents) if entry.cents < 0 else None,
                        "Credit": money(entry.cents) if entry.cents > 0 else None,
                        "Balance": money(balances[account]),
                        "Id": random_guid(seed, account, written, place),
                    }
                )
    return [(entries[::-1], cents) for entries, cents in zip(transactions, balances, strict=True)]


def _chequing(day: date, draw: int) -> Iterator[Entry]:
    if day.toordinal() % 14 == 0:
        yield Entry("PAYROLL NORDLUM INC", 184_217)
    if day.day == _RENT_DAY:
        yield Entry("LOYER - VIREMENT", -125_000)
    if day.day == _SAVING_DAY:
        yield Entry("VIREMENT ÉPARGNE", -112_550)
    if day.day == _CARD_DAY:
        yield Entry("PAIEMENT VISA HORIZON", -56_040)
    if draw % 3 == 0:
        yield _purchase(draw)


def _savings(day: date, draw: int) -> Iterator[Entry]:
    if day.day == _RENT_DAY:
        yield Entry("INTÉRÊTS CRÉDITEURS", 1_000 + draw % 900)
    if day.day == _SAVING_DAY:
        yield Entry("VIREMENT AUTOMATIQUE", 112_550)


def _dollars(_: date, draw: int) -> Iterator[Entry]:
    if draw % 11 == 0:
        yield Entry(f"FX PURCHASE {draw % 10_000:04d}", draw % 9_973 - 4_000 or 1)


def _card(day: date, draw: int) -> Iterator[Entry]:
    if day.day == _CARD_DAY:
        yield Entry("PAYMENT - THANK YOU / MERCI", 56_040)
    if draw % 2:
        yield _purchase(draw)


_RENT_DAY, _SAVING_DAY, _CARD_DAY = 1, 15, 28

# What happens on an account, and its opening balance in cents.
_KEPT = ((_chequing, 245_017), (_savings, 1_200_000), (_dollars, 81_250), (_card, -71_290))


def _purchase(draw: int) -> Entry:
    description = None if draw % 41 == 0 else _SHOPS[draw // 97 % len(_SHOPS)]
    return Entry(description, -(199 + draw // 7 % 8_000))


def _draws(seed: str) -> list[int]:
    """Draw a number for each account that has transactions."""
    digest = sha256(seed.encode()).digest()
    return [int.from_bytes(digest[start : start + 6]) for start in (0, 6, 12, 18)]


def money(cents: int) -> int | float:
    """Write 5000, 512.9 or 63.28: what Flinks' serialiser makes of a decimal."""
    return cents // CENTS if cents % CENTS == 0 else cents / CENTS
