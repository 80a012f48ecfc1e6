"""An offer of the waiting list, behind the link in its message: take it or let it go to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mhms_app import metrics, routes
from mhms_app.availability.slots import free_times
from mhms_app.booking import waiting
from mhms_app.booking.waiting_rules import OfferOver
from mhms_app.errors import NotFound
from mhms_app.live.hub import hub
from mhms_app.settings import settings
from mhms_app.web import bridge, theme, words
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame


@dataclass(frozen=True, slots=True)
class Shown:
    """What is offered; no doctor means that there is no such offer.

    Attributes:
        instead_of: the time of the appointment that moves to this one; empty when this is a new one.
    """

    doctor: str = ""
    about: str = ""
    when: str = ""
    zone: str = ""
    until: str = ""
    is_open: bool = False
    is_mine: bool = False
    instead_of: str = ""
    doctor_path: str = routes.DOCTORS


class Offer(Screen):
    """The offer that the address names."""

    shown: Shown = Shown()
    login_path: str = routes.LOGIN

    _token: str = ""

    @handler()
    async def load(self) -> None:
        """Show the offer to whoever has its link."""
        self._token = routes.token_in(self.router.url.path)
        self.login_path = routes.login_then(routes.offer(self._token))
        await self._show()

    @handler(Role.PATIENT)
    async def take(self) -> Any:
        """Take the time: book it, or move the appointment there that is later."""
        try:
            with metrics.booking():
                taken = await bridge.call(self, waiting.take, token=self._token)
        except OfferOver:
            await self._show()
            return None
        return rx.redirect(routes.booked(taken.reference))

    @handler(Role.PATIENT)
    async def decline(self) -> None:
        """Let the time go to the next."""
        await bridge.call(self, waiting.decline, token=self._token)
        await self._show()
        self.tell("Thank you. Somebody else can have this time, and you stay on the list for another.")

    async def _show(self) -> None:
        heard = hub.heard
        try:
            found = await bridge.read(self, waiting.offered, token=self._token)
        except NotFound:
            self.shown = Shown()
            return
        self.shown = _shown(found)
        hub.watch(self, free_times(found.doctor_id), since=heard)

    async def _on_change(self, news: Sequence[Any]) -> None:
        """Say when it is over: declined in another tab, taken back, or its time has passed."""
        await self._show()


def _shown(found: waiting.Offer) -> Shown:
    now = bridge.now()
    place = f"{settings().clinic_name}{f', {found.location}' if found.location else ''}"
    return Shown(
        doctor=found.doctor,
        about=f"{found.department} · {place}",
        when=words.span(found.starts_at, found.ends_at, now=now),
        zone=words.zone_name(found.starts_at),
        until=words.moment_within(found.until, now=now),
        is_open=found.is_open,
        is_mine=found.is_mine,
        instead_of=words.moment_within(found.instead_of, now=now) if found.instead_of else "",
        doctor_path=routes.doctor_profile(found.doctor_id),
    )


# The page -------------------------------------------------------------------------------------------


def page() -> rx.Component:
    """An offer, or why there is none."""
    return frame(
        theme.narrow(theme.loading(rx.cond(Offer.shown.is_open, _open(), _over()), _skeleton())),
    )


def _open() -> rx.Component:
    shown = Offer.shown
    return theme.stack(
        theme.page_heading(
            "A time is free for you", rx.fragment("It is kept for you until ", rx.el.strong(shown.until), ".")
        ),
        theme.card(
            rx.el.div(
                rx.el.h2(shown.when),
                rx.el.p(shown.doctor, " · ", shown.about),
                rx.el.p(shown.zone, class_name="small second"),
            ),
            rx.match(
                Screen.viewer_role,
                ("", _way_in()),
                rx.cond(shown.is_mine, _answers(), _somebody_elses()),
            ),
        ),
        gap="loose",
    )


def _answers() -> rx.Component:
    later = Offer.shown.instead_of
    moves = theme.notice(
        "Your appointment of ", rx.el.strong(later), " moves to this time. The later one goes to somebody else."
    )
    take = rx.cond(later, "Move my appointment here", "Take this appointment")
    keep = rx.cond(later, "No, keep the later one", "No, thank you")
    return theme.stack(
        rx.cond(later, moves),
        theme.line(
            theme.button(take, kind="primary", on_click=Offer.take),
            theme.button(keep, kind="quiet", on_click=Offer.decline),
        ),
    )


def _way_in() -> rx.Component:
    return theme.stack(
        rx.el.p("Log in with the account to which the message was sent, and take it."),
        theme.line(theme.link_button("Log in", Offer.login_path, kind="primary")),
        gap="tight",
    )


def _somebody_elses() -> rx.Component:
    return theme.notice(
        "This time is kept for another account. Log in with the one to which the message was sent.", tone="warn"
    )


def _over() -> rx.Component:
    is_known = Offer.shown.doctor != ""
    return theme.stack(
        theme.page_heading(
            rx.cond(is_known, "This offer is over", "We do not know this offer"),
            rx.cond(
                is_known,
                "The time was taken, declined, not answered for too long, or is no longer offered. "
                "Who has not taken it keeps their place on the waiting list.",
                "The link may be incomplete. Please open it from the message once more, or look for a free time.",
            ),
        ),
        theme.line(
            theme.link_button(
                rx.cond(is_known, "Free times of this doctor", "Find a doctor"), Offer.shown.doctor_path, kind="primary"
            ),
            rx.cond(Screen.viewer_role == Role.PATIENT.value, theme.link_button("My appointments", routes.PATIENT)),
        ),
        gap="loose",
    )


def _skeleton() -> rx.Component:
    return theme.stack(theme.skeleton("16rem", "1.75rem"), theme.card(theme.skeleton("100%", "160px")), gap="loose")
