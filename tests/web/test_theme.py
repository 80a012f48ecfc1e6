"""What the design system promises: contrast, and controls that belong to their labels and errors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import reflex as rx

from mhms_app.web import theme

STYLES = Path("assets/mhms.css").read_text(encoding="utf-8")


def tokens(block: str) -> dict[str, str]:
    """The colours of ``:root`` or of ``:root.dark``."""
    body = re.search(re.escape(block) + r" \{(.*?)\}", STYLES, re.DOTALL)
    assert body
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{3,6})\b", body[1]))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("mode", [":root", ":root.dark"])
def test_every_text_can_be_read_on_every_ground(mode: str) -> None:
    colours = tokens(":root") | tokens(mode)
    pairs = [(ink, ground) for ink in ("ink", "ink-2", "ink-3", "accent-ink") for ground in ("bg", "surface", "sunken")]
    pairs += [("on-accent", "accent"), ("on-accent", "accent-hover"), ("accent-ink", "accent-soft")]
    pairs += [(tone, f"{tone}-soft") for tone in ("ok", "warn", "bad", "info")]
    pairs += [("bad", "surface"), ("bad", "bg"), ("surface", "bad"), ("ok", "surface"), ("warn", "surface")]
    weak = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("mode", [":root", ":root.dark"])
def test_the_edge_of_every_control_can_be_seen(mode: str) -> None:
    colours = tokens(":root") | tokens(mode)
    edges = [("line-control", ground) for ground in ("bg", "surface")] + [("accent", "bg"), ("accent", "surface")]
    assert all(contrast(colours[edge], colours[ground]) >= 3 for edge, ground in edges)


def test_nothing_moves_for_those_who_asked_for_that() -> None:
    assert "prefers-reduced-motion: reduce" in STYLES
    moved = set(re.findall(r"transition: ([^;]+);", STYLES)) - {"none !important"}
    assert all(set(re.findall(r"[a-z-]+(?= \d+ms)", rule)) <= {"opacity", "transform"} for rule in moved)


def element(component: rx.Component, tag: str) -> dict[str, Any]:
    """The attributes of the first element of this kind, as the browser gets them."""

    def walk(node: rx.Component) -> dict[str, Any] | None:
        if node.tag == tag:
            return dict(prop.split(":", 1) for prop in node._render().format_props() if ":" in prop)
        return next(
            (found for child in node.children if isinstance(child, rx.Component) and (found := walk(child))), None
        )

    found = walk(component)
    assert found
    return found


def test_a_field_belongs_to_its_label_hint_and_error() -> None:
    problem = rx.Var("problem", _var_type=str)
    field = theme.text_field("Email", "email", error=problem, hint="As in your passport.")
    control = element(field, "input")
    assert control["id"] == '"email"'
    assert control['"aria-describedby"'] == '"email-hint email-error"'
    assert '"true"' in control['"aria-invalid"']
    assert element(field, "label")["htmlFor"] == '"email"'


def test_a_field_without_error_or_hint_points_at_nothing() -> None:
    assert '"aria-describedby"' not in element(theme.text_field("Search", "q"), "input")


def test_a_button_does_not_send_a_form_by_accident() -> None:
    assert element(theme.button("Keep it"), "button")["type"] == '"button"'


def test_class_names_may_be_known_only_in_the_browser() -> None:
    assert theme.classes("chip", "", "ok") == "chip ok"
    tone = rx.Var("tone", _var_type=str)
    assert "chip" in str(theme.classes("chip", tone)) and "tone" in str(theme.classes("chip", tone))


def test_a_curve_stays_inside_its_box() -> None:
    points, area = theme.curve_points([0, 20, 50], ceiling=40)
    assert points == "0.00,40.00 50.00,20.00 100.00,0.00"
    assert area == f"0,40 {points} 100.00,40"
    assert theme.curve_points([], ceiling=40) == ("", "")
