"""A release reaches every function: which deployments publish new versions, told by what SAM's translator makes."""

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from ops.release import NotBuilt, release_of
from tests.processed_template import ROOT, made_by_sam, source

PARAMETERS = {
    "Architecture": "arm64",
    "JwtIssuer": "https://issuer.example.com",
    "JwtAudience": "app",
    "AllowedOrigins": "https://app.example.com",
    "FlinksInstance": "toolbox",
    "FlinksCustomerId": "00000000-0000-0000-0000-000000000000",
}
OTHER_VALUES = {
    "Architecture": "x86_64",
    "PollSeconds": "13",
    "FlinksInstance": "other",
    "AllowedOrigins": "https://other.example.com",
}
CODE = {
    name: folder
    for name, resource in source()["Resources"].items()
    for member in ("CodeUri", "ContentUri")
    if (folder := resource["Properties"].get(member))
}

type Change = Callable[[Path], object]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What a build leaves: a folder for each resource with code, and the template."""
    folder = tmp_path / "built"
    for name, code in CODE.items():
        shutil.copytree(ROOT / code, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", folder)
    return folder


def versions(built: Path, **parameters: str) -> set[str]:
    """The logical ids of the versions of a deployment; another id is another version."""
    given = PARAMETERS | parameters

    def packaged_as(name: str) -> str:
        """`sam package` names an archive after what is in it."""
        files = sorted(path for path in (built / name).rglob("*") if path.is_file())
        return "s3://bucket/" + sha256(b"".join(path.read_bytes() for path in files)).hexdigest()

    made = made_by_sam(packaged_as, **given, Release=release_of(built, given))
    return {name for name, resource in made["Resources"].items() if resource["Type"] == "AWS::Lambda::Version"}


def test_the_same_input_publishes_nothing_wherever_and_whenever_it_was_built(built: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(built, elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (0, 0))

    assert versions(elsewhere) == versions(built)
    assert len(versions(built)) == len(CODE) - 1  # all but the layer


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda built: add(built / "FetchAccountsFunction/app.py"), id="the code of one function"),
        pytest.param(lambda built: add(built / "LandingLayer/landing/settings.py"), id="the layer"),
        pytest.param(lambda built: add(built / "LandingLayer/requirements.txt"), id="what the layer brings along"),
        pytest.param(lambda built: add(built / "template.yaml"), id="the template"),
        pytest.param(lambda built: (built / "LandingLayer/landing/new.py").touch(), id="an empty file more"),
        pytest.param(lambda built: (built / "LandingLayer/landing/wiring.py").unlink(), id="a file less"),
    ],
)
def test_whatever_changes_in_what_was_built_is_a_new_version_of_every_function(built: Path, change: Change) -> None:
    before = versions(built)

    change(built)

    assert versions(built).isdisjoint(before)


@pytest.mark.parametrize("parameter", sorted(OTHER_VALUES))
def test_another_parameter_is_a_new_version_of_every_function(built: Path, parameter: str) -> None:
    before = versions(built)

    after = versions(built, **{parameter: OTHER_VALUES[parameter]})

    assert after.isdisjoint(before)


def test_each_parameter_counts(built: Path) -> None:
    others = source()["Parameters"].keys() - {"Release"}

    releases = {release_of(built, PARAMETERS | {parameter: "other"}) for parameter in others}

    assert len(releases - {release_of(built, PARAMETERS)}) == len(others)


def test_a_new_version_is_of_a_function_that_differs_or_lambda_would_refuse_to_publish_it(built: Path) -> None:
    def functions(level: str) -> dict[str, object]:
        release = release_of(built, PARAMETERS | {"LogLevel": level})
        made = made_by_sam(LogLevel=level, Release=release)["Resources"]
        return {n: r["Properties"] for n, r in made.items() if r["Type"] == "AWS::Lambda::Function"}

    before, after = functions("INFO"), functions("ERROR")

    assert [name for name in before if before[name] == after[name]] == []


def test_what_was_not_built_has_no_release(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match="run `make build` first"):
        release_of(tmp_path, PARAMETERS)


def add(file: Path) -> None:
    file.write_text(file.read_text() + "\n# changed\n")
