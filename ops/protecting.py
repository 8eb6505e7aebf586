"""Keeps a deployed stack from being lost by mistake: by an update that replaces what holds data, or by a deletion."""

import json
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from ops.orders import NotDone

STACK_POLICY = Path(__file__).parent / "policies/stack.json"
"""What no update may replace or remove."""

FAILED_FIRST = "ROLLBACK_COMPLETE"
"""Of a first deployment that was taken back: nothing is left of it but its name, and nothing can be deployed to it."""

_OFTEN = {"Delay": 5, "MaxAttempts": 120}


def state_of(cloudformation: Any, name: str) -> str | None:
    """The stack's status, None where there is none of this name."""
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    return str(stack["StackStatus"])


def clear_away(cloudformation: Any, name: str) -> None:
    """Remove the empty stack of a first deployment that failed. Raises NotDone."""
    cloudformation.delete_stack(StackName=name)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=_OFTEN)
    except WaiterError:
        raise NotDone(f"CloudFormation does not get rid of the failed {name}: see its events there.") from None


def protect(cloudformation: Any, name: str, *, for_ever: bool) -> None:
    """No update replaces table, bucket or keys from now on; `for_ever`: and nobody deletes the stack by one call."""
    policy = json.dumps(json.loads(STACK_POLICY.read_text()))
    cloudformation.set_stack_policy(StackName=name, StackPolicyBody=policy)
    if for_ever:
        cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=True)
