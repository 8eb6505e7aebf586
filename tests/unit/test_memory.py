"""No mixture of answers takes the fetch function above three quarters of its memory: real sockets, a real process."""

import json
import os
import re
import socket
import subprocess
import sys
from typing import Any

from tests.processed_template import ROOT, source
from tests.unit.one_batch_in_memory import LOGIN_ID
from tests.unit.scripted_host import ScriptedHost

MEGABYTE = 1024 * 1024
THREADS = 32
FUNCTION = source()["Resources"]["FetchAccountsFunction"]["Properties"]
TRANSACTION = (
    b'{"Date":"2026-02-27","Code":null,"Description":"\xc3\x89PICERIE DU COIN #%06d","Debit":63.28,"Credit":null,'
    b'"Balance":%d.44,"Id":"d2740b9c-61fe-4a3d-f0c8-%012x"}'
)


def answer(size: int) -> bytes:
    """A 200 of about `size` bytes, as an account with many transactions."""
    transactions = b",".join(TRANSACTION % (n, n, n) for n in range(size // 170))
    return around(b'[{"Transactions":[' + transactions + b"]}]")


def around(accounts: bytes) -> bytes:
    body = b'{"HttpStatusCode":200,"Login":{"Id":"%b"},"Accounts":%b}' % (LOGIN_ID.encode(), accounts)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def batch(answers: list[bytes], put_seconds: float = 0.5) -> Any:
    """What a process says of itself that asks for all `answers`, 32 at once."""

    def in_turn(sock: socket.socket, request: bytes) -> None:
        number = int(re.findall(rb'"RequestId": "([0-9a-f]{8})', request)[0], 16)
        sock.sendall(answers[number])

    with ScriptedHost(in_turn) as host:
        order = [host.url, str(THREADS), str(len(answers)), str(put_seconds)]
        told = FUNCTION["Environment"]["Variables"]["GLIBC_TUNABLES"]
        environment = {
            **os.environ,
            "GLIBC_TUNABLES": told,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'layers/landing'}",
        }
        run = subprocess.run(
            [sys.executable, "-m", "tests.unit.one_batch_in_memory", *order],
            env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=220,
        )  # fmt: skip
    return json.loads(run.stdout)


def least_memory() -> int:
    """That the function may be given, in bytes."""
    return int(source()["Parameters"][FUNCTION["MemorySize"]["Ref"]]["MinValue"]) * MEGABYTE


def test_a_crowd_of_large_answers_leaves_a_quarter_of_the_memory_free() -> None:
    half, five, largest = answer(MEGABYTE // 2), answer(5 * MEGABYTE), answer(31 * MEGABYTE)
    one_text = around(b'[{"Statement":"' + b"JVBERi0x" * (31 * MEGABYTE // 8) + b'"}]')

    ran = batch([one_text] * 24 + [largest] + [five] * 4 + [half] * 20)

    print(ran)
    assert ran["endings"] == {"packed": 49}
    assert ran["peak"] <= 0.75 * least_memory()


def test_answers_that_are_all_brackets_leave_a_quarter_of_the_memory_free() -> None:
    small = around(b"[{}" + b",{}" * (MEGABYTE // 4) + b"]")
    below = around(b'[{"a":[' + b"[]," * (6 * MEGABYTE // 3) + b"1]}]")
    above = around(b'[{"a":[' + b"[]," * (31 * MEGABYTE // 3) + b"1]}]")

    ran = batch([below] * 4 + [above] * 2 + [small] * 8, put_seconds=0.1)

    print(ran)
    assert ran["endings"] == {"packed": 12, "too_large": 2}
    assert ran["peak"] <= 0.75 * least_memory()
