"""template.yaml, and what CloudFormation is given for it: SAM's own translator, as the service runs it."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

type Json = dict[str, Any]

ROOT = Path(__file__).parents[1]
A_RELEASE = "0123456789abcdef0123"


def source() -> Json:
    """The template as it is written; a copy of one's own."""
    return deepcopy(_parsed())


@cache
def _parsed() -> Json:
    parsed: Json = yaml_parse((ROOT / "template.yaml").read_text())
    return parsed


def made_by_sam(packaged_as: Callable[[str], str] = lambda _: "s3://bucket/key", /, **parameters: str) -> Json:
    """The template after SAM's transform, with default parameters unless told.

    `packaged_as` gives the address of a resource's code by its logical id.
    """
    packaged = source()
    for name, resource in packaged["Resources"].items():
        for code in ("CodeUri", "ContentUri"):
            if code in resource["Properties"]:
                resource["Properties"][code] = packaged_as(name)
    defaults = {name: p["Default"] for name, p in packaged["Parameters"].items() if "Default" in p}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "ca-central-1")
        made: Json = transform(packaged, defaults | {"Release": A_RELEASE} | parameters, _NoManagedPolicies())
    return made


class _NoManagedPolicies:
    def load(self) -> Json:
        return {}
