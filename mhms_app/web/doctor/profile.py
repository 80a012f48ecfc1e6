"""What patients read about a doctor, for the doctor to change, and the doctor's private calendar addresses."""

from __future__ import annotations

from typing import Literal

import reflex as rx
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.booking import summaries
from mhms_app.calendars import service as calendars
from mhms_app.directory import service as directory
from mhms_app.web import bridge, theme
from mhms_app.web.components.feeds import Feed, NewFeed, feed_section, new_feed, shown
from mhms_app.web.doctor.google_calendar import google_section
from mhms_app.web.doctor.pieces import approval_notice, for_doctors
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame


class Texts(TypedDict):
    """The form as it was typed."""

    title: str
    bio: str
    languages: str


class Wanted(TypedDict):
    """What a new calendar address shall show."""

    shows: Literal["busy", "initials"]


class Profile(Screen):
    """The doctor's own texts and where patients see them, and the calendar addresses.

    Attributes:
        told: who comes is told each morning.
        asked: the address about whose end the page asks, or 0.
    """

    department: str = ""
    title: str = ""
    bio: str = ""
    languages: str = ""
    public_path: str = ""
    awaiting_approval: bool = False
    told: bool = False
    feeds: list[Feed] = []
    new: NewFeed = NewFeed()
    asked: int = 0

    @handler(Role.DOCTOR)
    async def load(self) -> None:
        """Show the texts as they are."""
        doctor = await bridge.read(self, directory.require_doctor)
        self.department, self.awaiting_approval = doctor.department, not doctor.approved
        self.title, self.bio, self.languages = doctor.title, doctor.bio, doctor.languages
        self.public_path = routes.doctor_profile(doctor.id)
        self.told = await bridge.read(self, summaries.wants_summary)
        await self._show_feeds(NewFeed())

    @handler(Role.DOCTOR)
    async def save(self, texts: Texts) -> None:
        """Change the texts."""
        await bridge.call(self, directory.edit_profile, doctor_id=None, **texts)
        self.tell("Your profile is saved.")

    @handler(Role.DOCTOR)
    async def tell_each_morning(self, is_on: bool) -> None:
        """Tell who comes by e-mail each morning, or no longer."""
        await bridge.call(self, summaries.want_summary, wanted=is_on)
        self.told = is_on
        self.tell(
            "From tomorrow on you get an e-mail each morning." if is_on else "You get no more e-mails of the day."
        )

    @handler(Role.DOCTOR)
    async def create_feed(self, wanted: Wanted) -> None:
        """Make a calendar address and show it this once."""
        await self._show_feeds(new_feed(await bridge.call(self, calendars.create_feed, shows=wanted["shows"])))

    @handler(Role.DOCTOR, local=True)
    async def copied(self) -> None:
        """Say that the address was copied."""
        self.tell("The address is copied.")

    @handler(Role.DOCTOR, local=True)
    async def ask(self, feed_id: int) -> None:
        """Ask before an address ends; 0 asks about none."""
        self.asked = feed_id

    @handler(Role.DOCTOR)
    async def revoke_feed(self, feed_id: int) -> None:
        """End an address."""
        await bridge.call(self, calendars.revoke_feed, feed_id=feed_id)
        await self._show_feeds(NewFeed())
        self.tell("The address is revoked.")

    async def _show_feeds(self, new: NewFeed) -> None:
        self.feeds, self.new, self.asked = shown(await bridge.read(self, calendars.list_feeds)), new, 0


def page() -> rx.Component:
    """The page."""
    heading = theme.page_heading(
        "Your profile", "What patients read before they choose a time with you.", back=("Today", routes.DOCTOR)
    )
    return frame(
        approval_notice(Profile.awaiting_approval),
        for_doctors(theme.narrow(heading, rx.cond(Profile.public_path, _content(), _skeleton()))),
        active=routes.DOCTOR,
    )


def _content() -> rx.Component:
    return theme.stack(
        _form(),
        _mornings(),
        feed_section(
            theme.form(
                theme.choices(
                    "What it shows",
                    theme.choice("Busy times only", name="shows", value="busy", default_checked=True),
                    theme.choice("With patients' initials", name="shows", value="initials"),
                ),
                theme.button("Create an address", type="submit", icon_name="plus", full=True),
                on_submit=Profile.create_feed,
            ),
            feeds=Profile.feeds,
            new=Profile.new,
            asked=Profile.asked,
            on_copied=Profile.copied,
            ask=Profile.ask,
            revoke=Profile.revoke_feed,
        ),
        google_section(),
        gap="loose",
    )


def _mornings() -> rx.Component:
    return theme.section(
        "Each morning",
        theme.card(
            theme.checkbox(
                "Tell me by e-mail who comes",
                name="told",
                default_checked=Profile.told,
                on_change=Profile.tell_each_morning,
                aria_describedby="told-hint",
            ),
            rx.el.p(
                "At 06:00, on days with appointments: their times and the patients' initials, nothing else.",
                id="told-hint",
                class_name="hint",
            ),
        ),
    )


def _form() -> rx.Component:
    return theme.form(
        theme.text_field(
            "Title",
            "title",
            hint="Such as: Consultant cardiologist",
            default_value=Profile.title,
            error=Profile.errors["title"],
        ),
        theme.text_area(
            "Biography",
            "bio",
            hint="Two or three sentences, at most 600 characters: what you treat, and how.",
            default_value=Profile.bio,
            error=Profile.errors["bio"],
            rows=6,
        ),
        theme.text_field(
            "Languages",
            "languages",
            hint="Such as: English, Arabic, German",
            default_value=Profile.languages,
            error=Profile.errors["languages"],
        ),
        theme.button("Save profile", kind="primary", type="submit", full=True),
        rx.cond(
            Profile.awaiting_approval,
            rx.fragment(),
            rx.el.p(
                theme.link("See it as patients do", Profile.public_path, icon_after="arrow-right"), class_name="centred"
            ),
        ),
        on_submit=Profile.save,
    )


def _skeleton() -> rx.Component:
    def field(height: str) -> rx.Component:
        return theme.stack(theme.skeleton("6rem"), theme.skeleton("100%", height), gap="tight")

    return theme.stack(field("48px"), field("164px"), field("48px"), theme.skeleton("100%", "44px"))
