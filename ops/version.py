"""Which version this is. The template says it, so that a stack can say it of itself; everybody else reads it there."""

from functools import cache

from ops.preflight import template_in
from ops.target import ROOT


@cache
def version() -> str:
    """As semantic versioning writes it."""
    return str(template_in(ROOT / "template.yaml")["Outputs"]["Version"]["Value"])
