"""Reading the audit trail: who did what to whose record, and nobody else's business."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from mhms_app import db, trace
from mhms_app.accounts.models import User
from mhms_app.actor import Actor, Role
from mhms_app.audit import chain
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.audit.service import Origin
from mhms_app.booking import service as booking
from mhms_app.errors import LoginRequired, NotAllowed
from mhms_app.oversight import trail
from mhms_app.oversight.checks import Check
from mhms_app.oversight.trail import Filter, TrailRow
from tests import builders
from tests.conftest import NOW

pytestmark = pytest.mark.usefixtures("now")


class Clinic:
    """Two patients with one booked appointment, and an administrator who has changed a name."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.admin = builders.actor(session, builders.user(session, role=Role.ADMIN, name="Ada Office"))
        self.doctor = builders.doctor(session, name="Dr. Amira Haddad")
        self.jo, self.kim = builders.patient(session, name="Jo Moreau"), builders.patient(session, name="Kim Weber")
        slot = builders.slot(session, self.doctor, NOW + timedelta(days=2))
        jo = builders.actor(session, self.jo)
        audit.come_from(session, Origin("203.0.113.7", jo.session_id))
        self.booked = booking.book(session, jo, slot_id=builders.key(slot), reason="", key="k")
        audit.come_from(session, Origin("198.51.100.4", self.admin.session_id))
        for person in (self.jo, self.kim):
            self.record("user.edit", person.user_id)
        audit.come_from(session, Origin("198.51.100.4", 99, acted_by=self.admin.user_id))
        audit.record(session, actor_id=self.kim.user_id, action="waiting.join", object_type="waiting", object_id=5)
        audit.come_from(session, Origin())
        session.flush()

    def record(self, action: str, user_id: int) -> None:
        audit.record(self.session, actor_id=self.admin.user_id, action=action, object_type="user", object_id=user_id)

    def find(self, **query: str) -> list[TrailRow]:
        rows = trail.list_entries(self.session, self.admin, wanted=Filter.of(query)).rows
        return [row for row in rows if row.action not in ("session.open", "audit.list")]


@pytest.fixture
def clinic(session: Session) -> Clinic:
    return Clinic(session)


def actions(rows: list[TrailRow]) -> list[str]:
    return [row.action for row in rows]


def test_what_belongs_to_one_event_is_found_by_its_id(clinic: Clinic) -> None:
    with trace.under_way("aaaa0000bbbb"):
        clinic.record("user.lock", clinic.jo.user_id)
    (found,) = clinic.find(q=" AAAA0000BBBB")
    assert (found.action, found.event_id) == ("user.lock", "aaaa0000bbbb")
    assert clinic.find(q="aaaa0000bbbc") == []


def test_each_entry_says_who_did_what_to_whose_record_when_and_from_where(clinic: Clinic) -> None:
    waiting, _, edited, booked = clinic.find()
    assert (booked.actor, booked.what, booked.about) == (
        "Jo Moreau",
        "booked an appointment",
        f"{clinic.booked.reference}, Jo Moreau",
    )
    assert (booked.address, booked.at, booked.acted_by) == ("203.0.113.7", NOW, "")
    assert (edited.actor, edited.about, edited.address) == ("Ada Office", "Jo Moreau", "198.51.100.4")
    assert (waiting.actor, waiting.acted_by, waiting.about, waiting.session_id) == (
        "Kim Weber",
        "Ada Office",
        "Waiting 5",
        99,
    )


def test_a_persons_entries_are_what_they_did_what_was_done_as_them_and_to_their_records(clinic: Clinic) -> None:
    assert actions(clinic.find(person=str(clinic.jo.user_id))) == ["user.edit", "appointment.book"]
    assert actions(clinic.find(person=str(clinic.kim.user_id))) == ["waiting.join", "user.edit"]
    assert actions(clinic.find(person=str(clinic.admin.user_id))) == ["waiting.join", "user.edit", "user.edit"]
    assert clinic.find(person=str(clinic.doctor.user_id)) == []


def test_people_are_found_by_name_and_appointments_by_number(clinic: Clinic) -> None:
    assert actions(clinic.find(q="moreau")) == ["user.edit", "appointment.book"]
    assert actions(clinic.find(q=clinic.booked.reference.lower())) == ["appointment.book"]
    assert clinic.find(q="nobody is called this") == []


def test_entries_are_narrowed_by_group_day_and_thing(clinic: Clinic) -> None:
    assert actions(clinic.find(group="accounts")) == ["user.edit", "user.edit"]
    assert actions(clinic.find(group="accounts", person=str(clinic.kim.user_id))) == ["user.edit"]
    assert actions(clinic.find(object=f"appointment-{clinic.booked.id}")) == ["appointment.book"]
    assert len(clinic.find(**{"from": "2026-11-23", "to": "2026-11-23"})) == 4
    assert clinic.find(to="2026-11-22") == clinic.find(**{"from": "2026-11-24"}) == []


@pytest.mark.parametrize(
    "query", [{"person": "x"}, {"group": "none"}, {"from": "x", "to": "9999"}, {"person": "9" * 30}, {}]
)
def test_what_makes_no_sense_leaves_the_question_open(clinic: Clinic, query: dict[str, str]) -> None:
    assert len(clinic.find(**query)) == 4


@pytest.mark.parametrize("thing", ["appointment-x", "-", "a\0b-1", "user-9999999999"])
def test_a_thing_that_is_none_leaves_the_question_open(clinic: Clinic, thing: str) -> None:
    assert clinic.find(object=thing) == clinic.find() != []


def test_pages_count_all_and_show_the_newest_first(clinic: Clinic) -> None:
    for number in range(30):
        db.clock.freeze(NOW + timedelta(minutes=number))
        clinic.record("user.edit", clinic.jo.user_id)
    wanted = Filter(group="accounts")
    page = trail.list_entries(clinic.session, clinic.admin, wanted=wanted, page=2, size=10)
    assert page.total == 32
    assert [row.at for row in page.rows] == [NOW + timedelta(minutes=number) for number in range(19, 9, -1)]


def test_an_export_goes_through_everything_once_and_is_in_the_trail(clinic: Clinic) -> None:
    wanted, found, last = Filter(person_id=clinic.jo.user_id), [], 0
    while rows := trail.export_entries(clinic.session, clinic.admin, wanted=wanted, after_id=last, size=1):
        found += rows
        last = rows[-1].id
    assert [row.action for row in found] == ["session.open", "appointment.book", "user.edit"]
    (entry,) = clinic.session.exec(select(AuditEntry).where(AuditEntry.action == "audit.export")).all()
    assert (entry.actor_id, entry.detail) == (clinic.admin.user_id, "by person")


READS: tuple[Callable[[Session, Actor | None], Any], ...] = (
    lambda session, actor: trail.list_entries(session, actor, wanted=Filter()),
    lambda session, actor: trail.export_entries(session, actor, wanted=Filter()),
    trail.standing,
    trail.verify,
    lambda session, actor: trail.note_check(session, actor, found=chain.Verified(chain.START, "", 0)),
    lambda session, actor: trail.name_of(session, actor, user_id=1),
)


@pytest.mark.parametrize("read", READS)
def test_only_administrators_read_it(clinic: Clinic, read: Callable[[Session, Actor | None], Any]) -> None:
    for person in (clinic.jo, clinic.doctor):
        with pytest.raises(NotAllowed):
            read(clinic.session, builders.actor(clinic.session, person))
    with pytest.raises(LoginRequired):
        read(clinic.session, None)
    read(clinic.session, clinic.admin)


def test_an_administrator_verifies_it_and_everybody_sees_when(clinic: Clinic) -> None:
    clinic.session.commit()
    chain.seal_all()
    with db.transaction() as session:
        assert trail.standing(session, clinic.admin).check is None
        found = trail.verify(session, clinic.admin)
        trail.note_check(session, clinic.admin, found=found)
    with db.transaction(read_only=True) as session:
        standing = trail.standing(session, clinic.admin)
        assert standing.check == Check(NOW, "", standing.head.position)
        assert session.exec(select(AuditEntry.actor_id).where(AuditEntry.action == "audit.verify")).all() == [
            clinic.admin.user_id
        ]


def test_names_are_those_of_now_and_a_person_who_is_gone_has_none(clinic: Clinic) -> None:
    clinic.session.get_one(User, clinic.jo.user_id).full_name = "Jo Lindt"
    clinic.record("user.edit", 999_999)
    clinic.session.flush()
    nobody, *_, booked = clinic.find(group="accounts") + clinic.find(group="appointments")
    assert nobody.about == "User 999999"
    assert booked.actor == "Jo Lindt"
