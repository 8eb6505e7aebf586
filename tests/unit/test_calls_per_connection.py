"""What a connection costs in calls: one more is paid for every connection, so it turns red."""

from tests.benchmarks import cost
from tests.world.audience import audience_of
from tests.world.service import TABLE, Service
from tests.world.units import WriteUnits


def made(service: Service, **card: object) -> dict[str, int]:
    """Calls from the POST to the end, less the announcement; keys are read once for an environment, and not counted."""
    service.connect_and_post("first")
    service.settle()
    service.world.calls.clear()
    service.connect_and_post("second", **card)
    service.settle()
    return dict(service.world.counts())


STRAIGHT = {
    "kms.generate_mac": 1,
    "kms.encrypt": 1,
    "kms.decrypt": 1,
    "dynamodb.get_item": 1,
    "dynamodb.put_item": 1,
    "dynamodb.update_item": 3,  # one counts the fetch for its owner
    "s3.put_object": 1,
    "flinks.GenerateAuthorizeToken": 1,
    "flinks.Authorize": 1,
    "flinks.GetAccountsDetail": 1,
}


def test_a_connection_that_is_ready_at_once_makes_no_call_more_than_it_needs(service: Service) -> None:
    assert made(service) == STRAIGHT


def test_one_202_costs_two_writes_a_message_and_the_sealing_of_the_session(service: Service) -> None:
    calls = made(service, pending={"polls": 1})

    more = {"kms.encrypt": 1, "kms.decrypt": 2, "dynamodb.update_item": 2, "sqs.send_message": 1}
    more["flinks.GetAccountsDetailAsync"] = 1
    assert calls == {name: STRAIGHT.get(name, 0) + more.get(name, 0) for name in STRAIGHT | more}


def test_the_model_of_what_it_costs_has_the_calls_and_the_units_that_were_counted(service: Service) -> None:
    audience_of(service)
    written, counted = WriteUnits(service.world.tables[TABLE]), WriteUnits(service.world.tables["sessions"])

    service.connect_and_post(pending={"polls": 1})
    service.settle()

    calls = service.world.counts()
    assert tuple(written.each) == cost.WRITES
    assert sum(counted.each) == cost.COUNTS
    assert sum(calls[f"kms.{name}"] for name in ("generate_mac", "encrypt", "decrypt")) == cost.KMS_CALLS
    assert calls["dynamodb.get_item"] == cost.READS
    assert calls["s3.put_object"] == cost.PUTS
    assert calls["sqs.send_message"] == cost.MESSAGES
    assert calls["events.put_events"] == cost.EVENTS
