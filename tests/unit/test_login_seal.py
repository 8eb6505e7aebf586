"""Sealed values: each says by what it was sealed, and opens only as what it is."""

import pytest
from botocore.exceptions import ClientError

from landing.error_names import name_of
from landing.stores.login_seal import SEALED_BY_KMS, LoginSeal, Purpose, UnknownSealing
from tests.world.world import World

SECRET = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
OURS, ANOTHERS = "con_" + "a" * 26, "con_" + "b" * 26


@pytest.fixture
def seal() -> LoginSeal:
    world = World()
    return LoginSeal(world.kms, world.kms.create_key()["KeyMetadata"]["Arn"])


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_sealed_value_begins_with_its_sealing_and_opens(seal: LoginSeal, purpose: Purpose) -> None:
    sealed = seal.seal(SECRET, OURS, purpose)

    assert sealed.startswith(SEALED_BY_KMS)
    assert seal.open(sealed, OURS, purpose) == SECRET


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("sealing", [b"", b"kms2:", b"kms1", b"KMS1:", SECRET.encode()])
def test_a_sealing_that_this_release_does_not_know_is_named_and_not_tried(
    seal: LoginSeal, purpose: Purpose, sealing: bytes
) -> None:
    blob = seal.seal(SECRET, OURS, purpose).removeprefix(SEALED_BY_KMS)

    with pytest.raises(UnknownSealing) as error:
        seal.open(sealing + blob, OURS, purpose)

    assert name_of(error.value) == f"UnknownSealing: the {purpose} of {OURS}"


@pytest.mark.parametrize(
    ("connection_id", "purpose"), [(ANOTHERS, Purpose.LOGIN), (OURS, Purpose.REQUEST), (ANOTHERS, Purpose.REQUEST)]
)
def test_a_sealed_value_does_not_open_as_what_it_is_not(seal: LoginSeal, connection_id: str, purpose: Purpose) -> None:
    sealed = seal.seal(SECRET, OURS, Purpose.LOGIN)

    with pytest.raises(ClientError, match="InvalidCiphertextException"):
        seal.open(sealed, connection_id, purpose)
