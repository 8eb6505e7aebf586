"""Why a connection is not ready: every word for it that a row, the API, an event or a log line may hold."""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """A word of ours, part of the public API. Words may come, and none changes its meaning.

    A word that another release wrote is read as it stands: it becomes a Reason that is none of the members.
    """

    # The bank, as Flinks tells of it
    BANK_ASKS_SECURITY_QUESTION = "bank_asks_security_question"
    BANK_HAS_NO_TRANSACTIONS = "bank_has_no_transactions"
    BANK_LOGIN_DISABLED = "bank_login_disabled"
    BANK_NEEDS_ATTENTION = "bank_needs_attention"
    BANK_PASSWORD_REFUSED = "bank_password_refused"  # noqa: S105 - a reason
    BANK_UNAVAILABLE = "bank_unavailable"
    BANK_USERNAME_REFUSED = "bank_username_refused"
    CHOSEN_ACCOUNTS_GONE = "chosen_accounts_gone"

    # Flinks
    ACCOUNT_DATA_INCOMPLETE = "account_data_incomplete"
    FLINKS_ANSWER_NOT_UNDERSTOOD = "flinks_answer_not_understood"
    FLINKS_ANSWER_TOO_LARGE = "flinks_answer_too_large"
    FLINKS_REFUSED_REQUEST = "flinks_refused_request"
    FLINKS_REFUSED_SESSION = "flinks_refused_session"
    FLINKS_SESSION_ENDED = "flinks_session_ended"
    FLINKS_THROTTLES = "flinks_throttles"
    FLINKS_UNAVAILABLE = "flinks_unavailable"
    LOGIN_BUSY_AT_FLINKS = "login_busy_at_flinks"
    LOGIN_UNKNOWN_AT_FLINKS = "login_unknown_at_flinks"
    TIMED_OUT = "timed_out"

    # Whose login it is
    ANOTHER_LOGIN = "another_login"
    OWNERSHIP_MISMATCH = "ownership_mismatch"
    OWNERSHIP_UNPROVEN = "ownership_unproven"

    # Ourselves
    KEPT_FOR_LATER = "kept_for_later"
    DROP_NOT_STORED = "drop_not_stored"
    LOGIN_MISSING = "login_missing"
    SERVICE_MISCONFIGURED = "service_misconfigured"
    SERVICE_UNAVAILABLE = "service_unavailable"

    # Only an erasure waits for these; only ops sees them
    ANOTHER_FLINKS = "another_flinks"
    ANOTHER_CONNECTION_UNDER_WAY = "another_connection_under_way"
    FETCH_UNDER_WAY = "fetch_under_way"
    IN_PROGRESS = "in_progress"
    SWEEP_UNFINISHED = "sweep_unfinished"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        """A Reason for a word of another release. The enum does not list it among its members."""
        if not isinstance(value, str):
            return None
        word = str.__new__(cls, value)
        word._name_ = word._value_ = value
        return word
