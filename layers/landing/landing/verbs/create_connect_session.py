"""A Flinks Connect session: the iframe's URL, with an authorize token for one page view and a tag for its owner."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from landing.domain.reasons import Reason
from landing.flinks.client import TokenMint
from landing.flinks.codes import what_to_do
from landing.stores.owner_tag import OwnerTag

VALID_FOR = timedelta(minutes=15)
"""Flinks says 30 minutes in one place and 15 in another (flinks.md §4): the shorter one is true in both."""


@dataclass(frozen=True)
class ConnectSession:
    """What a browser needs to open Connect once, before `expires_at`. The URL holds a token: for its owner alone."""

    connect_url: str = field(repr=False)
    expires_at: datetime


class NoSession(Exception):
    """Flinks minted no token; `reason` says why, as `flinks/codes.py` has it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class ConnectPage:
    """Where Connect is served, and what is the same for everybody. It ends at `redirect_url`, if there is one."""

    url: str
    demo: bool = False
    redirect_url: str = ""


def create_connect_session(
    owner: str,
    *,
    page: ConnectPage,
    flinks: TokenMint,
    tags: OwnerTag,
    clock: Callable[[], datetime],
    language: Literal["en", "fr"] = "en",
    select_accounts: bool = False,
) -> ConnectSession:
    """Open a session for `owner`. Raises NoSession, and one of `NOT_SERVED` when AWS cannot serve."""
    answer = flinks.generate_authorize_token()
    if answer.token is None:
        raise NoSession(what_to_do(answer).reason)
    expires_at = clock() + VALID_FOR
    parameters = {
        "authorizeToken": answer.token,
        "tag": tags.sign(owner, expires_at),
        "language": language,
        # With a page to go to, Connect goes there in its own frame; without one it only says REDIRECT.
        **(
            {"redirectUrl": page.redirect_url, "innerRedirect": "true"} if page.redirect_url else {"jsRedirect": "true"}
        ),
        **({"demo": "true"} if page.demo else {}),
        **({"accountSelectorEnable": "true", "accountSelectorMultiple": "true"} if select_accounts else {}),
    }
    return ConnectSession(f"{page.url}?{urlencode(parameters)}", expires_at)
