"""A dispatcher in a process of its own, whose clock is some minutes fast: ``python -m tests.race.dispatch 5``.

So what a dispatcher before it had claimed when it died is due again, without anybody waiting for that.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from mhms_app import db
from mhms_app.notifications import dispatcher

if __name__ == "__main__":
    fast = timedelta(minutes=int(sys.argv[1]))
    db.clock.now = lambda: datetime.now(UTC) + fast  # type: ignore[method-assign]
    dispatcher.dispatch_forever()
