"""How sure we are that a PUT which failed will never land, and whose row an index entry leads to."""

from datetime import UTC, datetime
from typing import Any

import pytest

from landing.domain.connection import Connection, Status
from landing.flinks.account_data import AccountData
from landing.stores.connection_table import ConnectionTable
from landing.stores.drop_store import DropNotPut, DropStore, Origin, PutFailure
from tests.world.service import BUCKET, TABLE, Service

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ID = "con_" + "a" * 26
PACKED = AccountData(b"data", "aa", 1, 2, None)


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("InternalError", PutFailure.UNANSWERED),
        ("ServiceUnavailable", PutFailure.UNANSWERED),
        ("AccessDenied", PutFailure.REFUSED),
    ],
)
def test_a_put_that_s3_did_not_decide_may_still_land(service: Service, code: str, failure: PutFailure) -> None:
    drops = DropStore(service.world.s3, BUCKET, "key")
    service.world.fail("s3", "put_object", code)

    with pytest.raises(DropNotPut) as error:
        drops.put_once(ID, 1, PACKED, Origin(NOON, "all", None))

    assert error.value.failure is failure


def test_what_an_index_still_says_of_a_row_that_has_changed_hands_is_not_believed(service: Service) -> None:
    table = ConnectionTable(service.world.dynamodb, TABLE)
    row: dict[str, Any] = {"login_ref": "ref", "generation": 1, "attempt": 0, "received_at": NOON, "updated_at": NOON}
    table.add(Connection(connection_id=ID, status=Status.READY, owner="alice", **row))
    service.world.tables[TABLE].lag = 60
    service.world.clock.advance(61)
    service.world.dynamodb.update_item(
        TableName=TABLE,
        Key={"connectionId": {"S": ID}},
        UpdateExpression="SET #o = :bob",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":bob": {"S": "bob"}},
    )

    assert table.page_of_owner("alice", 20).connections == ()
