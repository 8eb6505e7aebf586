"""Say what samconfig.toml means for a deployment, and refuse what would fail late: `python -m ops.samconfig --help`."""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

UNANSWERED = "FILL-IN"


class Refused(Exception):
    """Nothing may be deployed like this; the message says what to change."""


def read(path: Path, config: str) -> dict[str, Any]:
    """One configuration with a stack name and a region. Raises Refused."""
    if not path.exists():
        raise Refused(f"There is no {path}.")
    found: dict[str, Any] = tomllib.loads(path.read_text()).get(config, {})
    told = found.get("global", {}).get("parameters", {})
    if not told.get("stack_name") or not told.get("region"):
        raise Refused(f"{path} has no configuration {config} with a stack_name and a region.")
    return found


def stack_of(found: dict[str, Any]) -> tuple[str, str]:
    """Name and region."""
    told = found["global"]["parameters"]
    return told["stack_name"], told["region"]


def parameters_of(found: dict[str, Any], architecture: str) -> list[str]:
    """Every `Name=value` of a deployment, Architecture among them. Raises Refused."""
    name, _ = stack_of(found)
    given = found.get("deploy", {}).get("parameters", {}).get("parameter_overrides", [])
    told = dict(each.split("=", 1) for each in given)
    unanswered = [key for key, value in told.items() if UNANSWERED in value]
    if unanswered:
        raise Refused(f"{UNANSWERED} is left in samconfig.toml for {name}: {', '.join(unanswered)}.")
    if "Release" in told:
        raise Refused("samconfig.toml says Release; make deploy derives it from what is deployed.")
    if told.get("Architecture", architecture) != architecture:
        raise Refused(
            f"samconfig.toml says Architecture={told['Architecture']}, make says ARCHITECTURE={architecture}."
        )
    return [f"{key}={value}" for key, value in {**told, "Architecture": architecture}.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="the configuration: default, prod")
    parser.add_argument("--file", type=Path, default=Path("samconfig.toml"))
    parser.add_argument("--architecture", help="print the parameters for it, one a line; else stack name and region")
    asked = parser.parse_args()
    try:
        found = read(asked.file, asked.config)
        lines = parameters_of(found, asked.architecture) if asked.architecture else stack_of(found)
    except Refused as refusal:
        sys.exit(str(refusal))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
