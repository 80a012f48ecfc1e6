"""The design system: small functions that return the pieces of a page.

The looks are in ``assets/mhms.css``, one class a piece; nothing else sets a colour or a size. Controls are
the browser's own. A page is put together like this::

    def page() -> rx.Component:
        return frame(                                          # web/shell.py: header, navigation, messages
            page_heading("Bookings", "Every appointment of the clinic."),
            card(
                filters(
                    text_field("Search", "search", icon_name="search", on_change=Bookings.search.debounce(300)),
                    select_field("Status", option("", "Any"), rx.foreach(...), name="status", on_change=...),
                ),
                loading(
                    table("Bookings", ("Patient", "Time", "Status"), rx.foreach(Bookings.rows, _row)),
                    skeleton_rows(8),
                ),
                pager(Bookings.summary, on_previous=..., on_next=..., first=..., last=...),
                flush=True,
            ),
            active=routes.ADMIN_BOOKINGS,
        )

    def _row(row: BookingRow) -> rx.Component:              # a Var of it, really: only look up its fields
        return table_row(
            cell(row.patient, main=True), cell(row.when, label="Time"), cell(chip(row.status, row.tone), label="Status")
        )

Recipes: a list of appointments is ``card(rows(rx.foreach(..., list_row)), flush=True)``. Content with a panel
is ``split(content, panel(...))``; with ``sheet=State.is_choosing`` the panel is a sheet on phones, which a
``bottom_bar`` announces. A patient's week is ``day_strip`` (phones) and ``week_grid`` of ``day_column`` with
``slot_button``; a doctor's is ``hour_grid`` of ``hour_lane`` with ``time_block``. Numbers are ``stats`` of
``stat``, ``bars`` and ``curve``. Something that cannot be undone is asked with ``confirm``. Until the first
answer of the server ``loading`` shows a skeleton; when there is nothing, ``empty_state`` says what to do.

A ``tone`` is ``""``, ``accent``, ``ok``, ``warn``, ``bad``, ``info`` (chips also ``booked`` and ``planned``), as
text or as a Var. An ``error`` is a Var such as ``State.errors["email"]``, the sentence under its field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import reflex as rx
from reflex_components_core.el.elements.inline import A

Content = Any  # whatever Reflex takes as a child: text, a Var, a component
Flag = Any  # a bool, or a Var of one
Kind = Literal["primary", "secondary", "quiet", "danger"]

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


# Arranging ------------------------------------------------------------------------------------------


def stack(*children: Content, gap: Literal["", "tight", "loose"] = "", **props: Any) -> rx.Component:
    """One below the other."""
    return rx.el.div(*children, class_name=classes("stack", gap), **props)


def narrow(*children: Content) -> rx.Component:
    """The one column of a page that is a form."""
    return rx.el.div(*children, class_name="stack loose narrow")


def line(*children: Content, apart: bool = False, **props: Any) -> rx.Component:
    """One beside the other; ``apart`` pushes them to both ends."""
    return rx.el.div(*children, class_name=classes("line", "apart" if apart else ""), **props)


def cards(*children: Content, width: int = 230) -> rx.Component:
    """Equal cards, as many in a row as fit with ``width`` pixels each."""
    return rx.el.div(*children, class_name="cards", style={"--card": f"{width}px"})


def split(content: rx.Component, *side: rx.Component, side_width: int = 340) -> rx.Component:
    """Content with a column beside it that stays in view; below it on narrow screens."""
    return rx.el.div(
        content,
        rx.el.div(*side, class_name="side"),
        class_name="split",
        style={"--side": f"{side_width}px"},
    )


def panel(
    title: Content, *children: Content, aside: Content = None, label: str = "", sheet: Flag = None
) -> rx.Component:
    """The raised card beside content: booking, publishing.

    Args:
        title: its heading.
        children: what it holds.
        aside: beside the heading, such as a chip.
        label: the region's name for screen readers, when the heading changes.
        sheet: where it has no room beside the content, a sheet over the page that is open while this is true;
            without it the panel stands below.
    """
    shape = rx.cond(sheet, "sheet open", "sheet") if sheet is not None else ""
    return rx.el.section(
        _head(title, aside),
        *children,
        class_name=classes("card raised", shape),
        aria_label=label or (title if isinstance(title, str) else "Details"),
    )


def bottom_bar(title: Content, text: Content, action: rx.Component) -> rx.Component:
    """Where a ``sheet`` is one: what is chosen and how to go on, at the bottom of the screen."""
    return rx.el.div(
        rx.el.div(rx.el.strong(title), rx.el.small(text), class_name="what"), action, class_name="bottom-bar"
    )


# Buttons and links ----------------------------------------------------------------------------------


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
    return rx.el.button(*_labelled(label, icon_name), class_name=_button_class(kind, compact, full, solid), **props)


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
        *_labelled(label, icon_name), href=href, class_name=_button_class(kind, compact, full, False), **props
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
        class_name=classes(_button_class(kind, compact, False, False), "icon-only"),
        **props,
    )


def link(label: Content, href: str | rx.Var[str], *, icon_after: str = "", **props: Any) -> rx.Component:
    """A link that stands alone; inside a sentence take ``rx.el.a``."""
    return rx.el.a(label, *([icon(icon_after)] if icon_after else []), href=href, class_name="link", **props)


def _labelled(label: Content, icon_name: str) -> list[Content]:
    return [icon(icon_name), label] if icon_name else [label]


def _button_class(kind: Kind, compact: bool, full: bool, solid: bool) -> Any:
    return classes("button", kind, "compact" if compact else "", "full" if full else "", "solid" if solid else "")


# Headings, cards, marks -----------------------------------------------------------------------------


def page_heading(
    title: Content, lead: Content = None, *, aside: Content = None, back: tuple[str, str | rx.Var[str]] | None = None
) -> rx.Component:
    """The page's one h1, a fact where possible.

    Args:
        title: the heading.
        lead: one sentence below it.
        aside: buttons at its right.
        back: label and address of the way up, above it.
    """
    return rx.el.header(
        rx.el.a(icon("arrow-left", size=16), back[0], href=back[1], class_name="back") if back else rx.fragment(),
        rx.el.div(
            rx.el.div(rx.el.h1(title), _optional(rx.el.p, lead, class_name="lead")),
            _optional(line, aside),
            class_name="row",
        ),
        class_name="page-head",
    )


def section(title: Content, *children: Content, aside: Content = None, **props: Any) -> rx.Component:
    """A part of a page under an h2; ``aside`` is at the right of the heading."""
    return rx.el.section(_head(title, aside), *children, class_name="stack", **props)


def card(
    *children: Content, title: Content = None, aside: Content = None, flush: bool = False, **props: Any
) -> rx.Component:
    """A white card; ``flush`` for lists and tables that reach its edges."""
    return rx.el.div(
        *([] if title is None else [_head(title, aside)]),
        *children,
        class_name=classes("card", "flush" if flush else ""),
        **props,
    )


def _head(title: Content, aside: Content = None) -> rx.Component:
    return rx.el.div(rx.el.h2(title), _optional(line, aside), class_name="section-head")


def _optional(element: Any, content: Content, **props: Any) -> rx.Component:
    """The element around the content, or nothing when there is none."""
    return element(content, **props) if _given(content) else rx.fragment()


def well(*children: Content) -> rx.Component:
    """A sunken box for what follows from the form above it; ``rx.el.strong`` stands out."""
    return rx.el.div(*children, class_name="well")


def chip(text: Content, tone: str | rx.Var[str] = "", *, icon_name: str = "") -> rx.Component:
    """A status as a word; the tone only underlines it."""
    return rx.el.span(*([icon(icon_name, size=14)] if icon_name else []), text, class_name=classes("chip", tone))


def avatar(initials: Content, *, size: Literal["", "large", "huge"] = "") -> rx.Component:
    """Somebody's initials in a disc; the name stands beside it."""
    return rx.el.span(initials, class_name=classes("avatar", size), aria_hidden="true")


def person(name: Content, text: Content, initials: Content, *, heading: Any = rx.el.h3) -> rx.Component:
    """Somebody with their avatar, such as a doctor on a card; ``heading`` is one level below what stands above."""
    return rx.el.div(
        avatar(initials, size="large"),
        rx.el.div(heading(name), rx.el.p(text, class_name="small second")),
        class_name="person",
    )


def disc(icon_name: str) -> rx.Component:
    """An icon in a soft disc."""
    return rx.el.span(icon(icon_name), class_name="disc")


def facts(*pairs: tuple[Content, Content]) -> rx.Component:
    """Terms with their values, such as the details of an appointment."""
    return rx.el.dl(*(part for term, value in pairs for part in (rx.el.dt(term), rx.el.dd(value))), class_name="facts")


# Forms ----------------------------------------------------------------------------------------------


def form(*fields: Content, **props: Any) -> rx.Component:
    """A form in one column, answered by ``on_submit``; errors come from the server, beside the fields."""
    return rx.el.form(*fields, class_name="form", no_validate=True, **props)


def pair(*fields: Content) -> rx.Component:
    """Two short fields side by side where there is room."""
    return rx.el.div(*fields, class_name="pair")


def filters(*fields: Content, **props: Any) -> rx.Component:
    """The row of compact fields above a list."""
    return rx.el.div(*fields, class_name="filters", **props)


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
        part for part, present in ((f"{identity}-hint", _given(hint)), (f"{identity}-error", _given(error))) if present
    )
    attributes: dict[str, Any] = {"id": identity}
    if described:
        attributes["aria_describedby"] = described
    if _given(error):
        attributes["aria_invalid"] = rx.cond(error, "true", "false")
    return attributes


def _given(content: Content) -> bool:
    """Whether there is anything to show; a Var may turn out to be empty, but it is something."""
    return content is not None and not (isinstance(content, str) and not content)


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
        rx.el.p(hint, id=f"{identity}-hint", class_name="hint") if _given(hint) else rx.fragment(),
        error_line(error, f"{identity}-error"),
        class_name=classes("field", marks),
    )


def error_line(error: Content, identity: str = "") -> rx.Component:
    """The place of a field's error; it is there before the error is, so that it is read out when it comes."""
    if not _given(error):
        return rx.fragment()
    named = {"id": identity} if identity else {}
    return rx.el.p(
        rx.cond(error, rx.fragment(icon("circle-alert", size=16), rx.el.span(error))),
        class_name="error",
        aria_live="polite",
        **named,
    )


# Messages -------------------------------------------------------------------------------------------


def notice(
    *text: Content,
    tone: str | rx.Var[str] = "info",
    icon_name: str = "info",
    on_dismiss: Any = None,
    **props: Any,
) -> rx.Component:
    """A message that stays in the page; what just happened goes through ``Screen.tell`` instead."""
    dismiss = [] if on_dismiss is None else [icon_button("Dismiss message", "x", on_click=on_dismiss)]
    return rx.el.div(icon(icon_name), rx.el.div(*text), *dismiss, class_name=classes("notice", tone), **props)


def countdown(text: Content, until: Content, seconds: Any) -> rx.Component:
    """Until when something lasts, and the minutes and seconds left: counted by the style sheet, not by a script.

    Args:
        seconds: how long it lasts from now on.
    """
    left = rx.el.span(class_name="left", aria_hidden=True, style={"--from": seconds}, key=until)
    return rx.el.p(icon("timer", size=16), rx.el.span(text, rx.el.strong(until)), left, class_name="countdown")


def empty_state(title: Content, text: Content = None, *actions: Content, icon_name: str = "calendar") -> rx.Component:
    """What a list says when it is empty: the fact, and what to do next."""
    return rx.el.div(
        disc(icon_name),
        rx.el.strong(title),
        _optional(rx.el.p, text),
        line(*actions) if actions else rx.fragment(),
        class_name="empty",
    )


def confirm(question: Content, consequence: Content, *actions: Content) -> rx.Component:
    """The question before something that cannot be undone; it names what will happen.

    The actions: ``button("Cancel appointment", kind="danger", solid=True, ...)`` and a way out.
    """
    return rx.el.div(
        rx.el.strong(question),
        rx.el.p(consequence),
        line(*actions),
        class_name="confirm",
        role="group",
        aria_live="polite",
    )


def loading(content: rx.Component, placeholder: rx.Component) -> rx.Component:
    """The content once the page's load handler has answered, and a skeleton of the same size until then."""
    return rx.cond(rx.State.is_hydrated, content, placeholder)


def skeleton(width: str = "100%", height: str = "0.875rem", *, round: bool = False) -> rx.Component:
    """A bone: where words will be."""
    return rx.el.span(
        class_name=classes("bone", "round" if round else ""),
        style={"--width": width, "--height": height},
        aria_hidden="true",
    )


def skeleton_rows(count: int = 5) -> rx.Component:
    """The skeleton of a ``rows`` list."""
    return rows(
        *(
            rx.el.li(
                skeleton("36px", "36px", round=True),
                rx.el.div(skeleton("9rem"), skeleton("14rem"), class_name="what stack tight"),
                aria_hidden="true",
            )
            for _ in range(count)
        )
    )


# Lists and tables -----------------------------------------------------------------------------------


def rows(*items: Content, **props: Any) -> rx.Component:
    """A list with hairlines between its ``list_row`` items; stands in a flush card."""
    return rx.el.ul(*items, class_name="rows", **props)


def list_row(
    title: Content,
    text: Content = None,
    *actions: Content,
    when: Content = None,
    initials: Content = None,
    lead: Content = None,
    sunken: Flag = False,
) -> rx.Component:
    """One line of a list: time, person, what, actions.

    Args:
        title: the name, bold.
        text: the line under it.
        actions: chips and compact buttons at the end.
        when: a time at the beginning.
        initials: an avatar before the title.
        lead: anything else before the title, such as a ``disc``.
        sunken: greyed, for free or past times.
    """
    return rx.el.li(
        _optional(rx.el.span, when, class_name="when numbers"),
        _optional(avatar, initials),
        rx.fragment() if lead is None else lead,
        rx.el.div(rx.el.strong(title), _optional(rx.el.small, text), class_name="what"),
        rx.el.div(*actions, class_name="actions") if actions else rx.fragment(),
        class_name=rx.cond(sunken, "sunken", "") if isinstance(sunken, rx.Var) else "sunken" if sunken else "",
    )


def table(caption: str, headings: Sequence[str], *body: Content) -> rx.Component:
    """A table; on phones each row is a small card. An empty heading is for the column of actions."""
    return rx.el.table(
        rx.el.caption(caption, class_name="unseen"),
        rx.el.thead(
            rx.el.tr(*(rx.el.th(heading or unseen("Actions"), custom_attrs={"scope": "col"}) for heading in headings))
        ),
        rx.el.tbody(*body),
        class_name="table",
    )


def table_row(*cells: Content, **props: Any) -> rx.Component:
    """A row of ``cell`` items."""
    return rx.el.tr(*cells, **props)


def cell(
    *content: Content,
    label: str = "",
    main: bool = False,
    quiet: bool = False,
    actions: bool = False,
    number: bool = False,
) -> rx.Component:
    """One cell; ``label`` repeats its heading on phones."""
    marks = [name for name, on in (("main", main), ("quiet", quiet), ("actions", actions), ("number", number)) if on]
    return rx.el.td(*content, class_name=" ".join(marks), custom_attrs={"data-label": label} if label else {})


def pager(summary: Content, *, on_previous: Any, on_next: Any, first: Flag, last: Flag) -> rx.Component:
    """What part of a long list is shown ("26 to 50 of 312"), and the way on and back."""
    return rx.el.nav(
        rx.el.p(summary),
        line(
            button("Previous", compact=True, on_click=on_previous, disabled=first),
            button("Next", compact=True, on_click=on_next, disabled=last),
        ),
        aria_label="Pages",
        class_name="pager",
    )


# Weeks ----------------------------------------------------------------------------------------------


def period(
    title: Content,
    *beside: Content,
    on_previous: Any,
    on_today: Any,
    on_next: Any,
    today: str = "This week",
    unit: str = "week",
    level: Any = rx.el.h2,
    **previous_props: Any,
) -> rx.Component:
    """The heading of a week or a day with its steps: back, this one, on.

    Args:
        title: "23 – 27 November".
        beside: a chip beside it.
        on_previous, on_today, on_next, today, unit, previous_props: as for ``steps``.
        level: ``rx.el.h1`` where this is the page's heading.
    """
    return rx.el.div(
        line(level(title, aria_live="polite"), *beside),
        steps(on_previous=on_previous, on_today=on_today, on_next=on_next, today=today, unit=unit, **previous_props),
        class_name="period",
    )


def steps(
    *,
    on_previous: Any,
    on_today: Any,
    on_next: Any,
    today: str = "This week",
    unit: str = "week",
    **previous_props: Any,
) -> rx.Component:
    """The ways back, to today and on.

    Args:
        on_previous, on_today, on_next: handlers; or addresses, where the page's query says what it shows.
        today: the middle one's words.
        unit: what a step is, for the names of the arrows.
        previous_props: for the first one, such as ``disabled``.
    """
    return line(
        _step(on_previous, icon("chevron-left"), label=f"Previous {unit}", **previous_props),
        _step(on_today, today),
        _step(on_next, icon("chevron-right"), label=f"Next {unit}"),
    )


def _step(target: Any, content: Content, *, label: str = "", **props: Any) -> rx.Component:
    """A link to an address, or a button for a handler; ``label`` is the name of an icon."""
    shape = classes(_button_class("secondary", True, False, False), "icon-only" if label else "")
    named = {"aria_label": label, "title": label} if label else {}
    if isinstance(target, str | rx.Var):
        return rx.el.a(content, href=target, class_name=shape, **named, **props)
    return rx.el.button(content, type="button", on_click=target, class_name=shape, **named, **props)


def day_strip(*tabs: Content, label: str = "Days") -> rx.Component:
    """On phones: the days of the week as ``day_tab`` buttons; only the chosen day's column is shown there."""
    return rx.el.div(*tabs, class_name="days only-phone", role="group", aria_label=label)


def day_tab(weekday: Content, number: Content, count: Content, *, chosen: Flag, **props: Any) -> rx.Component:
    """One day: "Thu", "26" and how much is in it."""
    return rx.el.button(
        rx.el.span(weekday),
        rx.el.b(number),
        rx.el.span(count),
        type="button",
        aria_pressed=rx.cond(chosen, "true", "false"),
        class_name="day-tab",
        **props,
    )


def week_grid(*columns: Content) -> rx.Component:
    """The days of a week side by side, each a ``day_column``."""
    return rx.el.div(*columns, class_name="week")


def day_column(
    weekday: Content, number: Content, *slots: Content, chosen: Flag = True, today: Flag = False
) -> rx.Component:
    """One day with its slots; ``chosen`` says whether phones show it."""
    return _day(weekday, number, rx.el.div(*slots, class_name="slots"), chosen=chosen, today=today)


def slot_button(
    time: Content, *, label: Content, chosen: Flag = False, taken: Flag = False, **props: Any
) -> rx.Component:
    """A free slot; its accessible name begins with the time: ``label`` is "09:20, Thursday, 26 November".

    Args:
        time: "09:20".
        label: the accessible name.
        chosen: it is the one being booked.
        taken: somebody else has just booked it: shown struck through for a moment.
        props: ``on_click``...
    """
    return rx.el.button(
        time,
        type="button",
        aria_label=label,
        aria_pressed=rx.cond(chosen, "true", "false"),
        aria_disabled=rx.cond(taken, "true", "false"),
        class_name=rx.cond(taken, "slot taken", "slot"),
        **props,
    )


def no_slots(text: Content = "No slots") -> rx.Component:
    """What a day without slots says."""
    return rx.el.p(text, class_name="no-slots")


def hour_grid(hours: Content, *lanes: Content, count: Content, shortest: Content = 30) -> rx.Component:
    """A week as a time grid.

    Args:
        hours: ``rx.foreach(State.hours, lambda hour: rx.el.li(hour))``: "08:00", "09:00"...
        lanes: one ``hour_lane`` a day.
        count: how many hours are shown.
        shortest: the minutes of the shortest block: an hour is high enough to read and to hit it.
    """
    return rx.el.div(
        rx.el.ul(hours, class_name="scale", aria_hidden="true"),
        *lanes,
        class_name="hours",
        style={"--count": count, "--shortest": shortest},
    )


def hour_lane(
    weekday: Content, number: Content, *blocks: Content, chosen: Flag = True, today: Flag = False
) -> rx.Component:
    """One day of an ``hour_grid`` with its ``time_block`` items; ``chosen`` says whether phones show it."""
    return _day(weekday, number, rx.el.div(*blocks, class_name="lane"), chosen=chosen, today=today)


def time_block(
    *content: Content, minutes_from: Content, minutes: Content, kind: str | rx.Var[str] = "", **props: Any
) -> rx.Component:
    """A stretch of time in a lane; a button when it has ``on_click``.

    Args:
        content: "09:00 free".
        minutes_from: minutes from the first hour of the grid to its start.
        minutes: how long it is.
        kind: "" (free), booked, past, planned (not yet published), chosen; several with spaces.
        props: ``on_click``, ``aria_label``...
    """
    element = rx.el.button if "on_click" in props else rx.el.div
    return element(
        *content, class_name=classes("block", kind), style={"--from": minutes_from, "--long": minutes}, **props
    )


def _day(weekday: Content, number: Content, inside: rx.Component, *, chosen: Flag, today: Flag) -> rx.Component:
    """A day of a week: a group that is named like its column."""
    return rx.el.div(
        rx.el.p(rx.el.span(weekday), " ", rx.el.b(number), class_name=_chosen(today, "day-name today", "day-name")),
        inside,
        role="group",
        aria_label=rx.Var.create(weekday).to(str) + " " + rx.Var.create(number).to(str),
        class_name=_chosen(chosen, "day chosen", "day"),
    )


def _chosen(condition: Any, yes: str, no: str) -> Any:
    return rx.cond(condition, yes, no) if isinstance(condition, rx.Var) else yes if condition else no


# Numbers --------------------------------------------------------------------------------------------


def stats(*items: Content) -> rx.Component:
    """A row of ``stat`` cards."""
    return rx.el.div(*items, class_name="stats")


def stat(label: Content, value: Content, note: Content = None, tone: str | rx.Var[str] = "") -> rx.Component:
    """One number with its name, and what to make of it."""
    return rx.el.dl(
        rx.el.dt(label),
        rx.el.dd(value, class_name="value numbers"),
        _optional(rx.el.dd, note, class_name=classes("note", tone)),
        class_name="card stat",
    )


def bars(label: str, *items: Content, height: int = 72) -> rx.Component:
    """A small bar chart, readable as a list; its items are ``bar``."""
    return rx.el.ul(*items, class_name="bars", aria_label=label, style={"--height": f"{height}px"})


def bar(name: Content, share: Content, value: Content, *, current: Flag = False) -> rx.Component:
    """One bar.

    Args:
        name: under it.
        share: its height, 0 to 100.
        value: read out ("12 of 14 booked"), and shown on hover.
        current: drawn in the accent: today.
    """
    return rx.el.li(
        rx.el.span(class_name="bar", style={"--share": share}),
        rx.el.span(name, unseen(": ", value)),
        title=value,
        aria_current=rx.cond(current, "date", "false")
        if isinstance(current, rx.Var)
        else "date"
        if current
        else "false",
    )


def curve(summary: Content, points: Content, area: Content) -> rx.Component:
    """A line chart; ``points`` and ``area`` come from ``curve_points``, ``summary`` says it in words."""
    lines = (rx.el.svg.line(x1="0", x2="100", y1=y, y2=y, class_name="grid") for y in ("0", "20", "40"))
    return rx.el.svg(
        *lines,
        rx.el.svg.polygon(points=area, class_name="area"),
        rx.el.svg.polyline(points=points, class_name="curve"),
        view_box="0 0 100 40",
        custom_attrs={"preserveAspectRatio": "none"},
        role="img",
        aria_label=summary,
        class_name="plot",
    )


def curve_points(values: Sequence[float], *, ceiling: float) -> tuple[str, str]:
    """The points of a line and of the area under it, in ``curve``'s box; ``ceiling`` is its upper edge."""
    if not values:
        return "", ""
    step = 100 / max(1, len(values) - 1)
    points = " ".join(f"{i * step:.2f},{40 - 40 * min(value, ceiling) / ceiling:.2f}" for i, value in enumerate(values))
    return points, f"0,40 {points} {(len(values) - 1) * step:.2f},40"
