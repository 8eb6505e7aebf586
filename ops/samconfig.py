"""What samconfig.toml means for a deployment; refuses what would fail late."""

import difflib
import tomllib
from pathlib import Path
from typing import Any

from ops.target import Refused

UNANSWERED = "FILL-IN"
ANSWERS = "answers.toml"
"""Beside samconfig.toml, and not in version control: `[default]` and `[prod]` with parameters of your own."""


def read(path: Path, config: str) -> dict[str, Any]:
    """One configuration with a stack name and a region. Raises Refused."""
    if not path.exists():
        raise Refused(f"There is no {path}.")
    whole = _read_toml(path)
    found: dict[str, Any] = whole.get(config, {})
    told = found.get("global", {}).get("parameters", {})
    if not told.get("stack_name") or not told.get("region"):
        near = difflib.get_close_matches(config, [name for name in whole if name != config], 1, 0.5)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise Refused(f"{path} has no configuration {config} with a stack_name and a region.{hint}")
    return found


def stack_of(found: dict[str, Any]) -> tuple[str, str]:
    """Name and region."""
    told = found["global"]["parameters"]
    return told["stack_name"], told["region"]


def role_of(found: dict[str, Any]) -> str | None:
    """The ARN of the role that CloudFormation acts as, where samconfig.toml names one for `sam deploy`."""
    told: str | None = found.get("deploy", {}).get("parameters", {}).get("role_arn")
    return told


def answers(path: Path, config: str) -> dict[str, str]:
    """What the untracked file beside `path` answers for this configuration; nothing without one. Raises Refused."""
    beside = path.with_name(ANSWERS)
    if not beside.exists():
        return {}
    found = _read_toml(beside).get(config, {})
    return {name: _as_parameter(value) for name, value in found.items()}


def _as_parameter(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path.name} is no TOML: {error}") from None


def parameters_of(found: dict[str, Any], architecture: str, answered: dict[str, str] | None = None) -> list[str]:
    """Every `Name=value` of a deployment, Architecture among them; answers come before samconfig. Raises Refused."""
    name, _ = stack_of(found)
    given = found.get("deploy", {}).get("parameters", {}).get("parameter_overrides", [])
    told = dict(each.split("=", 1) for each in given) | (answered or {})
    unanswered = [key for key, value in told.items() if UNANSWERED in value]
    if unanswered:
        raise Refused(
            f"{UNANSWERED} is left in samconfig.toml for {name}: {', '.join(unanswered)}. "
            f"Answer there, or in {ANSWERS} beside it, which is kept out of version control."
        )
    if "Release" in told:
        raise Refused("samconfig.toml says Release; make deploy derives it from what is deployed.")
    if told.get("Architecture", architecture) != architecture:
        raise Refused(
            f"samconfig.toml says Architecture={told['Architecture']}, make says ARCHITECTURE={architecture}."
        )
    return [f"{key}={value}" for key, value in {**told, "Architecture": architecture}.items()]
