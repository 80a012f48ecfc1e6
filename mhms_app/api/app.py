"""The HTTP routes beside the pages, as one Starlette application."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mhms_app import metrics, routes, trace
from mhms_app.api import (
    acting,
    calendars,
    csp,
    exports,
    google,
    health,
    own_account,
    passwords,
    prometheus,
    second_step,
    session,
)
from mhms_app.api.forms import redirect
from mhms_app.errors import ClinicError, DutyFirst, TryAgain

log = logging.getLogger(__name__)


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
            Route(routes.METRICS, prometheus.metrics),
            Route(routes.CSP_REPORTS, csp.report, methods=["POST"]),
        ],
        exception_handlers={DutyFirst: _do_that_first, TryAgain: _try_again, ClinicError: _refused, Exception: _failed},
    )


async def _do_that_first(_request: Request, refusal: Exception) -> Response:
    """Somebody has to do something before anything else: there they are led."""
    assert isinstance(refusal, DutyFirst)
    return redirect(routes.PAGE_OF_DUTY[refusal.duty])


async def _try_again(_request: Request, refusal: Exception) -> Response:
    """Too busy, or without a database: whoever asks by machine reads when it is worth another try."""
    assert isinstance(refusal, TryAgain)
    headers = {"Cache-Control": "no-store", "Retry-After": str(refusal.retry_after)}
    return PlainTextResponse(refusal.sentence, status_code=503, headers=headers)


async def _refused(_request: Request, refusal: Exception) -> Response:
    """A refusal for which a route has no page of its own."""
    return PlainTextResponse(str(refusal), status_code=403, headers={"Cache-Control": "no-store"})


async def _failed(_request: Request, error: Exception) -> Response:
    """What nobody expected: where it happened is in the log, and the person reads a sentence."""
    log.error("a request failed", exc_info=error)
    metrics.FAILURES.labels("request").inc()
    sentence = "This did not work, and nothing was changed. Please go back and try again in a moment."
    for_help = f" If you ask for help, name {trace.current()}."
    return PlainTextResponse(sentence + for_help, status_code=500, headers={"Cache-Control": "no-store"})
