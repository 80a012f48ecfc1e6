"""The command line: ``python -m mhms_app.cli``."""

from __future__ import annotations

from typing import Annotated

import typer

from mhms_app import db, launch
from mhms_app.settings import SettingsError, settings

app = typer.Typer(help="MHMS, the appointment system of a clinic.", no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def serve() -> None:
    """Prepare everything and serve the clinic until Ctrl-C."""
    chosen = settings()
    if launch.build_pages(chosen):
        typer.echo("The pages are built.")
    launch.migrate()
    with launch.local_email(chosen):
        launch.serve(chosen)


@app.command()
def dispatch() -> None:
    """Send what is due."""


if __name__ == "__main__":
    app()
