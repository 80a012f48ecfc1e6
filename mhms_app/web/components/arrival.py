"""Where the keyboard is when a page has been turned to, kept in the browser."""

from __future__ import annotations

import reflex as rx
from reflex_base.vars import VarData

_EFFECT = """useEffect(() => {
    const {dataset} = document.documentElement;
    if (dataset.turned && document.activeElement === document.body) document.getElementById("content")?.focus();
    dataset.turned = "true";
}, []);"""


class Arrival(rx.Fragment):  # type: ignore[misc]  # untyped in Reflex
    """A page after the first is read from its top; whatever has the focus already keeps it."""

    def add_hooks(self) -> list[rx.Var[str]]:
        """The effect, in the browser."""
        return [rx.Var(_EFFECT, _var_data=VarData(imports={"react": ["useEffect"]}))]


def arrival() -> rx.Component:
    """Begin at ``#content``; it shows nothing itself."""
    return Arrival.create()
