"""What ids and members look like, in requests and in orders alike: one pattern each; what is wrong is never quoted."""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from landing.domain.connection import CONNECTION_ID

LONGEST_OWNER = 256
MOST_ACCOUNTS = 100
INSTITUTION = r"^[A-Za-z0-9\u00c0-\u024f\u0300-\u036f .,:;!#*@&'\u2019()/_+\u2013-]{1,64}$"
"""Latin letters with all their accents; no class such as \\w, which means more in each edition of Unicode."""

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


def _all_different(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("must not name an account twice")
    return values


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
    institution: Annotated[str, StringConstraints(pattern=INSTITUTION)] | None = None
    account_ids: (
        Annotated[list[Guid], Field(min_length=1, max_length=MOST_ACCOUNTS), AfterValidator(_all_different)] | None
    ) = None


class WantedSession(Body):
    """What a browser may ask of a Connect session. Where it ends is not for a browser to say."""

    language: Literal["en", "fr"] = "en"
    select_accounts: bool = False


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
