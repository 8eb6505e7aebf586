"""Names what is about to be deployed.

SAM publishes a new version of a function when the parameter Release changes, and for no other reason. So Release is a
hash of all that a version is made of: what was built (functions, layer and template) and every parameter. The same
input gives the same Release, and any other a new one, on every function.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

LENGTH = 20
"""Hexadecimal digits; SAM puts the first ten of them into the name of the version's resource."""


class NotBuilt(Exception):
    """There is nothing to name; the message says what is missing."""


def release_of(built: Path, parameters: Mapping[str, str]) -> str:
    """The Release of what `sam build` left in `built`, deployed with these parameters. Raises NotBuilt."""
    if not (built / "template.yaml").is_file():
        raise NotBuilt(f"There is no {built}/template.yaml: run `make build` first.")
    digest = hashlib.sha256()
    for path in sorted(path for path in built.rglob("*") if path.is_file()):
        _add(digest, path.relative_to(built).as_posix().encode(), path.read_bytes())
    for name, value in sorted(parameters.items()):
        _add(digest, name.encode(), value.encode())
    return digest.hexdigest()[:LENGTH]


def _add(digest: "hashlib._Hash", *parts: bytes) -> None:
    """Each with its length, so that nothing can move from one to the next unseen."""
    for part in parts:
        digest.update(f"{len(part)}:".encode() + part)
