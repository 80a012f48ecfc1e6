"""The next times with any doctor, at hours that suit; on both engines, by an index."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlmodel import Session

from mhms_app import db
from mhms_app.availability import soonest
from mhms_app.availability.models import SlotState
from mhms_app.availability.when_rules import Nothing, When, Why
from mhms_app.directory.models import Department, Doctor
from tests import builders

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONDAY = date(2026, 11, 23)
MORNINGS, AFTERNOONS = When(part="morning"), When(part="afternoon")


@pytest.fixture
def department(session: Session) -> Department:
    return builders.department(session)


@pytest.fixture
def amira(session: Session, department: Department, now: datetime) -> Doctor:
    return builders.doctor(session, within=department)


@pytest.fixture
def ben(session: Session, department: Department, now: datetime) -> Doctor:
    return builders.doctor(session, name="Dr. Ben Cole", within=department)


def times(session: Session, when: When, *, department_id: int | None = None, limit: int = 6) -> list[tuple[str, str]]:
    found = soonest.next_times(session, None, department_id=department_id, when=when, limit=limit)
    return [(time.doctor.split()[1], f"{time.starts_at:%d %H:%M}") for time in found]


def names(session: Session, when: When, **asked: object) -> list[tuple[str, str]]:
    found = soonest.fitting_doctors(session, None, when=when, **asked)  # type: ignore[arg-type]
    return [(card.doctor.name.split()[1], f"{card.next_free_at:%d %H:%M}") for card in found.rows]


def test_of_each_doctor_and_day_the_first_time_by_time(
    session: Session, amira: Doctor, ben: Doctor, now: datetime
) -> None:
    for doctor, hours in ((amira, (1, 2, 26)), (ben, (3, 4, 74))):
        for hour in hours:
            builders.slot(session, doctor, now + hour * HOUR)
    builders.slot(session, ben, now + 2 * HOUR, state=SlotState.BOOKED.value)
    assert times(session, When()) == [
        ("Amira", "23 09:00"),
        ("Ben", "23 11:00"),
        ("Amira", "24 10:00"),
        ("Ben", "26 10:00"),
    ]
    assert times(session, When(), limit=3) == times(session, When())[:3]


def test_only_times_that_suit(session: Session, amira: Doctor, ben: Doctor, now: datetime) -> None:
    builders.slot(session, amira, now + HOUR)  # Monday, 10:00 in Berlin
    builders.slot(session, amira, now + 3 * HOUR)  # noon
    builders.slot(session, ben, now + 2 * DAY)  # Wednesday
    builders.slot(session, ben, now + 60 * DAY + 6 * HOUR)  # Friday
    assert times(session, MORNINGS) == [("Amira", "23 09:00"), ("Ben", "25 08:00")]
    assert times(session, AFTERNOONS) == [("Amira", "23 11:00"), ("Ben", "22 14:00")]
    assert times(session, When(weekdays=frozenset({2, 4}))) == [("Ben", "25 08:00"), ("Ben", "22 14:00")]
    assert times(session, When(day=MONDAY, part="afternoon")) == [("Amira", "23 11:00")]
    assert names(session, AFTERNOONS) == [("Amira", "23 11:00"), ("Ben", "22 14:00")]
    assert names(session, When(weekdays=frozenset({2}))) == [("Ben", "25 08:00")]
    assert names(session, MORNINGS, search="ben") == [("Ben", "25 08:00")]
    assert names(session, MORNINGS, page=2, size=1) == [("Ben", "25 08:00")]
    assert soonest.fitting_doctors(session, None, when=MORNINGS, size=1).total == 2


def test_what_cannot_be_booked_is_not_shown(
    session: Session, department: Department, amira: Doctor, ben: Doctor, now: datetime
) -> None:
    department.notice_minutes, department.ahead_days = 60, 10
    elsewhere, hidden = builders.doctor(session, name="Dr. Eva Ern"), builders.doctor(session, approved=False)
    for doctor, at in (
        (amira, now + HOUR),
        (amira, now + 10 * DAY),
        (ben, now + 10 * DAY + HOUR),
        (elsewhere, now + HOUR),
        (hidden, now + 2 * HOUR),
    ):
        builders.slot(session, doctor, at)
    assert times(session, When()) == [("Eva", "23 09:00"), ("Amira", "03 08:00")]
    assert times(session, When(), department_id=department.id) == [("Amira", "03 08:00")]


@pytest.mark.parametrize(
    ("slots", "when", "why", "at"),
    [
        ({}, When(), Why.UNPUBLISHED, None),
        ({3: "withdrawn"}, When(), Why.UNPUBLISHED, None),
        ({3: "booked"}, When(), Why.TAKEN, 3),
        ({3: "held"}, When(), Why.TAKEN, 3),
        ({3: "open"}, AFTERNOONS, Why.ELSEWHEN, 3),
        ({3: "booked"}, When(day=MONDAY + 4 * DAY), Why.UNPUBLISHED, 3),
        ({0.01: "open", 3: "booked"}, When(), Why.NOTICE, 0.01),
        ({20: "open", 3: "booked"}, When(), Why.AHEAD, 20),
        ({20: "open", 3: "open"}, When(weekdays=frozenset({6})), Why.ELSEWHEN, 3),
    ],
)
def test_it_is_said_why_there_is_nothing(
    session: Session,
    department: Department,
    amira: Doctor,
    now: datetime,
    slots: dict[float, str],
    when: When,
    why: Why,
    at: float | None,
) -> None:
    department.notice_minutes, department.ahead_days = 60, 10
    for days, state in slots.items():
        builders.slot(session, amira, now + days * DAY, state=state)
    expected = Nothing(why, None if at is None else now + at * DAY)
    assert soonest.next_times(session, None, department_id=department.id, when=when, limit=6) == ()
    assert soonest.why_nothing(session, None, department_id=department.id, when=when) == expected
    assert soonest.why_nothing(session, None, doctor_id=builders.key(amira), when=when) == expected
    found = soonest.find_doctors(session, None, department_id=department.id, when=when)
    assert (found.soonest, found.nothing) == ((), expected)


def test_nobody_is_there_to_be_seen(session: Session, department: Department) -> None:
    builders.doctor(session, within=department, approved=False)
    assert soonest.why_nothing(session, None, department_id=department.id, when=When()) == Nothing(Why.NOBODY)
    assert soonest.why_nothing(session, None, department_id=999_999, when=When()) == Nothing(Why.NOBODY)


def test_words_lead_to_doctors_and_no_further(session: Session, amira: Doctor, ben: Doctor, now: datetime) -> None:
    builders.slot(session, ben, now + HOUR)
    named, unknown = (soonest.find_doctors(session, None, search=words) for words in ("amira", "nobody"))
    assert ([card.doctor.id for card in named.cards.rows], named.soonest, named.nothing) == ([amira.id], (), None)
    assert (unknown.cards.total, unknown.nothing) == (0, Nothing(Why.NOBODY))
    assert [card.doctor.id for card in unknown.elsewhere] == [ben.id]
    assert [department.doctors for department in unknown.departments] == [2]
    then = soonest.find_doctors(session, None, search="ben", when=AFTERNOONS)
    assert (then.cards.total, then.nothing) == (0, Nothing(Why.ELSEWHEN, now + HOUR))


def test_no_slot_is_read_that_is_not_shown(session: Session, amira: Doctor, now: datetime) -> None:
    """Whatever is looked for, the index over open slots answers: no statement reads the whole table."""
    for days in range(40):
        builders.slot(session, amira, now + days * DAY + HOUR)
    session.commit()
    session.execute(db.text("ANALYZE"))
    asked: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "slot" in statement:
            asked.append((statement, parameters))

    event.listen(db.engine(), "before_cursor_execute", note)
    soonest.find_doctors(session, None, when=AFTERNOONS)
    event.remove(db.engine(), "before_cursor_execute", note)
    assert len(asked) > 3
    is_sqlite = db.engine().dialect.name == "sqlite"
    if not is_sqlite:
        session.execute(db.text("SET enable_seqscan = off"))
    for statement, parameters in asked:
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        plan = "\n".join(
            str(row[-1]) for row in session.connection().exec_driver_sql(f"{explain} {statement}", parameters)
        )
        assert "SCAN slot" not in plan, plan
        assert "Seq Scan on slot" not in plan, plan
