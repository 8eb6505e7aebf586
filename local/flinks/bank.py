"""The simulated API: `Bank.answer` is Flinks, in process and without sockets (flinks.md §4 to §8)."""

import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from local.flinks import faults
from local.flinks.cards import Card, Identity, Options, Session, Vault
from local.flinks.clock import Clock
from local.flinks.faults import Faults
from local.flinks.ids import GUID, random_guid
from local.flinks.personas import QUESTIONS, Persona, Question, is_password, persona_of
from local.flinks.reply import Json, Reply
from local.flinks.settings import Settings
from local.flinks.traffic import Call, Traffic

# Endpoint -> its method, and whether an id follows in the path.
ENDPOINTS = {
    "GenerateAuthorizeToken": ("POST", False),
    "Authorize": ("POST", False),
    "GetAccountsDetail": ("POST", False),
    "GetAccountsDetailAsync": ("GET", True),
    "DeleteCard": ("DELETE", True),
}
NOT_ENABLED = {
    "AuthorizeAsync",
    "AuthorizeMultiple",
    "GetAccountsSummary",
    "GetAccountsSummaryAsync",
    "GetStatements",
    "GetStatementsAsync",
    "GetMFAQuestions",
    "AnswerMFAQuestions",
    "SetScheduledRefresh",
    "GetNightlyRefreshStatus",
}
_ERRORS = 400


class RefusalError(Exception):
    """The call ends here with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def _refuse(code: str | None, status: int | None = None, **members: Any) -> RefusalError:
    return RefusalError(Reply.of_code(code, status, **members))


@dataclass
class Request:
    """One call, its path taken apart, its header and member names in lower case."""

    method: str
    endpoint: str
    customer_id: str
    path_id: str | None
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, method: str, path: str, headers: Mapping[str, str], body: bytes) -> "Request":
        parts = path.partition("?")[0].split("/")
        version, customer_id, service, endpoint, path_id, *rest = [*parts[1:], *[""] * 5][:6]
        is_ours = (version, service) == ("v3", "BankingServices") and not any(rest)
        if not is_ours or endpoint not in ENDPOINTS.keys() | NOT_ENABLED:
            endpoint = "(unknown)"
        lower = {name.lower(): value for name, value in headers.items()}
        return cls(method, endpoint, customer_id, path_id or None, lower, body)

    def fields(self) -> Json | None:
        """Read the body, or answer None when it is not one JSON object."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return {name.lower(): value for name, value in content.items()} if isinstance(content, dict) else None


@dataclass
class Visit:
    """A call between its arrival and the last byte of its answer."""

    call: Call
    request: Request


@dataclass
class Bank:
    """One Flinks instance with one customer. Thread-safe."""

    clock: Clock = field(default_factory=Clock)
    settings: Settings = field(default_factory=Settings)
    vault: Vault = field(default_factory=Vault)
    faults: Faults = field(default_factory=Faults)
    traffic: Traffic = field(default_factory=Traffic)
    users: dict[str, Persona] = field(default_factory=dict)  # usernames that the bank knows besides the personas
    choose: Callable[[Sequence[Question]], Question] = secrets.choice
    lock: threading.RLock = field(default_factory=threading.RLock)
    _tokens: dict[str, datetime] = field(default_factory=dict)
    _minted: int = 0

    # The door ---------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Answer one call. `path` begins with /v3/; the reply's `wire` is for the caller to honour."""
        visit = self.arrive(method, path, headers, body)
        try:
            return self.reply(visit)
        finally:
            self.leave(visit)

    def arrive(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Visit:
        """Count a call as in flight until `leave`."""
        request = Request.of(method, path, headers, body)
        call = Call(method, request.endpoint, self._card_of(request), self.clock.now())
        self.traffic.enter(call)
        return Visit(call, request)

    def reply(self, visit: Visit) -> Reply:
        with self.lock:
            reply = self._reply(visit)
        visit.call.status = reply.status
        visit.call.code = _code_in(reply)
        return reply

    def leave(self, visit: Visit) -> None:
        self.traffic.leave(visit.call)

    def reset(self) -> None:
        """Forget cards, sessions, tokens, scripts and counts; keep settings and clock."""
        with self.lock:
            self.vault = Vault(self.vault.instance)
            self._tokens.clear()
            self.users.clear()
            self.faults.remove()
            self.traffic.reset()

    def _card_of(self, request: Request) -> str | None:
        login_id: Any = None
        fields = (request.fields() or {}) if request.method == "POST" else {}
        if request.endpoint == "DeleteCard":
            login_id = request.path_id
        elif "loginid" in fields:
            login_id = fields["loginid"]
        elif request_id := fields.get("requestid") or request.path_id:
            session = self.vault.sessions.get(str(request_id).lower())
            login_id = session.login_id if session else None
        return login_id.lower() if isinstance(login_id, str) else None

    def _reply(self, visit: Visit) -> Reply:
        request = visit.request
        try:
            self._check_route(request)
            step = self.faults.next_step(request.endpoint, visit.call.login_id)
            if step is None:
                return self._handle(request)
            visit.call.fault = faults.fault_name(step)
            if request.endpoint == "Authorize":
                # A failed call has spent its token too; a real answer takes the token itself.
                stands_alone = faults.CATALOGUE[visit.call.fault].instead and not step.get("withSession")
                if stands_alone and visit.call.fault != "refused":
                    self._tokens.pop(request.headers.get("flinks-auth-key", ""), None)
            reply = faults.apply(step, lambda: self._handle_or_refuse(request))
            self._settle(request, reply)
        except RefusalError as refusal:
            return refusal.reply
        return reply

    def _handle_or_refuse(self, request: Request) -> Reply:
        try:
            return self._handle(request)
        except RefusalError as refusal:
            return refusal.reply

    def _settle(self, request: Request, reply: Reply) -> None:
        """Let a session believe what a script answered to its data call: it is processing, it failed, or it is over."""
        fields = request.fields() or {}
        session = self.vault.sessions.get(str(fields.get("requestid", request.path_id)).lower())
        if session is None or session.login_id is None or not request.endpoint.startswith("GetAccountsDetail"):
            return
        if reply.status == HTTPStatus.ACCEPTED:
            session.options = session.options or self._options(fields, self.vault.cards[session.login_id])
            session.processing, session.delivered, session.last_used = True, False, self.clock.now()
        if reply.status >= _ERRORS:
            session.processing = False
        if _code_in(reply) in {"SESSION_NONEXISTENT", "SESSION_EXPIRED"}:
            self.vault.end(session)

    def _check_route(self, request: Request) -> None:
        if request.endpoint == "(unknown)":
            raise RefusalError(Reply.of_json(404, {"Message": "No HTTP resource was found."}))
        if request.customer_id.lower() != self.settings.customer_id.lower():
            raise _refuse("CUSTOMER_NOT_FOUND")
        if request.endpoint in NOT_ENABLED:
            raise _refuse("METHOD_NOT_AVAILABLE")
        method, takes_id = ENDPOINTS[request.endpoint]
        if request.method != method:
            raise RefusalError(
                Reply.of_json(
                    405,
                    {"Message": "The requested resource does not support this http method."},
                    Allow=method,
                )
            )
        if takes_id != bool(request.path_id):
            raise RefusalError(Reply.of_json(404, {"Message": "No HTTP resource was found."}))

    def _handle(self, request: Request) -> Reply:
        handle = {
            "GenerateAuthorizeToken": self._generate_token,
            "Authorize": self._authorize,
            "GetAccountsDetail": self._accounts_detail,
            "GetAccountsDetailAsync": self._accounts_detail_async,
            "DeleteCard": self._delete_card,
        }[request.endpoint]
        return handle(request)

    # Tokens -----------------------------------------------------------------------------------------------

    def _generate_token(self, request: Request) -> Reply:
        if request.headers.get("flinks-auth-key") != self.settings.secret_key:
            raise _refuse("UNAUTHORIZED", Message="You must provide a valid auth key")
        return Reply.of_json(200, {"HttpStatusCode": 200, "Token": self.mint_token()})

    def mint_token(self) -> str:
        self._minted += 1
        token = random_guid(secrets.token_hex(16))
        self._tokens[token] = self.clock.now()
        return token

    def spend_token(self, token: str | None) -> bool:
        """Use a token up and say whether it was good, or not needed."""
        born = self._tokens.pop((token or "").lower(), None)
        life = timedelta(minutes=self.settings.token_minutes)
        is_good = born is not None and self.clock.now() - born < life
        return is_good or not self.settings.token_required

    # Authorize --------------------------------------------------------------------------------------------

    def _authorize(self, request: Request) -> Reply:
        if not self.spend_token(request.headers.get("flinks-auth-key")):
            raise _refuse("UNAUTHORIZED", Message="You must provide a valid authorize token")
        fields = self._fields(request)
        if fields.get("requestid"):
            return self._answer_question(fields)
        if self._flag(fields, "mostrecentcached", usual=False):
            return self._open_cached(fields)
        return self._open_live(fields)

    def _open_cached(self, fields: Json) -> Reply:
        card = self._card(fields)
        now = self.clock.now()
        if any(session.holds_its_card(card, now) for session in card.sessions):
            raise _refuse("CONCURRENT_SESSION", self.settings.concurrent_status)
        if card.outcome and card.outcome != "QUESTION_NOT_FOUND":
            raise _refuse(card.outcome, Institution=card.identity.institution)
        session = self.vault.open(now, card)
        session.tag = fields.get("tag") or card.tag
        if card.outcome:
            raise _refuse(card.outcome, RequestId=session.request_id, Institution=card.identity.institution)
        return self._opened(session, card)

    def _open_live(self, fields: Json) -> Reply:
        identity = self._identity(fields)
        persona = self._accepted(identity, fields)
        session = self.vault.open(self.clock.now())
        session.identity = identity
        session.tag = fields.get("tag")
        session.save = self._flag(fields, "save", usual=True)
        if persona.asks_questions:
            session.question = self.choose(QUESTIONS.get(identity.language, QUESTIONS["en"]))
            self._remember_outcome(identity, "QUESTION_NOT_FOUND")
            return self._challenge(session)
        return self._logged_in(session, persona)

    def _accepted(self, identity: Identity, fields: Json) -> Persona:
        """Ask the bank who that is, or raise what a live attempt ends with."""
        persona = self.persona(identity.username)
        if persona is None:
            raise _refuse("INVALID_USERNAME")
        stored = "loginid" in fields  # a refresh uses the password that Flinks keeps
        if not stored and not is_password(str(fields.get("password", ""))):
            raise _refuse(
                "INVALID_LOGIN",
                self.settings.invalid_login_status,
                Message="The card number (username) or password provided is invalid",
            )
        if persona.outcome:
            self._remember_outcome(identity, persona.outcome)
            raise _refuse(persona.outcome)
        return persona

    def _identity(self, fields: Json) -> Identity:
        if fields.get("loginid"):
            return self._card(fields).identity
        missing = [name for name in ("username", "password", "institution") if not isinstance(fields.get(name), str)]
        if missing:
            raise self._invalid(dict.fromkeys(missing, "is required"))
        language = str(fields.get("language") or "en").lower()
        return Identity(fields["username"], fields["institution"], language)

    def _answer_question(self, fields: Json) -> Reply:
        session = self._session(fields["requestid"])
        if session.question is None or session.identity is None:
            raise _refuse("ALREADY_AUTHORIZED", RequestId=session.request_id)
        answers = fields.get("securityresponses") or {}
        if not isinstance(answers, dict):
            raise self._invalid({"SecurityResponses": "is an object"})
        session.last_used = self.clock.now()
        if not answers:
            return self._challenge(session)
        if session.question.prompt not in answers:
            raise _refuse("UNKNOWN_CHALLENGE_KEY", RequestId=session.request_id)
        given = answers[session.question.prompt]
        given = given[0] if isinstance(given, list) and given else given
        persona = self.persona(session.identity.username)
        if str(given).casefold() != session.question.answer.casefold() or persona is None:
            self._remember_outcome(session.identity, "INVALID_SECURITY_RESPONSE")
            raise _refuse("INVALID_SECURITY_RESPONSE", RequestId=session.request_id)
        session.question = None
        return self._logged_in(session, persona)

    def _logged_in(self, session: Session, persona: Persona) -> Reply:
        identity = session.identity
        assert identity is not None  # noqa: S101 - every live session has one
        card = self.vault.connect(identity, persona, self.clock.now(), self.settings.pending)
        card.tag = session.tag or card.tag
        self.vault.attach(session, card, self.clock.now())
        return self._opened(session, card)

    def _opened(self, session: Session, card: Card) -> Reply:
        rels = (("AccountsDetail", "GetAccountsDetail"), ("AccountsSummary", "GetAccountsSummary"))
        links = [
            {"rel": rel, "href": f"/{path}", "example": None} for rel, path in (*rels, ("Statements", "GetStatements"))
        ]
        content = {
            "HttpStatusCode": 200,
            "Links": links,
            **({"Tag": session.tag} if session.tag else {}),
            **({"Login": card.login()} if session.save else {}),
            **card.institution(),
            "RequestId": session.request_id,
        }
        return Reply.of_json(200, content)

    def _challenge(self, session: Session) -> Reply:
        institution = session.identity.institution if session.identity else ""
        prompt = session.question.prompt if session.question else ""
        return Reply.of_json(203, faults.challenge(session.request_id, institution, prompt))

    def _remember_outcome(self, identity: Identity, code: str) -> None:
        card = self.vault.cards.get(self.vault.login_id(identity))
        if card:
            card.outcome = code

    def persona(self, username: str) -> Persona | None:
        return self.users.get(username.casefold()) or persona_of(username)

    # Data -------------------------------------------------------------------------------------------------

    def _accounts_detail(self, request: Request) -> Reply:
        self._check_api_key(request)
        fields = self._fields(request)
        if not fields.get("requestid"):
            raise self._invalid({"RequestId": "is required"})
        session = self._session(fields["requestid"])
        if session.question is not None or session.login_id is None:
            raise _refuse("UNAUTHORIZED", RequestId=session.request_id)
        session.options = self._options(fields, self.vault.cards[session.login_id])
        return self._data_of(session)

    def _accounts_detail_async(self, request: Request) -> Reply:
        self._check_api_key(request)
        session = self._session(request.path_id)
        if session.options is None:
            raise self._no_session(session.request_id)
        return self._data_of(session)

    def _data_of(self, session: Session) -> Reply:
        card, now = self.vault.cards[session.login_id or ""], self.clock.now()
        session.last_used = now
        if card.is_pending(now):
            card.polls_owed = max(0, card.polls_owed - 1)
            session.processing = True
            return self._still_processing(session, card)
        session.processing, session.delivered = False, True
        return Reply.of_json(200, self.detail(card, session.options or Options(), session.request_id, session.tag))

    def detail(self, card: Card, options: Options, request_id: str, tag: str | None) -> Json:
        """Write what GetAccountsDetail gives for a card once it is ready."""
        institution = card.institution()
        return {
            "HttpStatusCode": 200,
            "Accounts": card.accounts(options, self.clock.now()),
            **({"Tag": tag} if tag else {}),
            "InstitutionName": institution["InstitutionName"],
            "Login": card.login(),
            "InstitutionId": institution["InstitutionId"],
            "Institution": institution["Institution"],
            "RequestId": request_id,
        }

    def _still_processing(self, session: Session, card: Card) -> Reply:
        name = "GetAccountsDetailAsync"
        link = {"rel": name, "href": f"/{name}", "example": f"/{name}/{session.request_id}"}
        return Reply.of_code(card.persona.pending_code, 202, Links=[link], RequestId=session.request_id)

    def _options(self, fields: Json, card: Card) -> Options:
        days = str(fields.get("daysoftransactions") or "Days90").lower()
        if days not in {"days90", "days365"}:
            raise self._invalid({"DaysOfTransactions": "is Days90 or Days365"}, 400)
        only: frozenset[str] | None = None
        if fields.get("accountsfilter") is not None:
            wanted = fields["accountsfilter"]
            if not isinstance(wanted, list) or not wanted:
                raise self._invalid({"AccountsFilter": "is a list of account ids"}, 400)
            only = frozenset(str(each).lower() for each in wanted)
            if only - {account["Id"] for account in card.every_account()}:
                raise self._invalid({"AccountsFilter": "names an account that is not there"}, 400)
        return Options(
            with_identity=self._flag(fields, "withaccountidentity", usual=True),
            with_kyc=self._flag(fields, "withkyc", usual=True),
            with_transactions=self._flag(fields, "withtransactions", usual=True),
            with_balance=self._flag(fields, "withbalance", usual=True),
            days=int(days.removeprefix("days")),
            only=only,
        )

    def read_options(self, card: Card, fields: Json) -> Options:
        """Read the same options from outside the API. Raise ValueError when Flinks would refuse them."""
        try:
            return self._options({name.lower(): value for name, value in fields.items()}, card)
        except RefusalError as refusal:
            raise ValueError(str(refusal.reply.json()["ValidationDetails"])) from None

    # Deletion ---------------------------------------------------------------------------------------------

    def _delete_card(self, request: Request) -> Reply:
        if self.settings.delete_needs_api_key or "x-api-key" in request.headers:
            self._check_api_key(request)
        login_id = request.path_id or ""
        card = self.vault.cards.get(login_id.lower())
        if card is None and self.settings.second_delete == "text":
            return Reply.of_json(200, "Invalid LoginId")
        if card is None:
            raise _refuse("INVALID_LOGIN", self.settings.invalid_login_status)
        if card.is_aggregating(self.clock.now()):
            raise _refuse("CARD_IN_USE")
        self.vault.delete(card)
        message = f"All of the information about LoginId {login_id} has been removed"
        return Reply.of_json(200, {"StatusCode": 200, "Message": message})

    # What the endpoints share -----------------------------------------------------------------------------

    def _check_api_key(self, request: Request) -> None:
        refusal = self.settings.api_key_refusal
        if refusal and request.headers.get("x-api-key") != self.settings.api_key:
            raise _refuse("ACCESS_DENIED", refusal)

    def _fields(self, request: Request) -> Json:
        fields = request.fields()
        if fields is None:
            raise self._invalid({"": "the body is not a JSON object"})
        return fields

    def _flag(self, fields: Json, name: str, *, usual: bool) -> bool:
        value = fields.get(name)
        if value is None:
            return usual
        known = {"true": True, "false": False}.get(str(value).lower())
        if known is None:
            raise self._invalid({name: "is a boolean"})
        return known

    def _card(self, fields: Json) -> Card:
        login_id = fields.get("loginid")
        if not isinstance(login_id, str) or not GUID.fullmatch(login_id):
            raise self._invalid({"LoginId": "is a GUID"})
        card = self.vault.cards.get(login_id.lower())
        if card is None:
            raise _refuse("INVALID_LOGIN", self.settings.invalid_login_status)
        return card

    def _session(self, request_id: Any) -> Session:
        session = self.vault.session(str(request_id), self.clock.now())
        if session is None:
            raise self._no_session(str(request_id))
        return session

    def _no_session(self, request_id: str) -> RefusalError:
        message = f"RequestId {request_id} is invalid or session has ended"
        return _refuse(self.settings.session_end_code, Message=message)

    def _invalid(self, details: dict[str, str], status: int | None = None) -> RefusalError:
        status = status or self.settings.invalid_request_status
        return _refuse("INVALID_REQUEST", status, ValidationDetails={k: [v] for k, v in details.items()})


def _code_in(reply: Reply) -> str | None:
    if reply.status < _ERRORS and b'"FlinksCode"' not in reply.body[:200]:
        return None
    try:
        content = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    code = content.get("FlinksCode") if isinstance(content, dict) else None
    return code if isinstance(code, str) else None
