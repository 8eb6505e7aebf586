"""What to do about an answer of Flinks: tables by call and FlinksCode, and by status where no code decides.

The HTTP status means little at Flinks: 401 is throttling, a closed bank and a wrong password alike. So a
code decides wherever there is one; a status decides answers without a code that we know; message text never,
but for one phrase of DeleteCard (flinks.md §10, §17).
"""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from landing.domain.connection import Action
from landing.domain.reasons import Reason
from landing.error_names import Cause
from landing.flinks.answer import NO_ERROR, Answer, Call
from landing.flinks.wire import Fault
from landing.metrics import Metric


class Kind(StrEnum):
    """The next move."""

    CONTINUE = "continue"
    """Go on, to Authorize with the token or to the data with the requestId: the answer holds it."""
    READY = "ready"
    """The body is account data, to be checked."""
    PENDING = "pending"
    """Flinks is collecting, or may be: ask again in a while, in this session."""
    RETRY = "retry"
    """The same again, with backoff; a session that is open stays of use."""
    REAUTHORIZE = "reauthorize"
    """The session, or the token for one, is gone: exchange anew, a few times at most."""
    RECONNECT = "reconnect"
    """Only the user can go on, in Flinks Connect."""
    STOP = "stop"
    """More tries will not help, nor will the user: a person must look."""
    OUR_CREDENTIALS = "our_credentials"
    """Our keys or configuration are refused: read them anew once, then retry and page ops."""
    QUARANTINE = "quarantine"
    """Not this owner's login: nothing may be stored. No answer says so by itself."""
    DELETED = "deleted"
    """Flinks says that it has forgotten the login."""
    GONE = "gone"
    """Flinks knows no such login. True only of the right Flinks: the caller must have proof of that."""


@dataclass(frozen=True)
class Verdict:
    """What to do, and the words for it: `reason` says why nothing came of it, `metric` is counted."""

    kind: Kind
    reason: Reason = Reason.FLINKS_ANSWER_NOT_UNDERSTOOD
    """Of a verdict to go on: the reason that is stored if it turns out that we cannot."""
    action: Action = Action.NONE
    metric: Metric | None = None


def _later(reason: Reason, metric: Metric | None = None) -> Verdict:
    return Verdict(Kind.RETRY, reason, Action.WAIT, metric)


def _user(reason: Reason) -> Verdict:
    return Verdict(Kind.RECONNECT, reason, Action.RECONNECT, Metric.USER_MUST_RECONNECT)


GO_ON = Verdict(Kind.CONTINUE)
READY = Verdict(Kind.READY)
PENDING = Verdict(Kind.PENDING, action=Action.WAIT)
SESSION = Verdict(Kind.REAUTHORIZE, Reason.FLINKS_SESSION_ENDED, Action.WAIT)
REFUSED = Verdict(Kind.REAUTHORIZE, Reason.FLINKS_REFUSED_SESSION, Action.WAIT, Metric.FLINKS_SESSION_REFUSED)
BUSY = _later(Reason.LOGIN_BUSY_AT_FLINKS)
SLOWER = _later(Reason.FLINKS_THROTTLES, Metric.FLINKS_THROTTLED)
BANK = _later(Reason.BANK_UNAVAILABLE, Metric.BANK_UNAVAILABLE)
DOWN = _later(Reason.FLINKS_UNAVAILABLE, Metric.FLINKS_UNAVAILABLE)
ODD = _later(Reason.FLINKS_ANSWER_NOT_UNDERSTOOD, Metric.FLINKS_ANSWER_NOT_UNDERSTOOD)
FULL = _later(Reason.SERVICE_UNAVAILABLE)
USERNAME = _user(Reason.BANK_USERNAME_REFUSED)
PASSWORD = _user(Reason.BANK_PASSWORD_REFUSED)
QUESTION = _user(Reason.BANK_ASKS_SECURITY_QUESTION)
ATTENTION = _user(Reason.BANK_NEEDS_ATTENTION)
DISABLED = _user(Reason.BANK_LOGIN_DISABLED)
EMPTY = _user(Reason.BANK_HAS_NO_TRANSACTIONS)
CHOICE_GONE = _user(Reason.CHOSEN_ACCOUNTS_GONE)
"""Flinks has renewed the ids of the accounts that were chosen, or the bank has closed them: choose again."""
UNKNOWN = Verdict(Kind.RECONNECT, Reason.LOGIN_UNKNOWN_AT_FLINKS, Action.RECONNECT, Metric.LOGIN_UNKNOWN_AT_FLINKS)
STOP = Verdict(Kind.STOP, Reason.FLINKS_REFUSED_REQUEST, Action.CONTACT_SUPPORT, Metric.FLINKS_REFUSED_REQUEST)
TOO_LARGE = Verdict(Kind.STOP, Reason.FLINKS_ANSWER_TOO_LARGE, Action.CONTACT_SUPPORT, Metric.FLINKS_ANSWER_TOO_LARGE)
OURS = Verdict(Kind.OUR_CREDENTIALS, Reason.SERVICE_MISCONFIGURED, Action.WAIT, Metric.OUR_CREDENTIALS_REFUSED)
DELETED = Verdict(Kind.DELETED)
GONE = Verdict(Kind.GONE, Reason.LOGIN_UNKNOWN_AT_FLINKS)

ANOTHER_LOGIN = Verdict(Kind.QUARANTINE, Reason.ANOTHER_LOGIN, Action.CONTACT_SUPPORT, Metric.QUARANTINED)
ANOTHER_OWNER = Verdict(Kind.QUARANTINE, Reason.OWNERSHIP_MISMATCH, Action.RECONNECT, Metric.QUARANTINED)
OWNER_UNPROVEN = Verdict(Kind.QUARANTINE, Reason.OWNERSHIP_UNPROVEN, Action.RECONNECT, Metric.QUARANTINED)
"""The quarantines. No answer gives them: `fetch_accounts` does, when it compares login and owner."""

# Every cell is written out: none is a default. The columns are the calls, in the order of `Call`:
# GenerateAuthorizeToken, Authorize, GetAccountsDetail, GetAccountsDetailAsync, DeleteCard.
type Row = tuple[Verdict, Verdict, Verdict, Verdict, Verdict]

# In cached mode Authorize replays how the last visit to the bank ended (flinks.md §5.5): so a code of live
# mode, a wrong password for one, can come from any call of a fetch. No bank stands behind a token or a
# deletion: there such a code is only odd.
BY_CODE: dict[str, Row] = {
    # FlinksCode                           token    authorize  data       data async  delete
    "OPERATION_PENDING":                  (ODD,     GO_ON,     PENDING,   PENDING,    BUSY),
    "OPERATION_DISPATCHED":               (ODD,     GO_ON,     PENDING,   PENDING,    BUSY),
    "SESSION_NONEXISTENT":                (ODD,     SESSION,   SESSION,   SESSION,    ODD),
    "SESSION_EXPIRED":                    (ODD,     SESSION,   SESSION,   SESSION,    ODD),
    "CARD_IN_USE":                        (ODD,     BUSY,      BUSY,      BUSY,       BUSY),
    "CONCURRENT_SESSION":                 (ODD,     BUSY,      BUSY,      BUSY,       BUSY),
    "ALREADY_AUTHORIZED":                 (ODD,     GO_ON,     BUSY,      BUSY,       ODD),
    "INVALID_LOGIN":                      (OURS,    UNKNOWN,   UNKNOWN,   UNKNOWN,    GONE),
    "INVALID_REQUEST":                    (OURS,    STOP,      STOP,      STOP,       STOP),
    "ACCESS_DENIED":                      (OURS,    OURS,      OURS,      OURS,       OURS),
    "UNAUTHORIZED":                       (OURS,    REFUSED,   REFUSED,   REFUSED,    OURS),
    "TOKEN_INVALID":                      (OURS,    REFUSED,   REFUSED,   REFUSED,    OURS),
    "CUSTOMER_NOT_FOUND":                 (OURS,    OURS,      OURS,      OURS,       OURS),
    "METHOD_NOT_AVAILABLE":               (OURS,    OURS,      OURS,      OURS,       OURS),
    "INVALID_USERNAME":                   (ODD,     USERNAME,  USERNAME,  USERNAME,   ODD),
    "INVALID_PASSWORD":                   (ODD,     PASSWORD,  PASSWORD,  PASSWORD,   ODD),
    "INVALID_SECURITY_RESPONSE":          (ODD,     QUESTION,  QUESTION,  QUESTION,   ODD),
    "INVALID_SECURITY_RESPONSE_NO_RETRY": (ODD,     QUESTION,  QUESTION,  QUESTION,   ODD),
    "SECURITYRESPONSES_INCOMPLETE":       (ODD,     QUESTION,  QUESTION,  QUESTION,   ODD),
    "QUESTION_NOT_FOUND":                 (ODD,     GO_ON,     QUESTION,  QUESTION,   ODD),
    "UNKNOWN_CHALLENGE_KEY":              (ODD,     STOP,      STOP,      STOP,       ODD),
    "DISABLED_LOGIN":                     (ODD,     DISABLED,  DISABLED,  DISABLED,   ODD),
    "NEW_ACCOUNT":                        (ODD,     ATTENTION, ATTENTION, ATTENTION,  ODD),
    "NO_TRANSACTION":                     (ODD,     EMPTY,     EMPTY,     EMPTY,      ODD),
    "RETRY_LATER":                        (BANK,    BANK,      BANK,      SESSION,    BANK),
    "BANK MAINTENANCE_RETRY_LATER":       (BANK,    BANK,      BANK,      SESSION,    BANK),
    "DISABLED_INSTITUTION":               (BANK,    BANK,      BANK,      BANK,       BANK),
    "TOO_MANY_REQUESTS":                  (SLOWER,  SLOWER,    SLOWER,    SLOWER,     SLOWER),
    "NO_BROWSER_AVAILABLE":               (DOWN,    DOWN,      DOWN,      DOWN,       DOWN),
    "AGGREGATION_ERROR":                  (DOWN,    DOWN,      SESSION,   SESSION,    DOWN),
}  # fmt: skip

# A refusal without a word about the login is about us: a key, or an address.
_BY_STATUS: dict[int, Row] = {
    # status  token    authorize  data       data async  delete
    200:     (GO_ON,   GO_ON,     READY,     READY,      DELETED),
    202:     (ODD,     GO_ON,     PENDING,   PENDING,    BUSY),
    203:     (ODD,     QUESTION,  QUESTION,  QUESTION,   ODD),
    401:     (OURS,    OURS,      OURS,      OURS,       OURS),
    403:     (OURS,    OURS,      OURS,      OURS,       OURS),
    404:     (OURS,    OURS,      OURS,      OURS,       OURS),
    405:     (OURS,    OURS,      OURS,      OURS,       OURS),
    408:     (DOWN,    DOWN,      DOWN,      DOWN,       DOWN),
    425:     (DOWN,    DOWN,      DOWN,      DOWN,       DOWN),
    429:     (SLOWER,  SLOWER,    SLOWER,    SLOWER,     SLOWER),
}  # fmt: skip
_OTHER_4XX: Row = (OURS, STOP, STOP, STOP, STOP)
_5XX: Row = (DOWN, DOWN, DOWN, DOWN, DOWN)
_OTHER: Row = (ODD, ODD, ODD, ODD, ODD)

# A code that is new to us may well be about the login: it is no success, and not our keys' fault unasked.
_BY_STATUS_OF_UNKNOWN_CODE: dict[int, Row] = {
    200:     _OTHER,
    401:     (OURS,    REFUSED,   REFUSED,   REFUSED,    STOP),
    403:     (OURS,    REFUSED,   REFUSED,   REFUSED,    STOP),
    404:     _OTHER_4XX,
    405:     _OTHER_4XX,
}  # fmt: skip

# An answer that cannot be read proves neither a success nor a question.
_BY_STATUS_OF_UNREADABLE: dict[int, Row] = {200: _OTHER, 203: _OTHER}

# A data call may work at Flinks for 210 s: after its timeout a new session would only collide with it.
_BY_FAULT: dict[Fault, Row] = {
    Fault.TIMEOUT:     (DOWN, DOWN, PENDING,   PENDING,   DOWN),
    Fault.UNREACHABLE: (DOWN, DOWN, DOWN,      DOWN,      DOWN),
    Fault.REDIRECTED:  (OURS, OURS, OURS,      OURS,      OURS),
    Fault.UNSENDABLE:  (OURS, OURS, OURS,      OURS,      OURS),
    Fault.NO_SECRET:   (OURS, OURS, OURS,      OURS,      OURS),
    Fault.PLACEHOLDER: (OURS, OURS, OURS,      OURS,      OURS),
    Fault.NO_ROOM:     (FULL, FULL, FULL,      FULL,      FULL),
    Fault.TOO_LARGE:   (ODD,  ODD,  TOO_LARGE, TOO_LARGE, ODD),
}  # fmt: skip

_COLUMN = {call: column for column, call in enumerate(Call)}


def what_to_do(answer: Answer) -> Verdict:
    """Every Answer has a verdict; a verdict to go on is given only with what is needed to go on."""
    if _invalid_login_id(answer):
        return GONE
    verdict = _row(answer)[_COLUMN[answer.call]]
    needed = answer.token if answer.call is Call.GENERATE_AUTHORIZE_TOKEN else answer.request_id
    if verdict is GO_ON and needed is None:
        return {"QUESTION_NOT_FOUND": QUESTION, "ALREADY_AUTHORIZED": SESSION}.get(answer.code or "", ODD)
    if verdict is DELETED and answer.declared_status != HTTPStatus.OK:
        return ODD  # only Flinks' own words end an erasure: a proxy can say 200 too
    return verdict


def cause_in(answer: Answer) -> Cause:
    """Which call it was, and what came of it: the status and the FlinksCode, or the fault. Never a text of Flinks'."""
    said = [str(answer.call), *([str(answer.status)] if answer.status is not None else [])]
    label = [str(answer.call)]
    if answer.fault is not None:
        said.append(answer.fault.value)
        label.append(answer.fault.value)
    elif answer.code is not None:
        said.append(answer.code)
        label.append(answer.code if answer.code in BY_CODE else "another_code")
    elif answer.status is not None:
        label.append(str(answer.status) if answer.status in _BY_STATUS else f"{answer.status // 100}xx")
    return Cause(" ".join(said), " ".join(label))


def _row(answer: Answer) -> Row:
    if answer.fault in _BY_FAULT:
        return _BY_FAULT[answer.fault]
    if answer.code in BY_CODE:
        return BY_CODE[answer.code]
    status = answer.effective_status
    if status is None:
        return _5XX
    if answer.fault is Fault.UNREADABLE and status in _BY_STATUS_OF_UNREADABLE:
        return _BY_STATUS_OF_UNREADABLE[status]
    if answer.code not in NO_ERROR and status in _BY_STATUS_OF_UNKNOWN_CODE:
        return _BY_STATUS_OF_UNKNOWN_CODE[status]
    return _BY_STATUS.get(status) or {4: _OTHER_4XX, 5: _5XX}.get(status // 100, _OTHER)


def _invalid_login_id(answer: Answer) -> bool:
    """DeleteCard's way, once, of saying in a 2xx that it does not know the login (flinks.md §8)."""
    return (
        answer.call is Call.DELETE_CARD
        and answer.code not in BY_CODE
        and answer.status in range(200, 300)
        and "Invalid LoginId" in answer.message
    )
