"""openapi.yaml says what template, handlers and models do: neither more nor less."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from landing import strict_json
from landing.domain.connection import CONNECTION_ID, Action, DaysOfTransactions, Language, Status
from landing.edge import bodies, inputs, sentences, web
from landing.edge.inputs import NotAsDescribed
from tests.processed_template import source
from tests.world.service import TEMPLATE, Service, handler_of, http_event

type Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
CONTRACT: Json = yaml.safe_load((ROOT / "openapi.yaml").read_text())
SCHEMAS: Json = CONTRACT["components"]["schemas"]
OPERATIONS: dict[str, Json] = {
    f"{method.upper()} {path}": operation
    for path, item in CONTRACT["paths"].items()
    for method, operation in item.items()
}
HANDLERS = {
    "POST /connect-sessions": "create_connect_session",
    "POST /connections": "receive_login",
    "GET /connections": "show_connection",
    "GET /connections/{connectionId}": "show_connection",
}
MODELS: dict[str, type[bodies.Body]] = {"WantedSession": bodies.WantedSession, "PostedLogin": bodies.PostedLogin}
LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"


def resolved(part: Any) -> Any:
    """The part of the contract that a reference names; anything else as it is."""
    while "$ref" in part:
        target: Any = CONTRACT
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        part = target
    return part


def validator(schema: Json) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": CONTRACT["components"]}, validate_formats=True)


def routes_of_template() -> Iterator[tuple[str, str]]:
    for resource in TEMPLATE.values():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            if event["Type"] == "HttpApi":
                route = event["Properties"]
                yield f"{route['Method']} {route['Path']}", resource["Properties"]["CodeUri"].split("/")[1]


def media() -> Iterator[tuple[str, Json]]:
    """Every body that the contract describes, by where it stands."""
    for name, operation in OPERATIONS.items():
        if "requestBody" in operation:
            yield from ((f"{name} asks {kind}", body) for kind, body in operation["requestBody"]["content"].items())
        for status, response in operation["responses"].items():
            content = resolved(response)["content"].items()
            yield from ((f"{name} answers {status} {kind}", body) for kind, body in content)


def problems_of(operation: Json) -> set[tuple[int, str]]:
    """The statuses and types of the problems that an operation may answer."""
    return {
        (int(status), type_)
        for status, response in operation["responses"].items()
        if "application/problem+json" in resolved(response)["content"]
        for type_ in resolved(resolved(response)["content"]["application/problem+json"]["schema"])["allOf"][1][
            "properties"
        ]["type"]["enum"]
    }


# --- routes


def test_openapi_yaml_is_a_valid_document() -> None:
    schemathesis.openapi.from_path(ROOT / "openapi.yaml").validate()


@pytest.mark.usefixtures("service")  # its environment is there when a handler is imported
def test_template_handlers_and_contract_have_the_same_routes() -> None:
    routes = dict(routes_of_template())

    assert set(OPERATIONS) == set(routes)
    assert routes == HANDLERS
    for function in set(HANDLERS.values()):
        mine = {route for route, handler in HANDLERS.items() if handler == function}
        module = inspect.unwrap(handler_of(function)).__globals__
        assert set(module.get("ROUTES", mine)) == mine
        assert all(route in module["__doc__"] for route in mine)


def test_every_route_wants_the_scope_that_the_gateway_asks_for() -> None:
    authorizer = TEMPLATE["HttpApi"]["Properties"]["Auth"]

    assert authorizer["DefaultAuthorizer"] == "Jwt"
    (scope,) = authorizer["Authorizers"]["Jwt"]["AuthorizationScopes"]
    assert scope == {"Fn::If": ["ScopeRequired", {"Ref": "RequiredScope"}, {"Ref": "AWS::NoValue"}]}
    assert CONTRACT["security"] == [{"accessToken": [source()["Parameters"]["RequiredScope"]["Default"]]}]
    assert not [name for name, operation in OPERATIONS.items() if "security" in operation]


def test_a_page_of_an_allowed_origin_may_send_and_read_all_that_is_described() -> None:
    cors = TEMPLATE["HttpApi"]["Properties"]["CorsConfiguration"]["Fn::If"][1]
    headers = {
        name.lower()
        for operation in OPERATIONS.values()
        for response in operation["responses"].values()
        for name in resolved(response).get("headers", {})
    }

    assert set(cors["AllowMethods"]) == {route.split()[0] for route in OPERATIONS}
    assert set(cors["AllowHeaders"]) == {"authorization", "content-type"}
    named = {"apigw-requestid"}  # the gateway's own, with every answer; told of in words
    assert set(cors["ExposeHeaders"]) == headers - {"cache-control", "www-authenticate"} | named


# --- what is asked


@pytest.mark.parametrize("name", MODELS)
def test_a_body_has_the_members_that_its_model_has(name: str) -> None:
    contract = SCHEMAS[name]
    model = msgspec.json.schema(MODELS[name])["$defs"][name]

    assert contract["properties"].keys() == model["properties"].keys()
    assert contract.get("required", []) == model.get("required", [])
    assert contract["additionalProperties"] is model["additionalProperties"] is False
    for member, described in contract["properties"].items():
        assert described.get("default") == model["properties"][member].get("default")


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=70),
    st.text("abcdefABCDEF0123456789-", max_size=37),
    st.from_regex(r"\A[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z"),
    st.from_regex(r"\A[A-Za-z0-9\u00c0-\u0370 .,:;!#*@&'\u2019()/_+\u2013-]{0,70}\Z"),
    st.sampled_from(
        [LOGIN_ID, LOGIN_ID.upper(), f"{{{LOGIN_ID}}}", f"{LOGIN_ID}\n", "en", "fr", "EN", "Télé\u0301", ""]
    ),
)


@pytest.mark.parametrize("name", MODELS)
@settings(deadline=None, derandomize=True)
@given(data=st.data())
def test_a_body_is_accepted_if_and_only_if_the_contract_allows_it(name: str, data: st.DataObject) -> None:
    members = [*SCHEMAS[name]["properties"], "redirectUrl"]
    lists = st.lists(VALUES, max_size=3, unique_by=lambda each: str(each).lower())
    body = data.draw(st.dictionaries(st.sampled_from(members), VALUES | lists, max_size=3))

    try:
        bodies.parsed(body, MODELS[name])
    except NotAsDescribed:
        accepted = False
    else:
        accepted = True

    assert accepted == validator(SCHEMAS[name]).is_valid(body)


@pytest.mark.parametrize(
    ("body", "good"),
    [
        ({"loginId": LOGIN_ID, "institution": "x" * 64}, True),
        ({"loginId": LOGIN_ID, "institution": "x" * 7000}, True),
        ({"loginId": LOGIN_ID, "daysOfTransactions": 365}, True),
        ({"loginId": LOGIN_ID, "daysOfTransactions": 180}, False),
        ({"loginId": LOGIN_ID, "language": "fr"}, True),
        ({"loginId": LOGIN_ID, "language": "de"}, False),
        ({"loginId": LOGIN_ID, "accountIds": [f"{LOGIN_ID[:-3]}{n:03d}" for n in range(100)]}, True),
        ({"loginId": LOGIN_ID, "accountIds": [f"{LOGIN_ID[:-3]}{n:03d}" for n in range(101)]}, False),
    ],
)
def test_the_limits_of_a_body_are_the_contracts(service: Service, body: Json, good: bool) -> None:
    answer = service.call("receive_login", http_event("POST /connections", "alice", body=json.dumps(body)))

    assert (answer["statusCode"] == 202) is good
    assert validator(SCHEMAS["PostedLogin"]).is_valid(body) is good


def test_patterns_and_numbers_are_those_of_the_code() -> None:
    limit, token = (parameter["schema"] for parameter in OPERATIONS["GET /connections"]["parameters"])
    posted = SCHEMAS["PostedLogin"]["properties"]

    asked = SCHEMAS["WantedSession"]["properties"]
    assert f"cut at {inputs.LONGEST_LABEL} characters" in posted["institution"]["description"]
    assert f"Cut at {inputs.LONGEST_LABEL} characters" in asked["customerName"]["description"]
    assert asked["termsUrl"]["maxLength"] == inputs.LONGEST_URL
    assert SCHEMAS["DaysOfTransactions"]["enum"] == list(DaysOfTransactions)
    assert SCHEMAS["Language"]["enum"] == asked["language"]["enum"] == list(Language)
    assert posted["accountIds"]["maxItems"] == inputs.MOST_ACCOUNTS
    assert SCHEMAS["ConnectionId"]["pattern"] == f"^{CONNECTION_ID}$"
    assert resolved(token)["pattern"] == rf"^[0-9]{{13}}\.{CONNECTION_ID}$"
    assert (limit["default"], limit["maximum"]) == (web.USUAL_PAGE, web.LARGEST_PAGE)
    assert SCHEMAS["ConnectionList"]["properties"]["connections"]["maxItems"] == web.LARGEST_PAGE
    assert (
        f"1 to {inputs.LONGEST_OWNER} characters"
        in CONTRACT["components"]["securitySchemes"]["accessToken"]["description"]
    )
    assert f"deeper than {strict_json.MAX_DEPTH}" in CONTRACT["components"]["responses"]["MalformedBody"]["description"]
    for operation in OPERATIONS.values():
        assert "requestBody" not in operation or f"{web.BODY_LIMIT} bytes" in operation["requestBody"]["description"]


# --- what is answered


def test_every_problem_stands_in_the_contract_and_no_other() -> None:
    described = set().union(*map(problems_of, OPERATIONS.values()))

    assert described == {(type_.status, type_.urn) for type_ in web.ProblemType}


def test_the_guide_explains_every_problem() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", (ROOT / "docs/frontend/guide.md").read_text(), re.MULTILINE)

    assert {(type_.slug, str(type_.status.value)) for type_ in web.ProblemType} <= set(rows)


def test_an_operation_with_a_body_may_answer_all_that_a_body_can_be() -> None:
    of_bodies = {"malformed-json", "body-too-large", "not-json", "invalid-body"}
    for operation in OPERATIONS.values():
        slugs = {type_.rsplit(":", 1)[1] for _, type_ in problems_of(operation)}

        assert {"no-subject", "unavailable"} <= slugs
        assert slugs & of_bodies == (of_bodies if "requestBody" in operation else set())
        assert {"401", "403", "429", "431", "500", "503"} <= operation["responses"].keys()


def test_titles_in_examples_are_those_of_the_code() -> None:
    titles = {type_.urn: type_.title for type_ in web.ProblemType}
    shown = [
        example["value"]
        for where, body in media()
        if where.endswith("problem+json")
        for example in body["examples"].values()
    ]

    assert {problem["type"]: problem["title"] for problem in shown} == titles


def test_states_actions_and_reasons_are_those_of_the_code() -> None:
    described = SCHEMAS["Connection"]["properties"]
    worked_on = {Status.RECEIVED, Status.FETCHING, Status.PENDING, Status.WAITING}
    with_an_owner = set(Status) - worked_on - {Status.DELETED} | {"processing"}

    assert set(described["status"]["enum"]) == with_an_owner
    assert described["action"]["enum"] == list(Action)
    named = set(re.findall(r"`([a-z_]+)`", described["reason"]["description"]))
    assert named - {"processing", "failed", "action_required"} == set(sentences.REASONS)


def test_what_the_handlers_say_is_what_the_contract_says(service: Service) -> None:
    connection_id = json.loads(service.post(service.connect_bank(), institution="FlinksCapital")["body"])[
        "connectionId"
    ]
    processing = json.loads(service.get(connection_id)["body"])
    service.settle()
    ready = json.loads(service.get(connection_id)["body"])
    listed = service.call(
        "show_connection", http_event("GET /connections", "alice", queryStringParameters={"limit": "1"})
    )
    session = service.call("create_connect_session", http_event("POST /connect-sessions", "alice", body="{}"))

    said = [processing, ready, json.loads(listed["body"]), json.loads(session["body"])]
    for name, body in zip(("Connection", "Connection", "ConnectionList", "ConnectSession"), said, strict=True):
        validator(SCHEMAS[name]).validate(body)
        assert body.keys() <= SCHEMAS[name]["properties"].keys()
    assert (processing["status"], ready["status"]) == ("processing", "ready")


@pytest.fixture(autouse=True)
def _connect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLINKS_CONNECT_URL", "https://toolbox-iframe.private.fin.ag/v2/")


@pytest.mark.parametrize(("where", "body"), list(media()), ids=[where for where, _ in media()])
def test_every_body_has_examples_and_they_are_what_they_stand_for(where: str, body: Json) -> None:
    schema = validator(body["schema"])

    for example in body["examples"].values():
        schema.validate(resolved(example)["value"])
        said = resolved(example)["value"].get("message")
        if "answers 2" in where and said:
            shown = resolved(example)["value"]
            sentence = sentences.sentence_for(shown["status"], shown["reason"], Action(shown["action"]))
            assert said == {"en": sentence.en, "fr": sentence.fr}


def test_every_parameter_has_an_example_or_a_pattern() -> None:
    for operation in OPERATIONS.values():
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                validator(resolved(parameter["schema"])).validate(parameter["example"])
            else:
                assert "pattern" in resolved(parameter["schema"])


def test_every_field_has_a_sentence() -> None:
    for name, schema in SCHEMAS.items():
        for member, described in schema.get("properties", {}).items():
            sentence = described.get("description") or resolved(described).get("description", "")
            assert sentence.rstrip().endswith((".", "`.")), f"{name}.{member}"


# --- what tools that read it need


def test_no_generator_has_to_drop_or_to_invent_a_type() -> None:
    """One drops a response whose `const` narrows a type; most name an inline schema by its place."""
    bodies = [(where, body["schema"]) for where, body in media()]

    assert [where for where, schema in bodies if schema.keys() != {"$ref"}] == []
    assert [place for place, part in parts(CONTRACT["components"]["schemas"]) if "const" in part] == []
    assert [place for place, part in parts(CONTRACT) if None in part.get("enum", [])] == []
    assert [name for name, schema in SCHEMAS.items() if not {"type", "allOf"} & schema.keys()] == []
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids) == len(OPERATIONS)


def parts(whole: Any, place: str = "") -> Iterator[tuple[str, Json]]:
    """Every object in the contract, by where it stands; examples are no part of it."""
    if isinstance(whole, dict):
        yield place, whole
    members = whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ()
    for name, part in members:
        if name not in ("example", "examples"):
            yield from parts(part, f"{place}/{name}")
