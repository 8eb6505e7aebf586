"""Who called what, how often, and how many at once: per endpoint and per card."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from local.flinks.reply import Json

LOG_LENGTH = 20_000


@dataclass
class Call:
    """One request, from its arrival until its answer is on the wire."""

    method: str
    endpoint: str
    login_id: str | None
    at: datetime  # the simulator's time
    number: int = 0
    status: int | None = None
    code: str | None = None
    fault: str | None = None

    def as_json(self) -> Json:
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "method": self.method,
            "endpoint": self.endpoint,
            "loginId": self.login_id,
            "status": self.status,
            "code": self.code,
            "fault": self.fault,
        }


@dataclass
class Tally:
    calls: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> Json:
        return {
            "calls": self.calls,
            "inFlight": self.in_flight,
            "maxInFlight": self.max_in_flight,
            "statuses": dict(self.statuses),
            "codes": dict(self.codes),
        }


class Traffic:
    """Thread-safe; counts of calls still in flight survive a reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._log: deque[Call] = deque(maxlen=LOG_LENGTH)
        self.all = Tally()
        self.endpoints: dict[str, Tally] = {}
        self.cards: dict[str, Tally] = {}

    def enter(self, call: Call) -> None:
        with self._lock:
            self._number += 1
            call.number = self._number
            self._log.append(call)
            for tally in self._tallies(call):
                tally.calls += 1
                tally.in_flight += 1
                tally.max_in_flight = max(tally.max_in_flight, tally.in_flight)

    def leave(self, call: Call) -> None:
        with self._lock:
            for tally in self._tallies(call):
                tally.in_flight -= 1
                tally.statuses[str(call.status)] += 1
                if call.code:
                    tally.codes[call.code] += 1

    def reset(self) -> None:
        with self._lock:
            self._log.clear()
            self.all = Tally(in_flight=self.all.in_flight, max_in_flight=self.all.in_flight)
            for tallies in (self.endpoints, self.cards):
                for name, tally in list(tallies.items()):
                    tallies[name] = Tally(in_flight=tally.in_flight, max_in_flight=tally.in_flight)
                    if not tally.in_flight:
                        del tallies[name]

    def as_json(self) -> Json:
        with self._lock:
            return {
                **self.all.as_json(),
                "endpoints": {name: tally.as_json() for name, tally in self.endpoints.items()},
                "cards": {login_id: tally.as_json() for login_id, tally in self.cards.items()},
            }

    def log(self, after: int = 0) -> list[Json]:
        with self._lock:
            return [call.as_json() for call in self._log if call.number > after]

    def _tallies(self, call: Call) -> list[Tally]:
        tallies = [self.all, self.endpoints.setdefault(call.endpoint, Tally())]
        if call.login_id:
            tallies.append(self.cards.setdefault(call.login_id, Tally()))
        return tallies
