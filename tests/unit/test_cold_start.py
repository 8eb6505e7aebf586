"""What a cold start brings in, seen in an interpreter of its own as Lambda starts one."""

import json
import os
import subprocess
import sys

import msgspec
import pytest

from tests.processed_template import ROOT
from tests.unit.test_honest_settings import all_settings

FOR_PERSONS = ("receive_login", "create_connect_session", "show_connection")

SEEN = """
import gc, json, sys, weakref
import app
from landing.edge.invocation import invoked

class Loop:
    pass

class Context:
    get_remaining_time_in_millis = staticmethod(lambda: 20_000)

def garbage():
    loop = Loop()
    loop.itself = loop
    return weakref.ref(loop)

before = gc.isenabled()
invoked(lambda event, context: None)(None, Context())
left = garbage()
made = [[] for _ in range(200_000)]
print(json.dumps({"modules": sorted(sys.modules), "collects": [before, gc.isenabled()], "left": left() is not None}))
"""


def required() -> list[msgspec.structs.FieldInfo]:
    return [each for kind in all_settings() for each in msgspec.structs.fields(kind) if each.required]


def started(function: str) -> dict[str, object]:
    """What an environment of `function` holds after its start and one invocation."""
    path = os.pathsep.join(str(each) for each in (ROOT / "functions" / function, ROOT / "layers/landing", *sys.path))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": path,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_DEFAULT_REGION": "ca-central-1",
        "POWERTOOLS_METRICS_NAMESPACE": "start",
        "POWERTOOLS_SERVICE_NAME": "start",
        **{each.encode_name: "7" if each.type is int else "https://127.0.0.1" for each in required()},
        "FLINKS_CUSTOMER_ID": "43387ca6-0391-4c82-857d-70d95f087ecb",
    }
    run = subprocess.run(
        [sys.executable, "-c", SEEN], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    seen: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    return seen


@pytest.mark.parametrize("function", FOR_PERSONS)
def test_who_is_waited_for_brings_in_neither_pydantic_nor_boto3(function: str) -> None:
    modules = started(function)["modules"]

    assert isinstance(modules, list)
    assert not {"pydantic", "boto3", "s3transfer", "jsonschema", "pytest"} & set(modules)


def test_a_start_looks_for_no_garbage_and_every_invocation_does() -> None:
    seen = started("receive_login")

    assert seen["collects"] == [False, True]
    assert seen["left"] is False
