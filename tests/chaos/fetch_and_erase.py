"""Fetch versus erase as an explicit-state model: every interleaving of a few deliveries, deaths and late PUTs, with
choices of accounts that change, strangers and restores.

What is modelled is the protocol: conditional writes, leases, PUTs that land late, DeleteCard. The code itself is driven
through its interleavings in test_interleavings.py. Time is three ages of a lease: running, over (the worker is dead,
its PUT may still be under way) and settled (nothing of it can land any more).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

RUNNING, OVER, SETTLED = range(3)

ANOTHER_LIFE = 10
UNPROVEN = frozenset({"received", "fetching", "waiting", "unproven"})

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
        "choice_after_asking_begins_anew",  # the row remembers that Flinks may have been asked under the old one
        "choice_while_fetching_is_waited_for",  # no commit of a claim whose choice has changed under it
        "drop_names_its_origin",  # a 412 is committed only if what lies there is of this life and this choice
        "only_known_owners_spare",  # a connection that was not proven yet keeps no card alive
        "restored_above_every_key",  # what was lost and restored goes on above all that was ever put
        "receipts",  # what was erased is not restored
    }
)


class Drop(NamedTuple):
    """What a PUT puts under the key of a generation. `data`: what Flinks was asked under; `mark`: what the row says.

    Both are a choice of accounts, or, from ANOTHER_LIFE, one of a later life.
    """

    attempt: int
    generation: int
    data: int
    mark: int


class Worker(NamedTuple):
    """A fetch at work on `drop`. `phase`: claimed, sent (its PUT is under way), answered."""

    drop: Drop
    phase: str

    @property
    def attempt(self) -> int:
        return self.drop.attempt


class Eraser(NamedTuple):
    """One claim of an eraser on a row. `phase`: claimed, asked, drained, swept, forgotten."""

    row: int
    number: int
    phase: str


class State(NamedTuple):
    """Row 0 is fetched and erased; row 1, if there is one, is somebody else with the same login."""

    status: tuple[str, ...]
    deliveries: int
    erasures: tuple[int, ...]  # eraser claims yet to come, per row
    attempt: int = 0
    lease: int = 0  # the attempt whose lease stands on row 0
    unheard: int = 0  # the last attempt whose PUT was never answered
    committed: Drop | None = None
    ages: tuple[int, ...] = ()
    workers: tuple[Worker, ...] = ()
    flying: frozenset[Drop] = frozenset()  # PUTs under way
    versions: tuple[Drop, ...] = ()  # what lies under row 0's prefix, of each key the current one last
    erasers: tuple[Eraser, ...] = ()
    claims: tuple[int, ...] = (0, 0)  # the eraser claim that holds, per row
    asked: tuple[str, ...] = ("", "")
    forgotten: tuple[bool, ...] = (False, False)
    card: bool = True
    choices: int = 0  # POSTs with other accounts yet to come
    choice: int = 0
    generation: int = 1
    was_asked: bool = False
    wanted: bool = False  # a choice came while somebody was fetching
    session: int | None = None  # the choice under which the open session asks
    restores: int = 0  # yet to come
    backup: Drop | None = None
    given: int = 0  # of a restored row
    events: frozenset[int] = frozenset()  # the generations that were announced
    twice: bool = False  # one was announced twice


@dataclass(frozen=True)
class Finding:
    """What a search found: how many states, and the shortest way to a violation, if there is one."""

    states: int
    violation: str | None
    trace: tuple[str, ...]
    erased: int
    """States in which everything was erased: a search that never got there has shown nothing."""


class Model:
    def __init__(
        self,
        *,
        deliveries: int,
        erasures: tuple[int, ...],
        choices: int = 0,
        restores: int = 0,
        other: str = "ready",
        without: str | None = None,
    ) -> None:
        """`other`: how row 1 begins; `unproven` is a stranger, or a co-owner, as will turn out."""
        self.guards = GUARDS - {without}
        rows = ("received", other)[: len(erasures)]
        self.start = State(rows, deliveries, erasures, choices=choices, restores=restores)

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
        yield from self._posts(state)
        yield from self._turns_out(state)
        yield from self._restores(state)
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
            asks = state.choice if state.session is None else state.session
            drop = Drop(number, state.generation, asks, state.choice)
            yield (
                f"claim {number}",
                state._replace(
                    deliveries=state.deliveries - 1,
                    status=_put(state.status, 0, "fetching"),
                    attempt=number,
                    lease=number,
                    ages=(*state.ages, RUNNING),
                    workers=_with(state.workers, Worker(drop, "claimed")),
                    was_asked=True,
                ),
            )

    def _works(self, state: State, worker: Worker) -> Iterator[tuple[str, State]]:
        number, drop = worker.attempt, worker.drop
        gone = state._replace(workers=_without(state.workers, worker))
        yield f"worker {number} dies", gone
        holds = state.status[0] == "fetching" and state.attempt == number
        may_write = holds or "fence" not in self.guards
        if worker.phase == "claimed":
            workers = _with(gone.workers, Worker(drop, "sent"))
            yield f"worker {number} sends its PUT", gone._replace(workers=workers, flying=state.flying | {drop})
            if may_write:
                yield f"worker {number} ends as waiting", self._ended(gone, "waiting")
            if may_write and self.start.choices:
                yield f"worker {number} is told to wait by Flinks", self._ended(gone, "waiting", session=drop.data)
        if worker.phase == "sent" and may_write:
            yield f"worker {number} hears nothing of its PUT", self._ended(gone, "waiting", unheard=number)
        if worker.phase == "answered" and may_write:
            yield f"worker {number} commits, or finds that it must not", self._commits(gone, drop)

    def _commits(self, state: State, drop: Drop) -> State:
        there = [version for version in state.versions if version.generation == drop.generation]
        found = there[-1] if there else None
        is_another_choice = found is not None and found.mark != drop.mark and "drop_names_its_origin" in self.guards
        is_wanted = state.wanted and "choice_while_fetching_is_waited_for" in self.guards
        if is_another_choice or is_wanted:
            return self._next_generation(state)
        ready = self._ended(state, "ready")
        return ready._replace(
            committed=found,
            session=None,
            events=state.events | {drop.generation},
            twice=state.twice or drop.generation in state.events,
            backup=found if self.start.restores and state.backup is None else state.backup,
        )

    def _ended(self, state: State, status: str, unheard: int = 0, session: int | None = None) -> State:
        remembered = state.unheard if "unheard_put_remembered" in self.guards else 0
        session = state.session if session is None else session
        return state._replace(
            status=_put(state.status, 0, status), lease=0, unheard=unheard or remembered, session=session
        )

    @staticmethod
    def _next_generation(state: State) -> State:
        return state._replace(
            status=_put(state.status, 0, "received"),
            lease=0,
            generation=max(state.generation, state.given) + 1,
            was_asked=False,
            wanted=False,
            session=None,
        )

    def _lands(self, state: State) -> Iterator[tuple[str, State]]:
        for drop in sorted(state.flying):
            there = any(version.generation == drop.generation for version in state.versions)
            refused = there and "put_once" in self.guards
            landed = state._replace(
                flying=state.flying - {drop}, versions=state.versions if refused else (*state.versions, drop)
            )
            yield f"PUT {drop.attempt} lands, unheard", landed
            waiting = Worker(drop, "sent")
            if waiting in state.workers:
                workers = _with(_without(state.workers, waiting), Worker(drop, "answered"))
                yield f"PUT {drop.attempt} lands", landed._replace(workers=workers)

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
                lost = frozenset(drop for drop in state.flying if drop.attempt != number)
                yield f"attempt {number} is settled", older._replace(flying=lost)

    # --- posting, proving, restoring

    def _posts(self, state: State) -> Iterator[tuple[str, State]]:
        """The person posts again: as before, which ends a wait; or with other accounts."""
        status = state.status[0]
        if status == "waiting" and self.start.choices:
            yield "a POST as before", state._replace(status=_put(state.status, 0, "received"))
        if status == "ready" and self.start.restores and state.choices:
            again = self._next_generation(state)
            yield "a POST long after", again._replace(choices=state.choices - 1)
        if not state.choices or self.start.restores or status in ("deleting", "deleted"):
            return
        other = state._replace(choices=state.choices - 1, choice=state.choice + 1)
        match status:
            case "received" if not state.was_asked or "choice_after_asking_begins_anew" not in self.guards:
                yield "a POST with other accounts", other
            case "fetching":
                yield "a POST with other accounts", other._replace(wanted=True)
            case _:
                yield "a POST with other accounts", self._next_generation(other)

    @staticmethod
    def _turns_out(state: State) -> Iterator[tuple[str, State]]:
        if state.status[1:] == ("unproven",):
            yield "row 1 is a stranger's", state._replace(status=_put(state.status, 1, "failed"))
            if state.card:
                yield "row 1 is a co-owner's", state._replace(status=_put(state.status, 1, "ready"))

    def _restores(self, state: State) -> Iterator[tuple[str, State]]:
        """The table is lost while nothing is under way: row 0 comes back as it was when first ready, or never."""
        nothing_goes_on = not (state.workers or state.flying or state.erasers)
        if not (state.restores and state.backup and nothing_goes_on and state.status[0] in ("ready", "deleted")):
            return
        if state.status[0] == "deleted" and "receipts" in self.guards:
            return
        keys = [version.generation for version in state.versions]
        yield (
            "row 0 is lost, and restored",
            state._replace(
                restores=state.restores - 1,
                status=_put(state.status, 0, "ready"),
                committed=state.backup,
                generation=state.backup.generation,
                given=max(keys, default=0) if "restored_above_every_key" in self.guards else 0,
            ),
        )
        if state.status[0] == "ready":
            yield (
                "row 0 is lost for good, and posted anew",
                state._replace(
                    restores=state.restores - 1,
                    status=_put(state.status, 0, "received"),
                    committed=None,
                    generation=1,
                    was_asked=False,
                    choice=ANOTHER_LIFE,
                    events=frozenset(),
                ),
            )

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
        unproven = any(status in UNPROVEN for status in others)
        if unproven and "ready" not in others and "only_known_owners_spare" in self.guards:
            return  # it waits for what turns out
        spares = {"ready"} if "only_known_owners_spare" in self.guards else {"ready", "failed", *UNPROVEN}
        seen = {any(status in spares for status in others)}
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
    if state.status[0] == "ready" and state.committed is None:
        return "P2: announced, and nothing there"
    if state.status[0] == "ready" and state.committed is not None and _current(state) != state.committed:
        return "P2: another version than the one that was announced"
    if state.twice:
        return "P2: a generation was given twice"
    if state.status[0] == "ready" and state.committed is not None and state.committed.data != state.choice:
        return "P1: accounts that were not chosen"
    if state.card and all(status == "deleted" for status in state.status):
        return "P4: everyone is erased, and the card is still at Flinks"
    if state.card and state.asked[0] == "kept" and state.status == ("deleted", "failed"):
        return "P4: a stranger keeps the card of an erased connection alive"
    owners = [status for status in state.status if status not in ("deleting", "deleted", "failed", "unproven")]
    if not state.card and owners:
        return "P4: the card of a live connection is gone"
    return None


def _current(state: State) -> Drop | None:
    """What lies under the key of what was committed."""
    generation = state.committed.generation if state.committed else 0
    return next((version for version in reversed(state.versions) if version.generation == generation), None)


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
