"""What a cold start brings in, seen in an interpreter of its own as Lambda starts one."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import pytest

from tests.processed_template import ROOT
from tests.unit.test_honest_settings import all_settings

FOR_PERSONS = ("receive_login", "create_connect_session", "show_connection")

SEEN = """
import gc, json, os, random, sys, weakref

connected = []
def heard(event, _):
    if event in ("socket.connect", "socket.getaddrinfo"):
        connected.append(event)

sys.addaudithook(heard)

import app
from landing.edge.invocation import invoked

class Loop: pass

class Context:
    get_remaining_time_in_millis = staticmethod(lambda: 20_000)

snapshot = random.getstate()

def resumed():
    random.setstate(snapshot)  # a fork draws chances of its own, what Lambda resumes does not
    collects_before = gc.isenabled()
    invoked(lambda event, context: None)(None, Context())
    loop = Loop()
    loop.itself, left = loop, weakref.ref(loop)
    del loop
    made = [[] for _ in range(200_000)]
    return {"collects": [collects_before, gc.isenabled()], "left": left() is not None, "chance": random.random()}

read, write = os.pipe()
for _ in range(2):  # what is forked here is as alike as what Lambda resumes from one snapshot
    if os.fork() == 0:
        os.write(write, json.dumps(resumed()).encode() + b"\\n")
        os._exit(0)
    os.wait()
os.close(write)
environments = [json.loads(line) for line in os.fdopen(read)]
print(json.dumps({"modules": sorted(sys.modules), "connected": connected, "environments": environments}))
"""


@dataclass(frozen=True)
class Started:
    """What an environment held after its start, and what became of two that went on from there."""

    modules: list[str]
    connected: list[str]
    environments: list[dict[str, Any]]


def required() -> list[msgspec.structs.FieldInfo]:
    return [each for kind in all_settings() for each in msgspec.structs.fields(kind) if each.required]


@cache
def started(function: str) -> Started:
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
    return Started(**json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize("function", FOR_PERSONS)
def test_who_is_waited_for_brings_in_neither_pydantic_nor_boto3(function: str) -> None:
    assert not {"pydantic", "boto3", "s3transfer", "pytest"} & set(started(function).modules)


@pytest.mark.parametrize("function", FOR_PERSONS)
def test_a_start_opens_no_connection(function: str) -> None:
    assert started(function).connected == []


def test_a_start_looks_for_no_garbage_and_every_invocation_does() -> None:
    for environment in started("receive_login").environments:
        assert environment["collects"] == [False, True]
        assert environment["left"] is False


def test_environments_that_are_resumed_from_one_start_draw_chances_of_their_own() -> None:
    one, other = started("receive_login").environments

    assert one["chance"] != other["chance"]
