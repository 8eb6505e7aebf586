"""What one UpdateItem changes in a connection's row."""

from datetime import datetime
from typing import Any

from landing.domain.connection import Action, Connection, Status, due_shard
from landing.stores.connection_row import Attribute, attribute


def due(connection_id: str, due_at: datetime) -> dict[str, Any]:
    """The attributes that say when someone must look, for the index `by-due`."""
    return {"dueAt": due_at, "dueShard": due_shard(connection_id)}


class Change:
    """An UpdateExpression in the making; every name is aliased, since half of ours are reserved words.

    A dot in a name leads into a map.
    """

    def __init__(self, **attributes: Any) -> None:
        self._set: dict[str, Any] = attributes
        self._remove: set[str] = set()

    def set(self, **attributes: Any) -> None:
        self._set |= attributes

    def remove(self, *attributes: str) -> None:
        self._remove |= set(attributes)

    def next_generation(self, row: Connection, now: datetime) -> None:
        self.set(
            status=Status.RECEIVED,
            generation=row.generation + 1,
            action=Action.NONE,
            retries=0,
            sessions=0,
            startedAt=now,
            **due(row.connection_id, now),
        )
        self.remove("reason", "sealedRequest", "pollUntil", "refetchWanted", "leaseUntil")

    @property
    def expression(self) -> str:
        assignments = ", ".join(f"{_path(name)} = {_placeholder(name)}" for name in self._set)
        removals = ", ".join(_path(name) for name in sorted(self._remove))
        return f"SET {assignments}" + (f" REMOVE {removals}" if removals else "")

    @property
    def names(self) -> dict[str, str]:
        return {f"#{step}": step for name in {*self._set, *self._remove} for step in name.split(".")}

    @property
    def values(self) -> dict[str, Attribute]:
        return {_placeholder(name): attribute(value) for name, value in self._set.items()}


def _path(name: str) -> str:
    return ".".join(f"#{step}" for step in name.split("."))


def _placeholder(name: str) -> str:
    return f":new_{name.replace('.', '_')}"
