"""What a deployment is refused for before anything is built."""

from pathlib import Path

import pytest

from ops.preflight import mistakes, template_in
from ops.samconfig import answers, parameters_of, read
from ops.target import Refused
from tests.processed_template import ROOT, source

TEMPLATE = source()
GOOD = {
    "JwtIssuer": "https://login.example.com",
    "JwtAudience": "app",
    "AllowedOrigins": "https://app.example.com,https://www.example.com",
    "FlinksInstance": "toolbox",
    "FlinksCustomerId": "43387ca6-0391-4c82-857d-70d95f087ecb",
}

WRONG = {
    "an unknown name": ({"PolSeconds": "5"}, "PolSeconds is no parameter of the template. Did you mean PollSeconds?"),
    "a number that is none": ({"PollSeconds": "soon"}, "PollSeconds: must be a number."),
    "a number too large": ({"PollSeconds": "1000"}, "PollSeconds: must be 900 at the most."),
    "a number too small": ({"PitrDays": "0"}, "PitrDays: must be 1 at the least."),
    "a word that is none": ({"Environment": "pord"}, "Environment: must be one of dev, prod. Did you mean prod?"),
    "an origin with a path": ({"AllowedOrigins": "https://a.example.com/x"}, "AllowedOrigins: must be origins such as"),
    "one bad origin of two": ({"AllowedOrigins": "https://a.example.com,*"}, "AllowedOrigins: must be origins such as"),
    "a customerId that is none": ({"FlinksCustomerId": "me"}, "FlinksCustomerId: must be a GUID."),
}

TOGETHER = {
    "a domain without its certificate": ({"DomainName": "a.example.com"}, "Give DomainName and CertificateArn"),
    "a network without its groups": ({"SubnetIds": "subnet-0a1b2c3d"}, "Give SubnetIds and SecurityGroupIds"),
    "no Flinks at all": ({"FlinksInstance": ""}, "Give FlinksInstance or FlinksApiUrl."),
    "prod with the demo bank": (
        {"Environment": "prod", "FlinksDemo": "true"}
        | dict.fromkeys(("AlarmTopicArn", "NoticeTopicArn"), "arn:aws:sns:ca-central-1:123456789012:a"),
        "In prod, FlinksDemo must be false.",
    ),
}


@pytest.mark.parametrize(("given", "told"), TOGETHER.values(), ids=TOGETHER)
def test_what_does_not_go_together_is_told_as_the_template_tells_it(given: dict[str, str], told: str) -> None:
    (mistake,) = mistakes(TEMPLATE, GOOD | given)

    assert mistake.startswith(told)


def test_the_template_is_read_as_sam_reads_it() -> None:
    assert template_in(ROOT / "template.yaml")["Rules"] == TEMPLATE["Rules"]


def test_good_parameters_have_no_mistakes() -> None:
    assert mistakes(TEMPLATE, GOOD) == []


@pytest.mark.parametrize(("given", "told"), WRONG.values(), ids=WRONG)
def test_each_mistake_is_named(given: dict[str, str], told: str) -> None:
    (mistake,) = mistakes(TEMPLATE, GOOD | given)

    assert mistake.startswith(told)


def test_what_is_missing_is_named_with_what_it_is_for() -> None:
    given = {name: value for name, value in GOOD.items() if name != "JwtIssuer"}

    (mistake,) = mistakes(TEMPLATE, given)

    assert mistake.startswith("JwtIssuer is missing: ")


def test_every_mistake_is_told_at_once_and_none_shows_a_value() -> None:
    told = mistakes(TEMPLATE, GOOD | {"PollSeconds": "s3cret", "PitrDays": "s3cret", "FlinksInstance": "S3CRET!"})

    assert len(told) == 3
    assert "s3cret" not in " ".join(told).lower()


@pytest.fixture
def samconfig(tmp_path: Path) -> Path:
    path = tmp_path / "samconfig.toml"
    path.write_text(
        '[prod.global.parameters]\nstack_name = "s"\nregion = "ca-central-1"\n'
        '[prod.deploy.parameters]\nparameter_overrides = ["JwtIssuer=FILL-IN", "PollSeconds=10"]\n'
    )
    return path


def test_answers_in_a_file_of_ones_own_come_before_what_samconfig_says(samconfig: Path) -> None:
    samconfig.with_name("answers.toml").write_text(
        '[prod]\nJwtIssuer = "https://login.example.com"\n'
        'AllowedOrigins = ["https://a.example.com", "https://b.example.com"]\n'
        "PollSeconds = 5\nRequireOwnerTag = true\n"
    )

    lines = parameters_of(read(samconfig, "prod"), "arm64", answers(samconfig, "prod"))

    assert lines == [
        "JwtIssuer=https://login.example.com",
        "PollSeconds=5",
        "AllowedOrigins=https://a.example.com,https://b.example.com",
        "RequireOwnerTag=true",
        "Architecture=arm64",
    ]


def test_what_is_left_open_is_asked_for_where_it_may_be_answered(samconfig: Path) -> None:
    with pytest.raises(Refused, match=r"JwtIssuer\. Answer there, or in answers\.toml"):
        parameters_of(read(samconfig, "prod"), "arm64", answers(samconfig, "prod"))


def test_a_broken_file_is_one_sentence(samconfig: Path) -> None:
    samconfig.with_name("answers.toml").write_text("[prod\n")

    with pytest.raises(Refused, match=r"answers\.toml is no TOML"):
        answers(samconfig, "prod")


def test_a_configuration_that_is_misspelt_is_told_which_one_there_is(samconfig: Path) -> None:
    with pytest.raises(Refused, match=r"no configuration prd .* Did you mean prod\?"):
        read(samconfig, "prd")
