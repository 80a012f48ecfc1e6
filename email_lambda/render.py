"""Turn a checked message into the e-mail that leaves the clinic."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from .invite import invitation
from .messages import Appointment, CalendarMessage, Message, Span

_FORMS = ("txt", "html")
_SECOND_FACTOR = {  # what happened to it: in a few words, and what it means
    "app_on": ("An authenticator app was added", "From now on you are asked for its code when you log in."),
    "app_off": ("Your authenticator app was removed", "You are no longer asked for its codes when you log in."),
    "passkey_on": ("A passkey was added", "From now on you can log in with it."),
    "passkey_off": ("A passkey was removed", "Nobody can log in with it any more."),
    "codes_new": ("You have new recovery codes", "The earlier ones no longer work."),
    "code_used": ("A recovery code was used", "It opened your account just now, and works no more."),
    "reset": ("Your second factor was removed by the clinic", "You were logged out everywhere. Set up a new one soon."),
}

_ACCOUNT_ACTION = {  # what an administrator did to an account: in a few words, and what it means
    "locked": ("Your account was locked", "You can no longer log in. Appointments that are booked stay."),
    "unlocked": ("Your account is open again", "You can log in as before."),
    "new_password_asked": (
        "Please choose a new password",
        "You were logged out everywhere. At the next login you choose a new password.",
    ),
    "sessions_ended": ("You were logged out everywhere", "You can log in again at any time."),
}


def key_hash(idempotency_key: str) -> str:
    """Return the name of a key in stores, file names and logs: 64 hex digits (SHA-256)."""
    return hashlib.sha256(idempotency_key.encode()).hexdigest()


def render(message: Message, *, from_address: str, now: datetime) -> EmailMessage:
    """Write subject, text and HTML from ``templates/<kind>``, and attach the invitation if the kind has one.

    Args:
        from_address: a bare address; the clinic's name is put before it.
        now: aware UTC.
    """
    text, html = (_templates.get_template(f"{message.kind.lower()}.{form}").render(dict(message)) for form in _FORMS)
    subject, text = text.removeprefix("Subject: ").split("\n\n", 1)

    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = subject
    mail["From"] = Address(message.clinic.name, addr_spec=from_address)
    mail["To"] = Address(message.recipient.name, addr_spec=message.recipient.email)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{key_hash(message.idempotency_key)[:32]}@{from_address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text, cte="quoted-printable")
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    if isinstance(message, CalendarMessage):
        _attach(mail, invitation(message, organizer=from_address, now=now), message.method)
    return mail


def _attach(mail: EmailMessage, ics: bytes, method: str) -> None:
    """Add the invitation twice, as mail programs expect it.

    Gmail, Outlook and Apple Mail read the alternative part, whose Content-Type repeats the method
    (RFC 6047, section 2.4); all others offer the attached file.
    """
    mail.add_alternative(ics.decode(), subtype="calendar", cte="base64", params={"method": method})
    mail.add_attachment(ics, maintype="application", subtype="ics", filename="appointment.ics")


def span(time: Span) -> str:
    """Say when in the clinic's time: ``Thu 26 Nov, 10:00 – 10:20``."""
    return f"{short_date(_local(time)[0])}, {hours(time)}"


def hours(time: Span) -> str:
    """Say when on a day that is known: ``10:00 – 10:20``."""
    start, end = _local(time)
    last = f"{end:%H:%M}" if end.date() == start.date() else f"{short_date(end)}, {end:%H:%M}"
    return f"{start:%H:%M} – {last}"


def zone_name(time: Span) -> str:
    """Name the zone of ``span``: ``Berlin time, CET``."""
    return _zone(time.time_zone, *_local(time))


def zone_at(instant: datetime, time_zone: str) -> str:
    """Name the zone of ``moment``: ``Berlin time, CET``."""
    return _zone(time_zone, instant.astimezone(ZoneInfo(time_zone)))


def elsewhere(time: Appointment) -> str:
    """Say when on the patient's own clock: ``09:00 – 09:20, Lisbon time, WET``; ``""`` where it shows the same."""
    if time.own_time_zone is None:
        return ""
    there = Span(starts_at=time.starts_at, ends_at=time.ends_at, time_zone=time.own_time_zone)
    theirs, ours = _local(there), _local(time)
    if [each.utcoffset() for each in theirs] == [each.utcoffset() for each in ours]:
        return ""
    when = hours(there) if theirs[0].date() == ours[0].date() else span(there)
    return f"{when}, {zone_name(there)}"


def moment(instant: datetime, time_zone: str) -> str:
    """Say an instant in a zone: ``Thu 26 Nov, 18:00``."""
    local = instant.astimezone(ZoneInfo(time_zone))
    return f"{short_date(local)}, {local:%H:%M}"


def short_date(day: date) -> str:
    """Say a day: ``Thu 26 Nov``."""
    return f"{day:%a} {day.day} {day:%b}"


def long_date(time: Span | date) -> str:
    """Say a day in full: ``Thursday, 26 November 2026``."""
    day = time if isinstance(time, date) else _local(time)[0]
    return f"{day:%A}, {day.day} {day:%B %Y}"


def how_many(appointments: Sequence[object]) -> str:
    """Count appointments in words: ``1 appointment``."""
    return f"{len(appointments) or 'No'} appointment{'' if len(appointments) == 1 else 's'}"


def _zone(time_zone: str, *times: datetime) -> str:
    abbreviations = dict.fromkeys(t.tzname() or "" for t in times)
    names = " then ".join(name if name.isalpha() else f"UTC{name}" for name in abbreviations)
    region, _, city = time_zone.rpartition("/")
    return f"{city.replace('_', ' ')} time, {names}" if region not in ("", "Etc") else names


def account_action(action: str) -> tuple[str, str]:
    """What an administrator did to an account: in a few words, and what it means."""
    return _ACCOUNT_ACTION[action]


def second_factor(change: str) -> tuple[str, str]:
    """Say what happened to a second factor, and what it means."""
    return _SECOND_FACTOR[change]


def _local(time: Span) -> tuple[datetime, datetime]:
    zone = ZoneInfo(time.time_zone)
    return time.starts_at.astimezone(zone), time.ends_at.astimezone(zone)


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_templates.filters.update(
    span=span,
    hours=hours,
    zone_name=zone_name,
    zone_at=zone_at,
    elsewhere=elsewhere,
    moment=moment,
    short_date=short_date,
    long_date=long_date,
    how_many=how_many,
    second_factor=second_factor,
    account_action=account_action,
)
