"""Looks a stack over: what must be so for connections to be fetched, announced and erased."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from landing.flinks.answer import Answer
from landing.flinks.client import FlinksClient
from landing.flinks.codes import Kind, what_to_do
from ops import flinks_keys, pausing
from ops.target import Target

KEYS = ("DataKey", "LoginKey", "IndexKey")
SELF_FEEDING = ("FetchAccountsFunction", "DeleteConnectionFunction")
MEND = "bin/landing doctor --mend"
BESIDE_FETCHERS = 35
"""What runs at once beside the fetch queue: the stream's 8, announcing 4, deleting 2, the schedule, the API 20."""

NOBODYS_REQUEST = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Finding:
    """`how` is ok, warn or bad; `do` is the next step where something is not ok, `mend` does it where one call can."""

    what: str
    how: str
    says: str
    do: str = ""
    mend: Callable[[], Any] | None = field(default=None, repr=False, compare=False)


type Check = Callable[[Target], Iterator[Finding]]


def look(target: Target) -> Iterator[Finding]:
    """Every finding, as soon as it is made. A check that AWS refuses is a finding too."""
    for check in CHECKS:
        try:
            yield from check(target)
        except (ClientError, BotoCoreError) as error:
            what = check.__name__.strip("_").replace("_", " ")
            yield Finding(what, "bad", f"AWS refused the look: {_name(error)}", "docs/operations.md lists the rights")


def _the_stack(target: Target) -> Iterator[Finding]:
    if target.is_local:
        return
    status = str(target.described["StackStatus"])
    settled = status.endswith("_COMPLETE") and "ROLLBACK" not in status
    yield Finding("stack", "ok" if settled else "warn", status, "" if settled else "see its events in CloudFormation")


def _keys(target: Target) -> Iterator[Finding]:
    for name in KEYS:
        id_ = target.resource(name)
        state = target.client("kms").describe_key(KeyId=id_)["KeyMetadata"]["KeyState"]
        if state == "Enabled":
            yield Finding(name, "ok", "enabled")
        else:
            mend = partial(_serve_again, target, id_, state)
            yield Finding(name, "bad", f"{state.lower()}: without it nothing is read or kept", MEND, mend)


def _serve_again(target: Target, key: str, state: str) -> None:
    if state == "PendingDeletion":
        target.client("kms").cancel_key_deletion(KeyId=key)
    target.client("kms").enable_key(KeyId=key)


def _secrets(target: Target) -> Iterator[Finding]:
    for which in flinks_keys.MEMBERS:
        verdict = flinks_keys.check(target, which)
        yield Finding(
            which,
            "bad" if verdict.wrong else "ok",
            verdict.wrong or "well-formed",
            f"bin/landing secret set {which}" if verdict.wrong else "",
        )


def _mappings(target: Target) -> Iterator[Finding]:
    for output in ("FetchAccountsFunction", "DeleteConnectionFunction", "PublishEventsFunction"):
        found = pausing.mappings(target, output)
        if not found:
            yield Finding(output, "bad", "no event source mapping", "deploy again")
        for mapping in found:
            what, state = f"{output} from {mapping.source}", mapping.state.lower()
            if mapping.is_on:
                yield Finding(what, "ok", state)
            elif output == "FetchAccountsFunction":  # whoever paused it has a reason
                yield Finding(what, "bad", state, "bin/landing resume")
            else:
                turn_on = partial(target.client("lambda").update_event_source_mapping, UUID=mapping.id, Enabled=True)
                yield Finding(what, "bad", state, MEND, turn_on)


def _schedule(target: Target) -> Iterator[Finding]:
    rules = target.client("events").list_rules(NamePrefix=f"{target.name}-")["Rules"]
    ticking = [rule for rule in rules if "ScheduleExpression" in rule]
    if not ticking:
        yield Finding("schedule", "bad", "there is no schedule of resume_stalled", "deploy again")
    for rule in ticking:
        if rule["State"] == "ENABLED":
            yield Finding("schedule", "ok", "enabled")
        else:
            turn_on = partial(target.client("events").enable_rule, Name=rule["Name"])
            yield Finding("schedule", "bad", rule["State"].lower(), MEND, turn_on)


def _releases(target: Target) -> Iterator[Finding]:
    """That `live` serves the newest version of each function."""
    client = target.client("lambda")
    for output in sorted(name for name in target.outputs if name.endswith("Function")):
        function = target.output(output).split(":function:")[-1].split(":")[0]
        pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
        numbers = [int(each["Version"]) for page in pages for each in page["Versions"] if each["Version"].isdigit()]
        alias = client.get_alias(FunctionName=function, Name="live")
        serves, newest = int(alias["FunctionVersion"]), max(numbers, default=0)
        shifting = bool(alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"))
        if shifting:
            yield Finding(output, "warn", f"live is shifting from {serves} to {newest}", "a deployment is under way")
        else:
            fine = serves == newest
            do = "" if fine else "the last deployment was taken back, or goes on: see CodeDeploy"
            yield Finding(output, "ok" if fine else "warn", f"live serves version {serves} of {newest}", do)


def _loops(target: Target) -> Iterator[Finding]:
    """That Lambda lets the functions that feed their own queue do so."""
    for output in SELF_FEEDING:
        function = target.output(output).split(":function:")[-1].split(":")[0]
        client = target.client("lambda")
        said = client.get_function_recursion_config(FunctionName=function)["RecursiveLoop"]
        if said == "Allow":
            yield Finding(f"{output} recursion", "ok", "allowed")
        else:
            allow = partial(client.put_function_recursion_config, FunctionName=function, RecursiveLoop="Allow")
            yield Finding(f"{output} recursion", "bad", "Lambda ends its 17th round", MEND, allow)


def _concurrency(target: Target) -> Iterator[Finding]:
    limit = int(target.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    fetchers = int(target.parameters.get("MaxFetchers", "10"))
    needed = fetchers + BESIDE_FETCHERS
    enough = limit >= needed
    do = "" if enough else f"ask AWS for {needed} at least (Service Quotas, Lambda), or lower MaxFetchers"
    yield Finding("concurrency of the account", "ok" if enough else "warn", f"{limit} at once", do)


def _flinks(target: Target) -> Iterator[Finding]:
    """From here, not from the functions: an address list at Flinks may let one in and not the other."""
    client = flinks_client(target)
    minted = client.generate_authorize_token()
    yield _of_flinks("secret-key at Flinks", minted, accepted=minted.token is not None)
    asked = client.accounts_detail(NOBODYS_REQUEST)
    kind = what_to_do(asked).kind
    yield _of_flinks("api-key at Flinks", asked, accepted=kind not in (Kind.OUR_CREDENTIALS, Kind.RETRY))


def _of_flinks(what: str, answer: Answer, *, accepted: bool) -> Finding:
    said = answer.code or (answer.fault.value if answer.fault else None) or answer.status
    if accepted:
        return Finding(what, "ok", "accepted")
    if answer.status is None:
        return Finding(what, "warn", f"Flinks cannot be reached from here: {said}", "its address list may not have you")
    refused = what_to_do(answer).kind in (Kind.OUR_CREDENTIALS, Kind.REAUTHORIZE)
    do = "bin/landing secret set" if refused else "wait, or call Flinks"
    return Finding(what, "bad" if refused else "warn", f"Flinks says {said}", do)


def drill(target: Target, alarm: str) -> str:
    """Put an alarm on; it falls back by itself at its next look."""
    target.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="drill")
    return alarm


def alarms(target: Target) -> dict[str, str]:
    """The stack's alarms: whole names by logical id."""
    pages = target.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{target.name}-")
    names = [str(each["AlarmName"]) for page in pages for each in page["MetricAlarms"]]
    return {name.removeprefix(f"{target.name}-").rsplit("-", 1)[0]: name for name in names}


def flinks_client(target: Target) -> FlinksClient:
    function = target.output("FetchAccountsFunction")
    told = target.client("lambda").get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    return FlinksClient(told["FLINKS_API_URL"], told["FLINKS_CUSTOMER_ID"], _FromSecrets(target))


@dataclass
class _FromSecrets:
    """Flinks' keys, read as an operator; they are used and not shown."""

    target: Target

    @property
    def secret_key(self) -> str:
        return flinks_keys.value(self.target, "secret-key")

    @property
    def api_key(self) -> str:
        return flinks_keys.value(self.target, "api-key")

    def refresh(self) -> None: ...


def _name(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response['Error']['Code']}"
    return type(error).__name__


CHECKS: tuple[Check, ...] = (
    *(_the_stack, _keys, _secrets, _mappings, _schedule, _releases, _loops, _concurrency, _flinks),
)


def in_alarm(target: Target) -> list[dict[str, Any]]:
    """The stack's alarms that are on now."""
    pages = target.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{target.name}-")
    return [
        {"alarm": each["AlarmName"], "since": each["StateUpdatedTimestamp"], "means": each.get("AlarmDescription", "")}
        for page in pages
        for each in page["MetricAlarms"]
        if each["StateValue"] == "ALARM"
    ]
