"""What each collaborator reads from the environment; a missing variable is a named error at first use."""

import os
from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from landing.domain.connection import DaysOfTransactions
from landing.error_names import Defect

type Text = Annotated[str, StringConstraints(min_length=1)]


class WrongSettings(Defect):
    """Names the variables that are missing or wrong, and shows no value."""


class Settings(BaseModel):
    """Fields are environment variables in lower case. What has a default may be left out; nothing else may."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, hide_input_in_errors=True, defer_build=True)

    @classmethod
    def from_environment(cls) -> Self:
        """Raises WrongSettings."""
        try:
            return cls.model_validate(os.environ)
        except ValidationError as error:
            wrong = ", ".join(sorted({str(each["loc"][0]) for each in error.errors(include_input=False)}))
        raise WrongSettings(wrong)


class TableSettings(Settings):
    connections_table: Text


class LoginKeySettings(Settings):
    login_key_arn: Text


class IndexKeySettings(Settings):
    index_key_arn: Text


class DropSettings(Settings):
    drop_bucket: Text
    data_key_arn: Text


class FetchQueueSettings(Settings):
    fetch_queue_url: Text


class EraseQueueSettings(Settings):
    erase_queue_url: Text


class MintSettings(Settings):
    """For who only mints authorize tokens."""

    flinks_api_url: Text
    flinks_customer_id: Text
    flinks_secret_key_arn: Text


class FlinksSettings(MintSettings):
    flinks_api_key_arn: Text


class HistorySettings(Settings):
    """How much history is collected and asked for, where nobody chose."""

    days_of_transactions: DaysOfTransactions = DaysOfTransactions.DAYS_90


class ConnectSettings(HistorySettings):
    """`connect_redirect_url`: the landing page, where Connect shall go there. `flinks_demo`: show Flinks Capital."""

    flinks_connect_url: Text
    flinks_demo: bool = False
    connect_redirect_url: str = ""


class SessionSettings(Settings):
    """`sessions_per_hour`: how many Connect sessions one owner may ask for."""

    sessions_table: Text
    sessions_per_hour: int = 20


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


class AnnounceSettings(Settings):
    """Announcements name the bucket."""

    event_bus_name: Text
    drop_bucket: Text


class StreamFailuresSettings(Settings):
    """For who fetches what the stream says: the queue of records that nobody can read."""

    stream_failures_url: Text


class RefusedAnnouncementsSettings(Settings):
    """For who listens to the stream: the queue of what no bus will take."""

    announcement_failures_url: Text


class ResumeSettings(Settings):
    """How many connections one run of `resume_stalled` may wake."""

    resume_at_most: int = 1000


class EraseSettings(Settings):
    """`pitr_days`: how far back the table can be restored. `erase_threads`: connections at once in one invocation."""

    lease_seconds: int = 330
    pitr_days: int
    erase_threads: int = 8

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)

    @property
    def backups_for(self) -> timedelta:
        return timedelta(days=self.pitr_days)
