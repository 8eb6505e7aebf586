"""What each collaborator reads from the environment; a missing variable is a named error at first use."""

import os
from datetime import timedelta
from functools import cache
from typing import Annotated, Self

import msgspec

from landing.domain.connection import DaysOfTransactions
from landing.error_names import Defect

type Text = Annotated[str, msgspec.Meta(min_length=1)]


class WrongSettings(Defect):
    """Names the variables that are missing or wrong, and shows no value."""


class Settings(msgspec.Struct, frozen=True, rename=str.upper):
    """Fields are environment variables in lower case. What has a default may be left out; nothing else may."""

    @classmethod
    def from_environment(cls) -> Self:
        """Raises WrongSettings."""
        values, wrong = {}, []
        for each in _members(cls):
            try:
                values[each.name] = msgspec.convert(os.environ[each.encode_name], each.type, strict=False)
            except KeyError:
                wrong += [each.encode_name] * each.required
            except msgspec.ValidationError:
                wrong.append(each.encode_name)
        if wrong:
            raise WrongSettings(", ".join(sorted(wrong)))
        return cls(**values)


@cache
def _members(kind: type[Settings]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Msgspec works its annotations out anew each time."""
    return msgspec.structs.fields(kind)


class CallerSettings(Settings, frozen=True):
    """`owner_claim`: which claim of the access token names the app user."""

    owner_claim: Text = "sub"


class TableSettings(Settings, frozen=True):
    connections_table: Text


class LoginKeySettings(Settings, frozen=True):
    login_key_arn: Text


class IndexKeySettings(Settings, frozen=True):
    index_key_arn: Text


class DropSettings(Settings, frozen=True):
    drop_bucket: Text
    data_key_arn: Text


class FetchQueueSettings(Settings, frozen=True):
    fetch_queue_url: Text


class EraseQueueSettings(Settings, frozen=True):
    erase_queue_url: Text


class MintSettings(Settings, frozen=True):
    """For who only mints authorize tokens."""

    flinks_api_url: Text
    flinks_customer_id: Text
    flinks_secret_key_arn: Text


class FlinksSettings(MintSettings, frozen=True):
    flinks_api_key_arn: Text


class HistorySettings(Settings, frozen=True):
    """How much history is collected and asked for, where nobody chose."""

    days_of_transactions: DaysOfTransactions = DaysOfTransactions.DAYS_90


class ConnectSettings(HistorySettings, frozen=True, kw_only=True):
    """`connect_redirect_url`: the landing page, where Connect shall go there. `flinks_demo`: show Flinks Capital."""

    flinks_connect_url: Text
    flinks_demo: bool = False
    connect_redirect_url: str = ""


class SessionSettings(Settings, frozen=True):
    """`sessions_per_hour`: how many Connect sessions one owner may ask for."""

    sessions_table: Text
    sessions_per_hour: int = 20


class FetchLimitSettings(Settings, frozen=True):
    """How often POSTs may make Flinks be asked within an hour: for one owner, and for one connection."""

    sessions_table: Text
    fetches_per_hour: int = 30
    fetches_per_connection: int = 10


class FetchSettings(Settings, frozen=True):
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


class AnnounceSettings(Settings, frozen=True):
    """Announcements name the bucket."""

    event_bus_name: Text
    drop_bucket: Text


class StreamFailuresSettings(Settings, frozen=True):
    """For who fetches what the stream says: the queue of records that nobody can read."""

    stream_failures_url: Text


class RefusedAnnouncementsSettings(Settings, frozen=True):
    """For who listens to the stream: the queue of what no bus will take."""

    announcement_failures_url: Text


class ResumeSettings(Settings, frozen=True):
    """How many connections one run of `resume_stalled` may wake."""

    resume_at_most: int = 1000


class EraseSettings(Settings, frozen=True):
    """How long what is erased may still be in a backup; `erase_threads`: connections at once in one invocation.

    `pitr_days`: how far back the table can be restored, and so long AWS Backup keeps a copy, if any.
    `days_to_remove_copies`: how long it may take to remove one that has expired; 0 where there are none.
    """

    pitr_days: int
    days_to_remove_copies: int
    lease_seconds: int = 330
    erase_threads: int = 8

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)

    @property
    def backups_for(self) -> timedelta:
        return timedelta(days=self.pitr_days + self.days_to_remove_copies)
