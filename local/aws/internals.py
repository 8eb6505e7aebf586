"""Every name of the emulator (MiniStack, pinned) that it does not mean for others, and that `local/aws` leans on.

Each is read as `internals.<name>`, without its underscore and in lower case. What a new version of the emulator no
longer has is named when this module is imported.
"""

from types import ModuleType
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import (
    apigateway,
    backup,
    cloudwatch_logs,
    dynamodb,
    dynamodb_streams,
    eventbridge,
    iam,
    lambda_svc,
    s3,
    secretsmanager,
    sqs,
)
from ministack.services.cloudformation import changesets, engine, provisioners

_USED: dict[ModuleType, tuple[str, ...]] = {
    lambda_svc: (
        "_account_region_from_function_config",
        "_delete_function_concurrency",
        "_ESM_BACKOFF_SECONDS",
        "_esm_backoff_until",
        "_esms",
        "_execute_function",
        "_execute_function_warm",
        "_functions",
        "_get_func_record_for_qualifier",
        "_iter_all_esms",
        "lambda_execute_result_to_api_proxy_response",
        "_poll_dynamodb_streams",
        "_put_function_concurrency",
        "_put_function_recursion_config",
        "_resolve_layer_zip",
        "_run_sqs_batch",
        "_runtime_env_vars",
    ),
    apigateway: (
        "_apis",
        "decode_http_api_path",
        "_authorizers",
        "_cors_preflight_response",
        "_create_authorizer",
        "_create_integration",
        "_create_route",
        "handle_execute",
        "_integrations",
        "_invoke_lambda_proxy",
        "_jwt_unauthorized",
        "_match_route",
        "_routes",
        "_stages",
        "_update_api",
        "_validate_jwt_authorizer",
    ),
    backup: ("_create_selection", "_delete_selection"),
    eventbridge: ("_event_bus_policies", "_put_permission", "_remove_permission"),
    iam: (
        "_delete_role_policy",
        "_put_role_policy",
        "_roles",
    ),
    iam_actions: (
        "extract_resource_arn",
        "_lambda_action",
        "request_tag_context",
        "s3_service_context",
    ),
    iam_evaluator: (
        "_anonymous",
        "enforce",
        "_resolve_condition_key",
    ),
    dynamodb: (
        "_describe_continuous_backups",
        "_pitr_settings",
        "_tables",
        "_update_table",
        "_delete_table",
        "_update_ttl",
    ),
    dynamodb_streams: ("_decode_iterator",),
    s3: (
        "_bucket_encryption",
        "_put_bucket_encryption",
        "_put_bucket_lifecycle",
        "_put_bucket_ownership_controls",
    ),
    sqs: (
        "_build_send_sys_attrs",
        "_delete_messages_for_esm",
        "_queues",
    ),
    secretsmanager: ("_secrets",),
    cloudwatch_logs: (
        "_create_log_stream",
        "_put_log_events",
    ),
    changesets: ("_apply_transforms",),
    engine: ("_transform_parameters",),
    provisioners: ("_RESOURCE_HANDLERS", "_cw_metric_alarm_record"),
}
_PLACES = {name.lstrip("_").lower(): (module, name) for module, names in _USED.items() for name in names}
_replaced: dict[str, Any] = {}

if missing := [f"{module.__name__}.{name}" for module, name in _PLACES.values() if not hasattr(module, name)]:
    raise ImportError(f"this version of the emulator has no {', '.join(missing)}")


def replace(name: str, ours: Any) -> None:
    """Have the emulator use ours; `internals.<name>` stays its own."""
    module, private = _PLACES[name]
    _replaced[name] = getattr(module, private)
    setattr(module, private, ours)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(name)
    return _replaced[name] if name in _replaced else getattr(*_PLACES[name])
