"""What people type is in no log, no file and no built page, and nobody writes a line of a log by hand."""

from __future__ import annotations

import json
import logging

import httpx
import pytest

from mhms_app import logs, routes
from mhms_app.accounts.models import User
from mhms_app.calendars import service as calendars
from mhms_app.web.public.doctor_profile import Profile
from tests import builders
from tests.running import RunningApp
from tests.socket.canaries import away, disguises, lead_lives, no_mail, written_down
from tests.socket.cast import Cast
from tests.socket.hostile import HYDRATE, tab
from tests.socket.matrix import WIRE_NAME, matrix, page_of

SECRET = "canary-7f3a-word"
PHONE = "+49 30 7733991155"
POSTS = sorted({value for name, value in vars(routes).items() if name.startswith("POST_")} | {routes.CSP_REPORTS})
KEYS = {"time", "level", "from", "message", "id", "error", "more", "outcome", "kind", "key", "url", "at"}


@pytest.mark.timeout(900)  # every form, and a page for every handler
def test_nothing_that_is_sent_is_written_down_but_in_the_database_and_the_mail(app: RunningApp, cast: Cast) -> None:
    secrets = {SECRET, PHONE, *filter(None, cast.cookie.values())}
    secrets |= lead_lives(app, cast, SECRET, PHONE)
    with no_mail(app):
        secrets |= send_through_every_form(app)
    for table in ("user_account", "appointment", "login_session"):
        with away(app, table):  # the database refuses whatever needs it, and says with which values
            send_through_every_form(app)
            send_through_some_handlers(app, cast)
    send_through_every_handler(app, cast)
    send_what_is_broken(app, cast)
    for secret in secrets:
        shapes = disguises(secret)
        for place, content in written_down(app):
            assert not [shape for shape in shapes if shape in content], (place, secret)


def test_the_log_is_lines_of_json_that_say_what_happened(app: RunningApp, cast: Cast) -> None:
    send_what_is_broken(app, cast)
    with tab(app, cast.cookie["patient"]) as hostile:
        hostile.visit(routes.PATIENT)
        hostile.call(f"{Profile.get_full_name()}.choose", {"slot_id": SECRET})
    written = app.log()
    assert "event refused: arguments of " in written  # of this one, unless so many were that it is left out
    assert "Traceback" not in written
    for line in server_lines(written):
        assert set(json.loads(line)) <= KEYS


def test_the_token_of_a_calendar_is_in_no_log(app: RunningApp, cast: Cast) -> None:
    with app.database() as session:
        owner = builders.actor(session, session.get_one(User, cast.bystander))
        path = calendars.create_feed(session, owner, shows="own")
    answer = httpx.get(f"{app.base_url}{path}", headers={"Origin": "https://calendar.google.com"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert answer.headers["cache-control"] == "private, max-age=900"
    unchanged = httpx.get(f"{app.base_url}{path}", headers={"If-None-Match": answer.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert httpx.get(f"{app.base_url}{path}/").status_code == 404
    assert httpx.get(f"{app.base_url}{path}?{path}").is_success
    assert path.removeprefix("/calendar/").removesuffix(".ics") not in app.log()


def server_lines(written: str) -> list[str]:
    """The lines after the greeting, which is for whoever starts the clinic by hand."""
    return [line for line in written.splitlines() if line.startswith("{")]


def send_through_every_form(app: RunningApp) -> set[str]:
    """Post the secret in every field of every form, well-formed and broken; returns the cookies that came of it."""
    fields = ("email", "password", "current", "full_name", "phone", "role", "department", "code", "token", "answer")
    typed = dict.fromkeys((*fields, "reason", "user_id", "what", "body"), SECRET)
    typed |= {"email": f"{SECRET}@example.com", "password": f"{SECRET}-password", "next": f"/{SECRET}", "phone": PHONE}
    with httpx.Client(base_url=app.base_url, headers={"Origin": app.base_url}, cookies={"mhms": SECRET}) as client:
        for path in POSTS:
            client.post(path, data=typed)
            client.post(path, data={**typed, "role": "patient", "user_id": "1"})
            client.post(path, json=typed)
            client.post(path, content=f"{SECRET}%".encode(), headers={"Content-Type": "multipart/form-data"})
            client.get(f"{path}?{SECRET}", headers={"X-Forwarded-For": SECRET, "User-Agent": SECRET})
        client.get(f"/{SECRET}")
        client.get(f"/reset/{SECRET}")
        client.get(f"/confirm/{SECRET}")
        client.get(f"/patient/appointments/{SECRET}.ics")
        client.get(f"/calendar/{SECRET}.ics")
        client.get(f"/admin/bookings.csv?q={SECRET}")
        return {cookie.value for cookie in client.cookies.jar if cookie.value and len(cookie.value) > 20}


def send_through_some_handlers(app: RunningApp, cast: Cast) -> None:
    """What writes what was typed, or looks for it."""
    calls = {
        "public.doctors.Directory.search": ("nobody", {"q": SECRET}),
        "admin.bookings.Bookings.narrow": ("admin", {"name": "q", "value": SECRET}),
        "admin.users.Users.narrow": ("admin", {"name": "q", "value": SECRET}),
        "doctor.profile.Profile.save": ("doctor", {"texts": {"title": SECRET, "bio": SECRET, "languages": SECRET}}),
        "patient.home.Home.search": ("patient", {"text": SECRET}),
    }
    for name, (person, arguments) in calls.items():
        with tab(app, cast.cookie[person]) as hostile:
            hostile.send(HYDRATE, {"vars": {}})
            hostile.send(WIRE_NAME[name], arguments)
            hostile.wait(1)


def send_through_every_handler(app: RunningApp, cast: Cast) -> None:
    for name, line in matrix(cast).items():
        with tab(app, cast.cookie[line.somebody], token=SECRET) as hostile:
            hostile.visit(f"{page_of(name, cast)}?q={SECRET}&next={SECRET}")
            for argument, value in line.arguments.items():
                forms = [{**value, field: SECRET} for field in value] if isinstance(value, dict) else []
                for bad in (SECRET, [SECRET], {SECRET: SECRET}, f"\nforged {SECRET}", *forms):
                    hostile.send(WIRE_NAME[name], {**line.arguments, argument: bad})
            hostile.send(WIRE_NAME[name], {**line.arguments, f"x{SECRET}": SECRET})
            hostile.settle()


def send_what_is_broken(app: RunningApp, cast: Cast) -> None:
    for frame in (
        f'42/_event,["event","{SECRET}"]',
        f'42/_event,["event",["{SECRET}"]]',
        f'42/_event,["event",{{"name":"{SECRET}","payload":{{"a":"{SECRET}"}}}}]',
        f'42/_event,["event",{{"name":"x","payload":"{SECRET}"}}]',
        f'42/_event,["{SECRET}","{SECRET}"]',
        f'42/_event,["client_error",{{"error_type":"{SECRET}","message":"{SECRET}"}}]',
        f'42/_event,["event",{{"name":"\\ud800{SECRET}","payload":{{}}}}]',
        f"42/_event,{SECRET}",
        f"42/{SECRET},[]",
        SECRET,
    ):
        with tab(app, cast.cookie["patient"]) as hostile:
            hostile.send_raw(frame)
            hostile.drain()


@pytest.mark.parametrize(
    "message", ['a\n{"level": "info"}', "a\r\nb", "a\u2028b", "a\u0085b", "\ud800", "\x1b[2Jcleared", "a\0b"]
)
def test_a_message_is_one_line_of_plain_characters(message: str) -> None:
    record = logging.LogRecord("mhms_app.web.gate", logging.WARNING, "gate.py", 1, "refused (%s)", (message,), None)
    line = logs.OneLine().format(record)
    assert line.isascii() and line.isprintable()
    assert json.loads(line)["message"] == f"refused ({message})"


def test_what_frameworks_say_is_left_out() -> None:
    record = logging.LogRecord("reflex.app", logging.ERROR, "app.py", 7, "payload %s", (SECRET,), None)
    assert SECRET not in logs.OneLine().format(record)


def test_an_exception_is_named_and_placed_without_its_words() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        line = logs.OneLine().formatException((type(error), error, error.__traceback__))
    assert SECRET not in line
    assert line.startswith("ValueError < test_an_exception_is_named")


def test_a_flood_from_one_place_is_cut_and_says_so() -> None:
    calm = logs.Calm(most=3)
    records = [logging.LogRecord("mhms_app.web.gate", 30, "gate.py", 1, "no", (), None) for _ in range(5)]
    other = logging.LogRecord("mhms_app.web.gate", 30, "gate.py", 2, "no", (), None)
    for record in (*records, other):
        record.created = 600.0
    assert [calm.filter(record) for record in records] == [True, True, True, False, False]
    assert ["more" in json.loads(logs.OneLine().format(record)) for record in records[:3]] == [False, False, True]
    assert calm.filter(other)
    records[4].created = 660.0
    assert calm.filter(records[4])
