"""Appointments for people's own calendars: as files, and as calendars to subscribe to."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from mhms_app import db, routes
from mhms_app.accounts import cookies, sessions
from mhms_app.api import work
from mhms_app.api.forms import pages_origin
from mhms_app.api.wall import client_address
from mhms_app.calendars import service as calendars
from mhms_app.errors import LoginRequired, NotAllowed, NotFound

FRESH = 900
"""Seconds for which a calendar program need not ask again."""


async def appointment(request: Request) -> Response:
    """GET: one appointment of the patient who asks; nobody else can tell whether it exists."""
    token = cookies.read(request.headers.get("cookie", ""), cookies.session_cookie())
    reference = request.path_params["reference"]
    try:
        content = await work.look(_appointment, token, client_address(request), reference)
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


async def feed(request: Request) -> Response:
    """GET: the calendar behind a private address; 304 when it is what the program has already (RFC 9110, 13.1.2)."""
    try:
        content = await work.look(_feed, request.path_params["token"])
    except NotFound:
        return PlainTextResponse(NotFound.sentence, status_code=404, headers={"Cache-Control": "no-store"})
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": f"private, max-age={FRESH}"}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="text/calendar; charset=utf-8", headers=headers)


def _appointment(token: str, address: str, reference: str) -> bytes:
    with db.transaction(read_only=True) as session:
        return calendars.appointment_file(
            session, sessions.resolve(session, token, address=address), reference=reference
        )


def _feed(token: str) -> bytes:
    with db.transaction(read_only=True) as session:
        return calendars.read_feed(session, token=token)
