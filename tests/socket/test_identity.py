"""Who somebody is, is said by the database at every event: not by a tab, an argument or yesterday's answer."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from reflex.state import State, UpdateVarsInternalState
from sqlalchemy import update
from sqlmodel import select

from mhms_app import db
from mhms_app.accounts import sessions
from mhms_app.accounts.models import LoginSession, User
from mhms_app.accounts.rules import IDLE
from mhms_app.actor import Role
from mhms_app.availability.models import Slot
from mhms_app.booking.models import Appointment
from mhms_app.errors import NotAllowed, NotFound
from mhms_app.web import words
from mhms_app.web.admin.users import Users
from mhms_app.web.doctor.day import Day
from mhms_app.web.patient.booked import Booked
from mhms_app.web.patient.home import Home
from mhms_app.web.public.doctor_profile import Profile
from mhms_app.web.screen import Screen
from tests import builders
from tests.running import RunningApp
from tests.socket.cast import STRANGERS_NAME, STRANGERS_REASON, Cast, log_in, tables
from tests.socket.hostile import Said, Tab, tab
from tests.socket.matrix import WIRE_NAME

NOT_THERE = 2_000_000


def event(name: str) -> str:
    return WIRE_NAME[name]


# Booking, to see that the right person can ------------------------------------------------------------


def test_a_patient_books_and_nobody_else_can(app: RunningApp, cast: Cast) -> None:
    for person in ("nobody", "doctor", "admin", "patient"):
        slot_id = cast.free[-1]
        with tab(app, cast.cookie[person]) as hostile:
            hostile.visit(f"/doctors/{cast.doctor}?slot={slot_id}")
            said = hostile.call(event("public.doctor_profile.Profile.confirm"), {"form": {"reason": ""}})
        assert state_of(app, slot_id) == ("booked" if person == "patient" else "open")
        assert said.redirect.startswith({"nobody": "/login?", "patient": "/patient/booked/"}.get(person, ""))
    cast.free.pop()


# What is somebody else's ------------------------------------------------------------------------------


def test_a_doctor_cannot_withdraw_another_doctors_slot_and_learns_nothing_of_it(app: RunningApp, cast: Cast) -> None:
    before = tables(app)
    with tab(app, cast.cookie["doctor"]) as hostile:
        hostile.visit("/doctor")
        hostile.drain()  # what others booked a moment ago
        answers = [
            hostile.call(event("doctor.day.Day.withdraw"), {"slot_id": slot_id})
            for slot_id in (cast.strangers_free[0], NOT_THERE)
        ]
    assert alike(answers)
    assert tables(app) == before


def test_a_doctor_cannot_choose_another_doctors_slots_for_a_later_withdrawal(app: RunningApp, cast: Cast) -> None:
    before = tables(app)
    with tab(app, cast.cookie["doctor"]) as hostile:
        hostile.visit("/doctor/availability")
        hostile.drain()
        answers = [
            hostile.call(event("doctor.availability.Availability.pick"), {"slot_id": slot_id})
            for slot_id in (cast.strangers_free[0], NOT_THERE)
        ]
        hostile.call(event("doctor.availability.Availability.withdraw"))
    assert alike(answers)
    assert tables(app) == before


def test_a_doctor_cannot_give_another_doctors_slot_another_time(app: RunningApp, cast: Cast) -> None:
    before = tables(app)
    with tab(app, cast.cookie["doctor"]) as hostile:
        hostile.visit("/doctor/availability")
        hostile.drain()
        tomorrow = str(words.local(db.clock.now()).date() + timedelta(days=1))
        answers = [
            hostile.call(
                event("doctor.availability.Availability.drop"),
                {"slot_id": slot_id, "day": tomorrow, "start": 1380, "end": 1400},
            )
            for slot_id in (cast.strangers_free[0], NOT_THERE)
        ]
    assert answers[0].notice == answers[1].notice == NotFound.sentence
    assert tables(app) == before


def test_another_patients_appointment_looks_like_none_at_all(app: RunningApp, cast: Cast) -> None:
    with tab(app, cast.cookie["patient"]) as hostile:
        shown = hostile.visit(f"/patient/booked/{cast.reference}").var(Booked, "shown")
        assert shown["reference"] == cast.reference
        answers = [hostile.visit(f"/patient/booked/{name}") for name in (cast.strangers_reference, "MH-AAAAAA")]
    for said in answers:
        assert said.var(Booked, "shown")["reference"] == ""
        assert STRANGERS_REASON not in said.text
    assert answers[0].notice == answers[1].notice


def test_pages_of_a_patient_and_of_a_doctor_hold_nobody_elses_appointments(app: RunningApp, cast: Cast) -> None:
    for person, state, path in (("patient", Home, "/patient"), ("doctor", Day, "/doctor")):
        with tab(app, cast.cookie[person]) as hostile:
            said = hostile.visit(path)
        assert any(key.startswith(state.get_full_name()) for key in said.vars)
        assert_nothing_of_the_stranger(said, cast)


def test_a_slot_of_another_doctor_is_not_booked_through_this_ones_page(app: RunningApp, cast: Cast) -> None:
    with tab(app, cast.cookie["patient"]) as hostile:
        hostile.visit(f"/doctors/{cast.doctor}")
        answers = [
            hostile.call(event("public.doctor_profile.Profile.choose"), {"slot_id": slot_id})
            for slot_id in (cast.strangers_free[0], NOT_THERE)
        ]
        hostile.call(event("public.doctor_profile.Profile.confirm"), {"form": {"reason": ""}})
    assert alike(answers)
    assert state_of(app, cast.strangers_free[0]) == "open"


@pytest.mark.parametrize("person", ["nobody", "patient", "doctor"])
def test_the_administrators_panel_opens_for_nobody_else(app: RunningApp, cast: Cast, person: str) -> None:
    with tab(app, cast.cookie[person]) as hostile:
        hostile.visit("/")
        answers = [
            hostile.call(event("admin.users.Users.open"), {"user_id": user_id})
            for user_id in (cast.stranger, NOT_THERE)
        ]
    assert alike(answers)
    for said in answers:
        assert not said.page_data


def test_a_doctor_who_awaits_approval_is_as_hidden_as_one_who_does_not_exist(app: RunningApp, cast: Cast) -> None:
    with tab(app) as hostile:
        answers = [hostile.visit(f"/doctors/{key}") for key in (cast.waiting_doctor, NOT_THERE)]
    assert [said.var(Profile, "doctor")["name"] for said in answers] == ["", ""]
    assert "Wanda" not in answers[0].text


def test_what_does_not_exist_is_told_to_an_administrator_in_a_sentence(app: RunningApp, cast: Cast) -> None:
    with tab(app, cast.cookie["admin"]) as hostile:
        hostile.visit("/admin/users")
        for name, arguments in (
            ("admin.users.Users.open", {"user_id": NOT_THERE}),
            ("admin.users.Users.approve", {"doctor_id": NOT_THERE, "approved": True}),
            ("admin.emails.Emails.resend", {"message_id": NOT_THERE}),
        ):
            assert hostile.call(event(name), arguments).notice == NotFound.sentence


# Tokens and cookies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["nobody", "doctor", "admin"])
def test_the_token_of_a_tab_gives_its_contents_to_nobody_else(app: RunningApp, cast: Cast, other: str) -> None:
    with tab(app, cast.cookie["patient"]) as patients:
        assert cast.reference in patients.visit("/patient").text
    with tab(app, cast.cookie[other], token=patients.token) as hostile:
        said = hostile.visit("/")
        assert hostile.token == patients.token
    assert cast.reference not in said.text
    assert "Jo Moreau" not in said.text
    assert said.var(Screen, "viewer_role") == ("" if other == "nobody" else other)


@pytest.mark.parametrize(
    "first",
    [
        "public.doctor_profile.Profile.choose_another",
        "public.doctor_profile.Profile.go_on",
        "public.doctor_profile.Profile.turn",
        "public.entry.Entry.toggle_characters",
    ],
)
def test_nor_does_any_other_first_event(app: RunningApp, cast: Cast, first: str) -> None:
    """Not even which doctor somebody was looking at."""
    with tab(app, cast.cookie["patient"]) as patients:
        patients.visit(f"/doctors/{cast.doctor}?slot={cast.a_free_slot}")
        patients.call(event("public.doctor_profile.Profile.keep_reason"), {"text": "my-own-reason"})
    with tab(app, token=patients.token) as hostile:
        said = hostile.call(event(first), {"weeks": 1} if first.endswith("turn") else {})
    assert "my-own-reason" not in said.text
    assert "Haddad" not in said.text
    assert f"/doctors/{cast.doctor}" not in said.text
    assert "Jo Moreau" not in said.text


def test_whoever_only_listens_with_an_old_token_hears_nothing(app: RunningApp, cast: Cast) -> None:
    with tab(app, cast.cookie["doctor"]) as doctors:
        doctors.visit("/doctor/availability")
    with tab(app, token=doctors.token) as hostile, tab(app, cast.cookie["patient"]) as patients:
        patients.visit(f"/doctors/{cast.doctor}?slot={cast.free[-1]}")
        patients.call(event("public.doctor_profile.Profile.confirm"), {"form": {"reason": "heard by nobody"}})
        said = hostile.drain()
    assert state_of(app, cast.free.pop()) == "booked"
    assert "Jo Moreau" not in said.text
    assert not said.page_data


def test_two_people_with_one_token_at_a_time_do_not_share_a_tab(app: RunningApp, cast: Cast) -> None:
    with tab(app, cast.cookie["patient"]) as patients:
        patients.visit("/patient")
        with tab(app, cast.cookie["doctor"], token=patients.token) as doctors:
            said = doctors.visit("/")
            assert doctors.token != patients.token
        assert cast.reference not in said.text
        assert patients.visit("/patient").var(Home, "next")["reference"]


@pytest.mark.parametrize("cookie", ["x", "null", "0", "' OR 1=1 --", "a" * 4000, "é", '"', "mhms"])
def test_a_made_up_cookie_is_nobody(app: RunningApp, cookie: str) -> None:
    with tab(app, cookie) as hostile:
        said = hostile.visit("/patient")
    assert said.redirect.startswith("/login?")
    assert said.var(Screen, "viewer_role") == ""


def test_an_event_cannot_bring_its_own_cookie(app: RunningApp, cast: Cast) -> None:
    admin = f"mhms={cast.cookie['admin']}"
    with tab(app) as hostile:
        hostile.visit("/")
        address = {
            "pathname": "/admin/users",
            "asPath": "/admin/users",
            "headers": {"cookie": admin},
            "cookie": admin,
            "token": "x",
            "session_id": "x",
            "ip": "10.0.0.1",
        }
        load = {"name": event("admin.users.Users.load"), "payload": {}, "router_data": address}
        hostile.send_raw(f"42/_event,{json.dumps(['event', {**load, 'token': 'x', 'substate_token': 'x'}])}")
        said = hostile.settle()
    assert not said.page_data
    assert said.redirect.startswith("/login?")


def test_no_event_writes_the_vars_that_say_who_is_looking(app: RunningApp, cast: Cast) -> None:
    screen, users = Screen.get_full_name(), Users.get_full_name()
    wanted: dict[str, Any] = {
        f"{prefix}.{name}{suffix}": value
        for prefix, name, value in ((screen, "viewer_role", "admin"), (screen, "_owner", 1), (users, "is_open", True))
        for suffix in ("", "_rx_state_")
    }
    with tab(app, cast.cookie["patient"]) as hostile:
        hostile.visit("/")
        said = hostile.call(f"{UpdateVarsInternalState.get_full_name()}.update_vars_internal", {"vars": wanted})
        hostile.send(f"{State.get_full_name()}.hydrate_and_load", {"vars": wanted})
        again = hostile.settle()
        after = hostile.visit("/")
    for answer in (said, again, after):
        assert answer.var(Screen, "viewer_role") in (None, "patient")
        assert answer.var(Users, "is_open") in (None, False)


# What has changed since the socket was opened ---------------------------------------------------------


def test_a_session_that_is_over_does_nothing_more_on_any_open_socket(app: RunningApp, cast: Cast) -> None:
    """Also where nobody hears of it: it ends in another process, as in another worker."""

    def revoke(cookie: str, user_id: int) -> None:
        with app.database() as session:
            sessions.close_all(session, user_id=user_id)

    def deactivate(cookie: str, user_id: int) -> None:
        with app.database() as session:
            session.execute(update(User).where(User.id == user_id).values(active=False))

    def expire(cookie: str, user_id: int) -> None:
        with app.database() as session:
            session.execute(
                update(LoginSession).where(LoginSession.user_id == user_id).values(idle_until=db.clock.now() - IDLE)
            )

    for end in (revoke, deactivate, expire):
        cookie, user_id = somebody(app)
        with tab(app, cookie) as first, tab(app, cookie) as second:
            for hostile in (first, second):
                assert hostile.visit("/patient").var(Screen, "viewer_role") == "patient"
            end(cookie, user_id)
            for hostile in (first, second):
                assert_nobody(hostile, end.__name__)


def assert_nobody(hostile: Tab, why: str) -> None:
    said = hostile.call(event("patient.home.Home.turn"), {"pages": 1})
    assert said.redirect.startswith("/login?"), why
    assert said.var(Screen, "viewer_role") == "", why
    assert said.var(Screen, "viewer_name") == "", why
    booking = hostile.call(event("public.doctor_profile.Profile.confirm"), {"form": {"reason": ""}})
    assert booking.redirect.startswith("/login?"), why


def test_a_changed_role_acts_on_the_next_event(app: RunningApp, cast: Cast) -> None:
    cookie, user_id = somebody(app)
    with tab(app, cookie) as hostile:
        hostile.visit(f"/doctors/{cast.doctor}?slot={cast.a_free_slot}")
        give_role(app, user_id, Role.ADMIN)
        assert hostile.call(event("admin.users.Users.load")).var(Users, "people")
        said = hostile.call(event("public.doctor_profile.Profile.confirm"), {"form": {"reason": ""}})
        assert said.notice == NotAllowed.sentence
        give_role(app, user_id, Role.PATIENT)
        assert hostile.call(event("admin.users.Users.start")).notice == NotAllowed.sentence
        said = hostile.call(event("admin.users.Users.open"), {"user_id": cast.stranger})
        assert said.notice == NotAllowed.sentence
        assert_nothing_of_the_stranger(said, cast)
    assert state_of(app, cast.a_free_slot) != "booked"


def test_an_administrator_who_closes_an_account_closes_its_open_tabs(app: RunningApp, cast: Cast) -> None:
    cookie, user_id = somebody(app)
    with tab(app, cookie) as theirs, tab(app, cast.cookie["admin"]) as office:
        assert theirs.visit("/patient").var(Screen, "viewer_role") == "patient"
        office.visit("/admin/users")
        office.call(event("admin.users.Users.open"), {"user_id": user_id})
        office.call(event("admin.users.Users.set_active"), {"active": False})
        assert theirs.is_closed()


def test_a_session_that_ends_closes_its_tabs_and_no_other(app: RunningApp, cast: Cast) -> None:
    cookie, user_id = somebody(app)
    with app.database() as session:
        elsewhere = log_in(session, user_id)
    with tab(app, cookie) as first, tab(app, cookie) as second, tab(app, elsewhere) as phone:
        for hostile in (first, second, phone):
            assert hostile.visit("/patient").var(Screen, "viewer_role") == "patient"
        httpx.post(f"{app.base_url}/session/end", headers={"Origin": app.base_url}, cookies={"mhms": cookie})
        assert first.is_closed()
        assert second.is_closed()
        assert phone.visit("/patient").var(Screen, "viewer_role") == "patient"
    with tab(app, cookie, token=first.token) as again:  # as a browser connects again by itself
        assert again.visit("/patient").redirect.startswith("/login?")


def test_a_session_that_waits_for_its_tabs_closes_those_that_never_spoke(app: RunningApp, cast: Cast) -> None:
    cookie, _ = somebody(app)
    with tab(app, cookie, joined=False) as idle:
        httpx.post(f"{app.base_url}/session/end", headers={"Origin": app.base_url}, cookies={"mhms": cookie})
        assert idle.is_closed()


def test_a_new_login_in_the_same_browser_shows_nothing_of_the_person_before(app: RunningApp, cast: Cast) -> None:
    """On a shared computer: same tab, same token, another person."""
    cookie, _ = somebody(app, name="Later Visitor")
    with tab(app, cast.cookie["patient"]) as before:
        before.visit("/patient")
        before.call(event("public.doctor_profile.Profile.keep_reason"), {"text": "my-own-reason"})
    with tab(app, cookie, token=before.token) as after:
        said = after.visit("/patient")
    assert said.var(Screen, "viewer_name") == "Later Visitor"
    for word in (cast.reference, "Jo Moreau", "my-own-reason"):
        assert word not in said.text


# ------------------------------------------------------------------------------------------------------


def somebody(app: RunningApp, name: str = "Some Body") -> tuple[str, int]:
    """A patient of the test's own, logged in: cookie and key."""
    with app.database() as session:
        user_id = builders.patient(session, name=name).user_id
        return log_in(session, user_id), user_id


def give_role(app: RunningApp, user_id: int, role: Role) -> None:
    """Change a role behind the application's back, so that the session goes on."""
    with app.database() as session:
        session.execute(update(User).where(User.id == user_id).values(role=role.value))


def state_of(app: RunningApp, slot_id: int) -> str:
    with app.database() as session:
        booked = session.exec(select(Appointment.id).where(Appointment.slot_id == slot_id)).first()
        state = session.get_one(Slot, slot_id).state
    assert (state == "booked") == (booked is not None)
    return state


def alike(answers: list[Said]) -> bool:
    """Nothing in the answers tells one case from the other."""
    first, second = ({k: v for k, v in said.vars.items() if "is_hydrated" not in k} for said in answers)
    return first == second and answers[0].events == answers[1].events


def assert_nothing_of_the_stranger(said: Said, cast: Cast) -> None:
    for word in (STRANGERS_NAME, STRANGERS_REASON, cast.strangers_reference):
        assert word not in said.text
