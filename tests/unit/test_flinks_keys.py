"""A key that was rotated is read anew, whoever was reading the old one meanwhile."""

import json
from typing import Any

from landing.flinks.client import TokenMint
from landing.flinks.wire import Fault
from landing.stores.flinks_keys import SessionKey

CUSTOMER = "43387ca6-0391-4c82-857d-70d95f087ecb"


class Secrets:
    """Secrets Manager; while it is first read, somebody has the key forgotten, for Flinks has refused it."""

    def __init__(self) -> None:
        self.values = ["old", "new"]
        self.key: SessionKey | None = None
        self.reads = 0

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        value = self.values[min(self.reads, 1)]
        self.reads += 1
        if self.reads == 1 and self.key is not None:
            self.key.refresh()
        return {"SecretString": json.dumps({"secretKey": value})}


def test_what_was_read_before_it_was_to_be_forgotten_is_not_kept() -> None:
    secrets: Any = Secrets()
    secrets.key = SessionKey(secrets, "arn")

    read = [secrets.key.secret_key for _ in range(3)]

    assert read == ["old", "new", "new"]
    assert secrets.reads == 2


def test_with_no_time_left_flinks_is_not_asked() -> None:
    secrets: Any = Secrets()
    mint = TokenMint("http://127.0.0.1:9", CUSTOMER, SessionKey(secrets, "arn"), seconds=lambda _: 0.0)

    answer = mint.generate_authorize_token()

    assert (answer.fault, answer.token) == (Fault.UNREACHABLE, None)
