"""Looking at personal data is in the trail: who looked at what, once, without a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg.errors import AdminShutdown
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts import sessions
from mhms_app.actor import Actor, Role
from mhms_app.audit import readings
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.audit.readings import AGAIN, Readings
from mhms_app.audit.words import READING
from mhms_app.booking import agenda, leave, lists, proposals, unserved, worklist
from mhms_app.booking.lists import Filter
from mhms_app.booking.models import Appointment
from mhms_app.directory import people
from mhms_app.directory import service as directory
from mhms_app.errors import NotAllowed
from mhms_app.notifications import outbox
from tests import builders
from tests.test_migrations import fill

Look = Callable[[Session, Actor], Any]


@pytest.fixture
def clinic(database: str, now: datetime) -> dict[str, str]:
    """A clinic with somebody of each kind; their session tokens by role."""
    fill(now)
    with db.transaction() as session:
        admin = builders.user(session, role=Role.ADMIN)
        people = {"admin": builders.key(admin)}
        doctor = session.get_one(Appointment, 1).doctor_id
        people["doctor"] = directory.get_doctor(session, None, doctor_id=doctor).user_id
        return {who: sessions.open_session(session, user_id=user_id) for who, user_id in people.items()}


def look(token: str, what: Look, ledger: Readings) -> None:
    """Read as a page does: in a transaction that cannot write."""
    with db.transaction(read_only=True) as session:
        actor = sessions.resolve(session, token, address="203.0.113.9")
        assert actor is not None
        what(session, actor)
    if written := ledger.keep(audit.noted(session)):
        written.result(timeout=30)


def read() -> list[AuditEntry]:
    with db.transaction(read_only=True) as session:
        return [entry for entry in session.exec(select(AuditEntry).order_by(AuditEntry.id)) if entry.action in READING]  # type: ignore[arg-type]


def reference(session: Session) -> str:
    return session.exec(select(Appointment.reference)).first() or ""


DAY = timedelta(days=1)
LOOKS: dict[str, tuple[str, Look]] = {
    "appointment.list": (
        "admin",
        lambda s, a: lists.list_bookings(s, a, wanted=Filter(search="Moreau", doctor_id=1)),
    ),
    "appointment.view": ("admin", lambda s, a: proposals.other_times(s, a, reference=reference(s))),
    "worklist.list": ("admin", worklist.worklist),
    "waiting.list": ("admin", unserved.unserved),
    "user.list": ("admin", lambda s, a: people.list_people(s, a, search="Moreau")),
    "user.view": ("admin", lambda s, a: people.get_person(s, a, user_id=1)),
    "message.list": ("admin", lambda s, a: outbox.list_messages(s, a, search="Jo")),
    "agenda.day": ("doctor", lambda s, a: agenda.day(s, a, of=db.clock.today(), upcoming=5)),
    "agenda.week": ("doctor", lambda s, a: agenda.week(s, a, of=db.clock.today())),
    "leave.look": (
        "doctor",
        lambda s, a: leave.affected(s, a, first=db.clock.today() + DAY, last=db.clock.today() + 2 * DAY),
    ),
}


@pytest.mark.parametrize("action", LOOKS)
def test_looking_is_written_down(clinic: dict[str, str], action: str) -> None:
    who, what = LOOKS[action]
    look(clinic[who], what, Readings())
    (entry,) = read()
    assert entry.action == action
    assert entry.address == "203.0.113.9"
    assert entry.session_id
    assert "Moreau" not in entry.detail


def test_a_list_says_what_was_asked_and_how_much_was_seen(clinic: dict[str, str]) -> None:
    look(clinic["admin"], LOOKS["appointment.list"][1], Readings())
    look(clinic["admin"], LOOKS["user.view"][1], Readings())
    listed, opened = read()
    assert listed.detail == "1 shown, page 1, by search, by doctor"
    assert (opened.object_type, opened.object_id) == ("user", 1)


def test_looking_again_is_one_reading_for_a_while(clinic: dict[str, str], now: datetime) -> None:
    ledger, what = Readings(), LOOKS["user.view"][1]
    look(clinic["admin"], what, ledger)
    look(clinic["admin"], what, ledger)
    assert len(read()) == 1
    look(clinic["admin"], lambda s, a: people.get_person(s, a, user_id=2), ledger)
    assert len(read()) == 2
    db.clock.freeze(now + AGAIN)
    look(clinic["admin"], what, ledger)
    assert len(read()) == 3


def test_workers_write_down_one_reading_together(clinic: dict[str, str], now: datetime) -> None:
    """Each remembers what it wrote itself; what the others wrote is in the trail."""
    with db.transaction(read_only=True) as session:
        actor = sessions.resolve(session, clinic["admin"], address="203.0.113.9")
        LOOKS["user.list"][1](session, actor)  # type: ignore[arg-type]
    (seen,) = audit.noted(session)
    workers = [Readings() for _ in range(4)]

    def all_look(*details: str) -> int:
        readings = [replace(seen, rows=count, detail=detail) for count, detail in enumerate(details)]
        written = [worker.keep(readings) for worker in workers]
        assert all(one is None or one.result(timeout=30) is None for one in written)
        return len(read())

    assert all_look("page 1") == 1
    assert all_look("page 1", "page 2") == 2
    db.clock.freeze(now + AGAIN - timedelta(seconds=1))
    workers.append(Readings())  # one that has just been started
    assert all_look("page 1", "page 2") == 2
    db.clock.freeze(now + AGAIN)
    assert all_look("page 1", "page 2") == 4


def test_whoever_is_refused_has_looked_at_nothing(clinic: dict[str, str]) -> None:
    with pytest.raises(NotAllowed), db.transaction(read_only=True) as session:
        lists.list_bookings(session, sessions.resolve(session, clinic["doctor"]), wanted=Filter())
    assert audit.noted(session) == []


def test_a_reading_that_cannot_be_written_harms_nobody_and_names_nobody(
    clinic: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Moreau")

    monkeypatch.setattr(readings.audit, "record", broken)
    look(clinic["admin"], LOOKS["user.view"][1], Readings())
    assert read() == []
    assert "1 readings are not in the audit trail (RuntimeError)" in caplog.text
    assert "Moreau" not in caplog.text


def test_what_could_not_be_written_is_written_at_the_next_look(
    clinic: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, AdminShutdown())

    ledger, what = Readings(), LOOKS["user.view"][1]
    with monkeypatch.context() as outage:
        outage.setattr(readings.audit, "record", away)
        look(clinic["admin"], what, ledger)
    assert read() == []
    for _ in range(2):
        look(clinic["admin"], what, ledger)
    assert len(read()) == 1
