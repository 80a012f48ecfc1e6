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
``slot_button``; a doctor's is ``hour_lane`` with ``time_block``. Numbers are ``stats`` of
``stat``, ``bars`` and ``curve``. Something that cannot be undone is asked with ``confirm``. Until the first
answer of the server ``loading`` shows a skeleton; when there is nothing, ``empty_state`` says what to do.

A ``tone`` is ``""``, ``accent``, ``ok``, ``warn``, ``bad``, ``info`` (chips also ``booked`` and ``planned``), as
text or as a Var. An ``error`` is a Var such as ``State.errors["email"]``, the sentence under its field.
"""

from __future__ import annotations

from mhms_app.web.theme.base import HEAD, Content, classes, icon, skip, unseen
from mhms_app.web.theme.buttons import button, icon_button, link, link_button
from mhms_app.web.theme.cards import avatar, card, chip, disc, facts, page_heading, person, section, well
from mhms_app.web.theme.forms import (
    any_day_field,
    checkbox,
    choice,
    choices,
    error_line,
    filters,
    form,
    more_filters,
    option,
    pair,
    password_field,
    segment,
    segments,
    select_field,
    text_area,
    text_field,
)
from mhms_app.web.theme.layout import bottom_bar, cards, line, narrow, panel, split, stack
from mhms_app.web.theme.lists import cell, list_row, pager, rows, table, table_row, time_link, times
from mhms_app.web.theme.messages import confirm, countdown, empty_state, loading, notice, skeleton, skeleton_rows
from mhms_app.web.theme.numbers import bar, bars, curve, curve_points, progress, stat, stats
from mhms_app.web.theme.weeks import (
    day_column,
    day_strip,
    day_tab,
    hour_lane,
    no_slots,
    now_line,
    period,
    slot_button,
    steps,
    time_block,
    week_grid,
)

__all__ = [
    "HEAD",
    "Content",
    "any_day_field",
    "avatar",
    "bar",
    "bars",
    "bottom_bar",
    "button",
    "card",
    "cards",
    "cell",
    "checkbox",
    "chip",
    "choice",
    "choices",
    "classes",
    "confirm",
    "countdown",
    "curve",
    "curve_points",
    "day_column",
    "day_strip",
    "day_tab",
    "disc",
    "empty_state",
    "error_line",
    "facts",
    "filters",
    "form",
    "hour_lane",
    "icon",
    "icon_button",
    "line",
    "link",
    "link_button",
    "list_row",
    "loading",
    "more_filters",
    "narrow",
    "no_slots",
    "notice",
    "now_line",
    "option",
    "page_heading",
    "pager",
    "pair",
    "panel",
    "password_field",
    "period",
    "person",
    "progress",
    "rows",
    "section",
    "segment",
    "segments",
    "select_field",
    "skeleton",
    "skeleton_rows",
    "skip",
    "slot_button",
    "split",
    "stack",
    "stat",
    "stats",
    "steps",
    "table",
    "table_row",
    "text_area",
    "text_field",
    "time_block",
    "time_link",
    "times",
    "unseen",
    "week_grid",
    "well",
]
