"""What the simulator answers: status, headers and body, with how the wire mistreats them on the way."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from local.flinks.codes import CODES

type Json = dict[str, Any]


@dataclass(frozen=True)
class Wire:
    """How the answer is put on the wire: late, drop by drop, or not to its end."""

    hang_seconds: float = 0.0  # real seconds before the first byte
    bytes_per_second: float | None = None
    cut: Literal["before", "head", "body"] | None = None  # where the connection ends
    reset: bool = False  # ends with RST instead of FIN
    close: bool = False  # the connection is not kept alive afterwards


@dataclass(frozen=True)
class Reply:
    """One HTTP answer. A Content-Length among the headers is sent as it is, even when it lies."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: Wire = Wire()

    @classmethod
    def of_json(cls, status: int, content: Any, **headers: str) -> Self:
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        return cls(status, body, {"Content-Type": "application/json; charset=utf-8"} | headers)

    @classmethod
    def of_code(cls, code: str | None, status: int | None = None, **members: Any) -> Self:
        """Build Flinks' error body (flinks.md §10.1); members replace or join the usual ones."""
        usual_status, message = CODES.get(code or "", (500, "An error occurred"))
        status = usual_status if status is None else status
        content = {"HttpStatusCode": status, "Message": message, "FlinksCode": code} | members
        return cls.of_json(status, {k: v for k, v in content.items() if k != "FlinksCode" or v is not None})

    def json(self) -> Any:
        return json.loads(self.body)

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        return replace(self, headers={**self.headers, **headers})
