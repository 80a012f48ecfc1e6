"""The administrator's list of everybody with an account."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import Session

from mhms_app.actor import Actor, Role
from mhms_app.directory import people
from mhms_app.directory.people import PersonRow
from mhms_app.errors import Invalid, LoginRequired, NotAllowed, NotFound
from tests import builders


@pytest.fixture
def admin(session: Session) -> Actor:
    return builders.actor(
        session, builders.user(session, role=Role.ADMIN, name="Ada Admin", email="ada@clinic.example")
    )


def test_people_are_listed_by_name_found_and_paged(session: Session, admin: Actor) -> None:
    for name in ("Zoë Marsh", "Anna Straße", "jo Moreau", "Moritz 100%"):
        builders.user(session, name=name)

    def names(**wanted: Any) -> list[str]:
        return [row.name for row in people.list_people(session, admin, **wanted).rows]

    assert names() == ["Ada Admin", "Anna Straße", "jo Moreau", "Moritz 100%", "Zoë Marsh"]
    assert names(search="STRASSE") == ["Anna Straße"]
    assert names(search="@clinic.") == ["Ada Admin"]
    assert names(search="100%") == ["Moritz 100%"]
    assert names(search="_") == []
    assert names(search="\x00") == names()
    assert names(role="admin") == ["Ada Admin"]
    assert names(page=2, size=2) == ["jo Moreau", "Moritz 100%"]
    assert people.list_people(session, admin, page=9, size=2).total == 5
    with pytest.raises(Invalid):
        names(role="owner")


def test_people_are_found_by_the_state_of_their_account(session: Session, admin: Actor) -> None:
    builders.user(session, name="Carl Closed", active=False)
    ward = builders.department(session, name="Cardiology")
    builders.doctor(session, name="Dr. Pia Pending", within=ward, approved=False)
    doctor = builders.doctor(session, name="Dr. Uma Umar", within=ward)

    def found(status: str) -> list[PersonRow]:
        return list(people.list_people(session, admin, status=status).rows)

    assert [row.name for row in found("inactive")] == ["Carl Closed"]
    assert [row.name for row in found("active")] == ["Ada Admin", "Dr. Pia Pending", "Dr. Uma Umar"]
    (pending,) = found("pending")
    assert (pending.name, pending.department, pending.approved) == ("Dr. Pia Pending", "Cardiology", False)
    row = people.get_person(session, admin, user_id=doctor.user_id)
    assert (row.doctor_id, row.department_id, row.approved) == (doctor.id, ward.id, True)


def test_somebody_who_is_a_doctor_no_longer_is_shown_without_a_department(session: Session, admin: Actor) -> None:
    doctor = builders.doctor(session)
    people.assign_role(session, admin, user_id=doctor.user_id, role="patient", department_id=None)
    row = people.get_person(session, admin, user_id=doctor.user_id)
    assert (row.doctor_id, row.department, row.approved) == (None, "", False)


def test_only_administrators_see_people(session: Session) -> None:
    doctor = builders.actor(session, builders.doctor(session))
    for actor, refusal in ((None, LoginRequired), (doctor, NotAllowed)):
        with pytest.raises(refusal):
            people.list_people(session, actor)
        with pytest.raises(refusal):
            people.get_person(session, actor, user_id=1)


def test_an_unknown_person_is_not_found(session: Session, admin: Actor) -> None:
    with pytest.raises(NotFound):
        people.get_person(session, admin, user_id=4711)
