"""What no role may do, asked of the policies as they are written; and what chains of their grants lead to."""

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from itertools import product

import pytest

from tests.forbidden import (
    DELETE,
    ENCRYPTED,
    FETCH,
    FORBIDDEN,
    LOGIN,
    NO_CONTEXT,
    PUBLIC,
    RECEIVE,
    REQUEST,
    ROLES,
    VIA_S3,
)
from tests.policies import Policies, Request, Statement, resolved
from tests.processed_template import Json, made_by_sam


@pytest.fixture(scope="module")
def policies() -> Policies:
    return Policies.of_template()


def test_three_hundred_things_at_least_are_tried() -> None:
    tried = [request for requests in FORBIDDEN.values() for request in requests]

    assert len({str(request) for request in tried}) >= 300
    print(f"{len(tried)} forbidden requests of {len(ROLES)} roles, for {len(FORBIDDEN)} promises")


@pytest.mark.parametrize("promise", FORBIDDEN)
def test_what_is_forbidden_is_denied(policies: Policies, promise: str) -> None:
    allowed = [str(request) for request in FORBIDDEN[promise] if policies.allow(request)]

    assert allowed == []


def test_every_role_of_the_template_is_asked(policies: Policies) -> None:
    assert set(policies.of_roles) == set(ROLES)


def test_a_grant_that_goes_too_far_would_be_noticed(policies: Policies) -> None:
    """Each promise is broken by some grant: of the action it forbids, to everybody, on everything."""
    everything = Statement("anybody", "Allow", ("*",), ("*",), {})
    open_to_all = Policies(
        dict.fromkeys(ROLES, (everything,)),
        {name: (replace(everything, holder=name),) for name in policies.of_resources},
    )

    kept = [promise for promise, requests in FORBIDDEN.items() if not all(map(open_to_all.allow, requests))]

    assert kept == []


# --- what is granted does hold: no policy of a key says otherwise


def contexts_of(conditions: Json) -> list[Json]:
    """Every context that meets the conditions of a statement, with one value for each key."""
    keys = [
        (key, wanted if isinstance(wanted, list) else [wanted])
        for each in conditions.values()
        for key, wanted in each.items()
    ]
    return [
        dict(zip((key for key, _ in keys), values, strict=True)) for values in product(*(wanted for _, wanted in keys))
    ]


@pytest.mark.parametrize("role", ROLES)
def test_what_is_granted_is_allowed(policies: Policies, role: str) -> None:
    held = [grant for grant in policies.grants() if grant[0].holder == role]

    refused = [
        str(request)
        for statement, action, on in held
        for context in contexts_of(statement.conditions)
        if not policies.allow(request := Request(role, action, on.replace("*", "any"), ENCRYPTED | context))
    ]

    assert len(held) >= 4
    assert refused == []


# --- the second wall: what not even an administrator's grant opens

ADMINISTRATOR = "arn:aws:iam::123456789012:role/Administrator"


@pytest.mark.parametrize("context", [LOGIN, REQUEST, NO_CONTEXT], ids=["login", "request", "none"])
@pytest.mark.parametrize("action", ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:CreateGrant"])
def test_who_may_do_everything_by_iam_uses_no_login_key(policies: Policies, action: str, context: Json) -> None:
    everything = Statement(ADMINISTRATOR, "Allow", ("*",), ("*",), {})
    with_administrator = Policies({**policies.of_roles, ADMINISTRATOR: (everything,)}, policies.of_resources)

    assert not with_administrator.allow(Request(ADMINISTRATOR, action, "LoginKey", context))
    assert with_administrator.allow(Request(ADMINISTRATOR, "kms:PutKeyPolicy", "LoginKey", context))


# --- chains: what a grant leads to

BECOMES = ("sts:AssumeRole", "iam:*", "lambda:*", "kms:CreateGrant", "kms:PutKeyPolicy", "cloudformation:*", "ssm:*")
"""Actions by which a role gets at what another role may do."""


def granted(policies: Policies, role: str) -> list[tuple[str, str]]:
    return [(action, on) for statement, action, on in policies.grants() if statement.holder == role]


@pytest.mark.parametrize("role", ROLES)
def test_no_role_gets_at_what_another_may_do(policies: Policies, role: str) -> None:
    leads_on = [
        action
        for action, _ in granted(policies, role)
        for pattern in BECOMES
        if fnmatchcase(action, pattern) or fnmatchcase(pattern, action)
    ]

    assert leads_on == []


@cache
def triggers() -> dict[str, set[str]]:
    """Whose functions run when something is written there: by stream, queue or schedule, as SAM makes it."""
    found: dict[str, set[str]] = {}
    for resource in made_by_sam()["Resources"].values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            where = resolved(properties["EventSourceArn"]).removesuffix("/stream")
            function = resolved({"Ref": str(properties["FunctionName"]["Ref"])})
            found.setdefault(where, set()).add(function.removesuffix("AliasLive").removesuffix("Aliaslive"))
    return {where: {name.removesuffix("Function") + "Role" for name in functions} for where, functions in found.items()}


WRITES = ("dynamodb:PutItem", "dynamodb:UpdateItem", "sqs:SendMessage", "s3:PutObject", "events:PutEvents")
READS = (
    "dynamodb:GetItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:GetRecords",
    "sqs:ReceiveMessage",
    "s3:GetObject",
)


def touched(policies: Policies, roles: Iterable[str], actions: Iterable[str]) -> set[str]:
    wanted = set(actions)
    return {on.split("/")[0] for role in roles for action, on in granted(policies, role) if action in wanted}


def set_off_by(policies: Policies, role: str) -> set[str]:
    """Every role that runs because this one wrote something, however many steps away; itself included."""
    reached: set[str] = set()
    running = {role}
    while running != reached:
        reached = set(running)
        for place in touched(policies, reached, WRITES):
            running |= triggers().get(place, set())
    return reached


@pytest.mark.parametrize("role", PUBLIC)
def test_what_a_public_function_sets_off_hands_it_nothing_back_but_rows(policies: Policies, role: str) -> None:
    """Posting a login has it fetched: that is the job. What comes back is a row, where logins are sealed."""
    others = set_off_by(policies, role) - {role}

    handed_back = touched(policies, others, WRITES) & touched(policies, [role], READS)

    assert handed_back <= {"ConnectionsTable"}


def test_the_chains_are_those_of_the_picture(policies: Policies) -> None:
    """The walk does walk: who receives sets off who fetches, and who fetches has the leftovers swept."""
    assert set_off_by(policies, RECEIVE) == {RECEIVE, FETCH, DELETE, "PublishEventsRole"}
    assert {role: set_off_by(policies, role) for role in PUBLIC if role != RECEIVE} == {
        role: {role} for role in PUBLIC if role != RECEIVE
    }


@pytest.mark.parametrize("role", PUBLIC)
def test_no_public_function_opens_a_login_or_reads_a_drop_by_any_grant(policies: Policies, role: str) -> None:
    opens = [
        Request(role, action, "LoginKey", context)
        for action in ("kms:Decrypt", "kms:ReEncryptFrom")
        for context in (LOGIN, REQUEST, NO_CONTEXT)
    ]
    reads = [Request(role, "kms:Decrypt", "DataKey", VIA_S3)]

    assert [str(each) for each in opens + reads if policies.allow(each)] == []
    assert touched(policies, [role], READS) <= {"ConnectionsTable"}
