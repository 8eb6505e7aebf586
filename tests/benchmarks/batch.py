"""One batch in a process of its own, by the service or by a comparator of ours that makes the same calls.

    python -m tests.benchmarks.batch MODE URL THREADS CONNECTIONS BATCHES

Prints a JSON line for each batch (the first in a fresh environment): wall and CPU seconds, and the peak of memory.
"""

import gzip
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from tests.peak import peak

TRIES = 4  # a machine that is too busy runs into deadlines; the calls then differ, and a comparison says so
CUSTOMER = "43387ca6-0391-4c82-857d-70d95f087ecb"


def ours(url: str, threads: int) -> Callable[[list[str]], None]:
    os.environ |= {
        "FLINKS_API_URL": url,
        "FLINKS_CUSTOMER_ID": CUSTOMER,
        "FETCH_THREADS": str(threads),
        "FLINKS_SECRET_KEY_ARN": "secret",
        "FLINKS_API_KEY_ARN": "api",
        **dict.fromkeys(("CONNECTIONS_TABLE", "LOGIN_KEY_ARN", "INDEX_KEY_ARN", "DROP_BUCKET", "DATA_KEY_ARN"), "name"),
        **dict.fromkeys(("FETCH_QUEUE_URL", "ERASE_QUEUE_URL"), url),
        "POWERTOOLS_METRICS_NAMESPACE": "benchmark",
    }
    # Imported by who is measured alone: the comparator shall not carry it.
    from landing import trust_store, wiring  # noqa: PLC0415
    from landing.domain.connection import Hint  # noqa: PLC0415
    from landing.verbs.fetch_accounts import fetch_all  # noqa: PLC0415
    from landing.verbs.fetch_steps import FetchEnding, FetchOutcome  # noqa: PLC0415

    context = trust_store.context(os.environ["AWS_CA_BUNDLE"])  # the authority of the stub is not certifi's
    trust_store.context = lambda _=None: context  # type: ignore[assignment]
    wiring.fetcher()

    def batch(ids: list[str]) -> None:
        hints = [Hint(each, 1, 0) for each in ids]
        for _ in range(TRIES):
            outcomes = fetch_all(hints, wiring.fetcher(), threads=threads, time_left=lambda: timedelta(minutes=9))
            done = [isinstance(each, FetchOutcome) and each.ending is FetchEnding.READY for each in outcomes]
            hints = [hint for hint, is_ready in zip(hints, done, strict=True) if not is_ready]
            if not hints:
                return
        raise AssertionError(f"{len(hints)} of {len(ids)} never got ready")

    return batch


def naive(url: str, threads: int) -> Callable[[list[str]], None]:
    """What one writes at first: a pool of threads."""
    one = naive_connection(url, threads)

    def batch(ids: list[str]) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, ids))

    return batch


def batch_processor(url: str, threads: int) -> Callable[[list[str]], None]:
    """Powertools' BatchProcessor with partial responses: one record after the other."""
    from aws_lambda_powertools.utilities.batch import (  # noqa: PLC0415
        BatchProcessor,
        EventType,
        process_partial_response,
    )

    one = naive_connection(url, threads)
    processor = BatchProcessor(event_type=EventType.DynamoDBStreams)

    def batch(ids: list[str]) -> None:
        records = [
            {"eventID": id_, "dynamodb": {"SequenceNumber": str(n), "Keys": {"connectionId": {"S": id_}}}}
            for n, id_ in enumerate(ids, 1)
        ]
        answer = process_partial_response(
            event={"Records": records},
            record_handler=lambda record: one(record.dynamodb.keys["connectionId"]),
            processor=processor,
        )
        assert not answer["batchItemFailures"], answer

    return batch


def naive_connection(url: str, threads: int) -> Callable[[str], None]:
    """One connection: boto3, a requests Session for each thread, parse, strip, dump, gzip."""
    import boto3  # noqa: PLC0415
    import requests  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(max_pool_connections=threads)
    table, kms = boto3.client("dynamodb", config=config), boto3.client("kms", config=config)
    s3, secrets = boto3.client("s3", config=config), boto3.client("secretsmanager", config=config)
    keys = [secrets.get_secret_value(SecretId=name)["SecretString"] for name in ("secret", "api")]
    secret_key, api_key = json.loads(keys[0])["secretKey"], json.loads(keys[1])["apiKey"]
    root = f"{url}/v3/{CUSTOMER}/BankingServices"
    local = threading.local()

    def post(call: str, key: dict[str, str], body: Any) -> Any:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.verify = os.environ["AWS_CA_BUNDLE"]
        answer = local.session.post(f"{root}/{call}", headers=key, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def update(id_: str, status: str) -> Any:
        return table.update_item(
            TableName="name",
            Key={"connectionId": {"S": id_}},
            UpdateExpression="SET #status = :status",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": status}},
            ReturnValues="ALL_NEW",
        )["Attributes"]

    def one(id_: str) -> None:
        row = update(id_, "fetching")
        login_id = kms.decrypt(CiphertextBlob=row["sealedLogin"]["B"], KeyId="name")["Plaintext"].decode()
        token = post("GenerateAuthorizeToken", {"flinks-auth-key": secret_key}, None)["Token"]
        session = post("Authorize", {"flinks-auth-key": token}, {"LoginId": login_id, "MostRecentCached": True})
        order = {"RequestId": session["RequestId"], "WithTransactions": True}
        data = post("GetAccountsDetail", {"x-api-key": api_key}, order)
        del data["RequestId"], data["Login"]["Id"], data["Login"]["Username"]
        packed = gzip.compress(json.dumps(data).encode())
        s3.put_object(Bucket="name", Key=f"{id_}.json.gz", Body=packed, IfNoneMatch="*")
        update(id_, "ready")

    return one


def main() -> None:
    mode, url, threads, connections, batches = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    batch = {"ours": ours, "naive": naive, "BatchProcessor": batch_processor}[mode](url, threads)
    for number in range(batches):
        ids = [f"con_{number}_{n}" for n in range(connections)]
        wall, cpu = time.monotonic(), time.process_time()
        batch(ids)
        took = {"wall": time.monotonic() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps({**took, "peak": peak() / 1024**2}), flush=True)


if __name__ == "__main__":
    main()
