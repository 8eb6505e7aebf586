"""A Flinks Connect session: the iframe's URL, with an authorize token for one page view and a tag for its owner."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from landing.domain.reasons import Reason
from landing.error_names import Cause
from landing.flinks.client import TokenMint
from landing.flinks.codes import cause_in, what_to_do
from landing.stores.hourly_count import HourlyCount
from landing.stores.owner_tag import OwnerTag

_INSTITUTION_CODE = re.compile(r"[A-Za-z0-9]{1,64}")
VALID_FOR = timedelta(minutes=15)
"""Flinks says 30 minutes in one place and 15 in another (flinks.md §4): the shorter one is true in both."""


@dataclass(frozen=True)
class ConnectSession:
    """What a browser needs to open Connect once, before `expires_at`. The URL holds a token: for its owner alone."""

    connect_url: str = field(repr=False)
    expires_at: datetime


class NoSession(Exception):
    """Flinks minted no token; `reason` says why, as `flinks/codes.py` has it, and `cause` what it answered."""

    def __init__(self, reason: Reason, cause: Cause) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause


@dataclass(frozen=True)
class ConnectPage:
    """Where Connect is served, and what is the same for everybody. It ends at `redirect_url`, if there is one."""

    url: str
    demo: bool = False
    redirect_url: str = ""
    days_of_transactions: int = 90


@dataclass(frozen=True)
class Options:
    """What a page may choose for its session. What is None is the deployment's choice, or Connect's own."""

    language: Literal["en", "fr"] = "en"
    select_accounts: bool = False
    institution: str | None = None
    """Connect goes straight to this bank, if it is a code of Flinks' (RBC); of a mere name it lets her choose."""
    customer_name: str | None = None
    """Of the app: who asks for the data, in Connect's own consent."""
    theme: Literal["light", "dark"] | None = None
    terms_url: str | None = None
    days_of_transactions: int | None = None
    webview: bool = False
    """Connect is a WebView's own page: it says its events to the native app."""


def create_connect_session(
    owner: str,
    *,
    page: ConnectPage,
    flinks: TokenMint,
    tags: OwnerTag,
    count: HourlyCount,
    clock: Callable[[], datetime],
    options: Options = Options(),
) -> ConnectSession:
    """Open a session for `owner`. Raises TooMany, NoSession, and one of `NOT_SERVED` when AWS cannot serve."""
    count.take_one(owner, clock())
    answer = flinks.generate_authorize_token()
    if answer.token is None:
        raise NoSession(what_to_do(answer).reason, cause_in(answer))
    expires_at = clock() + VALID_FOR
    parameters = {
        "authorizeToken": answer.token,
        "tag": tags.sign(owner, expires_at),
        "language": options.language,
        "daysOfTransactions": f"Days{options.days_of_transactions or page.days_of_transactions}",
        # With a page to go to, Connect goes there in its own frame; without one it only says REDIRECT.
        **(
            {"redirectUrl": page.redirect_url, "innerRedirect": "true"} if page.redirect_url else {"jsRedirect": "true"}
        ),
        **({"demo": "true"} if page.demo else {}),
        **({"accountSelectorEnable": "true", "accountSelectorMultiple": "true"} if options.select_accounts else {}),
        **{name: value for name, value in _look(options).items() if value is not None},
    }
    straight_to = options.institution or ""
    place = f"Credential/{straight_to}/" if _INSTITUTION_CODE.fullmatch(straight_to) else ""
    url = f"{page.url.rstrip('/')}/{place}" if place else page.url
    return ConnectSession(f"{url}?{urlencode(parameters)}", expires_at)


def _look(options: Options) -> dict[str, str | None]:
    return {
        "customerName": options.customer_name,
        "theme": options.theme,
        "termsUrl": options.terms_url,
        "webview": "true" if options.webview else None,
    }
