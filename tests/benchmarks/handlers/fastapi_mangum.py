"""The same five calls by FastAPI behind Mangum; no log, no metric."""

import json
from typing import Any

from fastapi import FastAPI, Request  # type: ignore[import-not-found]  # of the benchmark's own environment
from mangum import Mangum  # type: ignore[import-not-found]
from pydantic import BaseModel

from tests.benchmarks.handlers import bare

app = FastAPI()


class PostedLogin(BaseModel):
    loginId: str  # noqa: N815 - as it is posted


@app.post("/connections", status_code=202)  # type: ignore[untyped-decorator]
def connect(_login: PostedLogin, request: Request) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(bare.lambda_handler(request.scope["aws.event"], None)["body"])
    return answer


lambda_handler = Mangum(app, lifespan="off")
