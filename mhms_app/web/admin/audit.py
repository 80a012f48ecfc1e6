"""The audit trail, for an administrator: who did what to whose record, when and from where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import reflex as rx

from mhms_app import routes
from mhms_app.actor import Actor, Role
from mhms_app.audit.words import GROUPS
from mhms_app.oversight import trail
from mhms_app.oversight.trail import Filter, Standing, TrailRow
from mhms_app.web import bridge, theme, words
from mhms_app.web.components import listing
from mhms_app.web.components.listing import SIZE, Listing, list_card
from mhms_app.web.components.native_form import address_of
from mhms_app.web.components.only_for import only_for
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

if TYPE_CHECKING:
    from sqlmodel import Session


_NOTHING = "–"
_LONG_HASH = re.compile(r"(:[0-9a-f]{8})[0-9a-f]{56}")


@dataclass(frozen=True, slots=True)
class Line:
    """One entry in the table."""

    id: int
    when: str
    who: str
    acted_by: str
    what: str
    about: str
    detail: str
    place: str
    event: str


class Audit(Listing, Screen):
    """The filtered trail, and whether its chain is whole.

    Attributes:
        only: whose entries are shown, or of which thing; "" when it is everybody's and everything's.
        whole, tone: what verifying the chain came to last, in a sentence.
    """

    lines: list[Line] = []
    only: str = ""
    whole: str = ""
    tone: str = ""
    export_path: str = routes.AUDIT_CSV

    _route: ClassVar[str] = routes.ADMIN_AUDIT
    _filters: ClassVar[tuple[str, ...]] = ("q", "group", "from", "to", "person", "object")

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show the entries that the address asks for."""
        self._read_address()
        await self._show()

    @handler(Role.ADMIN)
    async def show_all(self) -> None:
        """Show the entries of everybody and everything again."""
        self.asked, self._number = {**self.asked, "person": "", "object": ""}, 1
        await self._show()

    @handler(Role.ADMIN)
    async def verify(self) -> None:
        """Walk the whole chain now."""
        found = await bridge.read(self, trail.verify)
        await bridge.call(self, trail.note_check, found=found)
        await self._show()

    async def _show_page(self) -> None:
        page, standing, name = await bridge.read(self, _look, asked=self.asked, number=self._number)
        now = bridge.now()
        self.lines = [line_of(row, now) for row in page.rows]
        self.only = name or self.asked["object"].replace("-", " ").capitalize()
        self.whole, self.tone = _standing_in_words(standing, now)
        self.export_path = address_of(routes.with_query(routes.AUDIT_CSV, **self.asked))
        self._show_pages(len(page.rows), page.total)


@bridge.may_be_stale
def _look(session: Session, actor: Actor | None, *, asked: Mapping[str, str], number: int) -> Any:
    """Everything on the page, in one transaction."""
    wanted = Filter.of(asked)
    return (
        trail.list_entries(session, actor, wanted=wanted, page=number, size=SIZE),
        trail.standing(session, actor),
        trail.name_of(session, actor, user_id=wanted.person_id) if wanted.person_id else "",
    )


def line_of(row: TrailRow, now: datetime) -> Line:
    """What to say of an entry."""
    return Line(
        id=row.id,
        when=words.moment(row.at, now=now),
        who=row.actor or ("The system" if not row.address else "Somebody who was not logged in"),
        acted_by=row.acted_by,
        what=row.what,
        about=row.about or _NOTHING,
        detail=_LONG_HASH.sub(r"\1…", row.detail),
        place=f"{row.address}, session {row.session_id}" if row.address and row.session_id else row.address or _NOTHING,
        event=row.event_id,
    )


def _standing_in_words(standing: Standing, now: datetime) -> tuple[str, str]:
    check, end = standing.check, words.number(standing.head.position)
    if check is None:
        return f"The chain of seals has {end} positions and was not verified yet.", ""
    when = words.moment_within(check.at, now=now)
    if check.problem:
        return f"The chain is not whole: {check.problem} Verified {when}.", "bad"
    return f"The chain is whole up to position {words.number(check.position)} of {end}. Verified {when}.", "ok"


def page() -> rx.Component:
    """The page of the audit trail."""
    export = theme.link_button(
        "Export as CSV",
        Audit.export_path,
        icon_name="download",
        custom_attrs={"download": True},
        reload_document=True,
    )
    return frame(
        only_for(
            Role.ADMIN,
            theme.page_heading("Audit trail", "Who did what to whose record, the latest first.", aside=export),
            _standing(),
            list_card("Audit trail", Audit, filters=_filters(), rows=Audit.lines, table=_table(), empty=_nothing()),
        ),
        active=routes.ADMIN_AUDIT,
        wide=True,
    )


def _standing() -> rx.Component:
    """Whether the chain is whole, and a look at it now."""
    icons = rx.match(
        Audit.tone,
        ("ok", theme.icon("shield-check")),
        ("bad", theme.icon("shield-alert")),
        theme.icon("shield"),
    )
    return rx.el.div(
        icons,
        rx.el.p(Audit.whole, role="status"),
        theme.button("Verify now", compact=True, on_click=Audit.verify),
        class_name=theme.classes("standing", Audit.tone),
    )


def _filters() -> tuple[rx.Component, ...]:
    return (
        listing.search_filter(Audit, "Name, e-mail, number or event"),
        listing.select_filter(
            Audit,
            "What was done",
            "group",
            theme.option("", "Everything"),
            *(theme.option(name, label) for name, (label, _) in GROUPS.items()),
        ),
        listing.day_filter(Audit, "From", "from"),
        listing.day_filter(Audit, "Until", "to"),
        rx.cond(
            Audit.only,
            theme.button(
                rx.fragment("Only ", Audit.only, theme.unseen(": show everything again")),
                compact=True,
                icon_name="x",
                on_click=Audit.show_all,
            ),
        ),
    )


def _table() -> rx.Component:
    return theme.table(
        "Audit trail", ("When", "Who", "What", "Whose record", "From where"), rx.foreach(Audit.lines, _row)
    )


def _row(line: Line) -> rx.Component:
    return theme.table_row(
        theme.cell(rx.el.span(line.when, class_name="numbers"), label="When", quiet=True),
        theme.cell(
            rx.el.div(
                rx.el.div(line.who),
                rx.cond(line.acted_by, rx.el.div("acted by ", line.acted_by, class_name="small acted plain")),
            ),
            main=True,
        ),
        theme.cell(
            rx.el.div(
                rx.el.div(line.what),
                rx.cond(line.detail, rx.el.div(line.detail, class_name="small second detail")),
            ),
            label="What",
        ),
        theme.cell(line.about, label="Whose record"),
        theme.cell(
            rx.el.div(
                rx.el.div(line.place),
                rx.cond(line.event, rx.el.div("event ", line.event)),
                class_name="small second numbers",
            ),
            label="From where",
            quiet=True,
        ),
    )


def _nothing() -> rx.Component:
    return theme.empty_state(
        "No entries fit",
        "Try other words, another day, or look at everything.",
        theme.link_button("Everything", routes.ADMIN_AUDIT),
        icon_name="scroll-text",
    )
