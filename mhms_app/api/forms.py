"""What every native form has in common: who sends it, what is typed, and how its answer leads back to a page."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mhms_app import routes
from mhms_app.accounts import cookies
from mhms_app.accounts.device_rules import describe
from mhms_app.accounts.entrance import Entered
from mhms_app.accounts.login_step import GOOD_FOR, Begun
from mhms_app.accounts.sessions import Browser
from mhms_app.api.wall import client_address
from mhms_app.errors import ClinicError, InvalidForm
from mhms_app.settings import settings


def browser_of(request: Request) -> Browser:
    """What is known of the browser that asks."""
    return Browser(
        device=describe(request.headers.get("user-agent", "")),
        address=client_address(request),
        device_token=cookies.read(request.headers.get("cookie", ""), cookies.device_cookie())[:100],
    )


def session_token(request: Request) -> str:
    """The session token that the browser has, or ``""``."""
    return cookies.read(request.headers.get("cookie", ""), cookies.session_cookie())


def welcome(entered: Entered, target: str) -> Response:
    """Set the cookies of session and device, and lead to ``target`` unless something has to be done first."""
    duty = routes.PAGE_OF_DUTY[entered.must_do] if entered.must_do else ""
    response = redirect(duty or target)
    response.set_cookie(cookies.session_cookie(), entered.token, **cookies.attributes())
    response.set_cookie(cookies.device_cookie(), entered.device_token, **cookies.device_attributes())
    response.delete_cookie(cookies.FORM_COOKIE, path="/")
    response.delete_cookie(cookies.step_cookie(), path="/", secure=cookies.is_secure(), httponly=True)
    return response


def second_step(begun: Begun, response: Response) -> Response:
    """Set the cookie of a login that has begun."""
    attributes = {**cookies.attributes(), "max_age": int(GOOD_FOR.total_seconds()), "samesite": "strict"}
    response.set_cookie(cookies.step_cookie(), begun.token, **attributes)
    response.delete_cookie(cookies.FORM_COOKIE, path="/")
    return response


def refuse(back: str, refusal: ClinicError, form: cookies.FormName, typed: dict[str, str]) -> Response:
    """Lead back to the form, with the sentences and what was typed."""
    errors = refusal.errors if isinstance(refusal, InvalidForm) else {refusal.field or "form": refusal.sentence}
    response = redirect(back)
    response.set_cookie(
        cookies.FORM_COOKIE,
        cookies.RefusedForm(form, typed, errors).to_cookie(),
        **{**cookies.attributes(), "max_age": 60, "samesite": "strict"},
    )
    return response


def redirect(path: str) -> RedirectResponse:
    """See Other: the browser asks for the page with GET. In development the pages have their own port."""
    return RedirectResponse(pages_origin() + path, status_code=303)


def pages_origin() -> str:
    """``""`` where one origin serves everything, else the origin of the development pages."""
    return settings().base_url if os.environ.get("REFLEX_ENV_MODE", "dev") == "dev" else ""


def text_of(form: FormData, name: str, *, tidy: bool = True) -> str:
    """One text field of a form, cut to what any real value needs; a file or a missing field is ``""``."""
    value: Any = form.get(name)
    text = value if isinstance(value, str) else ""
    return text.strip()[:400] if tidy else text[:4096]


def next_of(request: Request, form: FormData) -> str:
    """Where to lead afterwards: what the form says, or the page that holds it was asked for; ``""`` is nowhere."""
    of_page = parse_qs(urlsplit(request.headers.get("referer", "")).query).get("next", [""])[0]
    return routes.safe_next(text_of(form, "next") or of_page)
