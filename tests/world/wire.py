"""Real boto3 clients whose wire ends in the world: boto3's own methods, parameter checks, paginators and
exception classes, but no socket, no retries and no signing.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from botocore.client import BaseClient

REGION, ACCOUNT = "ca-central-1", "000000000000"
SERVICES = ("dynamodb", "sqs", "s3", "kms", "events", "secretsmanager")
IGNORED = {  # accepted without effect: nothing that the world promises depends on them
    "BillingMode",
    "ChecksumAlgorithm",
    "CreateBucketConfiguration",
    "Description",
    "KeySpec",
    "ReturnConsumedCapacity",
    "ServerSideEncryption",
    "SSEKMSKeyId",
    "BucketKeyEnabled",
    "WaitTimeSeconds",  # time stands still during a call
}

MODELLED = {  # SQS answers with the codes of its older protocol; botocore's classes are named after the model
    "AWS.SimpleQueueService.NonExistentQueue": "QueueDoesNotExist",
}

type Answer = dict[str, Any]
type Send = Callable[[str, str, "Parameters"], Answer]


class AwsError(Exception):
    """A refusal by the service; the client turns it into botocore's exception for `code`."""

    def __init__(self, code: str, message: str = "", status: int = 400, more: Answer | None = None) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status, self.more = code, message, status, more or {}


class Parameters(dict[str, Any]):
    """The parameters of one call, which know which of them nobody read: so none is silently ignored."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__(given)
        self.unread = given.keys() - IGNORED

    def __getitem__(self, name: str) -> Any:
        self.unread.discard(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.unread.discard(name)
        return super().get(name, default)


@cache
def _real(service: str) -> Any:
    session = boto3.session.Session(aws_access_key_id="world", aws_secret_access_key="world", region_name=REGION)
    return session.client(service)  # type: ignore[call-overload]  # one of SERVICES


@cache
def _methods(service: str) -> dict[str, str]:
    return {api: method for method, api in _real(service).meta.method_to_api_mapping.items()}


_checked_forms: set[Any] = set()


def _form(given: Any) -> Any:
    kind = type(given)
    if kind is dict:
        return (*given, *map(_form, given.values()))
    return tuple({_form(value) for value in given}) if kind is list else kind


def _check(client: Any, operation: str, given: dict[str, Any]) -> None:
    """Let botocore check each form of a call once; the check costs more than all the rest of a call."""
    form = (operation, _form(given))
    if form in _checked_forms:
        return
    report = ParamValidator().validate(given, client.meta.service_model.operation_model(operation).input_shape)
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())
    _checked_forms.add(form)


def _call(client: Any, service: str, send: Send, operation: str, given: dict[str, Any]) -> Answer:
    _check(client, operation, given)
    parameters = Parameters(given)
    try:
        answer = send(service, _methods(service)[operation], parameters)
    except AwsError as error:
        raise client.exceptions.from_code(MODELLED.get(error.code, error.code))(
            {
                "Error": {"Code": error.code, "Message": error.message},
                "ResponseMetadata": {"HTTPStatusCode": error.status},
                **error.more,
            },
            operation,
        ) from None
    if parameters.unread:
        raise NotImplementedError(f"the world does not model {sorted(parameters.unread)} of {operation}")
    return {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


def connect(service: str, send: Send) -> Any:
    """Return a client of its own: the (slow) real client is built once a process, then copied."""
    real = _real(service)
    client: BaseClient = object.__new__(type(real))
    client.__dict__.update(real.__dict__)
    client._make_api_call = partial(_call, client, service, send)  # type: ignore[attr-defined]  # noqa: SLF001 - every method of every client ends here
    return client
