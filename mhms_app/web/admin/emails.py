"""The outbox, for an administrator: what was sent, what waits, what could not be delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import reflex as rx

from mhms_app import routes
from mhms_app.actor import Actor, Role
from mhms_app.notifications import outbox
from mhms_app.notifications.outbox import OutboxCounts, OutboxRow
from mhms_app.web import bridge, theme, words
from mhms_app.web.components import listing
from mhms_app.web.components.listing import SIZE, Listing, list_card
from mhms_app.web.components.only_for import only_for
from mhms_app.web.components.statuses import DELIVERY
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

if TYPE_CHECKING:
    from sqlmodel import Session

_KINDS = {
    "SIGNUP_WELCOME": "Welcome",
    "BOOKING_CONFIRMATION": "Booking confirmation",
    "BOOKING_MOVED": "Appointment moved",
    "BOOKING_CANCELLED": "Appointment cancelled",
    "APPOINTMENT_REMINDER": "Reminder",
    "WAITLIST_OFFER": "Waiting list offer",
    "DOCTOR_DAY_SUMMARY": "Day summary",
    "ACCOUNT_PASSWORD": "Temporary password",
    "EMAIL_CONFIRM": "Confirm an address",
    "EMAIL_CHANGE": "Change of address",
    "EMAIL_CHANGED": "Address changed",
    "PASSWORD_RESET": "Forgotten password",
    "PASSWORD_CHANGED": "Password changed",
    "ACTED_FOR_YOU": "Acted for somebody",
    "ACCOUNT_ACTION": "Account locked or opened",
    "SECOND_FACTOR_CHANGED": "Second factor changed",
    "SIGN_IN_NEW_DEVICE": "Sign-in on a new device",
    "ACCOUNT_CLOSED": "Account closed",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One message in the table."""

    id: int
    kind: str
    name: str
    email: str
    created: str
    attempts: str
    next: str
    error: str
    state: str
    tone: str
    can_resend: bool


class Emails(Listing, Screen):
    """The filtered outbox."""

    lines: list[Line] = []
    waiting: str = ""
    dead: str = ""
    sent_today: str = ""
    oldest: str = ""
    last_sent: str = ""

    _route: ClassVar[str] = routes.ADMIN_EMAILS
    _filters: ClassVar[tuple[str, ...]] = ("q", "state")

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show the messages that the address asks for."""
        self._read_address()
        await self._show()

    @handler(Role.ADMIN)
    async def resend(self, message_id: int) -> None:
        """Send a message again."""
        row = await bridge.call(self, outbox.resend, message_id=message_id)
        await self._show()
        self.tell(f"The message to {row.name} is on its way again.")

    async def _show_page(self) -> None:
        page, counts = await bridge.read(self, _look, asked=self.asked, number=self._number)
        now = bridge.now()
        self.lines = [_line_of(row, now) for row in page.rows]
        self._count(counts, now)
        self._show_pages(len(page.rows), page.total)

    def _count(self, counts: OutboxCounts, now: datetime) -> None:
        self.waiting, self.dead = words.number(counts.waiting), words.number(counts.dead)
        self.sent_today = words.number(counts.sent_today)
        oldest, last = counts.oldest_waiting_at, counts.last_sent_at
        self.oldest = f"the oldest written {words.ago(oldest, now=now)}" if oldest else "nothing is left to send"
        self.last_sent = f"the last {words.ago(last, now=now)}" if last else "none yet"


def _look(session: Session, actor: Actor | None, *, asked: Mapping[str, str], number: int) -> Any:
    """Everything on the page, in one transaction."""
    state = asked["state"] if asked["state"] in DELIVERY else ""
    return (
        outbox.list_messages(session, actor, state=state, search=asked["q"], page=number, size=SIZE),
        outbox.counts(session, actor),
    )


def _line_of(row: OutboxRow, now: datetime) -> Line:
    """What to say of a message."""
    state, tone = DELIVERY[row.state]
    return Line(
        id=row.id,
        kind=_KINDS.get(row.kind, row.kind),
        name=row.name or "No longer kept",
        email=row.email,
        created=words.moment(row.created_at, now=now),
        attempts=words.number(row.attempts),
        next=words.moment(row.next_attempt_at, now=now) if row.next_attempt_at else "",
        error=row.last_error,
        state=state,
        tone=tone,
        can_resend=row.can_resend,
    )


def page() -> rx.Component:
    """The page of the outbox."""
    return frame(
        only_for(
            Role.ADMIN,
            theme.page_heading("E-mails", "Every message is written down with the change that causes it, then sent."),
            theme.stats(
                theme.stat("Waiting", Emails.waiting, Emails.oldest),
                theme.stat("Sent today", Emails.sent_today, Emails.last_sent),
                theme.stat(
                    "Given up",
                    Emails.dead,
                    rx.cond(Emails.dead == "0", "nothing to do", "send again, or call the person"),
                    rx.cond(Emails.dead == "0", "", "warn"),
                ),
            ),
            list_card("Messages", Emails, filters=_filters(), rows=Emails.lines, table=_table(), empty=_nothing()),
            rx.el.p(
                "A message is tried for about a day, less and less often. ",
                rx.el.strong("Given up"),
                " means that the last attempt has failed too, and nobody will try again until you do: check the ",
                "address, then send it again. Temporary passwords are not kept; give the person a new one instead.",
                class_name="small second",
            ),
        ),
        active=routes.ADMIN_EMAILS,
        wide=True,
    )


def _filters() -> tuple[rx.Component, ...]:
    return (
        listing.search_filter(Emails, "Name or address"),
        listing.select_filter(
            Emails,
            "State",
            "state",
            theme.option("", "Any state"),
            *(theme.option(value, label) for value, (label, _) in DELIVERY.items()),
        ),
    )


def _table() -> rx.Component:
    headings = ("Recipient", "Message", "Written", "Attempts", "Next attempt", "State", "")
    return theme.table("E-mails", headings, rx.foreach(Emails.lines, _row))


def _row(line: Line) -> rx.Component:
    return theme.table_row(
        theme.cell(
            rx.el.div(rx.el.div(line.name), rx.el.div(line.email, class_name="small second plain")),
            main=True,
        ),
        theme.cell(line.kind, label="Message"),
        theme.cell(line.created, label="Written"),
        theme.cell(line.attempts, label="Attempts"),
        theme.cell(rx.cond(line.next, line.next, "–"), label="Next attempt", quiet=True),
        theme.cell(
            rx.el.div(
                theme.chip(line.state, line.tone),
                rx.cond(line.error, rx.el.div(line.error, class_name="small second")),
            ),
            label="State",
        ),
        theme.cell(
            rx.cond(
                line.can_resend,
                theme.button(
                    rx.fragment("Send again", theme.unseen(" to ", line.name)),
                    compact=True,
                    on_click=Emails.resend(line.id),
                ),
            ),
            actions=True,
        ),
    )


def _nothing() -> rx.Component:
    return theme.empty_state(
        "No messages here",
        "Messages are written when people sign up, book, or get a new password.",
        theme.link_button("All messages", routes.ADMIN_EMAILS),
        icon_name="mail",
    )
