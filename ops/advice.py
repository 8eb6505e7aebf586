"""What each state and reason means to an operator, and what to do about it. Closed over every reason there is."""

from dataclasses import dataclass

from landing.domain.connection import ERASED, Connection, Status


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
    "account_data_incomplete": Advice("Flinks' answer had no accounts or no login in it", _AGAIN),
    "another_flinks": Advice(
        "the stack points at another Flinks than the one that opened this login",
        "deploy the former FlinksInstance and FlinksCustomerId; the deletion goes on by itself",
    ),
    "another_login": Advice("Flinks answered with the data of another login; nothing was stored", "call Flinks"),
    "bank_asks_security_question": Advice("the bank asks a question that only the person can answer", _PERSON),
    "bank_has_no_transactions": Advice("the bank shows no transactions for the accounts picked", _PERSON),
    "bank_login_disabled": Advice("the bank has locked the person's access", "nothing; the page says so"),
    "bank_needs_attention": Advice("the bank wants the person to sign in on its own site first", _PERSON),
    "bank_password_refused": Advice("the bank refuses the password", _PERSON),
    "bank_username_refused": Advice("the bank refuses the username", _PERSON),
    "bank_unavailable": Advice("the bank is closed or out of reach for Flinks", _WAIT),
    "drop_not_stored": Advice("S3 did not take the drop", _WAIT),
    "fetch_under_way": Advice("a fetch that was running may still put its drop", "nothing: three minutes at most"),
    "flinks_answer_not_understood": Advice("Flinks answered in a way that its documentation does not know", _FLINKS),
    "flinks_answer_too_large": Advice("the answer has more than 32 MiB", "have the person pick fewer accounts"),
    "flinks_refused_request": Advice("Flinks refuses our request as malformed", _FLINKS),
    "flinks_refused_session": Advice("Flinks refuses session after session", _FLINKS),
    "flinks_session_ended": Advice("Flinks ended the session before it had the data", _AGAIN),
    "flinks_throttles": Advice("Flinks tells us to ask more slowly", "lower MaxFetchers, or ask Flinks for more"),
    "flinks_unavailable": Advice("Flinks does not answer, or with 5xx", _WAIT),
    "in_progress": Advice("another run is at it", "nothing; the schedule finds it if that run died"),
    "login_busy_at_flinks": Advice("Flinks is at work on this login already", "nothing; it is tried again"),
    "login_missing": Advice("the row holds no login", "tell the maintainers: this is a defect"),
    "login_unknown_at_flinks": Advice("Flinks no longer knows the login", _PERSON),
    "ownership_mismatch": Advice(
        "the Connect session was another user's; nothing was stored",
        "one: nothing. Several by one owner: bar that user, and delete the connections",
    ),
    "ownership_unproven": Advice("no session of ours proves whose login it is; nothing was stored", _PERSON),
    "service_misconfigured": Advice(
        "Flinks refuses our keys, our customerId or our address, or a secret is not as it should be",
        "bin/landing doctor says which; bin/landing secret set puts it right, and all go on by themselves",
    ),
    "service_unavailable": Advice("a call of AWS was refused or not answered: see the cause", _WAIT),
    "sweep_unfinished": Advice("the bucket was not swept to its end in one run", "nothing; the next run goes on"),
    "timed_out": Advice("Flinks was polled for half an hour and never had the data", _AGAIN),
}


def advice(row: Connection) -> Advice:
    """For what the row says now. A reason that this release does not know gets its state's advice."""
    known = REASONS.get(row.reason or "")
    state = STATES[row.status]
    if known is None:
        return state
    if row.status in ERASED or row.status in (Status.WAITING, Status.PENDING, Status.FETCHING, Status.RECEIVED):
        return Advice(f"{state.means}: {known.means}", known.do.format(reason=row.reason))
    return Advice(known.means, known.do.format(reason=row.reason))
