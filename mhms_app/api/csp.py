"""What browsers report: a page of ours tried what the content policy forbids (W3C Content Security Policy Level 3, 5).

A report quotes addresses, and so names and tokens; and anybody can send one that says whatever they like. So of each
only the name of a known directive is kept, as a count; everything else of it is forgotten unread.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from mhms_app import db
from mhms_app.api import work
from mhms_app.audit import violations

log = logging.getLogger(__name__)

MAX_BODY = 16 * 1024
MOST_A_MINUTE = 60  # of one process: a broken page is opened by everybody at once
_OTHER = "other"
_DIRECTIVES = frozenset(
    {
        *(
            "base-uri",
            "connect-src",
            "default-src",
            "font-src",
            "form-action",
            "frame-ancestors",
            "frame-src",
            "img-src",
        ),
        *("manifest-src", "media-src", "object-src", "script-src", "script-src-attr", "script-src-elem", "style-src"),
        *("style-src-attr", "style-src-elem", "worker-src"),
    }
)


class Minute:
    """So many a minute."""

    def __init__(self, most: int) -> None:
        self._most, self._now, self._taken = most, 0, 0

    def take(self) -> bool:
        """Take one, if there is one left in this minute."""
        now = int(time.monotonic() // 60)
        if now != self._now:
            self._now, self._taken = now, 0
        self._taken += 1
        return self._taken <= self._most


_minute = Minute(MOST_A_MINUTE)


async def report(request: Request) -> Response:
    """POST a report as browsers send it: ``application/csp-report``, or a list as ``application/reports+json``."""
    if not _minute.take():
        return Response(status_code=429)
    body = await request.body()
    if len(body) > MAX_BODY:
        return Response(status_code=413)
    if not (found := directives_of(body)):
        return Response(status_code=400)
    log.warning("browsers report breaches of the content policy: %s", ", ".join(sorted(found)))
    await work.in_thread(_count, found)
    return Response(status_code=204)


def _count(found: Counter[str]) -> None:
    with db.transaction() as session:
        violations.count(session, found)


def directives_of(body: bytes) -> Counter[str]:
    """How often each directive is named by the reports in a body; one that is not known is ``other``."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return Counter()
    reports = [one.get("body") for one in sent if isinstance(one, dict)] if isinstance(sent, list) else []
    if isinstance(sent, dict):
        reports = [sent.get("csp-report")]
    return Counter(_directive(one) for one in reports[:20] if isinstance(one, dict))


def _directive(report: dict[str, object]) -> str:
    """The directive that was broken; older browsers give its sources too, which are left out."""
    named = (report.get(key) for key in ("effectiveDirective", "effective-directive", "violated-directive"))
    words = next((name.split() for name in named if isinstance(name, str)), [])
    return words[0] if words and words[0] in _DIRECTIVES else _OTHER
