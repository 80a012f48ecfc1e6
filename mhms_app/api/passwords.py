"""Choosing a password: native forms, because they end or begin sessions. No password travels back in a refusal."""

from __future__ import annotations

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from mhms_app import db, routes
from mhms_app.accounts import cookies, own_password, passwords, sessions, throttle
from mhms_app.accounts import service as accounts
from mhms_app.accounts.entrance import Entered
from mhms_app.accounts.links import LinkOver
from mhms_app.accounts.own_password import Owner, WrongPassword
from mhms_app.accounts.sessions import Browser
from mhms_app.api import work
from mhms_app.api.forms import browser_of, redirect, refuse, session_token, text_of, welcome
from mhms_app.audit import service as audit
from mhms_app.audit.service import Origin
from mhms_app.errors import ClinicError, InvalidForm, LoginRequired


async def forget(request: Request) -> Response:
    """POST email: mail a link to whoever has an account with it.

    The answer is the same for every address, and is sent before anybody has looked whose it is: its time tells nothing.
    """
    form, browser = await request.form(), browser_of(request)
    email = text_of(form, "email")
    try:
        account = accounts.email_key(accounts.tidy_email(email))
        await work.in_thread(throttle.check, reset_address=browser.address, reset_account=account)
    except ClinicError as refusal:
        return refuse(routes.FORGOT, refusal, "forgot", {"email": email})
    response = redirect(routes.with_query(routes.FORGOT, sent=1))
    response.background = BackgroundTask(work.look, _forget, email, browser)
    return response


def _forget(email: str, browser: Browser) -> None:
    """Done twice, the newer link takes the place of the older."""
    with db.transaction() as session:
        audit.come_from(session, Origin(browser.address))
        own_password.ask_reset(session, email=email)


async def reset(request: Request) -> Response:
    """POST token, password: set the password of whoever was mailed the link, and lead to the login."""
    form = await request.form()
    token, password = text_of(form, "token")[: routes.LONGEST_TOKEN], text_of(form, "password", tidy=False)
    try:
        device_token = await work.in_thread(_reset, token, password, browser_of(request))
    except LinkOver:
        return redirect(routes.reset(token or "over"))
    except ClinicError as refusal:
        return refuse(routes.reset(token), refusal, "reset", {})
    response = redirect(routes.with_query(routes.LOGIN, said="password"))
    response.set_cookie(cookies.device_cookie(), device_token, **cookies.device_attributes())
    return response


def _reset(token: str, password: str, browser: Browser) -> str:
    with db.transaction(read_only=True) as session:
        owner = own_password.resetting(session, None, token=token)
    if sentence := _too_weak(password, owner):
        raise InvalidForm({"password": sentence})
    password_hash = passwords.hash_password(password)
    with db.transaction() as session:
        audit.come_from(session, Origin(browser.address))
        return own_password.reset(session, token=token, password_hash=password_hash, browser=browser)


async def change(request: Request) -> Response:
    """POST current, password: set one's own password, and go on in a new session."""
    form = await request.form()
    current, password = (text_of(form, name, tidy=False) for name in ("current", "password"))
    try:
        entered, owner = await work.in_thread(_change, session_token(request), current, password, browser_of(request))
    except LoginRequired:
        return redirect(routes.login_then(routes.ACCOUNT_PASSWORD))
    except ClinicError as refusal:
        return refuse(routes.ACCOUNT_PASSWORD, refusal, "password", {})
    done = routes.with_query(routes.ACCOUNT_PASSWORD, changed=1)
    return welcome(entered, routes.home_of(entered.role) if owner.must_choose else done)


def _change(token: str, current: str, password: str, browser: Browser) -> tuple[Entered, Owner]:
    """Whoever has just logged in with a temporary password is not asked for it again."""
    with db.transaction(read_only=True) as session:
        owner = own_password.own(session, sessions.resolve(session, token, address=browser.address))
    errors: dict[str, str] = {}
    if not owner.must_choose:
        try:
            own_password.prove(owner, password=current, address=browser.address)
        except WrongPassword as refusal:
            errors[refusal.field] = refusal.sentence
    if sentence := _too_weak(password, owner):
        errors["password"] = sentence
    elif not errors and passwords.verify(password, owner.password_hash):
        errors["password"] = "This is the one that you have now. Please choose another."  # noqa: S105 - a sentence
    if errors:
        raise InvalidForm(errors)
    password_hash = passwords.hash_password(password)
    with db.transaction() as session:
        actor = sessions.resolve(session, token, address=browser.address)
        entered = own_password.change(
            session, actor, known_hash=owner.password_hash, password_hash=password_hash, browser=browser
        )
    return entered, owner


def _too_weak(password: str, owner: Owner) -> str:
    """Why a password is not good enough for somebody, or ``""``."""
    strength = passwords.judge(password[:1024], context=(owner.email, owner.name))
    return "" if strength.acceptable else strength.sentence
