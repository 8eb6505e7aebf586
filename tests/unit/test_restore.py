"""The restore script, on moto: what was lost comes back, what was erased does not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops import restore
from ops.target import Refused

TABLE, SIDE, BUCKET = "connections", "connections-side", "drops"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        dynamodb, s3 = boto3.client("dynamodb", region_name="us-east-1"), boto3.client("s3", region_name="us-east-1")
        make_table(dynamodb, TABLE)
        s3.create_bucket(Bucket=BUCKET)
        yield dynamodb, s3


def make_table(dynamodb: Any, name: str, *items: dict[str, Any]) -> None:
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "connectionId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connectionId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    for item in items:
        dynamodb.put_item(TableName=name, Item=item)


def give_receipt(s3: Any, connection_id: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"receipts/v1/{connection_id}.20260105T120000000Z.json", Body=b"{}")


def give_drop(s3: Any, connection_id: str, generation: int) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"accounts/v1/{connection_id}/{generation:06d}.json.gz", Body=b"-")


def row(connection_id: str, status: str = "ready", received_at: str = "2026-01-05T12:00:00.000Z") -> dict[str, Any]:
    return {
        "connectionId": {"S": connection_id},
        "status": {"S": status},
        "generation": {"N": "1"},
        "receivedAt": {"S": received_at},
    }


def item(dynamodb: Any, connection_id: str) -> dict[str, Any]:
    found: dict[str, Any] = dynamodb.get_item(TableName=TABLE, Key={"connectionId": {"S": connection_id}})["Item"]
    return found


def ids(dynamodb: Any) -> set[str]:
    return {item["connectionId"]["S"] for item in dynamodb.scan(TableName=TABLE)["Items"]}


def test_lost_rows_come_back_and_erased_ones_do_not(aws: tuple[Any, Any]) -> None:
    dynamodb, s3 = aws
    make_table(dynamodb, SIDE, row("con_lost"), row("con_there"), row("con_erased"))
    dynamodb.put_item(TableName=TABLE, Item=row("con_there", "deleting"))
    give_receipt(s3, "con_erased")

    fates = restore.copy_back(dynamodb, s3, TABLE, SIDE, BUCKET, dry_run=False)

    there = dynamodb.get_item(TableName=TABLE, Key={"connectionId": {"S": "con_there"}})["Item"]
    assert fates == {"restored": 1, "alreadyThere": 1, "erased": 1}
    assert ids(dynamodb) == {"con_lost", "con_there"}
    assert there["status"] == {"S": "deleting"}


def test_a_row_that_its_owner_brought_back_meanwhile_stays_as_it_is(
    aws: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamodb, s3 = aws
    make_table(dynamodb, SIDE, row("con_lost"))

    def posted_just_after_the_look(*_: Any) -> bool:
        dynamodb.put_item(TableName=TABLE, Item=row("con_lost", "received"))
        return False

    monkeypatch.setattr(restore, "is_there", posted_just_after_the_look)

    fates = restore.copy_back(dynamodb, s3, TABLE, SIDE, BUCKET, dry_run=False)

    assert fates == {"restored": 0, "alreadyThere": 1, "erased": 0}
    assert item(dynamodb, "con_lost") == row("con_lost", "received")


def test_a_dry_run_copies_nothing(aws: tuple[Any, Any]) -> None:
    dynamodb, s3 = aws
    make_table(dynamodb, SIDE, row("con_lost"), row("con_there"))
    dynamodb.put_item(TableName=TABLE, Item=row("con_there"))

    fates = restore.copy_back(dynamodb, s3, TABLE, SIDE, BUCKET, dry_run=True)

    assert fates == {"restored": 1, "alreadyThere": 1, "erased": 0}
    assert ids(dynamodb) == {"con_there"}


def test_a_tombstone_is_not_brought_back(aws: tuple[Any, Any]) -> None:
    dynamodb, s3 = aws
    make_table(dynamodb, SIDE, row("con_erased", "deleted"))

    fates = restore.copy_back(dynamodb, s3, TABLE, SIDE, BUCKET, dry_run=False)

    assert (fates["erased"], ids(dynamodb)) == (1, set())


def test_who_lives_again_after_an_erasure_is_not_counted_as_erased(aws: tuple[Any, Any]) -> None:
    dynamodb, s3 = aws
    give_receipt(s3, "con_again")
    later = datetime.now(UTC) + timedelta(days=61)
    make_table(dynamodb, SIDE, row("con_again", received_at=later.strftime("%Y-%m-%dT%H:%M:%S.000Z")))

    fates = restore.copy_back(dynamodb, s3, TABLE, SIDE, BUCKET, dry_run=False)

    assert (fates["restored"], ids(dynamodb)) == (1, {"con_again"})


@pytest.mark.parametrize(("status", "is_restored"), [("waiting", True), ("deleting", False)])
def test_an_old_login_that_was_imported_after_an_erasure_lives_again(
    aws: tuple[Any, Any], status: str, is_restored: bool
) -> None:
    """An erasure works on its row after the receipt too: that is no life."""
    dynamodb, s3 = aws
    give_receipt(s3, "con_again")
    later = (datetime.now(UTC) + timedelta(days=61)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    make_table(dynamodb, SIDE, row("con_again", status) | {"updatedAt": {"S": later}})

    fates = restore.copy_back(dynamodb, s3, TABLE, SIDE, BUCKET, dry_run=False)

    assert fates["restored"] == is_restored
    assert fates["erased"] == (not is_restored)


def test_a_restored_row_goes_on_above_every_key_in_the_bucket(aws: tuple[Any, Any]) -> None:
    dynamodb, s3 = aws
    make_table(dynamodb, SIDE, row("con_lost"))
    give_drop(s3, "con_lost", 1)
    give_drop(s3, "con_lost", 41)
    give_drop(s3, "con_other", 3000)

    restore.copy_back(dynamodb, s3, TABLE, SIDE, BUCKET, dry_run=False)

    restored = item(dynamodb, "con_lost")
    assert restored["generationsGiven"] == {"N": "1041"}
    assert (restored["generation"], restored["status"]) == ({"N": "1"}, {"S": "ready"})


@pytest.mark.parametrize("status", ["received", "fetching", "pending", "waiting"])
def test_what_was_at_work_begins_anew_under_a_number_of_its_own(aws: tuple[Any, Any], status: str) -> None:
    dynamodb, s3 = aws
    at_work = {"leaseUntil": {"S": "2026-01-05T12:02:30.000Z"}, "sealedRequest": {"B": b"request"}}
    make_table(dynamodb, SIDE, row("con_lost", status) | at_work)
    give_drop(s3, "con_lost", 1)

    restore.copy_back(dynamodb, s3, TABLE, SIDE, BUCKET, dry_run=False)

    restored = item(dynamodb, "con_lost")
    assert (restored["generation"], restored["status"]) == ({"N": "1002"}, {"S": "received"})
    assert not restored.keys() & at_work.keys()


def test_the_side_table_is_made_and_goes(aws: tuple[Any, Any]) -> None:
    dynamodb, s3 = aws
    dynamodb.put_item(TableName=TABLE, Item=row("con_there"))

    fates = restore.restore(dynamodb, s3, TABLE, BUCKET, None, dry_run=False)

    assert fates == {"restored": 0, "alreadyThere": 1, "erased": 0}
    assert dynamodb.list_tables()["TableNames"] == [TABLE]


def test_the_side_table_goes_even_when_copying_fails(aws: tuple[Any, Any]) -> None:
    dynamodb, s3 = aws

    with pytest.raises(s3.exceptions.NoSuchBucket):
        restore.restore(dynamodb, s3, TABLE, "no-such-bucket", None, dry_run=False)

    assert dynamodb.list_tables()["TableNames"] == [TABLE]


def test_a_side_table_that_was_left_behind_is_not_believed(aws: tuple[Any, Any]) -> None:
    dynamodb, s3 = aws
    make_table(dynamodb, SIDE, row("con_of_last_time"))

    restore.restore(dynamodb, s3, TABLE, BUCKET, None, dry_run=False)

    assert ids(dynamodb) == set()
    assert dynamodb.list_tables()["TableNames"] == [TABLE]


def test_a_table_that_a_backup_gave_is_copied_back_from_and_stays(aws: tuple[Any, Any]) -> None:
    dynamodb, s3 = aws
    make_table(dynamodb, "found", row("con_lost"), row("con_erased"))
    give_receipt(s3, "con_erased")

    fates = restore.restore_from(dynamodb, s3, "found", TABLE, BUCKET, dry_run=False)

    assert fates == {"restored": 1, "alreadyThere": 0, "erased": 1}
    assert item(dynamodb, "con_lost")["status"] == {"S": "ready"}
    assert {TABLE, "found"} == set(dynamodb.list_tables()["TableNames"])


def test_the_live_table_is_no_backup_of_itself(aws: tuple[Any, Any]) -> None:
    with pytest.raises(Refused, match="the live table itself"):
        restore.restore_from(*aws, TABLE, TABLE, BUCKET, dry_run=False)
