"""Fetch versus erase as an explicit-state model: every interleaving of a few deliveries, deaths and late PUTs.

What is modelled is the protocol: conditional writes, leases, PUTs that land late, DeleteCard. The code itself is driven
through its interleavings in test_interleavings.py. Time is three ages of a lease: running, over (the worker is dead,
its PUT may still be under way) and settled (nothing of it can land any more).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

RUNNING, OVER, SETTLED = range(3)

GUARDS = frozenset(
    {
        "put_once",  # If-None-Match: *
        "fence",  # the writes of a claim hold only while it is the claim
        "late_takeover",  # a claim is taken over when nothing of it can land any more, not when its lease is over
        "unheard_put_remembered",  # later claims end without forgetting it
        "tombstone_first",  # DeleteCard and sweep come after the tombstone
        "consistent_sibling_read",
        "ask_before_forget",  # the login goes only after Flinks has answered
        "drain",
    }
)


class Worker(NamedTuple):
    """A fetch at work. `phase`: claimed, sent (its PUT is under way), answered."""

    attempt: int
    phase: str


class Eraser(NamedTuple):
    """One claim of an eraser on a row. `phase`: claimed, asked, drained, swept, forgotten."""

    row: int
    number: int
    phase: str


class State(NamedTuple):
    """Row 0 is fetched and erased; row 1, if there is one, is a co-owner of the same login."""

    status: tuple[str, ...]
    deliveries: int
    erasures: tuple[int, ...]  # eraser claims yet to come, per row
    attempt: int = 0
    lease: int = 0  # the attempt whose lease stands on row 0
    unheard: int = 0  # the last attempt whose PUT was never answered
    committed: int = 0
    ages: tuple[int, ...] = ()
    workers: tuple[Worker, ...] = ()
    flying: frozenset[int] = frozenset()  # PUTs under way, by attempt
    versions: tuple[int, ...] = ()  # what lies under row 0's prefix, the current one last
    erasers: tuple[Eraser, ...] = ()
    claims: tuple[int, ...] = (0, 0)  # the eraser claim that holds, per row
    asked: tuple[str, ...] = ("", "")
    forgotten: tuple[bool, ...] = (False, False)
    card: bool = True


@dataclass(frozen=True)
class Finding:
    """What a search found: how many states, and the shortest way to a violation, if there is one."""

    states: int
    violation: str | None
    trace: tuple[str, ...]
    erased: int
    """States in which everything was erased: a search that never got there has shown nothing."""


class Model:
    def __init__(self, *, deliveries: int, erasures: tuple[int, ...], without: str | None = None) -> None:
        self.guards = GUARDS - {without}
        self.start = State(("received", "ready")[: len(erasures)], deliveries, erasures)

    def search(self) -> Finding:
        """Breadth first, so that the first violation is a shortest one."""
        came_from: dict[State, tuple[State, str] | None] = {self.start: None}
        waiting, erased = deque([self.start]), 0
        while waiting:
            state = waiting.popleft()
            erased += all(status == "deleted" for status in state.status)
            if violation := violated(state):
                return Finding(len(came_from), violation, _trace(came_from, state), erased)
            for step, after in self.steps(state):
                if after not in came_from:
                    came_from[after] = (state, step)
                    waiting.append(after)
        return Finding(len(came_from), None, (), erased)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        yield from self._claims(state)
        for worker in state.workers:
            yield from self._works(state, worker)
        yield from self._lands(state)
        yield from self._time(state)
        yield from self._erases(state)
        for eraser in state.erasers:
            yield from self._goes_on(state, eraser)

    # --- fetching

    def _claims(self, state: State) -> Iterator[tuple[str, State]]:
        status = state.status[0]
        lapsed_at = SETTLED if "late_takeover" in self.guards else OVER
        lapsed = status == "fetching" and state.ages[state.attempt - 1] >= lapsed_at
        if state.deliveries and (status in ("received", "waiting") or lapsed):
            number = state.attempt + 1
            yield (
                f"claim {number}",
                state._replace(
                    deliveries=state.deliveries - 1,
                    status=_put(state.status, 0, "fetching"),
                    attempt=number,
                    lease=number,
                    ages=(*state.ages, RUNNING),
                    workers=_with(state.workers, Worker(number, "claimed")),
                ),
            )

    def _works(self, state: State, worker: Worker) -> Iterator[tuple[str, State]]:
        number = worker.attempt
        gone = state._replace(workers=_without(state.workers, worker))
        yield f"worker {number} dies", gone
        holds = state.status[0] == "fetching" and state.attempt == number
        may_write = holds or "fence" not in self.guards
        if worker.phase == "claimed":
            workers = _with(gone.workers, Worker(number, "sent"))
            yield f"worker {number} sends its PUT", gone._replace(workers=workers, flying=state.flying | {number})
            if may_write:
                yield f"worker {number} ends as waiting", self._ended(gone, "waiting")
        if worker.phase == "sent" and may_write:
            yield f"worker {number} hears nothing of its PUT", self._ended(gone, "waiting", unheard=number)
        if worker.phase == "answered" and may_write:
            ready = self._ended(gone, "ready")
            yield f"worker {number} commits", ready._replace(committed=(state.versions or (0,))[-1])

    def _ended(self, state: State, status: str, unheard: int = 0) -> State:
        remembered = state.unheard if "unheard_put_remembered" in self.guards else 0
        return state._replace(status=_put(state.status, 0, status), lease=0, unheard=unheard or remembered)

    def _lands(self, state: State) -> Iterator[tuple[str, State]]:
        for number in state.flying:
            there = state.versions and "put_once" in self.guards
            landed = state._replace(
                flying=state.flying - {number}, versions=state.versions if there else (*state.versions, number)
            )
            yield f"PUT {number} lands, unheard", landed
            waiting = Worker(number, "sent")
            if waiting in state.workers:
                workers = _with(_without(state.workers, waiting), Worker(number, "answered"))
                yield f"PUT {number} lands", landed._replace(workers=workers)

    def _time(self, state: State) -> Iterator[tuple[str, State]]:
        for index, age in enumerate(state.ages):
            if age == SETTLED or (index and state.ages[index - 1] <= age):
                continue
            number = index + 1
            older = state._replace(ages=_put(state.ages, index, age + 1))
            if age == RUNNING:  # a function's time is over before its lease is
                workers = tuple(worker for worker in state.workers if worker.attempt != number)
                yield f"lease {number} is over", older._replace(workers=workers)
            else:
                yield f"attempt {number} is settled", older._replace(flying=state.flying - {number})

    # --- erasing

    def _erases(self, state: State) -> Iterator[tuple[str, State]]:
        for row, status in enumerate(state.status):
            if status in ("deleting", "deleted"):
                if status == "deleting" and state.erasures[row]:
                    yield f"claim the erasing of row {row}", self._claimed(state, row)
            elif "tombstone_first" in self.guards:
                yield f"tombstone on row {row}", state._replace(status=_put(state.status, row, "deleting"))
            elif state.erasures[row]:
                yield f"erase row {row} without a tombstone", self._claimed(state, row)

    @staticmethod
    def _claimed(state: State, row: int) -> State:
        # Whether the eraser before is dead or only slow, nobody knows: so it may go on beside this one.
        number = state.claims[row] + 1
        return state._replace(
            erasures=_put(state.erasures, row, state.erasures[row] - 1),
            claims=_put(state.claims, row, number),
            erasers=_with(state.erasers, Eraser(row, number, "claimed")),
        )

    def _goes_on(self, state: State, eraser: Eraser) -> Iterator[tuple[str, State]]:
        row, number, phase = eraser
        name = f"eraser {number} of row {row}"
        gone = state._replace(erasers=_without(state.erasers, eraser))
        yield f"{name} dies", gone

        def now(phase: str) -> State:
            return gone._replace(erasers=_with(gone.erasers, Eraser(row, number, phase)))

        holds = state.claims[row] == number and state.status[row] != "deleted"
        match phase:
            case "claimed" if state.asked[row] and holds:
                yield f"{name} knows Flinks' answer", now("asked")
            case "claimed":
                yield from self._asks(state, eraser, now("asked"), holds=holds)
            case "asked":
                under_way = [n for n in (state.lease, state.unheard) if n and state.ages[n - 1] < SETTLED]
                if row != 0 or not under_way or "drain" not in self.guards:
                    yield f"{name} has drained", now("drained")
            case "drained":
                yield f"{name} sweeps", now("swept")._replace(versions=() if row == 0 else state.versions)
            case "swept" if holds:
                yield f"{name} forgets", now("forgotten")._replace(forgotten=_put(state.forgotten, row, value=True))
            case "forgotten" if holds:
                yield f"{name} ends", gone._replace(status=_put(state.status, row, "deleted"))

    def _asks(self, state: State, eraser: Eraser, after: State, *, holds: bool) -> Iterator[tuple[str, State]]:
        row, name = eraser.row, f"eraser {eraser.number} of row {eraser.row}"
        others = [status for other, status in enumerate(state.status) if other != row]
        seen = {any(status not in ("deleting", "deleted") for status in others)}
        if others and "consistent_sibling_read" not in self.guards:
            seen.add(True)
        for shared in seen:
            if shared and holds:
                yield f"{name} spares the card", after._replace(asked=_put(state.asked, row, "kept"))
            if not shared:
                deleted = (after if holds else state)._replace(card=False)
                answered = deleted._replace(asked=_put(state.asked, row, "deleted")) if holds else deleted
                yield f"{name} deletes the card", answered
                yield (
                    f"{name} deletes the card and dies",
                    state._replace(card=False, erasers=_without(state.erasers, eraser)),
                )
        if "ask_before_forget" not in self.guards and holds:
            yield f"{name} does not ask", after._replace(asked=_put(state.asked, row, "kept"))


def violated(state: State) -> str | None:
    """The promise that a state breaks."""
    if state.status[0] == "deleted" and state.versions:
        return "P3: a drop of an erased connection"
    if state.forgotten[0] and state.status[0] not in ("deleting", "deleted"):
        return "P3: an erased connection is back"
    if state.status[0] == "ready" and state.versions != (state.committed,):
        return "P2: another version than the one that was announced"
    if state.card and all(status == "deleted" for status in state.status):
        return "P4: everyone is erased, and the card is still at Flinks"
    if not state.card and any(status not in ("deleting", "deleted") for status in state.status):
        return "P4: the card of a live connection is gone"
    return None


def _put[T](members: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*members[:index], value, *members[index + 1 :])


def _with[T: tuple[object, ...]](members: tuple[T, ...], member: T) -> tuple[T, ...]:
    return tuple(sorted((*members, member)))


def _without[T](members: tuple[T, ...], member: T) -> tuple[T, ...]:
    return tuple(each for each in members if each != member)


def _trace(came_from: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    trace: list[str] = []
    while (step := came_from[state]) is not None:
        state, label = step
        trace.append(label)
    return tuple(reversed(trace))
