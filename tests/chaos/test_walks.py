"""Whatever people, ops, workers and AWS do, in any order: no promise is broken at any step."""

import pytest

from tests.chaos.walks import told, walk


def test_no_walk_breaks_a_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = range(40)

    steps = walk(seeds, monkeypatch)

    print(told(seeds, steps))
    assert sum(steps.values()) >= 40 * 50


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("thousand", range(10))
def test_no_walk_of_ten_thousand_breaks_a_promise(monkeypatch: pytest.MonkeyPatch, thousand: int) -> None:
    seeds = range(thousand * 1000, (thousand + 1) * 1000)

    steps = walk(seeds, monkeypatch)

    print(told(seeds, steps))
    assert sum(steps.values()) >= 1000 * 50
