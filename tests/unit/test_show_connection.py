"""GET /connections and GET /connections/{connectionId}, through the real handler."""

import json
from dataclasses import replace
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from landing.domain.connection import Action, Status
from landing.domain.reasons import Reason
from landing.edge import web
from landing.error_names import Crash, crashing_by_name
from landing.stores.connection_row import to_item
from tests.world.service import TABLE, Service, http_event

LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
NOBODYS = "con_" + "a" * 26


def posted(service: Service, owner: str = "alice", login_id: str = LOGIN_ID) -> str:
    return str(json.loads(service.post(login_id, owner)["body"])["connectionId"])


def listed(service: Service, owner: str = "alice", **query: str) -> dict[str, Any]:
    return service.call("show_connection", http_event("GET /connections", owner, queryStringParameters=query))


def many(service: Service, count: int, owner: str = "alice") -> list[str]:
    """So many connections, oldest first."""
    made = []
    for number in range(count):
        made.append(posted(service, owner, f"{number:08d}{LOGIN_ID[8:]}"))
        service.world.clock.advance(1)
    return made


def test_a_connection_that_is_worked_on_says_when_to_look_again(service: Service) -> None:
    connection_id = posted(service)

    shown = service.get(connection_id)

    body = json.loads(shown["body"])
    assert (body["status"], body["action"], body["reason"]) == ("processing", "wait", None)
    assert body["message"]["en"] == "Your accounts are being collected. There is nothing for you to do."
    assert shown["headers"]["Retry-After"] == "2"
    assert shown["headers"]["Cache-Control"] == "no-store"


def test_a_person_who_must_connect_again_is_told_so_in_both_languages(service: Service) -> None:
    connection_id = posted(service)  # a login that this Flinks does not know
    service.settle()

    shown = service.get(connection_id)

    body = json.loads(shown["body"])
    assert (body["status"], body["reason"]) == ("action_required", "login_unknown_at_flinks")
    assert body["action"] == "reconnect"
    assert body["message"]["en"] == "This connection to your bank has ended. Please connect again."
    assert body["message"]["fr"] == "Cette connexion à votre banque a pris fin. Veuillez vous reconnecter."
    assert "Retry-After" not in shown["headers"]


def test_why_an_erasure_takes_its_time_is_not_the_persons_affair(service: Service) -> None:
    row = service.row(posted(service))

    shown = web.shown(replace(row, status=Status.DELETING, reason=Reason.LOGIN_BUSY_AT_FLINKS, action=Action.NONE))

    assert (shown["status"], shown["reason"], shown["action"]) == ("deleting", None, "none")
    assert shown["message"]["en"] == "This connection is being erased."


def test_a_reason_that_another_release_wrote_is_shown_as_it_stands(service: Service) -> None:
    connection_id = posted(service)
    row = replace(service.row(connection_id), status=Status.FAILED, reason=Reason("word_to_come"))
    service.world.dynamodb.put_item(TableName=TABLE, Item=to_item(row))

    body = json.loads(service.get(connection_id)["body"])

    assert (body["status"], body["reason"]) == ("failed", "word_to_come")
    assert body["message"]["en"].startswith("Your accounts could not be collected.")


def test_two_owners_of_one_login_cannot_tell_that_the_other_exists(service: Service) -> None:
    alices, bobs = posted(service, "alice"), posted(service, "bob")

    theirs, nobodys = service.get(alices, "bob"), service.get(NOBODYS, "bob")

    assert theirs == nobodys
    assert theirs["statusCode"] == 404
    assert [each["connectionId"] for each in json.loads(listed(service, "alice")["body"])["connections"]] == [alices]
    assert [each["connectionId"] for each in json.loads(listed(service, "bob")["body"])["connections"]] == [bobs]


@pytest.mark.parametrize(
    "connection_id",
    [
        "",
        "con_",
        "x" * 5000,
        NOBODYS.upper(),
        NOBODYS + "\n",
        "con_" + "1" * 26,
        "con_" + "\u0430" * 26,
        "\ud800",
        LOGIN_ID,
    ],
)
def test_a_malformed_connection_id_is_not_found_without_asking_the_table(service: Service, connection_id: str) -> None:
    answer = service.get(connection_id)

    assert answer["statusCode"] == 404
    assert answer == service.get(NOBODYS)
    assert service.world.counts() == {"dynamodb.get_item": 1}


def test_a_list_comes_newest_first_and_in_pages(service: Service) -> None:
    made = many(service, 5)

    seen, query = [], {"limit": "2"}
    while query:
        page = json.loads(listed(service, **query)["body"])
        assert len(page["connections"]) <= 2
        seen += [each["connectionId"] for each in page["connections"]]
        query = {"limit": "2", "nextToken": page["nextToken"]} if "nextToken" in page else {}

    assert seen == made[::-1]


def test_a_made_up_token_is_a_place_in_the_callers_own_list(service: Service) -> None:
    many(service, 2, "alice")
    [bobs] = many(service, 1, "bob")
    of_alice = json.loads(listed(service, "alice", limit="1")["body"])["nextToken"]

    with_hers = json.loads(listed(service, "bob", nextToken=of_alice)["body"])
    from_the_end = json.loads(listed(service, "bob", nextToken=f"9999999999999.{NOBODYS}")["body"])

    assert {each["connectionId"] for each in with_hers["connections"]} <= {bobs}
    assert [each["connectionId"] for each in from_the_end["connections"]] == [bobs]


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": limit} for limit in ("", "0", "-1", "101", "1000", "1.0", "1e1", " 1", "1 ", "0x1", "01", "1,2")),
        *({"limit": limit} for limit in ("\u0661", "1\u0661", "\u00b2", "null", "NaN", "9" * 5000)),
        *({"nextToken": token} for token in ("", "x", "W10=", "." * 5000, f"123.{NOBODYS}", f"{'1' * 14}.{NOBODYS}")),
        *({"nextToken": token} for token in (f"{'1' * 13}.con_", f"{'1' * 13}.{NOBODYS}\n", f"{'1' * 12}-.{NOBODYS}")),
        {"nextToken": f"{'1' * 13}.{NOBODYS},{'1' * 13}.{NOBODYS}"},
        {"nextToken": f"{'\u0661' * 13}.{NOBODYS}"},
    ],
)
def test_a_malformed_limit_or_page_token_is_refused_without_asking_the_table(
    service: Service, query: dict[str, str]
) -> None:
    answer = listed(service, **query)

    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["type"] == "urn:flinks-landing:problem:bad-page"
    assert not service.world.calls


def test_unknown_query_parameters_are_ignored(service: Service) -> None:
    assert listed(service, utm_source="mail")["statusCode"] == 200


@pytest.mark.parametrize("operation", ["get_item", "query"])
def test_when_the_table_cannot_serve_the_caller_may_try_again(service: Service, operation: str) -> None:
    service.world.fail("dynamodb", operation, "ProvisionedThroughputExceededException")

    refused = service.get(NOBODYS) if operation == "get_item" else listed(service)

    assert (refused["statusCode"], refused["headers"]["Retry-After"]) == (503, "2")


@pytest.mark.parametrize("sub", [None, "", "x" * 257, "a\ud800b", 17])
def test_a_token_without_a_subject_that_can_be_kept_sees_nothing(service: Service, sub: Any) -> None:
    claims = {} if sub is None else {"sub": sub}
    event = http_event("GET /connections", "alice")
    event["requestContext"]["authorizer"]["jwt"]["claims"] = claims

    answer = service.call("show_connection", event)

    assert answer["statusCode"] == 403
    assert not service.world.calls


def test_a_crash_is_named_by_type_and_line_without_the_librarys_message() -> None:
    def broken(_: web.Event) -> web.Reply:
        raise ValueError(LOGIN_ID)

    with pytest.raises(Crash) as crash:
        crashing_by_name(web.answer)(http_event("GET /connections", "alice"), broken, Logger())

    assert str(crash.value).startswith("ValueError at web.py:")
    assert crash.value.__suppress_context__
