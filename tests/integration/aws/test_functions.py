"""Functions run as Lambda runs them: what was deployed, in an environment of its own, until its time is over."""

import base64
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MakeFunction = Callable[..., str]
Client = Callable[[str], Any]

TELLS_ITS_ENVIRONMENT = """
import os, sys
def lambda_handler(event, context):
    return {"environment": dict(os.environ), "path": sys.path, "arn": context.invoked_function_arn,
            "request": context.aws_request_id, "left": context.get_remaining_time_in_millis(), "event": event}
"""


def invoke(client: Client, name: str, event: Any = None) -> tuple[str | None, Any]:
    """The kind of function error, and the payload."""
    answer = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


def test_a_function_gets_its_own_variables_and_lambdas_and_nothing_of_ours(
    client: Client, make_function: MakeFunction
) -> None:
    name = make_function(TELLS_ITS_ENVIRONMENT, Environment={"Variables": {"OURS": "1"}}, MemorySize=256)

    error, told = invoke(client, name, {"x": "é"})

    environment = told["environment"]
    assert error is None
    assert told["event"] == {"x": "é"}
    assert told["request"]
    assert 0 < told["left"] <= 10_000
    assert told["arn"].endswith(f":function:{name}")
    assert environment["OURS"] == "1"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert environment["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{name}"
    assert environment["AWS_REGION"] == "ca-central-1"
    assert {"HOME", "VIRTUAL_ENV", "AWS_PROFILE"}.isdisjoint(environment)
    assert not [variable for variable in environment if "proxy" in variable.lower() or variable.startswith("FLINKS")]


def test_a_function_that_imports_what_was_not_deployed_fails_in_its_init_phase(
    client: Client, make_function: MakeFunction
) -> None:
    name = make_function("import boto3, ministack\ndef lambda_handler(event, context): return 1")

    error, told = invoke(client, name)

    assert error == "Unhandled"
    assert told["errorType"] == "Runtime.ImportModuleError"
    assert "ministack" in told["errorMessage"]


def test_a_functions_error_has_its_type_and_message(client: Client, make_function: MakeFunction) -> None:
    name = make_function("def lambda_handler(event, context): raise KeyError('nothing')")

    error, told = invoke(client, name)

    assert error == "Unhandled"
    assert (told["errorType"], told["errorMessage"]) == ("KeyError", "'nothing'")


def test_a_function_is_killed_at_its_timeout_and_works_again(client: Client, make_function: MakeFunction) -> None:
    sleeps = "import time\ndef lambda_handler(event, context):\n    time.sleep(event)\n    return 'awake'"
    name = make_function(sleeps, Timeout=1)

    error, told = invoke(client, name, 60)
    again = invoke(client, name, 0)

    assert error == "Unhandled"
    assert told["errorType"] == "Sandbox.Timedout"
    assert "timed out after 1.00 seconds" in told["errorMessage"]
    assert again == (None, "awake")


def test_a_function_that_ends_its_process_is_an_error_and_works_again(
    client: Client, make_function: MakeFunction
) -> None:
    name = make_function("import os\ndef lambda_handler(event, context):\n    return event or os._exit(3)")

    error, told = invoke(client, name)
    again = invoke(client, name, 1)

    assert error == "Unhandled"
    assert told["errorType"] == "Runtime.ExitError"
    assert told["errorMessage"].endswith("exit status 3")
    assert again == (None, 1)


def test_a_response_over_six_megabytes_is_an_error(client: Client, make_function: MakeFunction) -> None:
    name = make_function("def lambda_handler(event, context): return 'x' * 7_000_000")

    error, told = invoke(client, name)

    assert error == "Unhandled"
    assert told["errorType"] == "Function.ResponseSizeTooLarge"


def test_an_environment_is_used_again_and_never_twice_at_once(client: Client, make_function: MakeFunction) -> None:
    counts = """
import os, time
running = 0
def lambda_handler(event, context):
    global running
    running += 1
    time.sleep(event)
    most, running = running, running - 1
    return [os.getpid(), most]
"""
    name = make_function(counts)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(invoke(client, name, 0.3)[1])) for _ in range(6)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 6
    assert {most for _, most in answers} == {1}
    assert 2 <= len({pid for pid, _ in answers}) <= 4
    assert invoke(client, name, 0)[1][0] in {pid for pid, _ in answers}


def test_a_new_deployment_runs_in_new_environments(client: Client, make_function: MakeFunction) -> None:
    name = make_function("import os\ndef lambda_handler(event, context): return os.environ.get('NEW')")
    before = invoke(client, name)

    client("lambda").update_function_configuration(FunctionName=name, Environment={"Variables": {"NEW": "1"}})
    after = invoke(client, name)

    assert (before, after) == ((None, None), (None, "1"))


def test_what_a_function_prints_is_in_its_log_group_in_its_file_and_in_the_tail(
    client: Client, make_function: MakeFunction, emulator_folder: Path
) -> None:
    name = make_function("def lambda_handler(event, context): print('printed', event)")

    answer = client("lambda").invoke(FunctionName=name, Payload=b'"once"', LogType="Tail")

    logged = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    assert "printed once\n" in base64.b64decode(answer["LogResult"]).decode()
    assert "printed once" in [event["message"] for event in logged]
    assert (emulator_folder / "functions" / f"{name}.log").read_text() == "printed once\n"


def test_a_json_log_format_is_the_functions_too(client: Client, make_function: MakeFunction) -> None:
    logs = "import logging\ndef lambda_handler(event, context): logging.getLogger().warning('careful')"
    name = make_function(logs, LoggingConfig={"LogFormat": "JSON"})

    answer = client("lambda").invoke(FunctionName=name, LogType="Tail")

    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    line = json.loads(next(line for line in lines if "careful" in line))
    assert (line["level"], line["message"]) == ("WARNING", "careful")


def test_an_asynchronous_invocation_is_retried_twice(client: Client, make_function: MakeFunction) -> None:
    name = make_function("def lambda_handler(event, context): raise ValueError('again')")

    client("lambda").invoke(FunctionName=name, InvocationType="Event")

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        events = client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
        starts = (
            client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="START")["events"]
            if events
            else []
        )
        if len(starts) == 3:
            break
        time.sleep(0.2)
    assert len(starts) == 3
