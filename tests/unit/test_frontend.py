"""What a frontend is given: one module as it is, and a guide that explains every refusal."""

import re
from pathlib import Path

import yaml

from landing.edge.web import ProblemType
from ops import api_page

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "docs" / "frontend"
CONTRACT = yaml.safe_load((ROOT / "openapi.yaml").read_text())


def test_the_guide_explains_every_problem_with_its_status() -> None:
    guide = (FRONTEND / "guide.md").read_text()

    explained = dict(re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", guide, re.MULTILINE))

    assert explained == {problem.slug: str(problem.status.value) for problem in ProblemType}


def test_the_module_can_be_read_in_one_sitting_and_needs_nothing() -> None:
    module = (FRONTEND / "connect.js").read_text()

    assert len(module.splitlines()) <= 250
    assert not re.search(r"\bimport\b|\brequire\b", module)
    assert not re.search(r"\bconsole\b|\b(local|session)Storage\b|\bcookie\b|\bindexedDB\b", module)


def test_the_module_and_the_contract_are_of_one_version() -> None:
    (version,) = re.findall(r'^export const VERSION = "(.+)";', (FRONTEND / "connect.js").read_text(), re.MULTILINE)

    assert version == CONTRACT["info"]["version"]


def test_the_types_are_those_of_the_contract_and_of_the_module() -> None:
    types, module = (FRONTEND / "connect.d.ts").read_text(), (FRONTEND / "connect.js").read_text()
    schemas = CONTRACT["components"]["schemas"]

    assert members(types, "Connection") == set(schemas["Connection"]["required"])
    assert members(types, "Session") == schemas["WantedSession"]["properties"].keys() - {"webview"}
    for word in (*schemas["Connection"]["properties"]["status"]["enum"], *schemas["Language"]["enum"]):
        assert f'"{word}"' in types
    said = set(re.findall(r'"(connect(?:ion)?:[a-z-]+)"', module))
    ends = {
        f"connection:{status.replace('_', '-')}" for status in schemas["Connection"]["properties"]["status"]["enum"]
    }
    assert set(re.findall(r'"(connect(?:ion)?:[a-z-]+)":', types)) == said | ends - {"connection:processing"}
    for verb in ("open", "resume", "cancel", "close"):
        assert re.search(rf"^  {verb}(:|\()", types, re.MULTILINE)
        assert re.search(rf"^  {verb}( =|\()", module, re.MULTILINE)


def test_the_guide_has_every_event_and_every_option() -> None:
    guide, types = (FRONTEND / "guide.md").read_text(), (FRONTEND / "connect.d.ts").read_text()

    assert set(re.findall(r"^\| `(connect(?:ion)?:[a-z-]+)` \|", guide, re.MULTILINE)) == members(
        types, "ConnectEvents"
    )
    assert members(types, "Session") <= set(re.findall(r"^\| `([A-Za-z]+)` \|", guide, re.MULTILINE))


def test_the_page_of_the_api_is_made_from_the_contract_and_its_links_lead_somewhere() -> None:
    page = api_page.PAGE.read_text()

    assert page == api_page.page(api_page.contract())
    assert set(re.findall(r"\]\(#([a-z]+)\)", page)) <= {name.lower() for name in CONTRACT["components"]["schemas"]}
    for path, operations in CONTRACT["paths"].items():
        assert all(f"## `{method.upper()} {path}`" in page for method in operations)


def members(types: str, name: str) -> set[str]:
    """The members of an interface in the declarations."""
    (body,) = re.findall(rf"^export interface {name} \{{\n(.*?)^\}}", types, re.MULTILINE | re.DOTALL)
    return set(re.findall(r'^  "?([\w:-]+)"?\??: ', body, re.MULTILINE))
