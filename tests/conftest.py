"""One local stack for the whole run, started when the first test asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import Stack
from tests.live_service import LiveService


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The real template and artifacts on the emulator, with Flinks' simulator."""
    folder: Path = tmp_path_factory.mktemp("stack")
    with Stack(folder, lambda _: None) as running:
        yield running


@pytest.fixture(scope="session")
def live(stack: Stack) -> LiveService:
    """The running stack with the verbs of who uses it."""
    return LiveService(stack)
