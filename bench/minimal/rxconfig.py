"""Reflex's settings for the minimal application."""

import os

import reflex as rx

_redis_url = os.environ.get("MINIMAL_REDIS_URL") or None

config = rx.Config(
    app_name="minimal",
    app_module_import="minimal",
    telemetry_enabled=False,
    redis_url=_redis_url,
    state_manager_mode="redis" if _redis_url else "memory",
    show_built_with_reflex=False,
    disable_plugins=[rx.plugins.SitemapPlugin],
)
