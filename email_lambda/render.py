"""Turn a checked message into the e-mail that leaves the clinic."""

import hashlib
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from .invite import invitation
from .messages import Appointment, CalendarMessage, Message

_FORMS = ("txt", "html")


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


def span(appointment: Appointment) -> str:
    """Say when in the clinic's time: ``Thu 26 Nov, 10:00 – 10:20``."""
    start, end = _local(appointment)
    last = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%a} {end.day} {end:%b, %H:%M}"
    return f"{start:%a} {start.day} {start:%b, %H:%M} – {last}"


def zone_name(appointment: Appointment) -> str:
    """Name the zone of ``span``: ``Berlin time, CET``."""
    abbreviations = dict.fromkeys(t.tzname() or "" for t in _local(appointment))
    names = " then ".join(name if name.isalpha() else f"UTC{name}" for name in abbreviations)
    region, _, city = appointment.time_zone.rpartition("/")
    return f"{city.replace('_', ' ')} time, {names}" if region not in ("", "Etc") else names


def long_date(appointment: Appointment) -> str:
    """Say the day in full: ``Thursday, 26 November 2026``."""
    start, _ = _local(appointment)
    return f"{start:%A}, {start.day} {start:%B %Y}"


def _local(appointment: Appointment) -> tuple[datetime, datetime]:
    zone = ZoneInfo(appointment.time_zone)
    return appointment.starts_at.astimezone(zone), appointment.ends_at.astimezone(zone)


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_templates.filters.update(span=span, zone_name=zone_name, long_date=long_date)
