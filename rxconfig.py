"""Reflex's own settings, all of them following from ``mhms_app.settings``."""

from __future__ import annotations

from pathlib import Path

import reflex as rx
from reflex.constants import StateManagerMode
from reflex.environment import environment

from mhms_app.settings import settings
from mhms_app.web.build import PaintFirst, RelocatableBuild

_settings = settings()
if not environment.REFLEX_HOT_RELOAD_OVERRIDE_PATHS.is_set():
    # For developers: the code is watched, not the database that lies beside it.
    environment.REFLEX_HOT_RELOAD_OVERRIDE_PATHS.set([Path("mhms_app")])

config = rx.Config(
    app_name="mhms_app",
    frontend_port=_settings.port,
    backend_host=_settings.host,
    cors_allowed_origins=[_settings.base_url],
    telemetry_enabled=False,
    show_built_with_reflex=False,
    default_color_mode="system",
    redis_url=_settings.redis_url if _settings.state == "redis" else None,
    # Never on disk: pickled states hold what patients see.
    state_manager_mode=StateManagerMode(_settings.state),
    react_strict_mode=False,
    frontend_compression_formats=["brotli", "gzip"],  # the first that a browser accepts is sent
    plugins=[RelocatableBuild(), PaintFirst()],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
