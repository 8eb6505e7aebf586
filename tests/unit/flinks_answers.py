"""Every answer Flinks can give to a fetch, and what must become of the connection: written down from docs/flinks.md,
without a look at `flinks_codes`.

An answer is a fault script of the simulator (local/flinks/README.md). Each row says what must become of the connection
when that is the answer to: GenerateAuthorizeToken, Authorize, GetAccountsDetail, GetAccountsDetailAsync. A dash: there
is no such answer to that call.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from landing.domain.connection import Status

type Step = dict[str, Any]

CALLS = ("GenerateAuthorizeToken", "Authorize", "GetAccountsDetail", "GetAccountsDetailAsync")
TOKEN, AUTHORIZE, DATA, ASYNC = CALLS


@dataclass(frozen=True)
class Fate:
    """A connection after the claim that met the answer, as its owner and ops see it, and what follows."""

    status: Status
    reason: str | None = None
    action: str = "none"
    metric: str | None = None
    """Besides the one that counts how claims ended."""
    then: Literal["over", "again", "anew", "poll"] = "over"
    """Nothing; the same call again, in the session that there is; a new session; a poll."""
    calls: int = 1
    """How often the claim makes the call that got the answer."""


def waits(reason: str, metric: str | None = None, *, then: Literal["again", "anew"] = "again", calls: int = 1) -> Fate:
    return Fate(Status.WAITING, reason, "wait", metric, then, calls)


def needs_the_user(reason: str, metric: str = "UserMustReconnect") -> Fate:
    return Fate(Status.ACTION_REQUIRED, reason, "reconnect", metric)


def is_given_up(reason: str, metric: str, action: str = "contact_support") -> Fate:
    return Fate(Status.FAILED, reason, action, metric)


FATES: Mapping[str, Fate] = {
    "ready": Fate(Status.READY),
    "poll": Fate(Status.PENDING, action="wait", then="poll"),
    "unsure": Fate(Status.PENDING, action="wait", then="again"),  # Flinks may be at it: ask again, in this session
    "odd": waits("flinks_answer_not_understood", "FlinksAnswerNotUnderstood"),
    "part": waits("account_data_incomplete"),
    "busy": waits("login_busy_at_flinks"),
    "slower": waits("flinks_throttles", "FlinksThrottled"),
    "full": waits("service_unavailable"),
    "bank": waits("bank_unavailable", "BankUnavailable"),
    "down": waits("flinks_unavailable", "FlinksUnavailable"),
    "ended": waits("flinks_session_ended", then="anew"),
    "refused": waits("flinks_refused_session", "FlinksSessionRefused", then="anew"),
    "ours": waits("service_misconfigured", "OurCredentialsRefused", calls=2),
    "username": needs_the_user("bank_username_refused"),
    "password": needs_the_user("bank_password_refused"),
    "question": needs_the_user("bank_asks_security_question"),
    "attend": needs_the_user("bank_needs_attention"),
    "disabled": needs_the_user("bank_login_disabled"),
    "empty": needs_the_user("bank_has_no_transactions"),
    "unknown": needs_the_user("login_unknown_at_flinks", "LoginUnknownAtFlinks"),
    "stop": is_given_up("flinks_refused_request", "FlinksRefusedRequest"),
    "large": is_given_up("flinks_answer_too_large", "FlinksAnswerTooLarge"),
    "foreign": is_given_up("ownership_mismatch", "Quarantined", "reconnect"),
    "other": is_given_up("another_login", "Quarantined"),
}

# --- every FlinksCode of flinks.md §10.2, with a status it has been seen with

BY_CODE = {
    #                                      status  token   authorize data      data async
    "OPERATION_PENDING":                  (202, "odd       odd       poll      poll"),
    "OPERATION_DISPATCHED":               (202, "odd       odd       poll      poll"),
    "SESSION_NONEXISTENT":                (400, "odd       ended     ended     ended"),
    "SESSION_EXPIRED":                    (400, "odd       ended     ended     ended"),
    "CARD_IN_USE":                        (400, "odd       busy      busy      busy"),
    "CONCURRENT_SESSION":                 (401, "odd       busy      busy      busy"),
    "INVALID_LOGIN":                      (401, "ours      unknown   unknown   unknown"),
    "INVALID_REQUEST":                    (401, "ours      stop      stop      stop"),
    "ACCESS_DENIED":                      (401, "ours      ours      ours      ours"),
    "UNAUTHORIZED":                       (401, "ours      refused   refused   refused"),
    "INVALID_USERNAME":                   (401, "odd       username  username  username"),
    "INVALID_PASSWORD":                   (401, "odd       password  password  password"),
    "INVALID_SECURITY_RESPONSE":          (401, "odd       question  question  question"),
    "INVALID_SECURITY_RESPONSE_NO_RETRY": (401, "odd       question  question  question"),
    "SECURITYRESPONSES_INCOMPLETE":       (401, "odd       question  question  question"),
    "QUESTION_NOT_FOUND":                 (401, "odd       question  question  question"),
    "UNKNOWN_CHALLENGE_KEY":              (401, "odd       stop      stop      stop"),
    "RETRY_LATER":                        (401, "bank      bank      bank      ended"),
    "TOO_MANY_REQUESTS":                  (401, "slower    slower    slower    slower"),
    "DISABLED_LOGIN":                     (401, "odd       disabled  disabled  disabled"),
    "NEW_ACCOUNT":                        (401, "odd       attend    attend    attend"),
    "ALREADY_AUTHORIZED":                 (401, "odd       ended     busy      busy"),
    "NO_TRANSACTION":                     (400, "odd       empty     empty     empty"),
    "DISABLED_INSTITUTION":               (405, "bank      bank      bank      bank"),
    "METHOD_NOT_AVAILABLE":               (405, "ours      ours      ours      ours"),
    "AGGREGATION_ERROR":                  (500, "down      down      ended     ended"),
    "BANK MAINTENANCE_RETRY_LATER":       (401, "bank      bank      bank      ended"),
    "CUSTOMER_NOT_FOUND":                 (404, "ours      ours      ours      ours"),
    "NO_BROWSER_AVAILABLE":               (503, "down      down      down      down"),
    "TOKEN_INVALID":                      (401, "ours      refused   refused   refused"),  # an event of Connect's
}  # fmt: skip

# An error body with a working RequestId: to go on with it is right for these alone (flinks.md §5.4, §5.5).
GOES_ON_WITH_A_SESSION = {"OPERATION_PENDING", "OPERATION_DISPATCHED", "ALREADY_AUTHORIZED", "QUESTION_NOT_FOUND"}

# --- no code, or one that nobody has documented

WITHOUT_CODE = {
    200: "odd       odd       part      part",
    201: "odd       odd       odd       odd",
    202: "odd       odd       poll      poll",
    203: "odd       question  question  question",
    204: "odd       odd       odd       odd",
    400: "ours      stop      stop      stop",
    401: "ours      ours      ours      ours",
    403: "ours      ours      ours      ours",
    404: "ours      ours      ours      ours",
    405: "ours      ours      ours      ours",
    408: "down      down      down      down",
    418: "ours      stop      stop      stop",
    422: "ours      stop      stop      stop",
    425: "down      down      down      down",
    429: "slower    slower    slower    slower",
    500: "down      down      down      down",
    502: "down      down      down      down",
    503: "down      down      down      down",
    504: "down      down      down      down",
    599: "down      down      down      down",
}

UNDOCUMENTED_CODE = {
    200: "odd       odd       odd       odd",
    202: "odd       odd       poll      poll",
    400: "ours      stop      stop      stop",
    401: "ours      refused   refused   refused",
    403: "ours      refused   refused   refused",
    404: "ours      stop      stop      stop",
    429: "slower    slower    slower    slower",
    500: "down      down      down      down",
}

NOT_JSON = {
    200: "odd       odd       odd       odd",
    202: "odd       odd       unsure    unsure",
    203: "odd       odd       odd       odd",
    401: "ours      ours      ours      ours",
    403: "ours      ours      ours      ours",
    404: "ours      ours      ours      ours",
    500: "down      down      down      down",
    502: "down      down      down      down",
    503: "down      down      down      down",
}

# --- an answer that is right in line 1 and wrong, or only unusual, further down

SPOILED: Mapping[str, tuple[Step, str]] = {
    "an MFA question":     ({"fault": "mfa"}, "odd question question question"),
    "nothing at all":      ({"fault": "empty"}, "odd odd odd odd"),
    "nothing, 204":        ({"fault": "empty", "status": 204}, "odd odd odd odd"),
    "nothing, 500":        ({"fault": "empty", "status": 500}, "down down down down"),
    "an array":            ({"body": []}, "odd odd odd odd"),
    "null":                ({"body": "null"}, "odd odd odd odd"),
    "a string":            ({"body": '"Invalid LoginId"'}, "odd odd odd odd"),
    "a code that is none": ({"fault": "members", "members": {"FlinksCode": ["OK"]}}, "odd odd odd odd"),
    "the code OK":         ({"fault": "members", "members": {"FlinksCode": "OK"}}, "ready ready ready ready"),
    "an empty code":       ({"fault": "members", "members": {"FlinksCode": ""}}, "ready ready ready ready"),
    "body says 202":       ({"fault": "members", "members": {"HttpStatusCode": 202}}, "odd ready poll poll"),
    "body says 203":       ({"fault": "members", "members": {"HttpStatusCode": 203}}, "odd question question question"),
    "body says 401":       ({"fault": "members", "members": {"HttpStatusCode": 401}}, "ours ours ours ours"),
    "body says 500":       ({"fault": "members", "members": {"HttpStatusCode": 500}}, "down down down down"),
    "line says 202":       ({"fault": "status", "status": 202}, "odd ready poll poll"),
    "line says 401":       ({"fault": "status", "status": 401}, "ours ours ours ours"),
    "line says 500":       ({"fault": "status", "status": 500}, "down down down down"),
    "as text/html":        ({"fault": "wrong_content_type"}, "ready ready ready ready"),
    "after a BOM":         ({"fault": "bom"}, "ready ready ready ready"),
    "compressed":          ({"fault": "gzip"}, "ready ready ready ready"),
    "unknown members":     ({"fault": "unknown_members"}, "ready ready ready ready"),
    "a wide number":       ({"fault": "wide_number"}, "ready ready ready ready"),
    "no HttpStatusCode":   ({"fault": "without", "member": "HttpStatusCode"}, "ready ready ready ready"),
    "two objects":         ({"fault": "trailing_garbage"}, "odd odd odd odd"),
    "no UTF-8":            ({"fault": "invalid_utf8"}, "odd odd odd odd"),
    "NaN":                 ({"fault": "nan"}, "odd odd odd odd"),
    "Infinity":            ({"fault": "nan", "literal": "-Infinity"}, "odd odd odd odd"),
    "a huge integer":      ({"fault": "huge_integer"}, "odd odd odd odd"),
    "deep nesting":        ({"fault": "deep_nesting"}, "odd odd odd odd"),
    "half a surrogate":    ({"fault": "lone_surrogate"}, "odd odd odd odd"),
    "a key twice":         ({"fault": "duplicate_keys", "member": "HttpStatusCode"}, "odd odd odd odd"),
    "no token":            ({"fault": "without", "member": "Token"}, "odd - - -"),
    "a token for a header": ({"fault": "members", "members": {"Token": "a\r\nb: c"}}, "odd - - -"),
    "an empty token":      ({"fault": "members", "members": {"Token": ""}}, "odd - - -"),
    "no session":          ({"fault": "without", "member": "RequestId"}, "- odd ready ready"),
    "a session that is none": ({"fault": "members", "members": {"RequestId": "../x"}}, "- odd ready ready"),
    "another request":     ({"fault": "other_request"}, "- - ready ready"),
    "no login":            ({"fault": "without", "member": "Login"}, "- ready part part"),
    "a login that is none": ({"fault": "members", "members": {"Login": {"Id": 5}}}, "- ready part part"),
    "another login":       ({"fault": "other_login"}, "- other other other"),
    "a tag of ours, not for her": ({"fault": "other_tag", "tag": "flt1.1.x"}, "- foreign foreign foreign"),
    "a tag of another's make": ({"fault": "other_tag", "tag": "client=40817"}, "- ready ready ready"),
    "no accounts":         ({"fault": "zero_accounts"}, "- - ready ready"),
    "accounts absent":     ({"fault": "absent_accounts"}, "- - part part"),
    "accounts null":       ({"fault": "odd_accounts"}, "- - part part"),
    "accounts an object":  ({"fault": "odd_accounts", "value": {}}, "- - part part"),
    "accounts of null":    ({"fault": "odd_accounts", "value": [None]}, "- - part part"),
    "no transactions":     ({"fault": "no_transactions"}, "- - ready ready"),
    "holder a string":     ({"fault": "holder_as_string"}, "- - ready ready"),
    "odd dates":           ({"fault": "odd_dates"}, "- - ready ready"),
    "debit and credit":    ({"fault": "debit_and_credit"}, "- - ready ready"),
    "0 for null":          ({"fault": "zero_for_null"}, "- - ready ready"),
    "numbers as strings":  ({"fault": "numbers_as_strings"}, "- - ready ready"),
}  # fmt: skip

# --- what only a real socket can do: these run over HTTP, against the simulator's own server

ON_THE_WIRE: Mapping[str, tuple[Step, str]] = {
    "closed at once":      ({"fault": "refused"}, "down down down down"),
    "reset at once":       ({"fault": "reset"}, "down down down down"),
    "reset in the header": ({"fault": "reset_in_header"}, "down down down down"),
    "reset in the body":   ({"fault": "reset_in_body"}, "down down down down"),
    "truncated":           ({"fault": "truncated"}, "down down down down"),
    "length too long":     ({"fault": "wrong_content_length", "by": 10}, "down down down down"),
    "length too short":    ({"fault": "wrong_content_length", "by": -10}, "odd odd odd odd"),
    "hangs":               ({"fault": "hang", "seconds": 5}, "down down unsure unsure"),
    "drips":               ({"fault": "slow_drip"}, "down down unsure unsure"),
    "compressed":          ({"fault": "gzip"}, "ready ready ready ready"),
    "not compressed":      ({"fault": "gzip_lie"}, "odd odd odd odd"),
    "a gzip bomb":         ({"fault": "gzip_bomb"}, "odd odd large large"),
    "60 MB":               ({"fault": "huge"}, "odd odd large large"),
    "301":                 ({"fault": "redirect", "status": 301}, "ours ours ours ours"),
    "302":                 ({"fault": "redirect"}, "ours ours ours ours"),
    "307 to ourselves":    ({"fault": "redirect", "status": 307, "location": "/"}, "ours ours ours ours"),
    "a header too many":   ({"fault": "ok", "headers": {"X-Odd": "x" * 70_000}}, "down down down down"),
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One answer to one call, and the fate it must have."""

    call: str
    step: Step = field(repr=False)
    fate: Fate

    @property
    def place(self) -> int:
        return CALLS.index(self.call)

    @property
    def is_on_its_way(self) -> bool:
        """An answer to an early call with which the claim goes on to the data."""
        return self.fate.status is Status.READY and self.call in (TOKEN, AUTHORIZE)

    @property
    def calls_so_far(self) -> list[int]:
        """What Flinks was called by then: tokens, Authorize, data, data async."""
        if self.is_on_its_way:
            return [1, 1, 1, 0]
        calls = [1 if place <= self.place else 0 for place in range(4)]
        calls[self.place] = self.fate.calls
        if self.call == AUTHORIZE:
            calls[0] = self.fate.calls  # a token is good for one Authorize
        return calls

    @property
    def calls_by_the_end(self) -> list[int]:
        """The same, when Flinks was itself again after the claim."""
        tokens, authorized, asked, polled = self.calls_so_far
        match self.fate.then, self.call:
            case "over", _:
                return [tokens, authorized, asked, polled]
            case _, "GenerateAuthorizeToken":
                return [tokens + 1, 1, 1, 0]
            case _, "Authorize":
                return [tokens + 1, authorized + 1, 1, 0]
            case "anew", _:
                return [tokens + 1, authorized + 1, asked + 1, polled]
            case ("poll", _) | (_, "GetAccountsDetailAsync"):
                return [tokens, authorized, asked, polled + 1]
            case _:
                return [tokens, authorized, asked + 1, polled]


def row(name: str, step: Step, fates: str) -> Iterator[Any]:
    for call, fate in zip(CALLS, fates.split(), strict=True):
        if fate != "-":
            yield pytest.param(Cell(call, step, FATES[fate]), id=f"{call}: {name}: {fate}")


def cells_in_process() -> Iterator[Any]:
    for code, (status, fates) in BY_CODE.items():
        token, authorize, data, polled = fates.split()
        yield from row(code, {"code": code, "status": status}, fates)
        with_session = "ready" if code in GOES_ON_WITH_A_SESSION else authorize
        yield from row(f"{code} and a session", {"code": code, "withSession": True}, f"- {with_session} - -")
        beside_data = {"fault": "code_beside_data", "flinksCode": code}
        yield from row(f"{code} beside data", beside_data, f"{token} {with_session} {data} {polled}")
    for status, fates in WITHOUT_CODE.items():
        yield from row(f"{status} without code", {"code": None, "status": status}, fates)
    for status, fates in UNDOCUMENTED_CODE.items():
        yield from row(f"{status} BRAND_NEW_CODE", {"code": "BRAND_NEW_CODE", "status": status}, fates)
    for status, fates in NOT_JSON.items():
        yield from row(f"{status} HTML", {"fault": "html", "status": status}, fates)
    for name, (step, fates) in SPOILED.items():
        yield from row(name, step, fates)


def cells_on_the_wire() -> Iterator[Any]:
    for name, (step, fates) in ON_THE_WIRE.items():
        yield from row(name, step, fates)
