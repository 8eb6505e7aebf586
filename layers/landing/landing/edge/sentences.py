"""What the person is told about a connection, in English and French: what happened, then what to do."""

# ruff: noqa: RUF001 - French is written with this apostrophe

from dataclasses import dataclass

from landing.domain.connection import Action


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
    "account_data_incomplete": SLOW,
    "another_login": FAILED,
    "bank_asks_security_question": Sentence(
        "Your bank asks a security question that only you can answer.",
        "Votre banque pose une question de sécurité à laquelle vous seul pouvez répondre.",
    ),
    "bank_has_no_transactions": Sentence(
        "Your bank shows no transactions for the accounts you chose.",
        "Votre banque ne montre aucune opération pour les comptes que vous avez choisis.",
    ),
    "bank_login_disabled": Sentence(
        "Your bank has locked your access and must unlock it first.",
        "Votre banque a bloqué votre accès et doit d’abord le débloquer.",
    ),
    "bank_needs_attention": Sentence(
        "Your bank first wants you to sign in on its own site and do what it asks there.",
        "Votre banque veut d’abord que vous vous identifiiez sur son propre site et fassiez ce qui y est demandé.",
    ),
    "bank_password_refused": Sentence(
        "Your bank no longer accepts the password you gave.",
        "Votre banque n’accepte plus le mot de passe que vous avez donné.",
    ),
    "bank_unavailable": BANK_DOWN,
    "bank_username_refused": Sentence(
        "Your bank no longer accepts the username you gave.",
        "Votre banque n’accepte plus le nom d’utilisateur que vous avez donné.",
    ),
    "drop_not_stored": SLOW,
    "flinks_answer_not_understood": SLOW,
    "flinks_answer_too_large": FAILED,
    "flinks_refused_request": FAILED,
    "flinks_refused_session": SLOW,
    "flinks_session_ended": SLOW,
    "flinks_throttles": SLOW,
    "flinks_unavailable": SLOW,
    "login_busy_at_flinks": SLOW,
    "login_missing": FAILED,
    "login_unknown_at_flinks": Sentence(
        "This connection to your bank has ended.", "Cette connexion à votre banque a pris fin."
    ),
    "ownership_mismatch": NOT_YOURS,
    "ownership_unproven": NOT_YOURS,
    "service_misconfigured": SLOW,
    "service_unavailable": SLOW,
    "timed_out": FAILED,
}
"""By reason: what happened."""

ACTIONS = {
    Action.NONE: Sentence("", ""),
    Action.WAIT: Sentence("There is nothing for you to do.", "Vous n’avez rien à faire."),
    Action.RECONNECT: Sentence("Please connect again.", "Veuillez vous reconnecter."),
    Action.CONTACT_SUPPORT: Sentence("Please contact support.", "Veuillez joindre le soutien."),
}
"""By action: what to do."""


def sentence_for(public_status: str, reason: str | None, action: Action) -> Sentence:
    """What happened, and what to do about it. What was given up is not still slow: it failed."""
    happened = STATES.get(public_status, FAILED) if reason is None else REASONS.get(reason, FAILED)
    if happened in (SLOW, BANK_DOWN) and public_status != "processing":
        happened = FAILED
    what_to_do = ACTIONS[action]
    return Sentence(f"{happened.en} {what_to_do.en}".rstrip(), f"{happened.fr} {what_to_do.fr}".rstrip())
