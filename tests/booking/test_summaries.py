"""A doctor's day, told early in the morning to who wants it: once, whatever happened in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.audit.models import AuditEntry
from mhms_app.booking import changes, service, summaries
from mhms_app.directory.models import Doctor
from mhms_app.errors import LoginRequired, NotAllowed
from mhms_app.notifications.models import OutboxMessage
from mhms_app.settings import settings
from tests import builders

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@dataclass
class Ward:
    """A doctor who asked at noon for a summary of each day."""

    session: Session
    today: date
    doctor: Doctor

    def at(self, days: int, hour: int, minute: int = 0) -> datetime:
        """An instant by the clinic's clock, some days from today."""
        return datetime.combine(self.today + days * DAY, time(hour, minute), settings().zone)

    def books(self, starts_at: datetime, name: str = "Jo Moreau") -> str:
        slot = builders.slot(self.session, self.doctor, starts_at)
        actor = builders.actor(self.session, builders.patient(self.session, name=name))
        done = service.book(self.session, actor, slot_id=builders.key(slot), reason="A cough", key=str(uuid4()))
        self.session.commit()
        return done.reference

    def summarises(self, at: datetime) -> int:
        db.clock.freeze(at)
        return summaries.summarise_all()

    def told(self) -> list[OutboxMessage]:
        self.session.expire_all()
        wanted = select(OutboxMessage).where(OutboxMessage.kind == "DOCTOR_DAY_SUMMARY")
        found = list(self.session.exec(wanted.order_by(OutboxMessage.id)))  # type: ignore[arg-type]
        self.session.commit()
        return found

    def days_told(self) -> list[str]:
        return [message.payload["day"] for message in self.told()]


@pytest.fixture
def ward(session: Session, now: datetime) -> Ward:
    made = Ward(session, now.astimezone(settings().zone).date(), builders.doctor(session))
    db.clock.freeze(made.at(0, 12))
    summaries.want_summary(session, builders.actor(session, made.doctor), wanted=True)
    session.commit()
    return made


def test_early_in_the_morning_with_who_comes_by_initials_in_order_of_time(ward: Ward) -> None:
    second, first = ward.at(1, 10), ward.at(1, 9)
    ward.books(second, "Jo Moreau")
    ward.books(first, "Ada Arnold")
    ward.books(ward.at(2, 9), "Later Person")
    assert [ward.summarises(ward.at(1, 0, 1)), ward.summarises(ward.at(1, 5, 59))] == [0, 0]
    assert [ward.summarises(ward.at(1, 6)), ward.summarises(ward.at(1, 6, 1))] == [1, 0]
    (message,) = ward.told()
    assert message.recipient_email == ward.session.get_one(User, ward.doctor.user_id).email
    assert (message.payload["day"], message.idempotency_key) == (
        f"{ward.today + DAY}",
        f"summary-{ward.doctor.id}-{ward.today + DAY}",
    )
    listed = [(entry["starts_at"], entry["initials"]) for entry in message.payload["appointments"]]
    assert listed == [(first.astimezone(db.UTC).isoformat(), "AA"), (second.astimezone(db.UTC).isoformat(), "JM")]
    assert "Moreau" not in str(message.payload) and "cough" not in str(message.payload)


def test_nothing_on_the_day_of_asking_and_nothing_on_a_day_without_anybody(ward: Ward) -> None:
    ward.books(ward.at(0, 15))
    gone = ward.books(ward.at(1, 9))
    changes.cancel(ward.session, builders.actor(ward.session, ward.doctor), reference=gone, choice="", note="Ill.")
    ward.books(ward.at(3, 9))
    assert [ward.summarises(ward.at(days, 7)) for days in (0, 1, 2, 3)] == [0, 0, 0, 1]
    assert ward.days_told() == [f"{ward.today + 3 * DAY}"]


def test_after_an_outage_the_day_is_told_while_somebody_is_still_to_come(ward: Ward) -> None:
    for days, hour in ((1, 9), (2, 9), (2, 15), (3, 9)):
        ward.books(ward.at(days, hour))
    assert ward.summarises(ward.at(2, 11)) == 1
    assert len(ward.told()[0].payload["appointments"]) == 1
    assert ward.summarises(ward.at(3, 10)) == 0
    assert ward.days_told() == [f"{ward.today + 2 * DAY}"]


def test_several_workers_tell_once(ward: Ward) -> None:
    ward.books(ward.at(1, 9))
    db.clock.freeze(ward.at(1, 6))
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: summaries.summarise_all(), range(4))) == 1
    assert len(ward.told()) == 1


def test_an_interruption_before_the_commit_loses_nothing(ward: Ward) -> None:
    ward.books(ward.at(1, 9))
    db.clock.freeze(ward.at(1, 6))
    assert summaries.summarise(ward.session, doctor_id=builders.key(ward.doctor))
    ward.session.rollback()
    assert summaries.summarise_all() == 1


def test_who_no_longer_wants_it_or_works_here_is_not_told(ward: Ward) -> None:
    ward.books(ward.at(1, 9))
    ward.books(ward.at(2, 9))
    user = ward.session.get_one(User, ward.doctor.user_id)
    user.active = False
    ward.session.add(user)
    ward.session.commit()
    assert ward.summarises(ward.at(1, 7)) == 0
    user.active = True
    ward.session.add(user)
    actor = builders.actor(ward.session, ward.doctor)
    for _ in range(2):
        summaries.want_summary(ward.session, actor, wanted=False)
    ward.session.commit()
    assert not summaries.wants_summary(ward.session, actor)
    assert ward.summarises(ward.at(2, 7)) == 0
    found = ward.session.exec(select(AuditEntry.action).where(AuditEntry.object_type == "doctor"))
    assert list(found) == ["summary.on", "summary.off"]


def test_only_a_doctor_asks_for_it(ward: Ward) -> None:
    patient = builders.actor(ward.session, builders.patient(ward.session))
    for actor, refusal in ((None, LoginRequired), (patient, NotAllowed)):
        with pytest.raises(refusal):
            summaries.want_summary(ward.session, actor, wanted=True)
