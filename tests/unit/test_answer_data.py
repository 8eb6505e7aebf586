"""What is odd in account data, but data, lies in the drop as Flinks wrote it."""

import gzip
import json
from typing import Any

import pytest

from landing.domain.connection import Status, timestamp
from landing.flinks.account_data import OURS
from local.flinks import faults
from local.flinks.connect import Connect
from local.flinks.control import Control
from local.flinks.reply import Reply
from tests.world.service import BUCKET, Service

DATA = "GetAccountsDetail"

ODD_BUT_DATA = [
    "ok",
    "unknown_members",
    "holder_as_string",
    "no_transactions",
    "odd_dates",
    "debit_and_credit",
    "zero_for_null",
    "numbers_as_strings",
    "wide_number",
    "zero_accounts",
    "bom",
]


@pytest.mark.parametrize("fault", ODD_BUT_DATA)
def test_odd_data_is_stored_as_flinks_wrote_it(service: Service, fault: str) -> None:
    service.script(endpoint=DATA, steps=[{"fault": fault}])
    login_id = service.connect_bank("never_refreshed", tag="client=40817")

    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    service.settle()

    whole = Reply(200, data_of(service, login_id))
    said = faults.apply({"fault": fault}, lambda: whole).body
    kept = numbers_as_written(drop(service, connection_id))
    del kept[OURS]
    assert kept == stripped(numbers_as_written(said.decode("utf-8-sig")))


def test_the_drop_says_whose_it_is_in_the_words_of_the_row(service: Service) -> None:
    login_id = service.connect_bank("never_refreshed")

    connection_id = json.loads(service.post(login_id, institution="FlinksCapital")["body"])["connectionId"]
    service.settle()

    row = service.row(connection_id)
    said = json.loads(drop(service, connection_id))[OURS]
    fetched_at = said.pop("fetchedAt")
    assert timestamp(row.received_at) <= fetched_at <= timestamp(row.updated_at)
    assert row.owner
    assert said == {
        "connectionId": connection_id,
        "generation": row.generation,
        "owner": row.owner,
        "institution": "FlinksCapital",
        "lastRefresh": "0001-01-01T00:00:00",
    }


@pytest.mark.parametrize(
    "literal",
    [
        "0",
        "-1",
        "5000",
        "49993.96",
        "-512.9",
        "0.10",
        "100.00",
        "1842.170",
        "-0.0",
        "12345678901234567890",
        "12345678901234567.89",
        "0.1000000000000000055511151231257827",
        "123456789012345678901234567890.123456789",
        "1e5",
        "1E-7",
        "1.50e3",
        "0.0000001",
        "-0",
        "1e400",
    ],
)
def test_a_number_is_stored_digit_by_digit(service: Service, literal: str) -> None:
    assert f'"Current":{literal},' in stored_with_balance(service, literal)


def test_a_login_without_accounts_is_ready_and_says_so(service: Service) -> None:
    service.script(endpoint=DATA, steps=[{"fault": "zero_accounts"}])

    connection_id = service.connect_and_post()
    service.settle()

    row = service.row(connection_id)
    assert row.status is Status.READY
    assert row.drop is not None
    assert (row.drop.accounts, row.drop.transactions) == (0, 0)


def test_accounts_that_are_absent_at_first_are_there_in_the_drop(service: Service) -> None:
    service.script(endpoint=DATA, steps=[{"fault": "absent_accounts", "times": 3}])

    connection_id = service.connect_and_post()
    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.sessions) == (Status.READY, 1)
    assert row.drop is not None
    assert row.drop.accounts == 5


def stored_with_balance(service: Service, literal: str) -> str:
    """The drop's text, when the first balance in Flinks' answer was `literal`."""
    service.script(endpoint=DATA, steps=[{"fault": "wide_number", "literal": literal}])
    connection_id = service.connect_and_post()
    service.settle()
    return drop(service, connection_id)


def drop(service: Service, connection_id: str) -> str:
    """What lies in S3, unpacked."""
    row = service.row(connection_id)
    assert row.drop is not None
    found = service.world.s3.get_object(Bucket=BUCKET, Key=row.drop.key, VersionId=row.drop.version_id)
    return gzip.decompress(found["Body"].read()).decode()


def data_of(service: Service, login_id: str) -> bytes:
    return Control(service.bank, Connect(service.bank)).answer("GET", f"/cards/{login_id}/data").body


def numbers_as_written(text: str) -> Any:
    """The JSON with every number as (its text,): equal only if written alike."""
    return json.loads(text, parse_float=lambda literal: (literal,), parse_int=lambda literal: (literal,))


def stripped(answer: Any) -> Any:
    """Less what names the session, the login and the person at her bank."""
    for member in ("RequestId", "Links", "Tag"):
        answer.pop(member, None)
    del answer["Login"]["Id"], answer["Login"]["Username"]
    return answer
