"""ALLOWED_ORIGINS of the local stack: whose pages may call the API beside its own."""

import pytest

from local.stack import more_origins


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        (None, []),
        ("", []),
        ("http://localhost:8000", ["http://localhost:8000"]),
        (" https://app.example.com , http://127.0.0.1:3000,", ["https://app.example.com", "http://127.0.0.1:3000"]),
    ],
)
def test_origins_are_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, given: str | None, origins: list[str]
) -> None:
    monkeypatch.delenv("ALLOWED_ORIGINS", raising=False)
    if given is not None:
        monkeypatch.setenv("ALLOWED_ORIGINS", given)

    assert more_origins() == origins


@pytest.mark.parametrize(
    "given", ["localhost:8000", "http://app.example.com", "https://a.example/", "*", "https://*.a"]
)
def test_what_is_no_origin_is_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", f"http://localhost:8000,{given}")

    with pytest.raises(SystemExit, match="ALLOWED_ORIGINS takes origins such as"):
        more_origins()
