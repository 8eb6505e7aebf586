"""What is sealed for one row, purpose or stack opens for no other: who swaps it has nobody else's data fetched."""

from itertools import product
from typing import Any

import pytest
from botocore.exceptions import ClientError

from landing import wiring
from landing.domain.connection import Status
from landing.stores.login_seal import LoginSeal, Purpose
from tests.world.erasing import with_erasing
from tests.world.service import TABLE, Service
from tests.world.world import World

SECRET = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
ALICES, BOBS = "con_" + "a" * 26, "con_" + "b" * 26


def change(service: Service, connection_id: str, name: str, value: Any) -> None:
    """As somebody would who may write to the table."""
    service.world.dynamodb.update_item(
        TableName=TABLE,
        Key={"connectionId": {"S": connection_id}},
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": value},
    )


@pytest.fixture
def two(service: Service) -> tuple[str, str]:
    """The connections of two people, received and not yet fetched."""
    alice = service.connect_and_post("alices")
    bobs = service.connect_bank("bobs")
    service.post(bobs, "bob")
    return alice, next(row.connection_id for row in service.rows() if row.owner == "bob")


def test_a_login_of_another_row_is_not_fetched_for_this_one(service: Service, two: tuple[str, str]) -> None:
    alice, bob = two
    change(service, alice, "sealedLogin", {"B": service.row(bob).sealed_login})

    service.until(alice, Status.WAITING)

    assert service.row(alice).reason == "service_unavailable"
    assert [key for key in service.drops() if alice in key] == []
    assert len(service.flinks_calls("Authorize")) <= 1  # bob's own


def test_a_session_of_another_row_is_not_asked_for_its_data(service: Service) -> None:
    alice = service.connect_and_post("alices", pending={"never": True})
    bob = service.connect_bank("bobs", pending={"never": True})
    service.post(bob, "bob")
    service.until(alice, Status.PENDING)
    bobs = next(row.connection_id for row in service.rows() if row.owner == "bob")
    service.until(bobs, Status.PENDING)
    change(service, alice, "sealedRequest", {"B": service.row(bobs).sealed_request})
    asked = len(service.flinks_calls("GetAccountsDetailAsync"))

    wiring.reset()
    service.until(alice, Status.WAITING)

    assert service.row(alice).reason == "service_unavailable"
    assert len(service.flinks_calls("GetAccountsDetailAsync")) - asked <= 1  # bob's own


def test_a_login_does_not_open_as_a_session(service: Service) -> None:
    alice = service.connect_and_post("alices", pending={"never": True})
    service.until(alice, Status.PENDING)
    asked = len(service.flinks_calls("GetAccountsDetailAsync"))

    change(service, alice, "sealedRequest", {"B": service.row(alice).sealed_login})
    service.until(alice, Status.WAITING)

    assert service.row(alice).reason == "service_unavailable"
    assert len(service.flinks_calls("GetAccountsDetailAsync")) == asked


def test_a_card_of_another_row_is_not_deleted_for_this_one(
    service: Service, two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = two
    erasing = with_erasing(service, monkeypatch)
    service.settle()
    change(service, alice, "sealedLogin", {"B": service.row(bob).sealed_login})

    told = erasing.erase(alice)

    assert (told["outcome"], told["reason"]) == ("deleting", "service_unavailable")
    assert service.flinks_calls("DeleteCard") == []


@pytest.mark.parametrize(
    ("id_", "purpose"), [each for each in product((ALICES, BOBS), Purpose) if each != (ALICES, Purpose.LOGIN)]
)
def test_a_wrong_context_opens_nothing(id_: str, purpose: Purpose) -> None:
    world = World()
    seal = LoginSeal(world.kms, world.kms.create_key()["KeyMetadata"]["Arn"])
    sealed = seal.seal(SECRET, ALICES, Purpose.LOGIN)

    with pytest.raises(ClientError):
        seal.open(sealed, id_, purpose)


def test_what_another_stack_has_sealed_does_not_open_here() -> None:
    world = World()
    ours, theirs = (LoginSeal(world.kms, world.kms.create_key()["KeyMetadata"]["Arn"]) for _ in range(2))
    sealed = theirs.seal(SECRET, ALICES, Purpose.LOGIN)

    with pytest.raises(ClientError):
        ours.open(sealed, ALICES, Purpose.LOGIN)
