"""Rooms: one look and one message for however many tabs; those who stand apart; those who are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from reflex.utils.token_manager import SocketRecord

from mhms_app import db
from mhms_app.errors import LoginRequired, TryAgain
from mhms_app.facts import EVERYTHING, LookAgain, Topic
from mhms_app.live import hub as live
from mhms_app.live.hub import Ask, Hub, Room

CATS, DOGS = ("cats", 1), ("dogs", 1)


@dataclass(frozen=True)
class News:
    """A fact about one topic."""

    topics: tuple[Topic, ...]


@dataclass
class Screen:
    """What the hub sees of a State."""

    token: str
    heard: list[Any] = field(default_factory=list)
    may_read: bool = True

    @property
    def rx_router_session(self) -> Any:
        return SimpleNamespace(client_token=self.token, session_id=f"socket of {self.token}")

    @classmethod
    def get_full_name(cls) -> str:
        return "screen"

    async def get_state(self, _: type[Any]) -> Screen:
        return self

    async def _on_change(self, news: Sequence[Any]) -> None:
        self.heard.append(list(news))


class Cats(Room):
    """A room that counts how often it looks."""

    def __init__(self, key: str = "cats", *, linger: float = 0.0) -> None:
        super().__init__(key, CATS)
        self.linger = linger  # type: ignore[misc]
        self.looks: list[list[Any]] = []

    async def look(self, news: Sequence[Any], ask: Ask[Any]) -> Mapping[str, Any]:
        self.looks.append(list(news))
        return {"cats": len(self.looks)}


class App:
    """What the hub uses of the application: who is connected, states under their locks, and sending."""

    def __init__(self) -> None:
        self.screens: dict[str, Screen] = {}
        self.gone: set[str] = set()
        self.sent: list[tuple[Any, list[str]]] = []
        self.sio = self

    @property
    def event_namespace(self) -> Any:
        open_tabs = [token for token in self.screens if token not in self.gone]
        there = {token: SocketRecord(instance_id="", sid=f"socket of {token}") for token in open_tabs}
        return SimpleNamespace(_token_manager=SimpleNamespace(token_to_socket=there), namespace="/_event")

    def opens(self, token: str) -> Screen:
        return self.screens.setdefault(token, Screen(token))

    async def emit(self, _event: str, update: Any, *, namespace: str, to: list[str]) -> None:
        self.sent.append((update.delta, to))

    @asynccontextmanager
    async def modify_state(self, token: Any) -> Any:
        yield self.screens[token.ident]


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(live, "COLLECT_SECONDS", 0.01)
    monkeypatch.setattr(live, "_AGAIN_WITHIN", 0.01)
    yield


def play(app: App, story: Callable[[Hub], Awaitable[None]]) -> Hub:
    """Let a hub run while a story is told, and until it has come to rest."""
    hub = Hub()

    async def run() -> None:
        task = asyncio.create_task(hub.run(app))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        await story(hub)
        await asyncio.sleep(0.1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
    return hub


def test_a_thousand_tabs_cost_one_look_and_one_message(app: App) -> None:
    room = Cats()

    async def story(hub: Hub) -> None:
        for number in range(1000):
            assert hub.enter(app.opens(str(number)), Cats() if number else room, since=0) is room
        db.tell([News((CATS,)), News((CATS,))])

    play(app, story)
    assert len(room.looks[0]) == 2
    assert len(room.looks) == 1
    (delta, to) = app.sent[0]
    assert delta == {"screen": {"cats_rx_state_": 1}}
    assert (len(app.sent), len(set(to))) == (1, 1000)
    assert not any(screen.heard for screen in app.screens.values())


def test_other_news_is_nothing_to_a_room(app: App) -> None:
    room = Cats()

    async def story(hub: Hub) -> None:
        hub.enter(app.opens("a"), room, since=0)
        db.tell([News((DOGS,)), "no fact of ours"])

    play(app, story)
    assert (room.looks, app.sent) == ([], [])


def test_whoever_stands_apart_is_told_alone_after_the_room_has_looked(app: App) -> None:
    room = Cats()

    async def story(hub: Hub) -> None:
        hub.enter(app.opens("a"), room, since=0)
        hub.enter(app.opens("own"), Cats(), since=0, apart=True)
        db.tell([News((CATS,))])

    play(app, story)
    assert [to for _, to in app.sent] == [["socket of a"]]
    assert app.screens["own"].heard == [[News((CATS,))]]


def test_a_tab_watches_by_itself_what_it_shows_alone(app: App) -> None:
    async def story(hub: Hub) -> None:
        hub.watch(app.opens("a"), CATS, since=0)
        hub.watch(app.opens("b"), DOGS, since=0)
        db.tell([News((CATS,))])

    play(app, story)
    assert (app.screens["a"].heard, app.screens["b"].heard, app.sent) == ([[News((CATS,))]], [], [])


def test_what_came_while_a_screen_was_reading_is_looked_at_once_more(app: App) -> None:
    room, quiet = Cats(), Cats("quiet")

    async def story(hub: Hub) -> None:
        before = hub.heard
        db.tell([News((CATS,))])
        await asyncio.sleep(0.01)
        hub.enter(app.opens("late"), room, since=before)
        hub.enter(app.opens("new"), quiet, since=hub.heard)

    play(app, story)
    assert (room.looks, quiet.looks) == ([[LookAgain()]], [])


def test_a_tab_that_is_closed_or_has_left_is_told_nothing_and_forgotten(app: App) -> None:
    room = Cats()

    async def story(hub: Hub) -> None:
        for token in ("stays", "closes", "leaves"):
            hub.enter(app.opens(token), room, since=0)
        hub.enter(app.opens("moves on"), room, since=0)
        hub.enter(app.opens("moves on"), Room("another", DOGS), since=0)
        app.gone.add("closes")
        hub.leave(app.screens["leaves"])
        db.tell([News((CATS,))])

    hub = play(app, story)
    assert [to for _, to in app.sent] == [["socket of stays"]]
    assert set(hub._inside) == {"stays", "moves on"}


def test_a_room_without_anybody_is_no_more(app: App) -> None:
    async def story(hub: Hub) -> None:
        hub.enter(app.opens("a"), Cats(), since=0)
        assert hub.find("cats")
        hub.leave(app.screens["a"])
        assert hub.find("cats") is None

    hub = play(app, story)
    assert (dict(hub._about), hub._rooms, hub._inside) == ({}, {}, {})


def test_a_tab_that_was_closed_is_forgotten_though_there_is_no_news(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SWEEP_SECONDS", 0.02)

    async def story(hub: Hub) -> None:
        db.tell([News((CATS,))])
        hub.enter(app.opens("stays"), Cats(), since=0)
        hub.watch(app.opens("closes"), DOGS, since=0)
        app.gone.add("closes")

    hub = play(app, story)
    assert (set(hub._inside), hub._heard_of) == ({"stays"}, {})


def test_after_an_interruption_every_room_looks_again(app: App) -> None:
    cats = Cats()

    async def story(hub: Hub) -> None:
        hub.enter(app.opens("a"), cats, since=0)
        hub.watch(app.opens("b"), DOGS, since=0)
        db.tell_from_channel([LookAgain((EVERYTHING,))])

    play(app, story)
    assert (len(cats.looks), len(app.screens["b"].heard)) == (1, 1)


def test_a_room_that_lingers_looks_once_more_when_all_is_quiet(app: App) -> None:
    room = Cats(linger=0.03)

    async def story(hub: Hub) -> None:
        hub.enter(app.opens("a"), room, since=0)
        db.tell([News((CATS,))])

    play(app, story)
    assert room.looks == [[News((CATS,))], []]


def test_one_reads_for_all_and_whoever_may_not_is_told_nothing_more(app: App) -> None:
    class Office(Cats):
        async def look(self, news: Sequence[Any], ask: Ask[Any]) -> Mapping[str, Any]:
            return {"read_by": await ask(read)}

    async def read(screen: Screen) -> str:
        if not screen.may_read:
            raise LoginRequired
        return screen.token

    async def story(hub: Hub) -> None:
        for token in ("logged out", "first", "second"):
            hub.enter(app.opens(token), Office(), since=0)
        app.screens["logged out"].may_read = False
        db.tell([News((CATS,))])

    play(app, story)
    assert app.sent == [({"screen": {"read_by_rx_state_": "first"}}, ["socket of first", "socket of second"])]


def test_a_tab_that_turns_to_another_page_hears_of_that_alone(app: App) -> None:
    async def story(hub: Hub) -> None:
        hub.watch(app.opens("a"), CATS, since=0)
        hub.watch(app.opens("a"), DOGS, since=0)
        db.tell([News((CATS,))])
        await asyncio.sleep(0.05)
        db.tell([News((DOGS,))])

    play(app, story)
    assert app.screens["a"].heard == [[News((DOGS,))]]


def test_what_could_not_be_looked_at_is_looked_at_later(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_PATIENCE_SECONDS", 0.01)

    class Away(Cats):
        async def look(self, news: Sequence[Any], ask: Ask[Any]) -> Mapping[str, Any]:
            shown = await super().look(news, ask)
            if len(self.looks) == 1:
                raise TryAgain
            return shown

    room = Away()

    async def story(hub: Hub) -> None:
        hub.enter(app.opens("a"), room, since=0)
        db.tell([News((CATS,))])

    play(app, story)
    assert (room.looks, len(app.sent)) == ([[News((CATS,))], [LookAgain()]], 1)


def test_a_room_that_fails_is_logged_and_looks_again_next_time(app: App, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Cats):
        async def look(self, news: Sequence[Any], ask: Ask[Any]) -> Mapping[str, Any]:
            if not await super().look(news, ask) or len(self.looks) == 1:
                raise RuntimeError("a bug")
            return {"cats": "back"}

    async def story(hub: Hub) -> None:
        hub.enter(app.opens("a"), Broken(), since=0)
        db.tell([News((CATS,))])
        await asyncio.sleep(0.05)
        db.tell([News((CATS,))])

    play(app, story)
    assert "a room could not look" in caplog.text
    assert len(app.sent) == 1
