"""What a download needs to know of this machine's network: `python ops/mirrors.py COMMAND...` runs COMMAND with it.

pip, which fills the first environment, and uv, which fills the others, read different settings. Whoever told only one
of them of a mirror, a certificate or a proxy means both. What else a pip.conf says is meant for other installations:
what is installed here has its hash and its place (no user, target, prefix or constraint), and is public (no extra
index, which uv would let stand in for the main one).
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PIP = Path(__file__).resolve().parents[1] / ".venvs/tools/bin/python"

HANDED_ON = {
    "index-url": ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
    "find-links": ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
    "no-index": ("PIP_NO_INDEX", "UV_NO_INDEX"),
    "trusted-host": ("PIP_TRUSTED_HOST", "UV_INSECURE_HOST"),
    "cert": ("PIP_CERT", "SSL_CERT_FILE"),
    "client-cert": ("PIP_CLIENT_CERT", "SSL_CLIENT_CERT"),
    "proxy": ("PIP_PROXY", "ALL_PROXY"),
    "default-timeout": ("PIP_DEFAULT_TIMEOUT", "UV_HTTP_TIMEOUT"),
    "timeout": ("PIP_DEFAULT_TIMEOUT", "UV_HTTP_TIMEOUT"),
}
"""Of pip's options, those that say from where; with pip's and uv's variable for each."""

COMMAS = frozenset({"UV_FIND_LINKS"})
"""pip's lists stand with blanks, and so do uv's, but for these."""


def environment(given: Mapping[str, str], pip: Path = PIP) -> dict[str, str]:
    """`given`, with what pip was told added for uv, and what uv was told for pip. What is there already stays."""
    env = {name: value for name, value in given.items() if value}
    if "UV_INDEX_URL" in env:  # its former name
        env.setdefault("UV_DEFAULT_INDEX", env.pop("UV_INDEX_URL"))
    for option, value in told(given, pip).items():
        ours, uvs = HANDED_ON[option]
        env.setdefault(ours, value)
        env.setdefault(uvs, ",".join(value.split()) if uvs in COMMAS else value)
    if "UV_DEFAULT_INDEX" in env:
        env.setdefault("PIP_INDEX_URL", _without_name(env["UV_DEFAULT_INDEX"]))
    return {**env, "PIP_CONFIG_FILE": os.devnull}


def told(given: Mapping[str, str], pip: Path = PIP) -> dict[str, str]:
    """What pip's files and variables say of where to download from; variables come first, as with pip."""
    command = [str(pip), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, env=dict(given), stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    found: dict[str, dict[str, str]] = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if option in HANDED_ON:
            found.setdefault(section, {})[option] = " ".join(str(ast.literal_eval(value)).split())
    return {**found.get("global", {}), **found.get("install", {}), **found.get(":env:", {})}


def _without_name(index: str) -> str:
    """An index may be called `name=url`."""
    name, _, url = index.partition("=")
    return url if url and "/" not in name else index


def main() -> None:
    command = sys.argv[1:]
    os.execvpe(command[0], command, environment(os.environ))  # noqa: S606 - what the Makefile says


if __name__ == "__main__":
    main()
