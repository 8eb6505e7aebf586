"""import_logins: ops bring loginIds that were kept elsewhere; each is kept once, and fetched when that is wanted."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from landing.domain.connection import Status
from landing.domain.reasons import Reason
from tests.world.audience import Audience, audience_of
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import Service

EVENTS = Path(__file__).parents[2] / "events"
LONG_AGO = "2025-11-03T09:30:00Z"
DAYS = timedelta(days=3)
DO: dict[str, Any] = {"ticket": "T-7", "dryRun": False}


@pytest.fixture(autouse=True)
def audience(service: Service) -> Audience:
    return audience_of(service)


@pytest.fixture
def erasing(service: Service, monkeypatch: pytest.MonkeyPatch) -> Erasing:
    return with_erasing(service, monkeypatch)


def bring(service: Service, *login_ids: str, fetch: str = "now", dry_run: bool = False) -> dict[str, Any]:
    """Invoke as ops does: JSON in, JSON out."""
    logins = [
        {"loginId": each, "owner": "alice", "institution": "FlinksCapital", "receivedAt": LONG_AGO}
        for each in login_ids
    ]
    order = {"logins": logins, "ticket": "T-7", "fetch": fetch, "dryRun": dry_run}
    answer: dict[str, Any] = json.loads(json.dumps(service.call("import_logins", order)))
    return answer


def ids_of(answer: dict[str, Any]) -> list[str]:
    return [each["connectionId"] for each in answer["logins"]]


def flinks_was_asked(service: Service) -> int:
    return len(service.bank.traffic.log())


def test_an_imported_login_is_fetched_as_one_that_was_posted_with_its_own_day(service: Service) -> None:
    answer = bring(service, service.connect_bank("greatday_nomfa+1"), service.connect_bank("greatday_nomfa+2"))
    service.settle()

    rows = [service.row(each) for each in ids_of(answer)]
    assert answer["counts"] == {"imported": 2}
    assert [row.status for row in rows] == [Status.READY] * 2
    assert {row.received_at for row in rows} == {datetime(2025, 11, 3, 9, 30, tzinfo=UTC)}
    assert {row.institution for row in rows} == {"FlinksCapital"}


def test_what_is_kept_for_later_waits_for_nobody_and_asks_flinks_nothing(service: Service) -> None:
    before = flinks_was_asked(service)
    (connection_id,) = ids_of(bring(service, service.connect_bank(), fetch="later"))

    service.world.run(DAYS)

    row = service.row(connection_id)
    assert (row.status, row.reason, row.due_at) == (Status.WAITING, Reason.KEPT_FOR_LATER, None)
    assert flinks_was_asked(service) == before
    assert json.loads(service.get(connection_id)["body"])["status"] == "processing"


def test_a_retry_by_its_reason_begins_it_with_all_its_time_and_one_of_all_leaves_it(service: Service) -> None:
    (connection_id,) = ids_of(bring(service, service.connect_bank(), fetch="later"))
    service.world.run(DAYS)
    service.script(endpoint="Authorize", steps=[{"fault": "html", "times": 2}])

    of_all = service.call("refetch_connections", {"retry": {"receivedTo": "2100-01-01T00:00:00Z"}, **DO})
    still = service.row(connection_id).status
    by_reason = service.call("refetch_connections", {"retry": {"reason": "kept_for_later"}, **DO})
    service.settle()

    assert of_all["counts"] == {}
    assert still is Status.WAITING
    assert by_reason["counts"] == {"retried": 1}
    assert service.row(connection_id).status is Status.READY


def test_its_owner_begins_it_by_posting_it_again(service: Service) -> None:
    login_id = service.connect_bank()
    (connection_id,) = ids_of(bring(service, login_id, fetch="later"))
    service.world.run(DAYS)
    service.script(endpoint="Authorize", steps=[{"fault": "html", "times": 2}])

    service.post(login_id)
    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.generation) == (Status.READY, 1)


def test_what_is_kept_for_later_can_be_erased(service: Service, erasing: Erasing) -> None:
    (connection_id,) = ids_of(bring(service, service.connect_bank(), fetch="later"))

    erasing.invoke(connectionId=connection_id, ticket="T-1", dryRun=False)
    erasing.settle()

    assert service.row(connection_id).status is Status.DELETED


def test_what_is_here_stays_as_it_is_however_often_it_is_imported(service: Service) -> None:
    login_id = service.connect_bank()
    first = bring(service, login_id)
    service.settle()
    before = service.row(ids_of(first)[0])

    again = bring(service, login_id)
    later = bring(service, login_id, fetch="later")
    service.settle()

    assert again["counts"] == later["counts"] == {"already_here": 1}
    assert ids_of(again) == ids_of(first)
    assert service.row(before.connection_id) == before


def test_what_was_erased_does_not_come_back(service: Service, erasing: Erasing) -> None:
    login_id = service.connect_bank()
    (connection_id,) = ids_of(bring(service, login_id))
    service.settle()
    erasing.invoke(connectionId=connection_id, ticket="T-1", dryRun=False)
    erasing.settle()

    answer = bring(service, login_id)

    assert answer["counts"] == {"erased": 1}
    assert service.row(connection_id).status is Status.DELETED


def test_a_dry_run_counts_and_writes_nothing(service: Service) -> None:
    answer = bring(service, service.connect_bank("greatday_nomfa+1"), dry_run=True)

    assert answer["counts"] == {"imported": 1}
    assert service.rows() == []


def test_ops_word_on_whose_it_is_counts_where_a_tag_is_required(service: Service) -> None:
    service.set_environment(REQUIRE_OWNER_TAG="true")

    (connection_id,) = ids_of(bring(service, service.connect_bank()))
    service.settle()

    assert service.row(connection_id).status is Status.READY


def test_what_aws_does_not_serve_is_said_to_be_undone_and_the_others_are_done(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.world.fail("kms", "encrypt", "KMSInternalException", times=1)

    answer = bring(service, *(service.connect_bank(f"greatday_nomfa+{n}") for n in range(3)))

    assert [each["outcome"] for each in answer["logins"]] == ["not_done", "imported", "imported"]
    assert {vars(record).get("cause") for record in caplog.records} >= {"kms:Encrypt KMSInternalException"}


def test_a_run_that_has_no_time_left_says_what_it_did_not_do(service: Service) -> None:
    order = {
        "logins": [{"loginId": service.connect_bank(), "owner": "alice"}],
        "ticket": "T-7",
        "fetch": "now",
        "dryRun": False,
    }

    answer = service.call("import_logins", order, lambda: 20)

    assert answer["counts"] == {"not_done": 1}
    assert service.rows() == []


def test_no_login_id_and_no_owner_is_said_again(
    service: Service, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    login_id = service.connect_bank()
    login = {"loginId": login_id, "owner": "an-owner-of-hers"}
    order = {"logins": [login], "ticket": "T-7", "fetch": "now", "dryRun": False}

    answer = service.call("import_logins", order)
    refused = service.call("import_logins", {**order, "fetch": login_id})

    logged = [vars(record) for record in caplog.records]
    said = capsys.readouterr().out + json.dumps([answer, refused, logged], default=str)
    assert {each["msg"] for each in logged} >= {"logins imported", "order refused"}
    assert login_id not in said
    assert "an-owner-of-hers" not in said
    assert refused["outcome"] == "refused"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"logins": []}, "`logins`"),
        ({"fetch": "soon"}, "`fetch`"),
        ({"ticket": "of Ms Example"}, "`ticket`"),
        ({"logins": [{"loginId": "x", "owner": "alice"}]}, "`logins"),
        ({"logins": [{"loginId": "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"}]}, "`logins"),
        ({"more": 1}, "a member that nobody knows"),
    ],
)
def test_what_is_no_order_is_refused_with_what_is_accepted(service: Service, wrong: dict[str, Any], told: str) -> None:
    order = json.loads((EVENTS / "import_logins.later.json").read_text())

    answer = service.call("import_logins", {**order, **wrong})

    assert answer["outcome"] == "refused"
    assert told in answer["detail"]
    assert set(answer["accepted"]) == {"logins", "ticket", "fetch", "dryRun"}


def test_the_sample_is_an_order(service: Service) -> None:
    answer = service.call("import_logins", json.loads((EVENTS / "import_logins.later.json").read_text()))

    assert answer["counts"] == {"imported": 1}
