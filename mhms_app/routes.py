"""Every path of the browser app, once."""

from __future__ import annotations

from datetime import date
from urllib.parse import quote, urlencode, urlsplit

HOME = "/"
LOGIN = "/login"
LOGIN_CODE = "/login/code"
SIGNUP = "/signup"
FORGOT = "/forgot"
RESET = "/reset/[token]"
CONFIRM = "/confirm/[token]"
DOCTORS = "/doctors"
DOCTOR_PROFILE = "/doctors/[doctor_id]"
PATIENT = "/patient"
BOOKED = "/patient/booked/[reference]"
PATIENT_CALENDAR = "/patient/calendar"
WAITING = "/patient/waiting"
OFFER = "/offer/[token]"
DOCTOR = "/doctor"
AVAILABILITY = "/doctor/availability"
HOURS = "/doctor/hours"
LEAVE = "/doctor/leave"
UNUSED_SLOTS = "/doctor/unused"
OWN_PROFILE = "/doctor/profile"
ADMIN = "/admin"
ADMIN_USERS = "/admin/users"
ADMIN_DEPARTMENTS = "/admin/departments"
ADMIN_SLOTS = "/admin/slots"
ADMIN_BOOKINGS = "/admin/bookings"
ADMIN_EMAILS = "/admin/emails"
ADMIN_AUDIT = "/admin/audit"
ADMIN_WORKLIST = "/admin/worklist"
ADMIN_LEAVE = "/admin/leave"
ADMIN_SYSTEM = "/admin/system"
ACCOUNT = "/account"
ACCOUNT_PASSWORD = "/account/password"  # noqa: S105 - an address
ACCOUNT_SECURITY = "/account/security"
ACCOUNT_SESSIONS = "/account/sessions"
ACCOUNT_CLOSING = "/account/closing"
NOT_FOUND = "404"  # Reflex's name for every address without a page

# Served by mhms_app/api, outside of Reflex.
POST_LOGIN = "/session"
POST_LOGOUT = "/session/end"
POST_ACT = "/session/act"
POST_ACT_END = "/session/act/end"
POST_SIGNUP = "/signup/account"
POST_CODE = "/session/code"
POST_PASSKEY = "/session/passkey"
POST_PASSKEY_OPTIONS = "/session/passkey/options"
POST_GO_ON = "/session/go-on"
POST_FORGOT = "/password/forgotten"
POST_RESET = "/password/reset"
POST_PASSWORD = "/password"  # noqa: S105 - an address
AUDIT_CSV = "/admin/audit.csv"
POST_CLOSE = "/account/closed"
ACCOUNT_EXPORT = "/account/export.json"
BOOKINGS_CSV = "/admin/bookings.csv"
CALENDAR_FILE = "/patient/appointments/{reference}.ics"
CALENDAR_FEED = "/calendar/{token}.ics"
GOOGLE_CALLBACK = "/doctor/google/callback"
CSP_REPORTS = "/csp-reports"
METRICS = "/metrics"

LONGEST_TOKEN = 64  # of those that stand in an address

# Where somebody who has to do something first (an ``actor.Duty``) does it.
PAGE_OF_DUTY = {"password": ACCOUNT_PASSWORD, "second_factor": ACCOUNT_SECURITY}

_HOME_OF_ROLE = {"patient": PATIENT, "doctor": DOCTOR, "admin": ADMIN}


def home_of(role: str) -> str:
    """Where somebody of this role lands after logging in."""
    return _HOME_OF_ROLE.get(role, HOME)


def doctor_profile(doctor_id: int, *, week: date | None = None, slot_id: int | None = None, move: str = "") -> str:
    """The page of one doctor, at a week and with a slot chosen when they are given.

    Args:
        move: the reference of an appointment for which another time is looked for.
    """
    shown = week.isoformat() if week else ""
    return with_query(f"{DOCTORS}/{doctor_id}", week=shown, slot=slot_id or "", move=move)


def doctors(
    *, department: str = "", q: str = "", day: str = "", part: str = "", weekdays: str = "", page: int = 1
) -> str:
    """The directory with these filters; ``weekdays`` are digits from 1, Monday, to 7 (ISO 8601)."""
    when = {"day": day, "part": part, "weekdays": weekdays}
    return with_query(DOCTORS, department=department, q=q, **when, page=page if page > 1 else "")


def with_query(path: str, **fields: str | int) -> str:
    """The path with those fields that are not empty."""
    query = urlencode({name: value for name, value in fields.items() if value != ""})
    return f"{path}?{query}" if query else path


def doctor_day(day: date) -> str:
    """A doctor's own page of one day."""
    return f"{DOCTOR}?day={day}"


def doctor_week(monday: date) -> str:
    """A doctor's own week."""
    return f"{AVAILABILITY}?week={monday}"


def admin_person(user_id: int) -> str:
    """The list of users, with one of them in the panel."""
    return f"{ADMIN_USERS}?person={user_id}"


def admin_leave(doctor_id: int) -> str:
    """Where an administrator enters a leave of a doctor."""
    return f"{ADMIN_LEAVE}?doctor={doctor_id}"


def doctor_calendar_day(day: date) -> str:
    """One day of a doctor's own week."""
    return f"{AVAILABILITY}?day={day}"


def booked(reference: str) -> str:
    """The page that says what happens after a booking."""
    return f"{PATIENT}/booked/{reference}"


def waiting(*, doctor_id: int | None = None, department: str = "", part: str = "", weekdays: str = "") -> str:
    """Where a patient asks to be told when a doctor, or anybody of a department, has a free time.

    Args:
        part, weekdays: what to begin with, as in ``doctors``.
    """
    return with_query(WAITING, doctor=doctor_id or "", department=department, part=part, weekdays=weekdays)


def offer(token: str) -> str:
    """The page on which an offer of the waiting list is taken."""
    return f"/offer/{token}"


def confirm(token: str) -> str:
    """The page on which somebody confirms an address with the link that was mailed there."""
    return f"/confirm/{token}"


def reset(token: str) -> str:
    """The page on which somebody who forgot their password chooses one."""
    return f"/reset/{token}"


def token_in(path: str) -> str:
    """The token with which a path ends, cut to the length of those that there are."""
    return path.rstrip("/").rpartition("/")[2][:LONGEST_TOKEN]


def calendar_file(reference: str) -> str:
    """An appointment for the patient's own calendar."""
    return CALENDAR_FILE.format(reference=reference)


def calendar_feed(token: str) -> str:
    """A private address under which a calendar program reads appointments."""
    return CALENDAR_FEED.format(token=token)


def login_then(path: str) -> str:
    """The login page, which leads back to ``path``."""
    return f"{LOGIN}?next={quote(path, safe='')}"


def login_code_then(path: str) -> str:
    """The second step of a login, which leads to ``path``; ``""`` is the home of whoever it is."""
    return with_query(LOGIN_CODE, next=path)


def signup_then(path: str) -> str:
    """The sign-up page, which leads back to ``path``."""
    return f"{SIGNUP}?next={quote(path, safe='')}"


def safe_next(target: str) -> str:
    """Return ``target`` if it is a path of this app, else ``""``: a link must not lead elsewhere after login."""
    parts = urlsplit(target)
    is_local = not parts.scheme and not parts.netloc and target.startswith("/") and not target.startswith(("//", "/\\"))
    harmless = all(c.isprintable() and c not in "\\\"'<>" for c in target)
    return target if is_local and harmless and len(target) <= 300 else ""
