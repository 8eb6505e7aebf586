"""What a browser may send; read with msgspec, because a person waits for it and pydantic is a third of a cold start."""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from landing.edge import inputs
from landing.edge.inputs import LONGEST_URL, MOST_ACCOUNTS, NotAsDescribed

type Accounts = Annotated[list[str], Meta(min_length=1, max_length=MOST_ACCOUNTS)]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """camelCase outside; nothing unknown, nothing converted, nothing shown of what is inside."""

    def __repr__(self) -> str:
        return type(self).__name__


class PostedLogin(Body, frozen=True):
    """What the browser sends after Flinks Connect."""

    login_id: str
    institution: str | None = None
    language: Literal["en", "fr"] | None = None
    days_of_transactions: Literal[90, 365] | None = None
    account_ids: Accounts | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        """Make ids canonical and the label one that can be shown. Raises NotAsDescribed."""
        _put(self, "login_id", _as(inputs.canonical_guid, self.login_id, "loginId"))
        _put(self, "institution", inputs.label(self.institution))
        if isinstance(self.account_ids, list):
            ids = [_as(inputs.canonical_guid, each, "accountIds") for each in self.account_ids]
            _put(self, "account_ids", _as(inputs.all_different, ids, "accountIds"))

    @property
    def chosen(self) -> tuple[str, ...] | None:
        """Omitted says nothing of accounts (None); a null means all of them (empty)."""
        return None if self.account_ids is UNSET else tuple(self.account_ids or ())


class WantedSession(Body, frozen=True):
    """What a browser may ask of a Connect session. Where it ends is not for a browser to say."""

    language: Literal["en", "fr"] = "en"
    select_accounts: bool = False
    institution: str | None = None
    customer_name: str | None = None
    theme: Literal["light", "dark"] | None = None
    terms_url: Annotated[str, Meta(max_length=LONGEST_URL, pattern=inputs.HTTPS_URL)] | None = None
    days_of_transactions: Literal[90, 365] | None = None
    webview: bool = False

    def __post_init__(self) -> None:
        """Make labels ones that can be shown. Raises NotAsDescribed."""
        _put(self, "institution", inputs.label(self.institution))
        _put(self, "customer_name", inputs.label(self.customer_name))
        if self.terms_url is not None:
            _as(inputs.https, self.terms_url, "termsUrl")


_put = msgspec.structs.force_setattr


def _as[V](rule: Any, value: V, member: str) -> V:
    try:
        kept: V = rule(value)
    except ValueError as error:
        reason = str(error)
    else:
        return kept
    raise NotAsDescribed(f"The member `{member}` {reason}.")


def parsed[B: Body](given: Any, model: type[B]) -> B:
    """`given` as `model`. Raises NotAsDescribed."""
    try:
        return msgspec.convert(given, model)
    except msgspec.ValidationError as error:
        detail = _detail(str(error))
    raise NotAsDescribed(detail)


def _detail(error: str) -> str:
    """Msgspec's error in our words: it may quote the name of a member that we do not know, which was sent to us."""
    if error.startswith("Object contains unknown field"):
        return "The body has a member that this endpoint does not know."
    if missing := re.match(r"Object missing required field `(\w+)`", error):
        return f"The member `{missing[1]}` is missing."
    if place := re.search(r" - at `\$\.(\w+)[^`]*`$", error):
        return f"The member `{place[1]}` has the wrong type, length or characters."
    return "The body must be a JSON object."
