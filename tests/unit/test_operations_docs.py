"""What docs/operations.md tells a person at night is so: alarms, queues, names, numbers, commands, files.

`tests/integration/test_runbook.py` runs every command of the page.
"""

import re
from itertools import pairwise
from typing import Any

import botocore.session
import pytest
import typer

from landing.flinks import codes
from landing.flinks.codes import Kind, Verdict
from landing.metrics import Metric
from ops.cli import app
from tests.processed_template import ROOT, source
from tests.runbook import PAGE, commands

type Json = dict[str, Any]

PARAGRAPH = re.compile(r"^\*\*(`\w+`(?:,\s`\w+`)*)\*\*\s(.+?)(?=\n\n|\n?\Z)", re.MULTILINE | re.DOTALL)
TEMPLATE = source()
TOOL: Any = typer.main.get_command(app)
FUNCTIONS = {path.parent.name for path in ROOT.glob("functions/*/app.py")}

PRODUCTS = {"EventBridge", "CloudFormation", "DeleteCard"}
ACTIONS = {"ListBucket", "ListBucketVersions", "InvokeFunction"}
"""IAM's, where no operation has the name."""


def of_type(kind: str) -> set[str]:
    return {name for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == kind}


def section(title: str) -> str:
    _, _, after = PAGE.partition(f"\n## {title}\n")
    assert after, f"no section {title}"
    return after.split("\n## ")[0]


def paragraphs() -> list[tuple[list[str], str]]:
    """The alarms' paragraphs: whose it is, and what it says."""
    return [(re.findall(r"\w+", names), text) for names, text in PARAGRAPH.findall(section("Alarms"))]


def test_every_alarm_has_one_paragraph_and_no_paragraph_is_of_another_time() -> None:
    told = [name for names, _ in paragraphs() for name in names]

    assert sorted(told) == sorted(of_type("AWS::CloudWatch::Alarm"))


@pytest.mark.parametrize(("names", "text"), paragraphs(), ids=lambda value: value[0] if isinstance(value, list) else "")
def test_a_paragraph_says_what_it_means_where_to_look_what_to_do_and_how_to_undo_it(
    names: list[str], text: str
) -> None:
    parts = re.split(r"\n(?=\*)", text)

    assert [part.split(":*")[0] for part in parts[1:]] == ["*Look", "*Do", "*Undo"], names
    assert parts[0].strip()


def test_every_queue_for_what_was_given_up_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section("What was given up"), re.MULTILINE)

    assert sorted(rows) == sorted(of_type("AWS::SQS::Queue") - {"FetchQueue", "EraseQueue"})


def test_the_numbers_are_the_template_s() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]*) \|", section("Change the numbers"), re.MULTILINE)
    told = {
        name: default
        for names, defaults in rows
        for name, default in zip(re.findall(r"\w+", names), re.split(", ", defaults.strip()), strict=True)
    }

    numbers = {name for name, parameter in TEMPLATE["Parameters"].items() if parameter["Type"] == "Number"}
    assert told == {name: str(TEMPLATE["Parameters"][name]["Default"]) for name in told}
    assert numbers <= set(told)
    assert {"PollSeconds", "FetchThreads", "MaxFetchers"} <= numbers


def test_the_formula_of_calls_in_flight_is_worked_out_right() -> None:
    defaults = {name: TEMPLATE["Parameters"][name].get("Default") for name in ("MaxFetchers", "FetchThreads")}
    events = TEMPLATE["Resources"]["FetchAccountsFunction"]["Properties"]["Events"]
    workers = 4 * events["Received"]["Properties"]["ParallelizationFactor"]
    batch = events["Due"]["Properties"]["BatchSize"]

    at_most = (defaults["MaxFetchers"] + workers) * defaults["FetchThreads"]
    in_practice = defaults["MaxFetchers"] * batch + workers * defaults["FetchThreads"]

    assert f"= {at_most}." in section("Limits")
    assert f"= {in_practice}." in section("Limits")


def test_names_of_resources_outputs_parameters_and_metrics_are_real() -> None:
    session = botocore.session.get_session()
    operations = {
        operation
        for service in ("dynamodb", "s3", "lambda", "sqs", "kms")
        for operation in session.get_service_model(service).operation_names
    }
    known = (
        {*TEMPLATE["Resources"], *TEMPLATE["Outputs"], *TEMPLATE["Parameters"], *Metric}
        | {"AuthorizationScopes", "DDBStreamBatchInfo", "Enabled", "Environment"}
        | operations
        | ACTIONS
        | PRODUCTS
    )

    told = set(re.findall(r"`([A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+)`", PAGE))

    assert told - known == set()
    assert len(told) > 60


def test_whose_lines_are_read_and_which_queues_are_looked_into_is_there() -> None:
    words = [word for command in commands() for word in zip(command, [*command[1:], ""], strict=True)]
    read = {after for word, after in words if word == "--function"}
    queues = {after for word, after in words if word in ("peek", "purge")}

    assert read <= FUNCTIONS | {"access"}
    assert queues <= of_type("AWS::SQS::Queue")
    assert len(read) > 5
    assert len(queues) > 3


def test_what_lines_are_searched_for_is_what_the_code_writes() -> None:
    code = "".join(
        path.read_text() for folder in ("functions", "layers/landing/landing") for path in (ROOT / folder).rglob("*.py")
    )
    words = [word for command in commands() for word in pairwise(command)]
    searched = [re.fullmatch(r"(\w+)=([a-z_ ]+)", after) for word, after in words if word == "--where"]
    found = [(each[1], each[2]) for each in searched if each]

    assert {word for _, word in found if f'"{word}"' not in code} == set()
    assert {name for name, _ in found if f"{name}=" not in code and f'"{name}"' not in code} == set()
    assert len({word for _, word in found}) > 6


def test_for_every_reason_to_give_up_it_says_what_to_do() -> None:
    gives_up = {Kind.RETRY, Kind.REAUTHORIZE, Kind.STOP, Kind.QUARANTINE}
    verdicts = {each for each in vars(codes).values() if isinstance(each, Verdict)}
    reasons = {verdict.reason for verdict in verdicts if verdict.kind in gives_up}
    ((_, text),) = [paragraph for paragraph in paragraphs() if paragraph[0] == ["ConnectionsFail"]]

    told = set(re.findall(r"`([a-z_]+)`", text))

    assert reasons - told == set()
    assert told - reasons <= {
        "timed_out",
        "login_missing",
        "account_data_incomplete",
        "service_unavailable",
        "drop_not_stored",
        "failed",
        "reason",
    }


def test_words_in_small_letters_are_words_of_the_code() -> None:
    places = [*ROOT.glob("functions/*/app.py"), *ROOT.glob("layers/landing/landing/**/*.py"), ROOT / "samconfig.toml"]
    words = set(re.findall(r"[a-z]+(?:_[a-z]+)+", " ".join(place.read_text() for place in places)))

    told = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGE))

    assert told - words - FUNCTIONS == set()
    assert len(told) > 30


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_is_one_that_the_tool_knows_with_options_it_takes(words: list[str]) -> None:
    command, rest = TOOL, [*words]
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]

    known = {option for each in (*command.params, *TOOL.params) for option in each.opts} | {"--help"}

    assert command is not TOOL or set(rest) == {"--help"}
    assert {word for word in rest if word.startswith("--")} <= known


def test_nothing_needs_the_aws_cli() -> None:
    assert re.findall(r"`aws [a-z]|^ *aws [a-z0-9]+ |\$\(", PAGE, re.MULTILINE) == []


def test_files_and_links_lead_somewhere() -> None:
    files = set(re.findall(r"(?:docs|events|tests)/[\w./*]+\.(?:py|json|md)", PAGE))
    links = set(re.findall(r"\]\(([^)#]+)\)", PAGE))
    anchors = set(re.findall(r"\]\(#([^)]+)\)", PAGE))
    titles = {title.lower().replace(" ", "-") for title in re.findall(r"^##+ (.+)$", PAGE, re.MULTILINE)}

    assert {name for name in files if not list(ROOT.glob(name))} == set()
    assert {name for name in links if not (ROOT / "docs" / name).exists()} == set()
    assert anchors <= titles
    assert len(files) > 4


def test_which_alarms_can_wait_is_said_of_those_that_go_to_the_other_topic() -> None:
    (told,) = re.findall(r"These can wait:\s(.+?)\n\n", section("Alarms"), re.DOTALL)
    alarms = {
        name: each["Properties"]
        for name, each in TEMPLATE["Resources"].items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }

    can_wait = {name for name, alarm in alarms.items() if "NoticeTopicArn" in str(alarm["AlarmActions"])}

    assert set(re.findall(r"`(\w+)`", told)) == can_wait
