"""One connection whose answers are poison, in a batch of a hundred: the others do not notice."""

import json
from datetime import timedelta

import pytest

from landing.domain.connection import Status
from tests.unit.flinks_answers import ASYNC, BY_CODE, DATA, NOT_JSON, SPOILED, Step
from tests.world.service import Service, is_looked_after

HOW_MANY = 100

POISONS: dict[str, Step] = (
    {code: {"code": code} for code in BY_CODE}
    | {f"{status} HTML": {"fault": "html", "status": status} for status in NOT_JSON}
    | {name: step for name, (step, fates) in SPOILED.items() if not fates.endswith(("ready", "-"))}
    | {
        "reset": {"fault": "reset_in_body"},
        "hangs": {"fault": "hang", "seconds": 300},
        "gzip lie": {"fault": "gzip_lie"},
        "gzip bomb": {"fault": "gzip_bomb", "megabytes": 40},
        "redirect": {"fault": "redirect"},
    }
)
"""Every kind of answer to the data call that leaves a connection without data. What the in-process wire cannot do
(a drip, for one) is played on the local stack: tests/integration/test_flinks_faults.py.
"""


def test_every_poison_at_once_spoils_no_one_elses_first_try(service: Service) -> None:
    sick, well = all_due_together(service, POISONS)

    service.world.run(timedelta(minutes=2))

    assert len(sick) >= 50
    assert_well(service, well)
    assert_sick(service, sick)


def test_one_that_hangs_among_a_hundred_leaves_ninety_nine_ready(service: Service) -> None:
    one_among_a_hundred(service, "hangs")


@pytest.mark.long
@pytest.mark.parametrize("poison", sorted(POISONS))
def test_whatever_the_poison_ninety_nine_are_ready(service: Service, poison: str) -> None:
    one_among_a_hundred(service, poison)


def one_among_a_hundred(service: Service, poison: str) -> None:
    sick, well = all_due_together(service, {poison: POISONS[poison]})

    service.world.run(timedelta(minutes=2))

    assert len(well) == HOW_MANY - 1
    assert_well(service, well)
    assert_sick(service, sick)


def all_due_together(service: Service, poisons: dict[str, Step]) -> tuple[list[str], list[str]]:
    """Connections in one batch: those that get their poison for ever, spread among the others."""
    service.stream.enabled = False
    places = {n * HOW_MANY // len(poisons): poison for n, poison in enumerate(poisons)}
    sick: list[str] = []
    well: list[str] = []
    for n in range(HOW_MANY):
        login_id = service.connect_bank(f"user-{n}")
        if n in places:
            service.script(endpoint=[DATA, ASYNC], loginId=login_id, steps=[poisons[places[n]] | {"times": "forever"}])
        connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
        (sick if n in places else well).append(connection_id)
    service.stream.enabled = True
    return sick, well


def assert_well(service: Service, connection_ids: list[str]) -> None:
    rows = [service.row(connection_id) for connection_id in connection_ids]
    assert {(row.status, row.attempt, row.sessions) for row in rows} == {(Status.READY, 1, 1)}


def assert_sick(service: Service, connection_ids: list[str]) -> None:
    for row in (service.row(connection_id) for connection_id in connection_ids):
        assert row.status is not Status.READY
        assert is_looked_after(row)
        assert service.versions_below(row.connection_id) == 0
    for invocation in service.world.invocations:
        assert invocation.error is None
        assert not (invocation.response or {}).get("batchItemFailures")
