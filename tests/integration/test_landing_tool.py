"""bin/landing on the local stack: each command does what it says, and its JSON says the same."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.stack import Stack
from ops import ledger, orders
from ops.cli import app, hoisted
from ops.commands import rarely
from ops.orders import NotDone
from tests.live_service import LiveService, eventually

type Landing = Callable[..., Any]


@pytest.fixture(scope="module")
def described(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    description = tmp_path_factory.mktemp("landing") / "stack.json"
    description.write_text(json.dumps(stack.description()))
    return description


@pytest.fixture
def landing(described: Path) -> Landing:
    """Runs a command; gives its JSON, and expects the exit code `code`."""

    def run(*arguments: str, code: int = 0, typed: str | None = None) -> Any:
        ran = CliRunner().invoke(app, hoisted([*arguments, "--json", "--local", str(described)]), input=typed)
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        assert ran.exit_code == code, f"{ran.exit_code}: {ran.stdout}{ran.stderr}"
        return json.loads(ran.stdout) if ran.stdout else None

    return run


@pytest.fixture
def read(described: Path) -> Callable[..., str]:
    """What a person reads of a command."""

    def run(*arguments: str) -> str:
        return CliRunner().invoke(app, hoisted([*arguments, "--local", str(described)])).stdout

    return run


def test_status_counts_what_the_table_holds(live: LiveService, landing: Landing) -> None:
    connection_id = live.connect_and_post()
    live.until(connection_id, "ready")

    told = landing("status")

    assert told["total"] >= 1
    assert told["byStatus"]["ready"] >= 1
    assert {each["name"] for each in told["queues"]} >= {"FetchQueue", "AnnouncementFailures"}
    assert told["paused"] is False


def test_list_finds_connections_by_state_owner_and_age(live: LiveService, landing: Landing) -> None:
    connection_id = live.connect_and_post("bob")
    live.until(connection_id, "ready", "bob")

    ready = landing("list", "--status", "ready", "--owner", "bob")
    waiting = landing("list", "--status", "waiting", "--owner", "bob")
    old = landing("list", "--owner", "bob", "--older", "1d")

    assert connection_id in [each["connectionId"] for each in ready["connections"]]
    assert waiting["connections"] == []
    assert old["connections"] == []


def test_show_tells_what_a_connection_is_and_what_happened_to_it(
    live: LiveService, landing: Landing, read: Callable[..., str]
) -> None:
    connection_id = live.connect_and_post()
    live.until(connection_id, "ready")

    def told() -> Any:
        shown = landing("show", connection_id)
        return shown if any(each["function"] == "publish_events" for each in shown["timeline"]) else None

    shown = eventually(told, "the log line of its announcement")

    assert shown["status"] == "ready"
    functions = [each["function"] for each in shown["timeline"]]
    assert functions[0] == "receive_login"
    assert "fetch_accounts" in functions
    assert f"{connection_id} is ready" in read("show", connection_id)


def test_show_of_nobody_says_so(landing: Landing) -> None:
    with pytest.raises(NotDone, match="There is no con_a"):
        landing("show", "con_" + "a" * 26)


def test_tail_reads_the_lines_of_one_function(live: LiveService, read: Callable[..., str]) -> None:
    connection_id = live.connect_and_post()

    def told() -> str | None:
        said = read("tail", "--function", "receive_login", "--since", "5m")
        return said if connection_id in said else None

    said = eventually(told, "the line of the login received")

    assert all("receive_login" in line for line in said.splitlines())


def test_delete_only_looks_unless_told_yes_and_then_keeps_the_receipt(
    live: LiveService, landing: Landing, tmp_path: Path
) -> None:
    connection_id = live.connect_and_post()
    live.until(connection_id, "ready")
    kept = tmp_path / "receipts.jsonl"

    looked = landing("delete", connection_id, "--ticket", "PRIVACY-1")
    still = live.row(connection_id).status
    done = landing("delete", connection_id, "--ticket", "PRIVACY-1", "--yes", "--receipts", str(kept))
    (receipt,) = landing("receipt", connection_id)

    assert looked["counts"] == {"would_delete": 1}
    assert still == "ready"
    assert done["counts"] == {"deleted": 1}
    assert receipt["ticket"] == "PRIVACY-1"
    assert json.loads(kept.read_text()) == receipt
    assert live.drops_of(connection_id) == []


def test_delete_reads_loginids_from_a_file_and_never_repeats_them(
    live: LiveService, landing: Landing, tmp_path: Path
) -> None:
    login_id = live.connect_bank()
    connection_id = live.post(login_id).body["connectionId"]
    live.until(connection_id, "ready")
    file = tmp_path / "logins.txt"
    file.write_text(login_id + "\n")

    done = landing("delete", "--login-file", str(file), "--ticket", "PRIVACY-2", "--yes")

    assert done["connections"][0]["connectionId"] == connection_id
    assert login_id not in json.dumps(done)


def test_receipts_are_found_by_their_ticket(live: LiveService, landing: Landing) -> None:
    connection_id = live.connect_and_post()
    live.until(connection_id, "ready")
    landing("delete", connection_id, "--ticket", "PRIVACY-3", "--yes")

    found = landing("receipt", "--ticket", "PRIVACY-3")

    assert [each["connectionId"] for each in found] == [connection_id]


def test_refetch_counts_and_then_asks_flinks_again(live: LiveService, landing: Landing) -> None:
    connection_id = live.connect_and_post()
    live.until(connection_id, "ready")

    counted = landing("refetch", connection_id)
    landing("refetch", connection_id, "--yes")
    eventually(lambda: live.row(connection_id) if live.row(connection_id).generation == 2 else None, "generation 2")

    assert counted["counts"] == {"refetched": 1}
    assert counted["dryRun"] is True
    live.until(connection_id, "ready")


def test_reannounce_puts_the_event_on_the_bus_again(live: LiveService, landing: Landing) -> None:
    connection_id = live.connect_and_post()
    live.until(connection_id, "ready")

    done = landing("reannounce", connection_id, "--yes")

    assert done["connections"] == {connection_id: "announced"}


def test_a_paused_stack_takes_logins_and_fetches_none_until_it_goes_on(live: LiveService, landing: Landing) -> None:
    landing("pause")
    try:
        connection_id = live.connect_and_post()
        paused = landing("status")
        attempt = live.row(connection_id).attempt
    finally:
        landing("resume")

    assert paused["paused"] is True
    assert attempt == 0
    live.until(connection_id, "ready")


def test_what_was_given_up_can_be_looked_at_and_thrown_away(live: LiveService, landing: Landing) -> None:
    found = live.client("cloudformation").describe_stack_resource(
        StackName="flinks-landing", LogicalResourceId="AnnouncementFailures"
    )
    url = found["StackResourceDetail"]["PhysicalResourceId"]
    live.client("sqs").send_message(QueueUrl=url, MessageBody='{"connectionId": "con_x", "code": "MalformedDetail"}')

    peeked = landing("queues", "peek", "AnnouncementFailures")
    counted = landing("queues", "purge", "AnnouncementFailures")
    landing("queues", "purge", "AnnouncementFailures", "--yes")

    assert peeked == [{"connectionId": "con_x", "code": "MalformedDetail"}]
    assert counted["purged"] is False
    assert landing("queues", "peek", "AnnouncementFailures") == []


def test_secrets_are_judged_without_being_shown_and_put_right_from_stdin(stack: Stack, landing: Landing) -> None:
    landing("secret", "set", "api-key", "--file", "-", typed="to be filled in")
    try:
        wrong = landing("secret", "check", code=1)
    finally:
        landing("secret", "set", "api-key", "--file", "-", typed=stack.flinks.api_key)

    assert {each["which"]: each["wrong"] for each in wrong} == {
        "secret-key": None,
        "api-key": "it is still the placeholder that the stack made",
    }
    assert all(each["wrong"] is None for each in landing("secret", "check"))


def test_doctor_finds_all_well_and_names_a_key_that_flinks_refuses(stack: Stack, landing: Landing) -> None:
    well = landing("doctor")
    landing("secret", "set", "api-key", "--file", "-", typed="another-key")
    try:
        ill = landing("doctor", code=1)
    finally:
        landing("secret", "set", "api-key", "--file", "-", typed=stack.flinks.api_key)

    assert [each for each in well if each["how"] != "ok"] == []
    (bad,) = [each for each in ill if each["how"] == "bad"]
    assert bad["what"] == "api-key at Flinks"
    assert bad["do"] == "bin/landing secret set"


def test_smoke_takes_a_whole_connection_from_login_to_receipt(landing: Landing) -> None:
    said = landing("smoke", "--demo")
    found = said["findings"]

    assert [each["how"] for each in found] == ["ok"] * 8
    assert [each["what"] for each in found][-3:] == ["its drop", "its event", "its deletion"]


def test_retry_tries_at_once_what_waits(live: LiveService, landing: Landing) -> None:
    login_id = live.connect_bank()
    live.control("POST", "/faults", {"loginId": login_id, "steps": [{"fault": "html", "times": 1}]})
    connection_id = live.post(login_id).body["connectionId"]
    eventually(lambda: live.row(connection_id) if live.row(connection_id).status == "waiting" else None, "waiting")

    counted = landing("retry", connection_id)
    done = landing("retry", connection_id, "--yes")

    assert counted["counts"] == done["counts"] == {"retried": 1}
    live.until(connection_id, "ready")


def test_all_of_an_owner_go_however_many_orders_that_takes(
    live: LiveService, landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "LARGEST", 2)
    connections = [live.connect_and_post("carol") for _ in range(5)]
    for connection_id in connections:
        live.until(connection_id, "ready", "carol")
    kept = tmp_path / "receipts.jsonl"

    counted = landing("delete", "--owner", "carol", "--ticket", "PRIVACY-4")
    done = landing("delete", "--owner", "carol", "--ticket", "PRIVACY-4", "--yes", "--receipts", str(kept))

    assert counted["counts"] == {"would_delete": 5}
    assert done["counts"] == {"deleted": 5}
    assert {json.loads(line)["connectionId"] for line in kept.read_text().splitlines()} == set(connections)
    assert {each["connectionId"] for each in landing("receipt", "--owner", "carol")} == set(connections)
    assert live.get(connections[0], "carol").status == 404


def test_what_stays_open_is_said_with_exit_code_1(live: LiveService, landing: Landing) -> None:
    login_id = live.connect_bank()
    connection_id = live.post(login_id).body["connectionId"]
    live.until(connection_id, "ready")
    live.control("POST", "/faults", {"loginId": login_id, "steps": [{"code": "CARD_IN_USE", "times": 2}]})

    still = landing("delete", connection_id, "--ticket", "PRIVACY-5", "--yes", "--wait", "1s", code=1)
    done = landing("delete", connection_id, "--ticket", "PRIVACY-5", "--yes", "--wait", "1m")

    assert still["counts"] == {"deleting": 1}
    assert still["connections"][0]["reason"] == "login_busy_at_flinks"
    assert done["counts"] == {"deleted": 1}


def test_an_alarm_that_is_on_is_shown_with_what_it_means(live: LiveService, landing: Landing) -> None:
    found = live.client("cloudformation").describe_stack_resource(
        StackName="flinks-landing", LogicalResourceId="EraseDeadLetters"
    )
    url = found["StackResourceDetail"]["PhysicalResourceId"]
    live.client("sqs").send_message(QueueUrl=url, MessageBody='{"connectionId": "con_x"}')

    alarm = eventually(
        lambda: next((each for each in landing("status")["alarms"] if "EraseDeadLetters" in each["alarm"]), None),
        "the alarm of the dead letter",
    )

    landing("queues", "purge", "EraseDeadLetters", "--yes")
    assert alarm["means"]


def test_each_question_that_only_aws_can_answer_is_asked_without_the_aws_cli(landing: Landing) -> None:
    said = landing("smoke")["questions"]
    answers = {each["id"]: each["answer"] for each in said}

    assert [each["id"] for each in said] == [question.id for question in ledger.questions()]
    assert answers["the-door-is-shut"] == "401"
    assert answers["paths-are-literal"] == "404"
    assert "Allow" in answers["loops-are-allowed"]
    assert "arn:aws:iam::" in answers["keys-know-their-roles"]
    assert "routeKey" in answers["access-is-logged"]
    assert answers["queues-refuse-plain-http"] == "not asked: the local stack is not AWS"


def test_doctor_turns_on_again_what_somebody_turned_off(live: LiveService, landing: Landing) -> None:
    key = live.client("cloudformation").describe_stack_resource(
        StackName="flinks-landing", LogicalResourceId="IndexKey"
    )
    id_ = key["StackResourceDetail"]["PhysicalResourceId"]
    (rule,) = [
        each
        for each in live.client("events").list_rules(NamePrefix="flinks-landing-")["Rules"]
        if "ScheduleExpression" in each
    ]
    live.client("kms").disable_key(KeyId=id_)
    live.client("events").disable_rule(Name=rule["Name"])

    ill = landing("doctor", code=1)
    mended = landing("doctor", "--mend")

    assert {each["what"] for each in ill if each["how"] == "bad"} >= {"IndexKey", "schedule"}
    assert {each["what"] for each in mended if each["mended"]} == {"IndexKey", "schedule"}
    assert all(each["how"] != "bad" for each in landing("doctor"))


def test_a_drill_puts_an_alarm_on(live: LiveService, landing: Landing) -> None:
    def drilled() -> str | None:
        """The alarm, if it was seen on: the next evaluation, which may come at once, puts it back."""
        name: str = landing("drill", "TableFails")["alarm"]
        found = live.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return name if [each["StateValue"] for each in found] == ["ALARM"] else None

    name = eventually(drilled, "the alarm is on")

    def on() -> set[str]:
        return {each["alarm"] for each in landing("status")["alarms"]}

    eventually(lambda: True if name not in on() else None, "the alarm has fallen back")


def test_deploy_protects_what_it_deployed(
    stack: Stack, landing: Landing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    samconfig = tmp_path / "samconfig.toml"
    samconfig.write_text(
        f'[prod.global.parameters]\nstack_name = "flinks-landing"\nregion = "{stack.emulator.region}"\n'
        '[prod.deploy.parameters]\nparameter_overrides = ["Environment=prod"]\n'
    )
    made: list[list[str]] = []
    monkeypatch.setattr(rarely, "SAMCONFIG", samconfig)

    def make(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        made.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", make)
    for name, value in aws_environment(stack).items():
        monkeypatch.setenv(name, value)

    done = landing("deploy", "--config", "prod", "--yes")

    (command,) = made
    (described,) = stack.client("cloudformation").describe_stacks(StackName="flinks-landing")["Stacks"]
    policy = json.loads(stack.client("cloudformation").get_stack_policy(StackName="flinks-landing")["StackPolicyBody"])
    assert command[-2:] == ["CONFIG=prod", "ARCHITECTURE=arm64"]
    assert done["first"] is False
    assert described["EnableTerminationProtection"] is True
    assert policy["Statement"][1]["Action"] == ["Update:Replace", "Update:Delete"]


def aws_environment(stack: Stack) -> dict[str, str]:
    """What makes the tool take the local stack for one on AWS."""
    return {
        "AWS_ENDPOINT_URL": stack.emulator.url,
        "AWS_ACCESS_KEY_ID": stack.emulator.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.emulator.secret_access_key,
        "AWS_REGION": stack.emulator.region,
    }


def logins_in(file: Path, live: LiveService, count: int) -> list[str]:
    """Writes so many loginIds that Flinks knows, one owner each; gives them."""
    login_ids = [live.connect_bank() for _ in range(count)]
    file.write_text("loginId,owner\n" + "".join(f"{each},owner-{n}\n" for n, each in enumerate(login_ids)))
    return login_ids


def imported_with_a_crash_in_the_middle(
    live: LiveService, landing: Landing, folder: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The first run dies half-way, a person posts, the second run brings the rest; gives the loginIds."""
    file, report = folder / "logins.csv", folder / "report.jsonl"
    login_ids = logins_in(file, live, count)
    order = ["import", str(file), "--ticket", "MIGRATION-7", "--fetch", "later", "--per-second", "200", "--yes"]
    invoke, so_far = orders.invoke, [0]

    def dying(target: Any, output: str, given: Any) -> Any:
        so_far[0] += len(given.get("logins", ()))
        if so_far[0] > count // 2:
            raise KeyboardInterrupt
        return invoke(target, output, given)

    monkeypatch.setattr(orders, "invoke", dying)
    landing(*order, code=130)
    monkeypatch.setattr(orders, "invoke", invoke)
    posted = live.post(live.connect_bank()).status

    done = landing(*order, "--report", str(report))

    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert posted == 202
    assert done["counts"]["imported"] + done["counts"]["already_here"] == count
    assert 0 < done["counts"]["already_here"] < count
    assert len({line["connectionId"] for line in lines}) == count
    held = landing("list", "--reason", "kept_for_later", "--limit", str(2 * count))["connections"]
    assert {line["connectionId"] for line in lines} <= {each["connectionId"] for each in held}
    return login_ids


def nothing_says(login_ids: list[str], stack: Stack, *said: Path) -> None:
    """No log of the stack, and none of the files, holds one of the loginIds."""
    places = [*(path for path in stack.folder.rglob("*.log") if path.name != "flinks.log"), *said]
    text = "".join(path.read_text(errors="replace").lower() for path in places)

    assert len(places) > 4
    assert [each for each in login_ids if each.lower() in text] == []


def test_logins_from_elsewhere_are_each_brought_once_though_the_first_run_died(
    live: LiveService, stack: Stack, landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login_ids = imported_with_a_crash_in_the_middle(live, landing, tmp_path, 60, monkeypatch)
    report, exported = tmp_path / "report.jsonl", tmp_path / "export.jsonl"

    landing("export", str(exported))
    connection_id = json.loads(report.read_text().splitlines()[0])["connectionId"]
    landing("retry", connection_id, "--yes")

    lines = [json.loads(line) for line in exported.read_text().splitlines()]
    (owner,) = [each["owner"] for each in lines if each["connectionId"] == connection_id]
    live.until(connection_id, "ready", owner)
    nothing_says(login_ids, stack, report, exported)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_thousand_logins_are_each_brought_once_though_the_first_run_died(
    live: LiveService, stack: Stack, landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login_ids = imported_with_a_crash_in_the_middle(live, landing, tmp_path, 10_000, monkeypatch)

    nothing_says(login_ids, stack, tmp_path / "report.jsonl")


def test_a_file_with_a_mistake_brings_nothing_and_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "logins.jsonl"
    file.write_text('{"loginId": "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2", "owner": "alice"}\n{"loginId": "CANARY"}\n')

    ran = CliRunner().invoke(app, ["import", str(file), "--ticket", "T-1", "--yes"])

    assert ran.exit_code == 2
    assert "line 2: loginId must be a GUID" in ran.stderr
    assert "line 2: owner is missing" in ran.stderr
    assert "CANARY" not in ran.stderr
