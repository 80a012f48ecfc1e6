"""What a browser is given: the vars of every State, the built pages, and what a stranger's tab receives."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import httpx
from reflex.istate.storage import ClientStorageBase
from reflex.state import State
from sqlmodel import select

from mhms_app import launch
from mhms_app.accounts.models import LoginSession, User
from mhms_app.booking.models import Appointment
from mhms_app.settings import settings
from mhms_app.web.pages import PAGES
from mhms_app.web.screen import Screen
from tests.running import RunningApp
from tests.socket.cast import STRANGERS_EMAIL, STRANGERS_NAME, STRANGERS_PHONE, STRANGERS_REASON, Cast
from tests.socket.hostile import tab

# Everything that a State may send to its browser, with the fields of its rows: a new var, or a new field of
# a row, is written down here by somebody who has asked whether this page's reader may see it.
PUBLIC = """
account.address.Address
    change(email, left, taken, until) email form is_asking is_confirmed shown
account.closing.Closing
    happens refusal
account.password.Password
    email is_changed must_choose
account.profile.Account
    clinics_zone full_name phone reminded time_zone told zones
account.security.Security
    app asked codes codes_left drawn has_one is_duty keys(id, name, when) next_path open qr_code question
    recovered secret shown
account.sessions.Sessions
    asked open(about, device, icon, id, is_here) past(about, succeeded, when)
admin.audit.Audit
    address asked export_path is_first is_last lines(about, acted_by, detail, event, id, place, what, when, who)
    only summary tone whole
admin.bookings.Bookings
    address anybody asked chosen(department, doctor, email, id, patient, phone, reference, when) departments
    doctor doctors export_path first is_first is_last lines(can_change, department, doctor, email, patient,
    reference, status, tone, when) more summary times(heading, times) way
admin.departments.Departments
    edited(description, doctors, id, location, name, open) form is_closing is_editing loaded rules(ahead_days,
    cancel_reasons, change_hours, hold_minutes, horizon_weeks, missed_days, most_active, most_missed,
    notice_minutes, offer_longest_minutes, offer_shortest_minutes, reminder_hours) rules_of units(description,
    doctors, id, location, name, open)
admin.emails.Emails
    address asked dead is_first is_last last_sent lines(attempts, can_resend, created, email, error, id, kind,
    name, next, state, tone) oldest sent_today summary waiting
admin.leave.DoctorsLeave
    address asked cancels days doctor doctors drawn lines(doctor, fate, id, patient, proposal, when) loaded
    running sums taken(done, id, text, title, total)
admin.overview.Overview
    area first_week last_week latest(can_change, department, doctor, email, patient, reference, status, tone,
    when) numbers(label, note, tone, value) points span tasks(action, icon, path, text, title) use
admin.slots.Slots
    address asked departments doctor doctors drawn fresh is_asking is_first is_last lines(can_withdraw, day,
    department, doctor, id, state, time, tone) picked preview summary typed weekdays
admin.system.System
    booked(area, most, points, summary, total) figures(label, note, value) findings(advice, mood, name, path,
    text, tone) headline looked refused(area, most, points, summary, total) since tasks(last, name)
    workers(late, memory, name, seen, since, tabs, waited)
admin.users.Users
    address asked asking chosen_role departments form has_factor history(device, refused, when) is_first is_last
    is_open left_behind must_choose people(active, approved, department, department_id, doctor_id, email, id,
    name, phone, role, role_name, since, state, tone) person(active, approved, department, department_id,
    doctor_id, email, id, name, phone, role, role_name, since, state, tone) reason reason_problem summary
    visits(device, refused, when)
admin.worklist.Worklist
    address anybody asked chosen(department, doctor, email, id, patient, phone, reference, when) first is_first
    is_last lines(department, doctor, email, id, patient, phone, reference, since, when, why) more summary
    times(heading, times) way
components.desk_count.DeskCount
    number
components.unconfirmed.Unconfirmed
    email
components.unserved.Unserved
    asked more waiters(id, patient, reach, whom, why)
doctor.availability.Availability
    address answered as_day as_week asked awaiting_approval chosen_day clock_note drawn first_hour focused
    following footnote fresh heading hours lanes(blocks, day, free, label, number, shown, today, weekday) lunch
    moving now_at now_left offer_week one_day picked(day, name, offer, times) picked_ids preview_fact
    preview_rest preview_wait previous problems sheet_open shortest single summary today typed weekdays
    where withdraw_words zone
doctor.day.Day
    asked awaiting_approval heading is_over lead lines(appointment_id, free, initials, name, reason, slot_id,
    status, steps, time, tone) more_visits next_day previous_day unused visits(name, reason, when) week(name,
    share, shown, words) week_name week_summary
doctor.google_calendar.GoogleCalendar
    asked broken name options(label, value) shows stage status tone
doctor.hours.WorkingHours
    awaiting_approval days(key, text, title) drawn key kind lead loaded name panel preview_fact preview_rest
    preview_weeks(name, text) problems ready rest rules(key, text, title) typed weekdays
doctor.leave.Leave
    cancels days drawn lines(doctor, fate, id, patient, proposal, when) loaded running sums taken(done, id,
    text, title, total)
doctor.profile.Profile
    asked awaiting_approval bio department feeds(id, shows, since) languages new(address, webcal) public_path
    title told
doctor.unused.Unused
    loaded next_page previous_page slots(week, when) summary total
patient.booked.Booked
    is_cancelling shown(about, ahead, before, calendar_path, can_change, day, doctor, doctor_path, elsewhere,
    email, google_path, hours, move_path, place, reason, reasons, reference, refusal, status, tone, until, why,
    zone)
patient.calendar.Calendar
    asked feeds(id, shows, since) new(address, webcal)
patient.home.Home
    address before(calendar_path, doctor, doctor_path, elsewhere, initials, move_path, path, place, reason,
    reference, status, tone, when) greeting has_before is_last later(calendar_path, doctor, doctor_path,
    elsewhere, initials, move_path, path, place, reason, reference, status, tone, when) lead next(calendar_path,
    doctor, doctor_path, elsewhere, initials, move_path, path, place, reason, reference, status, tone, when)
    page q status summary zone
patient.waiting.Waiting
    department doctor drawn entries(id, times, whom) part today weekdays
public.confirm.Confirm
    email next_path text(action, lead, title)
public.doctor_profile.Profile
    address chosen(id, long, short, zone) day days(afternoon, count, empty, index, label, morning, number, past,
    today, weekday) doctor(bio, department, department_path, hidden, initials, languages, name, place, title)
    empty following(id, long, short, zone) is_first kept_seconds kept_until lapsed login_path moving news
    nothing(is_elsewhen, text, title) offers(clock, id, label, taken) onwards problem reason room sheet
    signup_path spoken title unconfirmed waiting_path zone
public.doctors.Directory
    address day department departments(name, value) drawn elsewhere(about, free, initials, languages, name,
    next_free, next_path, path) heading hours is_last narrowed nothing(is_elsewhen, text, title) page part q
    rows(about, free, initials, languages, name, next_free, next_path, path) soonest(department, doctor, path,
    when) summary waiting_path weekdays
public.entry.Entry
    attempt characters_shown first_problem login_path next_path problems signup_path typed
public.forgot.Forgot
    sent
public.landing.Landing
    day departments(name, value) offers(department, initials, name, next_free, path, slots)
public.login.Login
    is_closed is_reset was_acting
public.login_code.LoginCode
    has_app question
public.new_password.NewPassword
    score strength
public.offer.Offer
    login_path shown(about, doctor, doctor_path, instead_of, is_mine, is_open, until, when, zone)
public.reset.Reset
    email link
public.signup.Signup
    departments(name, value)
screen.Screen
    acting_until errors meanwhile met notice notice_tone viewer_initials viewer_name viewer_role
shell.Messages
"""


def states() -> Iterator[type[State]]:
    found: list[Any] = [Screen]
    for state in found:
        found += state.get_substates()
    return iter(found)


def short(state: type[State]) -> str:
    return f"{state.__module__.removeprefix('mhms_app.web.')}.{state.__name__}"


def described(state: type[State]) -> str:
    """The State's own public vars in order, each with the fields of the rows that it holds."""
    parent = state.get_parent_state()
    own = sorted(set(state.vars) - set(parent.vars if parent else ()))
    hints = get_type_hints(state)
    return " ".join(name + fields_of(hints.get(name)) for name in own)


def fields_of(hint: Any) -> str:
    inside = [hint, *get_args(hint)]
    inside += [part for one in get_args(hint) for part in get_args(one)]
    rows = [one for one in inside if isinstance(one, type) and dataclasses.is_dataclass(one)]
    names = sorted({field.name for row in rows for field in dataclasses.fields(row)})
    return f"({', '.join(names)})" if names else ""


def test_the_public_vars_are_those_that_were_decided_on() -> None:
    lines = [part for state in sorted(states(), key=short) for part in (short(state), described(state))]
    assert " ".join(" ".join(lines).split()) == " ".join(PUBLIC.split())


def test_no_var_is_kept_in_the_browser_where_scripts_could_write_it() -> None:
    for state in [State, *states()]:
        kept = [field for field in state.__fields__.values() if isinstance(field.default_value(), ClientStorageBase)]
        assert not kept


def what_no_stranger_may_see(app: RunningApp, cast: Cast) -> list[str]:
    """Everything personal and every secret in the database, and the server's own."""
    with app.database() as session:
        people = session.exec(select(User)).all()
        hidden = [person.email for person in people]
        hidden += [person.full_name for person in people if person.role != "doctor"]
        hidden += [person.password_hash for person in people]
        hidden += session.exec(select(Appointment.reference)).all()
        hidden += [one.reason for one in session.exec(select(Appointment)).all() if one.reason]
        hidden += session.exec(select(LoginSession.token_hash)).all()
    secrets = [cast.cookie["patient"], cast.cookie["doctor"], cast.cookie["admin"], settings().email_secret]
    marked = [STRANGERS_NAME, STRANGERS_EMAIL, STRANGERS_PHONE, STRANGERS_REASON, "Wanda Waiting"]
    return [*hidden, *secrets, *marked, app.database_url, str(app.folder), "$2b$", "sqlalchemy"]


def test_a_stranger_receives_nothing_personal_on_any_page(app: RunningApp, cast: Cast) -> None:
    hidden = what_no_stranger_may_see(app, cast)
    assert len(hidden) > 30
    for page in PAGES:
        path = page.route.replace("[doctor_id]", str(cast.doctor)).replace("[reference]", cast.strangers_reference)
        with tab(app) as stranger:
            text = stranger.visit("/" + path.strip("/").removesuffix(cast.strangers_reference)).text
            text += stranger.settle().text
        assert not [word for word in hidden if word in text], page.route


def test_the_session_cookie_is_never_sent_back_to_scripts(app: RunningApp, cast: Cast) -> None:
    for person in ("patient", "doctor", "admin"):
        with tab(app, cast.cookie[person]) as own:
            said = own.visit("/")
        assert cast.cookie[person] not in said.text


def test_the_built_pages_hold_neither_secrets_nor_people(app: RunningApp, cast: Cast) -> None:
    hidden = [word.encode() for word in what_no_stranger_may_see(app, cast)]
    hidden += [b"sqlite:///", b"postgresql", b"MHMS_", b"mhms.db", b"BEGIN PRIVATE", b"sourceMappingURL=data"]
    files = [
        path for path in launch.PAGES.rglob("*") if path.suffix in {".js", ".html", ".css", ".json", ".txt", ".map"}
    ]
    assert len(files) > 20
    for path in files:
        content = path.read_bytes()
        assert not [word for word in hidden if word in content], path.name
    assert not [path for path in files if path.suffix == ".map"]


def test_pages_answer_over_http_without_a_word_of_anybody(app: RunningApp, cast: Cast) -> None:
    hidden = what_no_stranger_may_see(app, cast)
    for page in PAGES:
        path = re.sub(r"\[.*\]", "1", page.route).strip("/")
        answer = httpx.get(f"{app.base_url}/{path}", cookies={"mhms": cast.cookie["admin"]}, follow_redirects=True)
        assert not [word for word in hidden if word in answer.text], page.route
