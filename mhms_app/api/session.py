"""Logging in, signing up and logging out: native forms, before any socket, without any script.

A refusal travels back to the form in a short-lived cookie that only this browser has: what was typed
(never the password) and a sentence for each wrong field.
"""

from __future__ import annotations

import os
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mhms_app import db, routes
from mhms_app.accounts import cookies, passwords, throttle
from mhms_app.accounts import service as accounts
from mhms_app.api.wall import client_address
from mhms_app.audit import service as audit
from mhms_app.directory import service as directory
from mhms_app.errors import ClinicError, Invalid, InvalidForm, TooManyAttempts
from mhms_app.settings import settings


async def log_in(request: Request) -> Response:
    """POST email, password, next: start a session and lead to ``next`` or to the role's own page."""
    form = await request.form()
    email, password = _text(form, "email"), _text(form, "password", tidy=False)
    target = routes.safe_next(_text(form, "next") or _next_of_referer(request))
    back = routes.login_then(target) if target else routes.LOGIN
    try:
        token, role = await run_in_threadpool(
            _log_in, email, password, client_address(request), _session_token(request)
        )
    except ClinicError as refusal:
        return _refuse(back, refusal, "login", {"email": email})
    return _welcome(token, target or routes.home_of(role))


def _log_in(email: str, password: str, address: str, earlier: str) -> tuple[str, str]:
    """Check the credentials, open a session and end the earlier one; returns the token and the person's role.

    The password is checked outside of any transaction: bcrypt takes long on purpose.
    """
    throttle.check(login_address=address, login_account=accounts.email_key(email))
    with db.transaction(read_only=True) as session:
        found = accounts.find_credentials(session, email=email)
    if not passwords.verify(password[:1024], found.password_hash if found else None) or not found or not found.active:
        with db.transaction() as session:
            audit.record(
                session,
                actor_id=None,
                action="session.refuse",
                object_type="user",
                object_id=found.user_id if found else None,
            )
        raise accounts.WrongCredentials
    throttle.forget(login_account=accounts.email_key(email))
    stronger = passwords.hash_password(password) if passwords.needs_rehash(found.password_hash) else ""
    with db.transaction() as session:
        if stronger:
            accounts.rehash(session, user_id=found.user_id, password_hash=stronger)
        accounts.close_session(session, token=earlier)
        token = accounts.open_session(session, user_id=found.user_id)
        session.flush()
        actor = accounts.resolve(session, token)
        if actor is None:
            raise accounts.WrongCredentials
    return token, actor.role.value


async def sign_up(request: Request) -> Response:
    """POST role, full_name, email, password, department, next: create an account and log it in."""
    form = await request.form()
    typed = {name: _text(form, name) for name in ("role", "full_name", "email", "department")}
    target = routes.safe_next(_text(form, "next") or _next_of_referer(request))
    back = routes.signup_then(target) if target else routes.SIGNUP
    try:
        password = _text(form, "password", tidy=False)
        token, role = await run_in_threadpool(
            _sign_up, typed, password, client_address(request), _session_token(request)
        )
    except ClinicError as refusal:
        return _refuse(back, refusal, "signup", typed)
    landing = target if role == "patient" and target else routes.home_of(role)
    return _welcome(token, landing)


def _sign_up(typed: dict[str, str], password: str, address: str, earlier: str) -> tuple[str, str]:
    """Check every field at once, then create the account, open its session and end the earlier one."""
    throttle.check(signup_address=address)
    errors = directory.validate_signup(
        email=typed["email"], full_name=typed["full_name"], role=typed["role"], department_id=typed["department"]
    )
    strength = passwords.judge(password[:1024], context=(typed["email"], typed["full_name"]))
    if not strength.acceptable:
        errors["password"] = strength.sentence
    if errors:
        raise InvalidForm(errors)
    password_hash = passwords.hash_password(password)
    with db.transaction() as session:
        created = directory.sign_up(
            session,
            email=typed["email"],
            full_name=typed["full_name"],
            password_hash=password_hash,
            role=typed["role"],
            department_id=int(typed["department"]) if typed["role"] == "doctor" else None,
            auto_approve=not settings().is_production,
        )
        accounts.close_session(session, token=earlier)
        token = accounts.open_session(session, user_id=created.user_id)
    return token, typed["role"]


async def log_out(request: Request) -> Response:
    """POST: end the session on every tab and show a fresh page."""
    token = _session_token(request)

    def close() -> None:
        with db.transaction() as session:
            accounts.close_session(session, token=token)

    if token:
        await run_in_threadpool(close)
    response = _redirect(routes.HOME)
    response.delete_cookie(
        cookies.session_cookie(), path="/", secure=cookies.is_secure(), httponly=True, samesite="lax"
    )
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _session_token(request: Request) -> str:
    """The session token that the browser has, or ``""``."""
    return cookies.read(request.headers.get("cookie", ""), cookies.session_cookie())


def _welcome(token: str, target: str) -> Response:
    """Set the new session's cookie."""
    response = _redirect(target)
    response.set_cookie(cookies.session_cookie(), token, **cookies.attributes())
    response.delete_cookie(cookies.FORM_COOKIE, path="/")
    return response


def _refuse(back: str, refusal: ClinicError, form: Literal["login", "signup"], typed: dict[str, str]) -> Response:
    """Lead back to the form, with the sentences and what was typed."""
    errors = refusal.errors if isinstance(refusal, InvalidForm) else {refusal.field or "form": refusal.sentence}
    response = _redirect(back)
    response.set_cookie(
        cookies.FORM_COOKIE,
        cookies.RefusedForm(form, typed, errors).to_cookie(),
        **{**cookies.attributes(), "max_age": 60, "samesite": "strict"},
    )
    return response


def _redirect(path: str) -> RedirectResponse:
    """See Other: the browser asks for the page with GET. In development the pages have their own port."""
    return RedirectResponse(pages_origin() + path, status_code=303)


def pages_origin() -> str:
    """``""`` where one origin serves everything, else the origin of the development pages."""
    return settings().base_url if os.environ.get("REFLEX_ENV_MODE", "dev") == "dev" else ""


def _text(form: FormData, name: str, *, tidy: bool = True) -> str:
    """One text field of a form, cut to what any real value needs; a file or a missing field is ``""``."""
    value: Any = form.get(name)
    text = value if isinstance(value, str) else ""
    return text.strip()[:400] if tidy else text[:4096]


def _next_of_referer(request: Request) -> str:
    """Where the page that holds the form was asked to lead back to."""
    return parse_qs(urlsplit(request.headers.get("referer", "")).query).get("next", [""])[0]


__all__ = ["Invalid", "TooManyAttempts", "log_in", "log_out", "pages_origin", "sign_up"]
