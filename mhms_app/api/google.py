"""Where Google sends a doctor back to after asking them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from mhms_app import db, routes
from mhms_app.accounts import cookies, sessions
from mhms_app.api import work
from mhms_app.api.forms import pages_origin
from mhms_app.api.wall import client_address
from mhms_app.calendars import google, google_client
from mhms_app.calendars.google_client import Failed, ScopeMissing
from mhms_app.errors import LoginRequired, NotAllowed, NotFound
from mhms_app.settings import settings


async def callback(request: Request) -> Response:
    """GET with state and code, or with error: connect the account, and show the doctor what became of it."""
    token = cookies.read(request.headers.get("cookie", ""), cookies.session_cookie())
    state, code = (request.query_params.get(name, "")[:2048] for name in ("state", "code"))
    try:
        if not settings().has_google:
            raise NotFound
        outcome = await work.in_thread(_connect, token, client_address(request), state, code)
    except LoginRequired:
        return RedirectResponse(pages_origin() + routes.login_then(routes.OWN_PROFILE), status_code=303)
    except (NotAllowed, NotFound):
        return PlainTextResponse(NotFound.sentence, status_code=404, headers={"Cache-Control": "no-store"})
    back = pages_origin() + routes.with_query(routes.OWN_PROFILE, google=outcome)
    return RedirectResponse(back, status_code=303, headers={"Cache-Control": "no-store"})


def _connect(token: str, address: str, state: str, code: str) -> str:
    """Redeem the code, outside of any transaction; returns what became of it, in one word."""
    try:
        with db.transaction() as session:
            verifier = google.come_back(session, sessions.resolve(session, token, address=address), state=state)
        if not code:
            return "declined"
        tokens = google_client.redeem(code, verifier=verifier)
        with db.transaction() as session:
            google.keep(session, sessions.resolve(session, token, address=address), tokens=tokens)
    except google.ConsentOver:
        return "over"
    except ScopeMissing:
        return "partial"
    except Failed:
        return "failed"
    return "connected"
