"""Whatever people, ops, workers, hosts, AWS and Flinks do, in any order: no promise is broken at any step."""

import pytest

from tests.chaos import teeth
from tests.chaos.schedules import STEPS, kind, of_seed, run, run_all, run_on_every_core, shrunk
from tests.chaos.walks import WAYS


def test_no_schedule_breaks_a_promise() -> None:
    ran = run_all(range(40))

    print(ran)
    assert ran.broken is None
    assert sum(count for way, count in ran.steps.items() if way in WAYS) >= 40 * STEPS


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_seed_replays_to_the_letter(seed: int) -> None:
    first, again, shorter = run(seed), run(seed), run(seed, of_seed(seed)[:-1])

    assert (again.log, again.trace) == (first.log, first.trace)
    assert shorter.trace != first.trace


def test_a_schedule_that_breaks_a_promise_is_made_shorter() -> None:
    with teeth.without(teeth.tombstone):
        ran = run_all(range(20))
        assert ran.broken is not None
        seed, said = ran.broken
        steps, shorter = shrunk(seed)

    assert kind(shorter) == kind(said)
    assert 0 < len(steps) < STEPS / 5


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_no_schedule_of_ten_thousand_breaks_a_promise() -> None:
    ran = run_on_every_core(range(10_000))

    print(ran, dict(sorted(ran.steps.items())), sep="\n")
    assert ran.broken is None
    assert ran.schedules == 10_000


# --- teeth: whatever is taken out, somebody notices


SOON = (
    teeth.conditional_commit,
    teeth.put_once,
    teeth.reconciler,
    teeth.sibling_read,
    teeth.tombstone,
    teeth.dedupe,
)
"""Noticed within a few dozen schedules; the rest needs more than fits here."""


@pytest.mark.parametrize("mechanism", SOON, ids=lambda it: it.__name__)
def test_what_is_taken_out_is_soon_missed(mechanism: teeth.TakeOut) -> None:
    ran = teeth.found(mechanism, range(60))

    assert ran.broken is not None


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mechanism", teeth.MECHANISMS, ids=lambda it: it.__name__)
def test_whatever_is_taken_out_is_missed_within_a_thousand_schedules(mechanism: teeth.TakeOut) -> None:
    ran = teeth.found(mechanism, range(1000))

    print(f"{mechanism.__name__}: {ran}")
    assert ran.broken is not None
