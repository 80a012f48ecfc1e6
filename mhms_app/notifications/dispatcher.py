"""Delivering the outbox: claim a message, send it outside of any transaction, write down what became of it.

Any number of workers may do this at once. A message is claimed by compare-and-swap just before it is sent;
a claim that outlives ``rules.CLAIM`` belongs to a worker that died, and the message is taken again. Whether
the dead worker had sent it nobody knows: the idempotency key lets the Lambda send it once all the same.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Executable, Integer, bindparam, case, func, inspect, literal, select, update
from sqlmodel import col

from mhms_app import db, metrics, pulse, spans
from mhms_app.notifications import rules
from mhms_app.notifications.models import UNFINISHED, Delivery, OutboxMessage
from mhms_app.notifications.rules import Outcome, Verdict
from mhms_app.notifications.senders import LambdaSender, Sender
from mhms_app.notifications.service import BLANK, FORGOTTEN, Message, OutboxChanged

LANES = 4  # messages under way at once in one process; a slow recipient holds up one of them
POLL = 10.0  # seconds after which the outbox is looked at even if nobody in this process wrote to it
SOON = 1.0  # seconds after which it is looked at again while messages are under way: one may have to be tried again
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between two looks at a database that is down

log = logging.getLogger(__name__)
T = TypeVar("T")

# Put together once: every message needs both this and ``_settling``.
_DUE = (
    select(col(OutboxMessage.id))
    .where(UNFINISHED, col(OutboxMessage.next_attempt_at) <= bindparam("now"))
    .order_by(col(OutboxMessage.next_attempt_at))
    .limit(bindparam("most", type_=Integer()))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_TAKE = (
    update(OutboxMessage)
    .where(col(OutboxMessage.id).in_(select(_DUE.c.id)))
    .values(state=Delivery.SENDING.value, attempts=col(OutboxMessage.attempts) + 1, next_attempt_at=bindparam("until"))
    .returning(
        col(OutboxMessage.id),
        col(OutboxMessage.attempts),
        col(OutboxMessage.traceparent),
        col(OutboxMessage.kind),
        col(OutboxMessage.recipient_email),
        col(OutboxMessage.recipient_name),
        col(OutboxMessage.payload),
        col(OutboxMessage.idempotency_key),
    )
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One message that this worker may send until ``until``; ``traceparent`` as in ``OutboxMessage``."""

    id: int
    attempts: int
    until: datetime
    traceparent: str | None
    message: Message


def claim_due(*, limit: int) -> list[Claim]:
    """Take up to ``limit`` messages that are due, in one statement.

    ``SKIP LOCKED`` lets several workers on PostgreSQL take different rows; SQLite, which ignores it, lets one
    writer in at a time (``BEGIN IMMEDIATE``).
    """
    now = db.clock.now()
    until = now + rules.CLAIM
    with db.at_once() as connection:
        taken = connection.execute(_TAKE, {"now": now, "until": until, "most": limit}).all()
    return [Claim(id_, attempts, until, traced, Message(*fields)) for id_, attempts, traced, *fields in taken]


def deliver(sender: Sender, claim: Claim) -> None:
    """Send a claimed message and write down what became of it. Raises nothing but what the database raises."""
    promised = {"traceparent": claim.traceparent} if claim.traceparent else None
    with spans.span(f"deliver {claim.message.kind}", parent=promised):
        _deliver(sender, claim)


def _deliver(sender: Sender, claim: Claim) -> None:
    try:
        outcome = sender.send(claim.message)
    except Exception as error:  # one message that cannot be sent must not stop the others
        outcome = Outcome(Verdict.RETRY, type(error).__name__)
    verdict = rules.after(outcome, attempts=claim.attempts)
    owned = _settle(claim, verdict, outcome.error)
    metrics.DELIVERIES.labels(verdict.value).inc()
    log.log(
        logging.INFO if verdict is Verdict.SENT else logging.WARNING,
        "message %d (%s), attempt %d: %s%s%s",
        claim.id,
        claim.message.kind,
        claim.attempts,
        verdict.value,
        f", {outcome.error}" if outcome.error else "",
        "" if owned else "; meanwhile taken over by another worker",
    )


def dispatch_due(sender: Sender, *, limit: int = 50) -> int:
    """Deliver up to ``limit`` messages that are due, one after the other; returns how many were taken."""
    for done in range(limit):
        claims = claim_due(limit=1)
        if not claims:
            return done
        deliver(sender, claims[0])
    return limit


def next_due() -> datetime | None:
    """Say when the next unsent message is due, or the next claim ends; None when nothing is unsent."""
    with db.transaction(read_only=True) as session:
        found: datetime | None = session.execute(
            select(func.min(OutboxMessage.next_attempt_at)).where(UNFINISHED)
        ).scalar()
    return found


class Dispatcher:
    """Delivers messages for as long as its task runs; woken by commits of this process, and by time."""

    def __init__(self, sender: Sender | None = None, *, lanes: int = LANES) -> None:
        self._sender = sender or LambdaSender()
        self._lanes = lanes
        self._under_way: set[asyncio.Future[None]] = set()
        self._wake = asyncio.Event()
        self._took_all = False  # nothing that is due waits for a lane
        self._stopping = False

    async def run(self) -> None:
        """Deliver until cancelled; then finish what is under way and take nothing more."""
        work = asyncio.ensure_future(self._work())
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self._stopping = True
            self._wake.set()
            await work
            raise

    async def _work(self) -> None:
        pause = FIRST_PAUSE
        # Threads of its own: mail that hangs must not use up those that serve people.
        with ThreadPoolExecutor(self._lanes + 1, thread_name_prefix="mail") as pool, self._listening():
            while not self._stopping:
                try:
                    due_in = await self._fill_lanes(pool)
                    pulse.beat("mail")
                    await self._wait(due_in)
                    pause = FIRST_PAUSE
                except Exception as error:  # an outage, most likely; mail must not stop for good
                    log.warning("the outbox cannot be reached (%s); next try in %.0f s", type(error).__name__, pause)
                    await self._wait(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
            if self._under_way:
                await asyncio.wait(self._under_way)

    async def _fill_lanes(self, pool: ThreadPoolExecutor) -> float | None:
        """Send what is due as far as lanes are free; returns the seconds until the next look, None if no lane is."""
        self._wake.clear()  # before looking: whatever is committed from here on wakes us again
        self._took_all = False
        free = self._lanes - len(self._under_way)
        claims = await _in_thread(pool, lambda: claim_due(limit=free)) if free else []
        for claim in claims:
            self._start(pool, claim)
        self._took_all = len(claims) < free
        if not self._took_all:
            return None
        if self._under_way:
            return SOON
        due = await _in_thread(pool, next_due)
        return POLL if due is None else min(POLL, max(0.1, (due - db.clock.now()).total_seconds()))

    async def _wait(self, seconds: float | None) -> None:
        """Wait until a message was written or sent, but at most so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    def _start(self, pool: ThreadPoolExecutor, claim: Claim) -> None:
        future = asyncio.get_running_loop().run_in_executor(pool, deliver, self._sender, claim)
        self._under_way.add(future)
        future.add_done_callback(self._finished)

    def _finished(self, future: asyncio.Future[None]) -> None:
        self._under_way.discard(future)
        if not self._took_all:
            self._wake.set()
        if error := future.exception():
            # The claim ends by itself, and the message is taken again.
            log.warning("an outcome could not be written down (%s)", type(error).__name__)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def heard(fact: object) -> None:
            if isinstance(fact, OutboxChanged) and len(self._under_way) < self._lanes:  # a lane that ends looks again
                with suppress(RuntimeError):  # the loop has just closed
                    loop.call_soon_threadsafe(self._wake.set)

        stop = db.listen(heard)
        try:
            yield
        finally:
            stop()


def dispatch_once(sender: Sender | None = None) -> int:
    """Deliver everything that is due now, for the command line; returns how many messages were taken."""
    sender, done = sender or LambdaSender(), 0
    while taken := dispatch_due(sender):
        done += taken
    return done


def dispatch_forever(sender: Sender | None = None) -> None:
    """Deliver until SIGINT or SIGTERM: a worker of its own, beside or instead of the app's."""

    async def main() -> None:
        task = asyncio.ensure_future(Dispatcher(sender).run())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


def _settle(claim: Claim, verdict: Verdict, error: str) -> bool:
    """Write down what became of a message, unless its claim ended and somebody else took it."""
    written: dict[str, Any] = {"last_error": error[:200]}
    match verdict:
        case Verdict.SENT:
            written |= {"state": Delivery.SENT.value, "sent_at": db.clock.now()}
        case Verdict.DEAD:
            written |= {"state": Delivery.DEAD.value}
        case Verdict.RETRY:
            delay = rules.delay_after(claim.attempts, chance=random.random())  # noqa: S311 - no secret
            written |= {"state": Delivery.WAITING.value, "next_attempt_at": db.clock.now() + delay}
    is_over = verdict is not Verdict.RETRY
    if is_over and claim.message.kind in FORGOTTEN:
        written |= {"payload": {}}
    values = {"key": claim.id, "attempt": claim.attempts, "until": claim.until}
    values |= {f"new_{name}": value for name, value in written.items()}
    with db.at_once() as connection:
        return connection.execute(_settling(frozenset(written), blank_left=is_over), values).scalar() is not None


@cache
def _settling(columns: frozenset[str], *, blank_left: bool) -> Executable:
    """What writes columns of one claim, and returns its id; nothing if the claim ended.

    Args:
        blank_left: nothing remains of a recipient who has left.
    """
    still_ours = (
        col(OutboxMessage.id) == bindparam("key"),
        col(OutboxMessage.state) == Delivery.SENDING.value,
        col(OutboxMessage.attempts) == bindparam("attempt"),
        col(OutboxMessage.next_attempt_at) == bindparam("until"),
    )
    has = inspect(OutboxMessage).columns
    written: dict[str, Any] = {name: bindparam(f"new_{name}", type_=has[name].type) for name in columns}
    if blank_left:
        for name, blank in BLANK.items():
            written[name] = case(
                (has["recipient_left"], literal(blank, has[name].type)), else_=written.get(name, has[name])
            )
    return update(OutboxMessage).where(*still_ours).values(written).returning(col(OutboxMessage.id))


async def _in_thread(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, work)
