"""Every page of the browser app: its path, its title, what it shows and what it loads first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.web.account import closing, password, security, security_page, sessions
from mhms_app.web.account import profile as account
from mhms_app.web.admin import (
    audit,
    bookings,
    departments,
    emails,
    overview,
    slots,
    system,
    users,
    users_page,
    worklist,
)
from mhms_app.web.admin import leave as admin_leave
from mhms_app.web.doctor import availability, day, hours, leave, profile, unused
from mhms_app.web.doctor.google_calendar import GoogleCalendar
from mhms_app.web.patient import booked, calendar, home, waiting
from mhms_app.web.public import (
    confirm,
    doctor_profile,
    doctor_profile_page,
    doctors,
    forgot,
    landing,
    login,
    login_code,
    not_found,
    offer,
    reset,
    signup,
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``load`` runs at every visit, before there is anything to show, and ``then`` after it."""

    route: str
    title: str
    component: Callable[[], rx.Component]
    load: Any = None
    then: Any = None


PAGES = (
    Page(routes.HOME, "Find a doctor", landing.page, landing.Landing.load),
    Page(routes.DOCTORS, "Find a doctor", doctors.page, doctors.Directory.load),
    Page(routes.DOCTOR_PROFILE, "Choose a time", doctor_profile_page.page, doctor_profile.Profile.load),
    Page(routes.LOGIN, "Log in", login.page, login.Login.load),
    Page(routes.LOGIN_CODE, "One more step", login_code.page, login_code.LoginCode.load),
    Page(routes.SIGNUP, "Create your account", signup.page, signup.Signup.load),
    Page(routes.FORGOT, "Forgotten password", forgot.page, forgot.Forgot.load),
    Page(routes.RESET, "New password", reset.page, reset.Reset.load),
    Page(routes.CONFIRM, "Your address", confirm.page, confirm.Confirm.load),
    Page(routes.ACCOUNT_SECURITY, "Security", security_page.page, security.Security.load),
    Page(routes.ACCOUNT, "Your account", account.page, account.Account.load),
    Page(routes.ACCOUNT_SESSIONS, "Your sessions", sessions.page, sessions.Sessions.load),
    Page(routes.ACCOUNT_CLOSING, "Close your account", closing.page, closing.Closing.load),
    Page(routes.ACCOUNT_PASSWORD, "Password", password.page, password.Password.load),
    Page(routes.DOCTOR, "Your day", day.page, day.Day.load),
    Page(routes.AVAILABILITY, "Availability", availability.page, availability.Availability.load),
    Page(routes.HOURS, "Working hours", hours.page, hours.WorkingHours.load),
    Page(routes.LEAVE, "Leave", leave.page, leave.Leave.load),
    Page(routes.UNUSED_SLOTS, "Unused slots", unused.page, unused.Unused.load),
    Page(routes.OWN_PROFILE, "Your profile", profile.page, profile.Profile.load, GoogleCalendar.load),
    Page(routes.PATIENT, "My appointments", home.page, home.Home.load),
    Page(routes.BOOKED, "Your appointment", booked.page, booked.Booked.load),
    Page(routes.PATIENT_CALENDAR, "Calendar", calendar.page, calendar.Calendar.load),
    Page(routes.WAITING, "Waiting list", waiting.page, waiting.Waiting.load),
    Page(routes.OFFER, "A free time", offer.page, offer.Offer.load),
    Page(routes.ADMIN, "Overview", overview.page, overview.Overview.load),
    Page(routes.ADMIN_WORKLIST, "Worklist", worklist.page, worklist.Worklist.load),
    Page(routes.ADMIN_LEAVE, "Leave", admin_leave.page, admin_leave.DoctorsLeave.load),
    Page(routes.ADMIN_BOOKINGS, "Bookings", bookings.page, bookings.Bookings.load),
    Page(routes.ADMIN_SLOTS, "Slots", slots.page, slots.Slots.load),
    Page(routes.ADMIN_USERS, "Users", users_page.page, users.Users.load),
    Page(routes.ADMIN_DEPARTMENTS, "Departments", departments.page, departments.Departments.load),
    Page(routes.ADMIN_AUDIT, "Audit trail", audit.page, audit.Audit.load),
    Page(routes.ADMIN_EMAILS, "E-mails", emails.page, emails.Emails.load),
    Page(routes.ADMIN_SYSTEM, "System", system.page, system.System.load),
    Page(routes.NOT_FOUND, "Not found", not_found.page),
)
