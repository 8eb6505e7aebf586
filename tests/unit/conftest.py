"""The service in virtual time."""

from collections.abc import Iterator

import pytest

from tests.world.service import Service, running_service
from tests.world.world import World


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with running_service(World(), monkeypatch) as service:
        yield service
