"""POST /connections, through the real handler."""

import json

import pytest

from landing.connection import Status
from tests.world.service import Service

LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"


def test_a_login_is_accepted_and_kept_sealed(service: Service) -> None:
    answer = service.post(LOGIN_ID, institution="FlinksCapital")

    body = json.loads(answer["body"])
    row = service.row(body["connectionId"])
    assert answer["statusCode"] == 202
    assert answer["headers"]["Location"] == f"/connections/{body['connectionId']}"
    assert (body["status"], body["action"], body["institution"]) == ("processing", "wait", "FlinksCapital")
    assert row.status is Status.RECEIVED
    assert LOGIN_ID.encode() not in repr(service.world.tables).encode()
