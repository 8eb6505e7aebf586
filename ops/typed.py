"""What was typed, judged before anything is asked of AWS; each raises BadParameter, which names the mistake."""

import difflib
import re
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from landing.domain.connection import CONNECTION_ID
from landing.edge import inputs


def meant(connection_ids: list[str] | None, owner: list[str] | None, login_file: Path | None) -> tuple[str, list[str]]:
    given = [
        ("connectionId", [connection_id(each) for each in connection_ids or ()]),
        ("owner", list(owner or ())),
        ("loginId", text_of(login_file).split() if login_file is not None else []),
    ]
    ((member, named), *rest) = [each for each in given if each[1]] or [("", [])]
    if not named or rest:
        mistake("Say which, one way: connectionIds, --owner or --login-file.")
    return member, list(dict.fromkeys(named))


def connection_id(text: str) -> str:
    if not re.fullmatch(CONNECTION_ID, text):
        mistake("A connectionId is con_ and 26 characters of a-z and 2-7.")
    return text


def ticket(text: str | None) -> str | None:
    """Refused here already, since an order that is refused has been sent. None stays None."""
    try:
        return text if text is None else inputs.ticket(text)
    except ValueError as wrong:
        told = str(wrong)
    return mistake(told)


Ticket = Annotated[str, typer.Option(help="Who asked for it, by reference: no name, no address.", callback=ticket)]


def known(text: str, all_of_them: Iterable[str], what: str) -> str:
    names = [str(name) for name in all_of_them]
    if text in names:
        return text
    near = difflib.get_close_matches(text, names, 1, 0.5)
    hint = f"Did you mean {near[0]}?" if near else f"One of: {', '.join(names)}."
    return mistake(f"{what}: there is no such one. {hint}")


def span_of(text: str | None, what: str) -> timedelta | None:
    if text is None:
        return None
    parts = re.fullmatch(r"([1-9]\d{0,4})([smhd])", text)
    if parts is None:
        mistake(f"{what}: a number and s, m, h or d, such as 30m or 2h.")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[parts[2]]
    return timedelta(**{unit: int(parts[1])})


def moment_of(text: str | None, what: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        return mistake(f"{what}: a time with its zone, such as 2026-01-05T12:00:00Z.")
    return moment


def text_of(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError):
        mistake(f"{file} cannot be read as text.")


def mistake(message: str) -> NoReturn:
    raise typer.BadParameter(message)
