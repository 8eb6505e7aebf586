"""A deletion on the real template, artifacts and IAM; and the restore drill of docs/operations.md."""

import json
from typing import Any

from landing.domain.connection import Status
from ops import restore
from tests.live_service import LiveService, eventually


def erase(live: LiveService, **order: Any) -> list[dict[str, Any]]:
    """What ops sees of an order, connection by connection."""
    function = live.stack.outputs["DeleteConnectionFunction"]
    given = json.dumps({"ticket": "T-1", "dryRun": False, **order})
    answer = live.client("lambda").invoke(FunctionName=function, Payload=given)
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    connections: list[dict[str, Any]] = said["connections"]
    return connections


def ready(live: LiveService, **card: Any) -> tuple[str, str]:
    """A loginId and the connection to it, which has its drop."""
    login_id = live.connect_bank(**card)
    connection_id = str(live.post(login_id).body["connectionId"])
    live.until(connection_id, "ready")
    return login_id, connection_id


def receipt(live: LiveService, connection_id: str) -> Any:
    s3, bucket = live.client("s3"), live.stack.outputs["DropBucket"]
    (kept,) = s3.list_objects_v2(Bucket=bucket, Prefix=f"receipts/v1/{connection_id}.")["Contents"]
    return json.loads(s3.get_object(Bucket=bucket, Key=kept["Key"])["Body"].read())


def test_a_settled_connection_is_erased_everywhere_in_one_invocation(live: LiveService) -> None:
    login_id, connection_id = ready(live)

    (answer,) = erase(live, connectionId=connection_id)

    row = live.row(connection_id)
    assert answer["outcome"] == "deleted"
    assert answer["receipt"] == receipt(live, connection_id)
    assert live.drops_of(connection_id) == []
    assert (row.status, row.sealed_login, row.owner) == (Status.DELETED, None, None)
    assert live.post(login_id).status == 410
    assert login_id not in [card["loginId"] for card in live.control("GET", "/cards")["cards"]]


def test_a_login_and_an_owner_are_found_through_the_indexes(live: LiveService) -> None:
    login_id, _ = ready(live)

    (answer,) = erase(live, loginId=login_id.upper(), dryRun=True)

    assert answer["outcome"] == "would_delete"
    assert {each["outcome"] for each in erase(live, owner="alice", dryRun=True)} - {"deleted"} == {"would_delete"}


def test_a_card_in_use_is_deleted_once_it_is_free(live: LiveService) -> None:
    login_id, connection_id = ready(live)
    live.control("PUT", f"/cards/{login_id}/pending", {"seconds": 2})

    (answer,) = erase(live, connectionId=connection_id)

    eventually(lambda: live.row(connection_id).status is Status.DELETED or None, "deleted")
    assert (answer["outcome"], answer["reason"]) == ("deleting", "login_busy_at_flinks")
    assert receipt(live, connection_id)["erased"]["flinks"]["answer"] == "deleted"
    assert live.drops_of(connection_id) == []


def test_versions_markers_and_uploads_are_swept(live: LiveService) -> None:
    _, connection_id = ready(live)
    stray = {"Bucket": live.stack.outputs["DropBucket"], "Key": f"accounts/v1/{connection_id}/stray"}
    key = live.row(connection_id).drop
    assert key is not None
    live.client("s3").delete_object(Bucket=stray["Bucket"], Key=key.key)
    live.client("s3").create_multipart_upload(**stray)

    (answer,) = erase(live, connectionId=connection_id)

    assert answer["receipt"]["erased"]["drops"] == {"versions": 1, "deleteMarkers": 1, "unfinishedUploads": 1}
    assert live.drops_of(connection_id) == []


def test_a_restore_brings_back_what_was_lost_and_nobody_who_was_erased(live: LiveService) -> None:
    """The emulator's side table is always as of now: so first the side table, then the loss."""
    (_, lost), (_, erased) = ready(live), ready(live)
    dynamodb, s3 = live.client("dynamodb"), live.client("s3")
    table, bucket = live.stack.outputs["ConnectionsTable"], live.stack.outputs["DropBucket"]
    restore.make_side_table(dynamodb, table, "side", None)
    erase(live, connectionId=erased)
    dynamodb.delete_item(TableName=table, Key={"connectionId": {"S": lost}})

    fates = restore.copy_back(dynamodb, s3, table, "side", bucket, dry_run=False)
    restore.remove(dynamodb, "side")

    assert fates["restored"] == 1
    assert live.row(lost).status is Status.READY
    assert live.row(erased).status is Status.DELETED


def test_a_whole_restore_leaves_no_side_table(live: LiveService) -> None:
    ready(live)
    dynamodb, s3 = live.client("dynamodb"), live.client("s3")
    before = dynamodb.list_tables()["TableNames"]
    outputs = live.stack.outputs

    fates = restore.restore(dynamodb, s3, outputs["ConnectionsTable"], outputs["DropBucket"], None, dry_run=False)

    assert fates["restored"] == 0
    assert fates["alreadyThere"] >= 1
    assert dynamodb.list_tables()["TableNames"] == before
