"""What the person is told: every reason that can be stored has its sentence, in both languages."""

import json
from typing import Any

import pytest

from landing.domain.connection import Action, Status
from landing.domain.reasons import Reason
from landing.edge.sentences import ACTIONS, FIRST, REASONS, STATES, Sentence, sentence_for
from landing.flinks import codes
from landing.flinks.codes import Kind, Verdict

NEVER_A_REASON = {Kind.CONTINUE, Kind.READY, Kind.PENDING, Kind.DELETED}
"""Verdicts that are acted upon: their reason is only for when nobody can."""

OF_ERASING = {
    Reason.ANOTHER_CONNECTION_UNDER_WAY,
    Reason.ANOTHER_FLINKS,
    Reason.FETCH_UNDER_WAY,
    Reason.IN_PROGRESS,
    Reason.SWEEP_UNFINISHED,
}
"""What no person is told: a connection that is being erased shows no reason."""

WHAT_FLINKS_DOES_NOT_SAY = {
    Reason.ACCOUNT_DATA_INCOMPLETE,
    Reason.DROP_NOT_STORED,
    Reason.KEPT_FOR_LATER,
    Reason.LOGIN_MISSING,
    Reason.SERVICE_UNAVAILABLE,
    Reason.TIMED_OUT,
}


def reasons_of_flinks() -> set[Reason]:
    verdicts = (each for each in vars(codes).values() if isinstance(each, Verdict))
    return {verdict.reason for verdict in verdicts if verdict.kind not in NEVER_A_REASON}


def test_every_reason_that_a_person_may_meet_has_a_sentence_and_no_other_has() -> None:
    assert set(REASONS) == set(Reason) - OF_ERASING


def test_every_reason_is_given_by_someone() -> None:
    assert set(Reason) == reasons_of_flinks() | WHAT_FLINKS_DOES_NOT_SAY | OF_ERASING


def test_a_reason_of_another_release_is_read_as_it_stands_and_becomes_no_reason_of_ours() -> None:
    word = Reason("a_word_of_old")

    assert (word, f"{word}", json.dumps(word)) == ("a_word_of_old", "a_word_of_old", '"a_word_of_old"')
    assert "a_word_of_old" not in set(Reason)


@pytest.mark.parametrize("value", [5, None, ["timed_out"]])
def test_what_is_no_text_is_no_reason(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid Reason"):
        Reason(value)


def test_every_action_and_every_end_without_a_reason_has_a_sentence() -> None:
    assert set(ACTIONS) == set(Action)
    assert set(STATES) == {"processing", *map(str, Status)} - {
        *("received", "fetching", "pending", "waiting"),
        *("action_required", "failed"),  # they always have a reason
    }


@pytest.mark.parametrize("sentence", [*REASONS.values(), *STATES.values(), *ACTIONS.values(), *FIRST.values()])
def test_a_sentence_is_there_in_both_languages_and_does_not_speak_of_flinks(sentence: Sentence) -> None:
    assert bool(sentence.en) == bool(sentence.fr)
    assert not sentence.en or (sentence.en[0].isupper() and sentence.en.endswith("."))
    assert not sentence.fr or (sentence.fr[0].isupper() and sentence.fr.endswith("."))
    assert "flinks" not in f"{sentence.en} {sentence.fr}".lower()


def test_a_sentence_says_what_happened_and_what_to_do() -> None:
    refused = sentence_for("action_required", Reason.BANK_PASSWORD_REFUSED, Action.RECONNECT)

    assert refused.en == "Your bank no longer accepts the password you gave. Please connect again."
    assert refused.fr.endswith(" Veuillez vous reconnecter.")


def test_where_the_bank_must_act_first_there_is_one_order_with_both_halves() -> None:
    locked = sentence_for("action_required", Reason.BANK_LOGIN_DISABLED, Action.RECONNECT)
    given_up = sentence_for("failed", Reason.BANK_LOGIN_DISABLED, Action.CONTACT_SUPPORT)

    assert locked.en == "Your bank has locked your access. Call your bank to unlock it, then connect again."
    assert locked.fr.endswith(" Appelez votre banque pour le débloquer, puis reconnectez-vous.")
    assert given_up.en == "Your bank has locked your access. Please contact support."


def test_a_reason_to_wait_reads_as_a_failure_once_the_connection_was_given_up() -> None:
    waiting = sentence_for("processing", Reason.BANK_UNAVAILABLE, Action.WAIT)
    given_up = sentence_for("failed", Reason.BANK_UNAVAILABLE, Action.CONTACT_SUPPORT)

    assert waiting.en == "Your bank cannot be reached right now. There is nothing for you to do."
    assert given_up.en == "Your accounts could not be collected. Please contact support."


def test_a_reason_of_an_older_release_still_reads_as_a_failure() -> None:
    assert sentence_for("failed", Reason("a_word_of_old"), Action.CONTACT_SUPPORT).en.startswith(
        "Your accounts could not"
    )
