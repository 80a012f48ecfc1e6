"""One's own account: what one is called, how one is reached, which messages come, and how to leave."""

from __future__ import annotations

from typing import Annotated

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.accounts import own
from mhms_app.actor import LOGGED_IN
from mhms_app.booking import summaries
from mhms_app.settings import settings
from mhms_app.web import bridge, theme, words
from mhms_app.web.account.address import address_section
from mhms_app.web.account.frame import account_frame
from mhms_app.web.components.native_form import address_of
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen


class ProfileForm(TypedDict):
    """The form as it was typed."""

    full_name: Annotated[str, Field(max_length=400)]
    phone: Annotated[str, Field(max_length=400)]
    time_zone: Annotated[str, Field(max_length=64)]


class Account(Screen):
    """What is known of the person, and what they chose.

    Attributes:
        zones: the time zones to choose from; empty until the page is loaded.
        clinics_zone: the time in the clinic, which always comes first.
        reminded: a patient is reminded of appointments.
        told: a doctor is told each morning who comes.
    """

    full_name: str = ""
    phone: str = ""
    time_zone: str = ""
    zones: list[str] = []
    clinics_zone: str = ""
    reminded: bool = False
    told: bool = False

    @handler(LOGGED_IN)
    async def load(self) -> None:
        """Show the account as it is."""
        found = await bridge.read(self, own.look)
        self.full_name, self.phone, self.time_zone = found.name, found.phone, found.time_zone
        self.reminded = found.reminded
        self.clinics_zone = words.zone_name(bridge.now())
        if self.viewer_role == Role.DOCTOR:
            self.told = await bridge.read(self, summaries.wants_summary)
        self.zones = list(own.time_zones())

    @handler(LOGGED_IN)
    async def save(self, typed: ProfileForm) -> None:
        """Change name, phone number and time zone."""
        await bridge.call(self, own.save, **typed)
        self.full_name, self.phone, self.time_zone = typed["full_name"], typed["phone"], typed["time_zone"]
        self.tell("Your account is saved.")

    @handler(Role.PATIENT)
    async def remind(self, is_on: bool) -> None:
        """Be reminded of appointments, or no longer."""
        await bridge.call(self, own.remind, wanted=is_on)
        self.reminded = is_on
        self.tell("You will be reminded of your appointments." if is_on else "You get no more reminders.")

    @handler(Role.DOCTOR)
    async def tell_each_morning(self, is_on: bool) -> None:
        """Tell who comes by e-mail each morning, or no longer."""
        await bridge.call(self, summaries.want_summary, wanted=is_on)
        self.told = is_on
        self.tell(
            "From tomorrow on you get an e-mail each morning." if is_on else "You get no more e-mails of the day."
        )


def page() -> rx.Component:
    """The page of the account."""
    return account_frame(
        theme.page_heading("Your account", "What the clinic knows of you, and what you decide yourself."),
        rx.cond(Account.zones, theme.stack(_doctors(), _form(), gap="loose"), _skeleton()),
        address_section(),
        rx.cond(Account.zones, theme.stack(_messages(), _data(), _leaving(), gap="loose")),
        active=routes.ACCOUNT,
    )


def _doctors() -> rx.Component:
    link = rx.el.a("your profile", href=routes.OWN_PROFILE)
    return rx.cond(
        Account.viewer_role == Role.DOCTOR.value,
        theme.notice("What patients read about you stands on ", link, ".", icon_name="stethoscope"),
    )


def _form() -> rx.Component:
    return theme.card(
        theme.form(
            theme.text_field(
                "Full name",
                "full_name",
                default_value=Account.full_name,
                error=Account.errors["full_name"],
                auto_complete="name",
                max_length=120,
            ),
            theme.text_field(
                "Phone",
                "phone",
                type="tel",
                default_value=Account.phone,
                error=Account.errors["phone"],
                hint="So that the clinic can reach you when something changes at short notice.",
                auto_complete="tel",
                optional=True,
                max_length=40,
            ),
            theme.select_field(
                "Time zone",
                theme.option("", f"The clinic's: {settings().time_zone}"),
                rx.foreach(Account.zones, lambda zone: theme.option(zone, zone)),
                name="time_zone",
                default_value=Account.time_zone,
                error=Account.errors["time_zone"],
                hint=rx.fragment(
                    "Appointments are in ", Account.clinics_zone, ". If you live elsewhere, you see your own time too."
                ),
            ),
            theme.line(theme.button("Save", kind="primary", type="submit")),
            on_submit=Account.save,
        ),
        title="About you",
    )


def _messages() -> rx.Component:
    reminders = theme.checkbox(
        "Remind me of my appointments", name="reminded", default_checked=Account.reminded, on_change=Account.remind
    )
    mornings = theme.checkbox(
        "Tell me each morning who comes", name="told", default_checked=Account.told, on_change=Account.tell_each_morning
    )
    return theme.card(
        rx.match(Account.viewer_role, (Role.PATIENT.value, reminders), (Role.DOCTOR.value, mornings), rx.fragment()),
        rx.el.p(
            "You are always told what is booked, moved or cancelled, and what concerns the safety of your account.",
            class_name="hint",
        ),
        title="E-mails",
    )


def _data() -> rx.Component:
    return theme.card(
        rx.el.p(
            "Everything that the clinic's appointment system holds about you, as one JSON file.", class_name="second"
        ),
        theme.line(
            theme.link_button(
                "Download my data", address_of(routes.ACCOUNT_EXPORT), icon_name="download", reload_document=True
            )
        ),
        title="Your data",
    )


def _leaving() -> rx.Component:
    return theme.card(
        rx.el.p(
            "Your name, address and everything that you wrote are removed. You read first what will happen.",
            class_name="second",
        ),
        theme.line(theme.link_button("Close my account", routes.ACCOUNT_CLOSING)),
        title="Leaving",
    )


def _skeleton() -> rx.Component:
    return theme.card(*(theme.skeleton("100%", "72px") for _ in range(3)))
