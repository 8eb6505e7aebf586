"""What the person is told: every reason that can be stored has its sentence, in both languages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from landing.domain.connection import Action, Status
from landing.edge.sentences import ACTIONS, REASONS, STATES, Sentence, sentence_for
from landing.flinks import codes
from landing.flinks.codes import Kind, Verdict
from landing.verbs import fetch_accounts

NEVER_STORED = {Kind.CONTINUE, Kind.READY, Kind.PENDING, Kind.DELETED, Kind.GONE}
"""Verdicts that a fetch acts on without keeping their reason, or that only an erasure meets."""


def reasons_of_flinks() -> set[str]:
    verdicts = (each for each in vars(codes).values() if isinstance(each, Verdict))
    return {verdict.reason for verdict in verdicts if verdict.kind not in NEVER_STORED}


def reasons_of_fetching() -> Iterator[str]:
    """The literal reasons that fetch_accounts.py hands to its two ways of giving one."""
    for node in ast.walk(ast.parse(Path(fetch_accounts.__file__).read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("_wait", "_end"):
            reasons = (argument.value for argument in node.args if isinstance(argument, ast.Constant))
            yield from (reason for reason in reasons if isinstance(reason, str))


def test_every_reason_that_can_be_stored_has_a_sentence_and_no_other_has() -> None:
    from_fetching = set(reasons_of_fetching())

    assert {"timed_out", "service_unavailable"} <= from_fetching
    assert set(REASONS) == reasons_of_flinks() | from_fetching


def test_every_action_and_every_end_without_a_reason_has_a_sentence() -> None:
    assert set(ACTIONS) == set(Action)
    assert set(STATES) == {"processing", *map(str, Status)} - {
        *("received", "fetching", "pending", "waiting"),
        *("action_required", "failed"),  # they always have a reason
    }


@pytest.mark.parametrize("sentence", [*REASONS.values(), *STATES.values(), *ACTIONS.values()])
def test_a_sentence_says_it_twice_and_in_the_persons_words(sentence: Sentence) -> None:
    assert bool(sentence.en) == bool(sentence.fr)
    assert not sentence.en or (sentence.en[0].isupper() and sentence.en.endswith("."))
    assert not sentence.fr or (sentence.fr[0].isupper() and sentence.fr.endswith("."))
    assert "flinks" not in f"{sentence.en} {sentence.fr}".lower()


def test_it_says_what_happened_and_what_to_do() -> None:
    refused = sentence_for("action_required", "bank_password_refused", Action.RECONNECT)

    assert refused.en == "Your bank no longer accepts the password you gave. Please connect again."
    assert refused.fr.endswith(" Veuillez vous reconnecter.")


def test_what_was_slow_has_failed_once_it_was_given_up() -> None:
    waiting = sentence_for("processing", "bank_unavailable", Action.WAIT)
    given_up = sentence_for("failed", "bank_unavailable", Action.CONTACT_SUPPORT)

    assert waiting.en == "Your bank cannot be reached right now. There is nothing for you to do."
    assert given_up.en == "Your accounts could not be collected. Please contact support."


def test_a_reason_of_an_older_release_still_reads_as_a_failure() -> None:
    assert sentence_for("failed", "a_word_of_old", Action.CONTACT_SUPPORT).en.startswith("Your accounts could not")
