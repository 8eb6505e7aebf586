"""The whole service with the tokens of each identity provider: whose a connection is, and nobody else's."""

from pathlib import Path

import pytest

from local.identity_providers import PROVIDERS
from local.stack import Stack
from tests.live_service import LiveService

pytestmark = pytest.mark.long


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "plain"])
def test_a_person_of_this_provider_connects_and_sees_her_connection_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_PROVIDER", name)
    provider = PROVIDERS[name]
    with Stack(tmp_path, lambda _: None) as stack:
        live = LiveService(stack)

        connection_id = live.connect_and_post("alice")
        shown = live.until(connection_id, "ready", "alice")
        to_another = live.get(connection_id, "bob")

        assert shown.status == 200
        assert live.row(connection_id).owner == provider.claims("alice")[provider.owner_claim]
        assert to_another.status == 404
