"""Versions and aliases as Lambda has them: a version stays as it was published, and callers get what they name."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.aws.conftest import make_role
from tests.integration.aws.test_iam import arn
from tests.integration.aws.test_streams import eventually

Client = Callable[[str], Any]

TELLS = """
import os
from the_layer import LAYER
def lambda_handler(event, context):
    told = {"code": "CODE", "layer": LAYER, "variable": os.environ["V"], "version": context.function_version,
            "memory": context.memory_limit_in_mb, "as": context.invoked_function_arn.split(":")[-1],
            "left": context.get_remaining_time_in_millis() > 5000}
    print(told["code"], told["layer"], told["variable"])
    return told
"""
CONSUME = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


class Function:
    """A function whose alias `live` names a version, and whose every part was changed since."""

    def __init__(self, client: Client, deploy: Callable[..., str], name: str) -> None:
        self.name, self._client = name, client
        consume = {"Effect": "Allow", "Action": list(CONSUME), "Resource": arn("sqs", "*")}
        deploy(
            name,
            TELLS.replace("CODE", "old"),
            consume,
            Environment={"Variables": {"V": "old"}},
            MemorySize=128,
            Timeout=10,
            Layers=[self._layer("old")],
        )
        self.publish()
        client("lambda").create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        self._change()

    def _layer(self, what: str) -> str:
        content = {"ZipFile": archive("python/the_layer.py", f"LAYER = {what!r}")}
        layer = self._client("lambda").publish_layer_version(LayerName=f"{self.name}-layer", Content=content)
        return str(layer["LayerVersionArn"])

    def _change(self) -> None:
        functions = self._client("lambda")
        code = archive("app.py", TELLS.replace("CODE", "new"))
        functions.update_function_code(FunctionName=self.name, ZipFile=code)
        functions.update_function_configuration(
            FunctionName=self.name,
            Environment={"Variables": {"V": "new"}},
            MemorySize=256,
            Timeout=3,
            Role=make_role(self._client, f"{self.name}-other-role"),
            Layers=[self._layer("new")],
        )

    def publish(self) -> str:
        return str(self._client("lambda").publish_version(FunctionName=self.name)["Version"])

    def told(self, name: str, **how: Any) -> dict[str, Any]:
        answer = self._client("lambda").invoke(FunctionName=name, **how)
        told: dict[str, Any] = json.loads(answer["Payload"].read())
        return told

    def logged(self) -> list[str]:
        events = self._client("logs").filter_log_events(logGroupName=f"/aws/lambda/{self.name}")["events"]
        return [each["message"] for each in events if each["message"].startswith(("old ", "new "))]


def archive(name: str, source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        zipped.writestr(name, source)
    return content.getvalue()


@pytest.fixture(scope="module")
def function(client: Client, deploy_function: Callable[..., str]) -> Function:
    return Function(client, deploy_function, "released")


def test_a_version_is_code_layer_environment_memory_and_timeout_as_they_were(function: Function) -> None:
    old = {"code": "old", "layer": "old", "variable": "old", "version": "1", "memory": "128", "left": True}

    assert function.told("released:1") == old | {"as": "1"}
    assert function.told("released:live") == old | {"as": "live"}
    assert function.told("released", Qualifier="live") == old | {"as": "live"}


def test_who_names_no_version_gets_what_was_changed_since(function: Function) -> None:
    new = {"code": "new", "layer": "new", "variable": "new", "version": "$LATEST", "memory": "256", "left": False}

    assert function.told("released") == new | {"as": "released"}


def test_a_version_keeps_its_role(function: Function, client: Client) -> None:
    def role(name: str) -> str:
        return str(client("lambda").get_function_configuration(FunctionName=name)["Role"]).rsplit("/", 1)[1]

    assert role(f"{function.name}:live") == "released-role"
    assert role(function.name) == "released-other-role"


def test_what_did_not_change_is_no_new_version(client: Client, make_function: Callable[..., str]) -> None:
    name = make_function("def lambda_handler(event, context): return 1")
    publish = client("lambda").publish_version

    first, again = (publish(FunctionName=name)["Version"] for _ in range(2))
    client("lambda").update_function_configuration(FunctionName=name, Description="another release")

    assert (first, again, publish(FunctionName=name)["Version"]) == ("1", "1", "2")


def test_a_queue_that_is_mapped_to_the_alias_serves_its_version(function: Function, client: Client) -> None:
    queue = client("sqs").create_queue(QueueName="for-released")["QueueUrl"]
    client("lambda").create_event_source_mapping(
        EventSourceArn=arn("sqs", "for-released"), FunctionName="released:live"
    )
    before = len(function.logged())

    client("sqs").send_message(QueueUrl=queue, MessageBody="x")

    assert eventually(lambda: function.logged()[before:]) == ["old old old"]
