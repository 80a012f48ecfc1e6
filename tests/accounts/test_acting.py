"""An administrator acts as somebody else: for a reason, for a while, under both names, without what is theirs alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.accounts import acting, entrance, sessions
from mhms_app.accounts import service as accounts
from mhms_app.accounts.acting import NotThisPerson
from mhms_app.accounts.models import Acting, KnownDevice, LoginSession, User
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Actor, Role, require_oneself
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.audit.service import Origin
from mhms_app.booking import leave
from mhms_app.booking import service as booking
from mhms_app.booking.statement import book_at_once
from mhms_app.calendars import google
from mhms_app.calendars import service as calendars
from mhms_app.errors import Invalid, LoginRequired, NotAllowed, NotAsSomebodyElse, NotFound
from mhms_app.notifications.models import OutboxMessage
from tests import builders

WHY = "Cannot log in, asks by phone to move the appointment."
HERE = Browser("Firefox on Windows", "203.0.113.5")


class Office:
    """An administrator with a session, and a patient."""

    def __init__(self) -> None:
        with db.transaction() as session:
            self.admin = builders.key(builders.user(session, role=Role.ADMIN, name="Ada Office"))
            builders.user(session, role=Role.ADMIN)
            self.patient = builders.patient(session).user_id
            self.own = sessions.open_session(session, user_id=self.admin)

    def begin(self, *, reason: str = WHY, user_id: int = 0, token: str = "") -> acting.Changed:
        with db.transaction() as session:
            who = sessions.resolve(session, token or self.own)
            return acting.begin(session, who, user_id=user_id or self.patient, reason=reason, browser=HERE)


@pytest.fixture
def office(database: str, now: datetime) -> Office:
    return Office()


def who(token: str) -> Actor | None:
    with db.transaction(read_only=True) as session:
        return sessions.resolve(session, token, address="203.0.113.5")


def end(token: str) -> acting.Changed:
    with db.transaction() as session:
        return acting.end(session, token=token)


def test_the_administrator_is_the_patient_for_half_an_hour_and_comes_back(office: Office, now: datetime) -> None:
    begun = office.begin()
    there = who(begun.token)
    assert there is not None
    assert (there.user_id, there.role, there.acted_by) == (office.patient, Role.PATIENT, office.admin)
    assert there.acting_until == now + timedelta(minutes=30)
    assert who(office.own) is None  # it stands still: the browser has no token of it
    back = end(begun.token)
    assert back.role is Role.ADMIN
    assert back.token not in (office.own, begun.token)
    own = who(back.token)
    assert own is not None
    assert (own.user_id, own.acted_by) == (office.admin, None)
    assert who(begun.token) is who(office.own) is None


def test_after_its_time_nothing_can_be_done_but_to_come_back_once(office: Office, now: datetime) -> None:
    begun = office.begin()
    db.clock.freeze(now + timedelta(minutes=30))
    assert who(begun.token) is None
    assert who(end(begun.token).token) is not None
    with pytest.raises(LoginRequired):
        end(begun.token)


def test_whoever_stays_away_for_too_long_logs_in_again(office: Office, now: datetime) -> None:
    begun = office.begin()
    db.clock.freeze(now + timedelta(minutes=61))
    with pytest.raises(LoginRequired):
        end(begun.token)


def test_a_token_of_somebody_who_acts_for_themselves_leads_nowhere(office: Office) -> None:
    for token in (office.own, "", "no token"):
        with pytest.raises(LoginRequired):
            end(token)
    assert who(office.own) is not None


def set_up(session: Session, what: str, office: Office) -> None:
    if what == "locked":
        session.get_one(User, office.admin).active = False
    elif what == "demoted":
        session.get_one(User, office.admin).role = "doctor"
    elif what == "logged out everywhere":
        sessions.close_all(session, user_id=office.admin)
    else:
        sessions.close_all(session, user_id=office.patient)


@pytest.mark.parametrize("what", ["locked", "demoted", "logged out everywhere", "the person ends their sessions"])
def test_it_is_over_at_once_when_the_administrator_is_none_any_more(office: Office, what: str) -> None:
    begun = office.begin()
    with db.transaction() as session:
        set_up(session, what, office)
    assert who(begun.token) is None


def test_nobody_acts_as_an_administrator_or_in_a_locked_account(office: Office) -> None:
    with db.transaction() as session:
        other = builders.key(builders.user(session, role=Role.ADMIN))
        locked = builders.key(builders.user(session, active=False))
    for user_id in (other, office.admin, locked):
        with pytest.raises(NotThisPerson):
            office.begin(user_id=user_id)
    with pytest.raises(NotFound):
        office.begin(user_id=999_999)
    assert who(office.own) is not None


@pytest.mark.parametrize("reason", ["", "help", " \n because ", "x" * 301])
def test_it_needs_a_reason(office: Office, reason: str) -> None:
    with pytest.raises(Invalid):
        office.begin(reason=reason)
    assert who(office.own) is not None


def test_only_administrators_act_and_only_for_themselves(office: Office) -> None:
    with db.transaction() as session:
        patient = sessions.open_session(session, user_id=office.patient)
    with pytest.raises(NotAllowed):
        office.begin(token=patient)
    with pytest.raises(NotAsSomebodyElse):
        office.begin(token=office.begin().token)


def test_what_only_the_person_may_do_is_refused(office: Office) -> None:
    person = who(office.begin().token)
    with pytest.raises(NotAsSomebodyElse):
        require_oneself(person)
    with db.transaction() as session, pytest.raises(NotAsSomebodyElse):
        calendars.create_feed(session, person, shows="own")


def test_a_doctors_leave_and_google_calendar_are_the_doctors_own(office: Office) -> None:
    with db.transaction() as session:
        doctor = builders.doctor(session).user_id
    person, day = who(office.begin(user_id=doctor).token), db.clock.today() + timedelta(days=3)
    refused: list[Callable[[Session], object]] = [
        lambda session: leave.take(session, person, first=day, last=day, choices={}),
        lambda session: google.begin(session, person),
        lambda session: google.choose(session, person, calendar=None, shows=google.Shows("busy")),
        lambda session: google.disconnect(session, person, remove=True),
    ]
    for step in refused:
        with db.transaction() as session, pytest.raises(NotAsSomebodyElse):
            step(session)


def test_everything_is_in_the_trail_under_both_names_and_the_person_is_told(office: Office) -> None:
    begun = office.begin()
    with db.transaction() as session:
        doctor = builders.doctor(session)
        slot = builders.slot(session, doctor, db.clock.now() + timedelta(days=2))
    assert book_at_once(begun.token, "203.0.113.5", slot_id=builders.key(slot), reason="", key="k") is None
    with db.transaction() as session:
        person = sessions.resolve(session, begun.token, address="203.0.113.5")
        booking.book(session, person, slot_id=builders.key(slot), reason="", key="k")
    end(begun.token)
    with db.transaction(read_only=True) as session:
        trail = session.exec(select(AuditEntry).order_by(col(AuditEntry.id))).all()
        began, booked, ended = [entry for entry in trail if entry.action != "session.open"]
        (told,) = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "ACTED_FOR_YOU")).all()
        patient = session.get_one(User, office.patient)
    assert (began.action, began.actor_id, began.object_id, began.detail) == (
        "acting.begin",
        office.admin,
        office.patient,
        WHY,
    )
    assert (booked.action, booked.actor_id, booked.acted_by, booked.address) == (
        "appointment.book",
        office.patient,
        office.admin,
        "203.0.113.5",
    )
    assert (ended.action, ended.actor_id, ended.acted_by) == ("acting.end", office.admin, None)
    assert told.recipient_email == patient.email
    assert told.payload["reason"] == WHY


def test_it_is_no_sign_in_of_the_person(office: Office) -> None:
    with db.transaction() as session:
        session.get_one(User, office.patient).password_is_temporary = True
    begun = office.begin()
    there = who(begun.token)
    assert there is not None
    assert there.must_do is None
    with db.transaction(read_only=True) as session:
        opened = select(AuditEntry).where(AuditEntry.action == "session.open", AuditEntry.object_id == office.patient)
        assert session.exec(opened).all() == []
        assert session.exec(select(KnownDevice)).all() == []


def test_logging_out_ends_the_administrators_own_session_too(office: Office) -> None:
    begun = office.begin()
    with db.transaction() as session:
        sessions.close(session, token=begun.token)
        assert session.exec(select(LoginSession).where(col(LoginSession.revoked_at).is_(None))).all() == []
    with pytest.raises(LoginRequired):
        end(begun.token)


def test_the_tabs_of_the_paused_session_are_closed(office: Office) -> None:
    heard: list[object] = []
    stop = db.listen(heard.append)
    office.begin()
    stop()
    ended = [fact for fact in heard if isinstance(fact, sessions.SessionsEnded)]
    assert [sessions.hash_token(office.own)] == [one for fact in ended for one in fact.token_hashes]


def test_a_login_is_recorded_with_its_address_whatever_session_was_before_it(office: Office) -> None:
    with db.transaction() as session:
        audit.come_from(session, Origin("203.0.113.5"))
        entrance.enter(session, user_id=office.patient, browser=HERE, earlier=office.own)
    with db.transaction(read_only=True) as session:
        closed, opened = session.exec(select(AuditEntry).order_by(col(AuditEntry.id).desc()).limit(2)).all()[::-1]
    assert (closed.action, closed.address) == ("session.close", "203.0.113.5")
    assert (opened.action, opened.address) == ("session.open", "203.0.113.5")
    assert closed.session_id != opened.session_id


def test_locking_the_person_ends_it(office: Office) -> None:
    begun = office.begin()
    with db.transaction() as session:
        other = select(LoginSession.token_hash).where(LoginSession.user_id != office.patient)
        assert session.exec(other).all()
        admin = builders.actor(session, session.get_one(User, office.admin))
        accounts.set_active(session, admin, user_id=office.patient, active=False)
    assert who(begun.token) is None
    with db.transaction(read_only=True) as session:
        assert session.exec(select(Acting)).one().reason == WHY
