"""One's own account as a whole: taking its data away, and closing it."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mhms_app import db, routes
from mhms_app.accounts import cookies, own_password, sessions, throttle
from mhms_app.api import work
from mhms_app.api.forms import browser_of, redirect, refuse, session_token, text_of
from mhms_app.api.forms import pages_origin as origin
from mhms_app.errors import ClinicError, LoginRequired
from mhms_app.personal import closing
from mhms_app.personal import export as exporting


async def export(request: Request) -> Response:
    """GET: all that is held about whoever asks, as a JSON file."""
    try:
        document = await work.look(_export, session_token(request), browser_of(request).address)
    except LoginRequired:
        return RedirectResponse(origin() + routes.login_then(routes.ACCOUNT), status_code=303)
    return Response(
        document,
        media_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="my-data-{db.clock.today().isoformat()}.json"',
            "Cache-Control": "no-store",
        },
    )


def _export(token: str, address: str) -> str:
    with db.transaction(read_only=True) as session:
        asking = sessions.resolve(session, token, address=address)
    if asking:
        throttle.check(export_account=asking.email)
    with db.transaction() as session:
        document = exporting.export(session, sessions.resolve(session, token, address=address))
    return json.dumps(document, ensure_ascii=False, indent=1)


async def close(request: Request) -> Response:
    """POST current: close one's own account for good, with the password again."""
    form = await request.form()
    current = text_of(form, "current", tidy=False)
    try:
        await work.in_thread(_close, session_token(request), current, browser_of(request).address)
    except LoginRequired:
        return redirect(routes.login_then(routes.ACCOUNT_CLOSING))
    except ClinicError as refusal:
        return refuse(routes.ACCOUNT_CLOSING, refusal, "close", {})
    response = redirect(routes.with_query(routes.LOGIN, said="closed"))
    for name in (cookies.session_cookie(), cookies.device_cookie()):
        response.delete_cookie(name, path="/", secure=cookies.is_secure(), httponly=True, samesite="lax")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _close(token: str, current: str, address: str) -> None:
    """The password is checked outside of any transaction: bcrypt takes long on purpose."""
    with db.transaction(read_only=True) as session:
        person = sessions.resolve(session, token, address=address)
        owner = own_password.own(session, person)
    own_password.prove(owner, password=current, address=address)
    with db.transaction() as session:
        person = sessions.resolve(session, token, address=address)
        closing.close(session, person, known_hash=owner.password_hash)
