"""Departments, doctors, signing up and roles, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts import service as accounts
from mhms_app.accounts import sessions
from mhms_app.accounts.models import Patient, User
from mhms_app.accounts.service import EmailTaken, LastAdministrator
from mhms_app.accounts.sessions import resolve
from mhms_app.actor import Actor, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.directory import departments, people
from mhms_app.directory import service as directory
from mhms_app.directory.departments import DepartmentInUse
from mhms_app.directory.models import Department, Doctor
from mhms_app.directory.people import DepartmentClosed, SignedUp
from mhms_app.errors import ClinicError, Invalid, LoginRequired, NotAllowed, NotFound
from mhms_app.notifications.models import OutboxMessage
from tests import builders as make


@dataclass
class Cast:
    """A department with a doctor, a patient and an administrator, all logged in."""

    cardiology: Department
    doctor: Doctor
    doctor_id: int
    me: Actor
    patient: Actor
    admin: Actor


@pytest.fixture
def cast(session: Session, now: datetime) -> Cast:
    cardiology = make.department(session, name="Cardiology")
    doctor = make.doctor(session, within=cardiology)
    return Cast(
        cardiology,
        doctor,
        make.key(doctor),
        make.actor(session, doctor),
        make.actor(session, make.patient(session)),
        make.actor(session, make.user(session, role=Role.ADMIN, name="Ines Carvalho")),
    )


def actions(session: Session, prefix: str) -> list[tuple[str, int | None, int | None]]:
    """What the audit trail has on a kind of action: what, by whom, to what."""
    entries = session.exec(select(AuditEntry).order_by(AuditEntry.id)).all()  # type: ignore[arg-type]
    return [(entry.action, entry.actor_id, entry.object_id) for entry in entries if entry.action.startswith(prefix)]


def messages(session: Session) -> list[tuple[str, str, dict[str, Any]]]:
    return [(one.kind, one.recipient_email, one.payload) for one in session.exec(select(OutboxMessage)).all()]


# --- departments ---


def test_everybody_sees_the_open_departments_by_name(session: Session, cast: Cast) -> None:
    closed = make.department(session, name="Anesthesia")
    closed.active = False
    make.department(session, name="Dermatology")
    make.doctor(session, within=cast.cardiology, approved=False)
    for actor in (None, cast.patient, cast.me, cast.admin):
        found = departments.list_departments(session, actor)
        assert [(row.name, row.doctors) for row in found] == [("Cardiology", 1), ("Dermatology", 0)]
    assert found[0].location == "Building B, 2nd floor"


def test_only_an_administrator_sees_closed_departments(session: Session, cast: Cast) -> None:
    make.department(session, name="Anesthesia").active = False
    session.flush()
    found = departments.list_departments(session, cast.admin, include_closed=True)
    assert [(row.name, row.active) for row in found] == [("Anesthesia", False), ("Cardiology", True)]
    for actor, refusal in ((None, LoginRequired), (cast.patient, NotAllowed), (cast.me, NotAllowed)):
        with pytest.raises(refusal):
            departments.list_departments(session, actor, include_closed=True)


def save(session: Session, actor: Actor | None, **changes: Any) -> departments.DepartmentRow:
    words = {"department_id": None, "name": "Neurology", "description": "Nerves.", "location": "4th floor"}
    return departments.save_department(session, actor, **{**words, **changes})


def test_an_administrator_adds_and_changes_departments(session: Session, cast: Cast) -> None:
    added = save(session, cast.admin, name="  Neuro\u0000logy ")
    assert (added.name, added.description, added.location, added.active, added.doctors) == (
        "Neurology",
        "Nerves.",
        "4th floor",
        True,
        0,
    )
    changed = save(session, cast.admin, department_id=added.id, name="NEUROLOGY", description="")
    assert (changed.id, changed.name, changed.description) == (added.id, "NEUROLOGY", "")
    assert save(session, cast.admin, department_id=cast.cardiology.id, name="Heart").doctors == 1
    assert actions(session, "department")[:2] == [
        ("department.add", cast.admin.user_id, added.id),
        ("department.edit", cast.admin.user_id, added.id),
    ]


@pytest.mark.parametrize("name", ["Cardiology", "CARDIOLOGY", " cardiology "])
def test_a_name_is_given_once_regardless_of_case(session: Session, cast: Cast, name: str) -> None:
    for department_id in (None, make.key(make.department(session, name="Neurology"))):
        with pytest.raises(Invalid, match="already a department") as refusal:
            save(session, cast.admin, name=name, department_id=department_id)
        assert refusal.value.field == "name"
    assert len(departments.list_departments(session, cast.admin, include_closed=True)) == 2, "the transaction goes on"


def test_a_department_that_makes_no_sense_is_refused(session: Session, cast: Cast) -> None:
    with pytest.raises(Invalid) as refusal:
        save(session, cast.admin, name=" ")
    assert refusal.value.field == "name"
    with pytest.raises(NotFound):
        save(session, cast.admin, department_id=987654)


def test_a_department_with_doctors_is_not_closed(session: Session, cast: Cast) -> None:
    with pytest.raises(DepartmentInUse, match="1 approved doctor still works in Cardiology"):
        departments.set_department_active(session, cast.admin, department_id=make.key(cast.cardiology), active=False)
    make.doctor(session, within=cast.cardiology)
    with pytest.raises(DepartmentInUse, match="2 approved doctors still work"):
        departments.set_department_active(session, cast.admin, department_id=make.key(cast.cardiology), active=False)


def test_an_empty_department_is_closed_and_opened(session: Session, cast: Cast) -> None:
    empty = make.key(make.department(session, name="Neurology"))
    make.doctor(session, within=session.get_one(Department, empty), approved=False)
    assert departments.set_department_active(session, cast.admin, department_id=empty, active=False).active is False
    assert [row.name for row in departments.list_departments(session, None)] == ["Cardiology"]
    assert departments.set_department_active(session, cast.admin, department_id=empty, active=True).active is True
    assert [action for action, _, _ in actions(session, "department")] == ["department.close", "department.open"]
    with pytest.raises(NotFound):
        departments.set_department_active(session, cast.admin, department_id=987654, active=True)


def test_of_closing_a_department_and_approving_its_doctor_at_the_same_moment_one_happens(
    session: Session, cast: Cast
) -> None:
    for _ in range(4):
        department = make.department(session)
        doctor_id = make.key(make.doctor(session, within=department, approved=False))
        department_id = make.key(department)
        session.commit()
        barrier = Barrier(2)

        def run(use_case: Callable[..., object], barrier: Barrier = barrier, **arguments: Any) -> object:
            barrier.wait(10)
            try:
                with db.transaction() as other:
                    return use_case(other, cast.admin, **arguments)
            except ClinicError as refusal:
                return refusal

        with ThreadPoolExecutor(2) as threads:
            closing = threads.submit(run, departments.set_department_active, department_id=department_id, active=False)
            approving = threads.submit(run, people.set_approved, doctor_id=doctor_id, approved=True)
        outcomes = (closing.result(), approving.result())
        assert sum(isinstance(outcome, DepartmentInUse | DepartmentClosed) for outcome in outcomes) == 1, outcomes


# --- who is a doctor, and who sees them ---


def test_a_doctor_is_asked_for(session: Session, cast: Cast) -> None:
    assert directory.require_doctor(session, cast.me).id == cast.doctor_id
    new = make.actor(session, make.doctor(session, approved=False))
    assert directory.require_doctor(session, new).approved is False
    for actor, refusal in ((None, LoginRequired), (cast.patient, NotAllowed), (cast.admin, NotAllowed)):
        with pytest.raises(refusal):
            directory.require_doctor(session, actor)


def test_everybody_finds_an_approved_doctor(session: Session, cast: Cast) -> None:
    for actor in (None, cast.patient, cast.me, cast.admin):
        found = directory.get_doctor(session, actor, doctor_id=cast.doctor_id)
        assert (found.name, found.title, found.department) == ("Dr. Amira Haddad", "Consultant", "Cardiology")
        assert (found.location, found.approved) == ("Building B, 2nd floor", True)


def test_a_hidden_doctor_is_found_by_themself_and_administrators_only(session: Session, cast: Cast) -> None:
    unapproved = make.doctor(session, name="Dr. Emil Novak", approved=False)
    in_closed = make.doctor(session, name="Dr. Lilla Varga")
    session.get_one(Department, in_closed.department_id).active = False
    session.flush()
    for doctor in (unapproved, in_closed):
        doctor_id = make.key(doctor)
        for actor in (None, cast.patient, cast.me):
            with pytest.raises(NotFound) as hidden:
                directory.get_doctor(session, actor, doctor_id=doctor_id)
            with pytest.raises(NotFound) as missing:
                directory.get_doctor(session, actor, doctor_id=987654)
            assert hidden.value.sentence == missing.value.sentence
        for actor in (make.actor(session, doctor), cast.admin):
            assert directory.get_doctor(session, actor, doctor_id=doctor_id).id == doctor_id


def test_a_closed_account_is_hidden_too(session: Session, cast: Cast) -> None:
    session.get_one(User, cast.doctor.user_id).active = False
    session.flush()
    with pytest.raises(NotFound):
        directory.get_doctor(session, None, doctor_id=cast.doctor_id)
    assert directory.search_doctors(session, None).total == 0
    assert departments.list_departments(session, None)[0].doctors == 0


# --- finding one ---


def test_doctors_are_found_by_name_title_and_department(session: Session, cast: Cast) -> None:
    ingrid = make.doctor(session, name="Dr. Ingrid Ångström", within=make.department(session, name="Orthopedics"))
    ingrid.title, ingrid.title_key = "Ärztin für Knie_100%", "ärztin für knie_100%"
    make.doctor(session, name="Dr. Hidden Haddad", approved=False)

    def names(search: str) -> list[str]:
        return [row.name for row in directory.search_doctors(session, None, search=search).rows]

    both = ["Dr. Amira Haddad", "Dr. Ingrid Ångström"]
    assert names("") == names("  ") == names("dr.") == both
    assert names("HADDAD") == names("amira cardio") == names("consultant") == both[:1]
    assert names("ångSTRÖM") == names("ÄRZTIN ortho") == names("e_100%") == both[1:]
    assert names("%") == both[1:], "a sign that means something to LIKE is a sign"
    assert names("haddad ortho") == names("nobody") == names("\x00nobody") == names("' OR 1=1 --") == []


def test_doctors_are_filtered_by_department_and_paged(session: Session, cast: Cast) -> None:
    for number in range(5):
        make.doctor(session, name=f"Dr. Number {number}", within=cast.cardiology)
    make.doctor(session, name="Dr. Elsewhere")
    pages = [
        directory.search_doctors(session, None, department_id=cast.cardiology.id, page=page, size=4)
        for page in (1, 2, 3)
    ]
    assert [page.total for page in pages] == [6, 6, 6]
    assert [len(page.rows) for page in pages] == [4, 2, 0]
    names = [row.name for page in pages for row in page.rows]
    assert names == sorted(names)
    assert "Dr. Elsewhere" not in names
    assert directory.search_doctors(session, None, department_id=987654).total == 0


def test_an_administrator_lists_all_doctors(session: Session, cast: Cast) -> None:
    make.doctor(session, name="Dr. Emil Novak", approved=False)
    found = directory.list_all_doctors(session, cast.admin)
    assert [(row.name, row.approved) for row in found] == [("Dr. Amira Haddad", True), ("Dr. Emil Novak", False)]
    assert [row.name for row in directory.list_pending_doctors(session, cast.admin)] == ["Dr. Emil Novak"]
    for actor, refusal in ((None, LoginRequired), (cast.patient, NotAllowed), (cast.me, NotAllowed)):
        for use_case in (directory.list_all_doctors, directory.list_pending_doctors):
            with pytest.raises(refusal):
                use_case(session, actor)


# --- signing up ---


def sign_up(session: Session, **changes: Any) -> SignedUp:
    typed: dict[str, Any] = {
        "email": "Lilla.Varga@example.com",
        "full_name": "Dr. Lilla Varga",
        "password_hash": make.password_hash(),
        "role": "doctor",
        "department_id": None,
        "auto_approve": False,
    }
    return people.sign_up(session, **{**typed, **changes})


def test_a_patient_signs_up_and_is_welcomed(session: Session, cast: Cast) -> None:
    found = sign_up(session, role="patient", full_name="Jo Moreau", email="jo@example.com")
    assert (found.role, found.awaiting_approval) == (Role.PATIENT, False)
    assert session.exec(select(Patient).where(Patient.user_id == found.user_id)).one()
    ((kind, email, payload),) = messages(session)
    assert (kind, email) == ("SIGNUP_WELCOME", "jo@example.com")
    assert (payload["role"], payload["awaiting_approval"]) == ("patient", False)
    assert actions(session, "user.sign_up") == [("user.sign_up", found.user_id, found.user_id)]


@pytest.mark.parametrize("auto_approve", [True, False])
def test_a_doctor_signs_up_with_a_department(session: Session, cast: Cast, auto_approve: bool) -> None:
    found = sign_up(session, department_id=cast.cardiology.id, auto_approve=auto_approve)
    assert (found.role, found.awaiting_approval) == (Role.DOCTOR, not auto_approve)
    row = people.get_person(session, cast.admin, user_id=found.user_id)
    assert (row.department, row.approved) == ("Cardiology", auto_approve)
    assert directory.search_doctors(session, None, search="varga").total == int(auto_approve)
    assert messages(session)[0][2]["awaiting_approval"] is not auto_approve


@pytest.mark.parametrize("role", ["admin", "Admin", "", "owner"])
def test_nobody_becomes_an_administrator_by_signing_up(session: Session, cast: Cast, role: str) -> None:
    before = len(session.exec(select(User)).all())
    with pytest.raises(Invalid) as refusal:
        sign_up(session, role=role, department_id=cast.cardiology.id)
    assert refusal.value.field == "role"
    assert len(session.exec(select(User)).all()) == before
    assert messages(session) == []


def test_a_doctor_needs_an_open_department(session: Session, cast: Cast) -> None:
    closed = make.department(session, name="Anesthesia")
    closed.active = False
    session.flush()
    for department_id in (None, 987654, closed.id):
        with pytest.raises(Invalid) as refusal:
            sign_up(session, department_id=department_id)
        assert refusal.value.field == "department"
    assert messages(session) == []


def test_an_address_is_used_once(session: Session, cast: Cast) -> None:
    sign_up(session, role="patient")
    with pytest.raises(EmailTaken):
        sign_up(session, role="patient", email="lilla.varga@EXAMPLE.com")
    assert len(messages(session)) == 1


def test_the_form_shows_every_error_beside_its_field() -> None:
    problems = people.validate_signup(email="nobody", full_name="", role="doctor", department_id="")
    assert set(problems) == {"email", "full_name", "department"}
    assert all(sentence.endswith(".") for sentence in problems.values())
    fine = {"email": "jo@example.com", "full_name": "Jo Moreau", "role": "patient", "department_id": ""}
    assert people.validate_signup(**fine) == {}


# --- profiles and approval ---

WORDS = {"title": "Cardiologist", "bio": "Draws\nevery finding.", "languages": "English, Arabic"}


def test_doctors_edit_their_own_profile_and_administrators_any(session: Session, cast: Cast) -> None:
    mine = directory.edit_profile(session, cast.me, doctor_id=None, **WORDS)
    assert (mine.title, mine.bio, mine.languages) == ("Cardiologist", "Draws\nevery finding.", "English, Arabic")
    assert directory.search_doctors(session, None, search="cardiologist").total == 1
    changed = directory.edit_profile(session, cast.admin, doctor_id=cast.doctor_id, **{**WORDS, "title": "Surgeon"})
    assert changed.title == "Surgeon"
    assert directory.search_doctors(session, None, search="cardiologist").total == 0
    assert actions(session, "doctor") == [
        ("doctor.edit", cast.me.user_id, cast.doctor_id),
        ("doctor.edit", cast.admin.user_id, cast.doctor_id),
    ]


def test_nobody_edits_somebody_elses_profile(session: Session, cast: Cast) -> None:
    colleague = make.actor(session, make.doctor(session, name="Dr. Samuel Okafor"))
    for actor, doctor_id, refusal in (
        (None, cast.doctor_id, LoginRequired),
        (cast.patient, cast.doctor_id, NotAllowed),
        (cast.patient, None, NotAllowed),
        (cast.admin, None, NotAllowed),
        (colleague, cast.doctor_id, NotFound),
        (colleague, 987654, NotFound),
        (cast.admin, 987654, NotFound),
    ):
        with pytest.raises(refusal):
            directory.edit_profile(session, actor, doctor_id=doctor_id, **WORDS)
    assert directory.get_doctor(session, None, doctor_id=cast.doctor_id).title == "Consultant"


def test_a_profile_that_is_too_long_is_refused(session: Session, cast: Cast) -> None:
    with pytest.raises(Invalid) as refusal:
        directory.edit_profile(session, cast.me, doctor_id=None, **{**WORDS, "bio": "x" * 601})
    assert refusal.value.field == "bio"


def test_an_administrator_approves_and_takes_it_back(session: Session, cast: Cast) -> None:
    doctor = make.doctor(session, name="Dr. Emil Novak", approved=False)
    doctor_id = make.key(doctor)
    assert people.set_approved(session, cast.admin, doctor_id=doctor_id, approved=True).approved is True
    assert directory.search_doctors(session, None, search="novak").total == 1
    assert directory.list_pending_doctors(session, cast.admin) == ()
    assert people.set_approved(session, cast.admin, doctor_id=doctor_id, approved=False).approved is False
    assert directory.search_doctors(session, None, search="novak").total == 0
    assert [action for action, _, _ in actions(session, "doctor")] == ["doctor.approve", "doctor.disapprove"]


def test_only_administrators_approve_and_only_in_an_open_department(session: Session, cast: Cast) -> None:
    doctor = make.doctor(session, approved=False)
    session.get_one(Department, doctor.department_id).active = False
    session.flush()
    myself = make.actor(session, doctor)
    for actor, refusal in ((None, LoginRequired), (cast.patient, NotAllowed), (myself, NotAllowed)):
        with pytest.raises(refusal):
            people.set_approved(session, actor, doctor_id=make.key(doctor), approved=True)
    with pytest.raises(DepartmentClosed):
        people.set_approved(session, cast.admin, doctor_id=make.key(doctor), approved=True)
    with pytest.raises(NotFound):
        people.set_approved(session, cast.admin, doctor_id=987654, approved=True)


# --- accounts by an administrator ---


def create(session: Session, actor: Actor | None, **changes: Any) -> accounts.UserRow:
    typed: dict[str, Any] = {
        "email": "new@example.com",
        "full_name": "Noor El-Masri",
        "phone": " 030 5550 100 ",
        "role": "patient",
        "department_id": None,
        "password": "four-words-in-mail",
        "password_hash": make.password_hash(),
    }
    return people.create_user(session, actor, **{**typed, **changes})


@pytest.mark.parametrize("role", ["patient", "doctor", "admin"])
def test_an_administrator_creates_any_account_and_its_password_is_mailed(
    session: Session, cast: Cast, role: str
) -> None:
    department_id = cast.cardiology.id if role == "doctor" else None
    row = create(session, cast.admin, role=role, department_id=department_id)
    assert (row.name, row.email, row.phone, row.role, row.active) == (
        "Noor El-Masri",
        "new@example.com",
        "030 5550 100",
        Role(role),
        True,
    )
    ((kind, email, payload),) = messages(session)
    assert (kind, email, payload["temporary_password"]) == ("ACCOUNT_PASSWORD", "new@example.com", "four-words-in-mail")
    assert people.get_person(session, cast.admin, user_id=row.id).approved == (role == "doctor")
    assert actions(session, "user.add") == [("user.add", cast.admin.user_id, row.id)]


def test_an_account_that_makes_no_sense_is_refused_beside_its_field(session: Session, cast: Cast) -> None:
    for field, changes in (
        ("role", {"role": "owner"}),
        ("department", {"role": "doctor"}),
        ("email", {"email": "nobody"}),
        ("full_name", {"full_name": " "}),
        ("phone", {"phone": "1" * 41}),
    ):
        with pytest.raises(Invalid) as refusal:
            create(session, cast.admin, **changes)
        assert refusal.value.field == field
    with pytest.raises(EmailTaken):
        create(session, cast.admin, email=cast.patient.email.upper())
    assert messages(session) == []


def test_only_an_administrator_creates_accounts_and_assigns_roles(session: Session, cast: Cast) -> None:
    for actor, refusal in ((None, LoginRequired), (cast.patient, NotAllowed), (cast.me, NotAllowed)):
        with pytest.raises(refusal):
            create(session, actor, role="admin")
        with pytest.raises(refusal):
            assign(session, actor, cast.patient.user_id, "admin")


def assign(
    session: Session, actor: Actor | None, user_id: int, role: str, department_id: int | None = None
) -> accounts.UserRow:
    return people.assign_role(session, actor, user_id=user_id, role=role, department_id=department_id)


def test_a_patient_becomes_an_approved_doctor_and_is_logged_out(session: Session, cast: Cast) -> None:
    user = make.user(session, name="Mei-Ling Wu")
    token = sessions.open_session(session, user_id=make.key(user))
    session.flush()
    row = assign(session, cast.admin, make.key(user), "doctor", cast.cardiology.id)
    assert row.role is Role.DOCTOR
    assert directory.search_doctors(session, None, search="mei-ling").total == 1
    assert resolve(session, token) is None
    assert actions(session, "user.assign_role") == [("user.assign_role", cast.admin.user_id, user.id)]


def test_a_new_doctor_needs_an_open_department(session: Session, cast: Cast) -> None:
    user_id = make.key(make.user(session))
    for department_id in (None, 987654):
        with pytest.raises(Invalid) as refusal:
            assign(session, cast.admin, user_id, "doctor", department_id)
        assert refusal.value.field == "department"
    assert accounts.get_user(session, cast.admin, user_id=user_id).role is Role.PATIENT


def test_who_stops_being_a_doctor_is_hidden_and_who_returns_is_found(session: Session, cast: Cast) -> None:
    assign(session, cast.admin, cast.me.user_id, "patient")
    assert directory.search_doctors(session, None).total == 0
    assert directory.list_all_doctors(session, cast.admin) == ()
    assert directory.list_pending_doctors(session, cast.admin) == ()
    with pytest.raises(Invalid):
        assign(session, cast.admin, cast.me.user_id, "doctor")
    neurology = make.department(session, name="Neurology")
    assign(session, cast.admin, cast.me.user_id, "doctor", neurology.id)
    (found,) = directory.search_doctors(session, None).rows
    assert (found.id, found.department) == (cast.doctor_id, "Neurology")


def test_a_doctor_moves_to_another_department_and_stays_as_approved_as_before(session: Session, cast: Cast) -> None:
    neurology = make.department(session, name="Neurology")
    waiting = make.doctor(session, name="Dr. Emil Novak", approved=False, within=cast.cardiology)
    assign(session, cast.admin, waiting.user_id, "doctor", neurology.id)
    assign(session, cast.admin, cast.me.user_id, "doctor")
    found = directory.list_all_doctors(session, cast.admin)
    assert [(row.name, row.department, row.approved) for row in found] == [
        ("Dr. Amira Haddad", "Cardiology", True),
        ("Dr. Emil Novak", "Neurology", False),
    ]


def test_the_last_administrator_stays_and_unknown_users_and_roles_are_refused(session: Session, cast: Cast) -> None:
    with pytest.raises(LastAdministrator):
        assign(session, cast.admin, cast.admin.user_id, "patient")
    with pytest.raises(NotFound):
        assign(session, cast.admin, 987654, "patient")
    with pytest.raises(Invalid) as refusal:
        assign(session, cast.admin, cast.patient.user_id, "owner")
    assert refusal.value.field == "role"


def test_two_administrators_who_demote_each_other_leave_one(session: Session, cast: Cast) -> None:
    other = make.actor(session, make.user(session, role=Role.ADMIN))
    session.commit()
    barrier = Barrier(2)

    def demote(actor: Actor, user_id: int) -> object:
        barrier.wait(10)
        try:
            with db.transaction() as mine:
                return assign(mine, actor, user_id, "patient")
        except ClinicError as refusal:
            return refusal

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(demote, cast.admin, other.user_id)
        two = threads.submit(demote, other, cast.admin.user_id)
    assert sorted(type(outcome.result()).__name__ for outcome in (one, two)) == ["LastAdministrator", "UserRow"]
