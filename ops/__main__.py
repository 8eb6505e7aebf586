"""`python -m ops`, which bin/landing starts: runs a command, and puts what went wrong into one sentence."""

import sys
import traceback
from pathlib import Path

import requests
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    ConnectionError,  # noqa: A004 - botocore's name for it
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

from ops.cli import app, hoisted
from ops.orders import NotDone
from ops.target import Refused

NOT_DONE, MISTAKEN = 1, 2

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
UNKNOWN_CREDENTIALS = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"})


def sentence(error: Exception) -> str:
    """What AWS or its client says, in our words; names the call and the code, never what was sent."""
    match error:
        case NoCredentialsError() | PartialCredentialsError() | CredentialRetrievalError():
            return "There are no AWS credentials: give --profile, or run `aws sso login` or `aws configure`."
        case TokenRetrievalError():
            return "The AWS session has ended: run `aws sso login` again."
        case NoRegionError():
            return "No region: give --region ca-central-1, or set AWS_REGION."
        case ProfileNotFound():
            return "There is no such AWS profile: `aws configure list-profiles` lists those there are."
        case ConfigParseError():
            return "The AWS configuration file cannot be read: mend ~/.aws/config, or name another by AWS_CONFIG_FILE."
        case ConnectionError() | HTTPClientError():
            return "AWS cannot be reached: is there a network, a proxy in the way, or a mistake in --region?"
        case ClientError():
            return _of_client(error)
        case _:
            return f"AWS' client gave up: {type(error).__name__}."


def _of_client(error: ClientError) -> str:
    code, call = error.response["Error"]["Code"], error.operation_name
    if code in EXPIRED:
        return "The AWS session has ended: sign in again."
    if code in UNKNOWN_CREDENTIALS:
        return "AWS does not know these credentials: check --profile."
    if "AccessDenied" in code or code == "UnauthorizedOperation":
        return f"AWS does not let you call {call}: docs/operations.md lists the rights this tool needs."
    if "Throttl" in code or code == "TooManyRequestsException":
        return f"AWS asks for patience ({call}): try again in a minute."
    return f"AWS refused {call}: {code}."


def main() -> None:
    try:
        app(hoisted(sys.argv[1:]), prog_name="landing")
    except Refused as refusal:
        _end(str(refusal), MISTAKEN)
    except NotDone as failure:
        _end(str(failure), NOT_DONE)
    except (ClientError, BotoCoreError) as error:
        _end(sentence(error), NOT_DONE)
    except requests.RequestException:
        _end("Somebody over HTTP cannot be reached: is there a network, or a proxy in the way?", NOT_DONE)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(NOT_DONE) from None
    except Exception as error:  # noqa: BLE001 - a person at night reads a sentence, whatever it was
        _end(f"A defect of bin/landing: {type(error).__name__} at {_place(error)}. Tell the maintainers.", NOT_DONE)


def _place(error: Exception) -> str:
    """The last line of ours that it came through; its message may hold what must not be shown."""
    ours = [each for each in traceback.extract_tb(error.__traceback__) if "/ops/" in each.filename]
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "an unknown place"


def _end(said: str, code: int) -> None:
    sys.stderr.write(f"{said}\n")
    raise SystemExit(code)


main()
