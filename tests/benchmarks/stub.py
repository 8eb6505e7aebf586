"""AWS and Flinks in one process of their own, over TLS: each answer is right in form, late by what it takes, counted.

    python -m tests.benchmarks.stub CERTIFICATE BYTES_OF_AN_ANSWER SECONDS_OF_FLINKS

Prints its port. `GET /counts` gives the calls since the last one, by name.
"""

import asyncio
import base64
import json
import ssl
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from landing.domain.connection import Connection, Status
from landing.stores.connection_row import to_item
from landing.stores.login_seal import SEALED_BY_KMS

LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
REQUEST_ID = "b7a1e0d2-5c3f-4f86-a0be-6e1d97c2f405"
DROP_TAKES = 0.03
TRANSACTION = (
    '{"Date":"2026-02-27","Code":null,"Description":"ÉPICERIE DU COIN #%06d","Debit":%d.28,"Credit":null,'
    '"Balance":%d.44,"Id":"d2740b9c-61fe-4a3d-f0c8-%012x"}'
)

type Head = dict[str, str]


def account_data(size: int) -> bytes:
    """A 200 of GetAccountsDetail with three accounts, of about `size` bytes."""
    lines = [TRANSACTION % (n, n % 977, n * 7919 % 100_003, n * 2654435761 % 2**40) for n in range(size // 3 // 172)]
    account = '{"Transactions":[%s],"Title":"Chequing","Balance":{"Available":1.5,"Current":6230.44},"Id":"%d"}'
    accounts = ",".join(account % (",".join(lines), number) for number in range(3))
    login = f'{{"Username":"Greatday","LastRefresh":"2026-03-02T14:05:09.4172038","Id":"{LOGIN_ID}"}}'
    return f'{{"HttpStatusCode":200,"Accounts":[{accounts}],"Login":{login},"RequestId":"{REQUEST_ID}"}}'.encode()


class Stub:
    def __init__(self, data: bytes, flinks_takes: float) -> None:
        self._data = data
        self._flinks_takes = flinks_takes
        self._counts: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                method, path, head = await self._head(reader)
                if head.get("expect") == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await self._body(reader, head)
                content, headers = await self._answer(method, path, head, body)
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n{lines}\r\n".encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> tuple[str, str, Head]:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = first.split(" ")
        pairs = (line.split(":", 1) for line in lines if line)
        return method, path, {name.lower(): value.strip() for name, value in pairs}

    async def _body(self, reader: asyncio.StreamReader, head: Head) -> bytes:
        if head.get("transfer-encoding") != "chunked":
            return await reader.readexactly(int(head.get("content-length", 0)))
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
        return body

    async def _answer(self, method: str, path: str, head: Head, body: bytes) -> tuple[bytes, Head]:
        json_type = {"Content-Type": "application/x-amz-json-1.0"}
        if path == "/counts":
            counts, self._counts = self._counts, Counter()
            return json.dumps(counts).encode(), json_type
        if "/BankingServices/" in path:
            call = path.split("/")[4]
            self._counts[call] += 1
            await asyncio.sleep(self._flinks_takes)
            return self._of_flinks(call), {"Content-Type": "application/json"}
        if method == "PUT":
            self._counts["PutObject"] += 1
            await asyncio.sleep(DROP_TAKES)
            return b"", {"x-amz-version-id": "1", "ETag": '"1"'}
        call = head["x-amz-target"].split(".")[1]
        self._counts[call] += 1
        return json.dumps(self._of_aws(call, json.loads(body))).encode(), json_type

    def _of_flinks(self, call: str) -> bytes:
        if call == "GenerateAuthorizeToken":
            return b'{"HttpStatusCode":200,"Token":"f47b1d0c"}'
        if call == "Authorize":
            return json.dumps({"HttpStatusCode": 200, "RequestId": REQUEST_ID, "Login": {"Id": LOGIN_ID}}).encode()
        return self._data

    def _of_aws(self, call: str, order: Any) -> dict[str, Any]:
        match call:
            case "Decrypt":
                return {"Plaintext": base64.b64encode(LOGIN_ID.encode()).decode()}
            case "Encrypt":
                return {"CiphertextBlob": base64.b64encode(b"sealed" * 20).decode()}
            case "GenerateMac":
                return {"Mac": base64.b64encode(b"m" * 32).decode()}
            case "GetSecretValue":
                return {"SecretString": json.dumps({"secretKey": "secret", "apiKey": "api"})}
            case "UpdateItem" if "connectionId" in order["Key"]:  # else a counter
                return {"Attributes": claimed(order["Key"]["connectionId"]["S"])}
            case _:
                return {}


def claimed(connection_id: str) -> Any:
    """A row that has just been claimed, as DynamoDB writes it."""
    now = datetime.now(UTC)
    row = Connection(
        connection_id=connection_id,
        login_ref="r" * 43,
        owner="user-8841",
        sealed_login=SEALED_BY_KMS + b"sealed" * 20,
        status=Status.FETCHING,
        generation=1,
        attempt=1,
        due_at=now,
        lease_until=now + timedelta(seconds=150),
        started_at=now,
        received_at=now,
        updated_at=now,
    )
    item: dict[str, Any] = dict(to_item(row))
    blob = item["sealedLogin"]["B"]
    return item | {"sealedLogin": {"B": base64.b64encode(bytes(getattr(blob, "value", blob))).decode()}}


async def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    stub = Stub(account_data(int(sys.argv[2])), float(sys.argv[3]))
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0, ssl=context, limit=2**20, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
