"""What a command prints: for a person at a terminal, or as JSON for a program; never both."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

WIDTH_OF_A_FILE = 160
MARKS = {"ok": "green", "warn": "yellow", "bad": "red"}


class Telling:
    """Human output goes to stdout, progress and remarks to stderr; with `json`, stdout holds one JSON value."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
        self._remarks = Console(stderr=True, highlight=False, soft_wrap=True)

    def answer(self, value: Any) -> None:
        """The whole answer of a command, for programs."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")

    def line(self, text: str = "", style: str = "") -> None:
        if not self.as_json:
            self._out.print(Text(text, style=style))

    def heading(self, text: str) -> None:
        self.line(text, "bold")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        if self.as_json:
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column in {"connectionId", "at", "status"})
        for row in rows:
            table.add_row(*(Text(_shown(cell)) for cell in row))
        self._out.print(table)

    def facts(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Names and values, one pair a line; what is None is left out."""
        for name, value in pairs:
            if value is not None:
                self.line(f"  {name:<16}{_shown(value)}")

    def mark(self, how: str, text: str) -> None:
        """One finding: `how` is ok, warn or bad."""
        if not self.as_json:
            self._out.print(Text(f"  {how:<5}", style=MARKS[how]).append(Text(text, style="")))

    def remark(self, text: str) -> None:
        """For the person, beside the answer."""
        self._remarks.print(Text(text, style="dim"))

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> "Iterator[Progressing]":
        """Shows that long work goes on; on a terminal only."""
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(
            *columns,
            TimeElapsedColumn(),
            console=self._remarks,
            transient=True,
            disable=not self._remarks.is_terminal,
        ) as progress:
            yield Progressing(progress, progress.add_task(what, total=total))


class Progressing:
    """A step forward at a time."""

    def __init__(self, progress: Progress, task: Any) -> None:
        self._progress = progress
        self._task = task

    def __call__(self, steps: int = 1) -> None:
        self._progress.update(self._task, advance=steps)

    def left(self, steps: int) -> None:
        """So many are still to be done, as far as is known."""
        self._progress.update(self._task, total=self._progress.tasks[self._task].completed + steps)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, timedelta):
        return span(value)
    return str(value)


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span(time: timedelta) -> str:
    """`3 s`, `12 min`, `5 h 10 min`, `3 d 4 h`."""
    seconds = int(abs(time.total_seconds()))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes = rest // 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
