"""What the person is told about a connection, in English and French: what happened, then what to do."""

# ruff: noqa: RUF001 - French is written with this apostrophe

from dataclasses import dataclass

from landing.domain.connection import Action
from landing.domain.reasons import Reason


@dataclass(frozen=True)
class Sentence:
    """The same in both languages; it names neither Flinks nor anything of the person's."""

    en: str
    fr: str


STATES = {
    "processing": Sentence("Your accounts are being collected.", "Vos comptes sont en cours de collecte."),
    "ready": Sentence("Your accounts have been collected.", "Vos comptes ont été recueillis."),
    "deleting": Sentence("This connection is being erased.", "Cette connexion est en cours d’effacement."),
    "deleted": Sentence("This connection was erased.", "Cette connexion a été effacée."),
}
"""By public status: what happened, where no reason says more."""

BANK_DOWN = Sentence("Your bank cannot be reached right now.", "Votre banque est injoignable en ce moment.")
SLOW = Sentence(
    "Collecting your accounts takes longer than usual.",
    "La collecte de vos comptes prend plus de temps que d’habitude.",
)
FAILED = Sentence("Your accounts could not be collected.", "Vos comptes n’ont pas pu être recueillis.")
NOT_YOURS = Sentence(
    "We could not confirm that this sign-in was yours, so nothing was kept.",
    "Nous n’avons pas pu confirmer que cette identification était la vôtre : rien n’a été conservé.",
)

REASONS = {
    Reason.ACCOUNT_DATA_INCOMPLETE: SLOW,
    Reason.ANOTHER_LOGIN: FAILED,
    Reason.BANK_ASKS_SECURITY_QUESTION: Sentence(
        "Your bank asks a security question that only you can answer.",
        "Votre banque pose une question de sécurité à laquelle vous seul pouvez répondre.",
    ),
    Reason.BANK_HAS_NO_TRANSACTIONS: Sentence(
        "Your bank shows no transactions for the accounts you chose.",
        "Votre banque ne montre aucune opération pour les comptes que vous avez choisis.",
    ),
    Reason.BANK_LOGIN_DISABLED: Sentence(
        "Your bank has locked your access.",
        "Votre banque a bloqué votre accès.",
    ),
    Reason.BANK_NEEDS_ATTENTION: Sentence(
        "Your bank wants something from you on its own site.",
        "Votre banque vous demande quelque chose sur son propre site.",
    ),
    Reason.BANK_PASSWORD_REFUSED: Sentence(
        "Your bank no longer accepts the password you gave.",
        "Votre banque n’accepte plus le mot de passe que vous avez donné.",
    ),
    Reason.BANK_UNAVAILABLE: BANK_DOWN,
    Reason.BANK_USERNAME_REFUSED: Sentence(
        "Your bank no longer accepts the username you gave.",
        "Votre banque n’accepte plus le nom d’utilisateur que vous avez donné.",
    ),
    Reason.CHOSEN_ACCOUNTS_GONE: Sentence(
        "The accounts you chose are no longer there under your bank connection.",
        "Les comptes que vous aviez choisis ne figurent plus dans votre connexion bancaire.",
    ),
    Reason.DROP_NOT_STORED: SLOW,
    Reason.FLINKS_ANSWER_NOT_UNDERSTOOD: SLOW,
    Reason.FLINKS_ANSWER_TOO_LARGE: FAILED,
    Reason.FLINKS_REFUSED_REQUEST: FAILED,
    Reason.FLINKS_REFUSED_SESSION: SLOW,
    Reason.FLINKS_SESSION_ENDED: SLOW,
    Reason.FLINKS_THROTTLES: SLOW,
    Reason.FLINKS_UNAVAILABLE: SLOW,
    Reason.KEPT_FOR_LATER: Sentence(
        "Your connection is kept, and your accounts will be collected later.",
        "Votre connexion est conservée et vos comptes seront recueillis plus tard.",
    ),
    Reason.LOGIN_BUSY_AT_FLINKS: SLOW,
    Reason.LOGIN_MISSING: FAILED,
    Reason.LOGIN_UNKNOWN_AT_FLINKS: Sentence(
        "This connection to your bank has ended.", "Cette connexion à votre banque a pris fin."
    ),
    Reason.OWNERSHIP_MISMATCH: NOT_YOURS,
    Reason.OWNERSHIP_UNPROVEN: NOT_YOURS,
    Reason.SERVICE_MISCONFIGURED: SLOW,
    Reason.SERVICE_UNAVAILABLE: SLOW,
    Reason.TIMED_OUT: FAILED,
}
"""By reason: what happened."""

ACTIONS = {
    Action.NONE: Sentence("", ""),
    Action.WAIT: Sentence("There is nothing for you to do.", "Vous n’avez rien à faire."),
    Action.RECONNECT: Sentence("Please connect again.", "Veuillez vous reconnecter."),
    Action.CONTACT_SUPPORT: Sentence("Please contact support.", "Veuillez joindre le soutien."),
}
"""By action: what to do."""

FIRST = {
    Reason.BANK_LOGIN_DISABLED: Sentence(
        "Call your bank to unlock it, then connect again.",
        "Appelez votre banque pour le débloquer, puis reconnectez-vous.",
    ),
    Reason.BANK_NEEDS_ATTENTION: Sentence(
        "Sign in there, do what it asks, then connect again.",
        "Identifiez-vous là, faites ce qui est demandé, puis reconnectez-vous.",
    ),
}
"""By reason: the whole order, where to connect again is only the second half of it."""


def sentence_for(public_status: str, reason: Reason | None, action: Action) -> Sentence:
    """What happened, and what to do about it. After giving up, a reason to wait reads as a failure."""
    happened = STATES.get(public_status, FAILED) if reason is None else REASONS.get(reason, FAILED)
    if happened in (SLOW, BANK_DOWN) and public_status != "processing":
        happened = FAILED
    what_to_do = FIRST.get(reason, ACTIONS[action]) if reason and action is Action.RECONNECT else ACTIONS[action]
    return Sentence(f"{happened.en} {what_to_do.en}".rstrip(), f"{happened.fr} {what_to_do.fr}".rstrip())
