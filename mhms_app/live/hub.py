"""A committed change reaches every open screen of this worker that shows it.

Tabs that show the same stand in one room. After a change the room looks once, however many they are, and one message,
encoded once, goes to all of them. A tab that shows something of its own stands apart, or in a room by itself, and is
told through its State. Nothing here can be called from a browser: no event is involved.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import reflex as rx
from reflex.state import StateUpdate
from reflex.utils.token_manager import SocketRecord
from reflex_base.constants import SocketEvent
from reflex_base.constants.state import FIELD_MARKER

from mhms_app import db, tab
from mhms_app.errors import ClinicError, DutyFirst, LoginRequired, NotAllowed, TryAgain
from mhms_app.facts import EVERYTHING, LookAgain, Topic

log = logging.getLogger(__name__)

COLLECT_SECONDS = 0.1
SWEEP_SECONDS = 60.0
_PATIENCE_SECONDS = 1.0
_MAY_NOT = (LoginRequired, NotAllowed, DutyFirst)
_AGAIN_WITHIN = 1.5  # seconds, over which the rooms look again when anything may have changed
T = TypeVar("T")
Ask = Callable[[Callable[[Any], Awaitable[T]]], Awaitable[T]]
"""Do something with the State of one of those in the room, such as reading as that person."""


class Room:
    """What several tabs show alike.

    Attributes:
        key: what makes it this one: rooms with the same key are one.
        topics: what it has to hear of.
        rest: seconds between one look and the next, however much happens.
        linger: seconds after a change in which it wants another look; 0 for none.
    """

    linger: ClassVar[float] = 0.0

    def __init__(self, key: Hashable, *topics: Topic, rest: float = 0.0) -> None:
        self.key, self.topics, self.rest = key, topics, rest

    async def look(self, news: Sequence[Any], ask: Ask[Any]) -> Mapping[str, Any]:
        """The vars of the screen that everybody in the room is sent; ``news`` is empty for the look after a change."""
        return {}


RoomOf = TypeVar("RoomOf", bound=Room)


@dataclass(eq=False, slots=True)
class _Seat:
    """One open tab and the State in it that watches.

    The connection belongs to it: whoever comes later with the same token has not asked to be told.
    """

    client_token: str
    connection: str
    screen: type[Any]
    apart: bool

    def is_open(self, connected: Mapping[str, SocketRecord]) -> bool:
        """Whether the tab is still connected as it was when it began to watch."""
        record = connected.get(self.client_token)
        return record is not None and record.sid == self.connection


@dataclass(eq=False, slots=True)
class _Open:
    """A room with somebody in it, and the news that it has not looked at."""

    room: Room
    seats: dict[str, _Seat] = field(default_factory=dict)
    news: list[Any] = field(default_factory=list)
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def hear(self, news: Sequence[Any]) -> None:
        self.news += news
        self.has_news.set()


def _connected(app: rx.App) -> Mapping[str, SocketRecord]:
    """The connection of every tab that has one, by the tab's token."""
    return app.event_namespace._token_manager.token_to_socket if app.event_namespace else {}


@dataclass(slots=True)
class Hub:
    """Who watches what, in this worker. A tab is in one room at a time."""

    _rooms: dict[Hashable, _Open] = field(default_factory=dict)
    _about: dict[Topic, set[_Open]] = field(default_factory=lambda: defaultdict(set))
    _inside: dict[str, _Open] = field(default_factory=dict)
    _heard: int = 0
    _heard_of: dict[Topic, int] = field(default_factory=dict)
    _wake: Callable[[_Open], None] | None = None

    @property
    def heard(self) -> int:
        """How many facts were heard so far: to be noted before a screen reads what it shows."""
        return self._heard

    def find(self, key: Hashable) -> Room | None:
        """The room with this key, if somebody is in it."""
        found = self._rooms.get(key)
        return found.room if found else None

    def enter(self, screen: Any, room: RoomOf, *, since: int, apart: bool = False) -> RoomOf:
        """Tell this tab what is news in a room from now on; returns the room, which others may be in already.

        Args:
            since: what ``heard`` said before the screen read what it shows; of what came after that it is told.
            apart: it shows something of its own besides, and is told through its ``_on_change``.
        """
        opened, token = self._rooms.get(room.key), tab.token(screen)
        if self._inside.get(token) is not opened:
            self._forget(token)
        if opened is None:
            opened = self._rooms[room.key] = _Open(room)
            for topic in (*room.topics, EVERYTHING):
                self._about[topic].add(opened)
        opened.seats[token] = _Seat(token, tab.connection(screen), type(screen), apart)
        self._inside[token] = opened
        if any(self._heard_of.get(topic, 0) > since for topic in (*room.topics, EVERYTHING)):
            self._news(opened, [LookAgain()])
        return opened.room  # type: ignore[return-value]  # a key belongs to one kind of room

    def watch(self, screen: Any, *topics: Topic, since: int, rest: float = 0.0) -> None:
        """Tell this tab, by its ``_on_change``, of what happens to a topic from now on.

        Args:
            since: as in ``enter``.
            rest: as in ``Room``.
        """
        own = Room((tab.token(screen), topics), *topics, rest=rest)
        self.enter(screen, own, since=since, apart=True)

    def leave(self, screen: Any) -> None:
        """Tell this screen nothing more: it is about to go, or has gone already and another has come."""
        token = tab.token(screen)
        if (opened := self._inside.get(token)) and opened.seats[token].screen is type(screen):
            self._forget(token)

    def _forget(self, client_token: str) -> None:
        opened = self._inside.pop(client_token, None)
        if opened is None:
            return
        del opened.seats[client_token]
        if not opened.seats:
            del self._rooms[opened.room.key]
            for topic in (*opened.room.topics, EVERYTHING):
                self._about[topic].discard(opened)
                if not self._about[topic]:
                    del self._about[topic]

    async def run(self, app: rx.App) -> None:
        """The lifespan task: hear of changes and pass them on until the worker ends."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()

        def hear(fact: Any) -> None:
            if topics := getattr(fact, "topics", ()):
                loop.call_soon_threadsafe(self._hear, fact, topics)

        stop = db.listen(hear, everywhere=True)
        self._wake = lambda opened: self._serve_soon(app, opened, context.copy())
        try:
            while True:
                before = self._heard
                await asyncio.sleep(SWEEP_SECONDS)
                self._sweep(_connected(app), before)
        finally:
            self._wake = None
            stop()

    def _sweep(self, connected: Mapping[str, SocketRecord], before: int) -> None:
        """Forget the tabs that were closed, and what was heard so long ago that no screen is still reading."""
        self._forget_closed(list(self._rooms.values()), connected)
        self._heard_of = {topic: number for topic, number in self._heard_of.items() if number > before}

    def _forget_closed(self, rooms: Iterable[_Open], connected: Mapping[str, SocketRecord]) -> None:
        seats = [seat for opened in rooms for seat in opened.seats.values()]
        for seat in seats:
            if not seat.is_open(connected):
                self._forget(seat.client_token)

    def _hear(self, fact: Any, topics: Sequence[Topic]) -> None:
        self._heard += 1
        self._heard_of.update(dict.fromkeys(topics, self._heard))
        for opened in {opened for topic in topics for opened in self._about.get(topic, ())}:
            self._news(opened, [fact])

    def _news(self, opened: _Open, news: Sequence[Any]) -> None:
        opened.hear(news)
        if opened.task is None and self._wake:
            self._wake(opened)

    def _serve_soon(self, app: rx.App, opened: _Open, context: contextvars.Context) -> None:
        """Begin to serve a room, which is part of nobody's event."""
        opened.task = asyncio.create_task(self._serve(app, opened), context=context)

    async def _serve(self, app: rx.App, opened: _Open) -> None:
        """Let a room look for as long as there is news, and once more when it has come to rest."""
        try:
            while opened.seats and await self._has_news(opened):
                crowded = any(EVERYTHING in fact.topics for fact in opened.news)
                await asyncio.sleep(random.uniform(0, _AGAIN_WITHIN) if crowded else COLLECT_SECONDS)  # noqa: S311
                await self._look(app, opened)
                await asyncio.sleep(opened.room.rest)
            if opened.seats and opened.room.linger:
                await self._look(app, opened)
        finally:
            opened.task = None
        if opened.news and opened.seats:
            self._news(opened, ())

    async def _has_news(self, opened: _Open) -> bool:
        """Whether there is news, or some comes while the room lingers."""
        if not opened.news and opened.room.linger:
            try:
                await asyncio.wait_for(opened.has_news.wait(), opened.room.linger)
            except TimeoutError:
                return False
        return bool(opened.news)

    async def _look(self, app: rx.App, opened: _Open) -> None:
        """Look once, and send what there is to everybody in the room; a tab that is closed is forgotten."""
        news, opened.news = opened.news, []
        opened.has_news.clear()
        connected = _connected(app)
        self._forget_closed([opened], connected)
        if not opened.seats:
            return
        try:
            shown = await opened.room.look(news, lambda act: self._ask(app, opened, act))
        except TryAgain:
            await self._again_later(opened)
            return
        except Exception:
            log.exception("a room could not look")
            return
        if not (news or shown):
            return
        seats = list(opened.seats.values())
        if shown:
            await _show(app, [seat for seat in seats if not seat.apart], shown)
        for seat in seats:
            if seat.apart and seat.is_open(connected):
                await self._tell(app, opened, seat, news)

    async def _ask(self, app: rx.App, opened: _Open, act: Callable[[Any], Awaitable[T]]) -> T:
        """Act as the first in the room who still may; whoever may not is told nothing more.

        Raises:
            LoginRequired, NotAllowed, DutyFirst: nobody may.
        """
        refusal: ClinicError = LoginRequired()
        for seat in list(opened.seats.values()):
            try:
                return await _with_screen(app, seat, act)
            except _MAY_NOT as error:
                refusal = error
                self._forget(seat.client_token)
        raise refusal

    async def _tell(self, app: rx.App, opened: _Open, seat: _Seat, news: Sequence[Any]) -> None:
        """Tell one tab through its State, unless it has left while it was busy; its failure is its own."""

        async def tell(screen: Any) -> None:
            now = opened.seats.get(seat.client_token)
            if now and (now.connection, now.screen) == (seat.connection, seat.screen):
                await screen._on_change(news)

        try:
            await _with_screen(app, seat, tell)
        except _MAY_NOT:
            self._forget(seat.client_token)
        except TryAgain:
            await self._again_later(opened)
        except Exception:
            log.exception("a live screen could not be told")

    async def _again_later(self, opened: _Open) -> None:
        """The database is away, or there is no room: what was news may not be shown yet."""
        await asyncio.sleep(_PATIENCE_SECONDS)
        opened.hear([LookAgain()])


async def _with_screen(app: rx.App, seat: _Seat, act: Callable[[Any], Awaitable[T]]) -> T:
    """Run ``act`` on a tab's State under its lock and send what it changed."""
    async with app.modify_state(rx.BaseStateToken(ident=seat.client_token, cls=seat.screen)) as state:
        return await act(await state.get_state(seat.screen))


async def _show(app: rx.App, seats: Sequence[_Seat], shown: Mapping[str, Any]) -> None:
    """Show several tabs the same values."""
    if seats:
        delta = {seats[0].screen.get_full_name(): {f"{name}{FIELD_MARKER}": value for name, value in shown.items()}}
        await send(app, [seat.connection for seat in seats], delta)


async def send(app: rx.App, connections: Collection[str], delta: Mapping[str, Mapping[str, Any]]) -> None:
    """Send the same to several tabs of this worker, encoded once and past their States."""
    if not connections or app.sio is None or app.event_namespace is None:  # to an empty list would be to everybody
        return
    namespace = app.event_namespace.namespace
    await app.sio.emit(str(SocketEvent.EVENT), StateUpdate(delta=delta), namespace=namespace, to=list(connections))


hub = Hub()
