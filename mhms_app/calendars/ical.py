"""Appointments written as iCalendar objects (RFC 5545).

Times are instants in UTC, which need no description of a zone and are right on both sides of a change of the
clocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from icalendar import Calendar, Event

from mhms_app.notifications import service as notifications

_PRODID = "-//MHMS//Appointments//EN"
_REFRESH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One appointment in a calendar; instants are aware UTC, texts may be empty.

    Attributes:
        stamp: what DTSTAMP says.
        sequence: RFC 5546 SEQUENCE: rises with each change.
    """

    reference: str
    sequence: int
    stamp: datetime
    starts_at: datetime
    ends_at: datetime
    summary: str
    location: str = ""
    description: str = ""
    url: str = ""
    is_cancelled: bool = False


def file(entry: Entry) -> bytes:
    """One appointment to be opened: UTF-8, lines that end in CRLF."""
    return _written(_calendar(), [entry])


def feed(entries: Iterable[Entry], *, name: str) -> bytes:
    """A calendar to be subscribed to, under a name; it asks to be read again every hour."""
    calendar = _calendar()
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("name", name)  # RFC 7986, section 5.1
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})  # RFC 7986, section 5.7
    calendar.add("x-published-ttl", "PT1H")  # the same for Outlook
    return _written(calendar, entries)


def _calendar() -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", _PRODID)
    calendar.add("version", "2.0")
    return calendar


def _written(calendar: Calendar, entries: Iterable[Entry]) -> bytes:
    for entry in entries:
        calendar.add_component(_event(entry))
    written: bytes = calendar.to_ical()
    return written


def _event(entry: Entry) -> Event:
    """The UID is that of the e-mailed invitation, so a calendar that has both keeps one."""
    event = Event()
    event.add("uid", notifications.calendar_uid(entry.reference))
    event.add("sequence", entry.sequence)
    event.add("dtstamp", entry.stamp)
    event.add("dtstart", entry.starts_at)
    event.add("dtend", entry.ends_at)
    event.add("summary", entry.summary)
    for name in ("location", "description", "url"):
        if text := getattr(entry, name):
            event.add(name, text)
    event.add("status", "CANCELLED" if entry.is_cancelled else "CONFIRMED")
    event.add("class", "PRIVATE")
    return event
