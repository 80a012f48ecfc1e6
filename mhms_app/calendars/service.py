"""Appointments for people's own calendars (RFC 5545)."""

from __future__ import annotations

from icalendar import Calendar, Event
from sqlmodel import Session

from mhms_app import db, routes
from mhms_app.actor import Actor
from mhms_app.booking import lists
from mhms_app.notifications import service as notifications
from mhms_app.settings import settings

_PRODID = "-//MHMS//Appointments//EN"


def appointment_file(session: Session, actor: Actor | None, *, reference: str) -> bytes:
    """One appointment of the acting patient as an iCalendar object: UTF-8, lines that end in CRLF.

    Times are instants in UTC, which need no description of a zone and are right on both sides of a
    change of the clocks. The UID is that of the e-mailed invitation, so a calendar that has both keeps one.

    Raises:
        NotFound: there is none with this reference, or it is somebody else's.
    """
    row = lists.appointment(session, actor, reference=reference)
    url = f"{settings().base_url}{routes.booked(row.reference)}"
    event = Event()
    event.add("uid", notifications.calendar_uid(row.reference))
    event.add("dtstamp", db.clock.now())
    event.add("dtstart", row.starts_at)
    event.add("dtend", row.ends_at)
    event.add("summary", f"Appointment with {row.doctor}")
    event.add("location", ", ".join(part for part in (settings().clinic_name, row.location) if part))
    event.add("description", f"{row.department}\nReference {row.reference}\n{url}")
    event.add("url", url)
    event.add("status", "CANCELLED" if row.status == "cancelled" else "CONFIRMED")
    event.add("class", "PRIVATE")
    calendar = Calendar()
    calendar.add("prodid", _PRODID)
    calendar.add("version", "2.0")
    calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written
