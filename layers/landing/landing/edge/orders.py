"""What an order of ops looks like: strict JSON members, read with pydantic; what is wrong is never quoted."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from landing.domain.connection import CONNECTION_ID
from landing.edge.inputs import LONGEST_OWNER, NotAsDescribed, canonical_guid, is_owner, ticket


def _owner(value: str) -> str:
    if not is_owner(value):
        raise ValueError(f"must be a text of 1 to {LONGEST_OWNER} characters")
    return value


def _instant(value: Any) -> datetime:
    with suppress(ValueError, TypeError):  # whose messages quote the value
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is not None:
            return instant
    raise ValueError("must be an RFC 3339 time with a zone")


type Guid = Annotated[str, AfterValidator(canonical_guid)]
type ConnectionId = Annotated[str, StringConstraints(pattern=f"^{CONNECTION_ID}$")]
type Owner = Annotated[str, AfterValidator(_owner)]
type Instant = Annotated[datetime, BeforeValidator(_instant)]
type Ticket = Annotated[str, AfterValidator(ticket)]


class OrderBody(BaseModel):
    """camelCase outside; nothing unknown, nothing converted, nothing quoted in an error."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, frozen=True, hide_input_in_errors=True
    )


def parsed[M: OrderBody](given: Any, model: type[M]) -> M:
    """`given` as `model`. Raises NotAsDescribed."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        detail = _detail(error, model)
    raise NotAsDescribed(detail)


def _detail(error: ValidationError, model: type[OrderBody]) -> str:
    errors = error.errors(include_input=False, include_url=False, include_context=False)
    # A text or a list of texts: of what is neither, that attempt says most which came furthest.
    first = max((each for each in errors if each["loc"][:1] == errors[0]["loc"][:1]), key=lambda each: len(each["loc"]))
    (member, within), reason = _member(model, first["loc"]), first["msg"].removeprefix("Value error, ")
    if member and isinstance(first["loc"][-1], int):
        member += f"[{first['loc'][-1]}]"
    match first["type"]:
        case "extra_forbidden":
            known = ", ".join(f"`{each.alias}`" for each in within.model_fields.values())
            return f"The {f'member `{member}`' if member else 'order'} has a member that nobody knows; known: {known}."
        case "missing":
            return f"The member `{member}` is missing."
        case "value_error":
            return f"The member `{member}` {reason}." if member else f"The order {reason}."
        case _ if not member:
            return "The order must be a JSON object."
        case _:
            return f"The member `{member}` has the wrong type, length or characters."


def _member(model: type[OrderBody], place: tuple[int | str, ...]) -> tuple[str, type[OrderBody]]:
    """The path to a member, up to the first name that is not one of ours: that one may quote what was sent.

    With the model of the object that it ends in.
    """
    names: list[str] = []
    within = model
    for step in place:
        field = next((each for each in within.model_fields.values() if each.alias == step), None)
        if field is None:
            break
        names.append(str(step))
        kinds = (field.annotation, *get_args(field.annotation))
        deeper = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, OrderBody)), None)
        if deeper is None:
            break
        within = deeper
    return ".".join(names), within
