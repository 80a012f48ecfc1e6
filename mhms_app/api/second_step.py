"""The second step of a login, a login by passkey, and going on once a second factor is set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlmodel import Session
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mhms_app import db, routes
from mhms_app.accounts import cookies, login_step, second_factor, sessions, throttle
from mhms_app.accounts.entrance import Entered
from mhms_app.accounts.login_step import Begun, Passed, StepOver
from mhms_app.accounts.sessions import Browser
from mhms_app.api import work
from mhms_app.api.forms import (
    browser_of,
    next_of,
    redirect,
    refuse,
    second_step,
    session_token,
    text_of,
    welcome,
)
from mhms_app.audit import service as audit
from mhms_app.audit.service import Origin
from mhms_app.errors import ClinicError, TooManyAttempts

T = TypeVar("T")


async def log_in_with_code(request: Request) -> Response:
    """POST code, next: finish a login with a code of an app or a recovery code."""
    form = await request.form()
    arguments = step_token(request), text_of(form, "code"), browser_of(request), session_token(request)
    try:
        passed = await work.in_thread(_with_code, *arguments)
    except ClinicError as refusal:
        return _refuse(request, form, refusal, at_code=True)
    target = next_of(request, form) or routes.home_of(passed.entered.role)
    if passed.codes_left is not None:
        target = routes.with_query(routes.ACCOUNT_SECURITY, recovered="1", next=target)
    return welcome(passed.entered, target)


def _with_code(token: str, code: str, browser: Browser, earlier: str) -> Passed:
    with db.transaction(read_only=True) as session:
        account = str(login_step.whose(session, token=token))
    throttle.check(code_account=account)
    passed = _committed(
        browser,
        lambda session: login_step.enter_code(session, token=token, code=code, browser=browser, earlier=earlier),
    )
    throttle.forget(code_account=account)
    return passed


async def passkey_options(request: Request) -> Response:
    """POST: begin a login of somebody whom only their passkey will name; the answer is what the browser needs."""
    browser = browser_of(request)
    try:
        begun, options = await work.in_thread(_begin, browser)
    except TooManyAttempts as refusal:
        return PlainTextResponse(refusal.sentence, 429)
    return second_step(begun, Response(options, media_type="application/json"))


def _begin(browser: Browser) -> tuple[Begun, str]:
    throttle.check(passkey_address=browser.address)
    with db.transaction() as session:
        begun = login_step.begin(session)
        return begun, login_step.ask_passkey(session, token=begun.token)


async def log_in_with_passkey(request: Request) -> Response:
    """POST credential, step, next: log in with a passkey, alone or (``step=code``) after the password."""
    form = await request.form()
    answer, browser = text_of(form, "credential", tidy=False), browser_of(request)
    arguments = step_token(request), answer, browser, session_token(request)
    try:
        passed = await work.in_thread(_with_passkey, *arguments)
    except ClinicError as refusal:
        return _refuse(request, form, refusal, at_code=text_of(form, "step") == "code")
    return welcome(passed.entered, next_of(request, form) or routes.home_of(passed.entered.role))


def _with_passkey(token: str, answer: str, browser: Browser, earlier: str) -> Passed:
    passed = _committed(
        browser,
        lambda session: login_step.enter_passkey(session, token=token, answer=answer, browser=browser, earlier=earlier),
    )
    throttle.forget(passkey_address=browser.address)
    return passed


async def go_on(request: Request) -> Response:
    """POST: whoever had to set up a second factor first, and has, goes on with a new session."""
    token, browser = session_token(request), browser_of(request)
    try:
        entered = await work.in_thread(_go_on, token, browser)
    except ClinicError:
        return redirect(routes.login_then(routes.ACCOUNT_SECURITY))
    return welcome(entered, routes.home_of(entered.role)) if entered else redirect(routes.ACCOUNT_SECURITY)


def _go_on(token: str, browser: Browser) -> Entered | None:
    with db.transaction() as session:
        actor = sessions.resolve(session, token, address=browser.address)
        return second_factor.go_on(session, actor, browser=browser, earlier=token)


def step_token(request: Request) -> str:
    """The token of the login that this browser has begun, or ``""``."""
    return cookies.read(request.headers.get("cookie", ""), cookies.step_cookie())


def _committed(browser: Browser, step: Callable[[Session], T | ClinicError]) -> T:
    """Run a step in a transaction; a refusal that it returns is raised after the commit."""
    with db.transaction() as session:
        audit.come_from(session, Origin(browser.address))
        result = step(session)
    if isinstance(result, ClinicError):
        raise result
    return result


def _refuse(request: Request, form: FormData, refusal: ClinicError, *, at_code: bool) -> Response:
    """Lead back to where the login can go on: its second step, or its beginning when that is over."""
    target = next_of(request, form)
    if at_code and not isinstance(refusal, StepOver):
        return refuse(routes.login_code_then(target), refusal, "code", {})
    back = routes.login_then(target) if target else routes.LOGIN
    return refuse(back, StepOver(refusal.sentence), "login", {})
