"""What writes to a table cost in write units, as DynamoDB counts them: of the item, and of each index.

An item costs one for each KB that it has, before or after, whichever is more. An index costs one for an entry that
comes, goes or is seen changed, two for one whose key changes, none for what is not seen through it (Developer Guide,
Read and write operations; Using Global Secondary Indexes: write throughput).
"""

from math import ceil
from typing import Any

from tests.world.expressions import Item
from tests.world.table import Index, Key, Table, size_of


class WriteUnits:
    """Counts the writes of `table` from now on: `each` has their units, oldest first."""

    def __init__(self, table: Table) -> None:
        self.each: list[int] = []
        write = table.write

        def counted(key: Key, new: Item | None, by: dict[str, str] | None = None) -> None:
            self.each.append(units(table, table.items.get(key), new))
            write(key, new, by)

        setattr(table, "write", counted)  # noqa: B010 - a method may not be assigned to


def units(table: Table, old: Item | None, new: Item | None) -> int:
    """What replacing `old` by `new` costs; None: no item."""
    item = max(1, ceil(max(size_of(old or {}), size_of(new or {})) / 1024))
    return item + sum(_of_index(table, index, old, new) for index in table.indexes.values())


def _of_index(table: Table, index: Index, old: Item | None, new: Item | None) -> int:
    before, after = (_entry(table, index, item) for item in (old, new))
    if before == after:
        return 0
    if before is None or after is None:
        return 1
    return 1 if index.key(before) == index.key(after) else 2


def _entry(table: Table, index: Index, item: Item | None) -> dict[str, Any] | None:
    """What is seen of an item through an index; None if it has not all of its key."""
    if item is None or not all(name in item for name in index.attributes):
        return None
    if index.projected is None:
        return item
    seen = {*index.attributes, *table.keys.attributes, *index.projected}
    return {name: value for name, value in item.items() if name in seen}
