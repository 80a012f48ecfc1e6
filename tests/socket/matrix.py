"""Who may call what: every handler of every page, written down.

A handler that is not in this table fails the tests until somebody has decided who may call it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from reflex_base.registry import RegistrationContext

import mhms_app.mhms_app  # noqa: F401 - registers every State
from mhms_app.web.admin.departments import PolicyTexts
from mhms_app.web.gate import policy_of
from mhms_app.web.pages import PAGES
from tests.socket.cast import Cast

EVERYBODY, PATIENT, DOCTOR, ADMIN = "everybody", "patient", "doctor", "admin"
SOMEBODY = "logged in"  # of any role

# Reflex's own, without which no page works. They read nothing but the State of the tab, and write nothing
# but whether it is hydrated and the vars of browser storage, of which this application has none.
REFLEX = {
    "reflex___state____state.hydrate",
    "reflex___state____state.hydrate_and_load",
    "reflex___state____state.set_is_hydrated",
    "reflex___state____state.reflex___state____on_load_internal_state.on_load_internal",
    "reflex___state____state.reflex___state____on_load_internal_state.set_is_hydrated",
    "reflex___state____state.reflex___state____update_vars_internal_state.update_vars_internal",
    "reflex___state____state.reflex___state____frontend_event_exception_state.handle_frontend_exception",
}

# Registered by Reflex because they are public functions of a State, and refused by the gate to everybody.
NEVER = {"setvar", "tell"}


class Entry(NamedTuple):
    """One line of the matrix: who may call the handler, and arguments that it takes."""

    who: str
    arguments: dict[str, Any]

    def is_for(self, person: str) -> bool:
        """Whether ``nobody``, or somebody of this role, may call it."""
        return self.who in (EVERYBODY, person) or (self.who == SOMEBODY and person != "nobody")

    @property
    def somebody(self) -> str:
        """Somebody who may call it."""
        return PATIENT if self.who in (EVERYBODY, SOMEBODY) else self.who


def matrix(cast: Cast) -> dict[str, Entry]:
    """The whole matrix, by ``page.State.handler``."""
    department = {"name": "Radiology", "description": "", "location": ""}
    policy = dict.fromkeys(PolicyTexts.__annotations__, "1")
    account = {"full_name": "New Person", "email": "new.person@example.com", "phone": ""}
    lines: dict[str, tuple[str, dict[str, Any]]] = {
        "account.address.Address.ask": (SOMEBODY, {"is_asking": False}),
        "account.address.Address.ask_change": (SOMEBODY, {"typed": {"email": "new@example.com", "current": "wrong"}}),
        "account.address.Address.load": (SOMEBODY, {}),
        "account.address.Address.send_again": (SOMEBODY, {}),
        "account.address.Address.take_back": (SOMEBODY, {}),
        "account.address.Address.toggle_characters": (SOMEBODY, {}),
        "account.closing.Closing.load": (SOMEBODY, {}),
        "account.password.Password.load": (SOMEBODY, {}),
        "account.profile.Account.load": (SOMEBODY, {}),
        "account.profile.Account.remind": (PATIENT, {"is_on": True}),
        "account.profile.Account.save": (
            SOMEBODY,
            {"typed": {"full_name": "Jo Moreau", "phone": "", "time_zone": "Nowhere"}},
        ),
        "account.profile.Account.tell_each_morning": (DOCTOR, {"is_on": False}),
        "account.security.Security.add_app": (
            SOMEBODY,
            {"form": {"code": "123456", "old_code": "123456", "current": "wrong"}},
        ),
        "account.security.Security.add_passkey": (SOMEBODY, {"answer": "{}"}),
        "account.security.Security.ask_remove": (SOMEBODY, {"passkey_id": 1}),
        "account.security.Security.begin": (SOMEBODY, {"what": "app"}),
        "account.security.Security.close": (SOMEBODY, {}),
        "account.security.Security.load": (SOMEBODY, {}),
        "account.security.Security.make_codes": (SOMEBODY, {"form": {"current": "wrong"}}),
        "account.security.Security.name_passkey": (SOMEBODY, {"form": {"name": "Phone", "current": "wrong"}}),
        "account.security.Security.remove_app": (SOMEBODY, {"form": {"code": "123456", "current": "wrong"}}),
        "account.security.Security.remove_passkey": (SOMEBODY, {"form": {"current": "wrong"}}),
        "account.security.Security.toggle_characters": (SOMEBODY, {}),
        "account.sessions.Sessions.ask": (SOMEBODY, {"is_asking": True}),
        "account.sessions.Sessions.end": (SOMEBODY, {"session_id": 2_000_000}),
        "account.sessions.Sessions.end_others": (SOMEBODY, {}),
        "account.sessions.Sessions.load": (SOMEBODY, {}),
        "admin.audit.Audit.load": (ADMIN, {}),
        "admin.audit.Audit.narrow": (ADMIN, {"name": "q", "value": "Moreau"}),
        "admin.audit.Audit.show_all": (ADMIN, {}),
        "admin.audit.Audit.turn": (ADMIN, {"by": 1}),
        "admin.audit.Audit.verify": (ADMIN, {}),
        "admin.bookings.Bookings.cancel": (ADMIN, {"form": {"note": "The doctor is ill."}}),
        "admin.bookings.Bookings.choose_way": (ADMIN, {"way": "cancel"}),
        "admin.bookings.Bookings.close": (ADMIN, {}),
        "admin.bookings.Bookings.look_from": (ADMIN, {"day": "2030-01-01"}),
        "admin.bookings.Bookings.move": (ADMIN, {"form": {"slot": "1", "why": "By phone."}}),
        "admin.bookings.Bookings.open": (ADMIN, {"reference": ""}),
        "admin.bookings.Bookings.widen": (ADMIN, {"anybody": True}),
        "admin.bookings.Bookings.choose_doctor": (ADMIN, {"text": "Dr. Amira Haddad"}),
        "admin.bookings.Bookings.load": (ADMIN, {}),
        "admin.bookings.Bookings.narrow": (ADMIN, {"name": "q", "value": "Moreau"}),
        "admin.bookings.Bookings.turn": (ADMIN, {"by": 1}),
        "admin.departments.Departments.ask": (ADMIN, {"closing": False}),
        "admin.departments.Departments.close": (ADMIN, {}),
        "admin.departments.Departments.edit": (ADMIN, {"department_id": cast.department}),
        "admin.departments.Departments.edit_rules": (ADMIN, {"department_id": cast.department}),
        "admin.departments.Departments.load": (ADMIN, {}),
        "admin.departments.Departments.save": (ADMIN, {"typed": department}),
        "admin.departments.Departments.save_rules": (ADMIN, {"typed": policy}),
        "admin.departments.Departments.set_open": (ADMIN, {"is_open": True}),
        "admin.emails.Emails.load": (ADMIN, {}),
        "admin.emails.Emails.narrow": (ADMIN, {"name": "q", "value": "lost"}),
        "admin.emails.Emails.resend": (ADMIN, {"message_id": cast.message}),
        "admin.emails.Emails.turn": (ADMIN, {"by": 1}),
        "admin.leave.DoctorsLeave.back": (ADMIN, {}),
        "admin.leave.DoctorsLeave.choose": (ADMIN, {"appointment_id": cast.appointment, "fate": "desk"}),
        "admin.leave.DoctorsLeave.choose_all": (ADMIN, {"fate": "desk"}),
        "admin.leave.DoctorsLeave.choose_doctor": (ADMIN, {"text": "Dr. Amira Haddad"}),
        "admin.leave.DoctorsLeave.go_on": (ADMIN, {}),
        "admin.leave.DoctorsLeave.load": (ADMIN, {}),
        "admin.leave.DoctorsLeave.look": (ADMIN, {"typed": {"first": "2030-01-01", "last": "2030-01-02"}}),
        "admin.leave.DoctorsLeave.take": (ADMIN, {"typed": {"message": "The doctor is ill."}}),
        "admin.overview.Overview.load": (ADMIN, {}),
        "admin.slots.Slots.ask": (ADMIN, {"is_asking": False}),
        "admin.slots.Slots.choose_doctor": (ADMIN, {"text": "Dr. Amira Haddad"}),
        "admin.slots.Slots.load": (ADMIN, {}),
        "admin.slots.Slots.narrow": (ADMIN, {"name": "state", "value": "open"}),
        "admin.slots.Slots.pick": (ADMIN, {"slot_id": cast.a_free_slot, "is_on": True}),
        "admin.slots.Slots.pick_all": (ADMIN, {}),
        "admin.slots.Slots.plan": (ADMIN, {"name": "start", "value": "09:00"}),
        "admin.slots.Slots.plan_weekday": (ADMIN, {"weekday": 1, "is_on": True}),
        "admin.slots.Slots.publish": (ADMIN, {"form": {}}),
        "admin.slots.Slots.turn": (ADMIN, {"by": 1}),
        "admin.slots.Slots.withdraw": (ADMIN, {}),
        "admin.system.System.load": (ADMIN, {}),
        "admin.system.System.look_again": (ADMIN, {}),
        "admin.users.Users.approve": (ADMIN, {"doctor_id": cast.doctor, "approved": True}),
        "admin.users.Users.ask": (ADMIN, {"question": ""}),
        "admin.users.Users.ask_for_new_password": (ADMIN, {}),
        "admin.users.Users.assign": (ADMIN, {"typed": {"role": "patient"}}),
        "admin.users.Users.choose_role": (ADMIN, {"role": "doctor"}),
        "admin.users.Users.close": (ADMIN, {}),
        "admin.users.Users.create": (ADMIN, {"typed": {**account, "role": "patient"}}),
        "admin.users.Users.end_sessions": (ADMIN, {}),
        "admin.users.Users.load": (ADMIN, {}),
        "admin.users.Users.narrow": (ADMIN, {"name": "q", "value": "Moreau"}),
        "admin.users.Users.open": (ADMIN, {"user_id": cast.bystander}),
        "admin.users.Users.reset_factor": (ADMIN, {}),
        "admin.users.Users.save": (ADMIN, {"typed": account}),
        "admin.users.Users.send_password": (ADMIN, {}),
        "admin.users.Users.set_active": (ADMIN, {"active": True}),
        "admin.users.Users.start": (ADMIN, {}),
        "admin.users.Users.turn": (ADMIN, {"by": 1}),
        "admin.worklist.Worklist.cancel": (ADMIN, {"form": {"note": "The doctor is ill."}}),
        "admin.worklist.Worklist.choose_way": (ADMIN, {"way": "cancel"}),
        "admin.worklist.Worklist.close": (ADMIN, {}),
        "admin.worklist.Worklist.look_from": (ADMIN, {"day": "2030-01-01"}),
        "admin.worklist.Worklist.move": (ADMIN, {"form": {"slot": "1", "why": "By phone."}}),
        "admin.worklist.Worklist.open": (ADMIN, {"reference": ""}),
        "admin.worklist.Worklist.widen": (ADMIN, {"anybody": True}),
        "admin.worklist.Worklist.finish": (ADMIN, {"form": {"note": "Called."}}),
        "admin.worklist.Worklist.load": (ADMIN, {}),
        "admin.worklist.Worklist.narrow": (ADMIN, {"name": "q", "value": "Moreau"}),
        "admin.worklist.Worklist.turn": (ADMIN, {"by": 1}),
        "components.desk_count.DeskCount.count": (ADMIN, {}),
        "components.unconfirmed.Unconfirmed.look": (SOMEBODY, {}),
        "components.unconfirmed.Unconfirmed.send_again": (SOMEBODY, {}),
        "components.unserved.Unserved.ask": (ADMIN, {"entry_id": 1}),
        "components.unserved.Unserved.finish": (ADMIN, {}),
        "components.unserved.Unserved.load": (ADMIN, {}),
        "doctor.availability.Availability.ask": (DOCTOR, {"is_asked": False}),
        "doctor.availability.Availability.change": (
            DOCTOR,
            {"form": {"day": "2030-01-01", "start": "09:00", "end": "09:20"}},
        ),
        "doctor.availability.Availability.drop": (
            DOCTOR,
            {"slot_id": cast.a_free_slot, "day": "2030-01-01", "start": 540, "end": 560},
        ),
        "doctor.availability.Availability.fill_in": (DOCTOR, {"name": "start", "value": "09:00"}),
        "doctor.availability.Availability.load": (DOCTOR, {}),
        "doctor.availability.Availability.open_slot": (DOCTOR, {"slot_id": cast.a_free_slot}),
        "doctor.availability.Availability.open_sheet": (DOCTOR, {"is_open": True}),
        "doctor.availability.Availability.pick": (DOCTOR, {"slot_id": cast.a_free_slot}),
        "doctor.availability.Availability.pick_day": (DOCTOR, {"day": "2030-01-01"}),
        "doctor.availability.Availability.pick_none": (DOCTOR, {}),
        "doctor.availability.Availability.pick_week": (DOCTOR, {}),
        "doctor.availability.Availability.plan_lunch": (DOCTOR, {"is_on": True}),
        "doctor.availability.Availability.plan_single": (DOCTOR, {"is_single": True}),
        "doctor.availability.Availability.plan_stretch": (DOCTOR, {"day": "2030-01-01", "start": 540, "end": 720}),
        "doctor.availability.Availability.plan_weekday": (DOCTOR, {"weekday": 1, "is_on": True}),
        "doctor.availability.Availability.publish": (DOCTOR, {"form": {}}),
        "doctor.availability.Availability.show_day": (DOCTOR, {"day": "2030-01-01"}),
        "doctor.availability.Availability.withdraw": (DOCTOR, {}),
        "doctor.day.Day.ask": (DOCTOR, {"slot_id": cast.a_free_slot}),
        "doctor.day.Day.load": (DOCTOR, {}),
        "doctor.day.Day.mark": (DOCTOR, {"appointment_id": cast.appointment, "status": "checked_in"}),
        "doctor.day.Day.show_more": (DOCTOR, {}),
        "doctor.day.Day.withdraw": (DOCTOR, {"slot_id": cast.a_free_slot}),
        "doctor.google_calendar.GoogleCalendar.ask": (DOCTOR, {"is_asking": False}),
        "doctor.google_calendar.GoogleCalendar.change": (DOCTOR, {}),
        "doctor.google_calendar.GoogleCalendar.choose": (DOCTOR, {"chosen": {"calendar": "a", "shows": "busy"}}),
        "doctor.google_calendar.GoogleCalendar.connect": (DOCTOR, {}),
        "doctor.google_calendar.GoogleCalendar.disconnect": (DOCTOR, {"remove": False}),
        "doctor.google_calendar.GoogleCalendar.load": (DOCTOR, {}),
        "doctor.profile.Profile.ask": (DOCTOR, {"feed_id": 0}),
        "doctor.profile.Profile.copied": (DOCTOR, {}),
        "doctor.profile.Profile.create_feed": (DOCTOR, {"wanted": {"shows": "busy"}}),
        "doctor.hours.WorkingHours.add_day": (DOCTOR, {}),
        "doctor.hours.WorkingHours.add_hours": (DOCTOR, {}),
        "doctor.hours.WorkingHours.ask_drop": (DOCTOR, {"key": 1, "is_day": False}),
        "doctor.hours.WorkingHours.close": (DOCTOR, {}),
        "doctor.hours.WorkingHours.drop": (DOCTOR, {}),
        "doctor.hours.WorkingHours.edit_hours": (DOCTOR, {"key": 1}),
        "doctor.hours.WorkingHours.fill_in": (DOCTOR, {"name": "start", "value": "09:00"}),
        "doctor.hours.WorkingHours.load": (DOCTOR, {}),
        "doctor.hours.WorkingHours.plan_kind": (DOCTOR, {"kind": "extra"}),
        "doctor.hours.WorkingHours.plan_rest": (DOCTOR, {"is_on": True}),
        "doctor.hours.WorkingHours.plan_weekday": (DOCTOR, {"weekday": 1, "is_on": True}),
        "doctor.hours.WorkingHours.save": (DOCTOR, {"form": {}}),
        "doctor.leave.Leave.back": (DOCTOR, {}),
        "doctor.leave.Leave.choose": (DOCTOR, {"appointment_id": cast.appointment, "fate": "desk"}),
        "doctor.leave.Leave.choose_all": (DOCTOR, {"fate": "desk"}),
        "doctor.leave.Leave.go_on": (DOCTOR, {}),
        "doctor.leave.Leave.load": (DOCTOR, {}),
        "doctor.leave.Leave.look": (DOCTOR, {"typed": {"first": "2030-01-01", "last": "2030-01-02"}}),
        "doctor.leave.Leave.take": (DOCTOR, {"typed": {"message": "The doctor is ill."}}),
        "doctor.profile.Profile.load": (DOCTOR, {}),
        "doctor.profile.Profile.revoke_feed": (DOCTOR, {"feed_id": cast.feed["doctor"]}),
        "doctor.profile.Profile.save": (DOCTOR, {"texts": {"title": "Consultant", "bio": "", "languages": ""}}),
        "doctor.profile.Profile.tell_each_morning": (DOCTOR, {"is_on": False}),
        "doctor.unused.Unused.load": (DOCTOR, {}),
        "patient.booked.Booked.ask": (PATIENT, {"is_cancelling": False}),
        "patient.booked.Booked.cancel": (PATIENT, {"form": {"choice": "I am ill", "note": ""}}),
        "patient.booked.Booked.load": (PATIENT, {}),
        "patient.calendar.Calendar.ask": (PATIENT, {"feed_id": 0}),
        "patient.calendar.Calendar.copied": (PATIENT, {}),
        "patient.calendar.Calendar.create": (PATIENT, {}),
        "patient.calendar.Calendar.load": (PATIENT, {}),
        "patient.calendar.Calendar.revoke": (PATIENT, {"feed_id": cast.feed["patient"]}),
        "patient.home.Home.load": (PATIENT, {}),
        "patient.home.Home.narrow": (PATIENT, {"status": "completed"}),
        "patient.home.Home.search": (PATIENT, {"text": "Haddad"}),
        "patient.home.Home.turn": (PATIENT, {"pages": 1}),
        "patient.waiting.Waiting.join": (PATIENT, {"form": {"who": "doctor", "part": "any", "earliest": ""}}),
        "patient.waiting.Waiting.load": (PATIENT, {}),
        "patient.waiting.Waiting.stop": (PATIENT, {"entry_id": 1}),
        "public.confirm.Confirm.agree": (EVERYBODY, {}),
        "public.confirm.Confirm.load": (EVERYBODY, {}),
        "public.doctor_profile.Profile.choose": (EVERYBODY, {"slot_id": cast.a_free_slot}),
        "public.doctor_profile.Profile.choose_another": (EVERYBODY, {}),
        "public.doctor_profile.Profile.choose_instead": (EVERYBODY, {"slot_id": cast.a_free_slot}),
        "public.doctor_profile.Profile.confirm": (PATIENT, {"form": {"reason": ""}}),
        "public.doctor_profile.Profile.go_on": (EVERYBODY, {}),
        "public.doctor_profile.Profile.jump": (EVERYBODY, {}),
        "public.doctor_profile.Profile.keep_reason": (EVERYBODY, {"text": "A cough."}),
        "public.doctor_profile.Profile.leave": (EVERYBODY, {}),
        "public.doctor_profile.Profile.load": (EVERYBODY, {}),
        "public.doctor_profile.Profile.send_link": (PATIENT, {}),
        "public.doctor_profile.Profile.show_day": (EVERYBODY, {"day": 2}),
        "public.doctor_profile.Profile.show_news": (EVERYBODY, {}),
        "public.doctor_profile.Profile.try_again": (PATIENT, {}),
        "public.doctor_profile.Profile.turn": (EVERYBODY, {"weeks": 1}),
        "public.doctors.Directory.choose_day": (EVERYBODY, {"day": "2030-01-01"}),
        "public.doctors.Directory.choose_department": (EVERYBODY, {"department": str(cast.department)}),
        "public.doctors.Directory.choose_part": (EVERYBODY, {"part": "morning"}),
        "public.doctors.Directory.choose_weekday": (EVERYBODY, {"weekday": 1, "is_on": True}),
        "public.doctors.Directory.clear": (EVERYBODY, {}),
        "public.doctors.Directory.clear_hours": (EVERYBODY, {}),
        "public.doctors.Directory.load": (EVERYBODY, {}),
        "public.doctors.Directory.search": (EVERYBODY, {"q": "Haddad"}),
        "public.doctors.Directory.turn": (EVERYBODY, {"pages": 1}),
        "public.entry.Entry.toggle_characters": (EVERYBODY, {}),
        "public.forgot.Forgot.load": (EVERYBODY, {}),
        "public.landing.Landing.choose_day": (EVERYBODY, {"day": "2030-01-01"}),
        "public.landing.Landing.choose_department": (EVERYBODY, {"department": str(cast.department)}),
        "public.landing.Landing.load": (EVERYBODY, {}),
        "public.login.Login.load": (EVERYBODY, {}),
        "public.login_code.LoginCode.load": (EVERYBODY, {}),
        "public.new_password.NewPassword.judge": (EVERYBODY, {"password": "violet harbour"}),
        "public.offer.Offer.decline": (PATIENT, {}),
        "public.offer.Offer.load": (EVERYBODY, {}),
        "public.offer.Offer.take": (PATIENT, {}),
        "public.reset.Reset.load": (EVERYBODY, {}),
        "public.signup.Signup.leave": (EVERYBODY, {"name": "email", "text": "jo@example.com"}),
        "public.signup.Signup.load": (EVERYBODY, {}),
        "shell.Messages.dismiss": (EVERYBODY, {}),
    }
    return {name: Entry(*line) for name, line in lines.items()}


def page_of(name: str, cast: Cast) -> str:
    """The address of the page on which a handler is used."""
    state = name.rpartition(".")[0]
    routes = {
        f"{page.load.fn.__module__.removeprefix('mhms_app.web.')}.{page.load.fn.__qualname__.rpartition('.')[0]}": page
        for page in PAGES
        if page.load is not None
    }
    route = routes[state].route if state in routes else "/"
    return route.replace("[doctor_id]", str(cast.doctor)).replace("[reference]", cast.reference)


def registered() -> dict[str, str]:
    """Every event that Reflex would run, by its name on the wire, as ``page.State.handler``."""
    found = RegistrationContext.get().event_handlers
    return {
        name: f"{event.states[0].__module__.removeprefix('mhms_app.web.')}.{event.states[0].__name__}."
        + name.rpartition(".")[2]
        for name, event in found.items()
    }


def policies() -> dict[str, str]:
    """Who may call what, as the code has it, by ``page.State.handler``."""
    found = RegistrationContext.get().event_handlers
    return {
        short: str(policy.who) if policy.who else EVERYBODY
        for name, short in registered().items()
        if (policy := policy_of(found[name].handler.fn)) is not None
    }


def allows_duty(handler: str) -> bool:
    """Whether somebody who has to do something else first may call it all the same."""
    policy = policy_of(RegistrationContext.get().event_handlers[WIRE_NAME[handler]].handler.fn)
    return policy is not None and policy.with_duty


WIRE_NAME = {short: name for name, short in registered().items()}
