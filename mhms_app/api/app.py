"""The HTTP routes beside the pages, as one Starlette application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from mhms_app import routes
from mhms_app.api import acting, calendars, csp, exports, google, health, own_account, passwords, second_step, session


def make_api() -> Starlette:
    """Everything that is asked for over plain HTTP."""
    return Starlette(
        routes=[
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            Route(routes.POST_LOGIN, session.log_in, methods=["POST"]),
            Route(routes.POST_LOGOUT, session.log_out, methods=["POST"]),
            Route(routes.POST_ACT, acting.begin, methods=["POST"]),
            Route(routes.POST_ACT_END, acting.end, methods=["POST"]),
            Route(routes.POST_CODE, second_step.log_in_with_code, methods=["POST"]),
            Route(routes.POST_PASSKEY_OPTIONS, second_step.passkey_options, methods=["POST"]),
            Route(routes.POST_PASSKEY, second_step.log_in_with_passkey, methods=["POST"]),
            Route(routes.POST_GO_ON, second_step.go_on, methods=["POST"]),
            Route(routes.POST_SIGNUP, session.sign_up, methods=["POST"]),
            Route(routes.POST_FORGOT, passwords.forget, methods=["POST"]),
            Route(routes.POST_RESET, passwords.reset, methods=["POST"]),
            Route(routes.POST_PASSWORD, passwords.change, methods=["POST"]),
            Route(routes.POST_CLOSE, own_account.close, methods=["POST"]),
            Route(routes.ACCOUNT_EXPORT, own_account.export),
            Route(routes.BOOKINGS_CSV, exports.bookings_csv),
            Route(routes.AUDIT_CSV, exports.audit_csv),
            Route(routes.CALENDAR_FILE, calendars.appointment),
            Route(routes.CALENDAR_FEED, calendars.feed),
            Route(routes.GOOGLE_CALLBACK, google.callback),
            Route(routes.CSP_REPORTS, csp.report, methods=["POST"]),
        ]
    )
