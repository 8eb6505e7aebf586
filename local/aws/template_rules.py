"""CloudFormation properties, and three resource types, that the emulator drops: applied with the service's own code.

AWS applies every property of a template or fails the stack; so does each function here (a property it does not know is
an error, never silence). `tests/integration/aws/test_template_properties.py` finds the next one that is dropped.

SAM's transform is given the parameters too, as AWS gives them; the emulator gives it none, and reads no `Fn::Join` in a
condition.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from http import HTTPStatus
from typing import Any

from botocore.model import ServiceModel
from botocore.serialize import create_serializer
from botocore.session import get_session
from ministack.core.responses import json_response
from samtranslator.translator import transform

from local.aws import internals

type Properties = Mapping[str, Any]
type Restore = Callable[[str, Properties], None]


sam_transform = transform.transform

_values: ContextVar[Properties] = ContextVar("values of a template's parameters")


def install() -> None:
    """Apply what is dropped after each create and update of these resource types."""
    internals.replace("apply_transforms", _apply_transforms)
    transform.transform = lambda template, _, policies: sam_transform(template, _values.get({}), policies)
    for resource_type, restore in {
        "AWS::DynamoDB::Table": _table,
        "AWS::S3::Bucket": _bucket,
        "AWS::ApiGatewayV2::Api": _http_api,
        "AWS::ApiGatewayV2::Stage": _stage,
        "AWS::Lambda::Function": _function,
        "AWS::IAM::Role": _role,
    }.items():
        handlers = internals.resource_handlers[resource_type]
        handlers["create"] = _after_create(handlers["create"], restore)
        handlers["update"] = _after_update(handlers["update"], restore)
    internals.replace("describe_continuous_backups", _describe_continuous_backups)
    internals.replace("cw_metric_alarm_record", _metric_alarm_record)
    internals.resource_handlers["AWS::DynamoDB::Table"]["delete"] = _table_deleted
    for resource_type, create, delete in (
        ("AWS::IAM::RolePolicy", _role_policy_created, _role_policy_deleted),
        ("AWS::Events::EventBusPolicy", _bus_policy_created, _bus_policy_deleted),
        ("AWS::Backup::BackupSelection", _selection_created, _selection_deleted),
    ):
        update = _created_anew(create, delete)
        internals.resource_handlers[resource_type] = {"create": create, "update": update, "delete": delete}
    mapping = internals.resource_handlers["AWS::Lambda::EventSourceMapping"]
    mapping["create"] = _mapping_created(mapping["create"])
    mapping["update"] = _mapping_updated(mapping["update"])


def _apply_transforms(template: dict[str, Any], provided: Any = None, previous: Any = None) -> Any:
    values = internals.transform_parameters(template, provided, previous)
    for name, parameter in template.get("Parameters", {}).items():
        if parameter["Type"] == "CommaDelimitedList" and name in values:
            values[name] = values[name].split(",")
    _values.set(values)
    processed = internals.apply_transforms(template, provided, previous)
    if "Conditions" in processed:
        processed["Conditions"] = _joined(processed["Conditions"], values)
    return processed


def _joined(condition: Any, values: Properties) -> Any:
    """A condition with each parameter's list as one text, where it says so."""
    match condition:
        case {"Fn::Join": [str(between), {"Ref": name}]} if name in values:
            return between.join(values[name])
        case dict():
            return {word: _joined(inner, values) for word, inner in condition.items()}
        case list():
            return [_joined(inner, values) for inner in condition]
    return condition


def _after_create(create: Callable[..., Any], restore: Restore) -> Callable[..., Any]:
    def created(logical_id: str, properties: Properties, stack_name: str) -> Any:
        made = create(logical_id, properties, stack_name)
        restore(made[0], properties)
        return made

    return created


def _after_update(update: Callable[..., Any], restore: Restore) -> Callable[..., Any]:
    def updated(physical_id: str, old: Properties, new: Properties, *more: Any, **named: Any) -> Any:
        made = update(physical_id, old, new, *more, **named)
        restore(made[0], new)
        return made

    return updated


def _answer(response: tuple[int, Any, Any]) -> dict[str, Any]:
    """The JSON object of a service's response; its error becomes the reason that the resource failed."""
    status, _, body = response
    if status >= HTTPStatus.BAD_REQUEST:
        raise ValueError(body.decode() if isinstance(body, bytes) else body)
    return dict(json.loads(body)) if body[:1] in {b"{", "{"} else {}


def _is_true(value: object) -> bool:
    """A boolean as CloudFormation takes it: parameters are strings."""
    return str(value).lower() == "true"


def _role_policy_created(_: str, properties: Properties, __: str) -> tuple[str, dict[str, str]]:
    if unknown := set(properties) - {"RoleName", "PolicyName", "PolicyDocument"}:
        raise ValueError(f"local/aws does not apply {', '.join(sorted(unknown))} of RolePolicy")
    role, name = properties["RoleName"], properties["PolicyName"]
    document = json.dumps(properties["PolicyDocument"])
    _answer(internals.put_role_policy({"RoleName": role, "PolicyName": name, "PolicyDocument": document}))
    return f"{name}|{role}", {}


def _created_anew(create: Callable[..., Any], delete: Callable[..., Any]) -> Callable[..., Any]:
    """An update of what is known by its own properties: another one replaces the former."""

    def updated(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Any:
        made = create("", new, stack_name)
        if made[0] != physical_id:
            delete(physical_id, old)
        return made

    return updated


def _role_policy_deleted(_: str, properties: Properties) -> None:
    internals.delete_role_policy({"RoleName": properties["RoleName"], "PolicyName": properties["PolicyName"]})


# Events::EventBusPolicy is unknown to the emulator, and its PutPermission takes no whole statement.


def _bus_policy_created(_: str, properties: Properties, __: str) -> tuple[str, dict[str, str]]:
    if unknown := set(properties) - {"EventBusName", "StatementId", "Statement"}:
        raise ValueError(f"local/aws does not apply {', '.join(sorted(unknown))} of EventBusPolicy")
    bus, sid = properties["EventBusName"], properties["StatementId"]
    _answer(internals.put_permission({"EventBusName": bus, "StatementId": sid}))
    policy = internals.event_bus_policies[bus]
    policy["Statement"][-1] = {"Sid": sid, **properties["Statement"]}
    return f"{bus}|{sid}", {}


def _bus_policy_deleted(_: str, properties: Properties) -> None:
    _answer(internals.remove_permission({name: properties[name] for name in ("EventBusName", "StatementId")}))


# Backup::BackupSelection is unknown to the emulator's CloudFormation, and known to its AWS Backup.


def _selection_created(_: str, properties: Properties, __: str) -> tuple[str, dict[str, str]]:
    plan = properties["BackupPlanId"]
    made = _answer(internals.create_selection(plan, {"BackupSelection": properties["BackupSelection"]}))
    return f"{made['SelectionId']}_{plan}", {"SelectionId": made["SelectionId"], "BackupPlanId": plan}


def _selection_deleted(physical_id: str, _: Properties) -> None:
    selection, plan = physical_id.split("_")
    internals.delete_selection(plan, selection)


# DynamoDB::Table drops SSESpecification, TimeToLiveSpecification, PointInTimeRecoverySpecification on create.


def _table(name: str, properties: Properties) -> None:
    if sse := properties.get("SSESpecification"):
        wanted = {k: sse[k] for k in ("SSEType", "KMSMasterKeyId") if k in sse}
        specification = {"Enabled": _is_true(sse["SSEEnabled"]), **wanted}
        _answer(internals.update_table({"TableName": name, "SSESpecification": specification}))
    if ttl := properties.get("TimeToLiveSpecification"):
        specification = {**ttl, "Enabled": _is_true(ttl["Enabled"])}
        _answer(internals.update_ttl({"TableName": name, "TimeToLiveSpecification": specification}))
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        enabled = _is_true(recovery["PointInTimeRecoveryEnabled"])
        internals.pitr_settings[name] = enabled and int(recovery.get("RecoveryPeriodInDays", 35))
    internals.tables[name]["DeletionProtectionEnabled"] = _is_true(properties.get("DeletionProtectionEnabled", False))


def _table_deleted(name: str, _: Properties) -> None:
    """The emulator removes a protected table too; AWS does not, and nor can a rollback."""
    _answer(internals.delete_table({"TableName": name}))


def _describe_continuous_backups(request: Properties) -> Any:
    """The emulator keeps whether, and not for how long."""
    answer = internals.describe_continuous_backups(request)
    if days := internals.pitr_settings.get(request["TableName"].rsplit("/", 1)[-1]):
        described = _answer(answer)
        described["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"] = days
        return json_response(described)
    return answer


# IAM::Role drops PermissionsBoundary.


def _role(name: str, properties: Properties) -> None:
    internals.roles[name]["PermissionsBoundary"] = properties.get("PermissionsBoundary")


# S3::Bucket drops BucketEncryption, LifecycleConfiguration and OwnershipControls.


def _bucket(name: str, properties: Properties) -> None:
    if encryption := properties.get("BucketEncryption"):
        rules = [
            {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
            | {other: value for other, value in rule.items() if other != "ServerSideEncryptionByDefault"}
            for rule in encryption["ServerSideEncryptionConfiguration"]
        ]
        document = _document("PutBucketEncryption", "ServerSideEncryptionConfiguration", rules)
        _answer(internals.put_bucket_encryption(name, document))
    if lifecycle := properties.get("LifecycleConfiguration"):
        rules = [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]
        document = _document("PutBucketLifecycleConfiguration", "LifecycleConfiguration", rules)
        _answer(internals.put_bucket_lifecycle(name, document))
    if ownership := properties.get("OwnershipControls"):
        document = _document("PutBucketOwnershipControls", "OwnershipControls", ownership["Rules"])
        _answer(internals.put_bucket_ownership_controls(name, document))


def _document(operation: str, member: str, rules: list[dict[str, Any]]) -> bytes:
    """The XML of a call, as boto3 writes it; a member that the call does not know is refused."""
    request = {"Bucket": "any", member: {"Rules": [_typed(rule) for rule in rules]}}
    body = create_serializer("rest-xml").serialize_to_request(request, _s3_model().operation_model(operation))["body"]
    return bytes(body)


@cache
def _s3_model() -> ServiceModel:
    return get_session().get_service_model("s3")


def _lifecycle_rule(properties: Properties) -> dict[str, Any]:
    """CloudFormation's names as S3's; where they differ and nobody uses them, they stay and are refused."""
    rule = dict(properties)
    expiration = {"Days": "ExpirationInDays", "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker"}
    given = {ours: rule.pop(theirs) for ours, theirs in expiration.items() if theirs in rule}
    named = {"ID": rule.pop("Id")} if "Id" in rule else {}
    return named | {"Filter": {"Prefix": rule.pop("Prefix", "")}} | ({"Expiration": given} if given else {}) | rule


# ApiGatewayV2::Api ignores Body, the OpenAPI document into which SAM writes routes, authorizers and CORS.


def _http_api(api_id: str, properties: Properties) -> None:
    document = properties.get("Body")
    if not document:
        return
    for of_api in (internals.routes, internals.integrations, internals.authorizers):
        of_api[api_id] = {}
    if cors := document.get("x-amazon-apigateway-cors"):
        _answer(internals.update_api(api_id, {"corsConfiguration": cors}))
    for server in document.get("servers", []):
        _answer(internals.update_api(api_id, server["x-amazon-apigateway-endpoint-configuration"]))
    authorizers = {
        name: _authorizer(api_id, name, scheme["x-amazon-apigateway-authorizer"])
        for name, scheme in document.get("components", {}).get("securitySchemes", {}).items()
    }
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            _route(api_id, path, method, operation, authorizers)


def _authorizer(api_id: str, name: str, properties: Properties) -> str:
    wanted = {
        "name": name,
        "authorizerType": "JWT",
        "identitySource": [properties["identitySource"]],
        "jwtConfiguration": properties["jwtConfiguration"],
    }
    return str(_answer(internals.create_authorizer(api_id, wanted))["authorizerId"])


def _route(api_id: str, path: str, method: str, operation: Properties, authorizers: Mapping[str, str]) -> None:
    backend = operation["x-amazon-apigateway-integration"]
    wanted = {
        "integrationType": backend["type"].upper(),
        "integrationUri": backend["uri"],
        "integrationMethod": backend.get("httpMethod", "POST"),
        "payloadFormatVersion": backend.get("payloadFormatVersion", "1.0"),
        "timeoutInMillis": int(backend.get("timeoutInMillis", 30_000)),
    }
    integration = _answer(internals.create_integration(api_id, wanted))["integrationId"]
    verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
    route: dict[str, Any] = {
        "routeKey": "$default" if path == "/$default" else f"{verb} {path}",
        "target": f"integrations/{integration}",
    }
    for requirement in operation.get("security", []):
        for name, scopes in requirement.items():
            route |= {
                "authorizationType": "JWT",
                "authorizerId": authorizers[name],
                "authorizationScopes": scopes,
            }
    _answer(internals.create_route(api_id, route))


# ApiGatewayV2::Stage keeps route settings in CloudFormation's spelling, so the API never tells them.


def _stage(name: str, properties: Properties) -> None:
    stage = internals.stages[properties["ApiId"]][name]
    stage["defaultRouteSettings"] = _route_settings(properties.get("DefaultRouteSettings", {}))
    routes = properties.get("RouteSettings", {}).items()
    stage["routeSettings"] = {route: _route_settings(settings) for route, settings in routes}


def _route_settings(settings: Properties) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: _typed(value) for name, value in settings.items()}


# Lambda::Function drops ReservedConcurrentExecutions, RecursiveLoop and VpcConfig (told here, and without effect).


def _function(name: str, properties: Properties) -> None:
    reserved = properties.get("ReservedConcurrentExecutions")
    if reserved is None:
        internals.delete_function_concurrency(name)
    else:
        request = {"ReservedConcurrentExecutions": int(reserved)}
        _answer(internals.put_function_concurrency(name, request))
    if network := properties.get("VpcConfig"):
        internals.functions[name]["config"]["VpcConfig"] = dict(network)
    recursion = {"RecursiveLoop": properties.get("RecursiveLoop", "Terminate")}
    _answer(internals.put_function_recursion_config(name, recursion))


# CloudWatch::Alarm on metric math is refused. Here it is kept and told; `alarm_watch` evaluates it.


def _metric_alarm_record(name: str, properties: Properties) -> dict[str, Any]:
    if "Metrics" not in properties:
        record: dict[str, Any] = internals.cw_metric_alarm_record(name, properties)
        return record
    of_one_metric = ("MetricName", "Namespace", "Dimensions", "Statistic", "Period")
    record = internals.cw_metric_alarm_record(
        name, {**properties, "Metrics": None, **dict.fromkeys(of_one_metric[:2], "none")}
    )
    kept = {member: value for member, value in record.items() if member not in of_one_metric}
    return kept | {"Metrics": properties["Metrics"]}


# Lambda::EventSourceMapping keeps numbers and booleans as the strings that template parameters are, and drops
# MetricsConfig: which is told here, and nothing is counted.


def _mapping_created(create: Callable[..., Any]) -> Callable[..., Any]:
    typed = _after_create(create, _mapping)
    return lambda logical_id, properties, stack_name: typed(logical_id, _typed(properties), stack_name)


def _mapping_updated(update: Callable[..., Any]) -> Callable[..., Any]:
    typed = _after_update(update, _mapping)
    return lambda physical_id, old, new, stack_name: typed(physical_id, _typed(old), _typed(new), stack_name)


def _mapping(identifier: str, properties: Properties) -> None:
    internals.esms[identifier]["MetricsConfig"] = properties.get("MetricsConfig", {"Metrics": []})


def _typed(value: Any) -> Any:
    """Strings that are numbers or booleans, as such; no property of a mapping is a string that looks like one."""
    if isinstance(value, dict):
        return {name: _typed(each) for name, each in value.items()}
    if isinstance(value, str) and re.fullmatch(r"-?\d+|true|false", value):
        return json.loads(value)
    return value
