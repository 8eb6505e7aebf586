"""Every alarm of the template goes on by its cause and off again by its cure, in virtual time.

A scenario makes the cause happen to the real handlers; what the alarm then reads is what they printed, and what AWS
measures by itself as its documentation says. An alarm without a scenario, or a scenario without an alarm, is red.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from landing import wiring
from ops.logs import FUNCTIONS
from tests.world.audience import Audience, audience_of
from tests.world.erasing import Erasing, with_erasing
from tests.world.service import TEMPLATE, Service, http_event
from tests.world.watch import Throttled, Watch, alarms_of

MINUTE = timedelta(minutes=1)
FOR_EVER = 1_000_000
SETTINGS = {"CONNECTIONS_TABLE": "connections", "FLINKS_CONNECT_URL": "http://127.0.0.1/connect"}
A_LOGIN = "5f0a1c2e-0000-4000-8000-000000000000"


@dataclass
class Scene:
    """The whole service with its alarms; causes and cures in the words of who runs it."""

    service: Service
    watch: Watch
    audience: Audience
    erasing: Erasing
    monkeypatch: pytest.MonkeyPatch

    def keep(self, doing: Callable[[], Any], minutes: int) -> None:
        """Do it once a minute."""
        for _ in range(minutes):
            doing()
            self.service.world.run(MINUTE)

    def until(self, alarm: str, on: bool, within: timedelta) -> bool:
        """Run until the alarm is on, or off; whether that came about in time."""
        end = self.service.world.clock.now() + within
        while self.watch.on(alarm) is not on and self.service.world.clock.now() < end:
            self.service.world.run(MINUTE)
        return self.watch.on(alarm) is on

    # --- causes

    def invoke(self, function: str) -> None:
        """As its trigger does; whatever comes of it is what the alarm is about."""
        hint = {"connectionId": "con_" + "a" * 26, "generation": 1, "attempt": 0}
        message = {"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(hint)}
        image = {
            "connectionId": {"S": hint["connectionId"]},
            "generation": {"N": "1"},
            "attempt": {"N": "0"},
            "status": {"S": "ready"},
        }
        record = {
            "eventSource": "aws:dynamodb",
            "dynamodb": {
                "SequenceNumber": "1",
                "NewImage": image,
                "ApproximateCreationDateTime": self.service.world.clock.now().timestamp(),
            },
        }
        events = {
            "receive_login": http_event("POST /connections", "alice", body=json.dumps({"loginId": A_LOGIN})),
            "show_connection": http_event("GET /connections", "alice"),
            "create_connect_session": http_event("POST /connect-sessions", "alice", body="{}"),
            "fetch_accounts": {"Records": [message]},
            "delete_connection": {"Records": [message]},
            "publish_events": {"Records": [record]},
            "resume_stalled": {},
            "import_logins": {"logins": [{"loginId": A_LOGIN, "owner": "alice"}], "ticket": "T-7", "fetch": "later"},
            "refetch_connections": {"refetch": {"ids": [hint["connectionId"]]}, "ticket": "OPS-1"},
        }
        with suppress(Exception):  # Lambda reports what a function raised; the alarm has heard of it
            self.service.call(function, events[function])

    def post(self) -> None:
        self.service.post(self.service.connect_bank(pending={"polls": 0}))

    def post_three(self) -> None:
        for _ in range(3):
            self.post()

    def deploy_without_settings(self) -> None:
        """Settings went missing: the functions die of it."""
        for name in SETTINGS:
            self.monkeypatch.delenv(name)
        wiring.reset()

    def deploy_as_it_was(self) -> None:
        for name, value in SETTINGS.items():
            self.monkeypatch.setenv(name, value)
        wiring.reset()

    def refuse(self, service: str, operation: str, code: str) -> None:
        self.service.world.fail(service, operation, code, times=FOR_EVER)

    def serve_again(self) -> None:
        self.service.world._faults.clear()  # noqa: SLF001 - the outage ends


@pytest.fixture
def scene(service: Service, monkeypatch: pytest.MonkeyPatch) -> Scene:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    watch = Watch(service, monkeypatch)
    audience = audience_of(service)
    erasing = with_erasing(service, monkeypatch)
    wiring.reset()
    return Scene(service, watch, audience, erasing, monkeypatch)


@dataclass(frozen=True)
class Scenario:
    """What puts an alarm on, and what then takes it off."""

    cause: Callable[[Scene], Any]
    cure: Callable[[Scene], Any]
    on_within: timedelta = timedelta(hours=2)
    off_within: timedelta = timedelta(hours=3)


SCENARIOS: dict[str, Scenario] = {}


def camel(function: str) -> str:
    return "".join(word.capitalize() for word in function.split("_"))


# --- functions that die, or get no room


def dies(function: str) -> Scenario:
    def cause(scene: Scene) -> None:
        scene.deploy_without_settings()
        scene.invoke(function)

    return Scenario(cause, Scene.deploy_as_it_was)


def gets_no_room(function: str) -> Scenario:
    def cause(scene: Scene) -> None:
        scene.watch.throttled.add(function)
        scene.keep(lambda: scene.invoke(function), 20)

    return Scenario(cause, lambda scene: scene.watch.throttled.clear())


SCENARIOS |= {f"{camel(function)}Errors": dies(function) for function in FUNCTIONS}
SCENARIOS |= {f"{camel(function)}Throttles": gets_no_room(function) for function in FUNCTIONS}


# --- the API, the table, the keys


def keys_do_not_serve(scene: Scene) -> None:
    scene.refuse("kms", "generate_mac", "KMSInternalException")
    scene.keep(scene.post, 2)


def the_table_is_slow(scene: Scene) -> None:
    call = scene.service.world.call

    def slow(*arguments: Any) -> Any:
        scene.service.world.clock.advance(6)
        return call(*arguments)

    scene.monkeypatch.setattr(scene.service.world, "call", slow)
    scene.keep(lambda: scene.invoke("show_connection"), 20)
    scene.monkeypatch.setattr(scene.service.world, "call", call)


def the_table_refuses(code: str) -> Callable[[Scene], None]:
    def cause(scene: Scene) -> None:
        scene.refuse("dynamodb", "get_item", code)
        scene.keep(scene.post, 20)

    return cause


def callers_are_too_many(scene: Scene) -> None:
    for _ in range(20):
        scene.watch.answered_by_the_gateway(429)


def one_user_asks_too_much(scene: Scene) -> None:
    scene.service.set_environment(FETCHES_PER_HOUR="1", SESSIONS_PER_HOUR="1")
    for number in range(4):
        scene.service.post(f"5f0a1c2e-0000-4000-8000-{number:012d}")
        scene.invoke("create_connect_session")


SCENARIOS |= {
    "OneUserAsksTooMuch": Scenario(one_user_asks_too_much, lambda _: None),
    "ApiServerErrors": Scenario(keys_do_not_serve, Scene.serve_again),
    "ApiIsSlow": Scenario(the_table_is_slow, lambda _: None),
    "CallersAreThrottled": Scenario(callers_are_too_many, lambda _: None),
    "TableIsThrottled": Scenario(the_table_refuses("ProvisionedThroughputExceededException"), Scene.serve_again),
    "TableFails": Scenario(the_table_refuses("InternalServerError"), Scene.serve_again),
    "KeysDoNotServe": Scenario(keys_do_not_serve, Scene.serve_again),
}


# --- late, given up, lost


def fetches_hang(scene: Scene) -> None:
    """Each invocation runs into its timeout, and the batch is handed over again, ever older."""
    scene.watch.hanging.add("fetch_accounts")
    scene.keep(scene.post, 20)


def the_bus_refuses(scene: Scene) -> None:
    scene.refuse("events", "put_events", "InternalFailure")
    scene.keep(scene.post, 30)


def a_dead_letter(queue: str) -> Scenario:
    """A message that is none of ours: it fails until the queue gives it up."""

    def cause(scene: Scene) -> None:
        scene.service.world.queues[queue].send("not a hint")
        scene.service.world.run(timedelta(hours=4))

    def cure(scene: Scene) -> None:
        dead = scene.service.world.queues[queue].dead_letters
        assert dead is not None
        dead.messages.clear()

    return Scenario(cause, cure)


def a_record_is_given_up(scene: Scene) -> None:
    scene.post()
    scene.refuse("dynamodb", "update_item", "InternalServerError")
    scene.service.world.run(timedelta(hours=7))


def purged(queue: str) -> Callable[[Scene], None]:
    def cure(scene: Scene) -> None:
        scene.serve_again()
        scene.service.world.queues[queue].messages.clear()

    return cure


def the_bus_will_never_take_it(scene: Scene) -> None:
    scene.service.world.fail_entries("events", "put_events", "MalformedDetail", times=100)
    scene.post()


def dropped(function: str, event: str) -> Scenario:
    """DroppedEventCount is AWS's own: "Event source mapping metrics", Lambda developer guide."""

    def cause(scene: Scene) -> None:
        scene.watch.put("AWS/Lambda", "DroppedEventCount", 1, EventSourceMappingUUID=f"{function}{event}")

    return Scenario(cause, lambda _: None)


def cut_off(function: str) -> Scenario:
    """RecursiveInvocationsDropped is AWS's own: "Use Lambda recursive loop detection", Lambda developer guide."""

    def cause(scene: Scene) -> None:
        scene.watch.put("AWS/Lambda", "RecursiveInvocationsDropped", 1, FunctionName=f"{function}Function")

    return Scenario(cause, lambda _: None)


def the_stream_brings_no_endings(scene: Scene) -> None:
    """The mapping of publish_events is disabled: it says nothing of that by itself."""
    scene.audience.mapping.enabled = False
    scene.post()


def the_stream_brings_them(scene: Scene) -> None:
    scene.audience.mapping.enabled = True


def nobody_comes(scene: Scene) -> None:
    """The mappings are off: messages lie there, and the schedule wakes nobody."""
    scene.service.stream.enabled = scene.service.queue.enabled = False
    scene.post()


def they_come_again(scene: Scene) -> None:
    scene.service.stream.enabled = scene.service.queue.enabled = True


def the_schedule_is_off(scene: Scene) -> None:
    scene.service.schedule.enabled = False


def the_schedule_is_on(scene: Scene) -> None:
    scene.service.schedule.last = scene.service.world.clock.now()
    scene.service.schedule.enabled = True


SCENARIOS |= {
    "FetchIsBehind": Scenario(fetches_hang, lambda scene: scene.watch.hanging.clear()),
    "AnnouncementsAreBehind": Scenario(the_bus_refuses, Scene.serve_again),
    "AnnouncementsAreDelayed": Scenario(the_bus_refuses, Scene.serve_again),
    "FetchDeadLettersWaiting": a_dead_letter("fetch"),
    "EraseDeadLettersWaiting": a_dead_letter("erase"),
    "StreamFailuresWaiting": Scenario(a_record_is_given_up, purged("stream-failures")),
    "AnnouncementFailuresWaiting": Scenario(the_bus_will_never_take_it, purged("announcement-failures")),
    "FetchRecordsAreDropped": dropped("FetchAccountsFunction", "Received"),
    "AnnouncementsAreDropped": dropped("PublishEventsFunction", "Settled"),
    "FetchesAreCutOff": cut_off("FetchAccounts"),
    "DeletionsAreCutOff": cut_off("DeleteConnection"),
    "EndingsAreUnannounced": Scenario(
        the_stream_brings_no_endings, the_stream_brings_them, on_within=timedelta(hours=1)
    ),
    "ConnectionsAreOverdue": Scenario(nobody_comes, they_come_again),
    "ResumeIsMissing": Scenario(the_schedule_is_off, the_schedule_is_on),
}


# --- Flinks


def our_keys_are_wrong(scene: Scene) -> None:
    scene.service.world.secretsmanager.put_secret_value(SecretId="secret-key", SecretString='{"secretKey": "wrong"}')
    wiring.reset()


def our_keys_are_right(scene: Scene) -> None:
    right = json.dumps({"secretKey": scene.service.bank.settings.secret_key})
    scene.service.world.secretsmanager.put_secret_value(SecretId="secret-key", SecretString=right)


def fetched_with_wrong_keys(scene: Scene) -> None:
    our_keys_are_wrong(scene)
    scene.post()


def another_users_session(scene: Scene) -> None:
    login_id = scene.service.connect_bank()
    scene.service.retag(login_id, scene.service.tag_for("bob"))
    scene.service.post(login_id, "alice")


def flinks_answers(**fault: Any) -> Callable[[Scene], None]:
    def cause(scene: Scene) -> None:
        scene.service.script(endpoint="GetAccountsDetail", steps=[fault | {"times": "forever"}])
        scene.keep(scene.post_three, 30)

    return cause


def flinks_is_well(scene: Scene) -> None:
    scene.service._control.answer("DELETE", "/faults", b"")  # noqa: SLF001 - the simulator's own control


def the_login_key_is_closed_to_us(scene: Scene) -> None:
    scene.refuse("kms", "decrypt", "AccessDeniedException")
    scene.post()


SCENARIOS |= {
    "OurCredentialsAreRefused": Scenario(fetched_with_wrong_keys, our_keys_are_right),
    "DataIsQuarantined": Scenario(another_users_session, lambda _: None),
    "ConnectionsFail": Scenario(another_users_session, lambda _: None),
    "FetchesBreakOff": Scenario(the_login_key_is_closed_to_us, Scene.serve_again),
    "FlinksIsUnavailable": Scenario(
        flinks_answers(fault="html", status=503), flinks_is_well, off_within=timedelta(hours=30)
    ),
    "FlinksThrottlesUs": Scenario(
        flinks_answers(code="TOO_MANY_REQUESTS"), flinks_is_well, off_within=timedelta(hours=30)
    ),
    "BanksAreUnavailable": Scenario(flinks_answers(code="RETRY_LATER"), flinks_is_well, off_within=timedelta(hours=30)),
    "FlinksIsNotUnderstood": Scenario(flinks_answers(fault="nan"), flinks_is_well, off_within=timedelta(hours=30)),
}


# --- deletions


def deleted(scene: Scene, **card: Any) -> str:
    """A connection that is ready, and an order to delete it; gives its id."""
    connection_id = scene.service.connect_and_post(**card)
    scene.service.settle()
    scene.erasing.invoke(connectionId=connection_id, ticket="T-1", dryRun=False)
    return connection_id


def the_card_stays_in_use(scene: Scene) -> None:
    scene.service.script(endpoint="DeleteCard", steps=[{"code": "CARD_IN_USE", "times": "forever"}])
    deleted(scene)
    scene.service.world.run(timedelta(hours=25))


def deletions_break_off(scene: Scene) -> None:
    connection_id = scene.service.connect_and_post()
    scene.service.settle()
    scene.refuse("s3", "list_object_versions", "AccessDenied")
    scene.erasing.invoke(connectionId=connection_id, ticket="T-1", dryRun=False)


def another_flinks(scene: Scene) -> None:
    connection_id = scene.service.connect_and_post()
    scene.service.settle()
    scene.service.set_environment(FLINKS_API_URL="http://127.0.0.2")
    scene.service.script(endpoint="DeleteCard", steps=[{"code": "INVALID_LOGIN", "times": "forever"}])
    scene.erasing.invoke(connectionId=connection_id, ticket="T-1", dryRun=False)


def the_right_flinks(scene: Scene) -> None:
    scene.service.set_environment(FLINKS_API_URL="http://127.0.0.1")
    flinks_is_well(scene)


def logins_that_flinks_never_knew(scene: Scene) -> None:
    for number in range(3):
        answer = scene.service.post(f"00000000-0000-4000-8000-00000000000{number}")
        connection_id = json.loads(answer["body"])["connectionId"]
        scene.erasing.invoke(connectionId=connection_id, ticket="T-1", dryRun=False)


def deleted_with_wrong_keys(scene: Scene) -> None:
    connection_id = scene.service.connect_and_post()
    scene.service.settle()
    wrong = json.dumps({"apiKey": "wrong"})
    scene.service.world.secretsmanager.put_secret_value(SecretId="api-key", SecretString=wrong)
    wiring.reset()
    scene.erasing.invoke(connectionId=connection_id, ticket="T-1", dryRun=False)


def deleting_keys_are_right(scene: Scene) -> None:
    right = json.dumps({"apiKey": scene.service.bank.settings.api_key})
    scene.service.world.secretsmanager.put_secret_value(SecretId="api-key", SecretString=right)


SCENARIOS |= {
    "DeletionsAreOverdue": Scenario(the_card_stays_in_use, flinks_is_well),
    "DeletionsBreakOff": Scenario(deletions_break_off, Scene.serve_again),
    "DeletionsAskAnotherFlinks": Scenario(another_flinks, the_right_flinks),
    "DeletedLoginsAreUnknown": Scenario(logins_that_flinks_never_knew, lambda _: None),
    "DeletionCredentialsAreRefused": Scenario(deleted_with_wrong_keys, deleting_keys_are_right),
}


def test_every_alarm_has_its_scenario_and_every_scenario_its_alarm() -> None:
    assert set(SCENARIOS) == set(alarms_of(TEMPLATE))


@pytest.mark.parametrize("alarm", SCENARIOS)
def test_an_alarm_goes_on_by_its_cause_and_off_by_its_cure(scene: Scene, alarm: str) -> None:
    scenario = SCENARIOS[alarm]
    before = scene.watch.on(alarm)

    scenario.cause(scene)
    went_on = scene.until(alarm, on=True, within=scenario.on_within)
    scenario.cure(scene)
    went_off = scene.until(alarm, on=False, within=scenario.off_within)

    assert (before, went_on, went_off) == (False, True, True)


__all__ = ["Throttled"]
