"""CloudWatch Logs' filter patterns, as our matcher has them."""

import pytest

from local.aws.filter_patterns import compiled

LINE = (
    '{"message": "fetch ended", "ending": "waiting", "reason": "bank_unavailable", "oldestSeconds": 720,'
    ' "status": "503"}'
)

SELECTED = {
    "everything": "",
    "words that all stand there": "fetch ended",
    "a phrase": '"fetch ended"',
    "one of several": '?nothing ?"fetch ended"',
    "a member": '{ $.reason = "bank_unavailable" }',
    "the beginning of a member": '{ $.status = "5*" }',
    "a member that is not so": '{ $.ending != "ready" }',
    "both": '{ $.message = "fetch ended" && $.ending = "waiting" }',
    "either": '{ $.reason = "x" || $.reason = "bank_unavailable" }',
    "and before or": '{ $.ending = "waiting" || $.ending = "x" && $.reason = "y" }',
    "parentheses": '{ ($.ending = "x" || $.ending = "waiting") && $.reason = "bank*" }',
    "a number": "{ $.oldestSeconds > 600 }",
}

LEFT_OUT = {
    "a word that is not there": "fetch begun",
    "none of several": "?nothing ?else",
    "another member": '{ $.ending = "bank_unavailable" }',
    "a member that is missing": '{ $.error = "*" }',
    "one of both": '{ $.message = "fetch ended" && $.ending = "ready" }',
    "a smaller number": "{ $.oldestSeconds > 720 }",
    "a text as a number": "{ $.status >= 500 }",
}


@pytest.mark.parametrize("pattern", SELECTED.values(), ids=SELECTED)
def test_a_pattern_selects_the_line(pattern: str) -> None:
    assert compiled(pattern)(LINE)


@pytest.mark.parametrize("pattern", LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_pattern_leaves_the_line_out(pattern: str) -> None:
    assert not compiled(pattern)(LINE)


def test_a_json_pattern_selects_no_line_that_is_not_json() -> None:
    assert not compiled('{ $.message = "*" }')("Task timed out after 10.00 seconds")
    assert compiled('?ERROR ?"Task timed out"')("Task timed out after 10.00 seconds")


@pytest.mark.parametrize(
    "pattern", ["{ $.a = }", "{ $.a 5 }", '{ $.a < "x" }', "{ a = 5 }", "{ $.a = 5", "[a, b]", "%regex%", "-without"]
)
def test_a_shape_that_is_not_modelled_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        compiled(pattern)
