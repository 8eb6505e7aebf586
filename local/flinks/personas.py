"""The test users of Flinks Capital with the questions they are asked (flinks.md §13)."""

from dataclasses import dataclass

PASSWORD = "Everyday"  # noqa: S105 - Flinks publishes it for its test institution

# Institution code -> InstitutionId; one that is not listed gets 99.
INSTITUTIONS = {
    "BMO": 1,
    "Desjardins": 2,
    "RBC": 3,
    "TD": 4,
    "CIBC": 5,
    "Scotia": 6,
    "National": 7,
    "Tangerine": 8,
    "FlinksCapital": 14,
    "EQBank": 18,
}


@dataclass(frozen=True)
class Persona:
    """How the bank behaves towards one user."""

    name: str
    asks_questions: bool = False
    outcome: str | None = None  # the FlinksCode every live attempt ends with
    pending_code: str = "OPERATION_PENDING"
    always_pending: bool = False  # each session starts with a 202
    never_refreshed: bool = False  # LastRefresh is 0001-01-01T00:00:00
    household: str | None = None  # whose books they are (households.py); None: Flinks Capital's everyday ones


PERSONAS = {
    persona.name: persona
    for persona in (
        Persona("greatday", asks_questions=True),
        Persona("greatday_nomfa"),
        Persona("test_disabled_account", outcome="DISABLED_LOGIN"),
        Persona("test_service_unavailable", outcome="RETRY_LATER"),
        Persona("test_dispatched", pending_code="OPERATION_DISPATCHED", always_pending=True),
        Persona("test_pending", always_pending=True),
        # The simulator's own, for what Flinks Capital has no user:
        Persona("never_refreshed", never_refreshed=True),
        Persona("question_not_found", outcome="QUESTION_NOT_FOUND"),
        *(Persona(name, household=name) for name in ("overdrawn", "joint", "on_credit", "in_dollars", "en_francais")),
    )
}


@dataclass(frozen=True)
class Question:
    prompt: str
    answer: str


QUESTIONS = {
    "en": (
        Question("What city were you born in?", "Montreal"),
        Question("What is the best country on earth?", "Canada"),
        Question("What shape do people like most?", "Triangle"),
    ),
    "fr": (
        Question("Où êtes-vous né?", "Montreal"),
        Question("Quel est le meilleur pays au monde?", "Canada"),
        Question("Quelle forme les gens préfèrent-ils?", "Triangle"),
    ),
}


def persona_of(username: str) -> Persona | None:
    """Find who a username is; `greatday+anything` behaves like `greatday`, so that tests need not share a card."""
    return PERSONAS.get(username.casefold().partition("+")[0])


def is_password(password: str) -> bool:
    return password.casefold() == PASSWORD.casefold()
