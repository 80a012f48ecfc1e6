"""Is everything well, and if not, what to do: each trouble is named, and each name says what helps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session

from mhms_app import db
from mhms_app.actor import Role
from mhms_app.audit import service as audit
from mhms_app.audit.violations import Seen
from mhms_app.errors import LoginRequired, NotAllowed
from mhms_app.notifications.outbox import OutboxCounts
from mhms_app.oversight import figures, system
from mhms_app.oversight.checks import Check
from mhms_app.oversight.figures import Database, Figures
from mhms_app.oversight.system import TASKS, Finding, Mood, judge
from mhms_app.oversight.workers import Life, Numbers, WorkerRow
from mhms_app.web.admin.system import headline
from tests import builders
from tests.conftest import NOW

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
QUIET = OutboxCounts(waiting=0, dead=0, sent_today=9, oldest_waiting_at=None, last_sent_at=NOW - 3 * MINUTE)
WORKER = WorkerRow("app-1", 7, NOW - 9 * HOUR, NOW - SECOND, dict.fromkeys(TASKS, NOW - 2 * SECOND), Numbers(sockets=3))
WELL = Figures(
    at=NOW,
    database=Database("PostgreSQL 15.3", 0.002, 40_000_000),
    outbox=QUIET,
    unsealed_since=NOW - 2 * SECOND,
    sealed_to=40,
    check=Check(NOW - 3 * HOUR, "", 38),
    backed_up_at=NOW - 47 * HOUR,
    workers=(WORKER,),
    redis=True,
    bookings=(0,) * 24,
    refused=(0,) * 22 + (4, 1),
)


@pytest.fixture(autouse=True)
def in_need_of_backups(configure: Callable[[str, str], None]) -> None:
    configure("MHMS_BACKUP_MAX_AGE_DAYS", "2")


def waiting(age: timedelta) -> OutboxCounts:
    return replace(QUIET, waiting=2, oldest_waiting_at=NOW - age)


def standing(**numbers: float | bool) -> tuple[WorkerRow, ...]:
    return (replace(WORKER, numbers=replace(WORKER.numbers, **numbers)), WORKER)


TROUBLES: dict[str, tuple[dict[str, object], str, Mood, str]] = {
    "mail is late": ({"outbox": waiting(6 * MINUTE)}, "E-mail", Mood.ATTENTION, "the oldest for 6 minutes"),
    "mail stands": ({"outbox": waiting(16 * MINUTE)}, "E-mail", Mood.BROKEN, "2 messages wait"),
    "mail was given up": ({"outbox": replace(QUIET, dead=1)}, "E-mail", Mood.ATTENTION, "1 message was given up"),
    "slow": ({"database": Database("SQLite 3", 0.4, 9)}, "Database", Mood.ATTENTION, "400 ms"),
    "little room": ({"database": Database("SQLite 3", 0.01, 9, 10**9)}, "Database", Mood.ATTENTION, "1.0 GB more"),
    "no room": ({"database": Database("SQLite 3", 0.01, 9, 10**8)}, "Database", Mood.BROKEN, "100 MB more"),
    "nobody": ({"workers": (replace(WORKER, seen_at=NOW - 2 * MINUTE),)}, "Workers", Mood.ATTENTION, "None has spoken"),
    "late": ({"workers": standing(lag=1.2)}, "Workers", Mood.ATTENTION, "late by 1200 ms"),
    "crowded": ({"workers": standing(waiting=101)}, "Workers", Mood.ATTENTION, "101 things waiting"),
    "deaf": ({"workers": standing(hears=False)}, "Live screens", Mood.ATTENTION, "1 worker does not hear"),
    "a task is silent": (
        {"workers": (replace(WORKER, tasks={**WORKER.tasks, "seals": NOW - 6 * MINUTE}),)},
        "Tasks",
        Mood.ATTENTION,
        "Sealing the audit trail",
    ),
    "not whole": ({"check": Check(NOW, "Entry 3 is missing.", 2)}, "Audit trail", Mood.BROKEN, "Entry 3 is missing"),
    "unsealed": ({"unsealed_since": NOW - 11 * MINUTE}, "Audit trail", Mood.ATTENTION, "11 minutes old"),
    "no Redis": ({"redis": False}, "Redis", Mood.BROKEN, "does not answer"),
    "never saved": ({"backed_up_at": None}, "Backup", Mood.ATTENTION, "None was ever made"),
    "saved long ago": ({"backed_up_at": NOW - 49 * HOUR}, "Backup", Mood.ATTENTION, "made 2 days ago"),
    "guessing": ({"refused": (0,) * 23 + (101,)}, "Logins", Mood.ATTENTION, "101 within an hour"),
}


def test_what_is_well_is_said_calmly() -> None:
    found = judge(WELL)
    assert {each.mood for each in found} == {Mood.WELL}
    assert not any(each.advice for each in found)
    assert headline(found) == "Everything is well"
    assert [each.words for each in found][:3] == [
        "PostgreSQL 15.3 answers in 2 ms and holds 40 MB.",
        "Nothing is waiting. The last one was sent 3 minutes ago.",
        "1 worker on 1 machine, 3 open tabs.",
    ]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_is_not_well_is_named_and_says_what_helps(trouble: str) -> None:
    changes, name, mood, words = TROUBLES[trouble]
    (unwell,) = [each for each in judge(replace(WELL, **changes)) if each.mood is not Mood.WELL]  # type: ignore[arg-type]
    assert (unwell.name, unwell.mood) == (name, mood)
    assert words in unwell.words
    assert len(unwell.advice) > 20


def test_whoever_saves_the_database_otherwise_is_not_asked_for_backups(configure: Callable[[str, str], None]) -> None:
    configure("MHMS_BACKUP_MAX_AGE_DAYS", "0")
    assert "Backup" not in {each.name for each in judge(replace(WELL, backed_up_at=None))}


def test_a_worker_that_has_just_started_is_given_time() -> None:
    fresh = replace(WORKER, started_at=NOW - MINUTE, tasks={})
    assert all(each.mood is Mood.WELL for each in judge(replace(WELL, workers=(fresh,))))


def test_a_task_is_done_when_any_worker_has_done_it() -> None:
    idle = replace(WORKER, tasks=dict.fromkeys(TASKS, NOW - 3 * HOUR))
    assert all(each.mood is Mood.WELL for each in judge(replace(WELL, workers=(idle, WORKER))))


def test_reports_of_browsers_worry_nobody() -> None:
    told = judge(replace(WELL, violations=(Seen("script-src", 7, NOW),)))[-1]
    assert (told.mood, "script-src 7 times" in told.words) == (Mood.WELL, True)


def test_the_headline_names_what_is_broken() -> None:
    mail, trail = Finding("E-mail", "", Mood.BROKEN), Finding("Audit trail", "", Mood.ATTENTION)
    assert headline((mail, trail)) == "E-mail: this cannot wait"
    assert headline((trail,)) == "1 thing needs attention"
    assert headline((trail, trail)) == "2 things need attention"


@pytest.mark.usefixtures("now")
def test_figures_are_read_by_the_hour(session: Session) -> None:
    for action, age in (("appointment.book", 0), ("appointment.book", 23), ("session.refuse_code", 1)):
        db.clock.freeze(NOW - age * HOUR)
        audit.record(session, actor_id=None, action=action)
    db.clock.freeze(NOW - 25 * HOUR)
    audit.record(session, actor_id=None, action="appointment.book")
    db.clock.freeze(NOW)
    Life().sign(session, tasks={"mail": NOW}, numbers=Numbers())
    found = figures.read(session)
    assert found.bookings == (1, *[0] * 22, 1)
    assert found.refused == (*[0] * 22, 1, 0)
    assert (len(found.alive), found.beats, found.redis) == (1, {"mail": NOW}, None)
    assert found.database.size > 0


def test_only_administrators_look(session: Session, configure: Callable[[str, str], None]) -> None:
    configure("MHMS_REDIS_URL", "")
    admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
    assert system.look(session, admin).findings
    for actor, refusal in ((None, LoginRequired), (builders.actor(session, builders.patient(session)), NotAllowed)):
        with pytest.raises(refusal):
            system.look(session, actor)
