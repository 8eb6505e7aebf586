"""What is missing or built wrong is a crash with a name: never a promise to the caller, never a wait."""

import msgspec
import pytest
from botocore.exceptions import ParamValidationError

from landing import settings, wiring
from landing.domain.connection import Hint, Status
from landing.error_names import NOT_SERVED, Crash, name_of
from landing.settings import Settings, WrongSettings
from landing.stores.queues import FetchQueue
from tests.world.erasing import with_erasing
from tests.world.service import TEMPLATE, Service

MAY_BE_LEFT_OUT = {"FLINKS_DEMO", "CONNECT_REDIRECT_URL", "OWNER_CLAIM"}
"""No page to go to, no demonstration bank, and the subject as the owner: all are choices."""

NUMBERS = {
    *("POLL_SECONDS", "LEASE_SECONDS", "FETCH_THREADS", "ERASE_THREADS", "RESUME_AT_MOST", "REQUIRE_OWNER_TAG"),
    "DAYS_OF_TRANSACTIONS",
    *("SESSIONS_PER_HOUR", "FETCHES_PER_HOUR", "FETCHES_PER_CONNECTION"),
}
"""Each with a default that holds where the template says nothing."""


def all_settings() -> list[type[Settings]]:
    return [each for each in vars(settings).values() if isinstance(each, type) and issubclass(each, Settings)][1:]


def needed(kind: type[Settings]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind) if field.required]


@pytest.mark.parametrize("kind", all_settings())
def test_what_may_be_left_out_is_a_choice_or_a_number(kind: type[Settings]) -> None:
    assert {field.encode_name for field in msgspec.structs.fields(kind)} - set(
        needed(kind)
    ) <= MAY_BE_LEFT_OUT | NUMBERS


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in all_settings() for name in needed(kind)])
@pytest.mark.parametrize("value", [None, ""])
def test_a_setting_that_is_missing_or_empty_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: type[Settings], name: str, value: str | None
) -> None:
    for each in needed(kind):
        monkeypatch.setenv(each, "7")
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)

    with pytest.raises(WrongSettings) as error:
        kind.from_environment()

    assert name_of(error.value) == f"WrongSettings: {name}"


def test_a_setting_that_is_wrong_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLL_SECONDS", "canary")

    with pytest.raises(WrongSettings) as error:
        settings.FetchSettings.from_environment()

    assert str(error.value) == "POLL_SECONDS"
    assert error.value.__context__ is None


@pytest.mark.parametrize("name", ["CONNECTIONS_TABLE", "LOGIN_KEY_ARN", "INDEX_KEY_ARN"])
def test_a_post_with_a_setting_missing_crashes_by_its_name(
    service: Service, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    login_id = service.connect_bank()
    monkeypatch.delenv(name)
    wiring.reset()

    with pytest.raises(Crash, match=f"^WrongSettings: {name} at settings.py:"):
        service.post(login_id)


@pytest.mark.parametrize(
    ("function", "forbidden"),
    [
        ("ReceiveLoginFunction", {"FLINKS_SECRET_KEY_ARN", "FLINKS_API_KEY_ARN", "DATA_KEY_ARN"}),
        ("CreateConnectSessionFunction", {"LOGIN_KEY_ARN", "FLINKS_API_KEY_ARN", "DATA_KEY_ARN"}),
    ],
)
def test_a_function_that_may_not_use_a_key_has_no_setting_for_it(function: str, forbidden: set[str]) -> None:
    assert not forbidden & set(TEMPLATE[function]["Properties"]["Environment"]["Variables"])


# --- a call that botocore refuses to build


@pytest.fixture
def no_key(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A release that asks KMS without saying for which key."""
    monkeypatch.setattr(wiring.login_seal(), "_login_key", None)
    return service


def test_it_is_no_fault_of_aws() -> None:
    assert not issubclass(ParamValidationError, NOT_SERVED)


def test_a_post_that_needs_it_crashes_and_promises_nothing(no_key: Service) -> None:
    with pytest.raises(Crash, match=r"^ParamValidationError at login_seal.py:\d+$"):
        no_key.post(no_key.connect_bank())


def test_a_fetch_that_needs_it_does_not_call_it_waiting(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connection_id = service.connect_and_post()
    monkeypatch.setattr(wiring.login_seal(), "_login_key", None)

    row = service.until(connection_id, Status.FETCHING)

    assert (row.status, row.reason) == (Status.FETCHING, None)
    (told,) = [vars(record) for record in caplog.records if record.getMessage() == "fetch broke off"]
    assert (told["error"], told["connectionId"]) == ("ParamValidationError", connection_id)


def test_an_erasure_that_needs_it_is_not_put_off_as_if_time_would_help(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasing = with_erasing(service, monkeypatch)
    connection_id = service.connect_and_post()
    service.settle()
    monkeypatch.setattr(wiring.login_seal(), "_login_key", None)

    answer = erasing.erase(connection_id)

    assert (answer["outcome"], answer["error"]) == ("not_done", "ParamValidationError")
    assert service.row(connection_id).reason is None


def test_a_message_that_cannot_be_built_is_not_passed_over(service: Service) -> None:
    queue = FetchQueue(service.world.sqs, queue_url=None)  # type: ignore[arg-type]

    with pytest.raises(ParamValidationError):
        queue.wake(Hint("con_" + "a" * 26, 1, 0))
