"""The loginId and the requestId live in the memory of those who must have them, and nowhere else (P5)."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from landing.domain.connection import Status
from tests.world.service import Service, handler_module

FUNCTIONS = ("receive_login", "fetch_accounts", "show_connection", "resume_stalled")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that our functions and the libraries below them write to their logs, down to DEBUG."""
    buffer = io.StringIO()
    loggers = [handler_module(function).logger for function in FUNCTIONS]
    streams = [(logger.registered_handler, logger.registered_handler.stream) for logger in loggers]
    root, libraries = logging.getLogger(), logging.StreamHandler(buffer)
    level = root.level
    for handler, _ in streams:
        handler.stream = buffer  # `setStream` would flush the one before: perhaps a capture that ended with its test
    root.addHandler(libraries)
    root.setLevel(logging.DEBUG)
    yield buffer
    root.setLevel(level)
    root.removeHandler(libraries)
    for handler, stream in streams:
        handler.stream = stream


def spellings(secret: str) -> list[str]:
    bare = secret.replace("-", "")
    raw = bytes.fromhex(bare)
    encoded = [base64.b64encode(text).decode().rstrip("=") for text in (secret.encode(), bare.encode(), raw)]
    shifted = [base64.b64encode(b"x" * n + secret.encode())[4:-4].decode() for n in (1, 2)]
    return [secret, secret.upper(), bare, bare.upper(), repr(raw)[2:-1], secret[::-1], *encoded, *shifted]


def everything_kept(service: Service) -> str:
    """Tables, queues, objects with their metadata, and every parameter that AWS was ever sent except to KMS."""
    world = service.world
    sent = [call.parameters for call in world.calls if call.service not in ("kms", "secretsmanager")]
    queues = [message.body for queue in world.queues.values() for message in queue.messages]
    contexts = [call.parameters.get("EncryptionContext") for call in world.calls if call.service == "kms"]
    return repr((world.tables, queues, world.buckets, world.announced, sent, contexts))


FATES: list[dict[str, Any]] = [
    {},
    {"endpoint": "Authorize", "steps": [{"code": "INVALID_LOGIN"}]},
    {"endpoint": "Authorize", "steps": [{"fault": "reset", "times": 2}]},
    {"endpoint": "GetAccountsDetail", "steps": [{"code": "SESSION_NONEXISTENT"}]},
    {"endpoint": "GetAccountsDetail", "steps": [{"fault": "other_login"}]},
    {"endpoint": "GetAccountsDetail", "steps": [{"fault": "html", "status": 502}]},
]


@pytest.mark.parametrize("fate", FATES)
def test_no_secret_is_kept_or_written_whatever_flinks_answers(
    service: Service, written: io.StringIO, fate: dict[str, Any]
) -> None:
    if fate:
        service.script(**fate)
    login_id = service.connect_bank(pending={"polls": 1})
    connection_id = str(json.loads(service.post(login_id)["body"])["connectionId"])
    service.settle()
    service.get(connection_id)

    secrets = {login_id, *service.request_ids()}
    said, kept = written.getvalue(), everything_kept(service)
    assert connection_id in said, "the logs were not watched"
    assert connection_id in kept, "the stores were not watched"
    assert [s for secret in secrets for s in spellings(secret) if s in said] == []
    assert [s for secret in secrets for s in spellings(secret) if s in kept] == []


@pytest.mark.parametrize(
    ("aws", "operation"),
    [
        ("kms", "encrypt"),
        ("kms", "decrypt"),
        ("dynamodb", "update_item"),
        ("s3", "put_object"),
        ("sqs", "send_message"),
    ],
)
def test_no_secret_is_written_when_aws_fails(service: Service, written: io.StringIO, aws: str, operation: str) -> None:
    service.world.fail(aws, operation, "InternalError", 3)
    login_id = service.connect_bank(pending={"polls": 1})
    for _ in range(4):
        service.post(login_id)
    service.settle()

    said = written.getvalue()
    assert {row.status for row in service.rows()} == {Status.READY}
    assert "fetch ended" in said, "the logs were not watched"
    assert [s for secret in (login_id, *service.request_ids()) for s in spellings(secret) if s in said] == []
