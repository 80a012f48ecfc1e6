"""After a booking: what, when, where, and what happens next."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from mhms_app import routes
from mhms_app.booking import lists
from mhms_app.booking.lists import Confirmed
from mhms_app.calendars.rules import google_link
from mhms_app.errors import NotFound
from mhms_app.settings import settings
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.native_form import address_of
from mhms_app.web.components.only_for import only_for
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame


@dataclass(frozen=True, slots=True)
class Appointment:
    """What was booked; no reference means that there is nothing to show."""

    reference: str = ""
    day: str = ""
    hours: str = ""
    zone: str = ""
    doctor: str = ""
    about: str = ""
    place: str = ""
    reason: str = ""
    email: str = ""
    ahead: bool = False
    calendar_path: str = ""
    google_path: str = ""


class Booked(Screen):
    """One appointment of the patient."""

    shown: Appointment = Appointment()

    @handler(Role.PATIENT)
    async def load(self) -> None:
        """Show the appointment that the address names, to whom it belongs."""
        reference = self.router.url.path.rpartition("/")[2]
        try:
            self.shown = _appointment(await bridge.read(self, lists.confirmed, reference=reference))
        except NotFound:
            self.shown = Appointment()


def _appointment(found: Confirmed) -> Appointment:
    row, now = found.appointment, bridge.now()
    place = f"{settings().clinic_name}{f', {row.location}' if row.location else ''}"
    return Appointment(
        reference=row.reference,
        day=words.long_day(words.local(row.starts_at).date()),
        hours=words.hours(row.starts_at, row.ends_at),
        zone=words.zone_name(row.starts_at),
        doctor=row.doctor,
        about=" · ".join(part for part in (row.title, row.department) if part),
        place=place,
        reason=row.reason,
        email=found.email,
        ahead=row.status == "booked" and row.starts_at > now,
        calendar_path=address_of(routes.calendar_file(row.reference)),
        google_path=google_link(
            title=f"Appointment with {row.doctor}",
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            details=f"{row.department}\nReference {row.reference}\n{settings().base_url}{routes.booked(row.reference)}",
            location=place,
        ),
    )


# The page -------------------------------------------------------------------------------------------


def page() -> rx.Component:
    """What a patient reads after booking."""
    return frame(
        only_for(Role.PATIENT, theme.loading(rx.cond(Booked.shown.reference, _content(), _nothing()), _skeleton())),
        active=routes.PATIENT,
    )


def _content() -> rx.Component:
    shown = Booked.shown
    return theme.narrow(
        theme.page_heading(
            rx.cond(shown.ahead, "You are booked", "Your appointment"),
            rx.cond(shown.ahead, "See you at the clinic.", ""),
        ),
        theme.card(
            theme.facts(
                ("When", _lines(shown.day, shown.hours, small=shown.zone)),
                ("Doctor", _lines(shown.doctor, small=shown.about)),
                ("Where", shown.place),
                ("Reference", rx.el.span(shown.reference, class_name="numbers")),
            ),
            rx.cond(shown.reason, theme.well(rx.el.strong("Reason: "), shown.reason)),
        ),
        rx.cond(shown.ahead, _what_next()),
        theme.line(
            theme.link_button("My appointments", routes.PATIENT, kind="primary"),
            theme.link_button("Find a doctor", routes.DOCTORS),
        ),
    )


def _lines(*facts: str, small: str) -> rx.Component:
    """One below the other, the last one small."""
    above = [part for fact in facts for part in (fact, rx.el.br())]
    return rx.fragment(*above, rx.el.span(small, class_name="small second"))


def _what_next() -> rx.Component:
    return theme.section(
        "What happens next",
        theme.card(
            theme.rows(
                theme.list_row(
                    "A confirmation is on its way",
                    rx.fragment("To ", Booked.shown.email, ", with the appointment for your calendar."),
                    lead=theme.disc("mail"),
                ),
                theme.list_row(
                    "Put it in your calendar now",
                    rx.fragment(
                        rx.el.a("Add to calendar", href=Booked.shown.calendar_path, reload_document=True),
                        " · ",
                        rx.el.a(
                            "Add to Google Calendar", href=Booked.shown.google_path, target="_blank", rel="noreferrer"
                        ),
                    ),
                    lead=theme.disc("calendar-plus"),
                ),
                theme.list_row(
                    "Come ten minutes early",
                    "Bring your insurance card, and a list of the medicines that you take.",
                    lead=theme.disc("clock"),
                ),
            ),
            flush=True,
        ),
    )


def _nothing() -> rx.Component:
    return theme.narrow(
        theme.page_heading(
            "We could not find this appointment",
            "The address may have a typing mistake, or the appointment belongs to another account.",
        ),
        theme.line(theme.link_button("My appointments", routes.PATIENT, kind="primary")),
    )


def _skeleton() -> rx.Component:
    return theme.narrow(
        theme.skeleton("14rem", "1.75rem"),
        theme.card(*(theme.skeleton(width) for width in ("16rem", "12rem", "14rem", "8rem"))),
        theme.skeleton("100%", "180px"),
    )
