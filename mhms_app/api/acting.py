"""Acting as somebody else, and coming back: native forms, because the browser gets another session."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mhms_app import db, routes
from mhms_app.accounts import acting, cookies, sessions
from mhms_app.accounts.acting import Changed
from mhms_app.accounts.sessions import Browser
from mhms_app.api import work
from mhms_app.api.forms import browser_of, redirect, refuse, session_token, text_of
from mhms_app.audit import service as audit
from mhms_app.audit.service import Origin
from mhms_app.errors import ClinicError, LoginRequired


async def begin(request: Request) -> Response:
    """POST user_id, reason: go on as that person, on their own page."""
    form = await request.form()
    user_id, reason = text_of(form, "user_id"), text_of(form, "reason")
    person = int(user_id) if user_id.isascii() and user_id.isdigit() and len(user_id) < 10 else 0
    try:
        changed = await work.in_thread(_begin, session_token(request), browser_of(request), person, reason)
    except LoginRequired:
        return redirect(routes.login_then(routes.ADMIN_USERS))
    except ClinicError as refusal:
        return refuse(routes.admin_person(person), refusal, "act", {"reason": reason})
    return _go_on(changed, routes.home_of(changed.role))


def _begin(token: str, browser: Browser, user_id: int, reason: str) -> Changed:
    with db.transaction() as session:
        actor = sessions.resolve(session, token, address=browser.address)
        return acting.begin(session, actor, user_id=user_id, reason=reason, browser=browser)


async def end(request: Request) -> Response:
    """POST: go on as the administrator that one is, at the panel of the person."""
    try:
        changed = await work.in_thread(_end, session_token(request), browser_of(request))
    except LoginRequired:
        return redirect(routes.LOGIN)
    return _go_on(changed, routes.admin_person(changed.user_id))


def _end(token: str, browser: Browser) -> Changed:
    with db.transaction() as session:
        audit.come_from(session, Origin(browser.address))
        return acting.end(session, token=token)


def _go_on(changed: Changed, target: str) -> Response:
    response = redirect(target)
    response.set_cookie(cookies.session_cookie(), changed.token, **cookies.attributes())
    response.delete_cookie(cookies.FORM_COOKIE, path="/")
    return response
