"""Who may open a socket, how much it may send, and what it may not call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from reflex.state import State
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mhms_app.api import wall
from mhms_app.web.doctor.availability import Availability
from mhms_app.web.gate import Gate, policy_of
from mhms_app.web.public.doctor_profile import Profile
from mhms_app.web.public.landing import Landing
from mhms_app.web.screen import Screen
from tests.running import RunningApp
from tests.socket.cast import Cast, tables
from tests.socket.hostile import tab
from tests.socket.matrix import WIRE_NAME

QUIET = "/nowhere"  # a page that nothing is told of by itself
of_one_engine = pytest.mark.parametrize("clinic", ["sqlite"], indirect=True)  # the gate knows nothing of them


def test_the_apps_own_pages_may_connect_by_any_name_of_the_machine(app: RunningApp) -> None:
    for host in ("localhost", "127.0.0.1"):
        with tab(app, host=host) as hostile:
            assert hostile.visit("/").page_data


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "http://evil.example",
        "https://localhost",
        "http://localhost",
        "http://localhost:1",
        "http://127.0.0.1:{port}",
        "http://localhost.evil.example:{port}",
        "http://evil.example/http://localhost:{port}",
        "http://localhost:{port}.evil.example",
        "file://",
        "chrome-extension://abcdef",
        "localhost:{port}",
        "//localhost:{port}",
        "http://",
        " ",
    ],
)
def test_other_pages_may_not(app: RunningApp, cast: Cast, origin: str | None) -> None:
    sent = origin.format(port=app.port) if origin else origin
    with pytest.raises(InvalidStatus) as refusal, tab(app, cast.cookie["admin"], origin=sent):
        pass
    assert refusal.value.response.status_code == 403


def test_a_flood_is_stopped_and_others_are_served_meanwhile(app: RunningApp) -> None:
    toggle = WIRE_NAME["public.entry.Entry.toggle_characters"]
    with tab(app) as hostile, tab(app) as visitor:
        hostile.visit("/login")
        assert "characters_shown_rx_state_" in hostile.call(toggle).text
        with suppress(ConnectionClosed):  # it is hung up on, at last
            for _ in range(2_000):
                hostile.send(toggle)
        assert visitor.visit("/").var(Landing, "departments")
        changed = hostile.drain().text.count("characters_shown_rx_state_")
    assert changed <= Gate()._burst + 200  # what a minute of clicking would be, not a flood
    assert app.log().count("too many from one connection") < 200


def test_a_flood_of_events_that_do_not_exist_fills_no_log(app: RunningApp) -> None:
    before = len(app.log())
    with tab(app) as hostile, tab(app) as visitor:
        hostile.visit("/")
        with suppress(ConnectionClosed):
            for number in range(2_000):
                hostile.send(f"{State.get_full_name()}.no_such_{number}")
        assert visitor.visit("/").var(Landing, "departments")
    assert len(app.log()) - before < 400_000


def test_many_people_who_arrive_at_once_all_see_their_page(app: RunningApp) -> None:
    """The limit is each connection's own: what the server does for one is not counted for another."""
    with ExitStack() as stack:
        visitors = [stack.enter_context(tab(app)) for _ in range(80)]
        for visitor in visitors:
            assert visitor.visit("/").var(Landing, "departments")


def test_one_address_opens_so_many_sockets_and_another_one_more(app: RunningApp) -> None:
    with ExitStack() as stack:
        for _ in range(wall.MAX_SOCKETS_PER_ADDRESS):
            stack.enter_context(tab(app, source="127.0.0.3", joined=False))
        with pytest.raises(InvalidStatus) as refusal, tab(app, source="127.0.0.3"):
            pass
        assert refusal.value.response.status_code == 429
        with tab(app, source="127.0.0.4") as visitor:
            assert visitor.visit("/").page_data
    with tab(app, source="127.0.0.3") as visitor:
        assert visitor.visit("/").page_data


def test_what_is_asked_of_a_page_whose_state_is_gone_waits_until_it_is_read_anew(app: RunningApp, cast: Cast) -> None:
    """A browser that connects again sends what was clicked meanwhile before it has the page read."""
    choose, slot = WIRE_NAME["public.doctor_profile.Profile.choose"], {"slot_id": cast.a_free_slot}
    with tab(app) as visitor:  # for whom nothing is held
        visitor.send(choose, slot)
        early = visitor.call(choose, slot)
        assert (early.notice, early.redirect) == ("", "")
        visitor.visit(f"/doctors/{cast.doctor}")
        assert visitor.call(choose, slot).var(Profile, "chosen")["id"] == slot["slot_id"]


def test_a_message_that_is_too_long_closes_the_socket(app: RunningApp) -> None:
    with tab(app) as hostile:
        hostile.send(f"{State.get_full_name()}.hydrate_and_load", {"vars": {"x": "x" * 1_100_000}})
        hostile.drain()
        with pytest.raises(ConnectionClosed):
            hostile.settle()
    with tab(app) as visitor:
        assert visitor.visit("/").page_data


# What is a function of a State, and still nothing that a browser may call ------------------------------


def states() -> list[type[Screen]]:
    found = [Screen]
    for state in found:
        found += state.get_substates()
    return found


def uncallable() -> Iterator[str]:
    """Names on the wire of everything that is not a handler: helpers, setters, Reflex's own methods."""
    for state in states():
        full = state.get_full_name()
        names = set(dir(state)) | {f"set_{name}" for name in state.vars} | set(state.__fields__)
        handlers = {name for name, event in state.event_handlers.items() if policy_of(event.fn) is not None}
        yield from (f"{full}.{name}" for name in sorted(names - handlers))


@of_one_engine
def test_what_is_no_handler_cannot_be_called(app: RunningApp, cast: Cast) -> None:
    before, names = tables(app), list(uncallable())
    assert any(name.endswith(".tell") for name in names)
    assert any(name.endswith("._on_change") for name in names)
    for person in ("nobody", "admin"):
        for some in (names[start : start + 250] for start in range(0, len(names), 250)):  # more would be a flood
            with tab(app, cast.cookie[person]) as hostile:
                hostile.visit(QUIET)
                for name in some:
                    hostile.send(name)
                said = hostile.settle()
            assert set(said.vars) == {f"{State.get_full_name()}.is_hydrated"}, said.vars
            assert not said.events
    assert tables(app) == before


@of_one_engine
@pytest.mark.parametrize("person", ["nobody", "patient", "doctor", "admin"])
def test_setvar_sets_nothing_on_any_state(app: RunningApp, cast: Cast, person: str) -> None:
    found = [State, *states()]
    for some in (found[start : start + 20] for start in range(0, len(found), 20)):  # more would be too many at once
        with tab(app, cast.cookie[person]) as hostile:
            hostile.visit(QUIET)
            for state in some:
                for name in ("viewer_role", "is_hydrated"):
                    hostile.send(f"{state.get_full_name()}.setvar", {"var_name": name, "value": "admin"})
            said = hostile.settle()
        assert set(said.vars) == {f"{State.get_full_name()}.is_hydrated"}, said.vars


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "load",
        "reflex___state____state",
        "reflex___state____state.load",
        f"{Availability.get_full_name()}.",
        f"{Availability.get_full_name()}.load.load",
        f"{Availability.get_full_name()}.hydrate",
        f"{Availability.get_full_name()}.set_is_hydrated",
        "_redirect",
        "_call_function",
        "__import__",
        "a" * 50_000,
        "\0",
        "\ud800",
        "load\nforged line",
    ],
)
def test_an_unknown_event_is_nothing(app: RunningApp, cast: Cast, name: str) -> None:
    with tab(app, cast.cookie["doctor"]) as hostile:
        hostile.visit(QUIET)
        said = hostile.call(name)
    assert set(said.vars) == {f"{State.get_full_name()}.is_hydrated"}
    assert not said.events
