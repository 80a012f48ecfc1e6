"""A form that the browser itself sends, without any script and before the socket is up."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.config import get_config
from reflex.constants import Env
from reflex.environment import environment
from reflex_components_core.el.elements.base import BaseHTML


class NativeForm(BaseHTML):  # type: ignore[misc]  # untyped in Reflex
    """``<form>``; Reflex's own prevents the browser from sending it."""

    tag = "form"

    action: rx.Var[str]
    method: rx.Var[str]
    no_validate: rx.Var[bool]
    auto_complete: rx.Var[str]


def posted_form(path: str, *children: Any, **props: Any) -> rx.Component:
    """A form that posts to a route of ``api``; the server checks it and says what is wrong beside the fields."""
    return NativeForm.create(*children, action=address_of(path), method="post", no_validate=True, **props)


def query_form(path: str, *children: Any, **props: Any) -> rx.Component:
    """A form that leads to a page with its fields as the query."""
    return NativeForm.create(*children, action=path, method="get", **props)


def address_of(path: str) -> str:
    """The address of a route of ``api``: in development the pages have a port of their own."""
    is_development = environment.REFLEX_ENV_MODE.get() is Env.DEV
    return f"{get_config().api_url}{path}" if is_development else path
