"""What a person gets wrong about the local stack is one sentence, before anything is started for it."""

import pytest

from local.stack import refuse_mistakes

WRONG = {
    "POLL_SECONDS": ("PollSeconds", "abc", "POLL_SECONDS: must be a number."),
    "FLINKS_CUSTOMER_ID": ("FlinksCustomerId", "me", "FLINKS_CUSTOMER_ID: must be a GUID."),
    "FLINKS_API_URL": (
        "FlinksApiUrl",
        "flinks",
        "FLINKS_API_URL: must be an https origin without a path (plain http only on loopback).",
    ),
}
GOOD = {
    "JwtIssuer": "http://127.0.0.1:1",
    "JwtAudience": "app",
    "AllowedOrigins": "",
    "FlinksInstance": "toolbox",
    "FlinksCustomerId": "43387ca6-0391-4c82-857d-70d95f087ecb",
    "PollSeconds": "2",
}


@pytest.mark.parametrize("variable", WRONG)
def test_a_variable_that_is_wrong_is_named_as_it_was_given(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    parameter, value, sentence = WRONG[variable]
    monkeypatch.setenv(variable, value)

    with pytest.raises(SystemExit) as ended:
        refuse_mistakes({**GOOD, parameter: value})

    assert str(ended.value) == sentence


def test_what_is_right_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLL_SECONDS", "5")

    refuse_mistakes({**GOOD, "PollSeconds": "5"})
