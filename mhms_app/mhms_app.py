"""The application: pages, HTTP routes, lifespan tasks; nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import reflex as rx
from reflex_base import otel
from reflex_base.constants import Endpoint
from starlette.routing import Mount

from mhms_app import logs, spans
from mhms_app.api.app import make_api
from mhms_app.api.pace import Crowd
from mhms_app.api.wall import Wall
from mhms_app.availability.publisher import HoursPublisher
from mhms_app.booking import tasks
from mhms_app.calendars import google_task
from mhms_app.live import leftovers
from mhms_app.live.channel import Channel
from mhms_app.live.doorman import doorman
from mhms_app.live.hub import hub
from mhms_app.live.keeper import keeper
from mhms_app.live.leaving import leaving
from mhms_app.live.states import States
from mhms_app.notifications.dispatcher import Dispatcher
from mhms_app.oversight import tasks as oversight
from mhms_app.settings import settings
from mhms_app.web import meanwhile, meter
from mhms_app.web.components.around import AROUND
from mhms_app.web.gate import Gate, note_failure
from mhms_app.web.pages import PAGES
from mhms_app.web.theme import HEAD


def _sockets() -> Mount:
    """Where Reflex serves sockets."""
    assert app._api is not None
    return next(route for route in app._api.routes if isinstance(route, Mount) and route.path == str(Endpoint.EVENT))


if tracing := spans.start():
    otel.enable(tracer_provider=tracing)
app: rx.App = rx.App(
    html_lang="en",
    stylesheets=["/mhms.css"],
    head_components=HEAD,
    toaster=None,
    app_wraps=AROUND,
    backend_exception_handler=note_failure,
    frontend_exception_handler=logs.note_frontend_error,
    api_transformer=[
        make_api(),
        lambda inner: Wall(
            inner,
            _sockets(),
            pages=Path(".web/build/client"),
            separate_pages=os.environ.get("REFLEX_ENV_MODE", "dev") == "dev",
            crowd=Crowd(lambda: leftovers.crowd(app), meanwhile.frame_of(meanwhile.BUSY), meanwhile.frame_of("")),
        ),
    ],
)
app.add_middleware(meter.waits)
app.add_middleware(Gate())
if app.sio:
    app.sio.eio.cors_allowed_origins = []  # the wall has judged the origin, and knows every name of this machine
app.register_lifespan_task(hub.run)
app.register_lifespan_task(Channel().run)
app.register_lifespan_task(keeper.run)
app.register_lifespan_task(doorman.run)
app.register_lifespan_task(leaving.run)
app.register_lifespan_task(leftovers.run)
app.register_lifespan_task(States(meanwhile.delta_of(meanwhile.APART)).run)
app.register_lifespan_task(Dispatcher().run)
app.register_lifespan_task(HoursPublisher().run)
app.register_lifespan_task(tasks.remind)
app.register_lifespan_task(tasks.summarise)
app.register_lifespan_task(tasks.finish_leaves)
app.register_lifespan_task(tasks.tend_waiting_list)
app.register_lifespan_task(google_task.run)
app.register_lifespan_task(oversight.seal)
app.register_lifespan_task(oversight.keep)
app.register_lifespan_task(meter.run)
for page in PAGES:
    loads = [handler for handler in (page.load, page.then) if handler is not None]
    app.add_page(page.component, route=page.route, title=f"{page.title} · {settings().clinic_name}", on_load=loads)
logs.configure()  # last: what was made above has brought handlers of its own
