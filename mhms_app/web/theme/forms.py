"""Forms: every field with its label, its hint and its error."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app.web.theme.base import Content, Flag, classes, given, icon


def form(*fields: Content, **props: Any) -> rx.Component:
    """A form in one column, answered by ``on_submit``; errors come from the server, beside the fields."""
    return rx.el.form(*fields, class_name="form", no_validate=True, **props)


def pair(*fields: Content) -> rx.Component:
    """Two short fields side by side where there is room."""
    return rx.el.div(*fields, class_name="pair")


def filters(*fields: Content, **props: Any) -> rx.Component:
    """The row of compact fields above a list."""
    return rx.el.div(*fields, class_name="filters", **props)


def more_filters(chosen: Content, *fields: Content, label: str, icon_name: str) -> rx.Component:
    """Further filters, put away behind what is chosen in them; opened, they take a row of their own."""
    summary = rx.el.summary(
        icon(icon_name),
        rx.el.span(rx.el.span(f"{label}: ", class_name="unseen"), chosen),
        icon("chevron-down", class_name="after"),
        class_name="control",
    )
    return rx.el.details(summary, rx.el.div(*fields), class_name="more-filters")


def text_field(
    label: str,
    name: str,
    *,
    error: Content = "",
    hint: Content = "",
    optional: bool = False,
    icon_name: str = "",
    hide_label: bool = False,
    compact: bool = False,
    grow: bool = False,
    after: Content = None,
    **props: Any,
) -> rx.Component:
    """An input with its label, hint and error.

    Args:
        label: its accessible name.
        name: the form's field, and its id (an ``id`` of its own can be given).
        error: the sentence about what to correct, or empty.
        hint: a sentence that helps, under the field.
        optional: say so beside the label.
        icon_name: an icon inside, at its beginning.
        hide_label: show the label to screen readers only; then the placeholder or icon must be plain enough.
        compact: 36 px high where there is a mouse.
        grow: in ``filters``, take the room that is left.
        after: something below the control, such as a meter.
        props: ``type`` (date, time, email...), ``default_value``, ``on_change``, ``auto_complete``...
    """
    wiring = _wiring(name, error, hint, props)
    control = rx.el.input(name=name, class_name="control", **wiring, **props)
    return _field(
        label,
        _held(control, icon_name),
        wiring["id"],
        *([] if after is None else [after]),
        error=error,
        hint=hint,
        optional=optional,
        hide_label=hide_label,
        marks=classes("compact" if compact else "", "grow" if grow else ""),
    )


def any_day_field(label: str, name: str, *, chosen: Content, **props: Any) -> rx.Component:
    """A date to look for; it says "Any day" until one is ``chosen``."""
    return rx.el.div(
        text_field(label, name, icon_name="calendar", hide_label=True, type="date", **props),
        rx.cond(chosen, rx.fragment(), rx.el.span("Any day", class_name="any", aria_hidden="true")),
        class_name="any-day",
    )


def select_field(
    label: str,
    *options: Content,
    name: str,
    error: Content = "",
    hint: Content = "",
    optional: bool = False,
    icon_name: str = "",
    hide_label: bool = False,
    compact: bool = False,
    **props: Any,
) -> rx.Component:
    """The browser's own select; its ``options`` are ``option(...)`` or ``rx.foreach`` of them."""
    wiring = _wiring(name, error, hint, props)
    control = rx.el.select(*options, name=name, class_name="control", **wiring, **props)
    held = _held(control, icon_name, icon("chevron-down", class_name="after"))
    return _field(
        label,
        held,
        wiring["id"],
        error=error,
        hint=hint,
        optional=optional,
        hide_label=hide_label,
        marks="compact" if compact else "",
    )


def option(value: Content, label: Content) -> rx.Component:
    """One option of a ``select_field``."""
    return rx.el.option(label, value=value)


def text_area(
    label: str, name: str, *, error: Content = "", hint: Content = "", optional: bool = False, **props: Any
) -> rx.Component:
    """A text of several lines."""
    wiring = _wiring(name, error, hint, props)
    control = rx.el.textarea(name=name, class_name="control", **wiring, **props)
    return _field(label, control, wiring["id"], error=error, hint=hint, optional=optional)


def password_field(
    label: str,
    name: str,
    *,
    shown: Flag,
    on_toggle: Any,
    error: Content = "",
    after: Content = None,
    **props: Any,
) -> rx.Component:
    """A password with a button that shows its characters."""
    wiring = _wiring(name, error, "", props)
    toggle = rx.el.button(
        rx.cond(shown, icon("eye-off"), icon("eye")),
        type="button",
        class_name="button quiet icon-only",
        aria_label=rx.cond(shown, "Hide characters", "Show characters"),
        on_click=on_toggle,
    )
    held = rx.el.div(
        rx.el.input(name=name, type=rx.cond(shown, "text", "password"), class_name="control", **wiring, **props),
        toggle,
        class_name="held with-button",
    )
    return _field(label, held, wiring["id"], *([] if after is None else [after]), error=error)


def choices(label: str, *options: rx.Component, error: Content = "", hide_label: bool = False) -> rx.Component:
    """A question with a few answers, each a ``choice``."""
    return rx.el.fieldset(
        rx.el.legend(label, class_name="unseen" if hide_label else "legend"),
        *options,
        error_line(error),
        class_name="choices",
    )


def choice(label: str, *, name: str, value: str, **props: Any) -> rx.Component:
    """A radio button as a card; ``default_checked`` or ``checked`` with ``on_change``."""
    return rx.el.label(rx.el.input(type="radio", name=name, value=value, **props), label, class_name="choice")


def checkbox(label: Content, *, name: str = "", **props: Any) -> rx.Component:
    """A checkbox with its words."""
    return rx.el.label(rx.el.input(type="checkbox", name=name, **props), rx.el.span(label), class_name="check")


def segments(label: str, *options: Content, error: Content = "", hide_label: bool = False) -> rx.Component:
    """A row of short answers, each a ``segment``: the days of a week, a view."""
    return rx.el.fieldset(
        rx.el.legend(label, class_name="unseen" if hide_label else "legend"),
        rx.el.div(*options, class_name="segments"),
        error_line(error),
        class_name="field",
    )


def segment(
    label: Content, *, name: Any = "", value: Any = "", several: bool = False, long: Content = "", **props: Any
) -> rx.Component:
    """One short answer: a radio button, or with ``several`` a checkbox; ``long`` is its full name ("Monday")."""
    kind = "checkbox" if several else "radio"
    named = {"aria_label": long} if isinstance(long, rx.Var) or long else {}
    return rx.el.label(
        rx.el.input(type=kind, name=name, value=value, **named, **props), rx.el.span(label), class_name="segment"
    )


def _wiring(name: str, error: Content, hint: Content, props: dict[str, Any]) -> dict[str, Any]:
    """The attributes that tie a control to its label, hint and error; its id is taken out of ``props``."""
    identity = props.pop("id", name)
    described = " ".join(
        part for part, present in ((f"{identity}-hint", given(hint)), (f"{identity}-error", given(error))) if present
    )
    attributes: dict[str, Any] = {"id": identity}
    if described:
        attributes["aria_describedby"] = described
    if given(error):
        attributes["aria_invalid"] = rx.cond(error, "true", "false")
    return attributes


def _held(control: rx.Component, icon_name: str, *after: rx.Component) -> rx.Component:
    """The control with icons laid over it."""
    if not icon_name and not after:
        return control
    before = [icon(icon_name)] if icon_name else []
    return rx.el.div(*before, control, *after, class_name=classes("held", "before" if icon_name else ""))


def _field(
    label: str,
    control: rx.Component,
    identity: str,
    *after: Content,
    error: Content = "",
    hint: Content = "",
    optional: bool = False,
    hide_label: bool = False,
    marks: str = "",
) -> rx.Component:
    """A control under its label, and what is said about it below."""
    words = [label, rx.el.span(" (optional)", class_name="optional")] if optional else [label]
    return rx.el.div(
        rx.el.label(*words, html_for=identity, class_name="unseen" if hide_label else ""),
        control,
        *after,
        rx.el.p(hint, id=f"{identity}-hint", class_name="hint") if given(hint) else rx.fragment(),
        error_line(error, f"{identity}-error"),
        class_name=classes("field", marks),
    )


def error_line(error: Content, identity: str = "") -> rx.Component:
    """The place of a field's error; it is there before the error is, so that it is read out when it comes."""
    if not given(error):
        return rx.fragment()
    named = {"id": identity} if identity else {}
    return rx.el.p(
        rx.cond(error, rx.fragment(icon("circle-alert", size=16), rx.el.span(error))),
        class_name="error",
        aria_live="polite",
        **named,
    )
