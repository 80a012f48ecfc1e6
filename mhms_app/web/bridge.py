"""The one door from a screen to a service: a thread, a transaction, the actor, the role.

A handler calls ``await bridge.call(self, service.function, ...)`` to act and ``bridge.read`` to look. In one
thread hop and one transaction the person is found by the session cookie of the socket (never by an
argument or by state), the role that the handler asks for is checked, and the service runs. The event loop
is never blocked.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from mhms_app import db, replica, spans, tab, turns
from mhms_app.accounts import cookies, sessions
from mhms_app.accounts.rules import initials
from mhms_app.actor import LOGGED_IN, Actor, LoggedIn, Role, require_person, require_role
from mhms_app.audit import readings
from mhms_app.audit import service as audit
from mhms_app.replica import may_be_stale as may_be_stale
from mhms_app.turns import Turns, Urgency
from mhms_app.web import meanwhile, words

if TYPE_CHECKING:
    from sqlmodel import Session

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

COUNTED = db.COUNTED  # the total of a list stops there


@dataclass(frozen=True, slots=True)
class Expected:
    """Whom the running handler asks for.

    Attributes:
        who: a role, anybody who is logged in, or everybody (None).
        with_duty: also somebody who has to do something else first.
    """

    who: Role | LoggedIn | None = None
    with_duty: bool = False

    def check(self, actor: Actor | None) -> None:
        """Refuse somebody else.

        Raises:
            LoginRequired, DutyFirst, NotAllowed: as ``actor.require_role``.
        """
        if self.who == LOGGED_IN:
            require_person(actor, with_duty=self.with_duty)
        elif self.who is not None:
            require_role(actor, Role(self.who))


_turns = Turns(16, lines=(400, 250, 120), name="service")
_EVERYBODY = Expected()
_expected: contextvars.ContextVar[Expected] = contextvars.ContextVar("expected", default=_EVERYBODY)
_is_a_persons: contextvars.ContextVar[bool] = contextvars.ContextVar("is_a_persons_event", default=False)


def expect(expected: Expected) -> ExitStack:
    """Ask every call of the running handler for this person; closing the result ends that."""
    stack = ExitStack()
    stack.callback(_expected.reset, _expected.set(expected))
    stack.callback(_is_a_persons.reset, _is_a_persons.set(True))
    return stack


async def call(
    state: Any, service: Callable[Concatenate[Session, Actor | None, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a service function as the person behind this event, and commit.

    Raises:
        LoginRequired, NotAllowed: the handler asks for a role that this person does not have.
        ClinicError: whatever the service refuses.
        TryAgain, OutcomeUnknown: the database was away, or the server too busy, for longer than anybody waits.
    """
    return await _hop(state, service, args, kwargs, read_only=False)


async def call_at_once(
    state: Any,
    statement: Callable[Concatenate[str, str, P], T | None],
    service: Callable[Concatenate[Session, Actor | None, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Try a guarded statement that authorises by the session token itself; if it declines, ``call`` the service.

    The statement is given the token and the client's address before its own arguments. The same arguments must come to
    the same result: when the connection breaks and nobody knows what became of them, both are asked again.
    """
    token, address = session_token(state), client_address(state)

    def work() -> T | None:
        with spans.span(_name(statement)):
            return statement(token, address, *args, **kwargs)

    done = await _served(work, Urgency.ACT, repeatable=True)
    _note_act(state)
    return done if done is not None else await _hop(state, service, args, kwargs, read_only=False, repeatable=True)


async def read(
    state: Any, service: Callable[Concatenate[Session, Actor | None, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a service function that only reads; on SQLite it then waits for no writer."""
    return await _hop(state, service, args, kwargs, read_only=True)


async def look(service: Callable[Concatenate[Session, None, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a service function that only reads, as nobody: for what every visitor is shown alike."""

    def work() -> T:
        with db.transaction(read_only=True) as session:
            return service(session, None, *args, **kwargs)

    return await _served(work, Urgency.LOOK, repeatable=True)


async def admit(state: Any) -> None:
    """Check the person of a handler that calls no service."""
    await _hop(state, lambda session, actor: None, (), {}, read_only=True)


async def compute(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run something slow that needs no database (hashing, judging a password) in a thread."""
    return await _turns.run(lambda: function(*args, **kwargs), Urgency.ACT)


def load() -> tuple[int, int]:
    """How many services run in this worker, and how many wait for a thread."""
    return _turns.running, _turns.waiting


def now() -> datetime:
    """The current instant, aware UTC, as the services see it."""
    return db.clock.now()


async def forget_strangers(screen: Any) -> None:
    """Clear a tab's state unless the person who left it there is the one who is connecting now.

    State outlives logout, and its token is no secret: whoever presents it gets the state behind it. So at
    every connection the person is looked up, and what belonged to anybody else, or to a session that is
    over, is gone before the first byte is sent.
    """
    token = session_token(screen)

    def who() -> Actor | None:
        with db.transaction(read_only=True) as session:
            return sessions.resolve(session, token)

    _introduce(screen, await _served(who, Urgency.LOOK, repeatable=True) if token else None)


_read_cookie = lru_cache(maxsize=2048)(cookies.read)  # a socket's cookies stay the same, at every event


def session_token(state: Any) -> str:
    """The session token in the cookies with which this socket was opened, or ``""``."""
    return _read_cookie(tab.cookies(state), cookies.session_cookie())


def client_address(state: Any) -> str:
    """The network address of the browser behind this socket, as the wall has found it."""
    return tab.address(state)


async def _hop(
    state: Any,
    service: Callable[..., T],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    read_only: bool,
    repeatable: bool = False,
) -> T:
    """Run a service in one thread and one transaction, and keep the screen's idea of the person true."""
    token, address = session_token(state), client_address(state)
    expected, is_a_persons = _expected.get(), _is_a_persons.get()
    seen: list[Actor | None] = []
    # Whoever they are is looked up in the database itself; what a live screen reads again, or somebody who has just
    # changed something, is read there too.
    elsewhere = read_only and is_a_persons and replica.can_read(service) and not _has_just_acted(state)

    def work() -> T:
        with db.transaction(read_only=read_only) as session:
            actor = sessions.resolve(session, token, address=address)
            seen.append(actor)
            expected.check(actor)
            if not elsewhere:
                with spans.span(_name(service)):
                    result = service(session, actor, *args, **kwargs)
        if elsewhere:
            with spans.span(_name(service)), replica.reading() as session:
                result = service(session, actor, *args, **kwargs)
        try:
            if is_a_persons:  # what a live screen reads again is no new reading
                readings.keep(audit.noted(session))
            if actor is not None and actor.touch_due and is_a_persons:  # a live screen keeps no session awake
                with db.transaction() as session:
                    sessions.touch(session, session_id=actor.session_id)
        except Exception as error:
            if read_only or not db.is_away(error):
                raise
            log.warning("a session could not be touched (%s)", type(error).__name__)  # what was asked for is done
        return result

    urgency = (Urgency.LOOK if read_only else Urgency.ACT) if token else Urgency.STRANGER
    try:
        return await _served(work, urgency, repeatable=read_only or repeatable)
    finally:
        if seen:
            _introduce(state, seen[0])
        if not read_only:
            _note_act(state)


def _note_act(state: Any) -> None:
    """Remember that this tab has changed something, until a replica knows of it as well."""
    if replica.exists():
        state._acted_at = now().timestamp()


def _has_just_acted(state: Any) -> bool:
    return now().timestamp() - state._acted_at < replica.SEEN_BY_THEN


def _name(service: Callable[..., Any]) -> str:
    """What a service is called in a trace."""
    return f"{service.__module__.removeprefix('mhms_app.')}.{service.__qualname__}"


def _introduce(state: Any, actor: Actor | None) -> None:
    """Make the screen show who is logged in; whatever belonged to somebody else is cleared first."""
    owner = actor.session_id if actor else 0
    if state._owner != owner:
        root = state._get_root_state()
        hydrated = root.is_hydrated
        root.reset()
        root.is_hydrated = hydrated
        state._owner = owner
    patient_id = (actor and actor.patient_id) or 0
    if state._patient_id != patient_id:
        state._patient_id = patient_id
    has_duty = actor is not None and actor.must_do is not None
    if state._has_duty != has_duty:
        state._has_duty = has_duty
    if not state.met:
        state.met = True
    until = words.clock(actor.acting_until) if actor and actor.acting_until else ""
    if state.acting_until != until:
        state.acting_until = until
    if actor is not None and state._time_zone != actor.time_zone:
        state._time_zone = actor.time_zone
    if actor is not None and (state.viewer_name, state.viewer_role) != (actor.name, actor.role.value):
        state.viewer_name, state.viewer_role = actor.name, actor.role.value
        state.viewer_initials = initials(actor.name)


async def _served(work: Callable[[], T], urgency: Urgency, *, repeatable: bool) -> T:
    """Run ``work`` in its turn, again and again while the database is away, and tell the person what they wait for."""
    with meanwhile.Wait() as wait:
        return await turns.patiently(lambda: _turns.run(work, urgency), repeatable=repeatable, told=wait.tell)
