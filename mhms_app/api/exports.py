"""Handing bookings, and the audit trail, on as a table that a spreadsheet opens."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Generic, Protocol, TypeVar

from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from mhms_app import db, replica, routes
from mhms_app.accounts import cookies, sessions
from mhms_app.actor import Actor
from mhms_app.api import work
from mhms_app.api.forms import pages_origin
from mhms_app.api.wall import client_address
from mhms_app.booking import lists
from mhms_app.booking.lists import BookingRow
from mhms_app.errors import LoginRequired, NotAllowed
from mhms_app.oversight import trail
from mhms_app.oversight.trail import TrailRow
from mhms_app.settings import settings

_BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for the machine's old code page
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Numbered(Protocol):
    """A row with a key by which an export goes on."""

    @property
    def id(self) -> int: ...


Row = TypeVar("Row", bound=_Numbered)


@dataclass(frozen=True, slots=True)
class Export(Generic[Row]):
    """A table to hand on.

    Attributes:
        name: of the file, before the day.
        page: the list whose query this is; whoever is not logged in comes back to it.
        read: the next rows after a key.
        cells: of one row.
    """

    name: str
    page: str
    headings: tuple[str, ...]
    read: Callable[[Session, Actor | None, Mapping[str, str], int], tuple[Row, ...]]
    cells: Callable[[Row], tuple[str, ...]]


async def bookings_csv(request: Request) -> Response:
    """GET with the query of the list of bookings: those bookings, for an administrator only."""
    return await _export(request, BOOKINGS)


async def audit_csv(request: Request) -> Response:
    """GET with the query of the audit trail: those entries, for an administrator only."""
    return await _export(request, AUDIT)


async def _export(request: Request, wanted: Export[Row]) -> Response:
    """The rows are read and sent a chunk at a time; each chunk looks the session up again."""
    token = cookies.read(request.headers.get("cookie", ""), cookies.session_cookie())
    address, query = client_address(request), dict(request.query_params)

    def chunk(after_id: int) -> tuple[Row, ...]:
        with db.transaction(read_only=after_id > 0) as session:
            actor = sessions.resolve(session, token, address=address)
            if not (after_id and replica.exists()):  # the first one writes down that somebody reads
                return wanted.read(session, actor, query, after_id)
        with replica.reading() as session:
            return wanted.read(session, actor, query, after_id)

    try:
        first = await work.look(chunk, 0)
    except LoginRequired:
        back = routes.with_query(wanted.page, **query)
        return RedirectResponse(pages_origin() + routes.login_then(back), status_code=303)
    except NotAllowed:
        return PlainTextResponse("We could not find this.", status_code=404)
    today = db.clock.today()
    return StreamingResponse(
        _lines(wanted, chunk, first),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{wanted.name}-{today.isoformat()}.csv"',
            "Cache-Control": "no-store",
        },
    )


async def _lines(
    wanted: Export[Row], chunk: Callable[[int], tuple[Row, ...]], rows: tuple[Row, ...]
) -> AsyncIterator[str]:
    yield _BYTE_ORDER_MARK + _csv([wanted.headings])
    while rows:
        yield _csv([wanted.cells(row) for row in rows])
        rows = await work.look(chunk, rows[-1].id)


def _bookings(session: Session, actor: Actor | None, query: Mapping[str, str], after_id: int) -> tuple[BookingRow, ...]:
    return lists.export_bookings(session, actor, wanted=lists.Filter.of(query), after_id=after_id)


def _booking(row: BookingRow) -> tuple[str, ...]:
    start, end, booked = (_wall_clock(at)[:16] for at in (row.starts_at, row.ends_at, row.created_at))
    return row.reference, row.patient, row.email, row.doctor, row.department, start, end, row.status, booked


def _entries(session: Session, actor: Actor | None, query: Mapping[str, str], after_id: int) -> tuple[TrailRow, ...]:
    return trail.export_entries(session, actor, wanted=trail.Filter.of(query), after_id=after_id)


def _entry(row: TrailRow) -> tuple[str, ...]:
    number, session = str(row.id), str(row.session_id or "")
    said = row.actor, row.acted_by, row.action, row.what, row.about, row.detail, row.address
    return number, _wall_clock(row.at), *said, session, row.event_id


def _wall_clock(at: datetime) -> str:
    """An instant on the clinic's clock."""
    return f"{at.astimezone(settings().zone):%Y-%m-%d %H:%M:%S}"


BOOKINGS = Export(
    "bookings",
    routes.ADMIN_BOOKINGS,
    ("Number", "Patient", "E-mail", "Doctor", "Department", "Start", "End", "Status", "Booked"),
    _bookings,
    _booking,
)
AUDIT = Export(
    "audit",
    routes.ADMIN_AUDIT,
    ("Entry", "When", "Who", "Acted by", "Action", "In words", "Whose record", "Detail", "From", "Session", "Event"),
    _entries,
    _entry,
)


def _csv(rows: list[tuple[str, ...]]) -> str:
    """Lines as RFC 4180 wants them, in which no cell is a formula."""
    text = StringIO()
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _harmless(cell: str) -> str:
    """A spreadsheet would run what begins like a formula; an apostrophe makes it text."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
