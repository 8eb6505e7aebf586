"""Two deployments in a row, rehearsed: whoever calls is served what was deployed last, and nobody what was before."""

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from local.aws import deployment
from local.aws.deployment import DeploymentError
from local.stack import ROOT, Stack
from tests.live_service import LiveService, eventually

FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
TELLS_ITS_RELEASE = """
import os
print(f"this is layer 2 at {os.environ['POWERTOOLS_LOG_LEVEL']}")
"""


class Releases:
    """A stack that is deployed to again and again, and its callers."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.live = LiveService(stack)
        self._stack, self._folder = stack, folder
        self._deployed_at = 0

    @cached_property
    def with_another_layer(self) -> Path:
        """The build that runs already, but for one module of the layer: it tells of itself when it is loaded."""
        built = self._folder / "with-another-layer"
        shutil.copytree(deployment.sam_build(deployment.host_architecture(), lambda _: None), built)
        package = built / "LandingLayer/python/landing"
        package.joinpath("__init__.py").write_text(TELLS_ITS_RELEASE)
        shutil.rmtree(package / "__pycache__")
        return built

    def deploy(self, built: Path, **parameters: str) -> None:
        self._deployed_at = int(time.time() * 1000)
        given = self._stack.parameters() | parameters
        deployment.deploy_built(self._stack.emulator, built, given, self._folder, lambda _: None)

    def call_from_everywhere(self) -> None:
        """API, stream, queue, schedule and ops; afterwards every function has run."""
        self.live.request("POST", "/connect-sessions")
        self.live.until(self.live.connect_and_post(), "ready")
        order = json.dumps({"connectionId": f"con_{uuid.uuid4().hex[:26]}", "generation": 1, "attempt": 1})
        self.live.client("sqs").send_message(QueueUrl=self._stack.outputs["EraseQueue"], MessageBody=order)
        self._let_the_schedule_fire()
        by_ops = {"refetch_connections", "import_logins"}
        eventually(lambda: all(self.told(name) for name in FUNCTIONS if name not in by_ops) or None, "all ran")
        self.ask("RefetchConnectionsFunction", {"reason": "flinks_unavailable", "dryRun": True})
        self.ask("ImportLoginsFunction", {"dryRun": True})

    def ask(self, output: str, order: dict[str, Any]) -> str:
        """As ops do; the version that answered."""
        answer = self.live.client("lambda").invoke(
            FunctionName=self._stack.outputs[output], Payload=json.dumps(order).encode()
        )
        return str(answer["ExecutedVersion"])

    def told(self, function: str) -> set[str]:
        """What the releases that ran a function since the last deployment told of themselves."""
        group = f"/aws/lambda/{deployment.STACK_NAME}/{function}"
        found = self.live.client("logs").filter_log_events(
            logGroupName=group, startTime=self._deployed_at, filterPattern="layer"
        )
        return {event["message"].strip() for event in found["events"]}

    def told_by_all(self) -> dict[str, set[str]]:
        return {function: self.told(function) for function in FUNCTIONS}

    def _let_the_schedule_fire(self) -> None:
        """Its rule matches an event too, for once: nobody waits five minutes."""
        events = self.live.client("events")
        (rule,) = (each["Name"] for each in events.list_rules()["Rules"] if each.get("ScheduleExpression"))
        events.put_rule(
            Name=rule, ScheduleExpression="rate(5 minutes)", EventPattern=json.dumps({"source": ["rehearsal"]})
        )
        events.put_events(Entries=[{"Source": "rehearsal", "DetailType": "Scheduled Event", "Detail": "{}"}])


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    folder = tmp_path_factory.mktemp("releases")
    with Stack(folder, lambda _: None) as stack:
        yield Releases(stack, folder)


def test_a_layer_is_served_to_every_caller_once_it_is_deployed(releases: Releases) -> None:
    releases.deploy(releases.with_another_layer)

    releases.call_from_everywhere()

    assert releases.told_by_all() == all_tell("this is layer 2 at INFO")


def test_so_is_a_parameter(releases: Releases) -> None:
    releases.deploy(releases.with_another_layer, LogLevel="WARNING")

    releases.call_from_everywhere()

    assert releases.told_by_all() == all_tell("this is layer 2 at WARNING")


def test_what_did_not_change_is_not_deployed(releases: Releases) -> None:
    with pytest.raises(DeploymentError, match="didn't contain changes"):
        releases.deploy(releases.with_another_layer, LogLevel="WARNING")


@pytest.mark.parametrize("output", ["DeleteConnectionFunction", "RefetchConnectionsFunction"])
def test_ops_invoke_the_released_version(releases: Releases, output: str) -> None:
    name, alias = releases.live.stack.outputs[output].split(":")

    version = releases.ask(output, {})

    released = releases.live.client("lambda").get_alias(FunctionName=name, Name=alias)["FunctionVersion"]
    assert version == released != "$LATEST"


def all_tell(what: str) -> dict[str, set[str]]:
    return {function: {what} for function in FUNCTIONS}
