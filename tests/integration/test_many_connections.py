"""Many at once, on the local stack: everyone gets there, once, and nobody waits for a slow neighbour."""

from concurrent.futures import ThreadPoolExecutor

from tests.live_service import LiveService, eventually, one_batch

HOW_MANY = 100


def all_ready(live: LiveService, connection_ids: list[str]) -> bool | None:
    return all(live.row(connection_id).status == "ready" for connection_id in connection_ids) or None


def test_a_hundred_posted_at_once_are_all_ready_with_one_drop_each(live: LiveService) -> None:
    login_ids = [live.connect_bank() for _ in range(HOW_MANY)]

    with ThreadPoolExecutor(8) as browsers:
        answers = list(browsers.map(live.post, login_ids))
    connection_ids = [str(answer.body["connectionId"]) for answer in answers]
    eventually(lambda: all_ready(live, connection_ids), "all ready")

    assert {answer.status for answer in answers} == {202}
    assert len(set(connection_ids)) == HOW_MANY
    assert [len(live.drops_of(connection_id)) for connection_id in connection_ids] == [1] * HOW_MANY
    assert {live.row(connection_id).sessions for connection_id in connection_ids} == {1}


def test_a_login_that_hangs_holds_up_no_other_and_calls_overlap(live: LiveService) -> None:
    slow = live.connect_bank()
    others = [live.connect_bank() for _ in range(20)]
    live.control("DELETE", "/calls")
    hangs = {"endpoint": "GetAccountsDetail", "loginId": slow, "steps": [{"fault": "ok", "hang": 25}]}
    live.control("POST", "/faults", hangs)

    with one_batch(live), ThreadPoolExecutor(8) as browsers:
        slow_id = str(live.post(slow).body["connectionId"])
        connection_ids = [str(answer.body["connectionId"]) for answer in browsers.map(live.post, others)]
    eventually(lambda: all_ready(live, connection_ids), "all others ready")
    meanwhile = live.row(slow_id).status
    live.until(slow_id, "ready")

    assert meanwhile == "fetching"
    assert live.control("GET", "/calls")["maxInFlight"] > 1
