"""`make audit` says what is known against our packages, and says so when it could not ask."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops import audit

FILE = "boto3==1.44.5 \\\n    --hash=sha256:aa\nruamel_yaml==1.0 ; python_version < '4' \\\n    --hash=sha256:bb\n"
CLEAN = [{"name": "boto3", "version": "1.44.5", "vulns": []}, {"name": "ruamel.yaml", "version": "1.0", "vulns": []}]


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    file = tmp_path / "test.txt"
    file.write_text(FILE)
    return file


def pip_audit(folder: Path, told: Any, code: int = 0) -> str:
    """A pip-audit that says this."""
    script = folder / "pip-audit"
    script.write_text(
        f"#!/bin/sh\ncat <<'END'\n{told if isinstance(told, str) else json.dumps(told)}\nEND\nexit {code}\n"
    )
    script.chmod(0o755)
    return str(script)


def test_where_nothing_is_known_it_says_so(
    tmp_path: Path, requirements: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = audit.main(pip_audit(tmp_path, {"dependencies": CLEAN}), [str(requirements)])

    assert code == 0
    assert "nothing is known against its 2 packages" in capsys.readouterr().out


def test_what_is_known_is_told_and_fails(
    tmp_path: Path, requirements: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {**CLEAN[0], "vulns": [{"id": "PYSEC-2026-1"}]}

    code = audit.main(pip_audit(tmp_path, {"dependencies": [bad, CLEAN[1]]}, 1), [str(requirements)])

    assert code == 1
    assert "boto3 1.44.5: PYSEC-2026-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "told",
    [
        "",
        "ERROR: no network",
        {"dependencies": []},
        {"dependencies": [CLEAN[0], {"name": "ruamel-yaml", "skip_reason": "not on the index"}]},
    ],
)
def test_what_could_not_be_asked_is_not_called_clean(
    tmp_path: Path, requirements: Path, capsys: pytest.CaptureFixture[str], told: Any
) -> None:
    code = audit.main(pip_audit(tmp_path, told), [str(requirements)])

    assert code == 3
    assert "could not be asked about" in capsys.readouterr().out
