"""The browser's address follows what the page shows, so that it can be reloaded, shared and returned to."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex_base.components.component import field
from reflex_base.vars import VarData


class Address(rx.Fragment):  # type: ignore[misc]  # untyped in Reflex
    """Replaces the address when its Var changes, without a visit: nothing is loaded, scrolled or focused anew.

    What the visitor came with is left alone until the page changes it, and a page never touches the
    address of another.
    """

    path: rx.Var[str] = field(is_javascript_property=False)

    def add_hooks(self) -> list[rx.Var[str]]:
        """The effect, in the browser."""
        imports = VarData(imports={"react": ["useEffect", "useRef"]})
        path = str(self.path)
        return [
            rx.Var("const arrived = useRef(true);", _var_data=imports),
            rx.Var(
                "useEffect(() => {"
                " if (arrived.current) { arrived.current = false; return; }"
                f" const path = {path};"
                " if (path.split('?')[0] === window.location.pathname.replace(/(.)\\/$/, '$1'))"
                " window.history.replaceState(window.history.state, '', path);"
                f" }}, [{path}]);",
                _var_data=VarData.merge(imports, self.path._get_all_var_data()),
            ),
        ]


def address(path: Any) -> rx.Component:
    """Keep the browser's address equal to ``path``; it shows nothing itself."""
    return Address.create(path=path)
