"""`make build` and `make deploy`: one architecture everywhere, and one sentence for what would fail late."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.release import release_of
from ops.samconfig import read, role_of

ROOT = Path(__file__).parents[3]
NEEDED = [
    "JwtIssuer=https://login.example.com",
    "JwtAudience=a,b",
    "AllowedOrigins=https://app.example.com",
    "FlinksInstance=toolbox",
    "FlinksCustomerId=43387ca6-0391-4c82-857d-70d95f087ecb",
]
RECORDER = """#!/bin/bash
printf '%s\\n' "${LAMBDA_PLATFORM-}" "$@" >> "$0.log"
printf '\\n' >> "$0.log"
[ "$1" != build ] || { mkdir -p "$(dirname "$0")/built"; echo built > "$(dirname "$0")/built/template.yaml"; }
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="make deploy needs the stack's environment")

type Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def sam(tmp_path: Path) -> Path:
    """In place of sam: notes the layer's platform and its arguments."""
    path = tmp_path / "sam"
    path.write_text(RECORDER)
    path.chmod(0o755)
    return path


@pytest.fixture
def make(tmp_path: Path, sam: Path) -> Make:
    """Runs make in the repository with a samconfig.toml of these members; `overrides` are the deployment's."""

    def run(*arguments: str, stack: str = "small", overrides: list[str]) -> subprocess.CompletedProcess[str]:
        config = tmp_path / "samconfig.toml"
        config.write_text(
            f'[default.global.parameters]\nstack_name = "{stack}"\nregion = "ca-central-1"\n'
            f"[default.deploy.parameters]\nparameter_overrides = {json.dumps(overrides)}\n"
        )
        listed = tmp_path / "sbom.json"
        listed.touch()  # newer than what it lists: nothing is to be made
        command = [
            "make",
            "--no-print-directory",
            *arguments,
            f"SAM={sam}",
            f"SAMCONFIG={config}",
            f"BUILT={tmp_path / 'built'}",
            f"SBOM={listed}",
            f"PYTHON={sys.executable}",
        ]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    return run


def calls(sam: Path) -> list[list[str]]:
    log = sam.with_name("sam.log")
    return [call.split("\n") for call in log.read_text().strip().split("\n\n")] if log.exists() else []


@pytest.mark.parametrize(
    ("architecture", "platform"), [("arm64", "aarch64-manylinux_2_28"), ("x86_64", "x86_64-manylinux_2_28")]
)
def test_layer_and_template_are_built_and_deployed_for_one_architecture(
    make: Make, sam: Path, architecture: str, platform: str
) -> None:
    done = make("deploy", f"ARCHITECTURE={architecture}", overrides=[*NEEDED, "FlinksDemo=true"])

    (built_for, *build), (_, *deploy) = calls(sam)
    assert done.returncode == 0, done.stderr
    assert built_for == platform
    assert build[0] == "build"
    assert build[-2:] == ["--parameter-overrides", f"Architecture={architecture}"]
    assert deploy[0] == "deploy"
    assert deploy[-9:-1] == [
        "--parameter-overrides",
        *NEEDED,
        "FlinksDemo=true",
        f"Architecture={architecture}",
    ]


def test_what_was_built_is_deployed_under_the_release_of_it_and_of_every_parameter(make: Make, sam: Path) -> None:
    built = sam.with_name("built")

    for overrides in (["FlinksDemo=true"], ["FlinksDemo=true"], ["FlinksDemo=false"]):
        make("deploy", overrides=NEEDED + overrides)
    _, first, _, again, _, other = calls(sam)

    needed = dict(each.split("=", 1) for each in NEEDED)
    parameters = needed | {"FlinksDemo": "true", "Architecture": "arm64"}
    assert first[-1] == again[-1] == f"Release={release_of(built, parameters)}"
    assert other[-1] == f"Release={release_of(built, parameters | {'FlinksDemo': 'false'})}"
    assert first[first.index("--template-file") + 1] == str(built / "template.yaml")


def test_no_origin_at_all_reaches_sam_as_the_empty_text(make: Make, sam: Path) -> None:
    done = make("deploy", overrides=[*(each for each in NEEDED if "AllowedOrigins" not in each), "AllowedOrigins="])

    _, (_, *deploy) = calls(sam)
    given = deploy[deploy.index("--parameter-overrides") + 1 :]
    assert done.returncode == 0, done.stderr
    assert as_sam_reads(given)["AllowedOrigins"] == ""


def as_sam_reads(overrides: list[str]) -> dict[str, str]:
    """What the real sam makes of `--parameter-overrides`; skipped where it is not installed."""
    python = ROOT / ".venvs/sam/bin/python"
    if not python.exists():
        pytest.skip("no sam: run `make setup`")
    read = "import json, sys; from samcli.cli.types import CfnParameterOverridesType as Read;"
    read += "print(json.dumps(Read().convert(tuple(sys.argv[1:]), None, None)))"
    done = subprocess.run([python, "-c", read, *overrides], capture_output=True, text=True, check=True)
    parameters: dict[str, str] = json.loads(done.stdout)
    return parameters


def test_a_first_deployment_protects_the_table_only_once_it_has_succeeded(make: Make, sam: Path) -> None:
    done = make("deploy", "FIRST=yes", overrides=NEEDED)

    _, (_, *first), (_, *then) = calls(sam)
    assert done.returncode == 0, done.stderr
    assert first == [*then, "ProtectTable=false"]  # the same release, so that the second changes nothing else
    assert then[0] == "deploy"


def test_a_first_deployment_that_fails_is_not_deployed_again(make: Make, sam: Path) -> None:
    sam.write_text(sam.read_text() + "[[ $* != *ProtectTable=false* ]]\n")

    done = make("deploy", "FIRST=yes", overrides=NEEDED)

    assert done.returncode != 0
    assert len(calls(sam)) == 2


def test_cloudformation_acts_as_the_role_that_it_is_given(make: Make, sam: Path) -> None:
    role = "arn:aws:iam::123456789012:role/cloudformation"

    make("deploy", f"CLOUDFORMATION_ROLE={role}", overrides=NEEDED)
    make("deploy", overrides=NEEDED)
    _, (_, *given), _, (_, *not_given) = calls(sam)

    assert given[given.index("--role-arn") + 1] == role
    assert "--role-arn" not in not_given


def test_a_role_in_samconfig_is_cloudformation_s_when_a_stack_is_destroyed_too(tmp_path: Path) -> None:
    role = "arn:aws:iam::123456789012:role/cloudformation"
    config = tmp_path / "samconfig.toml"
    config.write_text(
        '[default.global.parameters]\nstack_name = "small"\nregion = "ca-central-1"\n'
        f'[default.deploy.parameters]\nrole_arn = "{role}"\n'
    )

    assert role_of(read(config, "default")) == role
    assert role_of({}) is None


def test_arm64_is_the_default_architecture(make: Make, sam: Path) -> None:
    make("build", overrides=[])

    ((platform, *_),) = calls(sam)
    assert platform == "aarch64-manylinux_2_28"


@pytest.mark.parametrize(
    ("stack", "overrides", "arguments", "sentence"),
    [
        (
            "small",
            ["JwtIssuer=FILL-IN"],
            [],
            "JwtIssuer. Answer there, or in answers.toml beside it, which is kept out of version control.",
        ),
        (
            "small",
            ["Architecture=x86_64"],
            [],
            "samconfig.toml says Architecture=x86_64, make says ARCHITECTURE=arm64.",
        ),
        (
            "small",
            ["Release=0123456789"],
            [],
            "samconfig.toml says Release; make deploy derives it from what is deployed.",
        ),
        ("small", ["PolSeconds=5"], [], "Nothing was built: the template refuses these parameters."),
        ("small", NEEDED, ["ARCHITECTURE=arm"], "Nothing was built: the template refuses these parameters."),
        ("", [], [], "has no configuration default with a stack_name and a region."),
    ],
)
def test_what_would_fail_late_is_refused_before_anything_is_done(
    make: Make, sam: Path, stack: str, overrides: list[str], arguments: list[str], sentence: str
) -> None:
    done = make("deploy", *arguments, stack=stack, overrides=overrides)

    first = done.stderr.splitlines()[0]
    assert done.returncode != 0
    assert first.endswith(sentence)
    assert calls(sam) == []


def test_a_build_for_no_architecture_of_lambda_is_refused(make: Make, sam: Path) -> None:
    done = make("build", "ARCHITECTURE=arm", overrides=[])

    assert done.stderr.splitlines()[0] == "ARCHITECTURE=arm is none of Lambda's: arm64 or x86_64."
    assert calls(sam) == []


def test_the_longest_name_that_cloudformation_takes_is_taken(make: Make, sam: Path) -> None:
    done = make("deploy", stack="s" * 128, overrides=NEEDED)

    assert done.returncode == 0, done.stderr
    assert len(calls(sam)) == 2
