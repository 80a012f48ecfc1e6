"""What every piece of the design system is made of: kinds of content, class names, icons."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex_components_core.el.elements.inline import A

Content = Any  # whatever Reflex takes as a child: text, a Var, a component
Flag = Any  # a bool, or a Var of one

HEAD: list[rx.Component] = [
    rx.el.link(rel="icon", type="image/svg+xml", href="/logo.svg"),
    rx.el.link(
        rel="preload",
        type="font/woff2",
        href="/fonts/inter-latin.woff2",
        cross_origin="anonymous",
        custom_attrs={"as": "font"},
    ),
    rx.el.meta(name="theme-color", content="#ffffff", custom_attrs={"media": "(prefers-color-scheme: light)"}),
    rx.el.meta(name="theme-color", content="#151d1b", custom_attrs={"media": "(prefers-color-scheme: dark)"}),
]


def classes(*names: str | rx.Var[Any]) -> Any:
    """Join class names, of which some may be Vars; empty ones are left out."""
    plain = " ".join(name for name in names if isinstance(name, str) and name)
    dynamic = [name for name in names if isinstance(name, rx.Var)]
    joined: Any = plain
    for name in dynamic:
        joined = rx.Var.create(joined) + " " + name.to(str)
    return joined


def icon(name: str, *, size: int = 18, **props: Any) -> rx.Component:
    """A lucide icon by its fixed name; decoration only, so the words beside it must say it all."""
    return rx.icon(name, size=size, stroke_width=1.9, aria_hidden="true", **props)


def skip(text: str, target: str) -> rx.Component:
    """The keyboard's way past something long, seen when it has the focus; ``target`` is an id of the page.

    It is the browser's own link: the router's would lead to the page without its query.
    """
    return A.create(text, href=f"#{target}", class_name="skip")


def unseen(*text: Content) -> rx.Component:
    """Words for screen readers only."""
    return rx.el.span(*text, class_name="unseen")


def given(content: Content) -> bool:
    """Whether there is anything to show; a Var may turn out to be empty, but it is something."""
    return content is not None and not (isinstance(content, str) and not content)


def optional(element: Any, content: Content, **props: Any) -> rx.Component:
    """The element around the content, or nothing when there is none."""
    return element(content, **props) if given(content) else rx.fragment()
