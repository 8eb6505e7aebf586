"""POST /connections, through the real handler."""

import base64
import json
from datetime import timedelta

import pytest

from landing import wiring
from landing.domain.connection import Status
from tests.world.service import Service

LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
CHEQUING = "d2740b9c-61fe-4a3d-f0c8-08de7a41ca07"
SAVINGS = "5c03e8a1-7b46-4d1f-f0c9-08de7a41ca07"


def posted(service: Service, login_id: str = LOGIN_ID, owner: str = "alice", **members: object) -> str:
    return str(json.loads(service.post(login_id, owner, **members)["body"])["connectionId"])


def test_a_login_is_accepted_and_kept_sealed(service: Service) -> None:
    answer = service.post(LOGIN_ID, institution="FlinksCapital")

    body = json.loads(answer["body"])
    row = service.row(body["connectionId"])
    assert answer["statusCode"] == 202
    assert answer["headers"]["Location"] == f"/connections/{body['connectionId']}"
    assert (body["status"], body["action"], body["institution"]) == ("processing", "wait", "FlinksCapital")
    assert answer["headers"]["Retry-After"] == "2"
    assert (row.status, row.generation, row.attempt) == (Status.RECEIVED, 1, 0)
    assert LOGIN_ID.encode() not in repr(service.world.tables).encode()


def test_every_spelling_of_a_login_is_one_connection_per_owner(service: Service) -> None:
    first = posted(service)

    assert posted(service, LOGIN_ID.upper()) == first
    assert posted(service, owner="bob") != first
    assert len(service.world.tables["connections"].items) == 2


def test_a_post_again_while_it_is_received_writes_nothing(service: Service) -> None:
    connection_id = posted(service)
    before = service.row(connection_id)

    service.world.clock.advance(5)
    posted(service)

    assert service.row(connection_id) == before


def test_other_accounts_are_stored_before_anyone_asked_flinks(service: Service) -> None:
    connection_id = posted(service, accountIds=[CHEQUING])

    posted(service, accountIds=[SAVINGS])

    row = service.row(connection_id)
    assert (row.account_ids, row.generation) == ((SAVINGS,), 1)


def test_a_first_post_that_comes_second_overwrites_nothing(service: Service) -> None:
    login_id = service.connect_bank()

    def another_post_that_is_fetched_at_once() -> None:
        connection_id = posted(service, login_id)
        wiring.fetcher().fetch(service.row(connection_id).hint)

    put = 5  # GenerateMac, GetItem, Encrypt, the counter of the hour, PutItem
    service.world.interrupt(put, "before", another_post_that_is_fetched_at_once)

    answer = service.post(login_id)

    (row,) = service.rows()
    assert answer["statusCode"] == 202
    assert service.world.counts()["dynamodb.put_item"] == 2
    assert (row.status, row.attempt) == (Status.READY, 1)


@pytest.mark.parametrize(
    ("aws", "operation", "code"),
    [
        ("kms", "generate_mac", "ThrottlingException"),
        ("kms", "encrypt", "DisabledException"),
        ("dynamodb", "get_item", "ProvisionedThroughputExceededException"),
        ("dynamodb", "put_item", "InternalServerError"),
    ],
)
def test_when_aws_cannot_serve_the_caller_may_try_again_and_nothing_is_half_written(
    service: Service, aws: str, operation: str, code: str
) -> None:
    service.world.fail(aws, operation, code)

    refused = service.post(LOGIN_ID)
    again = service.post(LOGIN_ID)

    assert refused["statusCode"] == 503
    assert refused["headers"]["Retry-After"] == "2"
    assert json.loads(refused["body"])["type"] == "urn:flinks-landing:problem:unavailable"
    assert again["statusCode"] == 202


def test_a_write_whose_answer_got_lost_is_found_by_the_next_post(service: Service) -> None:
    service.world.fail("dynamodb", "put_item", "Timeout", effect=True)

    lost = service.post(LOGIN_ID)
    again = service.post(LOGIN_ID)

    assert (lost["statusCode"], again["statusCode"]) == (503, 202)
    assert len(service.world.tables["connections"].items) == 1


GOOD = f'{{"loginId": "{LOGIN_ID}"}}'


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ("", 400, "malformed-json"),
        ("{", 400, "malformed-json"),
        ("nonsense", 400, "malformed-json"),
        ("{}", 422, "invalid-body"),
        ("[]", 422, "invalid-body"),
        ('"text"', 422, "invalid-body"),
        ("null", 422, "invalid-body"),
        ("1e999", 422, "invalid-body"),
        ("NaN", 400, "malformed-json"),
        ('{"loginId": Infinity}', 400, "malformed-json"),
        ("1" * 5000, 400, "malformed-json"),
        ("[" * 4000, 400, "malformed-json"),
        ('{"a":' * 40 + "1" + "}" * 40, 400, "malformed-json"),
        ('{"institution": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}', 422, "invalid-body"),
        ('{"loginId": "\\ud800"}', 400, "malformed-json"),
        ('{"loginId": "\ufffd"}', 400, "malformed-json"),
        (f'{{"loginId": "{LOGIN_ID}", "loginId": "{LOGIN_ID}"}}', 400, "malformed-json"),
        (f'{{"loginId": "{LOGIN_ID}", "login_id": "{LOGIN_ID}"}}', 422, "invalid-body"),
        (f'{{"login_id": "{LOGIN_ID}"}}', 422, "invalid-body"),
        (f'{{"loginId": ["{LOGIN_ID}"]}}', 422, "invalid-body"),
        ('{"loginId": 17}', 422, "invalid-body"),
        ('{"loginId": null}', 422, "invalid-body"),
        (f'{{"loginId": " {LOGIN_ID}"}}', 422, "invalid-body"),
        (f'{{"loginId": "{LOGIN_ID}\\n"}}', 422, "invalid-body"),
        (f'{{"loginId": "{{{LOGIN_ID}}}"}}', 422, "invalid-body"),
        (f'{{"loginId": "urn:uuid:{LOGIN_ID}"}}', 422, "invalid-body"),
        (f'{{"loginId": "{LOGIN_ID.replace("-", "")}"}}', 422, "invalid-body"),
        ('{"loginId": "\uff13f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"}', 422, "invalid-body"),
        (GOOD[:-1] + ', "institution": ["RBC"]}', 422, "invalid-body"),
        (GOOD[:-1] + ', "language": "fr-CA"}', 422, "invalid-body"),
        (GOOD[:-1] + ', "daysOfTransactions": 180}', 422, "invalid-body"),
        (GOOD[:-1] + ', "daysOfTransactions": "90"}', 422, "invalid-body"),
        (GOOD[:-1] + ', "daysOfTransactions": true}', 422, "invalid-body"),
        (GOOD[:-1] + ', "accountIds": []}', 422, "invalid-body"),
        (GOOD[:-1] + ', "accountIds": ["x"]}', 422, "invalid-body"),
        (GOOD[:-1] + f', "accountIds": ["{CHEQUING}", "{CHEQUING.upper()}"]}}', 422, "invalid-body"),
        (GOOD + " " * 8192, 413, "body-too-large"),
        (GOOD + "x", 400, "malformed-json"),
        ("\ufeff" + GOOD, 400, "malformed-json"),
    ],
)
def test_a_bad_body_is_refused_before_anything_is_written(
    service: Service, body: str, status: int, problem: str
) -> None:
    answer = service.post_raw(body)

    assert answer["statusCode"] == status
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert json.loads(answer["body"])["type"] == f"urn:flinks-landing:problem:{problem}"
    assert LOGIN_ID not in answer["body"]
    assert not service.world.calls


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"headers": {}}, 415),
        ({"headers": {"content-type": "text/json"}}, 415),
        ({"headers": {"content-type": "application/json; charset=latin-1"}}, 415),
        ({"headers": {"content-type": 'application/json; charset="utf-8'}}, 415),
        ({"headers": {"content-type": "application/json;charset=UTF-8"}}, 202),
        ({"headers": {"content-type": "application/json, application/json"}}, 415),
        ({"isBase64Encoded": True, "body": base64.b64encode(GOOD.encode()).decode()}, 202),
        ({"isBase64Encoded": True, "body": "%%" + base64.b64encode(GOOD.encode()).decode()}, 400),
        ({"isBase64Encoded": True, "body": base64.b64encode(b'{"loginId": "\xff"}').decode()}, 400),
        ({"requestContext": {"requestId": "r", "authorizer": {"jwt": {"claims": {}}}}}, 403),
        ({"requestContext": {"requestId": "r", "authorizer": {"jwt": {"claims": {"sub": "x" * 257}}}}}, 403),
    ],
)
def test_what_stands_around_the_body_counts_too(service: Service, event: dict[str, object], status: int) -> None:
    answer = service.post_raw(**{"body": GOOD, **event})  # type: ignore[arg-type]  # an event is made of anything

    assert answer["statusCode"] == status


def test_a_ready_connection_is_fetched_anew_by_a_later_post(service: Service) -> None:
    login_id = service.connect_bank()
    connection_id = posted(service, login_id)
    service.settle()

    service.world.clock.advance(timedelta(seconds=61).total_seconds())
    posted(service, login_id)
    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.generation) == (Status.READY, 2)
    assert len(service.drops()) == 2
