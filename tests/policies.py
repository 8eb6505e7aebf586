"""IAM's rules for one account, as far as our policies use them: who may do what, by the template or as deployed.

A request is allowed when its role's policy allows it, no policy denies it and, for a KMS key, the key's policy allows
it too (IAM user guide, "Policy evaluation logic"; KMS developer guide, "Key policies"). What is not modelled raises.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Self

from tests.processed_template import Json, source

ACCOUNT = "123456789012"
WORDS = {
    "AWS::Partition": "aws",
    "AWS::Region": "ca-central-1",
    "AWS::AccountId": ACCOUNT,
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "flinks-landing",
}
TAKEN = {"CreateSecretKey": 1, "CreateApiKey": 1, "ConsumersElsewhere": 2}
TAKEN |= {"NetworkGiven": 2, "KeyAdministratorGiven": 2, "BackupGiven": 2}
NOT_TAKEN = 2
"""Which branch of an `Fn::If` is meant: our own secrets, no consumers elsewhere, and nothing of an account's own."""


@dataclass(frozen=True)
class Request:
    """`who` is a role's ARN; `context` are condition keys with their values."""

    who: str
    action: str
    on: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def known(self) -> Mapping[str, str]:
        """What conditions may ask for: a role's session is known by the role's ARN, and comes over TLS."""
        return {"aws:PrincipalArn": self.who, "aws:SecureTransport": "true", **self.context}

    def __str__(self) -> str:
        told = ", ".join(f"{key.split(':', 1)[-1]}={value}" for key, value in sorted(self.context.items()))
        return f"{self.who} {self.action} {self.on}" + (f" ({told})" if told else "")


@dataclass(frozen=True)
class Statement:
    """One statement of a policy; `holder` is the resource or role that the policy is of."""

    holder: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Json = field(hash=False)
    sid: str = ""
    services: bool = False
    """Its principal is a service of AWS, and no role."""

    def covers(self, request: Request) -> bool:
        return (
            any(_like(action.lower(), request.action.lower()) for action in self.actions)
            and any(_like(resource, request.on) for resource in self.resources)
            and all(_met(operator, keys, request) for operator, keys in self.conditions.items())
        )


@dataclass(frozen=True)
class Policies:
    """Policies of roles (by ARN), and of resources (by ARN)."""

    of_roles: Mapping[str, tuple[Statement, ...]]
    of_resources: Mapping[str, tuple[Statement, ...]]

    def allow(self, request: Request) -> bool:
        identity = self.of_roles.get(request.who, ())
        resource = [each for each in self._on(request.on) if not each.services]
        if any(each.effect == "Deny" and each.covers(request) for each in (*identity, *resource)):
            return False
        is_key = request.action.startswith("kms:")
        return _allows(identity, request) and (not is_key or _allows(resource, request))

    def _on(self, resource: str) -> tuple[Statement, ...]:
        """A policy of a bucket is on its objects too."""
        found = self.of_resources.get(resource) or self.of_resources.get(resource.split("/", maxsplit=1)[0], ())
        return tuple(replace(each, resources=_own(each.resources, resource)) for each in found)

    def grants(self) -> Iterator[tuple[Statement, str, str]]:
        """Each single action on each single resource that a statement allows."""
        for statements in (*self.of_roles.values(), *self.of_resources.values()):
            for each in statements:
                if each.effect == "Allow":
                    yield from ((each, action, resource) for action in each.actions for resource in each.resources)

    def without(self, statement: Statement, action: str, resource: str) -> "Policies":
        """The same, less one action on one resource."""

        def rest(statements: Iterable[Statement]) -> Iterator[Statement]:
            for each in statements:
                if each is not statement:
                    yield each
                    continue
                other_actions = tuple(name for name in each.actions if name != action)
                other_resources = tuple(name for name in each.resources if name != resource)
                yield replace(each, actions=other_actions)
                yield replace(each, actions=(action,), resources=other_resources)

        return Policies(
            {name: tuple(rest(statements)) for name, statements in self.of_roles.items()},
            {name: tuple(rest(statements)) for name, statements in self.of_resources.items()},
        )

    @classmethod
    def of_template(cls) -> Self:
        """As template.yaml has them. The ARN of a resource is its logical id."""
        resources = source()["Resources"]
        of_roles, of_resources = {}, {}
        for name, each in resources.items():
            properties = each["Properties"]
            if TAKEN.get(each.get("Condition", "")) == NOT_TAKEN:
                continue
            match each["Type"]:
                case "AWS::IAM::RolePolicy":
                    role = resolved(properties["RoleName"])
                    of_roles[role] = statements_of(role, resolved(properties["PolicyDocument"]))
                case "AWS::KMS::Key":
                    of_resources[name] = statements_of(name, resolved(properties["KeyPolicy"]))
                case "AWS::S3::BucketPolicy":
                    bucket = resolved(properties["Bucket"])
                    of_resources[bucket] = statements_of(bucket, resolved(properties["PolicyDocument"]))
                case "AWS::SQS::QueuePolicy":
                    for queue in resolved(properties["Queues"]):
                        of_resources[queue] = statements_of(queue, resolved(properties["PolicyDocument"]))
        return cls(of_roles, of_resources)


def statements_of(holder: str, document: Json | str) -> tuple[Statement, ...]:
    document = json.loads(document) if isinstance(document, str) else document
    return tuple(
        Statement(
            holder,
            each["Effect"],
            tuple(_listed(each["Action"])),
            tuple(_listed(each["Resource"])),
            each.get("Condition", {}),
            each.get("Sid", ""),
            services="Service" in (each.get("Principal") or {}),
        )
        for each in document["Statement"]
    )


def resolved(value: Any) -> Any:
    """A value of the template, with logical ids in place of ARNs and names."""
    match value:
        case {"Fn::If": [str(condition), *branches]}:
            return resolved(branches[TAKEN[condition] - 1])
        case {"Fn::GetAtt": [resource, "StreamArn"]}:
            return f"{resource}/stream"
        case {"Fn::GetAtt": [str(resource), "Arn" | "Id"]} | {"Ref": str(resource)}:
            return WORDS.get(resource, resource)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)(?:\.Arn)?\}", lambda named: WORDS.get(named[1], named[1]), text)
        case dict():
            assert not any(name.startswith("Fn::") for name in value), value
            return {name: resolved(each) for name, each in value.items()}
        case list():
            return [each for each in map(resolved, value) if each != "AWS::NoValue"]
    return value


def _allows(statements: Iterable[Statement], request: Request) -> bool:
    return any(each.effect == "Allow" and each.covers(request) for each in statements)


def _own(resources: tuple[str, ...], resource: str) -> tuple[str, ...]:
    """In a key's or a queue's policy `*` is the key or queue itself."""
    return tuple(resource if each == "*" else each for each in resources)


def _met(operator: str, keys: Json, request: Request) -> bool:
    return all(_compared(operator, request.known.get(key), _listed(wanted)) for key, wanted in keys.items())


def _compared(operator: str, actual: str | None, wanted: list[str]) -> bool:
    match operator:
        case "StringEquals" | "Bool" | "ArnEquals":
            return actual in wanted
        case "StringLike" | "ArnLike":
            return actual is not None and any(_like(each, actual) for each in wanted)
        case "StringNotEqualsIfExists":
            return actual is None or actual not in wanted
    raise NotImplementedError(operator)


def _like(pattern: str, value: str) -> bool:
    return _pattern(pattern).fullmatch(value) is not None


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
