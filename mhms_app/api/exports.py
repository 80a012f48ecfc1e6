"""Handing bookings on as a table that a spreadsheet opens."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from io import StringIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from mhms_app import db, routes
from mhms_app.accounts import cookies, sessions
from mhms_app.api.forms import pages_origin
from mhms_app.api.wall import client_address
from mhms_app.booking import lists
from mhms_app.booking.lists import BookingRow, Filter
from mhms_app.errors import LoginRequired, NotAllowed
from mhms_app.settings import settings

_HEADINGS = ("Number", "Patient", "E-mail", "Doctor", "Department", "Start", "End", "Status", "Booked")
_BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for the machine's old code page
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def bookings_csv(request: Request) -> Response:
    """GET with the query of the list of bookings: those bookings, for an administrator only.

    The rows are read and sent a chunk at a time; each chunk looks the session up again.
    """
    token = cookies.read(request.headers.get("cookie", ""), cookies.session_cookie())
    address = client_address(request)
    wanted = Filter.of(request.query_params)
    try:
        first = await run_in_threadpool(_chunk, token, address, wanted, 0)
    except LoginRequired:
        back = routes.with_query(routes.ADMIN_BOOKINGS, **dict(request.query_params))
        return RedirectResponse(pages_origin() + routes.login_then(back), status_code=303)
    except NotAllowed:
        return PlainTextResponse("We could not find this.", status_code=404)
    today = db.clock.today()
    return StreamingResponse(
        _lines(token, address, wanted, first),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="bookings-{today.isoformat()}.csv"',
            "Cache-Control": "no-store",
        },
    )


def _chunk(token: str, address: str, wanted: Filter, after_id: int) -> tuple[BookingRow, ...]:
    with db.transaction(read_only=after_id > 0) as session:
        actor = sessions.resolve(session, token, address=address)
        return lists.export_bookings(session, actor, wanted=wanted, after_id=after_id)


async def _lines(token: str, address: str, wanted: Filter, rows: tuple[BookingRow, ...]) -> AsyncIterator[str]:
    yield _BYTE_ORDER_MARK + _csv([_HEADINGS])
    while rows:
        yield _csv([_cells(row) for row in rows])
        rows = await run_in_threadpool(_chunk, token, address, wanted, rows[-1].id)


def _cells(row: BookingRow) -> tuple[str, ...]:
    zone = settings().zone
    start, end, booked = (
        f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (row.starts_at, row.ends_at, row.created_at)
    )
    return row.reference, row.patient, row.email, row.doctor, row.department, start, end, row.status, booked


def _csv(rows: list[tuple[str, ...]]) -> str:
    """Lines as RFC 4180 wants them, in which no cell is a formula."""
    text = StringIO()
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _harmless(cell: str) -> str:
    """A spreadsheet would run what begins like a formula; an apostrophe makes it text."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
