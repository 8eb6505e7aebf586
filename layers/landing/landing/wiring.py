"""Builds each real collaborator once, on first use; imports are most of a cold start, so they wait till then too.

A function names in `in_init` what each of its calls needs: Lambda gives the processor of a whole machine before the
first call, and a person waits for whatever is left to it. Nothing that is made there is unique or secret, and no
connection is opened, so a snapshot of it may be resumed many times.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError

from landing import aws_clients, deadlines, settings
from landing.domain import connection
from landing.error_names import Defect, naming_its_call

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient

    from landing.flinks.client import FlinksClient, TokenMint
    from landing.stores.bus import Bus
    from landing.stores.connection_table import ConnectionTable
    from landing.stores.drop_store import DropStore
    from landing.stores.hourly_count import FetchCount, HourlyCount
    from landing.stores.index_key import IndexKey
    from landing.stores.login_seal import LoginSeal
    from landing.stores.owner_tag import OwnerTag
    from landing.stores.queues import EraseQueue, FetchQueue, PutAside
    from landing.verbs.create_connect_session import ConnectPage
    from landing.verbs.delete_connection import Eraser
    from landing.verbs.fetch_accounts import Fetcher
    from landing.verbs.import_logins import Importer
    from landing.verbs.publish_events import Announcer
    from landing.verbs.refetch_connections import Refetcher
    from landing.verbs.resume_stalled import Resumer

clock = connection.utc_now


def _client(service: str, calls: deadlines.AwsCalls | None = None) -> Any:
    """A client that begins no call which might outlive the invocation.

    No thread waits for a connection: each has one of its own to every service.
    """
    calls = calls or deadlines.USUAL
    config = Config(
        connect_timeout=calls.connect,
        read_timeout=calls.read,
        retries={"mode": "standard", "total_max_attempts": calls.attempts},
        max_pool_connections=max(10, fetch_threads()),
        tcp_keepalive=True,
    )
    client = aws_clients.client(service, config)
    client._make_api_call = naming_its_call(service, client._make_api_call)  # noqa: SLF001 - where every method ends
    client.meta.events.register("before-call", lambda **_: deadlines.INVOCATION.check(calls))
    return client


def in_init(*collaborators: Callable[[], object]) -> None:
    """Build these now, on Lambda. What fails is left to the first call, which can say so."""
    if "AWS_LAMBDA_INITIALIZATION_TYPE" not in os.environ:
        return
    for build in collaborators:
        with suppress(Defect, ValueError, BotoCoreError):
            build()


@cache
def connection_table() -> "ConnectionTable":
    from landing.stores.connection_table import ConnectionTable

    table = settings.TableSettings.from_environment().connections_table
    return ConnectionTable(_dynamodb(), table)


@cache
def _dynamodb() -> "DynamoDBClient":
    dynamodb: DynamoDBClient = _client("dynamodb")
    return dynamodb


@cache
def _kms() -> "KMSClient":
    kms: KMSClient = _client("kms")
    return kms


@cache
def login_seal() -> "LoginSeal":
    from landing.stores.login_seal import LoginSeal

    return LoginSeal(_kms(), settings.LoginKeySettings.from_environment().login_key_arn)


@cache
def index_key() -> "IndexKey":
    from landing.stores.index_key import IndexKey

    return IndexKey(_kms(), settings.IndexKeySettings.from_environment().index_key_arn)


@cache
def owner_tag() -> "OwnerTag":
    from landing.stores.owner_tag import OwnerTag

    return OwnerTag(index_key().owner_mac, settings.IndexKeySettings.from_environment().index_key_arn)


@cache
def drop_store() -> "DropStore":
    from landing.stores.drop_store import DropStore

    drops = settings.DropSettings.from_environment()
    return DropStore(_client("s3", deadlines.PUT), drops.drop_bucket, drops.data_key_arn)


@cache
def fetch_queue() -> "FetchQueue":
    from landing.stores.queues import FetchQueue

    queue = settings.FetchQueueSettings.from_environment()
    return FetchQueue(_client("sqs"), queue.fetch_queue_url)


@cache
def token_mint() -> "TokenMint":
    from landing.flinks.answer import Call
    from landing.flinks.client import TokenMint
    from landing.stores.flinks_keys import SessionKey

    at = settings.MintSettings.from_environment()
    key = SessionKey(_client("secretsmanager"), at.flinks_secret_key_arn)
    return TokenMint(
        at.flinks_api_url,
        at.flinks_customer_id,
        key,
        within={Call.GENERATE_AUTHORIZE_TOKEN: deadlines.MINT_FOR_A_PERSON},
        seconds=partial(deadlines.INVOCATION.of_flinks, after=deadlines.USUAL.longest),
    )


@cache
def flinks() -> "FlinksClient":
    from landing.flinks.client import FlinksClient
    from landing.stores.flinks_keys import FlinksKeys

    at = settings.FlinksSettings.from_environment()
    secrets = _client("secretsmanager")
    keys = FlinksKeys(secrets, at.flinks_secret_key_arn, at.flinks_api_key_arn)
    days = settings.HistorySettings.from_environment().days_of_transactions
    return FlinksClient(
        at.flinks_api_url,
        at.flinks_customer_id,
        keys,
        days_of_transactions=days,
        seconds=deadlines.INVOCATION.of_flinks,
        connections=fetch_threads(),
    )


@cache
def connect_page() -> "ConnectPage":
    from landing.verbs.create_connect_session import ConnectPage

    connect = settings.ConnectSettings.from_environment()
    return ConnectPage(
        connect.flinks_connect_url,
        demo=connect.flinks_demo,
        redirect_url=connect.connect_redirect_url,
        days_of_transactions=connect.days_of_transactions,
    )


@cache
def owner_claim() -> str:
    return settings.CallerSettings.from_environment().owner_claim


@cache
def session_count() -> "HourlyCount":
    from landing.stores.hourly_count import HourlyCount

    limit = settings.SessionSettings.from_environment()
    return HourlyCount(_dynamodb(), limit.sessions_table, "sessions", limit.sessions_per_hour)


@cache
def fetch_count() -> "FetchCount":
    from landing.stores.hourly_count import FetchCount, HourlyCount

    limit = settings.FetchLimitSettings.from_environment()
    dynamodb, table = _dynamodb(), limit.sessions_table
    return FetchCount(
        of_connection=HourlyCount(dynamodb, table, "fetches of a connection", limit.fetches_per_connection),
        of_owner=HourlyCount(dynamodb, table, "fetches of an owner", limit.fetches_per_hour),
    )


@cache
def fetcher() -> "Fetcher":
    from landing.verbs.fetch_accounts import Fetcher
    from landing.verbs.fetch_steps import Limits

    numbers = settings.FetchSettings.from_environment()
    return Fetcher(
        table=connection_table(),
        seal=login_seal(),
        index=index_key(),
        flinks=flinks(),
        drops=drop_store(),
        queue=fetch_queue(),
        erase_queue=erase_queue(),
        tags=owner_tag(),
        clock=clock,
        limits=Limits(lease=numbers.lease, poll_every=numbers.poll_every),
        require_owner_tag=numbers.require_owner_tag,
    )


@cache
def bus() -> "Bus":
    from landing.stores.bus import Bus

    return Bus(_client("events"), settings.AnnounceSettings.from_environment().event_bus_name)


@cache
def refused_announcements() -> "PutAside":
    from landing.stores.queues import PutAside

    queue = settings.RefusedAnnouncementsSettings.from_environment()
    return PutAside(_client("sqs"), queue.announcement_failures_url)


@cache
def stream_failures() -> "PutAside":
    from landing.stores.queues import PutAside

    return PutAside(_client("sqs"), settings.StreamFailuresSettings.from_environment().stream_failures_url)


@cache
def announcer() -> "Announcer":
    from landing.verbs.publish_events import Announcer

    bucket = settings.AnnounceSettings.from_environment().drop_bucket
    return Announcer(connection_table(), bus(), refused_announcements(), bucket)


@cache
def refetcher() -> "Refetcher":
    from landing.verbs.refetch_connections import Refetcher

    return Refetcher(connection_table(), bus(), settings.AnnounceSettings.from_environment().drop_bucket, clock)


@cache
def importer() -> "Importer":
    from landing.verbs.import_logins import Importer

    return Importer(connection_table(), login_seal(), index_key(), clock)


@cache
def resumer() -> "Resumer":
    from landing.verbs.resume_stalled import Resumer

    at_most = settings.ResumeSettings.from_environment().resume_at_most
    return Resumer(connection_table(), fetch_queue(), erase_queue(), announcer(), clock, at_most)


@cache
def erase_queue() -> "EraseQueue":
    from landing.stores.queues import EraseQueue

    queue = settings.EraseQueueSettings.from_environment()
    return EraseQueue(_client("sqs"), queue.erase_queue_url)


@cache
def eraser() -> "Eraser":
    from landing.stores.drop_store import DropStore
    from landing.verbs.delete_connection import Eraser, Limits

    numbers = settings.EraseSettings.from_environment()
    drops = settings.DropSettings.from_environment()
    return Eraser(
        table=connection_table(),
        seal=login_seal(),
        index=index_key(),
        flinks=flinks(),
        drops=DropStore(_client("s3", deadlines.SWEEP), drops.drop_bucket, drops.data_key_arn),
        queue=erase_queue(),
        clock=clock,
        limits=Limits(lease=numbers.lease, backups_for=numbers.backups_for),
    )


def erase_threads() -> int:
    return settings.EraseSettings.from_environment().erase_threads


def fetch_threads() -> int:
    return settings.FetchSettings.from_environment().fetch_threads


def reset() -> None:
    """Forget every collaborator, as a new execution environment would."""
    aws = (
        owner_claim,
        _dynamodb,
        connection_table,
        session_count,
        fetch_count,
        _kms,
        login_seal,
        index_key,
        owner_tag,
        drop_store,
    )
    queues = (fetch_queue, erase_queue, stream_failures, refused_announcements)
    verbs = (fetcher, eraser, announcer, refetcher, importer, resumer)
    for collaborator in (*aws, *queues, token_mint, flinks, connect_page, bus, *verbs):
        collaborator.cache_clear()
    aws_clients.reset()
