"""The local stack is nobody's AWS account: what the person's AWS configuration says is no matter of it."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.target import Target


@pytest.fixture
def description(tmp_path: Path) -> Iterator[Path]:
    """What `make up` wrote, with somebody listening where it says."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        keys = {"accessKeyId": "LOCAL", "secretAccessKey": "local"}
        path = tmp_path / "stack.json"
        path.write_text(json.dumps({"awsEndpointUrl": url, "region": "ca-central-1", "credentials": keys}))
        yield path


@pytest.mark.parametrize("theirs", [{"AWS_PROFILE": "unknown"}, {"AWS_CONFIG_FILE": "broken"}], ids=str)
def test_the_local_stack_is_reached_whatever_aws_is_configured_like(
    description: Path, monkeypatch: pytest.MonkeyPatch, theirs: dict[str, str]
) -> None:
    broken = description.with_name("broken")
    broken.write_text("no section\n[profile")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", *theirs):
        monkeypatch.setenv(name, str(broken) if theirs.get(name) == "broken" else theirs.get(name, "/nowhere"))

    client = Target.up(description).client("dynamodb")

    assert client.meta.endpoint_url == json.loads(description.read_text())["awsEndpointUrl"]
