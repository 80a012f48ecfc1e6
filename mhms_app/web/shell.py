"""The frame of every page: header, navigation for the viewer's role, messages, content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.settings import settings
from mhms_app.web.components.around import connection_lost, waiting_to_be_met
from mhms_app.web.components.arrival import arrival
from mhms_app.web.components.desk_count import DeskCount, desk_count
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.theme import avatar, button, classes, icon, link_button, notice, skeleton, skip, unseen


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation.

    Attributes:
        short: its name in the bar at the bottom of a phone.
        counts: it says how many appointments wait there.
    """

    name: str
    path: str
    icon_name: str
    short: str = ""
    counts: bool = False


_FIND = Place("Find a doctor", routes.DOCTORS, "search", "Find")
_PLACES = {
    "": (_FIND,),
    "patient": (_FIND, Place("My appointments", routes.PATIENT, "calendar", "Appointments")),
    "doctor": (
        Place("Today", routes.DOCTOR, "calendar-check"),
        Place("Availability", routes.AVAILABILITY, "calendar-clock"),
        Place("Working hours", routes.HOURS, "clock", "Hours"),
    ),
    "admin": (
        Place("Overview", routes.ADMIN, "layout-dashboard"),
        Place("Worklist", routes.ADMIN_WORKLIST, "list-todo", counts=True),
        Place("Bookings", routes.ADMIN_BOOKINGS, "calendar-check"),
        Place("Slots", routes.ADMIN_SLOTS, "calendar-clock"),
        Place("Users", routes.ADMIN_USERS, "users"),
        Place("Departments", routes.ADMIN_DEPARTMENTS, "building-2"),
        Place("E-mails", routes.ADMIN_EMAILS, "mail"),
        Place("Audit", routes.ADMIN_AUDIT, "scroll-text"),
        Place("System", routes.ADMIN_SYSTEM, "activity"),
    ),
}
_ACCOUNT = Place("Account", routes.ACCOUNT, "user-round-cog")
_BAR_HOLDS = 5
_ROLE_NAMES = {"patient": "Patient", "doctor": "Doctor", "admin": "Administrator"}
_TONE_ICONS = (("ok", "circle-check"), ("warn", "triangle-alert"), ("bad", "circle-alert"))


class Messages(Screen):
    """The message at the top of the page."""

    @handler()
    async def dismiss(self) -> None:
        """Take the message away, as the gate does before every event."""


def frame(*content: Any, active: str = "", wide: bool = False) -> rx.Component:
    """A whole page.

    Args:
        content: the page, with exactly one h1 (``theme.page_heading``).
        active: the path of the navigation's entry under which the page stands.
        wide: for grids: 1240 px instead of 1120.
    """
    return rx.fragment(
        skip("Skip to content", "content"),
        rx.el.header(
            rx.el.div(
                rx.el.a(
                    rx.el.i(icon("stethoscope")),
                    rx.el.span(settings().clinic_name),
                    href=routes.HOME,
                    class_name="brand",
                ),
                _by_viewer(lambda role: _navigation(role, active)),
                rx.el.div(_colours(), _account(active), class_name="tools"),
            ),
            class_name="header",
        ),
        rx.cond(Screen.acting_until, _acting()),
        rx.el.main(
            arrival(),
            _messages(),
            rx.el.div(*content, class_name=classes("page", "wide" if wide else "")),
            id="content",
            tab_index=-1,
        ),
        rx.cond(Screen.met, _by_viewer(lambda role: _bottom_bar(role, active))),
    )


def _acting() -> rx.Component:
    """Says on every page that an administrator acts as somebody else, and ends it."""
    return rx.el.section(
        rx.el.div(
            icon("drama"),
            rx.el.p(
                "You act as ",
                rx.el.strong(Screen.viewer_name),
                " until ",
                rx.el.strong(Screen.acting_until, class_name="numbers"),
                ". Everything is recorded under both names.",
            ),
            posted_form(routes.POST_ACT_END, button("Stop", compact=True, type="submit")),
        ),
        aria_label="You act as somebody else",
        class_name="acting",
    )


def _by_viewer(render: Any) -> rx.Component:
    """What ``render(role)`` gives for the viewer's role."""
    return rx.match(Screen.viewer_role, *((role, render(role)) for role in _PLACES if role), render(""))


def _navigation(role: str, active: str) -> rx.Component:
    return rx.el.nav(
        *(
            rx.el.a(place.name, *([desk_count()] if place.counts else []), href=place.path, **_here(place, active))
            for place in _PLACES[role]
        ),
        aria_label="Main",
        class_name="nav",
        on_mount=DeskCount.count if any(place.counts for place in _PLACES[role]) else rx.noop(),
    )


def _here(place: Place, active: str) -> dict[str, Any]:
    return {"aria_current": "page"} if place.path == active else {}


def _colours() -> rx.Component:
    return rx.el.button(
        icon("moon", class_name="when-light"),
        icon("sun", class_name="when-dark"),
        type="button",
        aria_label="Switch between light and dark colours",
        title="Light or dark",
        class_name="button quiet icon-only",
        on_click=rx.toggle_color_mode,
    )


def _account(active: str) -> rx.Component:
    """The way in for strangers, the account's menu for everybody else; neither before the server has said who it is."""
    strangers = rx.fragment(
        link_button("Log in", routes.LOGIN, kind="quiet", compact=True, **_here(Place("", routes.LOGIN, ""), active)),
        link_button("Sign up", routes.SIGNUP, kind="primary", compact=True),
    )
    known = rx.fragment(
        rx.el.button(
            avatar(Screen.viewer_initials),
            unseen("Account of ", Screen.viewer_name),
            type="button",
            class_name="account",
            custom_attrs={"popoverTarget": "account"},
        ),
        rx.el.div(
            rx.el.div(
                rx.el.strong(Screen.viewer_name),
                rx.el.small(rx.match(Screen.viewer_role, *_ROLE_NAMES.items(), "")),
                class_name="who",
            ),
            rx.el.a(icon(_ACCOUNT.icon_name), _ACCOUNT.name, href=_ACCOUNT.path, **_here(_ACCOUNT, active)),
            posted_form(routes.POST_LOGOUT, button("Log out", icon_name="log-out", kind="quiet", type="submit")),
            id="account",
            class_name="menu",
            custom_attrs={"popover": "auto"},
        ),
    )
    unknown = rx.fragment(skeleton("44px", "44px", round=True), unseen("Loading"))
    return rx.cond(Screen.met, rx.cond(Screen.viewer_role, known, strangers), unknown)


def _bottom_bar(role: str, active: str) -> rx.Component:
    """The navigation of a phone; what does not fit is behind "More"."""
    places = _PLACES[role]
    if not role:
        return rx.fragment()
    shown = places if len(places) <= _BAR_HOLDS else places[: _BAR_HOLDS - 1]
    hidden = places[len(shown) :]
    return rx.el.nav(
        *(
            rx.el.a(
                icon(place.icon_name),
                rx.el.span(place.short or place.name),
                *([desk_count()] if place.counts else []),
                href=place.path,
                **_here(place, active),
            )
            for place in shown
        ),
        *(_more(hidden, active) if hidden else ()),
        aria_label="Main, at the bottom",
        class_name="bottom-nav",
    )


def _more(places: tuple[Place, ...], active: str) -> tuple[rx.Component, rx.Component]:
    inside = any(place.path == active for place in places)
    return (
        rx.el.button(
            icon("ellipsis"),
            rx.el.span("More"),
            type="button",
            custom_attrs={"popoverTarget": "more"},
            **({"aria_current": "true"} if inside else {}),
        ),
        rx.el.div(
            *(rx.el.a(icon(place.icon_name), place.name, href=place.path, **_here(place, active)) for place in places),
            id="more",
            class_name="menu upward",
            custom_attrs={"popover": "auto"},
        ),
    )


def _messages() -> rx.Component:
    """What the last action said; always in the page, so that it is read out when it changes."""
    shown = rx.match(
        Screen.notice_tone,
        *((tone, _message(tone, name)) for tone, name in _TONE_ICONS),
        _message("info", "info"),
    )
    return rx.el.div(
        connection_lost(),
        rx.cond(Screen.met, rx.fragment(), waiting_to_be_met()),
        rx.cond(Screen.meanwhile, notice(Screen.meanwhile, tone="warn", icon_name="hourglass")),
        rx.cond(Screen.notice, shown),
        class_name="live",
        role="status",
        aria_live="polite",
    )


def _message(tone: str, icon_name: str) -> rx.Component:
    return notice(Screen.notice, tone=tone, icon_name=icon_name, on_dismiss=Messages.dismiss)
