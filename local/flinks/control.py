"""The simulator's admin API: make and look at cards, move the clock, script faults, count calls."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl

from local.flinks.bank import Bank
from local.flinks.cards import Card, Identity
from local.flinks.codes import CODES
from local.flinks.connect import Connect
from local.flinks.faults import CATALOGUE
from local.flinks.personas import PERSONAS
from local.flinks.reply import Json, Reply
from local.flinks.settings import read_pending

NO_REQUEST = "00000000-0000-0000-0000-000000000000"

type Action = Callable[["Control", "Order"], Reply]


@dataclass(frozen=True)
class Order:
    """What somebody wants of the simulator."""

    name: str  # what follows in the path: a loginId or a script's number
    query: Mapping[str, str]
    content: Json

    def text(self, member: str) -> str | None:
        value = self.content.get(member)
        if not isinstance(value, str | None):
            raise ValueError(f"{member} is a string")  # noqa: TRY004 - it is JSON
        return value


@dataclass(frozen=True)
class _Route:
    method: str
    path: str
    says: str
    act: Action

    def match(self, method: str, path: str) -> re.Match[str] | None:
        pattern = re.sub(r"\{\w+\}", "([^/]+)", self.path)
        return re.fullmatch(pattern, path) if method == self.method else None


_ROUTES: list[_Route] = []


def _route(method: str, path: str, says: str) -> Callable[[Action], Action]:
    def keep(act: Action) -> Action:
        _ROUTES.append(_Route(method, path, says, act))
        return act

    return keep


@dataclass
class Control:
    """Answers on an origin of its own, so that no client of the API meets it by accident."""

    bank: Bank
    connect: Connect

    def answer(self, method: str, path: str, body: bytes = b"") -> Reply:
        path, _, query = path.partition("?")
        for route in _ROUTES:
            if found := route.match(method, path):
                try:
                    order = Order("".join(found.groups()), dict(parse_qsl(query)), _content(body))
                    with self.bank.lock:
                        return route.act(self, order)
                except KeyError as missing:
                    return Reply.of_json(404, {"error": f"there is no {missing.args[0]}"})
                except ValueError as mistake:
                    return Reply.of_json(400, {"error": str(mistake)})
        return Reply.of_json(404, {"error": "no such route; GET / lists them"})

    def card(self, login_id: str) -> Card:
        """Raise KeyError for a login that is not there."""
        if card := self.bank.vault.cards.get(login_id.lower()):
            return card
        raise KeyError("card with this loginId")

    def describe(self, card: Card) -> Json:
        now = self.bank.clock.now()
        return {
            "loginId": card.login_id,
            **asdict(card.identity),
            "persona": card.persona.name,
            "tag": card.tag,
            "daysOfTransactions": f"Days{card.days}",
            "lastRefresh": card.last_refresh(),
            "outcome": card.outcome,
            "pending": asdict(card.pending),
            "isPending": card.is_pending(now),
            "isAggregating": card.is_aggregating(now),
            "pollsOwed": card.polls_owed,
            "accountIds": [account["Id"] for account in card.every_account()],
            "sessions": {
                "opened": card.sessions_opened,
                "open": card.count_open(now),
                "maxOpen": card.most_open,
            },
        }


def _content(body: bytes) -> Json:
    if not body.strip():
        return {}
    content = json.loads(body)
    if not isinstance(content, dict):
        raise ValueError("the body is a JSON object")  # noqa: TRY004 - it is JSON
    return content


def _done() -> Reply:
    return Reply.of_json(200, {})


@_route("GET", "/", "this help")
def _help(_: Control, __: Order) -> Reply:
    return Reply.of_json(
        200,
        {
            "routes": {f"{route.method} {route.path}": route.says for route in _ROUTES},
            "personas": sorted(PERSONAS),
            "faults": {name: fault.says for name, fault in CATALOGUE.items()},
            "codes": sorted(CODES),
        },
    )


@_route(
    "POST",
    "/cards",
    "connect a login: {username, persona?, language?, institution?, tag?, daysOfTransactions?, pending?, outcome?}",
)
def _create_card(control: Control, order: Order) -> Reply:
    bank, known = control.bank, ("username", "persona", "language", "institution", "tag", "outcome")
    username, persona_name, language, institution, tag, outcome = (order.text(member) for member in known)
    unknown = order.content.keys() - {*known, "daysOfTransactions", "pending"}
    if not username or unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}" if unknown else "username is required")
    days = {"Days90": 90, "Days365": 365}.get(order.content.get("daysOfTransactions", "Days365"))
    if days is None or language not in {None, "en", "fr"}:
        raise ValueError("daysOfTransactions is Days90 or Days365, language en or fr")
    pending = read_pending(order.content["pending"]) if "pending" in order.content else bank.settings.pending
    persona = PERSONAS[persona_name] if persona_name else bank.persona(username) or PERSONAS["greatday_nomfa"]
    bank.users[username.casefold()] = persona
    identity = Identity(username, institution or "FlinksCapital", language or "en")
    card = bank.vault.connect(identity, persona, bank.clock.now(), pending, days)
    card.wait(pending, bank.clock.now())
    card.tag = tag or card.tag
    card.outcome = outcome or card.outcome
    return Reply.of_json(201, control.describe(card))


@_route("GET", "/cards", "all cards")
def _list_cards(control: Control, _: Order) -> Reply:
    return Reply.of_json(200, {"cards": [control.describe(each) for each in control.bank.vault.cards.values()]})


@_route("GET", "/cards/{loginId}", "one card, with its sessions counted")
def _show_card(control: Control, order: Order) -> Reply:
    return Reply.of_json(200, control.describe(control.card(order.name)))


@_route(
    "GET",
    "/cards/{loginId}/data",
    "the very bytes GetAccountsDetail gives once ready; its options as query, AccountsFilter comma-separated;"
    " RequestId and Tag are those of the last session, or of ?RequestId=",
)
def _show_data(control: Control, order: Order) -> Reply:
    card, fields = control.card(order.name), dict[str, Any](order.query)
    if "AccountsFilter" in fields:
        fields["AccountsFilter"] = fields["AccountsFilter"].split(",")
    options = control.bank.read_options(card, fields)
    sessions = {session.request_id: session for session in card.sessions}
    request_id = str(fields.get("RequestId") or next(reversed(sessions), NO_REQUEST)).lower()
    tag = sessions[request_id].tag if request_id in sessions else card.tag
    return Reply.of_json(200, control.bank.detail(card, options, request_id, tag))


@_route("PUT", "/cards/{loginId}/pending", "data is pending from now on: {polls?, seconds?, never?}; {} is ready")
def _set_pending(control: Control, order: Order) -> Reply:
    card = control.card(order.name)
    card.wait(read_pending(order.content), control.bank.clock.now())
    return Reply.of_json(200, control.describe(card))


@_route("PUT", "/cards/{loginId}/outcome", "how the last live attempt ended: {code}, null for well")
def _set_outcome(control: Control, order: Order) -> Reply:
    card = control.card(order.name)
    card.outcome = order.text("code")
    return Reply.of_json(200, control.describe(card))


@_route("PUT", "/cards/{loginId}/tag", "the tag of the last connection: {tag}, null for none")
def _set_tag(control: Control, order: Order) -> Reply:
    card = control.card(order.name)
    card.tag = order.text("tag")
    return Reply.of_json(200, control.describe(card))


@_route("POST", "/cards/{loginId}/refresh", "collect the data anew, as a reconnecting person makes Flinks do")
def _refresh_card(control: Control, order: Order) -> Reply:
    card = control.card(order.name)
    card.outcome = card.persona.outcome
    card.aggregate(control.bank.clock.now())
    return Reply.of_json(200, control.describe(card))


@_route("DELETE", "/cards/{loginId}", "forget a card, whatever its state; the next one has another loginId")
def _delete_card(control: Control, order: Order) -> Reply:
    control.bank.vault.delete(control.card(order.name))
    return _done()


@_route(
    "POST",
    "/connect",
    "Connect without a browser: {username, password, answer?, accountIds?, authorizeToken?, and any parameter of"
    " its URL} gives {loginId, requestId, events, landingUrl}",
)
def _connect(control: Control, order: Order) -> Reply:
    return control.connect.drive(order.content)


@_route("GET", "/settings", "the switches")
def _show_settings(control: Control, _: Order) -> Reply:
    return Reply.of_json(200, control.bank.settings.as_json())


@_route("PATCH", "/settings", "change switches, keys included")
def _change_settings(control: Control, order: Order) -> Reply:
    control.bank.settings.change(order.content)
    return Reply.of_json(200, control.bank.settings.as_json())


@_route("GET", "/clock", "the simulated time")
def _show_clock(control: Control, _: Order) -> Reply:
    return Reply.of_json(200, {"now": control.bank.clock.now().isoformat()})


@_route("POST", "/clock", "move the clock: {advanceSeconds}")
def _move_clock(control: Control, order: Order) -> Reply:
    seconds = order.content.get("advanceSeconds")
    if type(seconds) not in {int, float}:
        raise ValueError("advanceSeconds is a number")
    control.bank.clock.advance(order.content["advanceSeconds"])
    return _show_clock(control, order)


@_route("GET", "/calls", "calls received: counts and most in flight, in all, per endpoint and per card")
def _show_calls(control: Control, _: Order) -> Reply:
    return Reply.of_json(200, control.bank.traffic.as_json())


@_route("GET", "/calls/log", "calls in the order of their arrival; ?after=number")
def _show_log(control: Control, order: Order) -> Reply:
    return Reply.of_json(200, {"calls": control.bank.traffic.log(int(order.query.get("after", 0)))})


@_route("DELETE", "/calls", "count from zero")
def _reset_calls(control: Control, _: Order) -> Reply:
    control.bank.traffic.reset()
    return _done()


@_route("GET", "/faults", "the scripts in force")
def _show_faults(control: Control, _: Order) -> Reply:
    return Reply.of_json(200, {"scripts": control.bank.faults.as_json()})


@_route(
    "POST",
    "/faults",
    'script answers: {endpoint?, loginId?, steps: [{fault, code or body; times?: 1 or "forever", headers?, hang?}]}',
)
def _add_fault(control: Control, order: Order) -> Reply:
    return Reply.of_json(201, control.bank.faults.add(order.content).as_json())


@_route("DELETE", "/faults", "drop all scripts")
def _remove_faults(control: Control, _: Order) -> Reply:
    control.bank.faults.remove()
    return _done()


@_route("DELETE", "/faults/{number}", "drop one script")
def _remove_fault(control: Control, order: Order) -> Reply:
    control.bank.faults.remove(int(order.name))
    return _done()


@_route("POST", "/reset", "forget cards, sessions, tokens, scripts and counts; keep settings and clock")
def _reset(control: Control, _: Order) -> Reply:
    control.bank.reset()
    return _done()
