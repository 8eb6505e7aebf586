"""Every request that the contract allows or forbids, as schemathesis makes them up, on the running stack."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis import AuthContext, Case
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from tests.live_service import LiveService

ROOT = Path(__file__).parents[2]
CHECKS = {
    "allow_header_conformance",
    "content_type_conformance",
    "ensure_resource_availability",
    "ignored_auth",
    "missing_required_header",
    "negative_data_rejection",
    "not_a_server_error",
    "object_level_authorization",
    "positive_data_acceptance",
    "response_headers_conformance",
    "response_schema_conformance",
    "status_code_conformance",
    "use_after_free",
}
"""All there are but `unsupported_method`: the gateway says 404, not 405, to a method that a path does not have."""


@dataclass
class Run:
    """What came of the requests: how many, which answers, which checks passed, and what failed."""

    cases: int = 0
    answers: Counter[tuple[str, int | None]] = field(default_factory=Counter)
    passed: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def note(self, scenario: events.ScenarioFinished) -> None:
        recorder = scenario.recorder
        self.cases += len(recorder.interactions)
        for id_, interaction in recorder.interactions.items():
            status = interaction.response.status_code if interaction.response else None
            self.answers[recorder.cases[id_].value.operation.label, status] += 1
        for checks in recorder.checks.values():
            self.passed |= {check.name for check in checks if check.status is Status.SUCCESS}
            self.failures += [
                f"{recorder.label}: {check.name}: {check.failure_info}"
                for check in checks
                if check.status in (Status.FAILURE, Status.ERROR)
            ]


def run(live: LiveService, phases: dict[str, int]) -> Run:
    """Run the phases, each with so many examples for each operation, or walks along the contract's links."""
    phase = {
        name: {"enabled": name in phases, "generation": {"max-examples": phases[name]} if phases.get(name) else {}}
        for name in ("examples", "coverage", "fuzzing", "stateful")
    }
    config = SchemathesisConfig.from_dict(
        {
            "base-url": live.stack.outputs["ApiUrl"],
            "workers": 2,
            "continue-on-failure": True,
            "checks": {
                "unsupported_method": {"enabled": False},
                # A body that breaks the schema may be too large as well, and that is said first.
                "negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 413, 415, 422]},
            },
            "generation": {"deterministic": True, "database": "none"},
            "phases": phase,
        }
    )
    schema = schemathesis.openapi.from_path(ROOT / "openapi.yaml", config=config)

    @schema.auth()
    class Owners:
        """Who lists is not who posts by the hundred, as long as the steps of a walk need not be the same person's."""

        def get(self, case: Case[Any], _: AuthContext) -> str:
            lists = case.operation.label == "GET /connections" and "stateful" not in phases
            return live.stack.issuer.token("lister" if lists else "poster")

        def set(self, case: Case[Any], token: str, _: AuthContext) -> None:
            case.headers["Authorization"] = f"Bearer {token}"

    result = Run()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            result.note(event)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            result.failures.append(str(event))
    return result


@pytest.fixture(scope="module", autouse=True)
def _something_to_list(live: LiveService) -> None:
    for _ in range(3):
        live.connect_and_post("lister")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("examples", "walks", "at_least"),
    [(230, 15, 1_000), pytest.param(2_400, 150, 10_000, marks=pytest.mark.long)],
)
def test_no_request_gets_an_answer_that_the_contract_does_not_have(
    live: LiveService,
    record_testsuite_property: Callable[[str, object], None],
    examples: int,
    walks: int,
    at_least: int,
) -> None:
    made_up = run(live, {"examples": 0, "coverage": 0, "fuzzing": examples})
    walked = run(live, {"stateful": walks})

    record_testsuite_property("schemathesis cases", made_up.cases + walked.cases)
    answers = made_up.answers + walked.answers
    assert made_up.failures + walked.failures == []
    assert made_up.passed | walked.passed == CHECKS
    assert not [answer for answer in answers if answer[1] is None or answer[1] >= 500]
    assert made_up.cases + walked.cases >= at_least
    # The made-up requests did get past the door: each operation has done its work.
    assert {("POST /connections", 202), ("POST /connect-sessions", 201), ("GET /connections", 200)} <= answers.keys()
    assert ("GET /connections/{connectionId}", 200) in answers
