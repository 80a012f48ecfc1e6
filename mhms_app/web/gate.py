"""The gate in front of every event: default deny, strict arguments, a rate.

A browser may send any event with any arguments, so nothing that Reflex would call on its own is called.
Only functions decorated with ``handler`` pass, with exactly their own arguments in exactly their own
types, not faster than a person can click. What a handler may do with data is decided behind the gate, in
``bridge`` and in the services: the gate only keeps out what no screen of ours would send.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

import reflex as rx
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from redis.exceptions import RedisError
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState, OnLoadInternalState, State, StateUpdate
from reflex_base.constants import RouteVar
from reflex_base.event import Event, EventSpec
from reflex_base.event.context import EventContext
from reflex_base.registry import RegistrationContext
from reflex_base.utils.exceptions import LockExpiredError
from reflex_base.utils.form import FORM_DATA_ENTRIES_KEY

from mhms_app import logs, metrics, routes, trace
from mhms_app.actor import LOGGED_IN, LoggedIn, Role
from mhms_app.errors import ClinicError, DutyFirst, InvalidForm, LoginRequired, NotAllowed, TryAgain
from mhms_app.web import bridge, meanwhile
from mhms_app.web.screen import Screen

log = logging.getLogger(__name__)

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])

_POLICY = "__mhms_policy__"
_OWN_EVENTS_OF_REFLEX = frozenset(
    {
        "hydrate",
        "hydrate_and_load",
        "on_load_internal",
        "update_vars_internal",
        "set_is_hydrated",
        "handle_frontend_exception",
    }
)
_CONNECTING = frozenset({"hydrate", "hydrate_and_load"})
_BEGIN_ANEW = f"{State.get_full_name()}.hydrate_and_load"
_LOOK_UP_AGAIN = 0.5  # seconds
UNEXPECTED = "This did not work, and nothing was changed. Please try again in a moment."


@dataclass(frozen=True, slots=True)
class Policy:
    """What the gate knows of one handler.

    Attributes:
        who: who may call it; None means everybody, logged in or not.
        with_duty: also somebody who has to do something else first.
        schema: the strict form of its arguments.
    """

    who: Role | LoggedIn | None
    with_duty: bool
    schema: type[BaseModel]


def handler(
    who: Role | LoggedIn | None = None, *, local: bool = False, with_duty: bool = False
) -> Callable[[Handler], Any]:
    """Let the browser call this async method of a State.

    A ``ClinicError`` that it raises becomes the page's ``errors`` (beside the fields) or its ``notice``;
    a missing login leads to the login page and back, a duty that comes first to its page.

    Args:
        who: who may call it; checked against the database in the transaction of its bridge call, and before
            it runs when this tab is not known to belong to such a person.
        local: it makes no bridge call of its own, so the person is always checked before it runs.
        with_duty: also for somebody who has to do something else first.
    """
    expected = bridge.Expected(who, with_duty)

    def decorate(method: Handler) -> Any:
        is_load = method.__name__ == "load"  # what a page does at every visit, before there is anything to show

        @functools.wraps(method)
        async def guarded(self: Any, **arguments: Any) -> Any:
            began = time.perf_counter()
            _forget_messages(self)
            if is_load and self._is_unread:
                self._is_unread = False
            here = _address(self)
            admitted = bridge.expect(expected)
            try:
                if who is not None and (local or self._has_duty or not _is_known_as(self.viewer_role, who)):
                    await bridge.admit(self)
                return await method(self, **arguments)
            except LoginRequired:
                return rx.redirect(routes.login_then(here))
            except DutyFirst as refusal:
                return rx.redirect(routes.PAGE_OF_DUTY[refusal.duty])
            except TryAgain as refusal:
                if is_load:  # a page without its contents would say what is not true
                    self._is_unread = True
                    return [type(self).load, OnLoadInternalState.set_is_hydrated(True)]
                await meanwhile.say("")
                _show(self, refusal)
            except ClinicError as refusal:
                if isinstance(refusal, NotAllowed):
                    log.warning("session %s may not call %s", self._owner, method.__qualname__)
                _show(self, refusal)
            except Exception:
                log.exception("handler %s failed", method.__qualname__)
                metrics.FAILURES.labels("event").inc()
                self.notice, self.notice_tone = f"{UNEXPECTED} If you ask for help, name {trace.current()}.", "bad"
            finally:
                admitted.close()
                if is_load and self._is_back and not self._is_unread:
                    self._is_back = False
                named = f"{self.__class__.__name__}.{method.__name__}"
                metrics.EVENT_SECONDS.labels(named).observe(time.perf_counter() - began)
            return None

        setattr(guarded, _POLICY, Policy(who, with_duty, _schema(method)))
        return rx.event(guarded)  # type: ignore[arg-type]  # to a page it is an event: Page.search.debounce(300)

    return decorate


def note_failure(exception: Exception) -> EventSpec | None:
    """Reflex's hook for what fails around a handler: the log names the event.

    When the tab's State could not be read or kept in Redis, the page may show what is not so: it is read anew, as when
    its tab connects, until that works.
    """
    context = EventContext.get()
    trace.begin(context.txid)
    metrics.FAILURES.labels("event").inc()
    logs.note_backend_error(exception)
    if not isinstance(exception, (RedisError, LockExpiredError)):
        return None
    # An Event, unlike an EventSpec, says which connection asks: whose State it is has to be looked up again.
    return Event(_BEGIN_ANEW, router_data=context.router_data, payload={"vars": {}})  # type: ignore[return-value]


def _is_known_as(role: str, who: Role | LoggedIn) -> bool:
    """Whether a tab that shows somebody of this role may call what is for ``who``."""
    return bool(role) if who == LOGGED_IN else role == who


def policy_of(function: Callable[..., Any]) -> Policy | None:
    """The policy of a State's function; None when no browser may call it."""
    return getattr(function, _POLICY, None)


def _schema_of(event: str) -> type[BaseModel] | None:
    """The arguments that an event takes; None when no browser may send it."""
    registered = RegistrationContext.get().event_handlers.get(event)
    if registered is None:
        return None
    if event.rpartition(".")[2] in _OWN_EVENTS_OF_REFLEX:
        return _schema(registered.handler.fn)
    policy = policy_of(registered.handler.fn)
    return policy.schema if policy else None


@functools.cache
def _schema(method: Callable[..., Any]) -> type[BaseModel]:
    """The strict pydantic model of a method's arguments: no coercion, none missing, none too many."""
    hints = get_type_hints(method, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is inspect.Parameter.empty else parameter.default)
        for name, parameter in list(inspect.signature(method).parameters.items())[1:]
    }
    return create_model(
        method.__qualname__, __config__=ConfigDict(strict=True, extra="forbid", str_max_length=10_000), **fields
    )


def _arguments(event: Event) -> dict[str, Any] | None:
    """What an event may be called with; None, which is counted and logged, for what no screen of ours would send."""
    name, schema = event.name.rpartition(".")[2], _schema_of(event.name)
    if schema is None:
        metrics.EVENTS_REFUSED.labels("not a handler").inc()
        log.warning("event refused: not a handler (%s)", name[:40])
        return None
    try:
        valid = schema.model_validate(_plain(event.payload))
    except ValidationError as refusal:
        wrong = {str(error["loc"][0]) if error["loc"] else "" for error in refusal.errors()}
        # Only names of our own are written down: what else came was named by the client.
        problem = ", ".join(sorted(wrong & set(schema.model_fields))) or "not those that it takes"
    else:
        arguments = {field: getattr(valid, field) for field in schema.model_fields}
        if _is_storable(arguments):
            return arguments
        problem = "no database could store them"
    metrics.EVENTS_REFUSED.labels("arguments").inc()
    log.warning("event refused: arguments of %s (%s)", name, problem)
    return None


def _plain(payload: Any) -> Any:
    """The arguments as a browser of ours means them: a form comes as pairs of name and value, and is a dict here.

    Whatever only looks like a form stays as it is, for the schema to refuse.
    """
    return {name: _form(value) for name, value in payload.items()} if isinstance(payload, dict) else payload


def _form(value: Any) -> Any:
    pairs = value.get(FORM_DATA_ENTRIES_KEY) if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        return value
    return {str(name): text for name, text in pairs if text is not None}  # None: the field is not on the page now


def _is_storable(value: Any) -> bool:
    """Whether every database could take the value: no NUL in a text, no number beyond 32 bits."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, int):
        return abs(value) < 2**31
    if isinstance(value, dict):
        return all(_is_storable(part) for part in value.values())
    return True


def _forget_messages(state: Any) -> None:
    """Clear what the last event said, so that a message never outlives its cause."""
    if state.notice:
        state.notice = ""
    if state.errors:
        state.errors = {}


def _show(state: Any, refusal: ClinicError) -> None:
    """Put a refusal where the page shows it: beside its fields, or in the live region."""
    metrics.REFUSALS.labels(type(refusal).__name__).inc()
    if isinstance(refusal, InvalidForm):
        state.errors = refusal.errors
    elif refusal.field:
        state.errors = {refusal.field: refusal.sentence}
    else:
        state.notice, state.notice_tone = refusal.sentence, "warn" if isinstance(refusal, NotAllowed) else "bad"


def _address(state: Any) -> str:
    """The path and query that the browser shows: what the visit asked for, and what the page made of it since."""
    if since := getattr(state, "address", "") if state.is_hydrated else "":
        return str(since)
    url = state.router.url
    return url.path + (f"?{url.query}" if url.query else "")


class Bucket:
    """A token bucket: ``burst`` at once, ``rate`` a second after that; and whether its owner is known."""

    __slots__ = ("_at", "_left", "burst", "empty", "has_met", "rate")

    def __init__(self, *, burst: float, rate: float) -> None:
        self.burst, self.rate, self.empty, self.has_met = burst, rate, False, False
        self._left, self._at = burst, time.monotonic()

    def take(self) -> bool:
        """Take one token if there is one."""
        now = time.monotonic()
        self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        self.empty = self._left < 1
        if not self.empty:
            self._left -= 1
        return not self.empty


class Gate(Middleware):
    """Stands before every event of every tab."""

    def __init__(self, *, burst: float = 60, rate: float = 15, remembered: int = 10_000) -> None:
        self._burst, self._rate, self._remembered = burst, rate, remembered
        self._buckets: dict[str, Bucket] = {}
        self._asking: set[asyncio.Future[Any]] = set()

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        """Stop an event (an empty update) or let it go on (None) with validated arguments."""
        trace.begin(EventContext.get().txid)
        name = event.name.rpartition(".")[2]
        is_too_early = False  # asked of a page whose State is gone: the browser has it read anew next
        # Only a browser's own event says which connection it came from; the others follow from one that passed.
        if connection := str(event.router_data.get(RouteVar.SESSION_ID, "")):
            bucket = self._bucket(connection)
            was_empty = bucket.empty
            if not bucket.take():
                metrics.EVENTS_REFUSED.labels("too many").inc()
                if not was_empty:
                    log.warning("events refused: too many from one connection (%s)", name[:40])
                return StateUpdate()
            if name in _CONNECTING or not bucket.has_met:
                screen = await state.get_state(Screen)
                is_too_early = not screen.met and name not in _OWN_EVENTS_OF_REFLEX
                if not is_too_early and (unknown := await self._meet(app, screen, event, bucket)):
                    return unknown
        arguments = _arguments(event)
        if arguments is None or is_too_early:
            return StateUpdate()
        if name == "set_is_hydrated" and arguments.get("value") and (await state.get_state(Screen))._is_unread:
            return StateUpdate()
        if name in _CONNECTING:  # a page that has just been loaded sends what it was built with
            (await state.get_state(Screen))._is_back = not arguments.get("hashes")
        object.__setattr__(event, "payload", arguments)
        return None

    async def _meet(self, app: rx.App, screen: Screen, event: Event, bucket: Bucket) -> StateUpdate | None:
        """Look up who is connecting; what is to be sent if nobody can say now, else None."""
        try:
            await bridge.forget_strangers(screen)
        except TryAgain as refusal:
            return self._not_met(app, event, refusal)
        bucket.has_met = True
        return None

    def _not_met(self, app: rx.App, event: Event, refusal: TryAgain) -> StateUpdate:
        """Nobody knows who is connecting, so nothing is sent of what the tab has shown; it is looked up again soon."""
        if event.name.rpartition(".")[2] not in _CONNECTING:
            return StateUpdate(delta=meanwhile.delta_of(refusal.sentence))
        token, connection = event.router_data[RouteVar.CLIENT_TOKEN], event.router_data[RouteVar.SESSION_ID]

        def again() -> None:
            if app.event_namespace and app.event_namespace.sid_to_token.get(connection) == token:
                self._asking.add(task := asyncio.ensure_future(app.event_processor.enqueue(token, event)))
                task.add_done_callback(self._asking.discard)

        asyncio.get_running_loop().call_later(_LOOK_UP_AGAIN, again)
        return StateUpdate(delta=meanwhile.delta_of(meanwhile.sentence_of(refusal)))

    def _bucket(self, connection: str) -> Bucket:
        """The bucket of a connection; the oldest are forgotten."""
        known = self._buckets.pop(connection, None)
        bucket = self._buckets[connection] = known or Bucket(burst=self._burst, rate=self._rate)
        if len(self._buckets) > self._remembered:
            del self._buckets[next(iter(self._buckets))]
        return bucket


__all__ = ["LOGGED_IN", "Gate", "Policy", "Role", "handler", "note_failure", "policy_of"]
