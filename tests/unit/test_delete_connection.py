"""Erasing a connection, through the real handler, in virtual time."""

import json
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from landing import wiring
from landing.domain.connection import Status
from landing.domain.transitions import ANNOUNCED_WITHIN, claimed
from landing.flinks import client
from landing.stores import drop_store
from local.flinks.bank import Bank
from local.flinks.cards import Pending
from local.flinks.settings import Settings
from tests.processed_template import ROOT
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import BUCKET, TABLE, BankClock, BankWire, Service

NOBODYS = "con_" + "a" * 26
NOBODYS_LOGIN = "5b1d0c9e-3a2f-4e88-9c41-7d60e2f1a8b3"

UNLUCKY = 1286
"""A seed by which pauses come out short."""


@pytest.fixture
def erasing(service: Service, monkeypatch: pytest.MonkeyPatch) -> Erasing:
    return with_erasing(service, monkeypatch)


@pytest.fixture
def ready(service: Service) -> str:
    """The id of a connection that has its drop."""
    connection_id = service.connect_and_post()
    service.settle()
    return connection_id


def counted(capsys: pytest.CaptureFixture[str], metric: str) -> int:
    """How often a metric was counted since the last time somebody asked."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return int(sum(line.get(metric, [0])[0] for line in lines))


def use_card(service: Service, seconds: float) -> None:
    """Keep the only card there is busy at Flinks."""
    (card,) = service.bank.vault.cards.values()
    card.wait(Pending(seconds=seconds), service.world.clock.now())


# --- a deletion that ends


def test_a_settled_connection_is_erased_in_one_invocation(service: Service, erasing: Erasing, ready: str) -> None:
    answer = erasing.erase(ready)

    assert answer["outcome"] == "deleted"
    assert service.row(ready).status is Status.DELETED
    assert erasing.left_of(ready) == []
    assert service.bank.vault.cards == {}
    assert erasing.messages() == []


def test_the_tombstone_keeps_nothing_of_the_person(service: Service, erasing: Erasing, ready: str) -> None:
    erasing.erase(ready)

    kept = set(service.world.tables[TABLE].items[ready,])
    row = service.row(ready)
    assert kept <= {
        *("connectionId", "loginRef", "status", "generation", "attempt", "erasure", "expiresAt"),
        *("action", "receivedAt", "updatedAt"),
        *("dueAt", "dueShard", "announceBy"),  # until its end was announced
        "ownerRef",  # for who names the owner
    }
    assert (row.sealed_login, row.owner, row.drop) == (None, None, None)
    assert row.due_at == row.announce_by == row.updated_at + ANNOUNCED_WITHIN


def test_the_tombstone_ends_after_sixty_days(service: Service, erasing: Erasing, ready: str) -> None:
    now = wiring.clock()

    erasing.erase(ready)

    expires_at = datetime.fromtimestamp(int(service.world.tables[TABLE].items[ready,]["expiresAt"]["N"]), UTC)
    assert timedelta(days=60) - timedelta(seconds=1) <= expires_at - now <= timedelta(days=60)


def test_the_receipt_says_what_was_erased_and_what_remains(erasing: Erasing, ready: str) -> None:
    now = wiring.clock()

    receipt = erasing.erase(ready, ticket="PRIVACY-2041")["receipt"]

    assert (receipt["connectionId"], receipt["ticket"], receipt["complete"]) == (ready, "PRIVACY-2041", True)
    assert receipt["erased"]["flinks"]["answer"] == "deleted"
    assert receipt["erased"]["drops"] == {"versions": 1, "deleteMarkers": 0, "unfinishedUploads": 0}
    until = {remains["what"]: remains["until"] for remains in receipt["remains"]}
    assert datetime.fromisoformat(until["table backup, with the login sealed"]) == now + timedelta(days=7)
    assert datetime.fromisoformat(until["tombstone"]) == now + timedelta(days=60)


def test_the_receipt_holds_nothing_personal(service: Service, erasing: Erasing) -> None:
    login_id = service.connect_bank()
    connection_id = json.loads(service.post(login_id, institution="FlinksCapital")["body"])["connectionId"]
    service.settle()

    erasing.erase(connection_id)

    written = json.dumps(erasing.receipt(connection_id))
    assert not any(secret in written for secret in (login_id, "alice", "FlinksCapital", "greatday"))


def test_the_receipt_in_s3_is_the_one_that_was_answered(erasing: Erasing, ready: str) -> None:
    answer = erasing.erase(ready)

    assert erasing.receipt(ready) == answer["receipt"]


def test_repeating_the_call_returns_the_receipt_and_writes_nothing(erasing: Erasing, ready: str) -> None:
    first = erasing.erase(ready)
    before = erasing.everything()

    second = erasing.erase(ready, ticket="another")

    assert second == first
    assert erasing.everything() == before


# --- who is meant


def test_a_login_is_found_in_any_spelling_of_its_id(service: Service, erasing: Erasing) -> None:
    login_id = service.connect_bank()
    service.post(login_id)

    answer = erasing.invoke(loginId=login_id.upper(), ticket="T-1")

    assert [each["outcome"] for each in answer["connections"]] == ["deleted"]
    assert login_id not in json.dumps(answer).lower()


def test_a_login_means_every_connection_to_it_and_its_card(service: Service, erasing: Erasing) -> None:
    login_id = service.connect_bank()
    for owner in ("alice", "bob"):
        service.post(login_id, owner)

    erasing.invoke(loginId=login_id, ticket="T-1")
    erasing.settle()

    assert {row.status for row in erasing.rows()} == {Status.DELETED}
    assert service.bank.vault.cards == {}


def test_an_owner_means_all_their_connections_and_no_others(service: Service, erasing: Erasing) -> None:
    for name in ("one", "two"):
        service.post(service.connect_bank(f"greatday_nomfa+{name}"), "alice")
    others = json.loads(service.post(service.connect_bank("greatday_nomfa+three"), "bob")["body"])["connectionId"]

    answer = erasing.invoke(owner="alice", ticket="T-1")

    assert [each["outcome"] for each in answer["connections"]] == ["deleted", "deleted"]
    assert service.row(others).status is Status.RECEIVED


def test_an_order_without_a_ticket_is_refused(erasing: Erasing, ready: str) -> None:
    before = erasing.everything()

    answer = erasing.handle({"connectionId": ready, "dryRun": False})

    assert (answer["outcome"], answer["detail"]) == ("refused", "The member `ticket` is missing.")
    assert erasing.everything() == before


def test_an_order_only_looks_unless_it_says_otherwise(erasing: Erasing, ready: str) -> None:
    before = erasing.everything()

    answer = erasing.handle({"connectionId": ready, "ticket": "T-1"})

    assert (answer["dryRun"], answer["counts"]) == (True, {"would_delete": 1})
    assert erasing.everything() == before


def test_an_order_for_an_owner_that_is_repeated_gives_the_receipts(service: Service, erasing: Erasing) -> None:
    for name in ("one", "two"):
        service.post(service.connect_bank(f"greatday_nomfa+{name}"), "alice")
    service.post(service.connect_bank("greatday_nomfa+three"), "bob")
    service.settle()
    first = erasing.invoke(owner="alice")
    service.connect_and_post("greatday_nomfa+four")

    looked, again = erasing.invoke(owner="alice", dryRun=True), erasing.invoke(owner="alice")

    receipts = [each["receipt"] for each in first["connections"]]
    assert looked["counts"] == {"deleted": 2, "would_delete": 1}
    assert again["counts"] == {"deleted": 3}
    assert all(receipt in [each["receipt"] for each in again["connections"]] for receipt in receipts)
    assert {receipt["ownerRef"] for receipt in receipts} == {wiring.index_key().owner_ref("alice")}
    assert "alice" not in json.dumps(service.world.tables[TABLE].items[receipts[0]["connectionId"],])


def test_an_order_does_no_more_than_its_limit_and_says_where_the_next_goes_on(
    service: Service, erasing: Erasing
) -> None:
    ids = sorted(service.connect_and_post(f"greatday_nomfa+{n}") for n in range(5))
    service.settle()

    first = erasing.invoke(owner="alice", limit=2)
    second = erasing.invoke(owner="alice", limit=2, continueAfter=first["continueAfter"])
    third = erasing.invoke(owner="alice", limit=2, continueAfter=second["continueAfter"])

    done = [[each["connectionId"] for each in answer["connections"]] for answer in (first, second, third)]
    assert done == [ids[:2], ids[2:4], ids[4:]]
    assert [answer["complete"] for answer in (first, second, third)] == [False, False, True]
    assert {row.status for row in erasing.rows()} == {Status.DELETED}


def test_a_dry_run_counts_what_the_order_would_do_its_limit_included(service: Service, erasing: Erasing) -> None:
    for n in range(3):
        service.connect_and_post(f"greatday_nomfa+{n}")

    looked = erasing.invoke(owner="alice", limit=2, dryRun=True)
    done = erasing.invoke(owner="alice", limit=2)

    assert [each["connectionId"] for each in looked["connections"]] == [
        each["connectionId"] for each in done["connections"]
    ]
    assert looked["continueAfter"] == done["continueAfter"]


def test_a_list_is_answered_in_its_order(service: Service, erasing: Erasing, ready: str) -> None:
    other = service.connect_and_post("greatday_nomfa+other")

    answer = erasing.invoke(connectionId=[other, NOBODYS, ready], ticket="T-1")

    assert [each["outcome"] for each in answer["connections"]] == ["deleted", "unknown", "deleted"]
    assert [each["order"] for each in answer["connections"]] == [0, 1, 2]


@pytest.mark.parametrize(
    "order",
    [
        {"connectionId": NOBODYS},
        {"loginId": "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"},
        {"owner": "nobody"},
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_not_known_is_said_to_be_unknown_and_nothing_is_written(
    erasing: Erasing, ready: str, order: dict[str, Any], dry_run: bool
) -> None:
    before = erasing.everything()

    answer = erasing.invoke(**order, ticket="T-1", dryRun=dry_run)

    assert ready not in json.dumps(answer)
    assert answer["connections"] == [{"order": 0, "outcome": "unknown"}]
    assert erasing.everything() == before


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        ({}, "exactly one of `connectionId`, `loginId` and `owner`"),
        ({"connectionId": NOBODYS, "ticket": None}, "`ticket`"),
        ({"connectionId": NOBODYS, "limit": 0}, "`limit`"),
        ({"connectionId": NOBODYS, "limit": 1001}, "`limit`"),
        ({"connectionId": NOBODYS, "continueAfter": "canary-7f3e"}, "`continueAfter`"),
        ({"connectionId": "canary-7f3e", "ticket": "T-1"}, "`connectionId`"),
        ({"connectionId": "con_unknown", "ticket": "T-1"}, "`connectionId`"),
        ({"connectionId": []}, "`connectionId`"),
        ({"connectionId": [NOBODYS] * 101}, "`connectionId`"),
        ({"connectionId": [NOBODYS, NOBODYS, "canary-7f3e"]}, "`connectionId[2]`"),
        ({"connectionId": NOBODYS, "owner": "alice"}, "exactly one of"),
        ({"loginId": "canary-7f3e"}, "`loginId` must be a GUID"),
        ({"loginId": ["3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2", 7]}, "`loginId[1]`"),
        ({"owner": ""}, "`owner`"),
        ({"owner": "canary\ud800"}, "`owner`"),
        ({"connectionId": NOBODYS, "ticket": "canary 7f3e <person@example.com>"}, "`ticket`"),
        ({"connectionId": NOBODYS, "ticket": "PRIVACY/" + "x" * 60}, "`ticket` must be a reference"),
        ({"connectionId": NOBODYS, "ticket": 7}, "`ticket`"),
        ({"connectionId": NOBODYS, "dryRun": "yes"}, "`dryRun`"),
        ({"connectionId": NOBODYS, "canary-7f3e": True}, "a member that nobody knows"),
        ({"Records": "canary-7f3e"}, "a member that nobody knows"),
        ({"Records": [{"canary-7f3e": 1}]}, "a member that nobody knows"),
        (["canary-7f3e"], "must be a JSON object"),
        ("canary-7f3e", "must be a JSON object"),
        (None, "must be a JSON object"),
    ],
)
def test_a_malformed_order_is_answered_with_what_is_wrong_and_what_is_accepted(
    erasing: Erasing, ready: str, event: Any, wrong: str
) -> None:
    before = erasing.everything()

    answer = erasing.handle({"ticket": "T-1"} | event if isinstance(event, dict) else event)

    assert answer["outcome"] == "refused"
    assert wrong in answer["detail"]
    assert set(answer["accepted"]) == {
        *("connectionId | loginId | owner", "ticket", "dryRun", "limit", "continueAfter"),
    }
    assert "canary" not in json.dumps(answer)
    assert erasing.everything() == before
    assert ready


A_LOGIN_AS_A_TICKET = {
    "as it is": "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2",
    "in capitals": "3F0C6A54-2B1E-4C77-5D25-08DE7A41C9B2",
    "within a reference": "T-1/3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2#2",
    "after a letter that is a digit too": "id3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2",
    "without dashes": "3f0c6a542b1e4c775d2508de7a41c9b2",
    "with other signs": "3f0c6a54_2b1e_4c77.5d25:08de7a41c9b2",
}


@pytest.mark.parametrize("ticket", A_LOGIN_AS_A_TICKET.values(), ids=A_LOGIN_AS_A_TICKET)
@pytest.mark.parametrize(
    ("function", "order"),
    [
        ("delete_connection", {"connectionId": NOBODYS}),
        ("refetch_connections", {"refetch": {"ids": [NOBODYS]}}),
        ("import_logins", {"logins": [{"loginId": NOBODYS_LOGIN, "owner": "alice"}], "fetch": "later"}),
    ],
)
def test_a_login_id_that_is_given_as_a_ticket_is_refused_and_kept_nowhere(
    erasing: Erasing, caplog: pytest.LogCaptureFixture, function: str, order: dict[str, Any], ticket: str
) -> None:
    service = erasing.service

    answer = service.call(function, {**order, "ticket": ticket, "dryRun": False})

    assert answer["outcome"] == "refused"
    assert "`ticket` must not hold a GUID" in answer["detail"]
    assert ticket not in json.dumps(answer) + caplog.text + str([each.__dict__ for each in caplog.records])
    assert not [call for call in service.world.calls if call.service == "dynamodb"]


def test_what_lies_below_a_second_layout_of_keys_is_counted_and_swept_too(
    service: Service, erasing: Erasing, ready: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = "accounts/v2/{connection_id}/of/"
    monkeypatch.setattr(drop_store, "LAYOUTS", (*drop_store.LAYOUTS, layout))
    theirs = f"accounts/v2/{ready}/of/000001.parquet"
    others = f"accounts/v2/{NOBODYS}/of/000001.parquet"
    for key in (theirs, theirs, others):
        service.world.s3.put_object(Bucket=BUCKET, Key=key, Body=b"PAR1")
    service.world.s3.create_multipart_upload(Bucket=BUCKET, Key=theirs)

    answer = erasing.erase(ready)

    assert answer["receipt"]["erased"]["drops"] == {"versions": 3, "deleteMarkers": 0, "unfinishedUploads": 1}
    assert erasing.left_of(ready) == []
    assert len(erasing.left_of(NOBODYS)) == 1


def test_a_dry_run_says_what_would_go_and_changes_nothing(service: Service, erasing: Erasing, ready: str) -> None:
    before = erasing.everything()

    answer = erasing.invoke(connectionId=ready, dryRun=True)

    (connection,) = answer["connections"]
    assert connection["outcome"] == "would_delete"
    assert connection["wouldErase"] == {
        "status": "ready",
        "flinks": "would_be_asked",
        "drops": {"versions": 1, "deleteMarkers": 0, "unfinishedUploads": 0},
    }
    assert erasing.everything() == before
    assert service.flinks_calls("DeleteCard") == []


# --- the sweep


def fill(erasing: Erasing, connection_id: str, versions: int, markers: int = 0, uploads: int = 0) -> None:
    """Put more below a connection's prefix than we ever would."""
    key = f"accounts/v1/{connection_id}/stray"
    for _ in range(versions):
        erasing.world.s3.put_object(Bucket="drops", Key=key, Body=b"x")
    for _ in range(markers):
        erasing.world.s3.delete_object(Bucket="drops", Key=key)
    for _ in range(uploads):
        erasing.world.s3.create_multipart_upload(Bucket="drops", Key=key)


def test_thousands_of_versions_markers_and_uploads_are_swept_and_counted(erasing: Erasing, ready: str) -> None:
    fill(erasing, ready, versions=2100, markers=300, uploads=1100)

    receipt = erasing.erase(ready)["receipt"]

    assert receipt["erased"]["drops"] == {"versions": 2101, "deleteMarkers": 300, "unfinishedUploads": 1100}
    assert erasing.left_of(ready) == []
    assert erasing.bucket.uploads == {}


def test_the_drops_of_other_connections_stay(service: Service, erasing: Erasing, ready: str) -> None:
    neighbour = service.connect_and_post("greatday_nomfa+neighbour")
    service.settle()

    erasing.erase(ready)

    assert len(erasing.left_of(neighbour)) == 1


def test_what_s3_refuses_to_delete_is_tried_again(erasing: Erasing, ready: str) -> None:
    fill(erasing, ready, versions=20)
    erasing.world.fail_entries("s3", "delete_objects", "InternalError", times=15)

    answer = erasing.erase(ready)

    assert answer["outcome"] == "deleted"
    assert answer["receipt"]["erased"]["drops"]["versions"] == 21
    assert erasing.left_of(ready) == []


def test_while_s3_refuses_everything_the_erasure_waits_and_says_why(
    service: Service, erasing: Erasing, ready: str
) -> None:
    erasing.world.fail_entries("s3", "delete_objects", "AccessDenied", times=1)

    answer = erasing.erase(ready)
    erasing.settle()

    assert (answer["outcome"], answer["reason"]) == ("deleting", "sweep_unfinished")
    assert answer["dueAt"] > "2026-01-05T12:00:00.000Z"
    assert service.row(ready).status is Status.DELETED


@pytest.mark.parametrize(
    "call",
    ["list_object_versions", "list_multipart_uploads", "delete_objects", "put_object"],
)
def test_an_hour_without_s3_is_waited_out(service: Service, erasing: Erasing, ready: str, call: str) -> None:
    erasing.world.fail("s3", call, "SlowDown", times=12)

    answer = erasing.erase(ready)
    waiting = service.row(ready)
    erasing.settle()

    assert (answer["outcome"], answer["reason"]) == ("deleting", "service_unavailable")
    assert waiting.sealed_login is not None or call == "put_object"
    assert service.row(ready).status is Status.DELETED
    assert erasing.left_of(ready) == []


def test_a_sweep_that_runs_out_of_time_goes_on_in_the_next_run(service: Service, erasing: Erasing, ready: str) -> None:
    fill(erasing, ready, versions=2500)
    seconds = iter([300, 300, *[29] * 3])
    erasing.seconds_left = lambda: next(seconds, 300)

    answer = erasing.erase(ready)
    left = len(erasing.left_of(ready))
    erasing.settle()

    assert (answer["outcome"], answer["reason"]) == ("deleting", "sweep_unfinished")
    assert left > 0
    assert service.row(ready).status is Status.DELETED
    assert erasing.receipt(ready)["erased"]["drops"]["versions"] == 2501


def test_an_invocation_without_time_leaves_all_but_the_tombstone_to_the_queue(
    service: Service, erasing: Erasing, ready: str
) -> None:
    erasing.seconds_left = lambda: 60

    answer = erasing.erase(ready)
    erasing.seconds_left = lambda: 300
    tombstone = service.row(ready)
    erasing.settle()

    assert answer["outcome"] == "deleting"
    assert (tombstone.status, tombstone.attempt) == (Status.DELETING, 1)
    assert service.row(ready).status is Status.DELETED


# --- a fetch under way


def test_a_fetch_under_way_is_waited_for(service: Service, erasing: Erasing) -> None:
    connection_id = service.connect_and_post()
    row = service.row(connection_id)
    now = service.world.clock.now()
    wiring.connection_table().apply(connection_id, claimed(row.hint, now, now + timedelta(seconds=150)))

    answer = erasing.erase(connection_id)

    assert (answer["outcome"], answer["reason"]) == ("deleting", "fetch_under_way")
    assert datetime.fromisoformat(answer["dueAt"]) == now + timedelta(seconds=300)


def test_a_put_that_was_never_answered_is_waited_for_whatever_fetch_comes_after(
    service: Service, erasing: Erasing
) -> None:
    connection_id = service.connect_and_post()
    service.world.fail("s3", "put_object", "Timeout")
    service.settle()
    first_lease = service.world.clock.now()
    assert service.row(connection_id).status is Status.READY
    assert service.row(connection_id).drain_until is not None

    answer = erasing.erase(connection_id)

    assert (answer["outcome"], answer["reason"]) == ("deleting", "fetch_under_way")
    assert first_lease < datetime.fromisoformat(answer["dueAt"])


# --- DeleteCard


def test_a_card_in_use_for_three_quarters_of_an_hour_is_deleted_in_the_end(
    service: Service, erasing: Erasing, ready: str
) -> None:
    use_card(service, seconds=45 * 60)

    answer = erasing.erase(ready)
    service.world.run(timedelta(minutes=44))
    waiting = service.row(ready)
    erasing.settle()

    assert (answer["outcome"], answer["reason"]) == ("deleting", "login_busy_at_flinks")
    assert (waiting.status, waiting.reason) == (Status.DELETING, "login_busy_at_flinks")
    assert waiting.sealed_login is not None
    assert erasing.receipt(ready)["erased"]["flinks"]["answer"] == "deleted"
    assert service.bank.vault.cards == {}


@pytest.mark.parametrize(("hours", "pauses"), [(1, "short"), (12, "any")])
def test_a_deletion_waits_for_a_busy_card_for_as_many_rounds_as_it_takes(
    service: Service, erasing: Erasing, ready: str, hours: int, pauses: str
) -> None:
    if pauses == "short":
        random.seed(UNLUCKY)
    use_card(service, seconds=hours * 3600)
    erasing.erase(ready)

    erasing.settle()

    tries = service.flinks_calls("DeleteCard")
    assert service.row(ready).status is Status.DELETED
    assert len(tries) > 18  # more than Lambda would bear of a function that does not say that it loops
    assert max(later - earlier for earlier, later in pairwise(tries)) <= timedelta(minutes=16)
    assert service.world.queues["erase-dead"].messages == []


def test_a_card_in_use_for_a_day_is_tried_again_and_again_and_pages_ops(
    service: Service, erasing: Erasing, ready: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use_card(service, seconds=30 * 3600)
    erasing.erase(ready)

    service.world.run(timedelta(hours=23))
    on_the_first_day = counted(capsys, "ErasureOverdue")
    service.world.run(timedelta(hours=2))
    tries = [at for at in service.flinks_calls("DeleteCard") if service.world.clock.now() - at <= timedelta(hours=1)]
    erasing.settle()

    assert on_the_first_day == 0
    assert counted(capsys, "ErasureOverdue") > 0
    assert 4 <= len(tries) <= 5
    assert service.row(ready).status is Status.DELETED


@pytest.mark.parametrize(
    "step",
    [
        {"fault": "hang", "seconds": 90},
        {"fault": "reset_in_body"},
        {"fault": "html", "status": 200},
        {"fault": "status", "status": 500},
        {"fault": "empty"},
    ],
    ids=lambda step: str(step["fault"]),
)
def test_an_answer_that_was_not_understood_is_asked_for_again(
    service: Service, erasing: Erasing, ready: str, step: dict[str, Any]
) -> None:
    service.script(endpoint="DeleteCard", steps=[step])

    answer = erasing.erase(ready)
    erasing.settle()

    assert answer["outcome"] == "deleting"
    assert erasing.receipt(ready)["erased"]["flinks"]["answer"] in ("deleted", "already_gone")


@pytest.mark.parametrize("second_delete", ["INVALID_LOGIN", "text"])
def test_a_card_that_is_gone_already_counts_at_the_flinks_that_knew_it(
    service: Service, erasing: Erasing, ready: str, second_delete: str
) -> None:
    service.bank.settings.second_delete = second_delete
    service.bank.vault.cards.clear()

    answer = erasing.erase(ready)

    assert answer["outcome"] == "deleted"
    assert answer["receipt"]["erased"]["flinks"]["answer"] == "already_gone"


def test_a_login_that_was_never_seen_at_flinks_ends_as_unknown_there(
    erasing: Erasing, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    connection_id = json.loads(service.post("3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2")["body"])["connectionId"]

    answer = erasing.erase(connection_id)

    assert answer["outcome"] == "unknown_at_flinks"
    assert answer["receipt"]["erased"]["flinks"]["answer"] == "unknown_at_flinks"
    assert counted(capsys, "ErasureUnknownAtFlinks") == 1


def test_a_bare_404_is_no_proof_that_a_card_is_gone(service: Service, erasing: Erasing, ready: str) -> None:
    service.script(endpoint="DeleteCard", steps=[{"fault": "html", "status": 404, "times": 2}])

    answer = erasing.erase(ready)

    assert (answer["outcome"], answer["reason"]) == ("deleting", "service_misconfigured")
    assert service.row(ready).sealed_login is not None


def test_gone_is_no_proof_while_our_credentials_are_refused(service: Service, erasing: Erasing, ready: str) -> None:
    service.bank.vault.cards.clear()
    service.script(endpoint="GenerateAuthorizeToken", steps=[{"code": "ACCESS_DENIED", "times": 2}])

    answer = erasing.erase(ready)

    assert (answer["outcome"], answer["reason"]) == ("deleting", "service_misconfigured")
    assert service.row(ready).sealed_login is not None


def test_a_key_that_was_rotated_is_read_anew_within_the_run(service: Service, erasing: Erasing, ready: str) -> None:
    service.bank.settings.api_key = "another-key"
    service.world.secretsmanager.put_secret_value(SecretId="api-key", SecretString='{"apiKey": "another-key"}')

    answer = erasing.erase(ready)

    assert answer["outcome"] == "deleted"


def another_flinks(service: Service, monkeypatch: pytest.MonkeyPatch, url: str, customer_id: str) -> Bank:
    """Point the service at a Flinks that takes our keys and knows none of our logins."""
    elsewhere = Bank(clock=BankClock(service.world), settings=Settings(customer_id=customer_id))
    monkeypatch.setenv("FLINKS_API_URL", url)
    monkeypatch.setenv("FLINKS_CUSTOMER_ID", customer_id)
    monkeypatch.setattr(client, "Wire", lambda _, max_bytes: BankWire(service.world, elsewhere, max_bytes))
    wiring.reset()
    return elsewhere


@pytest.mark.parametrize(
    ("url", "customer_id", "second_delete"),
    [
        pytest.param("http://127.0.0.1", "00000000-1111-2222-3333-444444444444", "INVALID_LOGIN", id="customer"),
        pytest.param("https://elsewhere.example.com", Settings().customer_id, "text", id="instance"),
    ],
)
def test_a_hundred_deletions_at_a_wrong_flinks_delete_nothing_and_page_ops(
    service: Service,
    erasing: Erasing,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    customer_id: str,
    second_delete: str,
) -> None:
    ids = [service.connect_and_post(f"greatday_nomfa+{n}") for n in range(100)]
    service.settle()
    elsewhere = another_flinks(service, monkeypatch, url, customer_id)
    elsewhere.settings.second_delete = second_delete
    capsys.readouterr()

    answer = erasing.invoke(connectionId=ids, ticket="T-1")

    assert [(each["outcome"], each["reason"]) for each in answer["connections"]] == [
        ("deleting", "another_flinks")
    ] * 100
    assert counted(capsys, "FlinksHomeMismatch") == 100
    assert all(row.sealed_login is not None and row.due_at is not None for row in erasing.rows())
    assert len(service.bank.vault.cards) == 100


def test_a_customer_id_that_nobody_has_deletes_nothing(
    erasing: Erasing, ready: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLINKS_CUSTOMER_ID", "00000000-1111-2222-3333-444444444444")
    wiring.reset()

    answer = erasing.erase(ready)

    assert answer["outcome"] == "deleting"
    assert counted(capsys, "OurCredentialsRefused") == 1


# --- shared logins


def shared(service: Service) -> tuple[str, str]:
    """Two owners of one login, both ready."""
    login_id = service.connect_bank()
    answers = [service.post(login_id, owner) for owner in ("alice", "bob")]
    service.settle()
    alice, bob = (json.loads(answer["body"])["connectionId"] for answer in answers)
    return alice, bob


def test_a_card_is_spared_for_another_owner_and_goes_with_the_last(service: Service, erasing: Erasing) -> None:
    alice, bob = shared(service)

    first = erasing.erase(alice)["receipt"]
    spared = len(service.bank.vault.cards)
    last = erasing.erase(bob)["receipt"]

    assert first["erased"]["flinks"]["answer"] == "kept_for_another_connection"
    assert last["erased"]["flinks"]["answer"] == "deleted"
    assert (spared, len(service.bank.vault.cards)) == (1, 0)


def test_two_owners_who_are_erased_at_once_do_not_spare_it_for_each_other(service: Service, erasing: Erasing) -> None:
    alice, bob = shared(service)
    service.world.tables[TABLE].lag = 5  # seconds that every index, and every read that is not consistent, is behind

    answer = erasing.invoke(connectionId=[alice, bob], ticket="T-1")
    erasing.settle()

    assert {each["outcome"] for each in answer["connections"]} <= {"deleted", "deleting"}
    assert service.bank.vault.cards == {}


def test_a_card_is_not_spared_for_who_was_refused_as_its_owner(service: Service, erasing: Erasing) -> None:
    login_id = service.connect_bank(tag=service.tag_for("alice"))
    alice, _ = (json.loads(service.post(login_id, owner)["body"])["connectionId"] for owner in ("alice", "mallory"))
    service.settle()

    receipt = erasing.erase(alice)["receipt"]

    assert receipt["erased"]["flinks"]["answer"] == "deleted"


# --- what AWS does not serve


@pytest.mark.parametrize("code", ["ThrottlingException", "DisabledException", "AccessDeniedException", "Timeout"])
def test_while_the_login_cannot_be_opened_nothing_is_dropped(
    service: Service, erasing: Erasing, ready: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service.world.fail("kms", "decrypt", code, times=3)
    capsys.readouterr()

    answer = erasing.erase(ready)
    waiting = service.row(ready)
    errors = counted(capsys, "EraseError")
    erasing.settle()

    assert (answer["outcome"], answer["reason"], errors) == ("deleting", "service_unavailable", 1)
    assert waiting.sealed_login is not None
    assert erasing.left_of(ready) == []
    assert service.row(ready).status is Status.DELETED


def test_an_order_that_could_not_be_written_down_is_said_not_to_be_done(
    service: Service, erasing: Erasing, ready: str
) -> None:
    service.world.fail("dynamodb", "update_item", "InternalServerError")

    answer = erasing.erase(ready)

    assert (answer["outcome"], answer["reason"]) == ("not_done", "service_unavailable")
    assert service.row(ready).status is Status.READY


def test_a_message_that_cannot_be_sent_is_made_good_by_the_schedule(
    service: Service, erasing: Erasing, ready: str
) -> None:
    service.script(endpoint="DeleteCard", steps=[{"code": "CARD_IN_USE"}])
    service.world.fail("sqs", "send_message", "ServiceUnavailable")

    erasing.erase(ready)
    erasing.settle()

    assert service.row(ready).status is Status.DELETED


# --- messages


def test_messages_carry_ids_and_counters_only(service: Service, erasing: Erasing, ready: str) -> None:
    service.script(endpoint="DeleteCard", steps=[{"code": "CARD_IN_USE"}])

    erasing.erase(ready)

    assert erasing.messages() == [{"connectionId": ready, "generation": 1, "attempt": 2}]


def delivered(erasing: Erasing, *bodies: str) -> Any:
    records = [{"messageId": f"m-{n}", "body": body, "eventSource": "aws:sqs"} for n, body in enumerate(bodies)]
    return erasing.handle({"Records": records})


def test_an_early_message_is_delayed_again(service: Service, erasing: Erasing, ready: str) -> None:
    use_card(service, seconds=3600)
    erasing.erase(ready)
    before = service.row(ready)

    delivered(erasing, json.dumps(erasing.messages()[0]))

    assert service.row(ready) == before
    assert len(erasing.messages()) == 2


def test_a_message_of_a_run_that_is_past_is_dropped(service: Service, erasing: Erasing, ready: str) -> None:
    use_card(service, seconds=3600)
    erasing.erase(ready)
    stale = erasing.messages()[0] | {"attempt": 1}
    before = erasing.everything()

    answer = delivered(erasing, json.dumps(stale))

    assert answer == {"batchItemFailures": []}
    assert erasing.everything() == before


def test_a_message_that_is_not_ours_fails_alone(erasing: Erasing) -> None:
    answer = delivered(erasing, "not ours", json.dumps({"connectionId": NOBODYS, "generation": 1, "attempt": 1}))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}


# --- afterwards


def test_nothing_brings_an_erased_connection_back(service: Service, erasing: Erasing) -> None:
    login_id = service.connect_bank()
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    hints = [{"connectionId": connection_id, "generation": g, "attempt": a} for g in (1, 2) for a in range(5)]
    erasing.erase(connection_id)
    erased = service.world.tables[TABLE].items

    posted = service.post(login_id)
    shown = service.get(connection_id)
    for hint in hints:
        service.world.queues["fetch"].send(json.dumps(hint))
        service.world.queues["erase"].send(json.dumps(hint))
    service.settle()

    assert (posted["statusCode"], shown["statusCode"]) == (410, 404)
    assert service.world.tables[TABLE].items == erased
    assert erasing.left_of(connection_id) == []


def test_a_connection_that_is_being_erased_is_closed_to_its_owner(service: Service, erasing: Erasing) -> None:
    login_id = service.connect_bank()
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    use_card(service, seconds=3600)
    erasing.erase(connection_id)

    posted, shown = service.post(login_id), json.loads(service.get(connection_id)["body"])

    assert posted["statusCode"] == 410
    assert shown["status"] == "deleting"


def test_no_log_line_names_the_login(service: Service, erasing: Erasing, caplog: pytest.LogCaptureFixture) -> None:
    login_id = service.connect_bank()
    service.post(login_id)
    use_card(service, seconds=60)

    erasing.invoke(loginId=login_id, ticket="PRIVACY-2041")
    erasing.settle()

    lines = [str(vars(record)) for record in caplog.records]
    assert any("PRIVACY-2041" in line for line in lines)
    assert not any(login_id in line.lower() for line in lines)


@pytest.mark.parametrize("sample", ["dry_run", "by_connection", "by_login", "by_owner"])
def test_a_sample_order_is_accepted(erasing: Erasing, sample: str) -> None:
    order = json.loads((ROOT / f"events/delete_connection.{sample}.json").read_text())

    answer = erasing.handle(order)

    assert {each["outcome"] for each in answer["connections"]} == {"unknown"}


def test_the_sample_message_is_accepted(erasing: Erasing) -> None:
    event = json.loads((ROOT / "events/delete_connection.due.json").read_text())

    answer = erasing.handle(event)

    assert answer == {"batchItemFailures": []}
