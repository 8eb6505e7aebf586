"""What `sam build` puts into the layer, made by the layer's own Makefile."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HERE = f"{platform.machine()}-manylinux_2_28"
UNCHECKED_HASH = 1  # PEP 552, the flags after the magic number

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="what is built for Lambda is imported here")


def make(into: Path, lambda_platform: str = HERE) -> subprocess.CompletedProcess[str]:
    """Build as sam does: in a copy of the folder, far from the repository."""
    copy = into / "source"
    shutil.copytree(ROOT / "layers/landing", copy)
    return subprocess.run(
        [  # noqa: S607 - which make is the machine's business
            "make",
            "build-LandingLayer",
            f"ARTIFACTS_DIR={into / 'layer'}",
            f"LAMBDA_PLATFORM={lambda_platform}",
            f"UV={ROOT / '.venvs/tools/bin/uv'}",
            f"PYTHON={ROOT / '.venvs/lambda/bin/python'}",
        ],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("layer")
    run = make(into)
    assert run.returncode == 0, run.stdout + run.stderr
    return into / "layer/python"


def test_what_the_package_imports_is_there_or_the_runtime_s_own(layer: Path) -> None:
    sources = (path.relative_to(layer) for path in layer.glob("landing/**/*.py"))
    modules = [".".join(path.with_suffix("").parts) for path in sources if path.stem != "__init__"]

    run = subprocess.run(
        [ROOT / ".venvs/lambda/bin/python", "-c", f"import {', '.join(modules)}"],
        env={"PYTHONPATH": str(layer)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr


def test_bytecode_is_valid_whatever_time_an_archive_gives_its_source(layer: Path) -> None:
    compiled = list(layer.rglob("*.pyc"))

    assert len(compiled) == len(list(layer.rglob("*.py")))
    assert {int.from_bytes(path.read_bytes()[4:8], "little") for path in compiled} == {UNCHECKED_HASH}


def test_the_layer_brings_no_boto3_and_no_scripts(layer: Path) -> None:
    top = {path.name for path in layer.iterdir()}

    assert top & {"boto3", "botocore", "bin", ".lock"} == set()


def test_a_platform_that_lambda_does_not_have_is_refused_in_a_sentence(tmp_path: Path) -> None:
    run = make(tmp_path, "aarch64-apple-darwin")

    assert run.returncode == 2
    assert "LAMBDA_PLATFORM=aarch64-apple-darwin is not a Lambda platform" in run.stderr
