"""Appointments for people's own calendars, as files."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from mhms_app import db, routes
from mhms_app.accounts import cookies
from mhms_app.accounts import service as accounts
from mhms_app.api.session import pages_origin
from mhms_app.calendars import service as calendars
from mhms_app.errors import LoginRequired, NotAllowed, NotFound


async def appointment(request: Request) -> Response:
    """GET: one appointment of the patient who asks; nobody else can tell whether it exists."""
    token = cookies.read(request.headers.get("cookie", ""), cookies.session_cookie())
    reference = request.path_params["reference"]
    try:
        content = await run_in_threadpool(_appointment, token, reference)
    except LoginRequired:
        return RedirectResponse(pages_origin() + routes.login_then(routes.booked(reference)), status_code=303)
    except (NotAllowed, NotFound):
        return PlainTextResponse(NotFound.sentence, status_code=404, headers={"Cache-Control": "no-store"})
    return Response(
        content,
        media_type="text/calendar; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{reference}.ics"',
            "Cache-Control": "no-store",
        },
    )


def _appointment(token: str, reference: str) -> bytes:
    with db.transaction(read_only=True) as session:
        return calendars.appointment_file(session, accounts.resolve(session, token), reference=reference)
