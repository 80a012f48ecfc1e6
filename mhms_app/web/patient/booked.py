"""One appointment of a patient: what, when, where, what happens next, and how to change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.booking import changes
from mhms_app.booking.changes import Own
from mhms_app.booking.news import of_patient
from mhms_app.calendars.rules import google_link
from mhms_app.errors import NotFound
from mhms_app.live.hub import hub
from mhms_app.settings import settings
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.native_form import address_of
from mhms_app.web.components.only_for import only_for
from mhms_app.web.components.statuses import FOR_PATIENT as STATUS
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
    elsewhere: str = ""
    doctor: str = ""
    about: str = ""
    place: str = ""
    reason: str = ""
    email: str = ""
    ahead: bool = False
    calendar_path: str = ""
    google_path: str = ""
    status: str = ""
    tone: str = ""
    before: list[str] = field(default_factory=list)
    why: str = ""
    can_change: bool = False
    refusal: str = ""
    until: str = ""
    move_path: str = ""
    doctor_path: str = ""
    reasons: list[str] = field(default_factory=list)


class CancelForm(TypedDict):
    """Why a patient cancels."""

    choice: NotRequired[Annotated[str, Field(max_length=100)]]
    note: Annotated[str, Field(max_length=1000)]


class Booked(Screen):
    """One appointment of the patient.

    Attributes:
        is_cancelling: the question whether and why is asked.
    """

    shown: Appointment = Appointment()
    is_cancelling: bool = False

    @handler(Role.PATIENT)
    async def load(self) -> None:
        """Show the appointment that the address names, to whom it belongs."""
        self.is_cancelling = False
        await self._show(self.router.url.path.rpartition("/")[2])

    @handler(Role.PATIENT, local=True)
    async def ask(self, is_cancelling: bool) -> Any:
        """Ask whether and why to cancel, or think better of it."""
        self.is_cancelling = is_cancelling
        return rx.set_focus("why" if is_cancelling else "cancel")

    @handler(Role.PATIENT)
    async def cancel(self, form: CancelForm) -> None:
        """Cancel the appointment that is shown."""
        reference = self.shown.reference
        choice, note = form.get("choice", ""), form["note"]
        await bridge.call(self, changes.cancel, reference=reference, choice=choice, note=note)
        self.is_cancelling = False
        await self._show(reference)
        self.tell("Your appointment is cancelled. Thank you for telling us: somebody else can have the time.")

    async def _on_change(self, news: Sequence[Any]) -> None:
        """Show what the clinic, or somebody in another tab, has changed."""
        await self._show(self.shown.reference)

    async def _show(self, reference: str) -> None:
        heard = hub.heard
        try:
            self.shown = _appointment(await bridge.read(self, changes.own, reference=reference), self._time_zone)
        except NotFound:
            self.shown = Appointment()
        hub.watch(self, of_patient(self._patient_id), since=heard)


def _appointment(found: Own, time_zone: str) -> Appointment:
    row, now, refusal = found.appointment, bridge.now(), found.choices.refusal
    status, tone = STATUS[row.status]
    place = f"{settings().clinic_name}{f', {row.location}' if row.location else ''}"
    return Appointment(
        reference=row.reference,
        day=words.long_day(words.local(row.starts_at).date()),
        hours=words.hours(row.starts_at, row.ends_at),
        zone=words.zone_name(row.starts_at),
        elsewhere=words.elsewhere(row.starts_at, row.ends_at, zone=time_zone),
        doctor=row.doctor,
        about=" · ".join(part for part in (row.title, row.department) if part),
        place=place,
        reason=row.reason,
        email=found.email,
        ahead=row.status == "booked" and row.starts_at > now,
        status=status,
        tone=tone,
        before=[words.span(starts_at, ends_at, now=now) for starts_at, ends_at in found.before],
        why=found.why,
        can_change=refusal is None,
        refusal=refusal.sentence if refusal else "",
        until=words.moment_within(found.choices.until, now=now),
        move_path=routes.doctor_profile(row.doctor_id, week=words.local(row.starts_at).date(), move=row.reference),
        doctor_path=routes.doctor_profile(row.doctor_id),
        reasons=list(found.choices.reasons),
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
            aside=rx.cond(shown.ahead, rx.fragment(), theme.chip(shown.status, shown.tone)),
        ),
        theme.card(
            theme.facts(
                ("When", rx.fragment(_lines(shown.day, shown.hours, small=shown.zone), _elsewhere())),
                ("Doctor", _lines(shown.doctor, small=shown.about)),
                ("Where", shown.place),
                ("Reference", rx.el.span(shown.reference, class_name="numbers")),
            ),
            rx.cond(shown.reason, theme.well(rx.el.strong("Reason: "), shown.reason)),
            rx.cond(
                shown.before,
                rx.el.p("Moved from ", rx.foreach(shown.before, _former), class_name="small second"),
            ),
            rx.cond(shown.why, rx.el.p("Cancelled: ", shown.why, class_name="small second")),
        ),
        rx.cond(shown.ahead, rx.fragment(_what_next(), _change())),
        theme.line(
            theme.link_button("My appointments", routes.PATIENT, kind="primary"),
            theme.link_button("Find a doctor", routes.DOCTORS),
        ),
    )


def _lines(*facts: str, small: str) -> rx.Component:
    """One below the other, the last one small."""
    above = [part for fact in facts for part in (fact, rx.el.br())]
    return rx.fragment(*above, rx.el.span(small, class_name="small second"))


def _elsewhere() -> rx.Component:
    """When that is for somebody who lives elsewhere."""
    said = rx.fragment(rx.el.br(), rx.el.span("For you ", Booked.shown.elsewhere, class_name="small second"))
    return rx.cond(Booked.shown.elsewhere, said)


def _former(span: str) -> rx.Component:
    return rx.el.s(span, class_name="former")


def _change() -> rx.Component:
    """Moving and cancelling, or why not and what to do instead."""
    return theme.section(
        "If you cannot come",
        theme.card(
            rx.cond(
                Booked.shown.can_change,
                rx.cond(Booked.is_cancelling, _question(), _ways()),
                rx.el.p(Booked.shown.refusal),
            )
        ),
    )


def _ways() -> rx.Component:
    return theme.stack(
        rx.el.p("You can move or cancel this appointment until ", Booked.shown.until, "."),
        theme.line(
            theme.link_button("Move to another time", Booked.shown.move_path, icon_name="calendar-sync"),
            theme.button("Cancel appointment", kind="danger", id="cancel", on_click=Booked.ask(True)),
        ),
    )


def _question() -> rx.Component:
    reasons = rx.foreach(Booked.shown.reasons, lambda reason: theme.choice(reason, name="choice", value=reason))
    return rx.el.div(
        theme.form(
            theme.choices("Why do you cancel?", reasons, error=Booked.errors["choice"]),
            theme.text_field("In your own words", "note", optional=True, max_length=200, error=Booked.errors["reason"]),
            theme.line(
                theme.button("Cancel this appointment", kind="danger", solid=True, type="submit"),
                theme.button("Keep it", kind="quiet", on_click=Booked.ask(False)),
            ),
            on_submit=Booked.cancel,
        ),
        id="why",
        tab_index=-1,
    )


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
