"""Liveness and readiness, for whoever watches over the process."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from mhms_app import db
from mhms_app.live.leaving import leaving


async def healthz(_request: Request) -> JSONResponse:
    """GET: the process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(_request: Request) -> JSONResponse:
    """GET: the process can serve: its database answers and has every migration, and it is not about to end."""
    if leaving.is_announced:
        return JSONResponse({"status": "leaving"}, status_code=503)
    checks = await run_in_threadpool(_checks)
    ready = all(checks.values())
    return JSONResponse(
        {"status": "ready" if ready else "not ready", "checks": checks}, status_code=200 if ready else 503
    )


def _checks() -> dict[str, bool]:
    try:
        with db.transaction(read_only=True) as session:
            session.execute(text("SELECT 1"))
            return {"database": True, "migrations": db.is_migrated(session)}
    except SQLAlchemyError:
        return {"database": False, "migrations": False}
