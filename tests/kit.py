"""Writes docs/consumers/kit/ from the simulator's households: `make kit`. No answer is found by SQL: they are read off
the books.

Events and drops are as the service makes them; what the bucket would give (versions) is invented.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from landing.domain.announcements import (
    AccountDataReady,
    Announcement,
    ConnectionActionRequired,
    ConnectionDeleted,
    ConnectionFailed,
)
from tests import lake

KIT = Path(__file__).parents[1] / "docs" / "consumers" / "kit"
BUCKET = "landing-dropbucket-1a2b3c"

type Json = dict[str, Any]


@dataclass(frozen=True)
class Member:
    """A household of the kit; of each generation, how many days of transactions were asked for."""

    household: str
    days: tuple[int, ...]
    income: frozenset[str]
    recurring: frozenset[str]


MEMBERS = (
    Member(
        "overdrawn",
        (365,),
        frozenset({"PAYROLL DEPOSIT ASPEN FOODS"}),
        frozenset({"PREAUTHORIZED DEBIT MAPLE RENTALS", "PREAUTHORIZED DEBIT PRAIRIE MOBILE"}),
    ),
    Member(
        "joint",
        (90, 365),
        frozenset({"PAYROLL NORTHLIGHT CLINIC", "SALARY HARBOUR SCHOOL BOARD"}),
        frozenset({"MORTGAGE LAKESHORE TRUST", "TRANSFER TO SAVINGS"}),
    ),
    Member(
        "on_credit",
        (90,),
        frozenset({"PAY BOREAL COURIER"}),
        frozenset({"PAYMENT CARD 7730", "STREAMBOX SUBSCRIPTION"}),
    ),
    Member(
        "in_dollars",
        (90,),
        frozenset({"ACH CREDIT CASCADE SOFTWARE LLC"}),
        frozenset({"WIRE OUT TO CAD", "CONDO FEES STRATA 88"}),
    ),
    Member(
        "en_francais",
        (365,),
        frozenset({"DÉPÔT PAIE ATELIER BOISÉ", "ALLOCATION FAMILIALE"}),
        frozenset({"LOYER GESTION ÉRABLIÈRE", "ÉLECTRICITÉ - PAIEMENT"}),
    ),
)
GONE = "con_gone2goneg2ogone2goneg2one"
"""A connection that was deleted: its drop is not in the kit, as it is not in the bucket."""


def drops() -> dict[tuple[str, int], lake.Dropped]:
    """By household and generation."""
    bank = lake.bank()
    return {
        (member.household, generation): lake.dropped(bank, member.household, days=days, generation=generation)
        for member in MEMBERS
        for generation, days in enumerate(member.days, 1)
    }


# --- events


def events(made: dict[tuple[str, int], lake.Dropped]) -> list[Json]:
    """In the order of their arrival."""

    def ready(household: str, generation: int) -> Announcement:
        drop = made[household, generation]
        return _ready(drop.connection_id, generation, drop.owner, drop.key, _stored(drop), drop)

    gone = AccountDataReady.model_validate(
        _said(GONE, 1, "ready")
        | {
            "owner": "user-gone",
            "drop": _location(f"accounts/v1/{GONE}/000001.json.gz", b"no longer there")
            | {"accounts": 1, "transactions": 12, "last_refresh": None},
        }
    )
    on_credit, en_francais = made["on_credit", 1], made["en_francais", 1]
    disabled = _said(on_credit.connection_id, 2, "action_required") | {
        "owner": on_credit.owner,
        "reason": "bank_login_disabled",
        "action": "reconnect",
    }
    gave_up = _said(en_francais.connection_id, 2, "failed") | {
        "owner": en_francais.owner,
        "reason": "timed_out",
        "action": "contact_support",
    }
    told: list[Announcement] = [
        ready("overdrawn", 1),
        ready("overdrawn", 1),  # a replay
        ready("joint", 2),
        ready("joint", 1),  # out of order: the older comes after the newer
        gone,
        ready("on_credit", 1),
        ConnectionActionRequired.model_validate(disabled),
        ConnectionDeleted.model_validate(_said(GONE, 1, "deleted")),
        gone,  # late: after its deletion
        ready("in_dollars", 1),
        ConnectionFailed.model_validate(gave_up),
        ready("en_francais", 1),  # late: after the next generation failed
        ready("on_credit", 1),  # a replay, after the person was asked to act
    ]
    return [_envelope(number, each) for number, each in enumerate(told, 1)]


def _ready(id_: str, generation: int, owner: str, key: str, stored: bytes, drop: lake.Dropped) -> Announcement:
    packed = drop.packed
    counts = {"accounts": packed.accounts, "transactions": packed.transactions, "last_refresh": packed.last_refresh}
    return AccountDataReady.model_validate(
        _said(id_, generation, "ready") | {"owner": owner, "drop": _location(key, stored) | counts}
    )


def _said(id_: str, generation: int, status: str) -> Json:
    return {
        "id": f"{id_}/{generation}/{status}",
        "connection_id": id_,
        "generation": generation,
        "occurred_at": f"2026-03-02T14:05:{10 + generation:02d}.204Z",
        "correlation_id": f"a2l0{generation}PQ=",
    }


def _location(key: str, stored: bytes) -> Json:
    digest = hashlib.sha256(stored).hexdigest()
    return {"bucket": BUCKET, "key": key, "version_id": digest[:32], "sha256": digest, "bytes": len(stored)}


def _envelope(number: int, told: Announcement) -> Json:
    return {
        "version": "0",
        "id": f"5d4f1c1e-0000-4000-8000-{number:012d}",
        "detail-type": told.detail_type,
        "source": "flinks-landing",
        "account": "000000000000",
        "time": f"2026-03-02T14:06:{number:02d}Z",
        "region": "ca-central-1",
        "resources": [],
        "detail": told.model_dump(by_alias=True, mode="json"),
    }


def _stored(drop: lake.Dropped) -> bytes:
    """The bytes in the kit, if they are the same data: another packer may press them otherwise."""
    path = KIT / drop.key
    if path.exists() and gzip.decompress(path.read_bytes()) == gzip.decompress(drop.packed.compressed):
        return path.read_bytes()
    return drop.packed.compressed


# --- answers


def answers(made: dict[tuple[str, int], lake.Dropped]) -> Json:
    """What a consumer should reach."""
    latest = {member: made[member.household, len(member.days)] for member in MEMBERS}
    return {
        "afterAllEvents": [
            *(
                {
                    "connectionId": drop.connection_id,
                    "household": member.household,
                    "owner": drop.owner,
                    "lastWord": {"on_credit": "action_required", "en_francais": "failed"}.get(
                        member.household, "ready"
                    ),
                    "dataOfGeneration": len(member.days),
                    "accounts": drop.packed.accounts,
                    "transactions": drop.packed.transactions,
                }
                for member, drop in latest.items()
            ),
            {"connectionId": GONE, "lastWord": "deleted", "dataOfGeneration": None},
        ],
        "accounts": [
            {
                "connectionId": drop.connection_id,
                "accountPosition": position,
                "title": account["Title"],
                "currency": account["Currency"],
                "transactions": len(account["Transactions"]),
                "debits": _sum(account, "Debit"),
                "credits": _sum(account, "Credit"),
                "posted": _money(account["Balance"]["Current"]),
            }
            for drop in latest.values()
            for position, account in enumerate(drop.books["Accounts"], 1)
        ],
        "recipes": {
            "monthly-income": [row for member, drop in latest.items() for row in _income(member, drop)],
            "recurring-payments": [row for member, drop in latest.items() for row in _recurring(member, drop)],
            "nsf-without-e-transfer": [row for drop in latest.values() for row in _bounced(drop)],
            "balance-history": [row for drop in latest.values() for row in _history(drop)],
            "identity": [row for drop in latest.values() for row in _identity(drop)],
        },
    }


def _accounts(drop: lake.Dropped) -> Iterator[tuple[int, Json]]:
    yield from enumerate(drop.books["Accounts"], 1)


def _income(member: Member, drop: lake.Dropped) -> Iterator[list[Any]]:
    sums: dict[tuple[str, str], Decimal] = {}
    for _, account in _accounts(drop):
        for entry in account["Transactions"]:
            if entry["Description"] in member.income:
                month = (account["Currency"], f"{entry['Date'][:7]}-01")
                sums[month] = sums.get(month, Decimal(0)) + _decimal(entry["Credit"])
    for (currency, first_day), income in sums.items():
        yield [drop.connection_id, currency, first_day, str(income)]


def _recurring(member: Member, drop: lake.Dropped) -> Iterator[list[Any]]:
    for position, account in _accounts(drop):
        for description in sorted(member.recurring):
            paid = [entry for entry in account["Transactions"] if entry["Description"] == description]
            if paid:
                amount, last = _money(paid[0]["Debit"]), paid[0]["Date"]
                yield [drop.connection_id, position, description, amount, len(paid), last]


def _bounced(drop: lake.Dropped) -> Iterator[list[Any]]:
    entries = [(position, entry) for position, account in _accounts(drop) for entry in account["Transactions"]]
    helped = {date.fromisoformat(e["Date"]) for _, e in entries if e["Description"] == "INTERAC E-TRANSFER RECEIVED"}
    for position, entry in entries:
        day = date.fromisoformat(entry["Date"])
        within = {day + timedelta(days=later) for later in range(4)}
        if entry["Description"] == "NSF FEE" and not within & helped:
            yield [drop.connection_id, position, entry["Date"], _money(entry["Debit"])]


def _history(drop: lake.Dropped) -> Iterator[list[Any]]:
    """Forwards from the opening balance, unlike the recipe."""
    for position, account in _accounts(drop):
        entries = account["Transactions"][::-1]
        net = sum((_decimal(e["Credit"]) - _decimal(e["Debit"]) for e in entries), Decimal(0))
        balance = _decimal(account["Balance"]["Current"]) - net
        closings: dict[str, Decimal] = {}
        for entry in entries:
            balance += _decimal(entry["Credit"]) - _decimal(entry["Debit"])
            closings[entry["Date"]] = balance
        days = [*closings]
        for day, following in zip(days, [*days[1:], None], strict=True):
            stood = (date.fromisoformat(following) - date.fromisoformat(day)).days if following else None
            yield [drop.connection_id, position, day, str(closings[day]), stood]


def _identity(drop: lake.Dropped) -> Iterator[list[Any]]:
    for position, account in _accounts(drop):
        holder = account["Holder"] if isinstance(account["Holder"], dict) else {"Name": account["Holder"]}
        address = holder.get("Address") or {}
        yield [
            drop.connection_id,
            position,
            holder["Name"],
            *(address.get(name) for name in ("CivicAddress", "City", "Province", "PostalCode", "Country")),
            *(holder.get(name) for name in ("Email", "PhoneNumber")),
            *(account[name] for name in ("InstitutionNumber", "TransitNumber", "AccountNumber")),
        ]


def _sum(account: Json, member: str) -> str:
    return str(sum((_decimal(entry[member]) for entry in account["Transactions"]), Decimal(0)))


def _decimal(amount: float | None) -> Decimal:
    return Decimal(str(amount or 0))


def _money(amount: float) -> str:
    return str(_decimal(amount))


# --- files


def files() -> dict[str, bytes]:
    """Every file of the kit but its README, by its path there."""
    made = drops()
    return {
        **{drop.key: _stored(drop) for drop in made.values()},
        "events.json": _written(events(made)),
        "answers.json": _written(answers(made)),
    }


def _written(content: Any) -> bytes:
    """A record a line: to be read by people too."""
    if isinstance(content, list):
        lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in content)
        return f"[\n{lines}\n]\n".encode()
    parts = []
    for name, value in content.items():
        inner = (
            "{\n" + ",\n".join(f'"{key}": {_written(rows).decode().strip()}' for key, rows in value.items()) + "\n}"
            if isinstance(value, dict)
            else _written(value).decode().strip()
        )
        parts.append(f'"{name}": {inner}')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


if __name__ == "__main__":
    for name, content in files().items():
        lake.put_bytes(KIT, name, content)
