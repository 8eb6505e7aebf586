"""Gives the deployed HTTP API an origin of its own, as AWS does: the emulator's name for it resolves nowhere."""

# ruff: noqa: SLF001 - the emulator has no public interface for what it lacks

from typing import Any

from ministack.services import apigateway


def to_the_api(scope: dict[str, Any]) -> dict[str, Any]:
    """The request as if it had been sent to `<api id>.execute-api.localhost`; unchanged before a deployment."""
    for api_id in apigateway._apis:
        host = f"{api_id}.execute-api.localhost".encode()
        kept = [(name, value) for name, value in scope["headers"] if name != b"host"]
        return {**scope, "headers": [(b"host", host), *kept]}
    return scope
