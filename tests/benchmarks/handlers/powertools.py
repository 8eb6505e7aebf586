"""The same five calls as Powertools' guide would have them: resolver with validation, logger, tracer, metrics."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import BaseModel

from tests.benchmarks.handlers import bare

app = APIGatewayHttpResolver(enable_validation=True)
logger = Logger()
tracer = Tracer()
metrics = Metrics()


class PostedLogin(BaseModel):
    loginId: str  # noqa: N815 - as it is posted


@app.post("/connections")
@tracer.capture_method(capture_response=False)
def connect(login: PostedLogin) -> dict[str, Any]:
    answer = bare.lambda_handler(app.current_event.raw_event, None)
    logger.info("login received", loginIdLength=len(login.loginId))
    metrics.add_metric(name="LoginReceived", unit=MetricUnit.Count, value=1)
    return answer


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
