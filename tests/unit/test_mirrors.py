"""A mirror that only pip, or only uv, was told of: both download from it, and from nowhere else."""

import hashlib
import http.server
import io
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops import mirrors

ROOT = Path(__file__).parents[2]
WHEEL = "tiny-1.0-py3-none-any.whl"


def wheel() -> bytes:
    """The smallest package there is."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        files.writestr("tiny.py", "")
        files.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        files.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files.writestr("tiny-1.0.dist-info/RECORD", "")
    return packed.getvalue()


CONTENT = wheel()
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def mirror() -> Iterator[str]:
    """A registry on loopback that has one package."""

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(is_read=False)

        def do_GET(self) -> None:
            self._answer(is_read=True)

        def _answer(self, *, is_read: bool) -> None:
            page = f'<a href="/{WHEEL}#sha256={DIGEST}">{WHEEL}</a>'.encode()
            body = CONTENT if self.path.endswith(".whl") else page
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if is_read:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The Makefile with two environments that hold the one package."""
    for name in ("Makefile", "ops/shell", "ops/mirrors.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    for name in ("requirements/tools.txt", "requirements/test.txt", "layers/landing/requirements.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"tiny==1.0 --hash=sha256:{DIGEST}\n")
    return tmp_path


def by_pip_conf(home: Path, mirror: str) -> dict[str, str]:
    (home / ".config/pip").mkdir(parents=True)
    (home / ".config/pip/pip.conf").write_text(
        f"[global]\nindex-url = {mirror}\nuser = true\nno-binary = :all:\n[install]\ntarget = {home}/wrong\n"
    )
    return {"PIP_USER": "1", "PIP_PREFIX": "/nowhere"}


def by_uv(home: Path, mirror: str) -> dict[str, str]:
    home.mkdir()
    return {"UV_DEFAULT_INDEX": f"ours={mirror}"}


@pytest.mark.parametrize("told", [by_pip_conf, by_uv])
def test_both_installers_use_the_mirror_that_one_was_told_of(
    tree: Path, mirror: str, told: Callable[[Path, str], dict[str, str]]
) -> None:
    home = tree / "home"
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **told(home, mirror)}
    environment |= {"UV_CACHE_DIR": str(tree / "cache"), "HTTPS_PROXY": "http://127.0.0.1:9"}  # nothing else is reached
    uv = ROOT / ".venvs/tools/bin/uv"

    made = subprocess.run(
        ["make", ".venvs/test/.installed", f"UV={uv}", f"PYTHON={sys.executable}"],  # noqa: S607
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    installed = sorted(path.parts[-5] for path in tree.glob(".venvs/*/lib/python3.13/site-packages/tiny.py"))
    assert made.returncode == 0, made.stdout + made.stderr
    assert installed == ["test", "tools"]
    assert not (home / "wrong").exists()


@pytest.fixture
def pip_says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Stands for what `pip config list` finds in files and variables."""

    def says(**options: str) -> None:
        named = {name.replace("_", "-"): value for name, value in options.items()}
        monkeypatch.setattr(mirrors, "told", lambda *_: named)

    return says


def test_what_pip_needs_beside_a_mirror_is_handed_on_as_well(pip_says: Callable[..., None]) -> None:
    pip_says(
        index_url="https://mirror/simple", cert="/ca.pem", trusted_host="a b", proxy="http://p:1", find_links="/a /b"
    )

    env = mirrors.environment({})

    assert env == {
        "PIP_INDEX_URL": "https://mirror/simple",
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "PIP_CERT": "/ca.pem",
        "SSL_CERT_FILE": "/ca.pem",
        "PIP_TRUSTED_HOST": "a b",
        "UV_INSECURE_HOST": "a b",
        "PIP_PROXY": "http://p:1",
        "ALL_PROXY": "http://p:1",
        "PIP_FIND_LINKS": "/a /b",
        "UV_FIND_LINKS": "/a,/b",
        "PIP_CONFIG_FILE": os.devnull,
    }


def test_who_told_both_is_taken_at_their_word(pip_says: Callable[..., None]) -> None:
    pip_says(index_url="https://pips/simple")

    env = mirrors.environment({"UV_INDEX_URL": "https://uvs/simple"})

    assert (env["PIP_INDEX_URL"], env["UV_DEFAULT_INDEX"]) == ("https://pips/simple", "https://uvs/simple")
    assert "UV_INDEX_URL" not in env


def test_variables_of_pip_come_before_its_files(tmp_path: Path) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text("[global]\nindex-url = https://a/simple\ntimeout = 7\n[install]\nindex-url = https://b/simple\n")
    given = {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": str(conf)}

    by_file = mirrors.told(given)
    by_variable = mirrors.told({**given, "PIP_INDEX_URL": "https://c/simple"})

    assert (by_file["index-url"], by_file["timeout"]) == ("https://b/simple", "7")
    assert by_variable["index-url"] == "https://c/simple"
