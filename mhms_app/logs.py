"""Logs: one JSON object a line, and never what a person typed.

Frameworks print whatever went wrong together with the data that it went wrong with: event payloads, cookies,
the parameters of a statement, the duplicate key. So of everything that is not ours only the place and the
kind of the event are written, and of every exception its type and where it was raised, without its message.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections import Counter
from datetime import UTC, datetime
from types import TracebackType

from mhms_app import trace

OURS = ("mhms_app", "email_lambda")
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class OneLine(logging.Formatter):
    """Formats a record as one JSON object; line breaks in a message cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        is_ours = record.name.split(".")[0] in OURS
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage() if is_ours else f"{record.module}.{record.funcName}:{record.lineno}",
        }
        if event_id := trace.current():
            line["id"] = event_id
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        if getattr(record, "is_last", False):
            line["more"] = "left out until this minute is over"
        return json.dumps(line)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        """Say what was raised and where, without the message: it may quote what a person typed."""
        kind, _, trace = ei
        frames = [f"{frame.name}@{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in _frames(trace)]
        return f"{kind.__name__ if kind else ''} < {' < '.join(reversed(frames[-8:]))}"


def _frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    return traceback.extract_tb(trace)


class Calm(logging.Filter):
    """Lets so many lines a minute through from one place in the code: bad events by the thousand fill no disk."""

    def __init__(self, most: int = 300) -> None:
        super().__init__()
        self._most, self._minute = most, 0
        self._seen: Counter[tuple[str, int]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is written; the last one of a minute says that it is the last."""
        minute = int(record.created // 60)
        if minute != self._minute:
            self._minute, self._seen = minute, Counter()
        self._seen[record.name, record.lineno] += 1
        seen = self._seen[record.name, record.lineno]
        record.is_last = seen == self._most
        return seen <= self._most


def configure() -> None:
    """Send every logger of this process through ``OneLine`` to standard error."""
    logging.raiseExceptions = False  # a record that cannot be written is not printed with all that it holds
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    handler.addFilter(Calm())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and name.split(".")[0] not in OURS:
            logger.handlers.clear()
            logger.propagate = True


def note_backend_error(exception: Exception) -> None:
    """Reflex's hook for an exception in an event; the page is told by the gate, so nothing is sent from here."""
    logging.getLogger("mhms_app.web").error("an event failed", exc_info=exception)


def note_frontend_error(exception: Exception) -> None:
    """Reflex's hook for an error that a browser reports: its words are the browser's, so only the fact is kept."""
    logging.getLogger("mhms_app.web").warning("a browser reported an error")
