"""Holds a deployment's parameters to the template, before a mistake costs a build and a rollback."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DERIVED = frozenset({"Release"})
"""What the deployment itself finds out, once it has built."""

_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class _Template(yaml.CSafeLoader):
    """Reads CloudFormation's short functions in their long form; in C, which is ten times as fast."""


def _function(loader: yaml.CSafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
        case _:
            raise NotImplementedError(str(node))
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Template.add_multi_constructor("!", _function)


def template_in(path: Path) -> dict[str, Any]:
    """A SAM template."""
    found: dict[str, Any] = yaml.load(path.read_text(), _Template)  # noqa: S506 - a SafeLoader
    return found


def mistakes(template: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    """One sentence for each parameter that CloudFormation would refuse; they name parameters, and show no value."""
    known: Mapping[str, Mapping[str, Any]] = template["Parameters"]
    unknown = [_unknown(name, known) for name in given if name not in known]
    missing = [
        f"{name} is missing: {_says(parameter)}"
        for name, parameter in known.items()
        if name not in given and "Default" not in parameter and name not in DERIVED
    ]
    wrong = [
        f"{name}: {why}"
        for name, value in given.items()
        if name in known and (why := _wrong(known[name], value)) is not None
    ]
    return unknown + missing + wrong + _broken_rules(template, given)


def _broken_rules(template: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    """What the template says of parameters that do not go together."""
    defaults = {name: each["Default"] for name, each in template["Parameters"].items() if "Default" in each}
    values = {name: _text(value) for name, value in {**defaults, **given}.items()}
    return [
        assertion["AssertDescription"]
        for rule in template.get("Rules", {}).values()
        if "RuleCondition" not in rule or holds(rule["RuleCondition"], values)
        for assertion in rule["Assertions"]
        if not holds(assertion["Assert"], values)
    ]


def holds(condition: Any, values: Mapping[str, str]) -> bool:
    """A condition as CloudFormation decides it for these parameters. NotImplementedError for a function not in use."""
    match condition:
        case {"Fn::Equals": [one, other]}:
            return _value(one, values) == _value(other, values)
        case {"Fn::Not": [inner]}:
            return not holds(inner, values)
        case {"Fn::And": list(inner)}:
            return all(holds(each, values) for each in inner)
        case {"Fn::Or": list(inner)}:
            return any(holds(each, values) for each in inner)
    raise NotImplementedError(str(condition))


def _value(value: Any, values: Mapping[str, str]) -> str:
    match value:
        case {"Ref": str(name)}:
            return values.get(name, "")
    return _text(value)


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.6)
    return f"{name} is no parameter of the template." + (f" Did you mean {near[0]}?" if near else "")


def _wrong(parameter: Mapping[str, Any], value: str) -> str | None:
    kind = parameter["Type"]
    texts = [each.strip() for each in value.split(",")] if kind == "CommaDelimitedList" else [value]
    allowed = [_text(each) for each in parameter.get("AllowedValues", [])]
    for text in texts:
        if kind == "Number" and (why := _not_in_range(parameter, text)) is not None:
            return why
        if allowed and text not in allowed:
            near = difflib.get_close_matches(text, allowed, 1, 0.6)
            return f"must be one of {', '.join(allowed)}." + (f" Did you mean {near[0]}?" if near else "")
        pattern = parameter.get("AllowedPattern")
        if pattern and not re.search(pattern, text):
            return (
                f"must be {parameter.get('ConstraintDescription') or 'as its description says: ' + _says(parameter)}."
            )
    return None


def _not_in_range(parameter: Mapping[str, Any], text: str) -> str | None:
    if not _NUMBER.fullmatch(text):
        return "must be a number."
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if least is not None and float(text) < float(least):
        return f"must be {least} at the least."
    if most is not None and float(text) > float(most):
        return f"must be {most} at the most."
    return None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _says(parameter: Mapping[str, Any]) -> str:
    return str(parameter.get("Description", "it has no default"))
