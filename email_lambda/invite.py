"""An appointment as an iCalendar invitation that mail programs put into the calendar."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone, TimezoneDaylight, TimezoneStandard, vCalAddress, vText

from .messages import CalendarMessage

PRODID = "-//MHMS//Appointments//EN"


def invitation(message: CalendarMessage, *, organizer: str, now: datetime) -> bytes:
    """Return an iTIP object (RFC 5546, section 3.2) of one event, UTF-8 with CRLF line ends.

    The UID never changes and SEQUENCE grows with every change, so a moved appointment replaces
    the old entry in the patient's calendar.

    Args:
        organizer: the address that the message is sent from.
        now: aware UTC, written as DTSTAMP.
    """
    appointment, clinic, patient = message.data, message.clinic, message.recipient
    zone = ZoneInfo(appointment.time_zone)
    event = Event()
    event.add("uid", appointment.uid)
    event.add("sequence", appointment.sequence)
    event.add("dtstamp", now)
    event.add("dtstart", _wall_clock(appointment.starts_at, zone))
    event.add("dtend", _wall_clock(appointment.ends_at, zone))
    event.add("summary", f"Appointment with {appointment.doctor}")
    event.add("location", ", ".join(filter(None, [clinic.name, appointment.location])))
    event.add("description", f"{appointment.department}\nReference {appointment.reference}\n{appointment.action_url}")
    event.add("url", str(appointment.action_url))
    event.add("status", "CANCELLED" if message.method == "CANCEL" else "CONFIRMED")
    event.add("class", "PRIVATE")
    event.add("organizer", _person(organizer, clinic.name))
    event.add("attendee", _person(patient.email, patient.name, PARTSTAT="ACCEPTED", RSVP="FALSE"))

    calendar = Calendar()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    calendar.add("method", message.method)
    if zone.key != "UTC":
        calendar.add_component(_vtimezone(zone, appointment.starts_at.year, appointment.ends_at.year))
    calendar.add_component(event)
    ics: bytes = calendar.to_ical()
    return ics


def _person(email: str, name: str, **params: str) -> vCalAddress:
    person = vCalAddress(f"mailto:{email}")
    for key, value in {"CN": name, **params}.items():
        person.params[key] = vText(value)
    return person


def _wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return local time, which names its zone by TZID.

    In a repeated hour it is UTC: TZID can only mean the first pass (RFC 5545, section 3.3.5), and some readers,
    ical.js among them, take it for the second.
    """
    local = instant.astimezone(zone)
    is_repeated = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return instant if is_repeated else local


@lru_cache(maxsize=32)
def _vtimezone(zone: ZoneInfo, first_year: int, last_year: int) -> Timezone:
    """Describe the zone from the start of ``first_year`` to the end of ``last_year`` (RFC 5545, section 3.6.5).

    icalendar's own ``Timezone.from_tzid`` writes the onset of summer time in the new offset; the
    standard asks for the old one.
    """
    start = datetime(first_year, 1, 1, tzinfo=UTC)
    end = datetime(last_year + 1, 1, 1, tzinfo=UTC)
    timezone = Timezone()
    timezone.add("tzid", zone.key)
    for onset in [start, *_transitions(zone, start, end)]:
        before, after = onset - timedelta(seconds=1), onset.astimezone(zone)
        rule = TimezoneDaylight() if after.dst() else TimezoneStandard()
        rule.add("dtstart", onset.replace(tzinfo=None) + _offset(zone, before))
        rule.add("tzoffsetfrom", _offset(zone, before))
        rule.add("tzoffsetto", _offset(zone, after))
        rule.add("tzname", after.tzname())
        timezone.add_component(rule)
    return timezone


def _transitions(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the UTC instants at which the zone's offset changes, found to the second by bisection of days."""
    day = timedelta(days=1)
    while start < end:
        if _offset(zone, start) != _offset(zone, start + day):
            low, high = start, start + day
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
                low, high = (middle, high) if _offset(zone, middle) == _offset(zone, start) else (low, middle)
            yield high
        start += day


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)
