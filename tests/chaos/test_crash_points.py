"""A worker may die at any call of a connection's life: the connection gets there all the same, with one drop."""

from typing import Literal

import pytest

from landing.domain.connection import Status
from tests.world.service import Service, running_service
from tests.world.world import World

type Death = Literal["before", "after_effect", "late"]

DEATHS: tuple[Death, ...] = ("before", "after_effect", "late")


def a_life(service: Service) -> str:
    """Posted, pending for two polls, ready."""
    connection_id = service.connect_and_post(pending={"polls": 2})
    service.settle()
    return connection_id


def calls_of_a_life(monkeypatch: pytest.MonkeyPatch) -> range:
    """The numbers of the calls that come after the POST was answered."""
    with running_service(World(), monkeypatch) as service:
        service.connect_and_post(pending={"polls": 2})
        posted = len(service.world.calls)
        service.settle()
        return range(posted + 1, len(service.world.calls) + 1)


@pytest.mark.parametrize("death", DEATHS)
def test_wherever_a_worker_dies_the_connection_becomes_ready_with_one_drop(
    monkeypatch: pytest.MonkeyPatch, death: Death
) -> None:
    numbers = calls_of_a_life(monkeypatch)

    for number in numbers:
        with running_service(World(), monkeypatch) as service:
            service.world.crash_at(number, death)
            connection_id = a_life(service)

            row = service.row(connection_id)
            at = f"death {death} call {number}: {service.world.calls[number - 1].operation}"
            assert row.status is Status.READY, at
            assert row.generation == 1, at
            assert service.versions_below(connection_id) == 1, at
            assert row.sessions <= 2, at
            assert service.bank.vault.cards, at
    assert len(numbers) > 20
    print(f"{len(numbers)} crash points, death {death}")


@pytest.mark.parametrize("death", DEATHS)
def test_two_deaths_in_one_life_change_nothing_either(monkeypatch: pytest.MonkeyPatch, death: Death) -> None:
    numbers = calls_of_a_life(monkeypatch)

    for first in numbers[::3]:
        with running_service(World(), monkeypatch) as service:
            service.world.crash_at(first, death)
            service.world.crash_at(first + 9, "after_effect")
            connection_id = a_life(service)

            assert service.row(connection_id).status is Status.READY, (first, first + 9)
            assert service.versions_below(connection_id) == 1, (first, first + 9)
