"""The HTTP routes beside the pages, as one Starlette application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from mhms_app import routes
from mhms_app.api import calendars, csp, exports, google, health, session


def make_api() -> Starlette:
    """Everything that is asked for over plain HTTP."""
    return Starlette(
        routes=[
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            Route(routes.POST_LOGIN, session.log_in, methods=["POST"]),
            Route(routes.POST_LOGOUT, session.log_out, methods=["POST"]),
            Route(routes.POST_SIGNUP, session.sign_up, methods=["POST"]),
            Route(routes.BOOKINGS_CSV, exports.bookings_csv),
            Route(routes.CALENDAR_FILE, calendars.appointment),
            Route(routes.CALENDAR_FEED, calendars.feed),
            Route(routes.GOOGLE_CALLBACK, google.callback),
            Route(routes.CSP_REPORTS, csp.report, methods=["POST"]),
        ]
    )
