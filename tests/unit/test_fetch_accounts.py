"""From received to the end, through the real handlers, in virtual time."""

import json
from datetime import timedelta
from itertools import pairwise

import pytest

from landing import wiring
from landing.domain.connection import Action, Status, timestamp
from landing.domain.transitions import ANNOUNCED_WITHIN
from landing.verbs.fetch_steps import FetchEnding
from tests.world.service import Service


def test_data_that_is_there_is_dropped_at_once(service: Service) -> None:
    connection_id = service.connect_and_post()

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.attempt, row.sessions, row.reason) == (Status.READY, 1, 1, None)
    assert row.drop is not None
    assert service.drops() == [row.drop.key] == [f"accounts/v1/{connection_id}/000001.json.gz"]
    assert (row.lease_until, row.sealed_request) == (None, None)
    assert row.due_at == row.announce_by == row.updated_at + ANNOUNCED_WITHIN


def test_data_that_flinks_is_collecting_is_polled_for_in_one_session(service: Service) -> None:
    connection_id = service.connect_and_post(pending={"polls": 3})

    service.settle()

    row = service.row(connection_id)
    polls = service.flinks_calls("GetAccountsDetail", "GetAccountsDetailAsync")
    pauses = [later - earlier for earlier, later in pairwise(polls)]
    assert (row.status, row.sessions, row.attempt) == (Status.READY, 1, 4)
    assert len(service.flinks_calls("GetAccountsDetail")) == 1
    assert len(service.flinks_calls("GetAccountsDetailAsync")) == 3
    assert all(pause >= timedelta(seconds=10) for pause in pauses)


def test_a_connection_that_is_pending_for_29_minutes_is_polled_all_the_while(service: Service) -> None:
    connection_id = service.connect_and_post(pending={"seconds": 29 * 60})

    service.settle()

    polls = service.flinks_calls("GetAccountsDetail", "GetAccountsDetailAsync")
    assert service.row(connection_id).status is Status.READY
    assert max(later - earlier for earlier, later in pairwise(polls)) < timedelta(seconds=30)
    assert service.world.queues["fetch-dead"].messages == []


def test_data_that_never_comes_ends_the_generation_after_half_an_hour(service: Service) -> None:
    connection_id = service.connect_and_post(pending={"never": True})
    posted_at = service.world.clock.now()

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.reason, row.action) == (Status.FAILED, "timed_out", Action.CONTACT_SUPPORT)
    assert timedelta(minutes=30) <= row.updated_at - posted_at < timedelta(minutes=32)
    assert row.sessions <= 3
    assert service.drops() == []


def test_a_bank_that_is_away_for_an_hour_costs_few_calls_and_never_two_sessions(service: Service) -> None:
    service.script(endpoint="Authorize", steps=[{"code": "RETRY_LATER", "times": "forever"}])
    connection_id = service.connect_and_post()

    service.world.run(timedelta(hours=1))

    row = service.row(connection_id)
    assert (row.status, row.reason) == (Status.WAITING, "bank_unavailable")
    assert 3 <= len(service.flinks_calls("Authorize")) <= 30
    assert len(service.world.invocations) <= 35


def test_flinks_being_away_for_a_day_gives_up_and_says_so(service: Service) -> None:
    service.script(endpoint="GenerateAuthorizeToken", steps=[{"fault": "refused", "times": "forever"}])
    connection_id = service.connect_and_post()

    service.settle(within=timedelta(days=3))

    row = service.row(connection_id)
    assert (row.status, row.reason) == (Status.FAILED, "flinks_unavailable")
    assert row.updated_at - row.received_at <= timedelta(hours=24, minutes=30)


def test_an_ended_session_is_followed_by_a_new_one_three_times_at_most(service: Service) -> None:
    service.script(endpoint="GetAccountsDetail", steps=[{"code": "SESSION_NONEXISTENT", "times": "forever"}])
    connection_id = service.connect_and_post()

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.reason, row.sessions) == (Status.FAILED, "flinks_session_ended", 3)
    assert len(service.flinks_calls("Authorize")) == 3


def test_a_throttled_data_call_keeps_its_session(service: Service) -> None:
    service.script(endpoint="GetAccountsDetail", steps=[{"code": "TOO_MANY_REQUESTS", "times": 3}])
    connection_id = service.connect_and_post()

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.sessions) == (Status.READY, 1)
    assert len(service.flinks_calls("Authorize")) == 1


def test_a_data_call_that_times_out_is_asked_again_in_its_session(service: Service) -> None:
    service.script(endpoint="GetAccountsDetail", steps=[{"fault": "hang", "seconds": 300}])
    connection_id = service.connect_and_post()

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.sessions) == (Status.READY, 1)
    assert len(service.flinks_calls("GetAccountsDetail")) == 2


def test_a_person_who_must_reconnect_is_told_so_and_a_later_post_begins_anew(service: Service) -> None:
    service.script(endpoint="Authorize", steps=[{"code": "INVALID_PASSWORD"}])
    login_id = service.connect_bank()
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    service.settle()
    stopped = service.row(connection_id)

    service.post(login_id)
    service.settle()

    again = service.row(connection_id)
    assert (stopped.status, stopped.action) == (Status.ACTION_REQUIRED, Action.RECONNECT)
    assert (again.status, again.generation, again.reason) == (Status.READY, 2, None)


def test_our_own_refused_key_is_read_anew_once_and_blames_no_connection(service: Service) -> None:
    connection_id = service.connect_and_post()
    service.bank.settings.secret_key = "rotated"
    service.world.secretsmanager.put_secret_value(SecretId="secret-key", SecretString='{"secretKey": "rotated"}')

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.retries) == (Status.READY, 0)


def test_our_own_refused_key_keeps_connections_waiting_for_as_long_as_it_takes(service: Service) -> None:
    connection_id = service.connect_and_post()
    service.bank.settings.secret_key = "rotated"

    service.world.run(timedelta(hours=30))
    waiting = service.row(connection_id)
    service.world.secretsmanager.put_secret_value(SecretId="secret-key", SecretString='{"secretKey": "rotated"}')
    service.settle()

    assert (waiting.status, waiting.reason) == (Status.WAITING, "service_misconfigured")
    assert service.row(connection_id).status is Status.READY


def test_a_secret_that_still_holds_its_placeholder_blames_no_connection(service: Service) -> None:
    service.world.secretsmanager.put_secret_value(SecretId="api-key", SecretString="to be filled in")
    connection_id = service.connect_and_post()

    service.world.run(timedelta(minutes=30))

    assert service.row(connection_id).reason == "service_misconfigured"


# --- duplicates, early and late


def test_every_message_five_times_is_one_drop_and_one_poll_chain(service: Service) -> None:
    queue = service.world.queues["fetch"]
    queue.copies, queue.disorder, queue.early = 5, 20, 5
    connection_id = service.connect_and_post(pending={"polls": 3})

    service.settle()

    assert service.row(connection_id).status is Status.READY
    assert service.row(connection_id).attempt == 4
    assert len(service.flinks_calls("GetAccountsDetailAsync")) == 3
    assert len(service.drops()) == 1


def test_a_message_that_comes_early_is_delayed_again_and_starts_nothing(service: Service) -> None:
    connection_id = service.connect_and_post(pending={"polls": 1})
    service.world.run(timedelta(seconds=3))
    row = service.row(connection_id)

    service.world.sqs.send_message(
        QueueUrl=service.world.queues["fetch"].url,
        MessageBody=json.dumps({"connectionId": connection_id, "generation": 1, "attempt": row.attempt}),
    )
    service.world.run(timedelta(seconds=2))
    still = service.row(connection_id)
    service.settle()

    assert row.status is Status.PENDING
    assert still == row
    assert service.row(connection_id).attempt == 2


def test_a_message_of_ours_or_not_never_harms_the_batch_it_came_in(service: Service) -> None:
    connection_id = service.connect_and_post(pending={"polls": 1})
    service.world.run(timedelta(seconds=3))
    for body in ("nonsense", "[]", '{"connectionId": 1}', '{"connectionId": "con_x", "generation": 1, "attempt": 0}'):
        service.world.sqs.send_message(QueueUrl=service.world.queues["fetch"].url, MessageBody=body)

    service.world.run(timedelta(minutes=1))

    assert service.row(connection_id).status is Status.READY


def test_near_its_timeout_a_function_claims_nothing_and_hands_on_what_is_left(service: Service) -> None:
    connection_ids = [service.connect_and_post(f"user-{n}") for n in range(5)]

    service.seconds_left, service.queue.enabled = 60, False
    service.world.run(timedelta(seconds=2))
    handed_on = [service.row(connection_id).status for connection_id in connection_ids]
    service.seconds_left, service.queue.enabled = 120, True
    service.settle()

    assert handed_on == [Status.RECEIVED] * 5
    assert {service.row(connection_id).status for connection_id in connection_ids} == {Status.READY}
    assert all(not (i.response or {}).get("batchItemFailures") for i in service.world.invocations)


# --- outages


@pytest.mark.parametrize("arrivals", [50, pytest.param(1000, marks=pytest.mark.long)])
def test_an_outage_of_six_hours_fails_no_stream_record_and_everyone_gets_there(service: Service, arrivals: int) -> None:
    service.script(steps=[{"fault": "html", "status": 503, "times": "forever"}])
    connection_ids = []
    for n in range(arrivals):
        connection_ids.append(service.connect_and_post(f"user-{n}"))
        service.world.run(timedelta(hours=6) / arrivals)

    service.bank.faults.remove()
    service.settle()

    rows = [service.row(connection_id) for connection_id in connection_ids]
    assert {row.status for row in rows} == {Status.READY}
    assert {row.drop.accounts for row in rows if row.drop} == {5}
    assert all(not (i.response or {}).get("batchItemFailures") for i in service.world.invocations)
    assert all(row.updated_at - service.world.clock.now() <= timedelta(minutes=20) for row in rows)


@pytest.mark.parametrize(
    ("aws", "operation", "code"),
    [
        ("kms", "decrypt", "ThrottlingException"),
        ("kms", "encrypt", "ThrottlingException"),
        ("secretsmanager", "get_secret_value", "InternalServiceError"),
        ("s3", "put_object", "SlowDown"),
        ("s3", "put_object", "AccessDenied"),
        ("s3", "put_object", "ConditionalRequestConflict"),
        ("dynamodb", "update_item", "ThrottlingException"),
        ("dynamodb", "update_item", "Timeout"),
    ],
)
@pytest.mark.parametrize("times", [1, 4])
def test_when_aws_fails_in_the_middle_the_connection_still_gets_there(
    service: Service, aws: str, operation: str, code: str, times: int
) -> None:
    connection_id = service.connect_and_post(pending={"polls": 1})
    service.world.fail(aws, operation, code, times)

    service.settle()

    assert service.row(connection_id).status is Status.READY
    assert service.versions_below(connection_id) == 1


def test_what_aws_did_not_serve_is_counted_and_named_in_the_log_line(
    service: Service, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    service.connect_and_post()
    service.world.fail("kms", "decrypt", "ThrottlingException")

    with caplog.at_level("INFO"):
        service.settle()

    said = [vars(record) for record in caplog.records if record.getMessage() == "fetch ended"]
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert [each["cause"] for each in said if each["cause"]] == ["kms:Decrypt ThrottlingException"]
    assert sum(line.get("FetchError", [0])[0] for line in metrics) == 1


@pytest.mark.parametrize(("aws", "operation"), [("kms", "decrypt"), ("s3", "put_object")])
def test_an_open_session_outlives_a_fault_of_aws(service: Service, aws: str, operation: str) -> None:
    connection_id = service.connect_and_post(pending={"polls": 1})
    service.until(connection_id, Status.PENDING)
    service.world.fail(aws, operation, "ServiceUnavailable")

    service.until(connection_id, Status.WAITING)
    service.settle()

    assert (service.row(connection_id).status, service.row(connection_id).sessions) == (Status.READY, 1)
    assert len(service.flinks_calls("Authorize")) == 1


# --- once


def test_a_put_whose_answer_got_lost_is_found_and_committed_not_repeated(service: Service) -> None:
    connection_id = service.connect_and_post()
    service.world.fail("s3", "put_object", "Timeout", effect=True)

    unanswered = service.until(connection_id, Status.WAITING)
    service.settle()

    row = service.row(connection_id)
    assert (unanswered.status, unanswered.reason) == (Status.WAITING, "drop_not_stored")
    assert unanswered.drain_until is not None, "the PUT may still land: an erase must wait"
    assert row.status is Status.READY
    assert service.versions_below(connection_id) == 1
    assert row.drop is not None
    assert row.drop.accounts == 5


def test_a_worker_that_outlives_its_lease_loses_to_the_one_who_claimed_after_it(service: Service) -> None:
    connection_id = service.connect_and_post()
    posted = len(service.world.calls)

    def another_claims_when_the_lease_is_over() -> None:
        service.world.clock.advance(301)  # the lease, and until nothing of it can land
        wiring.fetcher().fetch(service.row(connection_id).hint)

    put = posted + 8  # claim, open, two secrets, token, Authorize, data, PUT
    service.world.interrupt(put, "after_effect", another_claims_when_the_lease_is_over)
    service.settle()

    row = service.row(connection_id)
    assert service.world.calls[put - 1].operation == "put_object"
    assert (row.status, row.attempt) == (Status.READY, 2)
    assert service.world.counts()["s3.put_object"] == 2
    assert service.versions_below(connection_id) == 1


def test_a_claim_opens_the_login_once(service: Service) -> None:
    service.connect_and_post(pending={"polls": 1})

    service.settle()

    opened = [
        call.parameters["EncryptionContext"]["purpose"] for call in service.world.calls if call.operation == "decrypt"
    ]
    assert opened == ["login", "request", "login"]  # a claim that exchanges and asks, and one that polls and keeps


def test_a_claim_that_exchanges_and_keeps_opens_the_login_once(service: Service) -> None:
    service.connect_and_post()

    service.settle()

    assert service.world.counts()["kms.decrypt"] == 1


def test_a_worker_that_comes_back_after_its_lease_writes_nothing_over_what_another_has_done(service: Service) -> None:
    service.script(endpoint="GetAccountsDetail", steps=[{"code": "TOO_MANY_REQUESTS"}])
    connection_id = service.connect_and_post()
    posted = len(service.world.calls)

    def another_claims_when_the_lease_is_over() -> None:
        service.world.clock.advance(301)  # the lease, and until nothing of it can land
        wiring.fetcher().fetch(service.row(connection_id).hint)

    seal = posted + 8  # claim, open, a secret, token, Authorize, a secret, data, seal
    service.world.interrupt(seal, "before", another_claims_when_the_lease_is_over)
    service.settle()

    row = service.row(connection_id)
    assert service.world.calls[seal - 1].operation == "encrypt"
    assert (row.status, row.attempt, row.retries) == (Status.READY, 2, 0)


def test_a_claim_that_runs_is_left_alone_whoever_knows_its_number(service: Service) -> None:
    connection_id = service.connect_and_post()
    posted = len(service.world.calls)
    endings = []

    def a_message_about_the_running_claim() -> None:
        endings.append(wiring.fetcher().fetch(service.row(connection_id).hint).ending)

    service.world.interrupt(posted + 4, "before", a_message_about_the_running_claim)
    service.settle()

    assert endings == [FetchEnding.EARLY]
    assert len(service.flinks_calls("Authorize")) == 1


# --- who wants other accounts


def test_other_accounts_posted_while_a_claim_runs_are_fetched_as_the_next_generation(service: Service) -> None:
    login_id = service.connect_bank()
    account = service.accounts_of(login_id)[1]
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]

    def choose_another() -> None:
        service.post(login_id, accountIds=[account])

    claim = len(service.world.calls) + 1
    service.world.interrupt(claim, "after_effect", choose_another)

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.generation, row.refetch_wanted) == (Status.READY, 2, False)
    assert row.drop is not None
    assert row.drop.accounts == 1


def test_a_claim_after_a_dead_one_asks_for_the_other_accounts_alone(service: Service) -> None:
    login_id = service.connect_bank()
    account = service.accounts_of(login_id)[1]
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    posted = len(service.world.calls)

    def choose_another() -> None:
        service.post(login_id, accountIds=[account])

    service.world.interrupt(posted + 1, "after_effect", choose_another)
    service.world.crash_at(posted + 8, "before")  # a POST that has it fetched anew is counted twice
    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.generation) == (Status.READY, 2)
    assert row.drop is not None
    assert row.drop.accounts == 1
    assert len(service.flinks_calls("GetAccountsDetail")) == 1


def test_a_post_again_wakes_a_waiting_connection_at_once(service: Service) -> None:
    service.script(endpoint="Authorize", steps=[{"code": "RETRY_LATER", "times": 4}])
    login_id = service.connect_bank()
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    service.world.run(timedelta(seconds=2))
    waiting = service.row(connection_id)

    service.post(login_id)

    row = service.row(connection_id)
    assert waiting.status is Status.WAITING
    assert (row.status, row.retries, row.generation) == (Status.RECEIVED, 0, 1)
    assert timestamp(row.due_at or row.updated_at) == timestamp(service.world.clock.now())


# --- whose login is it


def test_a_tag_of_ours_for_someone_else_quarantines_and_stores_nothing(service: Service) -> None:
    tag = service.tag_for("bob")
    connection_id = service.connect_and_post(tag=tag)

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.reason, row.action) == (Status.FAILED, "ownership_mismatch", Action.RECONNECT)
    assert service.drops() == []


def test_a_tag_that_only_the_data_shows_counts_as_well(service: Service) -> None:
    connection_id = service.connect_and_post()
    service.script(endpoint="GetAccountsDetail", steps=[{"fault": "other_tag", "tag": service.tag_for("bob")}])

    service.settle()

    assert service.row(connection_id).reason == "ownership_mismatch"
    assert service.drops() == []


@pytest.mark.parametrize("tag", [None, "client=40817"])
def test_a_tag_that_is_not_ours_counts_as_none(service: Service, tag: str | None) -> None:
    connection_id = service.connect_and_post(tag=tag)

    service.settle()

    assert service.row(connection_id).status is Status.READY


def test_once_proven_a_joint_holders_tag_changes_nothing(service: Service) -> None:
    login_id = service.connect_bank(tag=service.tag_for("alice"))
    connection_id = json.loads(service.post(login_id)["body"])["connectionId"]
    service.settle()

    service.retag(login_id, service.tag_for("bob"))
    service.world.clock.advance(61)
    service.post(login_id)
    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.generation, row.owner_proven) == (Status.READY, 2, True)


def test_data_of_another_login_is_quarantined(service: Service) -> None:
    service.script(endpoint="GetAccountsDetail", steps=[{"fault": "other_login"}])
    connection_id = service.connect_and_post()

    service.settle()

    row = service.row(connection_id)
    assert (row.status, row.reason) == (Status.FAILED, "another_login")
    assert service.drops() == []
