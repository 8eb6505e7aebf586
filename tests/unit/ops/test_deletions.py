"""bin/landing delete: orders of a hundred, again and again, until all that was meant is closed."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from ops import connections, deletions, orders
from ops.deletions import Order, carry_out

TARGET: Any = None


class Service:
    """delete_connection and the index `by-owner`, as the tool sees them."""

    def __init__(self, count: int) -> None:
        self.live = [f"con_{n:026d}" for n in range(count)]
        self.busy: Counter[str] = Counter()
        self.orders: list[int] = []
        self.receipts: list[str] = []

    def ids_of_owner(self, *_: Any) -> Iterator[str]:
        yield from list(self.live)

    def invoke(self, _: Any, __: str, order: dict[str, Any]) -> dict[str, Any]:
        if "owner" in order:
            erased = [{"order": 0, "connectionId": id_, "outcome": "deleted", "receipt": {}} for id_ in self.receipts]
            return {"connections": erased or [{"order": 0, "outcome": "unknown"}], "complete": True}
        ids = order["connectionId"]
        self.orders.append(len(ids))
        done = [{"order": n, "connectionId": id_, **self._one(id_, order["dryRun"])} for n, id_ in enumerate(ids)]
        return {"connections": done, "complete": True}

    def _one(self, id_: str, dry_run: bool) -> dict[str, Any]:
        if dry_run:
            return {"outcome": "would_delete"}
        if self.busy[id_]:
            self.busy[id_] -= 1
            return {"outcome": "deleting", "reason": "login_busy_at_flinks"}
        if id_ in self.live:
            self.live.remove(id_)
            self.receipts.append(id_)
        return {"outcome": "deleted", "receipt": {"connectionId": id_}}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service(250)
    monkeypatch.setattr(connections, "ids_of_owner", service.ids_of_owner)
    monkeypatch.setattr(orders, "invoke", service.invoke)
    monkeypatch.setattr(deletions, "AGAIN_AFTER", timedelta(seconds=0))
    return service


def of_owner(*, dry_run: bool = False, patience: timedelta = timedelta(seconds=5)) -> Order:
    return Order("owner", ["alice"], "PRIVACY-1", dry_run, patience)


def run(order: Order) -> tuple[Counter[str], list[Any], list[int]]:
    """What became of them, the receipts as they came, and how many were said to be open on the way."""
    receipts: list[Any] = []
    left: list[int] = []
    done = carry_out(TARGET, order, lambda one: receipts.append(one.get("receipt")), left.append)
    return Counter(each["outcome"] for each in done), receipts, left


def test_no_order_names_more_than_a_hundred_and_each_is_closed_once(service: Service) -> None:
    outcomes, receipts, _ = run(of_owner())

    assert outcomes == {"deleted": 250}
    assert service.orders == [100, 100, 50]
    assert len(receipts) == 250


def test_ten_thousand_of_one_owner_end_with_a_receipt_each(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(10_000)
    monkeypatch.setattr(connections, "ids_of_owner", service.ids_of_owner)
    monkeypatch.setattr(orders, "invoke", service.invoke)

    outcomes, receipts, _ = run(of_owner())

    assert outcomes == {"deleted": 10_000}
    assert len({each["connectionId"] for each in receipts}) == 10_000
    assert service.orders == [100] * 100


def test_what_is_open_is_asked_for_again_and_nothing_else(service: Service) -> None:
    service.busy.update({service.live[0]: 2, service.live[7]: 1})

    outcomes, receipts, left = run(of_owner())

    assert outcomes == {"deleted": 250}
    assert service.orders == [100, 100, 50, 2, 1]
    assert len(receipts) == 250
    assert max(left) == 2


def test_who_comes_meanwhile_goes_too_while_something_is_open(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, newcomer = service.live[0], "con_" + "z" * 26
    service.busy[first] = 1
    invoke = service.invoke

    def invoke_and_post(*given: Any) -> dict[str, Any]:
        answer = invoke(*given)
        if len(service.orders) == 1:
            service.live.append(newcomer)
        return answer

    monkeypatch.setattr(orders, "invoke", invoke_and_post)

    outcomes, _, _ = run(of_owner())

    assert outcomes == {"deleted": 251}


def test_patience_ends_and_what_is_open_is_said(service: Service) -> None:
    service.busy[service.live[0]] = 10**6

    outcomes, _, _ = run(of_owner(patience=timedelta(seconds=0)))

    assert outcomes == {"deleted": 249, "deleting": 1}


def test_a_dry_run_looks_once(service: Service) -> None:
    outcomes, _, _ = run(of_owner(dry_run=True))

    assert outcomes == {"would_delete": 250}
    assert len(service.live) == 250


@pytest.mark.usefixtures("service")
def test_repeated_afterwards_it_gives_the_receipts() -> None:
    run(of_owner())

    outcomes, receipts, _ = run(of_owner())

    assert outcomes == {"deleted": 250}
    assert len(receipts) == 250
