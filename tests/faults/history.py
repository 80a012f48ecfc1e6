"""Clients that book, move and cancel through the socket while things break, and their answers held against the data.

How the application runs is the test's business: the clients need its port, the check a session on its database.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from email.parser import BytesHeaderParser

from sqlalchemy import text, update
from sqlmodel import Session, col, select
from websockets.exceptions import WebSocketException

from bench.cluster import Cluster
from mhms_app import routes
from mhms_app.accounts import sessions
from mhms_app.booking.models import Appointment
from mhms_app.notifications.models import Delivery, OutboxMessage
from mhms_app.oversight import invariants
from mhms_app.web.patient.booked import Booked
from mhms_app.web.public.doctor_profile import Profile
from tests import builders
from tests.race.cast import NEVER
from tests.running import RunningApp
from tests.socket.hostile import Said, Tab, tab
from tests.socket.matrix import WIRE_NAME

CONFIRM, CANCEL = WIRE_NAME["public.doctor_profile.Profile.confirm"], WIRE_NAME["patient.booked.Booked.cancel"]
_MORNING = datetime.combine(datetime.now(UTC).date() + timedelta(days=3), clock_time(7), UTC)
_MOST = 6  # appointments of one patient at a time: fewer than the department allows
_PATIENCE = 90
_NEVER = {words: query for words, query in NEVER.items() if not words.startswith("a message")}  # there are others too

Fact = tuple[str, int]
"""Where an appointment stands: its status and its slot."""


@dataclass(slots=True)
class Crowd:
    """The people of the storm: their sessions, a doctor, and slots of which there are fewer than are asked for."""

    cookies: list[str] = field(default_factory=list)
    doctor: int = 0
    slots: list[int] = field(default_factory=list)

    def fill(self, session: Session) -> None:
        """Put other people into the database, and a doctor whose slots are all free."""
        doctor = builders.doctor(session)
        patients = [builders.patient(session) for _ in range(6)]
        self.doctor = builders.key(doctor)
        times = [_MORNING + timedelta(days=day, minutes=15 * n) for day in range(4) for n in range(30)]
        self.slots = [builders.key(builders.slot(session, doctor, at, minutes=15)) for at in times]
        self.cookies = [sessions.open_session(session, user_id=patient.user_id) for patient in patients]


class History:
    """What was answered, and what may therefore be true.

    An appointment can be where its last answer left it; while an answer is missing, also where the question would have
    put it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._possible: dict[str, set[Fact]] = defaultdict(set)
        self._booked: list[float] = []
        self.answers = 0

    def asked(self, reference: str, *facts: Fact) -> None:
        """Somebody asks for this, and the answer may get lost."""
        with self._lock:
            self._possible[reference].update(facts)

    def answered(self, reference: str, *facts: Fact) -> None:
        """Somebody was told that one of these is so."""
        with self._lock:
            if reference not in self._possible:
                self._booked.append(time.monotonic())
            self._possible[reference] = set(facts)
            self.answers += 1

    def cancelled(self, reference: str) -> list[Fact]:
        """What is so when an appointment is cancelled: nobody is told of which slot, if a move was left unanswered."""
        with self._lock:
            return [("cancelled", slot) for _, slot in self._possible[reference]]

    def wait_for_more(self, number: int) -> None:
        """Wait until so many more answers have come: the clinic works."""
        target = self.answers + number
        self._wait_until(lambda: self.answers >= target)

    def wait_for_booking(self, *, after: float) -> float:
        """When the first new appointment after an instant was acknowledged; both as ``time.monotonic``."""
        self._wait_until(lambda: self._booked and self._booked[-1] > after)
        return next(at for at in self._booked if at > after)

    def _wait_until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not true():
            assert time.monotonic() < deadline, "nobody gets an answer any more"
            time.sleep(0.05)

    def lost(self, session: Session) -> list[str]:
        """The appointments that are not where somebody was told that they are, with both."""
        found = {row.reference: (row.status, row.slot_id) for row in session.exec(select(Appointment)).all()}
        return [
            f"{reference}: {found.get(reference)}, and not {facts}"
            for reference, facts in self._possible.items()
            if found.get(reference) not in facts
        ]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the data say of a history.

    Attributes:
        acknowledged: how many acts were answered.
        lost: acknowledged, and not so.
        impossible: what must never be and is, in words: by the clinic's own invariants and by those of the races.
        owed, sent: messages of the clinic since it was opened, and those of them that have arrived.
        repeated: copies beyond the first.
    """

    acknowledged: int
    lost: tuple[str, ...]
    impossible: tuple[str, ...]
    owed: int
    sent: int
    repeated: int

    @property
    def is_good(self) -> bool:
        """Nothing acknowledged is lost, nothing is booked twice, and every message was sent exactly once."""
        return not (self.lost or self.impossible or self.repeated) and self.sent == self.owed


def judged(app: RunningApp | Cluster, history: History) -> Verdict:
    """Wait until the messages are sent, and hold the history against the data."""
    deadline = time.monotonic() + 60
    while _unsent(app) and time.monotonic() < deadline:
        time.sleep(1)
    with app.database() as session:
        owed = session.exec(select(OutboxMessage.idempotency_key)).all()
        never = tuple(words for words, query in _NEVER.items() if session.execute(text(query)).first())
        impossible = (*invariants.broken(session), *never)
        lost = tuple(history.lost(session))
    ids = [BytesHeaderParser().parsebytes(path.read_bytes())["Message-ID"] for path in app.mail.glob("*.eml")]
    sent = len(set(ids))
    return Verdict(history.answers, lost, impossible, len(owed), sent, len(ids) - sent)


def _unsent(app: RunningApp | Cluster) -> bool:
    """Whether messages wait; those of a worker that died, and those that failed, are tried again at once."""
    waiting = update(OutboxMessage).where(col(OutboxMessage.state) != Delivery.SENT.value)
    with app.database() as session:
        return bool(session.execute(waiting.values(next_attempt_at=datetime.now(UTC))).rowcount)


class _Client(threading.Thread):
    """One patient at a browser, who opens the page again whenever it breaks."""

    def __init__(
        self, app: RunningApp | Cluster, crowd: Crowd, cookie: str, history: History, stop: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self._app, self._crowd, self._cookie, self._history, self._stop_event = app, crowd, cookie, history, stop
        self._mine: list[str] = []
        self._random = random.Random(cookie)

    def run(self) -> None:
        while not self._stop_event.is_set():
            with suppress(WebSocketException, OSError, AssertionError, EOFError), tab(self._app, self._cookie) as page:
                while not self._stop_event.is_set():
                    self._act(page)
            self._stop_event.wait(0.2)

    def _act(self, page: Tab) -> None:
        slot = self._random.choice(self._crowd.slots)
        if len(self._mine) < 2 or (len(self._mine) < _MOST and self._random.random() < 0.5):
            self._book(page, slot)
        elif self._random.random() < 0.5:
            self._move(page, self._random.choice(self._mine), slot)
        else:
            self._cancel(page, self._random.choice(self._mine))

    def _book(self, page: Tab, slot: int) -> None:
        shown = page.visit(routes.doctor_profile(self._crowd.doctor, slot_id=slot))
        if _offers(shown, slot) and (led_to := page.call(CONFIRM, {"form": {"reason": ""}}).redirect):
            reference = led_to.rpartition("/")[2]
            self._mine.append(reference)
            self._history.answered(reference, ("booked", slot))

    def _move(self, page: Tab, reference: str, slot: int) -> None:
        if not _offers(page.visit(routes.doctor_profile(self._crowd.doctor, slot_id=slot, move=reference)), slot):
            return
        self._history.asked(reference, ("booked", slot))
        if page.call(CONFIRM, {"form": {}}).redirect:
            self._history.answered(reference, ("booked", slot))

    def _cancel(self, page: Tab, reference: str) -> None:
        shown = page.visit(routes.booked(reference)).var(Booked, "shown") or {}
        if shown.get("reference") != reference:
            return
        cancelled = self._history.cancelled(reference)
        self._history.asked(reference, *cancelled)
        if "is cancelled" in page.call(CANCEL, {"form": {"choice": "", "note": "a storm"}}).notice:
            self._mine.remove(reference)
            self._history.answered(reference, *cancelled)


def _offers(said: Said, slot: int) -> bool:
    """Whether a page is ready to book this slot: while it comes back by itself it may still show another."""
    return bool((said.var(Profile, "chosen") or {}).get("id") == slot)


@contextmanager
def storm(app: RunningApp | Cluster, crowd: Crowd) -> Iterator[History]:
    """Everybody books, moves and cancels until the block ends; they are new, and nobody has an appointment yet."""
    with app.database() as session:
        crowd.fill(session)
    history, stop = History(), threading.Event()
    clients = [_Client(app, crowd, cookie, history, stop) for cookie in crowd.cookies]
    for client in clients:
        client.start()
    try:
        history.wait_for_more(10)
        yield history
    finally:
        stop.set()
        for client in clients:
            client.join(_PATIENCE)
