"""What the journeys find when they begin: people of their own in the demo clinic, and its mail."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import partial
from typing import TypeVar
from uuid import uuid4

import httpx
import psutil
from sqlmodel import select

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.audit import violations
from mhms_app.booking.models import Appointment
from mhms_app.booking.rules import new_reference
from mhms_app.directory.models import Department, Doctor
from mhms_app.settings import settings
from mhms_app.web import words
from tests import builders
from tests.running import RunningApp

PASSWORD = builders.PASSWORD
_PATIENCE = 30
T = TypeVar("T")


def eventually(look: Callable[[], T]) -> T:
    """Look again and again until there is something to see."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def reported(app: RunningApp) -> dict[str, int]:
    """How often browsers reported a breach of the content policy, by directive."""
    with app.database() as session:
        return {seen.directive: seen.times for seen in violations.counts(session)}


def a_tuesday(*, weeks: int = 2) -> date:
    """A Tuesday some weeks ahead: no journey depends on the hour or the weekday at which it is made."""
    today = words.local(db.clock.now()).date()
    return words.monday_of(today) + timedelta(weeks=weeks, days=1)


def at(day: date, clock: str) -> datetime:
    """The instant at which the clinic's clock shows this time on this day."""
    return datetime.combine(day, clock_time.fromisoformat(clock), settings().zone).astimezone(UTC)


def day_name(day: date) -> str:
    """ "Tue 24 Nov", as in the name of a slot."""
    return words.short_day(day, today=day)


@dataclass(frozen=True)
class ADoctor:
    """A doctor who works in the demo clinic for the length of one journey."""

    id: int
    name: str
    email: str

    @property
    def path(self) -> str:
        """Their page."""
        return f"/doctors/{self.id}"

    def week_of(self, day: date) -> str:
        """Their page in the week of a day."""
        return f"{self.path}?week={words.monday_of(day)}"


def a_doctor(app: RunningApp, name: str, *, department: str = "Cardiology", approved: bool = True) -> ADoctor:
    """Somebody who sees patients."""
    with app.database() as session:
        within = session.exec(select(Department).where(Department.name == department)).one()
        doctor = builders.doctor(session, name=name, within=within, approved=approved)
        user = session.get_one(User, doctor.user_id)
        return ADoctor(builders.key(doctor), user.full_name, user.email)


def a_department(app: RunningApp, name: str) -> str:
    """A department in which nobody works yet; its name."""
    with app.database() as session:
        return builders.department(session, name=name).name


def a_patient(app: RunningApp, name: str) -> str:
    """A patient's e-mail address."""
    with app.database() as session:
        patient = builders.patient(session, name=name)
        return session.get_one(User, patient.user_id).email


def free(app: RunningApp, doctor: ADoctor, day: date, *clocks: str) -> dict[str, int]:
    """Give a doctor free slots of twenty minutes; their keys by the clock."""
    with app.database() as session:
        row = session.get_one(Doctor, doctor.id)
        return {clock: builders.key(builders.slot(session, row, at(day, clock))) for clock in clocks}


def an_appointment(app: RunningApp, doctor: ADoctor, email: str, starts_at: datetime) -> str:
    """An appointment at any time, also one that can no longer be booked; its reference."""
    with app.database() as session:
        row = session.get_one(Doctor, doctor.id)
        user = session.exec(select(User).where(User.email == email)).one()
        patient = session.exec(select(Patient).where(Patient.user_id == user.id)).one()
        slot = builders.slot(session, row, starts_at, state="booked")
        made = builders.added(
            session,
            Appointment(
                reference=new_reference(),
                slot_id=builders.key(slot),
                patient_id=builders.key(patient),
                doctor_id=doctor.id,
                department_id=row.department_id,
                starts_at=slot.starts_at,
                ends_at=slot.ends_at,
                idempotency_key=str(uuid4()),
                created_at=starts_at - timedelta(days=3),
            ),
        )
        return made.reference


def appointments_with(app: RunningApp, doctor: ADoctor) -> list[Appointment]:
    """Every appointment with a doctor."""
    with app.database() as session:
        return list(session.exec(select(Appointment).where(Appointment.doctor_id == doctor.id)))


def mails_to(app: RunningApp, email: str, *, about: str = "") -> list[EmailMessage]:
    """The messages to an address that the Lambda has produced so far."""
    found = [
        BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
        for path in sorted(app.mail.glob("*.eml"))
    ]
    return [mail for mail in found if email in str(mail["To"]) and about in str(mail["Subject"])]


def mail_to(app: RunningApp, email: str, *, about: str = "") -> EmailMessage:
    """The one message to an address; it is waited for."""
    (mail,) = eventually(lambda: mails_to(app, email, about=about))
    return mail


def text_of(mail: EmailMessage) -> str:
    """What a mail program without pictures shows."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@contextmanager
def without_mail_service(app: RunningApp) -> Iterator[Callable[[], None]]:
    """The e-mail Lambda is down; calling what is yielded starts it again, and waits until it answers."""
    (service,) = filter(partial(_serves_mail_of, app), psutil.Process().children(recursive=True))
    command, environment, folder = service.cmdline(), service.environ(), service.cwd()
    service.terminate()
    eventually(lambda: not _serves_mail_of(app, service))
    started: list[psutil.Popen] = []

    def start_again() -> None:
        started.append(psutil.Popen(command, env=environment, cwd=folder, stdin=subprocess.PIPE))
        assert eventually(lambda: _answers(f"http://127.0.0.1:{environment['MHMS_EMAIL_PORT']}/healthz"))

    try:
        yield start_again
    finally:
        if not started:
            start_again()
        _replaced.extend(started)


def _serves_mail_of(app: RunningApp, process: psutil.Process) -> bool:
    with suppress(psutil.Error):  # a zombie, or gone
        return str(app.mail) in process.cmdline()
    return False


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url, trust_env=False).is_success
    return False


_replaced: list[psutil.Popen] = []


def end_replaced() -> None:
    """End the mail services that took the place of the one that the server had started."""
    for process in _replaced:
        process.terminate()
        process.wait()
    _replaced.clear()
