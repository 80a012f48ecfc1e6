"""Logging in, signing up and logging out: native forms, before any socket, without any script.

A refusal travels back to the form in a short-lived cookie that only this browser has: what was typed
(never the password) and a sentence for each wrong field.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mhms_app import db, routes
from mhms_app.accounts import cookies, devices, entrance, login_step, passwords, sessions, throttle
from mhms_app.accounts import service as accounts
from mhms_app.accounts.entrance import Entered
from mhms_app.accounts.login_step import Begun
from mhms_app.accounts.rules import network_of
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Role
from mhms_app.api import work
from mhms_app.api.forms import browser_of, next_of, redirect, refuse, second_step, session_token, text_of, welcome
from mhms_app.audit import service as audit
from mhms_app.audit.service import Origin
from mhms_app.directory import people
from mhms_app.errors import ClinicError, InvalidForm
from mhms_app.settings import settings


async def log_in(request: Request) -> Response:
    """POST email, password, next: start a session and lead to ``next`` or to the role's own page."""
    form = await request.form()
    email, password = text_of(form, "email"), text_of(form, "password", tidy=False)
    target = next_of(request, form)
    back = routes.login_then(target) if target else routes.LOGIN
    try:
        entered = await work.look(_log_in, email, password, browser_of(request), session_token(request))
    except ClinicError as refusal:
        return refuse(back, refusal, "login", {"email": email})
    if isinstance(entered, Begun):
        return second_step(entered, redirect(routes.login_code_then(target)))
    return welcome(entered, target or routes.home_of(entered.role))


def _log_in(email: str, password: str, browser: Browser, earlier: str) -> Entered | Begun:
    """Check the credentials; open a session and end the earlier one, or begin the second step.

    The password is checked outside of any transaction: bcrypt takes long on purpose. Whatever has changed meanwhile is
    checked once more: another login may have hashed the same password anew, or the owner has another one.
    """
    tried = _tried(email, browser)
    throttle.check(**tried)
    for _ in range(2):
        with db.transaction(read_only=True) as session:
            found = accounts.find_credentials(session, email=email)
        fits = passwords.verify(password[:1024], found.password_hash if found else None)
        if not fits or not found or not found.active:
            break
        throttle.forget(**tried)
        if found.is_over:
            raise accounts.TemporaryPasswordOver
        stronger = passwords.hash_password(password) if passwords.needs_rehash(found.password_hash) else ""
        with db.transaction() as session:
            if not accounts.still_so(session, found):
                continue
            if stronger:
                accounts.rehash(session, found, password_hash=stronger)
            accounts.confirm_by_password(session, user_id=found.user_id)
            audit.come_from(session, Origin(browser.address))
            return login_step.after_password(session, user_id=found.user_id, browser=browser, earlier=earlier)
    with db.transaction() as session:
        audit.come_from(session, Origin(browser.address))
        audit.record(
            session,
            actor_id=None,
            action="session.refuse",
            object_type="user",
            object_id=found.user_id if found else None,
        )
    raise accounts.WrongCredentials


def _tried(email: str, browser: Browser) -> dict[str, str]:
    """What a login is counted for: a browser or a place that the account knows not with everybody else's."""
    account, network = accounts.account_key(email), network_of(browser.address)
    with db.transaction(read_only=True) as session:
        if devices.known(session, email_key=account, device_token=browser.device_token):
            return {"login_device": f"{account} {browser.device_token}"}
        is_known_place = sessions.known_place(session, email_key=account, network=network)
    tried = {"login_address": browser.address, "login_place": f"{account} {network}"}
    return tried if is_known_place else {**tried, "login_account": account}


async def sign_up(request: Request) -> Response:
    """POST role, full_name, email, password, department, next: create an account and log it in."""
    form = await request.form()
    typed = {name: text_of(form, name) for name in ("role", "full_name", "email", "department")}
    target = next_of(request, form)
    back = routes.signup_then(target) if target else routes.SIGNUP
    try:
        password = text_of(form, "password", tidy=False)
        browser = browser_of(request)
        entered = await work.in_thread(_sign_up, typed, password, browser, session_token(request), target)
    except ClinicError as refusal:
        return refuse(back, refusal, "signup", typed)
    landing = target if entered.role == Role.PATIENT and target else routes.home_of(entered.role)
    return welcome(entered, landing)


def _sign_up(typed: dict[str, str], password: str, browser: Browser, earlier: str, then: str) -> Entered:
    """Check every field at once, then create the account, open its session and end the earlier one."""
    throttle.check(signup_address=browser.address)
    errors = people.validate_signup(
        email=typed["email"], full_name=typed["full_name"], role=typed["role"], department_id=typed["department"]
    )
    strength = passwords.judge(password[:1024], context=(typed["email"], typed["full_name"]))
    if not strength.acceptable:
        errors["password"] = strength.sentence
    if errors:
        raise InvalidForm(errors)
    password_hash = passwords.hash_password(password)
    with db.transaction() as session:
        audit.come_from(session, Origin(browser.address))
        created = people.sign_up(
            session,
            email=typed["email"],
            full_name=typed["full_name"],
            password_hash=password_hash,
            role=typed["role"],
            department_id=int(typed["department"]) if typed["role"] == "doctor" else None,
            auto_approve=not settings().is_production,
            then=then,
        )
        return entrance.enter(session, user_id=created.user_id, browser=browser, earlier=earlier)


async def log_out(request: Request) -> Response:
    """POST: end the session on every tab and show a fresh page."""
    token, origin = session_token(request), Origin(browser_of(request).address)

    def close() -> None:
        with db.transaction() as session:
            audit.come_from(session, origin)
            sessions.close(session, token=token)

    if token:
        await work.in_thread(close)
    response = redirect(routes.HOME)
    response.delete_cookie(
        cookies.session_cookie(), path="/", secure=cookies.is_secure(), httponly=True, samesite="lax"
    )
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
