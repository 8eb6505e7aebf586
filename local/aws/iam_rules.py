"""IAM rules that the emulator's own enforcement (SigV4, role sessions, policies, key policies) leaves out.

Restored, each from the service authorization reference or the service's developer guide:

* `kms:EncryptionContext:<key>` is known in conditions (KMS), and so is
  `s3:x-amz-server-side-encryption-aws-kms-key-id` (S3);
* `aws:PrincipalArn` of a role's session is the role's ARN (IAM, global condition keys);
* a call on a stream is authorized on that stream's ARN (DynamoDB Streams);
* a question about an event bus is about that bus (EventBridge);
* a version of a layer is asked for and deleted by actions of its own (Lambda);
* a version or alias of a function is a resource of its own, by whatever way it is named (Lambda);
* who uses a resource under a customer-managed key must hold that key's permissions as well, seen by the key as coming
  `kms:ViaService` with the service's encryption context (S3, DynamoDB, Secrets Manager);
* an unsigned request to S3 is nobody's, not the account's;
* loopback counts as TLS, so that a policy which denies everything else behaves as it will; and so does what Lambda and
  the other services call by themselves, without a request that came in.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id

from local.aws import authorizations, internals

_method: ContextVar[str] = ContextVar("method", default="")

TABLE_ACTIONS = {
    f"dynamodb:{action}"
    for action in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem")
}

_OF_A_LAYER_S_VERSION = {"GET": "GetLayerVersion", "DELETE": "DeleteLayerVersion"}


def install() -> None:
    internals.replace("request_tag_context", _conditions)
    internals.replace("s3_service_context", _s3_conditions)
    internals.replace("extract_resource_arn", _resource_arn)
    internals.replace("lambda_action", _lambda_action)
    internals.replace("resolve_condition_key", _condition_key)
    internals.replace("enforce", _enforce)


def over_tls(scope: dict[str, Any]) -> dict[str, Any]:
    """The request as if a proxy had ended its TLS."""
    kept = [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-proto"]
    return {**scope, "headers": [*kept, (b"x-forwarded-proto", b"https")]}


def _request(body: bytes | None) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


# Condition keys and resources of a request.


def _conditions(service: str, action: str, body: bytes, parameters: Mapping[str, Any]) -> dict[str, Any]:
    conditions: dict[str, Any] = dict(internals.request_tag_context(service, action, body, parameters))
    if service == "kms" and (context := _request(body).get("EncryptionContext")):
        conditions |= {f"kms:EncryptionContext:{key}": value for key, value in context.items()}
    return conditions


def _s3_conditions(action: str, query: Any, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    conditions: dict[str, Any] = internals.s3_service_context(action, query, path, headers)
    if action == "s3:PutObject" and (key := headers.get("x-amz-server-side-encryption-aws-kms-key-id")):
        conditions["s3:x-amz-server-side-encryption-aws-kms-key-id"] = key
    return conditions


def _resource_arn(
    service: str, method: str, path: str, headers: Any, body: bytes, parameters: Any, region: str, account: str
) -> str:
    _method.set(method)
    if service == "events" and headers.get("x-amz-target", "").endswith(".DescribeEventBus"):
        return f"arn:aws:events:{region}:{account}:event-bus/{_request(body).get('Name', 'default')}"
    if service == "dynamodbstreams" and (stream := _stream_arn(_request(body))):
        return stream
    arn: str = internals.extract_resource_arn(service, method, path, headers, body, parameters, region, account)
    if service == "lambda" and (qualifier := parameters.get("Qualifier")):
        named = qualifier[0] if isinstance(qualifier, list) else qualifier
        return f"{arn}:{named}"
    return arn


def _lambda_action(method: str, path: str) -> str | None:
    if re.search("/layers/[^/]+/versions/[0-9]+$", path) and method in _OF_A_LAYER_S_VERSION:
        return _OF_A_LAYER_S_VERSION[method]
    action: str | None = internals.lambda_action(method, path)
    return action


def _stream_arn(request: dict[str, Any]) -> str | None:
    """GetRecords names its stream by a shard iterator only."""
    iterator = internals.decode_iterator(request.get("ShardIterator", "")) or {}
    arn: str | None = request.get("StreamArn") or iterator.get("arn")
    return arn


def _condition_key(key: str, context: Any) -> Any:
    if key.lower() == "aws:securetransport":
        return "true"
    if key.lower() == "aws:principalarn" and ":assumed-role/" in context.principal_arn:
        role = context.principal_arn.split("/")[1]
        return internals.roles[role]["Arn"] if role in internals.roles else context.principal_arn
    return internals.resolve_condition_key(key, context)


# Keys behind resources.


class _KeyUse(NamedTuple):
    action: str
    key: str
    service: str
    context: dict[str, str]


def _enforce(
    access_key: str,
    action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict[str, Any] | None = None,
) -> Any:
    if service == "s3" and internals.anonymous.get():
        return iam_evaluator.EvalResult("ImplicitDeny", principal_arn="anonymous")
    denied = _ask(access_key, action, service, region, resource_arn, service_context)
    if denied or _method.get() == "HEAD":  # HeadObject is the action s3:GetObject, and decrypts nothing
        return denied
    for use in _key_uses(action, resource_arn):
        key = use.key if use.key.startswith("arn:") else f"arn:aws:kms:{region}:{get_account_id()}:key/{use.key}"
        conditions = {f"kms:EncryptionContext:{name}": value for name, value in use.context.items()}
        conditions |= {"kms:ViaService": f"{use.service}.{region}.amazonaws.com"}
        if denied := _ask(access_key, use.action, "kms", region, key, conditions):
            return denied
    return None


def _ask(
    access_key: str, action: str, service: str, region: str, resource_arn: str, conditions: dict[str, Any] | None
) -> Any:
    denied = internals.enforce(access_key, action, service, region, resource_arn, conditions)
    authorizations.note(access_key, action, resource_arn, conditions, allowed=not denied)
    return denied


def _key_uses(action: str, resource_arn: str) -> Iterator[_KeyUse]:
    """What the caller itself must be allowed to do with the resource's key."""
    match action:
        case "s3:PutObject":
            yield from _bucket_key("kms:GenerateDataKey", resource_arn)
        case "s3:GetObject" | "s3:GetObjectVersion":
            yield from _bucket_key("kms:Decrypt", resource_arn)
        case "secretsmanager:GetSecretValue":
            yield from _secret_key(resource_arn)
        case _ if action in TABLE_ACTIONS:
            yield from _table_key(resource_arn)


def _table_key(arn: str) -> Iterator[_KeyUse]:
    name = arn.split("/")[1]
    if key := ((internals.tables.get(name) or {}).get("SSEDescription") or {}).get("KMSMasterKeyArn"):
        context = {"aws:dynamodb:tableName": name, "aws:dynamodb:subscriberId": get_account_id()}
        yield _KeyUse("kms:Decrypt", key, "dynamodb", context)


def _secret_key(arn: str) -> Iterator[_KeyUse]:
    """A caller may leave out the six characters at the end of a secret's ARN."""
    for secret in internals.secrets.values():
        if secret.get("KmsKeyId") and arn in {secret["ARN"], secret["ARN"].rsplit("-", 1)[0]}:
            yield _KeyUse("kms:Decrypt", secret["KmsKeyId"], "secretsmanager", {"SecretARN": secret["ARN"]})


def _bucket_key(action: str, object_arn: str) -> Iterator[_KeyUse]:
    bucket = object_arn.removeprefix("arn:aws:s3:::").split("/")[0]
    encryption = internals.bucket_encryption.get(bucket) or ""
    if key := re.search(r"<KMSMasterKeyID>([^<]+)<", encryption):
        uses_bucket_key = re.search(r"<BucketKeyEnabled>true<", encryption)
        yield _KeyUse(action, key[1], "s3", {"aws:s3:arn": f"arn:aws:s3:::{bucket}" if uses_bucket_key else object_arn})
