"""One walk over every path for those who look at what it leaves behind."""

from collections.abc import Iterator

import pytest

from tests.every_path import Walk, walk
from tests.live_service import LiveService
from tests.sinks import Sinks


@pytest.fixture(scope="session")
def sinks(live: LiveService) -> Iterator[Sinks]:
    """Of the shared stack; the bus is listened to from now on."""
    found = Sinks(live)
    yield found
    found.stop_listening()


@pytest.fixture(scope="session")
def walked(live: LiveService, sinks: Sinks) -> Walk:
    return walk(live, sinks.said)
