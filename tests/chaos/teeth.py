"""What the walks must notice: mechanisms of the service, each to be taken out alone.

A harness that never finds anything has shown nothing. `MECHANISMS` says how each is taken out; `found` within how
many schedules somebody notices.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest

from landing.domain import connection, erasing, transitions
from landing.domain.after_post import AfterPost, after_post
from landing.domain.change import AllOf, Equals, Field, Present
from landing.domain.connection import Status
from landing.stores.drop_store import DropStore
from landing.verbs.delete_connection import Eraser
from tests.chaos.schedules import Ran, run_all
from tests.chaos.walks import Walk

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type TakeOut = Callable[[pytest.MonkeyPatch], None]


def drain(without: pytest.MonkeyPatch) -> None:
    """An erasure sweeps at once, whatever may still be under way."""
    without.setattr(Eraser, "_fetch_under_way", lambda *_: None)


def fence(without: pytest.MonkeyPatch) -> None:
    """Whoever had the claim once may write, as long as somebody fetches."""
    without.setattr(transitions, "_fenced", lambda _, *and_also: AllOf((_FETCHING, *and_also)))
    without.setattr(erasing, "_fenced_erasing", lambda _: _DELETING)


def conditional_commit(without: pytest.MonkeyPatch) -> None:
    """A drop is committed whatever the row says meanwhile."""
    commit = transitions.ready

    def unconditional(*given: Any) -> Any:
        made = commit(*given)
        return type(made)(Present(Field.CONNECTION_ID), made.sets, made.clears)

    without.setattr("landing.verbs.fetch_accounts.ready", unconditional)


def put_once(without: pytest.MonkeyPatch) -> None:
    """A PUT replaces what is there."""
    made = DropStore.__init__

    def of_a_client_that_forgets(self: Any, s3: Any, *given: Any) -> None:
        made(self, cast("S3Client", _Forgetful(s3)), *given)

    without.setattr(DropStore, "__init__", of_a_client_that_forgets)


class _Forgetful:
    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def put_object(self, *, IfNoneMatch: str, **parameters: Any) -> Any:  # noqa: N803, ARG002 - boto3's names
        return self._s3.put_object(**parameters)


def lease_margin(without: pytest.MonkeyPatch) -> None:
    """What was sent under a lease counts as landed when the lease is over, by anybody's clock."""
    for module in (connection, transitions):
        without.setattr(module, "PUTS_SETTLE", timedelta())


def reconciler(without: pytest.MonkeyPatch) -> None:
    """Nobody looks for connections that nobody came back to."""
    begin = Walk.__init__

    def with_the_schedule_off(self: Walk, *given: Any) -> None:
        begin(self, *given)
        self.service.schedule.next_due = lambda: None  # type: ignore[method-assign]  # whoever switches it on

    without.setattr(Walk, "__init__", with_the_schedule_off)


def sibling_read(without: pytest.MonkeyPatch) -> None:
    """An erasure does not ask whether somebody else has the login."""
    without.setattr(Eraser, "_others", lambda *_: iter(()))


def tombstone(without: pytest.MonkeyPatch) -> None:
    """A POST begins an erased connection anew."""

    def as_if_never_erased(*given: Any) -> AfterPost:
        what = after_post(*given)
        return AfterPost.NEXT_GENERATION if what is AfterPost.REFUSE else what

    without.setattr("landing.verbs.receive_login.after_post", as_if_never_erased)


def dedupe(without: pytest.MonkeyPatch) -> None:
    """A POST that is repeated makes another connection."""
    posted = count()
    of_this_post = lambda ref, owner: connection.connection_id(f"{ref}{next(posted)}", owner)  # noqa: E731 - its place
    without.setattr("landing.verbs.receive_login.connection_id", of_this_post)


_FETCHING = Equals(Field.STATUS, Status.FETCHING)
_DELETING = Equals(Field.STATUS, Status.DELETING)

MECHANISMS: tuple[TakeOut, ...] = (
    drain,
    fence,
    conditional_commit,
    put_once,
    lease_margin,
    reconciler,
    sibling_read,
    tombstone,
    dedupe,
)


def found(mechanism: TakeOut, seeds: range) -> Ran:
    """Run schedules without it, until one breaks a promise."""
    with without(mechanism):
        return run_all(seeds)


@contextmanager
def without(mechanism: TakeOut) -> Iterator[None]:
    """While it lasts, the service has no such mechanism."""
    with pytest.MonkeyPatch.context() as patches:
        mechanism(patches)
        yield
