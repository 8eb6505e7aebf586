"""Compares every property of a deployed template with what the services themselves report."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from local.aws.deployment import EmulatorAddress

type Reported = dict[str, Any]

# Of the template, of the artifact or of the document, not of the resource that is made.
NOT_REPORTED = {
    "AWS::Lambda::Function": {"Code"},
    "AWS::Lambda::LayerVersion": {"Content"},
    "AWS::SecretsManager::Secret": {"GenerateSecretString", "SecretString"},
}

DOCUMENTATION = {"openapi", "info", "tags", "responses", "parameters"}  # of an OpenAPI document


def dropped(emulator: EmulatorAddress, stack_name: str) -> list[str]:
    """What the template says and no service reports, as `LogicalId.Property...: wanted, reported`.

    A value that CloudFormation computes (an intrinsic) only has to be there; parameters are known by their values.
    """
    cloudformation = emulator.client("cloudformation")
    template = cloudformation.get_template(StackName=stack_name, TemplateStage="Processed")["TemplateBody"]
    template = json.loads(template) if isinstance(template, str) else template
    stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    resources = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    made = {each["LogicalResourceId"]: each for page in resources for each in page["StackResourceSummaries"]}
    services = Services(emulator)
    found: list[str] = []
    for logical_id, resource in template["Resources"].items():
        if logical_id not in made:  # its condition is false
            continue
        kind = resource["Type"]
        properties = resource.get("Properties", {})
        wanted = {name: properties[name] for name in properties if name not in NOT_REPORTED.get(kind, ())}
        try:
            reported = services.report(kind, made[logical_id]["PhysicalResourceId"], properties)
        except (ClientError, KeyError) as error:
            found.append(f"{logical_id} ({kind}): {error!r}")
            continue
        found += differences(logical_id, _known(wanted, parameters), reported)
    return found


def _known(value: Any, parameters: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"Ref"} and value["Ref"] in parameters:
            return parameters[value["Ref"]]
        return {name: _known(each, parameters) for name, each in value.items()}
    return [_known(each, parameters) for each in value] if isinstance(value, list) else value


def differences(path: str, wanted: Any, reported: Any) -> Iterator[str]:
    if isinstance(wanted, dict) and len(wanted) == 1 and next(iter(wanted)).startswith(("Ref", "Fn::")):
        is_there = reported not in (None, "", [], {}) or "Fn::If" in wanted
    elif isinstance(wanted, dict) and isinstance(reported, dict):
        yield from _differing_members(path, wanted, reported)
        return
    elif isinstance(wanted, list):
        yield from _missing_elements(path, wanted, reported if isinstance(reported, list) else [reported])
        return
    elif isinstance(reported, list):
        yield from _missing_elements(path, str(wanted).split(","), reported)
        return
    else:
        is_there = _plain(wanted) == _plain(reported)
    if not is_there:
        yield f"{path}: wanted {wanted!r}, reported {reported!r}"


def _differing_members(path: str, wanted: Mapping[str, Any], reported: Mapping[str, Any]) -> Iterator[str]:
    by_name = {name.lower(): value for name, value in reported.items()}
    for name, value in wanted.items():
        if name not in DOCUMENTATION:
            yield from differences(f"{path}.{name}", value, by_name.get(name.lower()))


def _missing_elements(path: str, wanted: list[Any], reported: list[Any]) -> Iterator[str]:
    for number, value in enumerate(wanted):
        if all([*differences("", value, candidate)] for candidate in reported):
            yield f"{path}[{number}]: wanted {value!r}, reported {reported!r}"


def _plain(value: Any) -> float | str:
    """Parameters are strings: "7" is 7 and 7.0, "true" is True."""
    text = str(value).lower()
    return float(text) if re.fullmatch(r"-?[0-9.]+", text) else text


class Services:
    """What each service reports, in CloudFormation's words."""

    def __init__(self, emulator: EmulatorAddress) -> None:
        self._emulator = emulator
        self._clients: dict[str, Any] = {}

    def report(self, kind: str, physical_id: str, properties: Mapping[str, Any]) -> Reported:
        """KeyError for a kind that nothing here knows to ask about."""
        ask: dict[str, Callable[..., Reported]] = {
            "AWS::DynamoDB::Table": self._table,
            "AWS::S3::Bucket": self._bucket,
            "AWS::S3::BucketPolicy": self._bucket_policy,
            "AWS::KMS::Key": self._key,
            "AWS::KMS::Alias": self._alias,
            "AWS::SQS::Queue": self._queue,
            "AWS::SQS::QueuePolicy": self._queue_policy,
            "AWS::SecretsManager::Secret": self._secret,
            "AWS::Lambda::Function": self._function,
            "AWS::Lambda::LayerVersion": self._layer,
            "AWS::Lambda::EventSourceMapping": self._mapping,
            "AWS::Lambda::EventInvokeConfig": self._asynchronous,
            "AWS::Lambda::Permission": self._permission,
            "AWS::Lambda::Version": self._version,
            "AWS::Lambda::Alias": self._function_alias,
            "AWS::IAM::Role": self._role,
            "AWS::IAM::RolePolicy": self._role_policy,
            "AWS::Events::EventBusPolicy": self._bus_policy,
            "AWS::IAM::ManagedPolicy": self._managed_policy,
            "AWS::Logs::LogGroup": self._log_group,
            "AWS::Logs::MetricFilter": self._metric_filter,
            "AWS::Events::EventBus": self._bus,
            "AWS::Events::Rule": self._rule,
            "AWS::Scheduler::Schedule": self._schedule,
            "AWS::CloudWatch::Alarm": self._alarm,
            "AWS::CloudWatch::Dashboard": self._dashboard,
            "AWS::ApiGatewayV2::Api": self._api,
            "AWS::ApiGatewayV2::Stage": self._stage,
        }
        return ask[kind](physical_id, properties)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._emulator.client(service)
        return self._clients[service]

    def _table(self, name: str, _: Mapping[str, Any]) -> Reported:
        dynamodb = self._client("dynamodb")
        table: Reported = dynamodb.describe_table(TableName=name)["Table"]
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        sse = table.get("SSEDescription", {})
        return table | {
            "BillingMode": table["BillingModeSummary"]["BillingMode"],
            "SSESpecification": {
                "SSEEnabled": sse.get("Status") == "ENABLED",
                "SSEType": sse.get("SSEType"),
                "KMSMasterKeyId": sse.get("KMSMasterKeyArn"),
            },
            "PointInTimeRecoverySpecification": {
                **recovery,
                "PointInTimeRecoveryEnabled": recovery["PointInTimeRecoveryStatus"] == "ENABLED",
            },
            "TimeToLiveSpecification": {**ttl, "Enabled": ttl["TimeToLiveStatus"] == "ENABLED"},
        }

    def _bucket(self, name: str, _: Mapping[str, Any]) -> Reported:
        s3 = self._client("s3")
        rules = [
            {
                **rule,
                "Id": rule.get("ID"),
                "Prefix": rule.get("Filter", {}).get("Prefix"),
                "ExpirationInDays": rule.get("Expiration", {}).get("Days"),
                "ExpiredObjectDeleteMarker": rule.get("Expiration", {}).get("ExpiredObjectDeleteMarker"),
            }
            for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
        ]
        encryption = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        encryption = [
            {**rule, "ServerSideEncryptionByDefault": rule["ApplyServerSideEncryptionByDefault"]} for rule in encryption
        ]
        notifications = s3.get_bucket_notification_configuration(Bucket=name)
        return {
            "BucketEncryption": {"ServerSideEncryptionConfiguration": encryption},
            "LifecycleConfiguration": {"Rules": rules},
            "VersioningConfiguration": s3.get_bucket_versioning(Bucket=name),
            "NotificationConfiguration": {
                "EventBridgeConfiguration": {"EventBridgeEnabled": "EventBridgeConfiguration" in notifications}
            },
            "PublicAccessBlockConfiguration": s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"],
            "OwnershipControls": s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"],
        }

    def _bucket_policy(self, physical_id: str, _: Mapping[str, Any]) -> Reported:
        bucket = physical_id.removesuffix("-policy")
        policy = self._client("s3").get_bucket_policy(Bucket=bucket)["Policy"]
        return {"Bucket": bucket, "PolicyDocument": json.loads(policy)}

    def _key(self, key_id: str, _: Mapping[str, Any]) -> Reported:
        kms = self._client("kms")
        key: Reported = kms.describe_key(KeyId=key_id)["KeyMetadata"]
        rotates = key["KeySpec"] == "SYMMETRIC_DEFAULT" and kms.get_key_rotation_status(KeyId=key_id)
        return key | {
            "KeyPolicy": json.loads(kms.get_key_policy(KeyId=key_id)["Policy"]),
            "EnableKeyRotation": bool(rotates and rotates["KeyRotationEnabled"]),
        }

    def _alias(self, name: str, _: Mapping[str, Any]) -> Reported:
        aliases = self._client("kms").list_aliases()["Aliases"]
        reported: Reported = next(alias for alias in aliases if alias["AliasName"] == name)
        return reported

    def _queue(self, url: str, _: Mapping[str, Any]) -> Reported:
        asked = self._client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: Reported = asked["Attributes"]
        documents = ("RedrivePolicy", "RedriveAllowPolicy")
        return (
            attributes
            | {"QueueName": url.rsplit("/", 1)[1]}
            | {name: json.loads(attributes.get(name, "{}")) for name in documents}
        )

    def _queue_policy(self, _: str, properties: Mapping[str, Any]) -> Reported:
        """Its queues are known by intrinsics only: that one queue has such a policy has to do."""
        sqs = self._client("sqs")
        for url in sqs.list_queues().get("QueueUrls", []):
            policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
            document = json.loads(policy.get("Policy", "{}"))
            if not [*differences("", properties["PolicyDocument"], document)]:
                return {"PolicyDocument": document, "Queues": [url]}
        return {}

    def _secret(self, arn: str, _: Mapping[str, Any]) -> Reported:
        secrets = self._client("secretsmanager")
        described: Reported = secrets.describe_secret(SecretId=arn)
        return described

    def _function(self, name: str, _: Mapping[str, Any]) -> Reported:
        lambda_ = self._client("lambda")
        function = lambda_.get_function(FunctionName=name)
        configuration: Reported = function["Configuration"]
        return {
            **configuration,
            **function.get("Concurrency", {}),
            "Layers": [layer["Arn"] for layer in configuration.get("Layers", [])],
            "RecursiveLoop": self._client("lambda").get_function_recursion_config(FunctionName=name)["RecursiveLoop"],
            "Tags": [{"Key": key, "Value": value} for key, value in function.get("Tags", {}).items()],
        }

    def _layer(self, arn: str, _: Mapping[str, Any]) -> Reported:
        layer: Reported = self._client("lambda").get_layer_version_by_arn(Arn=arn)
        return layer | {"LayerName": layer["LayerArn"].rsplit(":", 1)[1]}

    def _mapping(self, identifier: str, _: Mapping[str, Any]) -> Reported:
        mapping: Reported = self._client("lambda").get_event_source_mapping(UUID=identifier)
        return mapping | {"FunctionName": mapping["FunctionArn"], "Enabled": mapping["State"] == "Enabled"}

    def _asynchronous(self, physical_id: str, _: Mapping[str, Any]) -> Reported:
        name = physical_id.split("|", maxsplit=1)[0]
        reported: Reported = self._client("lambda").get_function_event_invoke_config(FunctionName=name)
        return reported | {"FunctionName": name, "Qualifier": "$LATEST"}

    def _permission(self, statement_id: str, _: Mapping[str, Any]) -> Reported:
        """Its function is known by an intrinsic only: the statement is looked for in all of them."""
        return self._statements[statement_id]

    @cached_property
    def _statements(self) -> dict[str, Reported]:
        lambda_ = self._client("lambda")
        found: dict[str, Reported] = {}
        for page in lambda_.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                try:
                    policy = json.loads(lambda_.get_policy(FunctionName=function["FunctionName"])["Policy"])
                except lambda_.exceptions.ResourceNotFoundException:
                    continue
                for statement in policy["Statement"]:
                    source = next(iter(statement.get("Condition", {"": {}}).values()))
                    found[statement["Sid"]] = {
                        "FunctionName": function["FunctionName"],
                        "Action": statement["Action"],
                        "Principal": statement["Principal"].get("Service"),
                        "SourceArn": source.get("AWS:SourceArn") or source.get("aws:SourceArn"),
                    }
        return found

    def _version(self, arn: str, _: Mapping[str, Any]) -> Reported:
        reported: Reported = self._client("lambda").get_function_configuration(FunctionName=arn)
        return reported

    def _function_alias(self, arn: str, _: Mapping[str, Any]) -> Reported:
        function, name = arn.rsplit(":", 1)
        reported: Reported = self._client("lambda").get_alias(FunctionName=function, Name=name)
        return reported | {"FunctionName": function}

    def _role(self, name: str, _: Mapping[str, Any]) -> Reported:
        iam = self._client("iam")
        role: Reported = iam.get_role(RoleName=name)["Role"]
        inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        return role | {
            "Policies": [iam.get_role_policy(RoleName=name, PolicyName=policy) for policy in inline],
            "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
        }

    def _bus_policy(self, physical_id: str, _: Mapping[str, Any]) -> Reported:
        bus, name = physical_id.split("|")
        policy = json.loads(self._client("events").describe_event_bus(Name=bus)["Policy"])
        (statement,) = (each for each in policy["Statement"] if each.pop("Sid") == name)
        return {"EventBusName": bus, "StatementId": name, "Statement": statement}

    def _role_policy(self, physical_id: str, _: Mapping[str, Any]) -> Reported:
        policy, role = physical_id.split("|")
        reported: Reported = self._client("iam").get_role_policy(RoleName=role, PolicyName=policy)
        return reported

    def _managed_policy(self, arn: str, _: Mapping[str, Any]) -> Reported:
        iam = self._client("iam")
        policy: Reported = iam.get_policy(PolicyArn=arn)["Policy"]
        version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        return policy | {"PolicyDocument": version["Document"]}

    def _log_group(self, name: str, _: Mapping[str, Any]) -> Reported:
        groups = self._client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        reported: Reported = next(group for group in groups if group["logGroupName"] == name)
        return reported

    def _metric_filter(self, name: str, _: Mapping[str, Any]) -> Reported:
        filters = self._client("logs").describe_metric_filters()["metricFilters"]
        reported: Reported = next(each for each in filters if each["filterName"] == name)
        return reported

    def _bus(self, name: str, _: Mapping[str, Any]) -> Reported:
        reported: Reported = self._client("events").describe_event_bus(Name=name)
        return reported

    def _rule(self, physical_id: str, _: Mapping[str, Any]) -> Reported:
        *bus, name = physical_id.split("|")
        where = {"EventBusName": bus[0]} if bus else {}
        events = self._client("events")
        rule: Reported = events.describe_rule(Name=name, **where)
        targets = events.list_targets_by_rule(Rule=name, **where)["Targets"]
        return rule | {"Targets": targets, "EventPattern": json.loads(rule.get("EventPattern") or "{}")}

    def _schedule(self, name: str, _: Mapping[str, Any]) -> Reported:
        reported: Reported = self._client("scheduler").get_schedule(Name=name)
        return reported

    def _alarm(self, name: str, _: Mapping[str, Any]) -> Reported:
        return self._alarms[name]

    @cached_property
    def _alarms(self) -> dict[str, Reported]:
        pages = self._client("cloudwatch").get_paginator("describe_alarms").paginate()
        return {alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]}

    def _dashboard(self, name: str, _: Mapping[str, Any]) -> Reported:
        reported: Reported = self._client("cloudwatch").get_dashboard(DashboardName=name)
        return reported

    def _api(self, api_id: str, _: Mapping[str, Any]) -> Reported:
        """Its Body is what SAM writes routes, authorizers and CORS into."""
        gateway = self._client("apigatewayv2")
        api: Reported = gateway.get_api(ApiId=api_id)
        authorizers = gateway.get_authorizers(ApiId=api_id)["Items"]
        names = {each["AuthorizerId"]: each["Name"] for each in authorizers}
        integrations = {each["IntegrationId"]: each for each in gateway.get_integrations(ApiId=api_id)["Items"]}
        paths: dict[str, Any] = {}
        for route in gateway.get_routes(ApiId=api_id)["Items"]:
            method, path = route["RouteKey"].split(" ")
            backend = integrations[route["Target"].split("/")[1]]
            paths.setdefault(path, {})[method.lower()] = {
                "x-amazon-apigateway-integration": {
                    "type": backend["IntegrationType"],
                    "httpMethod": backend["IntegrationMethod"],
                    "uri": backend["IntegrationUri"],
                    "payloadFormatVersion": backend["PayloadFormatVersion"],
                    "timeoutInMillis": backend["TimeoutInMillis"],
                },
                "security": [{names.get(route.get("AuthorizerId"), ""): route.get("AuthorizationScopes", [])}],
            }
        schemes = {
            each["Name"]: {
                "type": "oauth2",
                "x-amazon-apigateway-authorizer": {
                    "type": each["AuthorizerType"],
                    "identitySource": each["IdentitySource"][0],
                    "jwtConfiguration": each["JwtConfiguration"],
                },
            }
            for each in authorizers
        }
        endpoint = {"disableExecuteApiEndpoint": api["DisableExecuteApiEndpoint"]}
        servers = [{"x-amazon-apigateway-endpoint-configuration": endpoint}]
        body = {"paths": paths, "components": {"securitySchemes": schemes}, "servers": servers}
        return api | {"Body": body | {"x-amazon-apigateway-cors": api.get("CorsConfiguration")}}

    def _stage(self, name: str, _: Mapping[str, Any]) -> Reported:
        gateway = self._client("apigatewayv2")
        api = gateway.get_apis()["Items"][0]["ApiId"]
        stage: Reported = gateway.get_stage(ApiId=api, StageName=name)
        return stage | {"ApiId": api}
