"""The switches of the simulated instance: what Flinks' documentation leaves open, and its keys."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from local.flinks.cards import Pending
from local.flinks.reply import Json


@dataclass
class Settings:
    """In JSON the names are camelCase: secretKey, apiKeyRefusal, pending {polls, seconds, never}."""

    customer_id: str = "43387ca6-0391-4c82-857d-70d95f087ecb"
    secret_key: str = field(default="simulated-secret-key", repr=False)
    api_key: str = field(default="simulated-api-key", repr=False)
    token_required: bool = True  # off: a customer from before October 2024
    token_minutes: float = 30
    invalid_login_status: int = 401  # 400 in older documentation
    invalid_request_status: int = 401  # 400 in older documentation
    api_key_refusal: int | None = 401  # or 403; null: the x-api-key is not enforced
    delete_needs_api_key: bool = False  # a wrong one is refused in any case
    second_delete: str = "INVALID_LOGIN"  # or "text": 200 with the JSON string "Invalid LoginId"
    concurrent_status: int = 401
    session_end_code: str = "SESSION_NONEXISTENT"  # or SESSION_EXPIRED
    pending: Pending = field(default_factory=Pending)  # of every card connected from now on

    def as_json(self) -> Json:
        return {_camel(name): value for name, value in asdict(self).items()}

    def change(self, changes: Json) -> None:
        """Raise ValueError for an unknown name or a value of another type; then nothing is changed."""
        known = {_camel(each.name): each for each in fields(self)}
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"there is no setting {name!r}")
            checked[known[name].name] = read_pending(value) if name == "pending" else value
            wanted = str(known[name].type)
            if name != "pending" and type(value) not in _TYPES[wanted]:
                raise ValueError(f"{name} is of type {wanted}")
        for name, value in checked.items():
            setattr(self, name, value)


_TYPES: dict[str, tuple[type, ...]] = {
    "<class 'str'>": (str,),
    "<class 'bool'>": (bool,),
    "<class 'int'>": (int,),
    "<class 'float'>": (int, float),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
}


def read_pending(content: Any) -> Pending:
    """Read {polls?, seconds?, never?}, where what is left out is 0 or false. Raise ValueError."""
    if not isinstance(content, dict) or content.keys() - {"polls", "seconds", "never"}:
        raise ValueError("pending is {polls, seconds, never}")
    polls, seconds, never = (content.get("polls", 0), content.get("seconds", 0), content.get("never", False))
    if type(polls) is not int or type(seconds) not in {int, float} or type(never) is not bool:
        raise ValueError("polls is a whole number, seconds a number, never true or false")
    if polls < 0 or seconds < 0:
        raise ValueError("polls and seconds are not negative")
    return Pending(polls, float(seconds), never)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
