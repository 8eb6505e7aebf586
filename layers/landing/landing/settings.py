"""What each collaborator reads from the environment; a missing variable is a named error at first use."""

import os
from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, StringConstraints

type Text = Annotated[str, StringConstraints(min_length=1)]


class Settings(BaseModel):
    """Fields are environment variables in lower case. An error names the variable and never shows a value."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, hide_input_in_errors=True)

    @classmethod
    def from_environment(cls) -> Self:
        return cls.model_validate(os.environ)


class TableSettings(Settings):
    connections_table: Text


class SealSettings(Settings):
    """A function that may not use one of the keys is not told its name either."""

    login_key_arn: str = ""
    index_key_arn: str = ""


class DropSettings(Settings):
    drop_bucket: Text
    data_key_arn: Text


class FetchQueueSettings(Settings):
    fetch_queue_url: Text


class FlinksSettings(Settings):
    flinks_api_url: Text
    flinks_customer_id: Text
    flinks_secret_key_arn: str = ""
    flinks_api_key_arn: str = ""


class FetchSettings(Settings):
    """Times in seconds; `fetch_threads` is how many connections one invocation works on at once."""

    poll_seconds: int = 10
    lease_seconds: int = 150
    fetch_threads: int = 32
    require_owner_tag: bool = False

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)

    @property
    def poll_every(self) -> timedelta:
        return timedelta(seconds=self.poll_seconds)


class ResumeSettings(Settings):
    """How many connections one run of `resume_stalled` may wake."""

    resume_at_most: int = 1000
