"""The bookings as CSV: for an administrator, complete, and harmless in a spreadsheet."""

from __future__ import annotations

import asyncio
import csv
from datetime import datetime, timedelta
from io import StringIO
from uuid import uuid4

import httpx
import pytest
from sqlmodel import select

from mhms_app import db, routes
from mhms_app.accounts import cookies, sessions
from mhms_app.accounts import service as accounts
from mhms_app.actor import Role
from mhms_app.api.app import make_api
from mhms_app.audit.models import AuditEntry
from mhms_app.booking import service as booking
from mhms_app.booking.models import Appointment
from tests import builders as make


class Clinic:
    """Two bookings, and somebody of each role."""

    def __init__(self, now: datetime) -> None:
        with db.transaction() as session:
            doctor = make.doctor(session, name="Dr. Amira Haddad", within=make.department(session, name="Cardiology"))
            patients = [
                make.patient(session, name=name) for name in ("Zoë Straße", '=HYPERLINK("http://evil.example")')
            ]
            for n, patient in enumerate(patients):
                slot = make.slot(session, doctor, now + timedelta(days=1, hours=n))
                actor = make.actor(session, patient)
                booking.book(session, actor, slot_id=make.key(slot), reason="", key=str(uuid4()))
            self.people = {
                Role.PATIENT: make.key(session.get_one(accounts.User, patients[0].user_id)),
                Role.DOCTOR: doctor.user_id,
                Role.ADMIN: make.key(make.user(session, role=Role.ADMIN, name="Ada Admin")),
            }

    def get(self, role: Role | None, query: str = "") -> httpx.Response:
        """Ask for the export as somebody of this role, or as nobody."""
        jar = {}
        if role:
            with db.transaction() as session:
                jar[cookies.session_cookie()] = sessions.open_session(session, user_id=self.people[role])

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(make_api())
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", cookies=jar) as browser:
                return await browser.get(routes.BOOKINGS_CSV + query)

        return asyncio.run(ask())


@pytest.fixture
def clinic(database: str, now: datetime) -> Clinic:
    return Clinic(now)


def test_an_administrator_gets_every_booking_as_a_table(clinic: Clinic) -> None:
    answer = clinic.get(Role.ADMIN)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="bookings-2026-11-23.csv"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(StringIO(answer.content.decode("utf-8-sig"))))
    assert lines[0] == ["Number", "Patient", "E-mail", "Doctor", "Department", "Start", "End", "Status", "Booked"]
    assert lines[1][1] == "Zoë Straße"
    assert lines[1][3:8] == ["Dr. Amira Haddad", "Cardiology", "2026-11-24 09:00", "2026-11-24 09:20", "booked"]
    assert len(lines) == 3
    with db.transaction(read_only=True) as session:
        audited = session.exec(select(AuditEntry).where(AuditEntry.action == "appointment.export")).all()
    assert [entry.actor_id for entry in audited] == [clinic.people[Role.ADMIN]]


def test_the_export_follows_the_filter_of_the_page(clinic: Clinic) -> None:
    answer = clinic.get(Role.ADMIN, "?q=straße&status=booked&from=2026-11-24")
    assert answer.text.count("\r\n") == 2
    assert clinic.get(Role.ADMIN, "?status=no_show").text.count("\r\n") == 1


def test_no_cell_is_a_formula(clinic: Clinic) -> None:
    lines = list(csv.reader(StringIO(clinic.get(Role.ADMIN).text)))
    assert lines[2][1] == '\'=HYPERLINK("http://evil.example")'


def test_many_rows_come_in_chunks_each_once(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    from mhms_app.booking import lists

    whole = lists.export_bookings
    monkeypatch.setattr(lists, "export_bookings", lambda *args, **wanted: whole(*args, **wanted, size=1))
    with db.transaction(read_only=True) as session:
        references = [row.reference for row in session.exec(select(Appointment).order_by(Appointment.id)).all()]
    lines = list(csv.reader(StringIO(clinic.get(Role.ADMIN).text)))
    assert [line[0] for line in lines[1:]] == references


def test_nobody_else_gets_it(clinic: Clinic) -> None:
    answer = clinic.get(None, "?status=booked")
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("/login?next=%2Fadmin%2Fbookings%3Fstatus%3Dbooked")
    for role in (Role.PATIENT, Role.DOCTOR):
        assert clinic.get(role).status_code == 404
    with db.transaction(read_only=True) as session:
        assert not session.exec(select(AuditEntry).where(AuditEntry.action == "appointment.export")).all()
