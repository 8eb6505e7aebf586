"""Flinks at its worst, over real sockets, on the local stack: nobody waits for a poisoned neighbour."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.live_service import LiveService, eventually, one_batch

HOW_MANY = 100
SLOW = 15
"""Seconds: less than the deadline of a data call, and long for ninety neighbours."""

POISONS: dict[str, dict[str, Any]] = {
    "hangs": {"fault": "hang", "seconds": SLOW},
    "drips": {"fault": "slow_drip"},
    "reset": {"fault": "reset_in_body"},
    "truncated": {"fault": "truncated"},
    "gzip bomb": {"fault": "gzip_bomb"},
    "60 MB": {"fault": "huge"},
    "gzip lie": {"fault": "gzip_lie"},
    "redirect": {"fault": "redirect"},
    "nested": {"fault": "deep_nesting"},
    "HTML": {"fault": "html", "status": 200},
}
OVER = {"gzip bomb": "flinks_answer_too_large", "60 MB": "flinks_answer_too_large"}
SLOW_ONES = ("hangs", "drips")
AWS_WAS_SLOW = re.compile(r"[a-z0-9]+:\w+ (Read|Connect)TimeoutError")
"""The one cause of a second try that is no neighbour's doing: on a busy machine AWS's double may answer late."""


def poison(live: LiveService, login_id: str, fault: dict[str, Any]) -> None:
    if fault["fault"] == "slow_drip":
        size = len(repr(live.control("GET", f"/cards/{login_id}/data")))
        fault = fault | {"bytesPerSecond": size / SLOW}
    script = {"endpoint": "GetAccountsDetail", "loginId": login_id, "steps": [fault | {"times": "forever"}]}
    live.control("POST", "/faults", script)


def ended_of(live: LiveService, connections: list[str]) -> list[dict[str, Any]] | None:
    """How each claim of these ended, once each has ended well."""
    lines = [line for line in live.fetches_ended() if line["connectionId"] in connections]
    return lines if {line["connectionId"] for line in lines if line["ending"] == "ready"} == {*connections} else None


def test_nobody_in_a_batch_of_a_hundred_waits_for_a_poisoned_one(live: LiveService) -> None:
    logins = [live.connect_bank() for _ in range(HOW_MANY)]
    places = dict(zip(range(0, HOW_MANY, HOW_MANY // len(POISONS)), POISONS, strict=True))
    for place, name in places.items():
        poison(live, logins[place], POISONS[name])

    with one_batch(live), ThreadPoolExecutor(8) as browsers:
        posted = [str(answer.body["connectionId"]) for answer in browsers.map(live.post, logins)]
    sick = {name: posted[place] for place, name in places.items()}
    well = [connection_id for connection_id in posted if connection_id not in sick.values()]
    eventually(lambda: all(live.row(id_).status == "ready" for id_ in well) or None, "everyone else ready")
    slow_ones = {(live.row(sick[name]).status, live.row(sick[name]).attempt) for name in SLOW_ONES}
    over = {name: live.until(sick[name], "failed").body["reason"] for name in OVER}
    without_drop = [id_ for name, id_ in sick.items() if name not in SLOW_ONES]

    assert slow_ones == {("fetching", 1)}
    assert over == OVER
    assert [live.drops_of(id_) for id_ in without_drop] == [[]] * len(without_drop)

    live.control("DELETE", "/faults")
    for name in POISONS.keys() - OVER:
        live.until(sick[name], "ready")

    told = eventually(lambda: ended_of(live, well), "what the function says of everyone else")
    again = [line for line in told if line["ending"] != "ready"]
    assert [line for line in again if not AWS_WAS_SLOW.fullmatch(line["cause"])] == []
    assert Counter(line["connectionId"] for line in told) == {id_: live.row(id_).attempt for id_ in well}
