"""What ids and members look like, in requests and in orders alike: one pattern each; what is wrong is never quoted."""

import re
import unicodedata
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from landing.domain.connection import CONNECTION_ID

LONGEST_OWNER = 256
MOST_ACCOUNTS = 100
LONGEST_LABEL = 64
LONGEST_URL = 512

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class NotAsDescribed(Exception):
    """`detail` says, in words of ours, what is wrong and in which member; it quotes nothing that was sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def is_connection_id(text: str) -> bool:
    return re.fullmatch(CONNECTION_ID, text) is not None


def is_owner(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_OWNER and is_text(value)


def is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8: JSON admits lone surrogates, UTF-8 does not."""
    return not re.search("[\ud800-\udfff]", value)


def _canonical_guid(value: str) -> str:
    """Flinks' GUIDs have no version bits (flinks.md §14), so only the spelling is checked."""
    lowered = value.lower()
    if not _GUID.fullmatch(lowered):
        raise ValueError("must be a GUID: 8-4-4-4-12 hexadecimal digits")
    return lowered


def _owner(value: str) -> str:
    if not is_owner(value):
        raise ValueError(f"must be a text of 1 to {LONGEST_OWNER} characters")
    return value


def _label(value: str | None) -> str | None:
    """A text to be shown again, as far as it can be kept: a label is never a reason to refuse.

    Without what cannot be seen or could be markup; in one line; cut. None if nothing is left, if a program wrote that
    it had no value, or if there is an id in it, which would be kept in clear.
    """
    seen = (" " if each.isspace() else each for each in unicodedata.normalize("NFC", value or ""))
    kept = "".join(each for each in seen if unicodedata.category(each)[0] != "C" and each not in "<>")
    label = " ".join(kept.split())[:LONGEST_LABEL].rstrip()
    is_nothing = label.lower() in ("", "undefined", "null")
    return None if is_nothing or _GUID.search(kept.lower()) else label


def _https(value: str) -> str:
    url = urlsplit(value)
    if url.scheme != "https" or not url.hostname or url.username is not None or not value.isascii():
        raise ValueError("must be an https URL")
    return value


def _all_different(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("must not name an account twice")
    return values


type Label = Annotated[str | None, AfterValidator(_label)]
_OF_A_URL = r"([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*"
HTTPS_URL = rf"^https://[A-Za-z0-9.-]+(:[0-9]{{1,5}})?([/?]{_OF_A_URL})?(#{_OF_A_URL})?$"
"""RFC 3986 in ASCII, with a host and perhaps a port; no user."""

type HttpsUrl = Annotated[str, StringConstraints(max_length=LONGEST_URL, pattern=HTTPS_URL), AfterValidator(_https)]
type Guid = Annotated[str, AfterValidator(_canonical_guid)]
type ConnectionId = Annotated[str, StringConstraints(pattern=f"^{CONNECTION_ID}$")]
type Owner = Annotated[str, AfterValidator(_owner)]


class Body(BaseModel):
    """camelCase outside; nothing unknown, nothing converted, nothing quoted in an error."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, frozen=True, hide_input_in_errors=True
    )


class PostedLogin(Body):
    """What the browser sends after Flinks Connect."""

    login_id: Guid = Field(repr=False)
    institution: Label = None
    language: Literal["en", "fr"] | None = None
    days_of_transactions: Literal[90, 365] | None = None
    account_ids: (
        Annotated[list[Guid], Field(min_length=1, max_length=MOST_ACCOUNTS), AfterValidator(_all_different)] | None
    ) = None

    @property
    def chosen(self) -> tuple[str, ...] | None:
        """Omitted says nothing of accounts (None); a null means all of them (empty)."""
        if "account_ids" not in self.model_fields_set:
            return None
        return tuple(self.account_ids or ())


class WantedSession(Body):
    """What a browser may ask of a Connect session. Where it ends is not for a browser to say."""

    language: Literal["en", "fr"] = "en"
    select_accounts: bool = False
    institution: Label = None
    customer_name: Label = None
    theme: Literal["light", "dark"] | None = None
    terms_url: HttpsUrl | None = None
    days_of_transactions: Literal[90, 365] | None = None
    webview: bool = False


def parsed[M: Body](given: Any, model: type[M], *, as_: Literal["body", "order"]) -> M:
    """`given` as `model`. Raises NotAsDescribed."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        detail = _detail(error, model, as_)
    raise NotAsDescribed(detail)


def _detail(error: ValidationError, model: type[Body], whole: str) -> str:
    errors = error.errors(include_input=False, include_url=False, include_context=False)
    # A text or a list of texts: of what is neither, that attempt says most which came furthest.
    first = max((each for each in errors if each["loc"][:1] == errors[0]["loc"][:1]), key=lambda each: len(each["loc"]))
    member, reason = _member(model, first["loc"]), first["msg"].removeprefix("Value error, ")
    if member and whole == "order" and isinstance(first["loc"][-1], int):
        member += f"[{first['loc'][-1]}]"
    match first["type"]:
        case "extra_forbidden" if whole == "body":
            return "The body has a member that this endpoint does not know."
        case "extra_forbidden":
            return f"The {f'member `{member}`' if member else 'order'} has a member that nobody knows."
        case "missing":
            return f"The member `{member}` is missing."
        case "value_error":
            return f"The member `{member}` {reason}." if member else f"The {whole} {reason}."
        case _ if not member:
            return f"The {whole} must be a JSON object."
        case _:
            return f"The member `{member}` has the wrong type, length or characters."


def _member(model: type[Body], place: tuple[int | str, ...]) -> str:
    """The path to a member, up to the first name that is not one of ours: that one may quote what was sent."""
    names: list[str] = []
    within: type[Body] | None = model
    for step in place:
        field = next((each for each in within.model_fields.values() if each.alias == step), None) if within else None
        if field is None:
            break
        names.append(str(step))
        kinds = (field.annotation, *get_args(field.annotation))
        within = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Body)), None)
    return ".".join(names)
