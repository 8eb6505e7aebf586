"""Files that commands write as they go: receipts, reports, exports."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.typed import mistake


@contextmanager
def written(file: Path | None, *, anew: bool = False) -> Iterator[Callable[[str], None]]:
    """Writes lines into a file that only its owner may read. That it cannot is told before anything else."""
    if file is None:
        yield lambda _: None
        return
    try:
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if anew else os.O_APPEND)
        opened = os.fdopen(os.open(file, flags, 0o600), "w")
    except OSError:
        mistake(f"{file} cannot be written.")
    with opened:

        def write(line: str) -> None:
            opened.write(line + "\n")
            opened.flush()

        yield write
