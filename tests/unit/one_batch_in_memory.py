"""A process of its own that asks for large answers at once, as a fetch does, and says how much memory it ever took.

    python -m tests.unit.one_batch_in_memory URL THREADS SIZES PUT_SECONDS

Prints JSON: the peak of its resident memory in bytes, and how many answers were packed or found no room.
"""

import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from itertools import count

import boto3

from landing.flinks import account_data
from landing.flinks.client import FlinksClient
from tests.peak import peak

LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
ABOUT = account_data.About("con_aaaaaaaaaaaaaaaaaaaaaaaaaa", 1, "she", None, datetime(2026, 3, 2, tzinfo=UTC))


class Keys:
    secret_key = api_key = "key"

    def refresh(self) -> None: ...


def main() -> None:
    url, threads, answers, put_seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    clients = [boto3.client(name, region_name="ca-central-1") for name in ("dynamodb", "kms", "s3", "sqs")]
    flinks = FlinksClient(url, "43387ca6-0391-4c82-857d-70d95f087ecb", Keys(), connections=threads)
    numbers = count()

    def fetch(_: int) -> str:
        number = next(numbers)
        with closing(flinks.accounts_detail(f"{number:08x}-0000-0000-0000-000000000000")) as answer:
            if answer.data is None:
                return str(answer.fault)
            packed = account_data.read(answer.data, LOGIN_ID, ABOUT)
            time.sleep(put_seconds)  # as long as S3 takes: the drop is still in memory
            return "packed" if packed.accounts else "empty"

    with ThreadPoolExecutor(threads) as pool:
        endings = Counter(pool.map(fetch, range(answers)))
    assert len(clients) == 4
    print(json.dumps({"peak": peak(), "endings": endings}))


if __name__ == "__main__":
    main()
