"""Reflex's settings for the minimal application."""

import reflex as rx

config = rx.Config(
    app_name="minimal",
    app_module_import="minimal",
    telemetry_enabled=False,
    state_manager_mode="memory",
    show_built_with_reflex=False,
    disable_plugins=[rx.plugins.SitemapPlugin],
)
