"""Buttons that make and use passkeys (``assets/passkey.js``); a browser that knows none shows no button."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.web import theme
from mhms_app.web.components.native_form import address_of
from mhms_app.web.theme.buttons import Kind, button_class

_SCRIPT = rx.asset("passkey.js").importable_path
_OF_AN_ANSWER = rx.event.passthrough_event_spec(str)


class MakePasskey(rx.Component):
    """Makes a passkey.

    Attributes:
        options: the server's question, as JSON.
        on_made: the browser's answer, as JSON.
    """

    library = _SCRIPT
    tag = "MakePasskey"

    options: rx.Var[str]
    on_made: rx.EventHandler[_OF_AN_ANSWER]  # type: ignore[valid-type,type-arg]


class UsePasskey(rx.Component):
    """Logs in with a passkey.

    Attributes:
        options: the server's question, as JSON; ``""`` where it is still to be asked for.
        ask: where it is asked for.
        action: where the answer is posted, with ``step`` and ``next``.
    """

    library = _SCRIPT
    tag = "UsePasskey"

    options: rx.Var[str]
    ask: rx.Var[str]
    action: rx.Var[str]
    step: rx.Var[str]
    next: rx.Var[str]


def make_passkey(label: str, *, options: Any, on_made: Any) -> rx.Component:
    """The button that makes a passkey on this device."""
    return MakePasskey.create(*_labelled(label), options=options, on_made=on_made, class_name=_looks("primary"))


def use_passkey(label: str, *, next_path: Any, options: Any = "", kind: Kind = "secondary") -> rx.Component:
    """The button that logs somebody in with a passkey.

    Args:
        options: in the second step of a login the question for this person; without it the passkey says who it is.
        next_path: where to go afterwards.
    """
    return UsePasskey.create(
        *_labelled(label),
        options=options,
        ask=address_of(routes.POST_PASSKEY_OPTIONS),
        action=address_of(routes.POST_PASSKEY),
        step="code" if isinstance(options, rx.Var) else "",
        next=next_path,
        class_name=_looks(kind),
    )


def _labelled(label: str) -> tuple[rx.Component, str]:
    return theme.icon("fingerprint"), label


def _looks(kind: Kind) -> str:
    return str(button_class(kind, False, True, False))
