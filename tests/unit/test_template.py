"""What template.yaml promises, read from the template and from what SAM makes of it."""

import ast
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from graphlib import TopologicalSorter
from typing import Any

import msgspec
import pytest
from cfnlint.api import lint

from landing import settings
from landing.metrics import Metric
from tests.processed_template import ROOT, Json, made_by_sam, source

FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
PUBLIC = ["create_connect_session", "receive_login", "show_connection"]
WORKERS = {"fetch_accounts": "FetchQueue", "delete_connection": "EraseQueue"}


@pytest.fixture(scope="module")
def template() -> Json:
    return source()


@pytest.fixture(scope="module")
def deployed() -> Json:
    return made_by_sam()


def camel(folder: str) -> str:
    return "".join(word.capitalize() for word in folder.split("_"))


def of_type(template: Json, kind: str) -> dict[str, Json]:
    return {name: r["Properties"] for name, r in template["Resources"].items() if r["Type"] == kind}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def always(statements: list[Json]) -> list[Json]:
    """Less those that a parameter adds: tests/unit/template has a file for each of these."""
    asked_for = {"ConsumersElsewhere", "NetworkGiven", "KeyAdministratorGiven"}
    return [each for each in statements if each.get("Fn::If", [""])[0] not in asked_for]


def att(resource: str, attribute: str = "Arn") -> Json:
    return {"Fn::GetAtt": [resource, attribute]}


def via(service: str) -> Json:
    return {"Fn::Sub": f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}"}


@dataclass(frozen=True)
class Grant:
    """One action on one resource: `on` is the resource as JSON, `condition` what narrows it."""

    action: str
    on: str
    condition: Json

    @property
    def services(self) -> list[Json]:
        return listed(self.condition.get("StringEquals", {}).get("kms:ViaService", []))


def grants(template: Json, folder: str) -> list[Grant]:
    policy = template["Resources"][f"{camel(folder)}Policy"]["Properties"]
    return [
        Grant(action, json.dumps(resource), statement.get("Condition", {}))
        for statement in always(policy["PolicyDocument"]["Statement"])
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def actions(template: Json, folder: str, on: str) -> set[str]:
    """What the function's role may do to resources whose reference names `on`."""
    return {grant.action for grant in grants(template, folder) if on in grant.on}


def environment(template: Json, folder: str) -> Json:
    shared: Json = template["Globals"]["Function"]["Environment"]["Variables"]
    own: Json = template["Resources"][f"{camel(folder)}Function"]["Properties"]["Environment"]["Variables"]
    return {**shared, **own}


def timeout(template: Json, folder: str) -> int:
    own = template["Resources"][f"{camel(folder)}Function"]["Properties"]
    return int(own.get("Timeout", template["Globals"]["Function"]["Timeout"]))


# --- it can be deployed


def test_what_sam_makes_of_it_lints_clean() -> None:
    found = lint(json.dumps(made_by_sam(GradualDeployment="true")))  # what it makes otherwise is a part of it

    # SAM itself reads these parameters, and leaves nothing of them behind.
    read_by_sam = {f"Parameter {name} not used." for name in ("GradualDeployment", "Release")}
    # SAM makes groups only where DeploysGradually holds, and gives them no condition: the linter sees another case.
    of_no_case = {"'ServiceRoleArn' is a required property"}
    assert [str(problem) for problem in found if problem.message not in read_by_sam | of_no_case] == []


def test_sam_validates_and_lints_the_template() -> None:
    sam = ROOT / ".venvs/sam/bin/sam"
    if not sam.exists():
        pytest.skip("no sam: run `make setup`")

    run = subprocess.run(
        [sam, "validate", "--lint", "--region", "ca-central-1"],
        cwd=ROOT,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr


def test_every_function_folder_is_deployed_and_every_deployed_folder_exists(template: Json) -> None:
    folders = {properties["CodeUri"] for properties in of_type(template, "AWS::Serverless::Function").values()}

    assert folders == {f"functions/{folder}/" for folder in FUNCTIONS}


def test_the_outputs_are_those_that_others_are_told_of(template: Json) -> None:
    stores = {"ApiUrl", "ConnectionsTable", "DropBucket", "EventBus", "FetchQueue", "EraseQueue"}
    functions = {f"{camel(folder)}Function" for folder in FUNCTIONS}

    consumers = {"DropReaderPolicyArn", "EventBusArn", "DataKeyArn"}
    assert set(template["Outputs"]) == stores | functions | consumers | {"DomainTarget", "Version"}


def test_functions_and_layer_are_of_the_one_architecture(template: Json) -> None:
    layer = template["Resources"]["LandingLayer"]
    architecture = {"Ref": "Architecture"}

    assert template["Globals"]["Function"]["Architectures"] == [architecture]
    assert layer["Properties"]["CompatibleArchitectures"] == [architecture]
    assert layer["Metadata"]["BuildArchitecture"] == architecture


def mentioned(value: Any) -> Iterator[str]:
    """Every logical id that a value refers to, in any of CloudFormation's ways."""
    if isinstance(value, dict):
        if isinstance(value.get("Ref"), str):
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield listed(value["Fn::GetAtt"])[0].partition(".")[0]
        if "Fn::Sub" in value:
            yield from re.findall(r"\$\{(\w+)[.}]", listed(value["Fn::Sub"])[0])
        for member in value.values():
            yield from mentioned(member)
    elif isinstance(value, list):
        for member in value:
            yield from mentioned(member)


def made_in_turn(deployed: Json) -> dict[str, set[str]]:
    """What CloudFormation makes before each resource: `{logical id: those it names or DependsOn}`."""
    resources = deployed["Resources"]
    return {
        name: {each for each in mentioned(resource["Properties"]) if each in resources}
        | set(listed(resource.get("DependsOn", [])))
        for name, resource in resources.items()
    }


def all_before(before: dict[str, set[str]], name: str) -> set[str]:
    """Everything that is there when `name` is made, directly named or not."""
    reached: set[str] = set()
    ahead = set(before[name])
    while ahead:
        reached |= ahead
        ahead = set().union(*(before[each] for each in ahead)) - reached
    return reached


@pytest.mark.parametrize("gradual", ["true", "false"])
def test_no_resource_waits_for_itself(gradual: str) -> None:
    before = made_in_turn(made_by_sam(GradualDeployment=gradual))

    turn = list(TopologicalSorter(before).static_order())  # which refuses a cycle

    assert set(turn) == set(before)


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_nothing_of_a_function_runs_before_its_role_has_its_grants(deployed: Json, folder: str) -> None:
    before = made_in_turn(deployed)
    function, policy = f"{camel(folder)}Function", f"{camel(folder)}Policy"
    runs_it = [name for name in before if name != function and function in all_before(before, name)]

    assert policy in all_before(before, function)
    assert {name for name in runs_it if policy not in all_before(before, name)} == set()
    assert f"{function}Aliaslive" in runs_it


def test_keys_wait_for_the_roles_they_name_and_policies_for_both(deployed: Json) -> None:
    before = made_in_turn(deployed)

    assert {"ReceiveLoginRole", "FetchAccountsRole", "DeleteConnectionRole"} <= before["LoginKey"]
    assert {"LoginKey", "IndexKey", "FetchAccountsRole"} <= before["FetchAccountsPolicy"]
    assert before["FetchAccountsRole"] == set()


@pytest.mark.parametrize(
    ("parameter", "refused"),
    [
        ("AllowedOrigins", "*"),
        ("AllowedOrigins", "https://*.example.com"),
        ("AllowedOrigins", "http://app.example.com"),
        ("AllowedOrigins", "https://app.example.com/"),
        ("AllowedOrigins", "https://app.example.com,*"),
        ("AllowedOrigins", "https://app.example.com,"),
        ("AllowedOrigins", "https://app.example.com, https://other.example.com"),
        ("JwtAudience", ""),
        ("JwtAudience", "a,,b"),
        ("JwtIssuer", ""),
        ("RequiredScope", "connections openid"),
        ("OwnerClaim", ""),
        ("OwnerClaim", "a claim"),
        ("DomainName", "https://api.example.com"),
        ("DomainName", "*.example.com"),
        ("CertificateArn", "api.example.com"),
        ("SubnetIds", "subnet-0a1b2c3d, subnet-0a1b2c3e"),
        ("SecurityGroupIds", "default"),
        ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:role/boundary"),
        ("RolePath", "landing"),
        ("RolePath", "/landing"),
        ("KeyAdministratorArn", "*"),
        ("KeyAdministratorArn", "arn:aws:iam::123456789012:*"),
        ("JwtIssuer", "http://issuer.example.com"),
        ("FlinksApiUrl", "http://flinks.example.com"),
        ("FlinksApiUrl", "https://flinks.example.com/v3"),
        ("FlinksInstance", "evil.example.com/"),
        ("FlinksCustomerId", ""),
        ("FlinksSecretKeyArn", "the-secret-itself"),
        ("FlinksApiKeyArn", "the-key-itself"),
    ],
)
def test_a_parameter_that_would_open_a_door_is_refused(template: Json, parameter: str, refused: str) -> None:
    pattern = template["Parameters"][parameter]["AllowedPattern"]

    assert re.search(pattern, refused) is None


@pytest.mark.parametrize(
    ("parameter", "accepted"),
    [
        ("AllowedOrigins", "https://app.example.com"),
        ("AllowedOrigins", "http://127.0.0.1:8000"),
        ("AllowedOrigins", "https://app.example.com,http://localhost:8000,https://other.example.com:8443"),
        ("AllowedOrigins", ""),
        ("JwtAudience", "a"),
        ("JwtAudience", "a,b"),
        ("JwtIssuer", "https://issuer.example.com/pool"),
        ("JwtIssuer", "http://127.0.0.1:8001"),
        ("RequiredScope", "landing/connections"),
        ("RequiredScope", "api://landing/connections"),
        ("RequiredScope", ""),
        ("OwnerClaim", "oid"),
        ("OwnerClaim", "https://example.com/user_id"),
        ("DomainName", "api.example.com"),
        ("CertificateArn", "arn:aws:acm:ca-central-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-0a1b2c3d4e5f"),
        ("SubnetIds", "subnet-0a1b2c3d,subnet-0a1b2c3d4e5f60718"),
        ("SecurityGroupIds", "sg-0a1b2c3d"),
        ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:policy/boundaries/developers"),
        ("RolePath", "/teams/landing/"),
        (
            "KeyAdministratorArn",
            "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Keys_*",
        ),
        ("FlinksApiUrl", "http://127.0.0.1:8002"),
        ("FlinksInstance", "toolbox"),
        ("FlinksSecretKeyArn", "arn:aws:secretsmanager:ca-central-1:123456789012:secret:flinks/key-AbC123"),
    ],
)
def test_a_parameter_as_documented_is_accepted(template: Json, parameter: str, accepted: str) -> None:
    pattern = template["Parameters"][parameter]["AllowedPattern"]

    assert re.search(pattern, accepted)


def test_who_calls_and_whose_customer_we_are_has_no_default(template: Json) -> None:
    without = {name for name, parameter in template["Parameters"].items() if "Default" not in parameter}

    assert without == {"JwtIssuer", "JwtAudience", "AllowedOrigins", "FlinksCustomerId", "Release"}


def test_every_parameter_is_described_and_limited(template: Json) -> None:
    limits = {"AllowedPattern", "AllowedValues", "MinValue"}

    loose = [n for n, p in template["Parameters"].items() if not (limits & p.keys() and p.get("Description"))]

    assert loose == []


def test_a_gradual_deployment_is_taken_back_when_the_function_s_errors_alarm() -> None:
    made = made_by_sam(GradualDeployment="true")

    groups = {
        name: [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]]
        for name, group in of_type(made, "AWS::CodeDeploy::DeploymentGroup").items()
    }

    assert groups == {f"{camel(f)}FunctionDeploymentGroup": [f"{camel(f)}Errors"] for f in FUNCTIONS}


def test_only_what_a_person_waits_for_starts_from_a_snapshot() -> None:
    made = of_type(made_by_sam(SnapStart="true"), "AWS::Lambda::Function")

    wanted = {"Fn::If": ["StartsFromSnapshots", {"ApplyOn": "PublishedVersions"}, {"Ref": "AWS::NoValue"}]}
    of_the_api = {name for name, each in made.items() if each.get("SnapStart") is not None}
    assert of_the_api == {"ReceiveLoginFunction", "CreateConnectSessionFunction", "ShowConnectionFunction"}
    assert all(made[name]["SnapStart"] == wanted for name in of_the_api)


def test_a_canary_lasts_twice_as_long_as_its_alarm_looks_back(template: Json) -> None:
    """So that only an error of its last minutes, which the alarm hears of too late, is not taken back."""
    shift = template["Globals"]["Function"]["DeploymentPreference"]["Type"]
    minutes = int(re.fullmatch(r"Canary10Percent(\d+)Minutes", shift)[1])  # type: ignore[index]
    alarms = [template["Resources"][f"{camel(folder)}Errors"]["Properties"] for folder in FUNCTIONS]

    assert {(a["Period"], a["EvaluationPeriods"], a["DatapointsToAlarm"]) for a in alarms} == {(60, 5, 1)}
    assert minutes * 60 == 2 * 60 * 5


def test_a_plain_deployment_needs_no_code_deploy(deployed: Json) -> None:
    assert [name for name, r in deployed["Resources"].items() if "CodeDeploy" in r["Type"]] == []


def test_whatever_invokes_a_function_invokes_what_was_released(deployed: Json) -> None:
    released = {f"{camel(folder)}FunctionAliaslive" for folder in FUNCTIONS}
    mappings = of_type(deployed, "AWS::Lambda::EventSourceMapping").values()
    permissions = of_type(deployed, "AWS::Lambda::Permission").values()
    rules = of_type(deployed, "AWS::Events::Rule").values()
    invoked = [each["FunctionName"]["Ref"] for each in [*mappings, *permissions]]
    scheduled = [target["Arn"]["Ref"] for rule in rules for target in rule["Targets"]]
    routed = re.findall(r"\$\{(\w+)(?:\.Arn)?\}/invocations", json.dumps(deployed))

    assert {*invoked, *scheduled, *routed} <= released
    assert (len(mappings), len(rules), len(routed)) == (4, 1, len(list(routes(deployed))))


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_an_output_names_the_alias_for_who_invokes_by_hand(template: Json, folder: str) -> None:
    output = template["Outputs"][f"{camel(folder)}Function"]

    assert output == {"Value": {"Fn::Sub": f"${{{camel(folder)}Function}}:live"}}


# --- what is kept stays, and is encrypted


def test_table_bucket_and_keys_outlive_the_stack_and_any_replacement_but_not_a_creation_that_failed(
    template: Json,
) -> None:
    kept = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"}

    policies = {
        name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name, resource in template["Resources"].items()
        if resource["Type"] in kept and name != "SessionsTable"  # counters of an hour
    }

    assert policies == dict.fromkeys(
        ("ConnectionsTable", "DropBucket", "DataKey", "LoginKey", "IndexKey"), ("RetainExceptOnCreate", "Retain")
    )


def test_the_table_is_protected_and_can_be_restored(template: Json) -> None:
    table = template["Resources"]["ConnectionsTable"]["Properties"]

    assert table["DeletionProtectionEnabled"] == {"Ref": "ProtectTable"}
    assert template["Parameters"]["ProtectTable"]["Default"] == "true"
    assert table["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": {"Ref": "PitrDays"},
    }
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}


def test_table_bucket_secrets_and_logs_are_encrypted_with_our_key(template: Json) -> None:
    table = template["Resources"]["ConnectionsTable"]["Properties"]["SSESpecification"]
    bucket = template["Resources"]["DropBucket"]["Properties"]["BucketEncryption"]
    secrets = of_type(template, "AWS::SecretsManager::Secret").values()
    logs = of_type(template, "AWS::Logs::LogGroup").values()
    key = att("DataKey")

    assert table == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    assert bucket["ServerSideEncryptionConfiguration"] == [
        {
            "BucketKeyEnabled": True,
            "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
        }
    ]
    assert [secret["KmsKeyId"] for secret in secrets] == [key, key]
    assert {json.dumps(log["KmsKeyId"]) for log in logs} == {json.dumps(key)}


def test_queues_are_encrypted(template: Json) -> None:
    queues = of_type(template, "AWS::SQS::Queue")

    assert [name for name, queue in queues.items() if queue.get("SqsManagedSseEnabled") is not True] == []


def test_queues_take_tls_only(template: Json) -> None:
    policy = template["Resources"]["QueuesTakeTlsOnly"]["Properties"]
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert {queue["Ref"] for queue in policy["Queues"]} == set(of_type(template, "AWS::SQS::Queue"))
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "sqs:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_queue_takes_what_sqs_gives_up_from_its_own_source_only(template: Json) -> None:
    queues = of_type(template, "AWS::SQS::Queue")
    takes = {name: queue["RedriveAllowPolicy"] for name, queue in queues.items()}

    from_ = {
        name: [arn["Fn::Sub"][0].rpartition(":")[2] for arn in allowed["sourceQueueArns"]]
        for name, allowed in takes.items()
        if allowed["redrivePermission"] == "byQueue"
    }
    its_source = {
        queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]: [queue["QueueName"]["Fn::Sub"][0]]
        for queue in queues.values()
        if "RedrivePolicy" in queue
    }

    assert from_ == its_source
    assert set(from_) == {"FetchDeadLetters", "EraseDeadLetters"}
    assert {allowed["redrivePermission"] for name, allowed in takes.items() if name not in from_} == {"denyAll"}


def test_keys_that_can_rotate_do(template: Json) -> None:
    keys = of_type(template, "AWS::KMS::Key")
    symmetric = {name for name, key in keys.items() if key.get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"}

    assert symmetric == {"DataKey", "LoginKey"}
    assert {name for name, key in keys.items() if key.get("EnableKeyRotation")} == symmetric


def test_the_bucket_is_private_versioned_and_announces_its_objects(template: Json) -> None:
    bucket = template["Resources"]["DropBucket"]["Properties"]

    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_the_bucket_refuses_plain_http_and_foreign_encryption(template: Json) -> None:
    statements = always(template["Resources"]["DropBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"])
    denied = {
        s["Sid"]: (s["Action"], s["Condition"]) for s in statements if s["Effect"] == "Deny" and s["Principal"] == "*"
    }

    of_our_key = {"s3:x-amz-server-side-encryption-aws-kms-key-id": att("DataKey")}
    assert denied == {
        "TlsOnly": ("s3:*", {"Bool": {"aws:SecureTransport": "false"}}),
        "KmsOnly": ("s3:PutObject", {"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption": "aws:kms"}}),
        "OurKeyOnly": ("s3:PutObject", {"StringNotEqualsIfExists": of_our_key}),
    }
    assert statements[0]["Resource"] == [att("DropBucket"), {"Fn::Sub": "${DropBucket.Arn}/*"}]
    assert len(statements) == len(denied)


def test_nothing_lingers_in_the_bucket_and_receipts_are_never_expired(template: Json) -> None:
    tidy, expire = template["Resources"]["DropBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]

    assert tidy["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert tidy["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert expire["Fn::If"][0] == "DropsExpire"
    assert {tidy["Prefix"], expire["Fn::If"][1]["Prefix"]} == {"accounts/"}


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_each_function_logs_into_its_own_group_which_forgets(template: Json, folder: str) -> None:
    logs = f"{camel(folder)}Logs"
    written = {grant.on for grant in grants(template, folder) if grant.action.startswith("logs:")}

    assert template["Resources"][logs]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert written == {json.dumps(att(logs))}


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_libraries_stay_silent_since_nothing_turns_on_lambda_s_json_format(deployed: Json, folder: str) -> None:
    function = deployed["Resources"][f"{camel(folder)}Function"]["Properties"]

    assert function["LoggingConfig"] == {"LogGroup": {"Ref": f"{camel(folder)}Logs"}}


def test_nothing_is_traced_since_a_trace_keeps_paths(deployed: Json) -> None:
    functions = of_type(deployed, "AWS::Lambda::Function")

    assert [name for name, function in functions.items() if "TracingConfig" in function] == []


# --- the door


def routes(deployed: Json) -> Iterator[tuple[str, Json]]:
    for path, operations in deployed["Resources"]["HttpApi"]["Properties"]["Body"]["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({}, ["connections"]), ({"RequiredScope": "landing/connections"}, ["landing/connections"])],
)
def test_every_route_wants_a_token_with_the_scope(given: dict[str, str], wanted: list[str]) -> None:
    made = made_by_sam(**given)
    parameters = {"RequiredScope": "connections", **given}

    asked = [worked_out(operation["security"], made, parameters) for _, operation in routes(made)]

    assert asked == [[{"Jwt": wanted}]] * 4


def test_where_a_provider_gives_no_scopes_every_route_wants_a_token_all_the_same() -> None:
    parameters = {"RequiredScope": ""}
    made = made_by_sam(**parameters)

    asked = [worked_out(operation["security"], made, parameters) for _, operation in routes(made)]

    assert asked == [[{"Jwt": []}]] * 4


def test_there_is_no_route_but_the_documented(deployed: Json) -> None:
    assert {route for route, _ in routes(deployed)} == {
        "POST /connections",
        "GET /connections",
        "GET /connections/{connectionId}",
        "POST /connect-sessions",
    }


def worked_out(value: Any, made: Json, parameters: dict[str, str]) -> Any:
    """A property as CloudFormation hands it to the service: of intrinsics, those that lists are made with."""
    if isinstance(value, list):
        return [each for each in (worked_out(each, made, parameters) for each in value) if each is not None]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Ref": "AWS::NoValue"}:
            return None
        case {"Ref": name}:
            return parameters[name]
        case {"Fn::Split": [separator, text]}:
            return worked_out(text, made, parameters).split(separator)
        case {"Fn::Equals": [one, other]}:
            return worked_out(one, made, parameters) == worked_out(other, made, parameters)
        case {"Fn::Not": [condition]}:
            return not worked_out(condition, made, parameters)
        case {"Fn::If": [condition, then, otherwise]}:
            holds = worked_out(made["Conditions"][condition], made, parameters)
            return worked_out(then if holds else otherwise, made, parameters)
    return {name: worked_out(member, made, parameters) for name, member in value.items()}


@pytest.mark.parametrize("told", [True, False], ids=["sam-is-told-the-values", "sam-is-told-no-values"])
@pytest.mark.parametrize("number", [1, 3])
def test_tokens_are_those_of_the_issuer_for_each_audience(number: int, told: bool) -> None:
    audiences = [f"audience-{n}" for n in range(number)]
    parameters = {"JwtIssuer": "https://issuer.example.com", "JwtAudience": ",".join(audiences)}
    made = made_by_sam(**(parameters if told else {}))

    schemes = made["Resources"]["HttpApi"]["Properties"]["Body"]["components"]["securitySchemes"]

    checked = schemes["Jwt"]["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
    assert worked_out(checked, made, parameters) == {"issuer": "https://issuer.example.com", "audience": audiences}


@pytest.mark.parametrize("told", [True, False], ids=["sam-is-told-the-values", "sam-is-told-no-values"])
@pytest.mark.parametrize("number", [1, 3])
def test_only_listed_origins_may_call_and_sam_has_not_dropped_the_rest(number: int, told: bool) -> None:
    origins = [f"https://app-{n}.example.com" for n in range(number)]
    parameters = {"AllowedOrigins": ",".join(origins)}
    made = made_by_sam(**(parameters if told else {}))

    cors = made["Resources"]["HttpApi"]["Properties"]["Body"]["x-amazon-apigateway-cors"]

    assert worked_out(cors, made, parameters) == {
        "allowOrigins": origins,
        "allowMethods": ["GET", "POST"],
        "allowHeaders": ["authorization", "content-type"],
        "exposeHeaders": ["location", "retry-after", "apigw-requestid"],
        "maxAge": 600,
    }


@pytest.mark.parametrize("told", [True, False], ids=["sam-is-told-the-values", "sam-is-told-no-values"])
def test_without_an_origin_there_is_no_cors(told: bool) -> None:
    parameters = {"AllowedOrigins": ""}
    made = made_by_sam(**(parameters if told else {}))

    cors = made["Resources"]["HttpApi"]["Properties"]["Body"]["x-amazon-apigateway-cors"]

    assert worked_out(cors, made, parameters) is None


def test_no_parameter_is_a_list_since_sam_makes_of_a_list_what_it_was_handed(template: Json) -> None:
    lists = [name for name, parameter in template["Parameters"].items() if "List" in parameter["Type"]]

    # Whom CloudFormation alone reads: no resource of SAM's refers to it, so nobody hands it on as a text.
    assert lists == ["ConsumerAccountIds"]


def test_the_door_is_throttled(template: Json) -> None:
    limits = template["Resources"]["HttpApi"]["Properties"]["DefaultRouteSettings"]

    assert limits["ThrottlingRateLimit"] == {"Ref": "ThrottleRate"}
    assert limits["ThrottlingBurstLimit"] == {"Ref": "ThrottleBurst"}


def test_opening_sessions_is_throttled_more_narrowly_than_the_rest(template: Json, deployed: Json) -> None:
    (stage,) = of_type(deployed, "AWS::ApiGatewayV2::Stage").values()
    of_all = {name: template["Parameters"][name]["Default"] for name in ("ThrottleRate", "ThrottleBurst")}

    ((route, limits),) = stage["RouteSettings"].items()

    assert route == "POST /connect-sessions"
    assert limits["ThrottlingRateLimit"] < of_all["ThrottleRate"]
    assert limits["ThrottlingBurstLimit"] < of_all["ThrottleBurst"]
    assert limits["DetailedMetricsEnabled"] is True  # a route's settings are not added to those of the rest


def test_the_access_log_knows_the_route_and_neither_path_nor_caller(template: Json) -> None:
    logged = json.loads(template["Resources"]["HttpApi"]["Properties"]["AccessLogSettings"]["Format"])

    assert set(logged.values()) == {
        "$context.requestId",
        "$context.requestTime",
        "$context.routeKey",
        "$context.status",
        "$context.responseLatency",
        "$context.integration.requestId",
        "$context.error.responseType",
        "$context.authorizer.error",
    }


def test_the_access_log_lies_where_one_statement_of_the_account_covers_every_such_log(template: Json) -> None:
    name = template["Resources"]["ApiLogs"]["Properties"]["LogGroupName"]["Fn::Sub"]
    encrypt = template["Resources"]["DataKey"]["Properties"]["KeyPolicy"]["Statement"][-1]
    covered = encrypt["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]["Fn::Sub"].partition("log-group:")[
        2
    ]

    assert name.startswith("/aws/vendedlogs/")
    assert fnmatchcase(name, covered)


# --- who may do what


def test_roles_hold_nothing_but_the_policy_written_beside_them(deployed: Json) -> None:
    roles = of_type(deployed, "AWS::IAM::Role")
    of_code_deploy = roles.pop("GradualDeploymentRole")  # not a function's, and what it may is AWS's to say
    functions = of_type(deployed, "AWS::Lambda::Function")

    policies = of_type(deployed, "AWS::IAM::RolePolicy")
    of_backups = policies.pop("BackupPolicy")  # no function's either

    assert of_backups["RoleName"] == {"Ref": "BackupRole"}
    assert [name for name, role in roles.items() if {"ManagedPolicyArns", "Policies"} & role.keys()] == []
    assert [each["Fn::Sub"].rsplit("/", 1)[1] for each in of_code_deploy["ManagedPolicyArns"]] == [
        "AWSCodeDeployRoleForLambda"
    ]
    assert {name: policy["RoleName"] for name, policy in policies.items()} == {
        f"{camel(folder)}Policy": {"Ref": f"{camel(folder)}Role"} for folder in FUNCTIONS
    }
    assert {name for name, role in of_type(deployed, "AWS::IAM::ManagedPolicy").items() if "Roles" in role} == set()
    assert {json.dumps(function["Role"]) for function in functions.values()} == {
        json.dumps(att(f"{camel(folder)}Role")) for folder in FUNCTIONS
    }


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_grants_are_single_actions_on_single_resources(template: Json, folder: str) -> None:
    object_prefixes = {'{"Fn::Sub": "${DropBucket.Arn}/accounts/*"}', '{"Fn::Sub": "${DropBucket.Arn}/receipts/*"}'}
    knows_no_resource = {"dynamodb:ListStreams"}

    wide = {
        (grant.action, grant.on)
        for grant in grants(template, folder)
        if "*" in grant.action or ("*" in grant.on and grant.on not in object_prefixes)
    }

    assert {action for action, _ in wide} <= knows_no_resource


@pytest.mark.parametrize("folder", PUBLIC)
def test_no_public_function_can_open_a_login_or_reach_a_drop(template: Json, folder: str) -> None:
    data_key = [grant for grant in grants(template, folder) if "DataKey" in grant.on]

    assert actions(template, folder, "LoginKey") <= {"kms:Encrypt"}
    assert actions(template, folder, "DropBucket") == set()
    assert all(via("s3") not in grant.services for grant in data_key)


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_the_data_key_is_granted_through_a_store_only(template: Json, folder: str) -> None:
    data_key = [grant for grant in grants(template, folder) if "DataKey" in grant.on]

    assert all(grant.services for grant in data_key)


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_who_uses_the_table_may_use_its_key(template: Json, folder: str) -> None:
    uses_table = any(grant.action.startswith("dynamodb:") for grant in grants(template, folder))
    opens_table = any(
        grant.action == "kms:Decrypt" and via("dynamodb") in grant.services for grant in grants(template, folder)
    )

    assert uses_table == opens_table


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_the_login_key_is_granted_by_purpose_only(template: Json, folder: str) -> None:
    allowed = {
        "receive_login": {("kms:Encrypt", "login")},
        "import_logins": {("kms:Encrypt", "login")},
        "fetch_accounts": {("kms:Decrypt", "login"), ("kms:Encrypt", "request"), ("kms:Decrypt", "request")},
        "delete_connection": {("kms:Decrypt", "login")},
    }

    granted = {
        (grant.action, grant.condition["StringEquals"]["kms:EncryptionContext:purpose"])
        for grant in grants(template, folder)
        if "LoginKey" in grant.on
    }

    assert granted == allowed.get(folder, set())


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_the_index_key_is_granted_to_who_signs_and_checks(template: Json, folder: str) -> None:
    signs = {"receive_login", "import_logins", "fetch_accounts", "create_connect_session", "delete_connection"}

    assert actions(template, folder, "IndexKey") == ({"kms:GenerateMac"} if folder in signs else set())


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_the_bucket_is_touched_by_who_drops_and_who_erases(template: Json, folder: str) -> None:
    allowed = {
        "fetch_accounts": {"s3:PutObject", "s3:GetObject"},
        "delete_connection": {
            "s3:ListBucketVersions",
            "s3:ListBucketMultipartUploads",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:AbortMultipartUpload",
            "s3:PutObject",
        },
    }

    assert actions(template, folder, "DropBucket") == allowed.get(folder, set())


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_nobody_here_can_read_a_drop_not_even_who_dropped_it(template: Json, folder: str) -> None:
    opened_through = [
        service
        for grant in grants(template, folder)
        if grant.action == "kms:Decrypt" and "DataKey" in grant.on
        for service in grant.services
    ]

    assert via("s3") not in opened_through


def test_who_erases_writes_receipts_only_and_lists_and_deletes_drops_only(template: Json) -> None:
    touched = {grant.action: grant for grant in grants(template, "delete_connection") if "DropBucket" in grant.on}

    assert "receipts/*" in touched["s3:PutObject"].on
    assert "accounts/*" in touched["s3:DeleteObject"].on
    assert "accounts/*" in touched["s3:DeleteObjectVersion"].on
    assert "accounts/*" in touched["s3:AbortMultipartUpload"].on
    assert touched["s3:ListBucketVersions"].condition == {"StringLike": {"s3:prefix": "accounts/*"}}
    assert touched["s3:ListBucketMultipartUploads"].condition == {}  # it knows no s3:prefix


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_the_table_is_touched_as_the_function_needs(template: Json, folder: str) -> None:
    allowed = {
        "receive_login": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        "import_logins": {"dynamodb:GetItem", "dynamodb:PutItem"},
        "fetch_accounts": {"dynamodb:UpdateItem"},
        "delete_connection": {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:Query"},
        "show_connection": {"dynamodb:GetItem", "dynamodb:Query"},
        "resume_stalled": {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"},
        "publish_events": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        "refetch_connections": {"dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem"},
    }
    reads_stream = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
    readers = {"fetch_accounts", "publish_events"}

    granted = actions(template, folder, "ConnectionsTable")

    assert granted == allowed.get(folder, set()) | (reads_stream if folder in readers else set())


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_flinks_keys_are_read_by_who_asks_flinks(template: Json, folder: str) -> None:
    readers = {
        "create_connect_session": {"FlinksSecretKey"},
        "fetch_accounts": {"FlinksSecretKey", "FlinksApiKey"},
        "delete_connection": {"FlinksSecretKey", "FlinksApiKey"},
    }

    read = {
        secret
        for grant in grants(template, folder)
        if grant.action == "secretsmanager:GetSecretValue"
        for secret in ("FlinksSecretKey", "FlinksApiKey")
        if f'"{secret}"' in grant.on
    }

    assert read == readers.get(folder, set())


def test_a_consumer_reads_a_drop_by_its_version_and_lists_nothing(template: Json) -> None:
    statements = template["Resources"]["DropReaderPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    granted = {s["Action"]: (s["Resource"], s.get("Condition")) for s in statements}

    assert granted == {
        "s3:GetObjectVersion": ({"Fn::Sub": "${DropBucket.Arn}/accounts/*"}, None),
        "kms:Decrypt": (att("DataKey"), {"StringEquals": {"kms:ViaService": via("s3")}}),
    }


def test_key_policies_let_nobody_past_the_roles_they_name(template: Json) -> None:
    """By reference, in a condition: a pattern would let in whoever takes such a name."""
    account = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}

    named = {
        (key, statement["Condition"].get("StringEquals", {}).get("kms:EncryptionContext:purpose"), action): {
            arn["Fn::GetAtt"][0] for arn in listed(statement["Condition"]["ArnEquals"]["aws:PrincipalArn"])
        }
        for key in ("LoginKey", "IndexKey")
        for statement in always(template["Resources"][key]["Properties"]["KeyPolicy"]["Statement"])
        for action in listed(statement["Action"])
        if statement["Sid"] != "Administer"
    }
    statements = [
        s for key in of_type(template, "AWS::KMS::Key").values() for s in always(key["KeyPolicy"]["Statement"])
    ]

    assert named == {
        ("LoginKey", "login", "kms:Encrypt"): {"ReceiveLoginRole", "ImportLoginsRole"},
        ("LoginKey", "login", "kms:Decrypt"): {"FetchAccountsRole", "DeleteConnectionRole"},
        ("LoginKey", "request", "kms:Encrypt"): {"FetchAccountsRole"},
        ("LoginKey", "request", "kms:Decrypt"): {"FetchAccountsRole"},
        ("IndexKey", None, "kms:GenerateMac"): {
            "ReceiveLoginRole",
            "ImportLoginsRole",
            "FetchAccountsRole",
            "CreateConnectSessionRole",
            "DeleteConnectionRole",
        },
    }
    assert [s["Sid"] for s in statements if s["Principal"] != account] == ["EncryptLogs"]


@pytest.mark.parametrize("key", ["DataKey", "LoginKey", "IndexKey"])
def test_who_administers_a_key_cannot_use_it_nor_grant_it_on(template: Json, key: str) -> None:
    administer, *_ = template["Resources"][key]["Properties"]["KeyPolicy"]["Statement"]
    using = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncryptFrom",
        "kms:GenerateDataKey",
        "kms:GenerateMac",
        "kms:VerifyMac",
        "kms:CreateGrant",
    ]

    covered = [
        action for action in using for may in administer["Action"] if re.fullmatch(may.replace("*", ".*"), action)
    ]

    assert administer["Sid"] == "Administer"
    assert covered == []


# --- how work arrives


def mapping(deployed: Json, name: str) -> Json:
    properties: Json = deployed["Resources"][name]["Properties"]
    return properties


def test_fetch_accounts_wakes_for_received_connections_only(deployed: Json) -> None:
    filters = mapping(deployed, "FetchAccountsFunctionReceived")["FilterCriteria"]["Filters"]

    assert [json.loads(f["Pattern"]) for f in filters] == [
        {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"NewImage": {"status": {"S": ["received"]}}}}
    ]


def test_a_poison_record_is_parted_from_its_batch_given_up_and_kept_account_of(deployed: Json) -> None:
    stream = mapping(deployed, "FetchAccountsFunctionReceived")

    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["MaximumRetryAttempts"] == 5
    assert stream["MaximumRecordAgeInSeconds"] == 21600
    assert stream["DestinationConfig"] == {"OnFailure": {"Destination": att("StreamFailures")}}


def test_the_stream_is_read_from_its_beginning_in_the_planned_portions(deployed: Json) -> None:
    stream = mapping(deployed, "FetchAccountsFunctionReceived")

    assert stream["StartingPosition"] == "TRIM_HORIZON"
    assert (stream["BatchSize"], stream["MaximumBatchingWindowInSeconds"], stream["ParallelizationFactor"]) == (
        100,
        1,
        2,
    )


def test_what_settled_is_announced_and_nothing_else(deployed: Json) -> None:
    (only,) = mapping(deployed, "PublishEventsFunctionSettled")["FilterCriteria"]["Filters"]

    assert json.loads(only["Pattern"])["dynamodb"] == {
        "NewImage": {
            "status": {"S": ["ready", "action_required", "failed", "deleted"]},
            "announceBy": {"S": [{"exists": True}]},
        }
    }


def test_an_announcement_is_tried_until_the_stream_is_about_to_forget_it(deployed: Json) -> None:
    stream = mapping(deployed, "PublishEventsFunctionSettled")

    assert stream["MaximumRetryAttempts"] == -1
    assert stream["MaximumRecordAgeInSeconds"] == 23 * 60 * 60
    assert stream["DestinationConfig"] == {"OnFailure": {"Destination": att("StreamFailures")}}
    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert stream["BisectBatchOnFunctionError"] is True


def test_flinks_is_asked_by_a_bounded_number_of_fetchers(deployed: Json) -> None:
    queue = mapping(deployed, "FetchAccountsFunctionDue")

    assert queue["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaxFetchers"}}
    assert queue["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert queue["BatchSize"] == 10


@pytest.mark.parametrize("folder", WORKERS)
def test_a_message_reappears_only_after_its_worker_is_surely_gone(template: Json, folder: str) -> None:
    properties = template["Resources"][WORKERS[folder]]["Properties"]

    assert properties["VisibilityTimeout"] >= 6 * timeout(template, folder)
    assert properties["RedrivePolicy"]["maxReceiveCount"] == 5


@pytest.mark.parametrize("folder", WORKERS)
def test_a_lease_outlives_the_function_that_holds_it(template: Json, folder: str) -> None:
    lease = int(environment(template, folder)["LEASE_SECONDS"])

    assert lease >= timeout(template, folder) + 30


@pytest.mark.parametrize("folder", PUBLIC)
def test_a_public_function_answers_before_its_caller_gives_up(template: Json, folder: str) -> None:
    assert timeout(template, folder) == 20


def test_somebody_looks_for_the_forgotten_every_five_minutes_or_ops_hears_of_it(deployed: Json) -> None:
    tick = deployed["Resources"]["ResumeStalledFunctionTick"]["Properties"]
    missing = deployed["Resources"]["ResumeIsMissing"]["Properties"]

    assert (tick["ScheduleExpression"], tick.get("State", "ENABLED")) == ("rate(5 minutes)", "ENABLED")
    assert (missing["MetricName"], missing["TreatMissingData"]) == ("Invocations", "breaching")


def test_at_most_two_readers_share_the_stream(deployed: Json) -> None:
    readers = [
        m
        for m in of_type(deployed, "AWS::Lambda::EventSourceMapping").values()
        if "StreamArn" in str(m["EventSourceArn"])
    ]

    assert len(readers) <= 2


def test_the_stream_shows_new_images(template: Json) -> None:
    table = template["Resources"]["ConnectionsTable"]["Properties"]

    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


# --- what a function is told


def settings_read_by(folder: str) -> set[type[settings.Settings]]:
    """The settings that a handler's collaborators read, followed through `wiring`."""
    built = {
        node.name: {child.attr for child in ast.walk(node) if isinstance(child, ast.Attribute)}
        | {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
        for node in ast.parse((ROOT / "layers/landing/landing/wiring.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    handler = ast.parse((ROOT / f"functions/{folder}/app.py").read_text())
    named = {node.attr for node in ast.walk(handler) if isinstance(node, ast.Attribute)}
    reached: set[str] = set()
    while named - reached:
        reached |= named
        named = set().union(*(built.get(name, set()) for name in reached))
    classes = (getattr(settings, name, None) for name in reached)
    return {c for c in classes if isinstance(c, type) and issubclass(c, settings.Settings)}


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_a_function_is_told_all_that_it_reads_and_nothing_else(template: Json, folder: str) -> None:
    read = {field.encode_name: field for c in settings_read_by(folder) for field in msgspec.structs.fields(c)}
    required = {name for name, field in read.items() if field.required}

    told = {name for name in environment(template, folder) if not name.startswith(("POWERTOOLS_", "GLIBC_"))}

    assert required <= told
    assert told <= read.keys()


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_a_key_or_secret_is_named_to_whom_it_is_granted(template: Json, folder: str) -> None:
    told = environment(template, folder)
    named = {
        "LOGIN_KEY_ARN": '["LoginKey"',
        "INDEX_KEY_ARN": '["IndexKey"',
        "FLINKS_SECRET_KEY_ARN": '["FlinksSecretKey"',
        "FLINKS_API_KEY_ARN": '["FlinksApiKey"',
    }

    granted = {v for v, resource in named.items() if any(resource in g.on for g in grants(template, folder))}

    assert told.keys() & named.keys() == granted


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_logs_and_metrics_say_which_function_wrote_them(template: Json, folder: str) -> None:
    told = environment(template, folder)

    assert told["POWERTOOLS_SERVICE_NAME"] == folder
    assert told["POWERTOOLS_METRICS_NAMESPACE"] == {"Fn::Sub": "flinks-landing/${AWS::StackName}"}


def test_debug_logs_cannot_be_asked_for_since_http_libraries_write_urls_there(template: Json) -> None:
    assert template["Parameters"]["LogLevel"]["AllowedValues"] == ["INFO", "WARNING", "ERROR"]


# --- who is woken


def test_every_alarm_reaches_one_of_the_topics_when_it_begins_and_when_it_is_over(template: Json) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    notify = [
        {"Fn::If": [f"{topic}Given", [{"Ref": f"{topic}Arn"}], {"Ref": "AWS::NoValue"}]}
        for topic in ("AlarmTopic", "NoticeTopic")
    ]

    assert [name for name, alarm in alarms.items() if alarm["AlarmActions"] not in notify] == []
    assert [name for name, alarm in alarms.items() if alarm["OKActions"] != alarm["AlarmActions"]] == []
    assert all(notified in [alarm["AlarmActions"] for alarm in alarms.values()] for notified in notify)


def test_prod_cannot_be_deployed_without_somebody_to_wake(template: Json) -> None:
    rule = template["Rules"]["ProdPagesSomebody"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Environment"}, "prod"]}
    assert [assertion["Assert"] for assertion in rule["Assertions"]] == [
        {"Fn::Not": [{"Fn::Equals": [{"Ref": topic}, ""]}]} for topic in ("AlarmTopicArn", "NoticeTopicArn")
    ]


def test_prod_cannot_offer_the_demo_bank(template: Json) -> None:
    rule = template["Rules"]["ProdOffersNoDemo"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Environment"}, "prod"]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "FlinksDemo"}, "false"]}


@pytest.mark.parametrize("environment_name", ["default", "prod"])
def test_a_configuration_gives_parameters_that_exist_and_all_that_have_no_default(
    template: Json, environment_name: str
) -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())[environment_name]["deploy"]["parameters"]
    given = {override.partition("=")[0] for override in config["parameter_overrides"]}
    needed = {name for name, parameter in template["Parameters"].items() if "Default" not in parameter}

    assert needed - {"Release"} <= given <= template["Parameters"].keys() - {"Release"}  # make deploy derives it


def test_the_prod_configuration_cannot_be_deployed_with_an_alarm_topic_left_blank(template: Json) -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())["prod"]["deploy"]["parameters"]
    given = dict(override.split("=", 1) for override in config["parameter_overrides"])

    assert given["Environment"] == "prod"
    for topic in ("AlarmTopicArn", "NoticeTopicArn"):
        assert re.search(template["Parameters"][topic]["AllowedPattern"], given[topic]) is None


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_a_function_that_raises_is_noticed(template: Json, folder: str) -> None:
    alarm = template["Resources"][f"{camel(folder)}Errors"]["Properties"]

    assert alarm["MetricName"] == "Errors"
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": f"{camel(folder)}Function"}}]


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_a_function_that_is_refused_concurrency_is_noticed(template: Json, folder: str) -> None:
    alarm = template["Resources"][f"{camel(folder)}Throttles"]["Properties"]

    assert alarm["MetricName"] == "Throttles"
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": f"{camel(folder)}Function"}}]


def test_what_dynamodb_refuses_is_noticed_of_the_table_and_of_each_index(template: Json) -> None:
    table = template["Resources"]["ConnectionsTable"]["Properties"]
    indexes = {index["IndexName"] for index in table["GlobalSecondaryIndexes"]}
    alarm = template["Resources"]["TableIsThrottled"]["Properties"]
    metrics = [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]

    watched = {
        (metric["MetricName"], *(d["Value"] for d in metric["Dimensions"] if d["Name"] != "TableName"))
        for metric in metrics
    }

    kinds = ("ReadThrottleEvents", "WriteThrottleEvents")
    assert watched == {(kind,) for kind in kinds} | {(kind, index) for kind in kinds for index in indexes}


def test_dynamodb_s_own_failures_are_noticed_of_every_operation_that_we_use(template: Json) -> None:
    used = {
        grant.action.removeprefix("dynamodb:")
        for folder in FUNCTIONS
        for grant in grants(template, folder)
        if grant.action.startswith("dynamodb:") and "StreamArn" not in grant.on and grant.on != '"*"'
    }
    alarm = template["Resources"]["TableFails"]["Properties"]
    metrics = [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]

    watched = {d["Value"] for metric in metrics for d in metric["Dimensions"] if d["Name"] == "Operation"}

    assert {metric["MetricName"] for metric in metrics} == {"SystemErrors"}
    assert watched == used


def test_records_that_a_mapping_gives_up_are_noticed(template: Json, deployed: Json) -> None:
    counting = {
        name
        for name, mapping in of_type(deployed, "AWS::Lambda::EventSourceMapping").items()
        if mapping.get("MetricsConfig") == {"Metrics": ["EventCount"]}
    }

    watched = {
        alarm["Dimensions"][0]["Value"]["Ref"]
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
        if alarm.get("MetricName") == "DroppedEventCount"
    }

    assert watched == counting == {"FetchAccountsFunctionReceived", "PublishEventsFunctionSettled"}


def test_requests_that_the_gateway_turns_away_are_counted_from_its_log(template: Json) -> None:
    counted = template["Resources"]["ThrottledRequests"]["Properties"]
    alarm = template["Resources"]["CallersAreThrottled"]["Properties"]
    log = json.loads(template["Resources"]["HttpApi"]["Properties"]["AccessLogSettings"]["Format"])
    (made,) = counted["MetricTransformations"]

    assert counted["LogGroupName"] == {"Ref": "ApiLogs"}
    assert counted["FilterPattern"] == '{ $.status = "429" }'
    assert log["status"] == "$context.status"
    assert (alarm["Namespace"], alarm["MetricName"]) == (made["MetricNamespace"], made["MetricName"])


def test_what_kms_refuses_is_counted_from_the_logs_of_whoever_calls_it(template: Json) -> None:
    callers = {
        folder: {grant.action.removeprefix("kms:") for grant in held}
        for folder in FUNCTIONS
        if (held := [g for g in grants(template, folder) if "LoginKey" in g.on or "IndexKey" in g.on])
    }
    counted = {
        each["LogGroupName"]["Ref"]: each["FilterPattern"]
        for each in of_type(template, "AWS::Logs::MetricFilter").values()
        if each["MetricTransformations"][0]["MetricName"] == "KeyRefusals"
    }

    assert set(counted) == {f"{camel(folder)}Logs" for folder in callers}
    for pattern in counted.values():
        assert pattern == '{ $.error = "kms:*" || $.cause = "kms:*" }'  # as `error_names.name_of` writes a call


def test_what_is_given_up_is_noticed(template: Json) -> None:
    given_up = {n for n, q in of_type(template, "AWS::SQS::Queue").items() if "RedrivePolicy" not in q}
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
        and alarm["TreatMissingData"] == "notBreaching"
    }

    assert watched == given_up


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_ops_hear_when_a_function_that_feeds_its_own_queue_is_taken_for_an_endless_loop(
    template: Json, deployed: Json, folder: str
) -> None:
    name = f"{camel(folder)}Function"
    mappings = of_type(deployed, "AWS::Lambda::EventSourceMapping").values()
    served = [m["EventSourceArn"] for m in mappings if m["FunctionName"] == {"Ref": f"{name}Aliaslive"}]
    fed = [grant.on for grant in grants(template, folder) if grant.action == "sqs:SendMessage"]
    watched = [
        alarm["Dimensions"]
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
        if alarm.get("MetricName") == "RecursiveInvocationsDropped"
    ]

    loops = any(json.dumps(queue) in fed for queue in served)

    assert loops == (folder in WORKERS)
    assert loops == ([{"Name": "FunctionName", "Value": {"Ref": name}}] in watched)


def metrics_that_we_write() -> set[str]:
    """Every name in the layer that could be one: metrics are plain strings there."""
    sources = [path.read_text() for path in ROOT.glob("layers/landing/landing/**/*.py")]
    return {name for source in sources for name in re.findall(r'"([A-Z][A-Za-z]+)"', source)}


def test_a_deletion_pages_whether_it_is_tried_or_forgotten(template: Json) -> None:
    metrics = template["Resources"]["DeletionsAreOverdue"]["Properties"]["Metrics"]
    stats = [each["MetricStat"] for each in metrics if "MetricStat" in each]

    assert [each["Metric"]["MetricName"] for each in stats] == ["ErasureOverdue"] * 2
    assert [each["Metric"]["Dimensions"][0]["Value"] for each in stats] == ["delete_connection", "resume_stalled"]
    assert all(each["Metric"]["Namespace"] == {"Fn::Sub": "flinks-landing/${AWS::StackName}"} for each in stats)


def test_alarms_watch_metrics_that_somebody_writes(template: Json) -> None:
    ours = {"Fn::Sub": "flinks-landing/${AWS::StackName}"}
    alarms = [a for a in of_type(template, "AWS::CloudWatch::Alarm").values() if a.get("Namespace") == ours]
    filtered = {
        made["MetricName"]
        for each in of_type(template, "AWS::Logs::MetricFilter").values()
        for made in each["MetricTransformations"]
    }

    of_functions = [alarm for alarm in alarms if "Dimensions" in alarm]
    assert {alarm["MetricName"] for alarm in of_functions} <= metrics_that_we_write()
    assert {alarm["Dimensions"][0]["Value"] for alarm in of_functions} <= set(FUNCTIONS)
    assert {alarm["MetricName"] for alarm in alarms if "Dimensions" not in alarm} == filtered


def test_two_regions_can_have_a_dashboard_each(template: Json) -> None:
    name = template["Resources"]["Dashboard"]["Properties"]["DashboardName"]

    assert name == {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}  # names are of the account


def test_the_dashboard_shows_metrics_that_somebody_writes(template: Json) -> None:
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    shown = [metric for w in widgets if "flinks-landing/" in str(w) for metric in w["properties"]["metrics"]]
    searched = [re.search(r'MetricName="(\w+)"', metric[0]["expression"]) for metric in shown if len(metric) == 1]

    assert {metric[1] for metric in shown if len(metric) > 1} <= metrics_that_we_write()
    assert [each and each[1] for each in searched] == [Metric.ENDED_BY_CAUSE]


# --- docs/security.md


def table_of_grants() -> dict[str, Json]:
    """`{function: {column: names in backticks}}` of the page's table."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs/security.md").read_text().splitlines()
        if line.startswith(("| Function |", "| `"))
    ]
    columns, *functions = rows
    return {
        folder.strip("`"): {
            column: set(re.findall(r"`(\w+)`", cell)) for column, cell in zip(columns[1:], cells, strict=True)
        }
        for folder, *cells in functions
    }


def test_the_security_page_has_a_row_for_every_function() -> None:
    assert sorted(table_of_grants()) == FUNCTIONS


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_the_security_page_says_what_the_role_may(template: Json, folder: str) -> None:
    told = table_of_grants()[folder]
    held = grants(template, folder)
    columns = {"Login key": "LoginKey", "Index key": "IndexKey", "Table": "ConnectionsTable", "Bucket": "DropBucket"}
    stream = {"DescribeStream", "GetRecords", "GetShardIterator"}
    services = [service["Fn::Sub"] for grant in held for service in grant.services]
    receivers = [grant.on for grant in held if grant.action in {"sqs:SendMessage", "events:PutEvents"}]
    secrets = [grant.on for grant in held if grant.action == "secretsmanager:GetSecretValue"]

    may = {
        column: {action.partition(":")[2] for action in actions(template, folder, resource)} - stream
        for column, resource in columns.items()
    }
    may["Data key, through"] = {service.partition(".")[0] for service in services}
    may["Sends to"] = {json.loads(on)["Fn::GetAtt"][0] for on in receivers}
    may["Flinks' secrets"] = {json.loads(on)["Fn::If"][1]["Fn::GetAtt"][0] for on in secrets}

    assert told == may
