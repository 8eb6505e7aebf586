"""Say what samconfig.toml means for a deployment, and refuse what would fail late: `python -m ops.samconfig --help`."""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

from ops.preflight import mistakes
from ops.target import Refused

UNANSWERED = "FILL-IN"
ANSWERS = "answers.toml"
"""Beside samconfig.toml, and not in version control: `[default]` and `[prod]` with parameters of your own."""


def read(path: Path, config: str) -> dict[str, Any]:
    """One configuration with a stack name and a region. Raises Refused."""
    if not path.exists():
        raise Refused(f"There is no {path}.")
    found: dict[str, Any] = _read_toml(path).get(config, {})
    told = found.get("global", {}).get("parameters", {})
    if not told.get("stack_name") or not told.get("region"):
        raise Refused(f"{path} has no configuration {config} with a stack_name and a region.")
    return found


def stack_of(found: dict[str, Any]) -> tuple[str, str]:
    """Name and region."""
    told = found["global"]["parameters"]
    return told["stack_name"], told["region"]


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


def _checked(asked: argparse.Namespace, found: dict[str, Any]) -> list[str]:
    lines = parameters_of(found, asked.architecture, answers(asked.file, asked.config))
    if asked.template is not None:
        from samtranslator.yaml_helper import yaml_parse  # noqa: PLC0415 - only a deployment has it at hand

        template = yaml_parse(asked.template.read_text())
        wrong = mistakes(template, dict(each.split("=", 1) for each in lines))
        if wrong:
            raise Refused("\n".join(["Nothing was built: the template refuses these parameters.", *wrong]))
    return lines


def _for_sam(parameter: str) -> str:
    """An empty value as `sam` reads one: without quotes it refuses the whole list."""
    return f'{parameter}""' if parameter.endswith("=") else parameter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="the configuration: default, prod")
    parser.add_argument("--file", type=Path, default=Path("samconfig.toml"))
    parser.add_argument("--architecture", help="print the parameters for it, one a line; else stack name and region")
    parser.add_argument("--template", type=Path, help="hold the parameters to this template")
    asked = parser.parse_args()
    try:
        found = read(asked.file, asked.config)
        lines = [_for_sam(each) for each in _checked(asked, found)] if asked.architecture else stack_of(found)
    except Refused as refusal:
        sys.exit(str(refusal))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
