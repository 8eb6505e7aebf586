"""What each state and reason means to an operator, and what to do about it. Closed over every reason there is."""

from dataclasses import dataclass

from landing.domain.connection import ERASED, Connection, Status
from landing.domain.reasons import Reason


@dataclass(frozen=True)
class Advice:
    """One sentence each; `do` says `nothing` where nothing needs to be done."""

    means: str
    do: str


STATES = {
    Status.RECEIVED: Advice("posted or asked for anew; a fetch is about to begin", "nothing"),
    Status.FETCHING: Advice("a worker has claimed it and is asking Flinks", "nothing; a dead worker's claim lapses"),
    Status.PENDING: Advice("Flinks is collecting; it is polled until pollUntil", "nothing"),
    Status.WAITING: Advice("something kept it from being fetched; it is tried again", "nothing"),
    Status.READY: Advice("its account data lies in the bucket and was announced", "nothing"),
    Status.ACTION_REQUIRED: Advice("only the person can go on, in Flinks Connect", "nothing; the page says so"),
    Status.FAILED: Advice("given up: nobody tries again unless told", "see the reason"),
    Status.DELETING: Advice("a deletion was ordered and goes on by itself", "nothing; the receipt comes at its end"),
    Status.DELETED: Advice("erased; the row is a tombstone", "bin/landing receipt has the receipt"),
}

_WAIT = "nothing while it is rare; if many have it, look at the alarm of that name: docs/operations.md"
_PERSON = "nothing; the page asks the person to connect again"
_AGAIN = "once the cause is over: bin/landing refetch --reason {reason}"
_FLINKS = "ask Flinks what changed, then bin/landing refetch --reason {reason}"

REASONS = {
    Reason.ACCOUNT_DATA_INCOMPLETE: Advice("Flinks' answer had no accounts or no login in it", _AGAIN),
    Reason.ANOTHER_CONNECTION_UNDER_WAY: Advice(
        "another connection has the same login and is still being fetched", "nothing: it waits a day at most"
    ),
    Reason.ANOTHER_FLINKS: Advice(
        "the stack points at another Flinks than the one that opened this login",
        "deploy the former FlinksInstance and FlinksCustomerId; the deletion goes on by itself",
    ),
    Reason.ANOTHER_LOGIN: Advice("Flinks answered with the data of another login; nothing was stored", "call Flinks"),
    Reason.BANK_ASKS_SECURITY_QUESTION: Advice("the bank asks a question that only the person can answer", _PERSON),
    Reason.BANK_HAS_NO_TRANSACTIONS: Advice("the bank shows no transactions for the accounts picked", _PERSON),
    Reason.BANK_LOGIN_DISABLED: Advice("the bank has locked the person's access", "nothing; the page says so"),
    Reason.BANK_NEEDS_ATTENTION: Advice("the bank wants the person to sign in on its own site first", _PERSON),
    Reason.BANK_PASSWORD_REFUSED: Advice("the bank refuses the password", _PERSON),
    Reason.BANK_USERNAME_REFUSED: Advice("the bank refuses the username", _PERSON),
    Reason.BANK_UNAVAILABLE: Advice("the bank is closed or out of reach for Flinks", _WAIT),
    Reason.CHOSEN_ACCOUNTS_GONE: Advice("Flinks no longer knows the accounts that were chosen", _PERSON),
    Reason.DROP_NOT_STORED: Advice("S3 did not take the drop", _WAIT),
    Reason.FETCH_UNDER_WAY: Advice("a fetch that was running may still put its drop", "nothing: three minutes at most"),
    Reason.FLINKS_ANSWER_NOT_UNDERSTOOD: Advice("Flinks answered as its documentation does not say", _FLINKS),
    Reason.FLINKS_ANSWER_TOO_LARGE: Advice("the answer has more than 32 MiB", "have the person pick fewer accounts"),
    Reason.FLINKS_REFUSED_REQUEST: Advice("Flinks refuses our request as malformed", _FLINKS),
    Reason.FLINKS_REFUSED_SESSION: Advice("Flinks refuses session after session", _FLINKS),
    Reason.FLINKS_SESSION_ENDED: Advice("Flinks ended the session before it had the data", _AGAIN),
    Reason.FLINKS_THROTTLES: Advice("Flinks tells us to ask more slowly", "lower MaxFetchers, or ask Flinks for more"),
    Reason.FLINKS_UNAVAILABLE: Advice("Flinks does not answer, or with 5xx", _WAIT),
    Reason.IN_PROGRESS: Advice("another run is at it", "nothing; the schedule finds it if that run died"),
    Reason.KEPT_FOR_LATER: Advice(
        "it was imported to be kept: nobody asks Flinks until told", "bin/landing retry --reason kept_for_later --yes"
    ),
    Reason.LOGIN_BUSY_AT_FLINKS: Advice("Flinks is at work on this login already", "nothing; it is tried again"),
    Reason.LOGIN_MISSING: Advice("the row holds no login", "tell the maintainers: this is a defect"),
    Reason.LOGIN_UNKNOWN_AT_FLINKS: Advice("Flinks no longer knows the login", _PERSON),
    Reason.OWNERSHIP_MISMATCH: Advice(
        "the Connect session was another user's; nothing was stored",
        "one: nothing. Several by one owner: bar that user, and delete the connections",
    ),
    Reason.OWNERSHIP_UNPROVEN: Advice("no session of ours proves whose login it is; nothing was stored", _PERSON),
    Reason.SERVICE_MISCONFIGURED: Advice(
        "Flinks refuses our keys, our customerId or our address, or a secret is not as it should be",
        "bin/landing doctor says which; bin/landing secret set puts it right, and all go on by themselves",
    ),
    Reason.SERVICE_UNAVAILABLE: Advice("a call of AWS was refused or not answered: see the cause", _WAIT),
    Reason.SWEEP_UNFINISHED: Advice("the bucket was not swept to its end in one run", "nothing; the next run goes on"),
    Reason.TIMED_OUT: Advice("Flinks was polled for half an hour and never had the data", _AGAIN),
}


def advice(row: Connection) -> Advice:
    """For what the row says now. A reason that this release does not know gets its state's advice."""
    known = REASONS.get(row.reason) if row.reason is not None else None
    state = STATES[row.status]
    if known is None:
        return state
    if row.status in ERASED or row.status in (Status.WAITING, Status.PENDING, Status.FETCHING, Status.RECEIVED):
        return Advice(f"{state.means}: {known.means}", known.do.format(reason=row.reason))
    return Advice(known.means, known.do.format(reason=row.reason))


AWS_CALLS = ("kms:", "dynamodb:", "s3:", "sqs:", "secretsmanager:", "events:")


def of_cause(cause: str) -> str:
    """Whom a cause is of, and where to look: a call of AWS, an endpoint of Flinks', or a secret of ours."""
    if cause.startswith(AWS_CALLS):
        return "a call of AWS and its code: bin/landing doctor, and AWS' health"
    if cause.startswith("secret"):
        return "a secret that is not as it should be: bin/landing secret check"
    return "Flinks' endpoint, HTTP status and FlinksCode: docs/flinks.md says what it means"
