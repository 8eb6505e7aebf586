"""A stand-in for Flinks Connect: walks a person from institution to loginId, saying each event (flinks.md §12)."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from local.flinks.bank import Bank
from local.flinks.cards import Card, Identity, Session
from local.flinks.personas import QUESTIONS, Persona, Question, is_password
from local.flinks.reply import Json, Reply

PAGE = Path(__file__).with_name("connect.html")


@dataclass
class Walk:
    """One person on her way through the widget."""

    params: Mapping[str, str]
    events: list[Json] = field(default_factory=list)  # of the current step
    institution: str = ""
    identity: Identity | None = None
    persona: Persona | None = None
    session: Session | None = None
    card: Card | None = None

    def on(self, name: str, *, usual: bool = False) -> bool:
        return self.params.get(name, str(usual)).lower() == "true"

    @property
    def language(self) -> str:
        return "fr" if self.params.get("language") == "fr" else "en"

    def say(self, step: str, **members: Any) -> None:
        self.events.append({"step": step, **members})

    def say_code(self, code: str, **members: Any) -> None:
        request = {"requestId": self.session.request_id} if self.session else {}
        self.events.append({"flinksCode": code, **request, "institution": self.institution, **members})


@dataclass
class Connect:
    """The widget's server: each step answers the events to post and the screen to show next."""

    bank: Bank
    own_url: str = "http://127.0.0.1"
    _walks: dict[str, Walk] = field(default_factory=dict)

    def answer(self, method: str, path: str, body: bytes = b"") -> Reply:
        """Answer below /v2/: the page itself, or one of its steps as JSON."""
        place = path.partition("?")[0].removeprefix("/v2/").rstrip("/")
        if method == "GET":
            return self._page()
        try:
            content = json.loads(body)
            step = {
                "steps/open": self.open,
                "steps/consent": self.consent,
                "steps/institution": self.institution,
                "steps/credentials": self.credentials,
                "steps/answer": self.security_answer,
                "steps/accounts": self.accounts,
                "steps/close": self.close,
            }[place]
            with self.bank.lock:
                return Reply.of_json(200, step(content))
        except (ValueError, KeyError, TypeError, AttributeError):
            return Reply.of_json(400, {"error": "not a step of this page"})

    def _page(self) -> Reply:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self';"
            " img-src data:; base-uri 'none'; form-action 'none'"
        )
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return Reply(200, PAGE.read_bytes().replace(b"{{nonce}}", nonce.encode()), headers)

    def drive(self, content: Json) -> Reply:
        """Walk all the way at once: what a person does, from a few words of JSON."""
        own = {"username", "password", "answer", "accountIds"}
        params = {name: _text(value) for name, value in content.items() if name not in own}
        params.setdefault("demo", "true")
        if "authorizeToken" not in params:
            params["authorizeToken"] = self.bank.mint_token()
        if content.get("accountIds"):
            params |= {"accountSelectorEnable": "true", "accountSelectorMultiple": "true"}
        answer = self.open({"params": params})
        events = list(answer["events"])
        ticket = {"ticket": answer.get("ticket")}
        given = content.get("answer")
        while (screen := answer["screen"])["name"] in {"consent", "institution", "credentials", "question", "accounts"}:
            if "error" in screen:
                break
            match screen["name"]:
                case "consent":
                    answer = self.consent(ticket)
                case "institution":
                    answer = self.institution(ticket | {"institution": params.get("institution", "FlinksCapital")})
                case "credentials":
                    words = {name: content.get(name, "") for name in ("username", "password")}
                    answer = self.credentials(ticket | words)
                case "question":
                    answer = self.security_answer(ticket | {"answer": self._pick_answer(ticket["ticket"], given)})
                case _:
                    chosen = content.get("accountIds") or [screen["accounts"][0]["id"]]
                    answer = self.accounts(ticket | {"accountIds": chosen})
            events += answer["events"]
        if screen["name"] != "done":
            code = screen.get("error", screen["name"])
            return Reply.of_json(422, {"flinksCode": code, "events": events})
        redirect = events[-1]
        result = {"loginId": redirect["loginId"], "requestId": redirect["requestId"]}
        return Reply.of_json(200, result | {"landingUrl": redirect["url"], "events": events})

    def _pick_answer(self, ticket: Any, given: Any) -> str:
        """Without an answer the right one; a right answer to another question gets that question asked."""
        session = self._walks[ticket].session
        if session is None or session.question is None:
            return ""
        if given is None:
            return session.question.answer
        for question in QUESTIONS[self._walks[ticket].language]:
            if question.answer.casefold() == str(given).casefold():
                session.question = question
        return str(given)

    # The steps --------------------------------------------------------------------------------------------

    def open(self, content: Json) -> Json:
        walk = Walk({str(name): _text(value) for name, value in content["params"].items()})
        walk.say("APP_MOUNTED")
        if not self.bank.spend_token(walk.params.get("authorizeToken")):
            walk.say("TOKEN_INVALID")
            return self._next(walk, {"name": "refused", "error": "TOKEN_INVALID"})
        ticket = secrets.token_urlsafe(24)
        self._walks[ticket] = walk
        walk.institution = str(content.get("institution") or "")  # named in the path: no picker
        if walk.on("consentEnable", usual=True):
            walk.say("COMPONENT_LOAD_CONSENT")
            return self._next(walk, {"name": "consent"}) | {"ticket": ticket}
        return self._after_consent(walk) | {"ticket": ticket}

    def consent(self, content: Json) -> Json:
        walk = self._walk(content)
        walk.say("COMPONENT_ACCEPT_CONSENT")
        return self._after_consent(walk)

    def close(self, content: Json) -> Json:
        walk = self._walk(content)
        del self._walks[content["ticket"]]
        walk.say("COMPONENT_CLOSE_SESSION")
        return self._next(walk, {"name": "closed"})

    def _after_consent(self, walk: Walk) -> Json:
        if walk.institution:
            return self._load_credentials(walk)
        walk.say("COMPONENT_LOAD_INSTITUTION_SELECTOR", cached=False)
        # Flinks shows its test institution in demo mode only.
        return self._next(walk, {"name": "institution", "institutions": ["FlinksCapital"] if walk.on("demo") else []})

    def institution(self, content: Json) -> Json:
        walk = self._walk(content)
        walk.institution = str(content["institution"])
        walk.say("INSTITUTION_SELECTED", institution=walk.institution)
        return self._load_credentials(walk)

    def _load_credentials(self, walk: Walk) -> Json:
        walk.say("COMPONENT_LOAD_CREDENTIAL", institution=walk.institution)
        return self._next(walk, {"name": "credentials", "institution": walk.institution})

    def credentials(self, content: Json) -> Json:
        walk = self._walk(content)
        username = str(content["username"]).strip()
        walk.say("SUBMIT_CREDENTIAL", institution=walk.institution)
        walk.identity = Identity(username, walk.institution, walk.language)
        walk.persona = self.bank.persona(username)
        walk.session = self.bank.vault.open(self.bank.clock.now())
        code = _refusal_of(walk.persona, str(content["password"]))
        if code:
            walk.say_code(code)
            walk.say("COMPONENT_LOAD_CREDENTIAL_RETRY", institution=walk.institution)
            return self._next(walk, {"name": "credentials", "institution": walk.institution, "error": code})
        if walk.persona and walk.persona.asks_questions:
            walk.session.question = self.bank.choose(QUESTIONS[walk.language])
            walk.say_code("QUESTION_NOT_FOUND")
            walk.say("COMPONENT_LOAD_MFA", institution=walk.institution, mfaTypes=["QuestionAndAnswer"])
            return self._next(walk, _question_screen(walk.session.question))
        return self._logged_in(walk)

    def security_answer(self, content: Json) -> Json:
        walk = self._walk(content)
        session = walk.session
        if session is None or session.question is None:
            raise ValueError("nothing was asked")
        walk.say("SUBMIT_MFA", institution=walk.institution)
        if str(content["answer"]).strip().casefold() != session.question.answer.casefold():
            walk.say_code("INVALID_SECURITY_RESPONSE")
            walk.say("COMPONENT_LOAD_MFA_RETRY", institution=walk.institution)
            return self._next(walk, _question_screen(session.question) | {"error": "INVALID_SECURITY_RESPONSE"})
        session.question = None
        return self._logged_in(walk)

    def _logged_in(self, walk: Walk) -> Json:
        assert walk.identity is not None  # noqa: S101 - credentials() has set the three
        assert walk.persona is not None  # noqa: S101
        assert walk.session is not None  # noqa: S101
        days = 365 if walk.params.get("daysOfTransactions") == "Days365" else 90
        now, pending = self.bank.clock.now(), self.bank.settings.pending
        walk.card = self.bank.vault.connect(walk.identity, walk.persona, now, pending, days)
        walk.card.tag = walk.params.get("tag") or None
        self.bank.vault.tie(walk.session, walk.card, now)
        walk.session.delivered = True  # it is Connect's own: none that our side left open
        if not walk.on("accountSelectorEnable"):
            return self._redirect(walk, [])
        currency = walk.params.get("accountSelectorCurrency")
        shown = [
            {"id": each["Id"], "title": each["Title"], "currency": each["Currency"], "number": each["AccountNumber"]}
            for each in walk.card.every_account()
            if currency in {None, "", each["Currency"]}
        ]
        walk.say(
            "COMPONENT_LOAD_ACCOUNT_SELECTION",
            institution=walk.institution,
            totalAccounts=len(walk.card.every_account()),
            displayedAccounts=len(shown),
        )
        return self._next(walk, {"name": "accounts", "accounts": shown, "multiple": walk.on("accountSelectorMultiple")})

    def accounts(self, content: Json) -> Json:
        walk = self._walk(content)
        chosen = [str(each) for each in content["accountIds"]]
        known = {each["Id"] for each in walk.card.every_account()} if walk.card else set()
        if not chosen or set(chosen) - known or (len(chosen) > 1 and not walk.on("accountSelectorMultiple")):
            raise ValueError("these accounts were not on offer")
        walk.say("ACCOUNT_SELECTED", institution=walk.institution, accountId=_chosen(walk, chosen))
        return self._redirect(walk, chosen)

    def _redirect(self, walk: Walk, chosen: list[str]) -> Json:
        assert walk.card is not None  # noqa: S101 - only a logged-in person gets here
        assert walk.session is not None  # noqa: S101
        card = walk.card
        card.aggregate(self.bank.clock.now())  # Flinks starts collecting as Connect lets the person go
        members: Json = {"loginId": card.login_id, "requestId": walk.session.request_id}
        if chosen:
            members["accountId"] = _chosen(walk, chosen)
        url = self._landing_url(walk, card, chosen)
        walk.say("REDIRECT", **members, institution=walk.institution, url=url)
        navigate = "none" if walk.on("jsRedirect") else "inner" if walk.on("innerRedirect") else "top"
        return self._next(walk, {"name": "done", "url": url, "navigate": navigate})

    def _landing_url(self, walk: Walk, card: Card, chosen: list[str]) -> str:
        parts = urlsplit(walk.params.get("redirectUrl") or f"{self.own_url}/v2/landed")
        if parts.scheme not in {"http", "https"}:
            raise ValueError("redirectUrl is an http address")
        query = [*parse_qsl(parts.query, keep_blank_values=True), ("loginId", card.login_id)]
        query += [("accountId", ",".join(chosen))] if chosen else []
        query += [("tag", card.tag)] if card.tag else []
        query += [("institution", walk.institution)]
        query += [("demo", "true")] if walk.on("demo") else []
        return urlunsplit(parts._replace(query=urlencode(query, safe=",", quote_via=quote)))

    def _walk(self, content: Json) -> Walk:
        walk = self._walks[content["ticket"]]
        walk.events = []
        return walk

    def _next(self, walk: Walk, screen: Json) -> Json:
        return {"events": walk.events, "screen": screen}


def _refusal_of(persona: Persona | None, password: str) -> str | None:
    if persona is None:
        return "INVALID_USERNAME"
    return persona.outcome if is_password(password) else "INVALID_LOGIN"


def _question_screen(question: Question) -> Json:
    return {"name": "question", "prompt": question.prompt}


def _chosen(walk: Walk, chosen: list[str]) -> str | list[str]:
    return chosen if walk.on("accountSelectorMultiple") else chosen[0]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
