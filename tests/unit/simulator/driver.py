"""Speaks to a simulated bank in process, a call a verb, in standing time."""

from datetime import UTC, datetime
from typing import Any

from local.flinks.bank import Bank
from local.flinks.cards import Card, Identity, Pending
from local.flinks.clock import Clock
from local.flinks.personas import PERSONAS
from local.flinks.reply import Json, Reply
from local.flinks.settings import Settings

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOBODY = "00000000-0000-0000-0000-000000000000"


class Caller:
    """A well-behaved client; every verb answers the raw reply."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank

    def call(self, method: str, endpoint: str, content: Any = None, **headers: str) -> Reply:
        body = content if isinstance(content, bytes) else b"" if content is None else Reply.of_json(0, content).body
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"/v3/{self.bank.settings.customer_id}/BankingServices/{endpoint}"
        return self.bank.answer(method, path, names, body)

    def token(self) -> str:
        reply = self.call("POST", "GenerateAuthorizeToken", flinks_auth_key=self.bank.settings.secret_key)
        return str(reply.json()["Token"])

    def authorize(self, login_id: str = NOBODY, *, token: str | None = None, **fields: Any) -> Reply:
        content = {"LoginId": login_id, "MostRecentCached": True} | fields
        return self.call("POST", "Authorize", content, flinks_auth_key=token or self.token())

    def log_in(self, username: str, password: str = "Everyday", **fields: Any) -> Reply:  # noqa: S107 - published
        content = {"Username": username, "Password": password, "Institution": "FlinksCapital"} | fields
        return self.call("POST", "Authorize", content, flinks_auth_key=self.token())

    def open(self, card: Card) -> str:
        return str(self.authorize(card.login_id).json()["RequestId"])

    def detail(self, request_id: str, **fields: Any) -> Reply:
        content = {"RequestId": request_id} | fields
        return self.call("POST", "GetAccountsDetail", content, x_api_key=self.bank.settings.api_key)

    def poll(self, request_id: str) -> Reply:
        return self.call("GET", f"GetAccountsDetailAsync/{request_id}", x_api_key=self.bank.settings.api_key)

    def delete(self, login_id: str) -> Reply:
        return self.call("DELETE", f"DeleteCard/{login_id}", x_api_key=self.bank.settings.api_key)

    def accounts(self, card: Card, **fields: Any) -> list[Json]:
        accounts: list[Json] = self.detail(self.open(card), **fields).json()["Accounts"]
        return accounts


def new_bank() -> Bank:
    return Bank(clock=Clock(NOON), settings=Settings(pending=Pending(polls=0)))


def connect(bank: Bank, username: str = "greatday_nomfa", *, language: str = "en", polls: int = 0) -> Card:
    persona = bank.persona(username) or PERSONAS["greatday_nomfa"]
    identity = Identity(username, language=language)
    return bank.vault.connect(identity, persona, bank.clock.now(), Pending(polls=polls))
