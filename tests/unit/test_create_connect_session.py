"""POST /connect-sessions, through the real handler."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from landing import wiring
from landing.domain.connection import instant
from landing.stores.owner_tag import Ownership
from tests.world.service import Service, http_event

CONNECT = "https://toolbox-iframe.private.fin.ag/v2/"


@pytest.fixture(autouse=True)
def _connect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLINKS_CONNECT_URL", CONNECT)


def ask(service: Service, body: str = "{}", owner: str = "alice") -> dict[str, object]:
    return service.call("create_connect_session", http_event("POST /connect-sessions", owner, body=body))


def parameters_of(answer: dict[str, object]) -> dict[str, str]:
    url = json.loads(str(answer["body"]))["connectUrl"]
    assert url.startswith(CONNECT)
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_a_session_is_a_url_with_a_token_of_its_own_and_a_tag_for_its_owner(service: Service) -> None:
    first, second = ask(service), ask(service)

    parameters = parameters_of(first)
    assert first["statusCode"] == 201
    assert parameters["authorizeToken"] != parameters_of(second)["authorizeToken"]
    assert wiring.owner_tag().verify(parameters["tag"], "alice") is Ownership.OURS
    assert wiring.owner_tag().verify(parameters["tag"], "bob") is Ownership.FOREIGN
    assert (parameters["language"], parameters["jsRedirect"]) == ("en", "true")
    assert not {"redirectUrl", "demo", "accountSelectorEnable"} & parameters.keys()


def test_it_expires_when_the_shorter_life_of_a_token_ends(service: Service) -> None:
    expires_at = instant(json.loads(str(ask(service)["body"]))["expiresAt"])

    assert expires_at - service.world.clock.now() == timedelta(minutes=15)


def test_language_and_accounts_are_the_callers_choice(service: Service) -> None:
    parameters = parameters_of(ask(service, '{"language": "fr", "selectAccounts": true}'))

    assert (parameters["language"], parameters["accountSelectorMultiple"]) == ("fr", "true")


def test_where_connect_ends_is_the_deployments_choice(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_REDIRECT_URL", "https://app.example.com/done")

    refused = ask(service, '{"redirectUrl": "https://evil.example"}')
    parameters = parameters_of(ask(service))

    assert refused["statusCode"] == 422
    assert parameters["redirectUrl"] == "https://app.example.com/done"
    assert "jsRedirect" not in parameters


def test_a_rotated_key_is_read_anew(service: Service) -> None:
    ask(service)
    service.bank.settings.secret_key = "rotated"
    service.world.secretsmanager.put_secret_value(SecretId="secret-key", SecretString='{"secretKey": "rotated"}')

    assert ask(service)["statusCode"] == 201


@pytest.mark.parametrize("fault", [{"fault": "refused"}, {"code": "UNAUTHORIZED"}, {"fault": "html", "status": 502}])
def test_when_flinks_mints_no_token_the_caller_may_try_again(service: Service, fault: dict[str, object]) -> None:
    service.script(endpoint="GenerateAuthorizeToken", steps=[{**fault, "times": "forever"}])

    answer = ask(service)

    assert answer["statusCode"] == 503
    assert dict(answer["headers"])["Retry-After"] == "2"  # type: ignore[call-overload]  # a reply is made of anything


@pytest.mark.parametrize(
    ("aws", "operation"),
    [("kms", "generate_mac"), ("secretsmanager", "get_secret_value"), ("dynamodb", "update_item")],
)
def test_when_aws_cannot_serve_the_caller_may_try_again(service: Service, aws: str, operation: str) -> None:
    service.world.fail(aws, operation, "ThrottlingException")

    refused, again = ask(service), ask(service)

    assert refused["statusCode"] == 503
    assert dict(refused["headers"])["Retry-After"] == "2"  # type: ignore[call-overload]  # a reply is made of anything
    assert again["statusCode"] == 201


def test_an_owner_who_asks_too_often_waits_for_the_next_hour_and_nobody_else_does(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESSIONS_PER_HOUR", "3")
    began = service.world.clock.now().replace(minute=0, second=0, microsecond=0)
    service.world.clock.advance(began + timedelta(minutes=90) - service.world.clock.now())

    answers = [ask(service) for _ in range(5)]
    of_bob = ask(service, owner="bob")
    service.world.clock.advance(timedelta(minutes=30))
    next_hour = ask(service)

    refused = answers[3]
    assert [answer["statusCode"] for answer in answers] == [201, 201, 201, 429, 429]
    assert json.loads(str(refused["body"]))["type"] == "urn:flinks-landing:problem:too-many-sessions"
    assert dict(refused["headers"])["Retry-After"] == "1800"  # type: ignore[call-overload]  # a reply is made of anything
    assert (of_bob["statusCode"], next_hour["statusCode"]) == (201, 201)
    assert len(service.flinks_calls("GenerateAuthorizeToken")) == 5


def test_a_counter_names_no_owner_and_goes_by_itself(service: Service) -> None:
    ask(service, owner="alice")

    (counter,) = service.world.tables["sessions"].items.values()
    assert "alice" not in json.dumps(counter)
    assert int(counter["expiresAt"]["N"]) <= (service.world.clock.now() + timedelta(hours=1)).timestamp()


@pytest.mark.parametrize("body", ['{"language": "de"}', '{"selectAccounts": "true"}', "[]", "{"])
def test_a_session_that_is_asked_for_wrongly_costs_flinks_nothing(service: Service, body: str) -> None:
    answer = ask(service, body)

    assert answer["statusCode"] in (400, 422)
    assert service.flinks_calls("GenerateAuthorizeToken") == []
