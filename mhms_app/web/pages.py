"""Every page of the browser app: its path, its title, what it shows and what it loads first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.web.public import landing, login, not_found, signup


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``load`` runs at every visit, before there is anything to show."""

    route: str
    title: str
    component: Callable[[], rx.Component]
    load: Any = None


PAGES = (
    Page(routes.HOME, "Find a doctor", landing.page, landing.Landing.load),
    Page(routes.LOGIN, "Log in", login.page, login.Login.load),
    Page(routes.SIGNUP, "Create your account", signup.page, signup.Signup.load),
    Page(routes.NOT_FOUND, "Not found", not_found.page),
)
