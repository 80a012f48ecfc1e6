"""Buttons and links."""

from __future__ import annotations

from typing import Any, Literal

import reflex as rx

from mhms_app.web.theme.base import Content, classes, icon

Kind = Literal["primary", "secondary", "quiet", "danger"]


def button(
    label: Content,
    *,
    kind: Kind = "secondary",
    icon_name: str = "",
    compact: bool = False,
    full: bool = False,
    solid: bool = False,
    **props: Any,
) -> rx.Component:
    """A button; one primary a screen.

    Args:
        label: what it does, as a verb.
        kind: primary, secondary (outlined), quiet (no outline) or danger (red words).
        icon_name: a lucide icon before the label.
        compact: 36 px high where there is a mouse; for tables and rows.
        full: as wide as its place.
        solid: with ``danger``: the last button before something that cannot be undone.
        props: ``on_click``, ``disabled``, ``type``, ``aria_label``...
    """
    props.setdefault("type", "button")
    return rx.el.button(*_labelled(label, icon_name), class_name=button_class(kind, compact, full, solid), **props)


def link_button(
    label: Content,
    href: str | rx.Var[str],
    *,
    kind: Kind = "secondary",
    icon_name: str = "",
    compact: bool = False,
    full: bool = False,
    **props: Any,
) -> rx.Component:
    """A link that looks like a button."""
    return rx.el.a(
        *_labelled(label, icon_name), href=href, class_name=button_class(kind, compact, full, False), **props
    )


def icon_button(
    label: str, icon_name: str, *, kind: Kind = "quiet", compact: bool = False, **props: Any
) -> rx.Component:
    """A square button with an icon; ``label`` is its accessible name."""
    props.setdefault("type", "button")
    return rx.el.button(
        icon(icon_name),
        aria_label=label,
        title=label,
        class_name=classes(button_class(kind, compact, False, False), "icon-only"),
        **props,
    )


def link(label: Content, href: str | rx.Var[str], *, icon_after: str = "", **props: Any) -> rx.Component:
    """A link that stands alone; inside a sentence take ``rx.el.a``."""
    return rx.el.a(label, *([icon(icon_after)] if icon_after else []), href=href, class_name="link", **props)


def _labelled(label: Content, icon_name: str) -> list[Content]:
    return [icon(icon_name), label] if icon_name else [label]


def button_class(kind: Kind, compact: bool, full: bool, solid: bool) -> Any:
    """The classes of something that looks like a button."""
    return classes("button", kind, "compact" if compact else "", "full" if full else "", "solid" if solid else "")
