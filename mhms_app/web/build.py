"""One front-end build for every port, host and proxy, whose pages show before their scripts have come.

Reflex writes the address of the socket into the bundle. The browser knows it already: it is the page's
own origin. Replacing the address after the build lets the same bundle serve ``localhost``, a name in the
local network and a TLS proxy on any port.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from reflex.plugins import Plugin

_SOCKET = re.compile(r"""(["'`])ws://localhost:\d+/_event/?\1""")
_HTTP = re.compile(r"""(["'`])http://localhost:\d+(/_?[a-z_]+)\1""")
_SCRIPT = '<link rel="modulepreload"'


class RelocatableBuild(Plugin):
    """Makes the built pages talk to the origin that served them."""

    def post_build(self, **context: Any) -> None:
        """Rewrite the built scripts; Reflex compresses them after this."""
        changed = 0
        for script in Path(context["static_dir"]).rglob("*.js"):
            before = script.read_text(encoding="utf-8")
            after = _SOCKET.sub('location.origin.replace(/^http/,"ws")+"/_event"', before)
            after = _HTTP.sub(r'location.origin+"\2"', after)
            if after != before:
                changed += 1
                script.write_text(after, encoding="utf-8")
        if not changed:
            raise RuntimeError("the built front end names no socket address: has Reflex changed its env.json?")


class PaintFirst(Plugin):
    """Lets style and typeface come before the scripts: what the page shows is in it already."""

    def post_build(self, **context: Any) -> None:
        """Give the scripts that each built page names in advance a low priority."""
        for page in Path(context["static_dir"]).rglob("*.html"):
            before = page.read_text(encoding="utf-8")
            if _SCRIPT not in before:
                raise RuntimeError(f"{page.name} names no scripts in advance: has React Router changed?")
            page.write_text(before.replace(_SCRIPT, f'{_SCRIPT} fetchpriority="low"'), encoding="utf-8")
