"""Fetches the account data of a connection: claim, exchange, ask, drop, commit. Read this file first.

A hint says that a connection may be due. Whoever wins its claim makes one exchange and one data call at the most
and ends the claim with exactly one write: `ready`, `pending` (Flinks is still collecting), `waiting` (try later),
`action_required` or `failed`. What is not over is a delayed message, never a sleep. The table is the truth: a
message that gets lost costs time, because `resume_stalled` finds every connection whose `dueAt` has passed.
"""

import random
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from landing.deadlines import CLAIM_TAKES, TimeLeft
from landing.domain.change import Transition, meets
from landing.domain.connection import Action, Connection, Hint, Status
from landing.domain.reasons import Reason
from landing.domain.transitions import Put, claimed, gave_up, next_generation, pending, ready, taken_over, waiting
from landing.error_names import NOT_SERVED, Cause, cause_of
from landing.flinks import account_data
from landing.flinks.answer import Answer, Call
from landing.flinks.client import FlinksClient
from landing.flinks.codes import (
    ANOTHER_LOGIN,
    ANOTHER_OWNER,
    CHOICE_GONE,
    OWNER_UNPROVEN,
    Kind,
    Verdict,
    cause_in,
    what_to_do,
)
from landing.metrics import Metric
from landing.stores.connection_table import ConnectionTable, RowChanged
from landing.stores.drop_store import AnotherOrigin, DropNotPut, DropStore, Origin, PutFailure
from landing.stores.index_key import IndexKey
from landing.stores.login_seal import LoginSeal, Purpose
from landing.stores.owner_tag import Ownership, OwnerTag
from landing.stores.queues import EraseQueue, FetchQueue
from landing.verbs.fetch_steps import ROW_WITHOUT_LOGIN, WAITED_FOR_OTHERS, FetchEnding, FetchOutcome, Limits, Step


@dataclass(frozen=True)
class Fetcher:
    """What a fetch works with. `jitter` draws a number from 0 to 1."""

    table: ConnectionTable
    seal: LoginSeal
    index: IndexKey
    flinks: FlinksClient
    drops: DropStore
    queue: FetchQueue
    erase_queue: EraseQueue
    """Of `delete_connection`, which sweeps what nobody committed: no fetch may delete."""
    tags: OwnerTag
    clock: Callable[[], datetime]
    limits: Limits = Limits()  # noqa: RUF009 - it is frozen
    require_owner_tag: bool = False
    jitter: Callable[[], float] = random.random

    def fetch(self, hint: Hint) -> FetchOutcome:
        """Do what is due for `hint`, if it still is. Raises one of `NOT_SERVED` when AWS cannot serve."""
        now = self.clock()
        try:
            claim = self._claim(hint, now)
        except RowChanged as refusal:
            return self._refused(hint, refusal.row, now)
        return replace(self._work_on(Step(claim)), correlation_id=claim.correlation_id)

    def _claim(self, hint: Hint, now: datetime) -> Connection:
        lease_until = now + self.limits.lease
        try:
            return self.table.apply(hint.connection_id, claimed(hint, now, lease_until))
        except RowChanged as refusal:
            take_over = taken_over(hint, now, lease_until)
            if refusal.row is None or not meets(refusal.row, take_over.expects):
                raise
            return self.table.apply(hint.connection_id, take_over)

    def _work_on(self, step: Step) -> FetchOutcome:
        try:
            if step.claim.refetch_wanted:
                return self._hand_over(step)
            return self._go_on(step)
        except RowChanged as loss:
            return self._lost(step, loss.row)
        except NOT_SERVED as error:
            return self._give_back(step, cause_of(error))

    def _refused(self, hint: Hint, row: Connection | None, now: datetime) -> FetchOutcome:
        unfinished = (Status.PENDING, Status.WAITING, Status.FETCHING)
        if row is None or row.hint != hint or row.status not in unfinished or row.due_at is None:
            return FetchOutcome(hint, FetchEnding.STALE, is_news=False)
        self.queue.wake(row.hint, row.due_at - now)
        return FetchOutcome(hint, FetchEnding.EARLY, is_news=False)

    def _lost(self, step: Step, row: Connection | None) -> FetchOutcome:
        if row is not None and row.hint == step.claim.hint and row.refetch_wanted:
            with suppress(RowChanged):  # an erase came between
                return self._hand_over(step)
        return FetchOutcome(step.claim.hint, FetchEnding.SUPERSEDED)

    def _hand_over(self, step: Step) -> FetchOutcome:
        self._write(step.claim, next_generation(step.claim, self.clock(), put=step.sent.put))
        return FetchOutcome(step.claim.hint, FetchEnding.NEXT_GENERATION)

    def _give_back(self, step: Step, cause: Cause) -> FetchOutcome:
        """AWS did not serve in the middle of a claim: let someone try later. If the table is what ails, it raises."""
        try:
            counting = Step(step.claim, metrics=(Metric.FETCH_ERROR,), sent=step.sent)
            return self._wait(counting, Reason.SERVICE_UNAVAILABLE, cause)
        except RowChanged:
            return FetchOutcome(step.claim.hint, FetchEnding.SUPERSEDED)

    # --- exchange, ask, drop

    def _go_on(self, step: Step) -> FetchOutcome:
        claim = step.claim
        if claim.sealed_request is not None:
            request_id = self.seal.open(claim.sealed_request, claim.connection_id, Purpose.REQUEST)
            return self._ask(replace(step, request_id=request_id), session_is_new=False)
        return self._exchange(step)

    def _exchange(self, step: Step) -> FetchOutcome:
        claim = step.claim
        login_id = self._login_of(step)
        if login_id is None:
            return self._end(step, Status.FAILED, Reason.LOGIN_MISSING, Action.CONTACT_SUPPORT, ROW_WITHOUT_LOGIN)
        answer = self.flinks.exchange(login_id, self._may_ask_again(claim))
        verdict = what_to_do(answer)
        step = step.noting(verdict.metric)
        if verdict.kind is not Kind.CONTINUE or answer.request_id is None:
            return self._otherwise(step, verdict, answer)
        claim = replace(claim, sessions=claim.sessions + 1, flinks_home=claim.flinks_home or self.flinks.home)
        step = replace(step, claim=claim, login_id=login_id, request_id=answer.request_id)
        if answer.login_id not in (None, login_id):
            return self._otherwise(step, ANOTHER_LOGIN, answer)
        ownership = self._ownership(claim, answer.tag)
        if ownership is Ownership.FOREIGN:
            return self._otherwise(step, ANOTHER_OWNER, answer)
        step = replace(step, claim=replace(claim, owner_proven=ownership is Ownership.OURS))
        return self._ask(step, session_is_new=True)

    def _ask(self, step: Step, *, session_is_new: bool) -> FetchOutcome:
        claim, request_id = step.claim, step.request_id
        assert request_id is not None  # noqa: S101 - both callers have just set it
        if claim.poll_until is not None and not session_is_new:
            answer = self.flinks.accounts_detail_async(request_id, self._may_ask_again(claim))
        else:
            answer = self.flinks.accounts_detail(
                request_id, claim.account_ids, self._may_ask_again(claim), claim.days_of_transactions
            )
        with closing(answer):
            verdict = what_to_do(answer)
            step = step.noting(verdict.metric)
            if verdict.kind is Kind.PENDING:
                return self._pending(step, answer)
            if verdict.kind is Kind.STOP and claim.account_ids:
                return self._otherwise(step, CHOICE_GONE, answer)
            if verdict.kind is not Kind.READY:
                return self._otherwise(step, verdict, answer)
            return self._keep(step, answer)

    def _keep(self, step: Step, answer: Answer) -> FetchOutcome:
        claim = step.claim
        ownership = self._ownership(claim, answer.tag)
        if ownership is Ownership.FOREIGN:
            return self._otherwise(step, ANOTHER_OWNER, answer)
        if ownership is Ownership.NONE and self.require_owner_tag:
            return self._otherwise(step, OWNER_UNPROVEN, answer)
        login_id = self._login_of(step)
        if login_id is None:
            return self._end(step, Status.FAILED, Reason.LOGIN_MISSING, Action.CONTACT_SUPPORT, ROW_WITHOUT_LOGIN)
        about = account_data.About(
            claim.connection_id, claim.generation, claim.owner, claim.institution, fetched_at=self.clock()
        )
        try:
            packed = account_data.read(answer.data, login_id, about)
        except account_data.AnotherLogin:
            return self._otherwise(step, ANOTHER_LOGIN, answer)
        except account_data.Incomplete:
            return self._wait(step, Reason.ACCOUNT_DATA_INCOMPLETE, cause_in(answer))
        if claim.account_ids and packed.accounts == 0:
            return self._otherwise(step, CHOICE_GONE, answer)
        choice = self.index.choice_mark(claim.connection_id, claim.account_ids)
        origin = Origin(claim.received_at, choice, claim.days_of_transactions)
        try:
            drop = self.drops.put_once(claim.connection_id, claim.generation, packed, origin)
        except DropNotPut as failure:
            step.sent.put = _PUT[failure.failure]
            return self._wait(step.noting(Metric.FETCH_ERROR), Reason.DROP_NOT_STORED, failure.cause)
        except AnotherOrigin:
            step.sent.put = Put.LANDED
            return self._hand_over(step)
        step.sent.put = Put.LANDED
        claim = replace(claim, owner_proven=ownership is Ownership.OURS)
        self._write(claim, ready(claim, self.clock(), drop))
        return FetchOutcome(claim.hint, FetchEnding.READY, metrics=step.metrics)

    def _may_ask_again(self, claim: Connection) -> Callable[[], bool]:
        return lambda: self.clock() - claim.updated_at <= self.limits.call_again_within

    def _login_of(self, step: Step) -> str | None:
        """The loginId, opened once in a claim; None when the row lost it."""
        sealed = step.claim.sealed_login
        if step.login_id is not None or sealed is None:
            return step.login_id
        return self.seal.open(sealed, step.claim.connection_id, Purpose.LOGIN)

    # --- whose login is it?

    def _ownership(self, claim: Connection, tag: str | None) -> Ownership:
        """What `tag` says of the owner. Once proven, it stays proven: later tags are of joint holders."""
        if claim.owner_proven or claim.owner is None:
            return Ownership.OURS
        return self.tags.verify(tag, claim.owner)

    # --- the ways out of a claim

    def _otherwise(self, step: Step, verdict: Verdict, answer: Answer) -> FetchOutcome:
        cause = cause_in(answer)
        match verdict.kind:
            case Kind.RECONNECT:
                return self._end(step, Status.ACTION_REQUIRED, verdict.reason, verdict.action, cause)
            case Kind.STOP:
                return self._end(step, Status.FAILED, verdict.reason, verdict.action, cause)
            case Kind.QUARANTINE:
                step = step.noting(verdict.metric)
                return self._end(step, Status.FAILED, verdict.reason, verdict.action, cause)
            case Kind.REAUTHORIZE:
                return self._reauthorize(step, verdict, answer)
            case Kind.OUR_CREDENTIALS:
                return self._wait(replace(step, claim=self._begun_anew(step.claim)), verdict.reason, cause)
            case _:
                return self._wait(step, verdict.reason, cause, not_before=answer.retry_after)

    def _reauthorize(self, step: Step, verdict: Verdict, answer: Answer) -> FetchOutcome:
        """Open another session, as often as is left of them.

        One that was only kept through waiting for something else is not the connection's to pay for. One that Flinks
        refuses to open may be the fault of a key of ours that was rotated (flinks.md §10.2): more tries are due then.
        """
        claim, refused = step.claim, answer.call is Call.AUTHORIZE
        waited = claim.sealed_request is not None and claim.reason in WAITED_FOR_OTHERS
        sessions, refusals = claim.sessions - waited, (claim.refusals or 0) + refused
        if (refusals >= self.limits.refusals) if refused else (sessions >= self.limits.sessions):
            return self._end(step, Status.FAILED, verdict.reason, Action.CONTACT_SUPPORT, cause_in(answer))
        self.flinks.refresh_credentials()
        claim = replace(claim, sealed_request=None, sessions=sessions, refusals=refusals)
        return self._wait(replace(step, request_id=None, claim=claim), verdict.reason, cause_in(answer))

    def _pending(self, step: Step, answer: Answer) -> FetchOutcome:
        claim, now, cause = step.claim, self.clock(), cause_in(answer)
        if now >= (claim.poll_until or self._last_try(claim)):
            return self._end(step, Status.FAILED, Reason.TIMED_OUT, Action.CONTACT_SUPPORT, cause)
        delay, poll_until = self.limits.poll_every, claim.poll_until
        went_on = claim.sealed_request is not None and claim.reason is None
        if answer.fault is None:
            poll_until, ill = poll_until or now + self.limits.poll_for, None
        else:  # a data call that timed out: Flinks may be at it, or may be ill
            ill = cause
            delay = min(max(delay, self.limits.backoff.delay(claim.retries, self.jitter)), self.limits.session_idles)
            claim = replace(claim, retries=claim.retries + 1)
        row = self._write(
            claim,
            pending(
                claim,
                now,
                now + delay,
                sealed_request=self._sealed_request(step),
                poll_until=poll_until,
                cause=ill.text if ill else None,
            ),
        )
        self.queue.wake(row.hint, delay)
        is_news = ill is not None or claim.cause is not None or not went_on
        return FetchOutcome(claim.hint, FetchEnding.PENDING, metrics=step.metrics, cause=ill, is_news=is_news)

    def _wait(
        self,
        step: Step,
        reason: Reason,
        cause: Cause,
        *,
        not_before: float | None = None,
    ) -> FetchOutcome:
        claim, now = step.claim, self.clock()
        if now >= self._last_try(claim):
            return self._end(step, Status.FAILED, reason, Action.CONTACT_SUPPORT, cause)
        delay = self.limits.backoff.delay(claim.retries, self.jitter, not_before)
        sealed_request, idle = self._sealed_request(step), self.limits.session_idles
        if sealed_request is not None and timedelta(seconds=not_before or 0) > idle:
            # Flinks will have ended the session before it wants to be asked again: no fault of this connection.
            sealed_request, claim = None, replace(claim, sessions=max(claim.sessions - 1, 0))
        elif sealed_request is not None:
            delay = min(delay, idle)
        row = self._write(
            claim,
            waiting(
                claim,
                now,
                now + delay,
                reason=reason,
                cause=cause.text,
                sealed_request=sealed_request,
                put=step.sent.put,
            ),
        )
        self.queue.wake(row.hint, delay)
        return FetchOutcome(claim.hint, FetchEnding.WAITING, reason, step.metrics, cause=cause)

    def _begun_anew(self, claim: Connection) -> Connection:
        """`claim` with all its time before it: no connection pays with its budget for a fault of ours."""
        now = self.clock()
        return replace(claim, started_at=now, poll_until=claim.poll_until and now + self.limits.poll_for)

    def _last_try(self, claim: Connection) -> datetime:
        return (claim.started_at or claim.received_at) + self.limits.retry_for

    def _end(self, step: Step, status: Status, reason: Reason, action: Action, cause: Cause) -> FetchOutcome:
        ended = gave_up(
            step.claim, self.clock(), status, reason=reason, cause=cause.text, action=action, put=step.sent.put
        )
        self._write(step.claim, ended)
        return FetchOutcome(step.claim.hint, FetchEnding(status.value), reason, step.metrics, cause=cause)

    def _write(self, claim: Connection, transition: Transition) -> Connection:
        """The one write that ends a claim. Raises RowChanged when the claim was lost."""
        row = self.table.apply(claim.connection_id, transition)
        if row.uncommitted:
            self.erase_queue.wake(row.hint, (row.sweepable_at or self.clock()) - self.clock())
        return row

    def _sealed_request(self, step: Step) -> bytes | None:
        """The open session, to be kept; None when there is none. A claim that began with one never opens another."""
        claim = step.claim
        if claim.sealed_request is not None or step.request_id is None:
            return claim.sealed_request
        return self.seal.seal(step.request_id, claim.connection_id, Purpose.REQUEST)


_PUT = {PutFailure.REFUSED: Put.NONE, PutFailure.UNANSWERED: Put.UNANSWERED, PutFailure.THERE: Put.LANDED}


def fetch_all(
    hints: Iterable[Hint], fetcher: Fetcher, *, threads: int, time_left: TimeLeft
) -> list[FetchOutcome | Exception]:
    """Work on all hints at once, as far as threads and time go; one slow connection holds up no other.

    Gives the outcomes in the order of the hints; where AWS did not serve, the exception in its place.
    """

    def one(hint: Hint) -> FetchOutcome:
        if time_left() < CLAIM_TAKES:
            fetcher.queue.send(hint)
            return FetchOutcome(hint, FetchEnding.HANDED_ON, is_news=False)
        return fetcher.fetch(hint)

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(one, hint) for hint in hints]
        return [_outcome(work) for work in running]


def _outcome(work: Future[FetchOutcome]) -> FetchOutcome | Exception:
    try:
        return work.result()
    except Exception as error:  # noqa: BLE001 - the handler logs it and reports this one record as failed
        return error
