"""`make build`, `make deploy` and `make destroy`: what samconfig.toml says, by way of SAM.

One program rather than recipes: macOS has a make and a bash too old for them.
"""

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ops import destroy, mirrors, samconfig
from ops.preflight import mistakes, template_in
from ops.release import release_of
from ops.target import ROOT, Refused

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""What Lambda calls an architecture, and what wheels do."""


@dataclass(frozen=True)
class Deployment:
    """A configuration of samconfig.toml, to be built for one architecture and deployed."""

    config: str
    file: Path
    architecture: str
    sam: Path
    built: Path
    role: str | None = None
    """What CloudFormation acts as; None leaves it to samconfig.toml, and then to whoever deploys."""

    def build(self) -> None:
        """Functions and layer, into `built`. Raises Refused, CalledProcessError."""
        if self.architecture not in MACHINES:
            raise Refused(f"ARCHITECTURE={self.architecture} is none of Lambda's: arm64 or x86_64.")
        tools = ROOT / ".venvs/tools/bin"
        environment = mirrors.environment(os.environ) | {
            "LAMBDA_PLATFORM": f"{MACHINES[self.architecture]}-manylinux_2_28",
            "UV": str(tools / "uv"),
            "PYTHON": str(tools / "python"),
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        }
        self._sam(
            ["build", "--build-dir", str(self.built)], [f"Architecture={self.architecture}"], environment=environment
        )

    def deploy(self, *, first: bool) -> None:
        """Create the stack or bring it up to date. Raises Refused, CalledProcessError.

        first: without protection of the table until all has succeeded, so that a failure can be rolled back whole.
        """
        parameters = self.parameters()
        self.build()
        release = release_of(self.built, dict(each.split("=", 1) for each in parameters))
        given = [*map(_as_sam_reads, parameters), f"Release={release}"]
        to_deploy = ["deploy", "--template-file", str(self.built / "template.yaml")]
        to_deploy += ["--role-arn", self.role] if self.role else []
        for more in [["ProtectTable=false"], []] if first else [[]]:
            self._sam(to_deploy, given + more, environment=os.environ)

    def parameters(self) -> list[str]:
        """Every `Name=value` of the deployment but its release. Raises Refused for what the template refuses."""
        found = samconfig.read(self.file, self.config)
        parameters = samconfig.parameters_of(found, self.architecture, samconfig.answers(self.file, self.config))
        if wrong := mistakes(template_in(ROOT / "template.yaml"), dict(each.split("=", 1) for each in parameters)):
            raise Refused("\n".join(["Nothing was built: the template refuses these parameters.", *wrong]))
        return parameters

    def destroy(self, confirm: str | None) -> None:
        """Remove the stack and all its data. Raises Refused, ClientError, WaiterError."""
        found = samconfig.read(self.file, self.config)
        destroy.asking(*samconfig.stack_of(found), confirm, self.role or samconfig.role_of(found))

    def _sam(self, command: list[str], parameters: list[str], environment: "dict[str, str] | os._Environ[str]") -> None:
        configuration = ["--config-file", str(self.file.absolute()), "--config-env", self.config]
        subprocess.run(  # noqa: S603 - sam, with parameters that were checked
            [self.sam, *command[:1], *configuration, *command[1:], "--parameter-overrides", *parameters],
            env=environment,
            check=True,
        )


def _as_sam_reads(parameter: str) -> str:
    """An empty value with quotes: without them `sam` refuses the whole list."""
    return f'{parameter}""' if parameter.endswith("=") else parameter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["build", "deploy", "destroy"])
    parser.add_argument("--config", default="default", help="the configuration in samconfig.toml: default, prod")
    parser.add_argument("--file", type=Path, default=Path("samconfig.toml"))
    parser.add_argument("--architecture", default="arm64")
    parser.add_argument("--sam", type=Path, default=ROOT / ".venvs/sam/bin/sam")
    parser.add_argument("--built", type=Path, default=Path(".aws-sam/build"))
    parser.add_argument("--role", metavar="ARN", help="of a role that CloudFormation acts as")
    parser.add_argument("--first", action="store_true", help="deploy for the first time")
    parser.add_argument("--confirm", metavar="NAME", help="destroy: the stack's name, where nobody can be asked")
    asked = parser.parse_args()
    deployment = Deployment(asked.config, asked.file, asked.architecture, asked.sam, asked.built, asked.role)
    try:
        if asked.verb == "build":
            deployment.build()
        elif asked.verb == "deploy":
            deployment.deploy(first=asked.first)
        else:
            deployment.destroy(asked.confirm)
    except Refused as refusal:
        sys.exit(str(refusal))
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)  # sam has said why


if __name__ == "__main__":
    main()
