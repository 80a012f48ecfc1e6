"""One front-end build for every port, host and proxy.

Reflex writes the address of the socket into the bundle. The browser knows it already: it is the page's
own origin. Replacing the address after the build lets the same bundle serve ``localhost``, a name in the
local network and a TLS proxy on any port.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

from reflex.plugins import Plugin

_SOCKET = re.compile(r"""(["'`])ws://localhost:\d+/_event/?\1""")
_HTTP = re.compile(r"""(["'`])http://localhost:\d+(/_?[a-z_]+)\1""")


class RelocatableBuild(Plugin):
    """Makes the built pages talk to the origin that served them."""

    def post_build(self, **context: Any) -> None:
        """Rewrite the built scripts, and their compressed twins."""
        changed = 0
        for script in Path(context["static_dir"]).rglob("*.js"):
            before = script.read_text(encoding="utf-8")
            after = _SOCKET.sub('location.origin.replace(/^http/,"ws")+"/_event"', before)
            after = _HTTP.sub(r'location.origin+"\2"', after)
            if after == before:
                continue
            changed += 1
            script.write_text(after, encoding="utf-8")
            twin = script.with_name(f"{script.name}.gz")
            if twin.exists():
                twin.write_bytes(gzip.compress(after.encode(), mtime=0))
        if not changed:
            raise RuntimeError("the built front end names no socket address: has Reflex changed its env.json?")
