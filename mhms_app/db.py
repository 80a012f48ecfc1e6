"""The database: one engine, UTC instants, and the only place that commits.

PostgreSQL (psycopg 3) is production, SQLite the embedded default; the same code and the same tests run
on both.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from alembic.script import ScriptDirectory
from sqlalchemy import (
    DateTime,
    Dialect,
    Engine,
    Index,
    MetaData,
    Select,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    func,
    inspect,
    literal_column,
    select,
    text,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.pool import PoolProxiedConnection, QueuePool
from sqlmodel import Session, SQLModel

from mhms_app import facts, metrics
from mhms_app.once import Once
from mhms_app.settings import settings

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention

T = TypeVar("T")
log = logging.getLogger(__name__)
_ANNOUNCED = "announced"
# Connections that stay open: as many as there are threads to use them (16 for people, 5 for mail). One beyond
# the pool, up to MHMS_DATABASE_CONNECTIONS, is closed after each use, which costs more than most of what is asked
# through it.
_THREADS = 24
# Nothing waits for ever: a connection that is cut is noticed within seconds (libpq, 34.1.2), and the next statement
# finds the pool emptied of those that were cut with it. Migrations take their time (alembic/env.py).
_POSTGRESQL = {
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "options": "-c timezone=UTC -c statement_timeout=5min -c lock_timeout=30s "
    "-c idle_in_transaction_session_timeout=60s",
}
_SQLITE_AWAY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
CHANNEL = "mhms"
_NOTIFY = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload")
_listeners: list[Callable[[object], None]] = []
_listeners_everywhere: list[Callable[[object], None]] = []
_channel_is_up = False


class CommitLost(SQLAlchemyError):
    """The database went away between the beginning of a commit and its answer: nobody knows whether it is done."""


class _Pool(QueuePool):
    """A pool that measures how long somebody waits for a connection."""

    _sqla_logger_namespace = "sqlalchemy.pool.QueuePool"  # else its logger counts as ours, and its words are written

    def connect(self) -> PoolProxiedConnection:
        """Return a connection, in a moment or when one is free."""
        began = time.perf_counter()
        try:
            return super().connect()
        finally:
            metrics.CONNECTION_SECONDS.observe(time.perf_counter() - began)


class UTCDateTime(TypeDecorator[datetime]):
    """An aware instant, stored in UTC; SQLite, which forgets the zone, gives it back as UTC too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values: a time without a zone is a bug, not a time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime reached the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the value as an aware UTC instant."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def make_engine(url: str, *, pooled: bool = False) -> Engine:
    """Make an engine with the settings that this application relies on.

    PostgreSQL: nothing is kept in a connection between two transactions, so that a pooler such as PgBouncer may give
    each of them another one.

    SQLite: WAL, ``BEGIN IMMEDIATE`` for writers (its deferred default lets two check-then-write
    transactions pass each other), enforced foreign keys, ``synchronous=FULL`` (an acknowledged booking
    survives a power cut), and a wait of 30 seconds for the writer before us.

    Args:
        pooled: the address is a pooler's: statements are not prepared, which would be in one of its connections only.
    """
    if url.startswith("postgresql"):
        most = settings().database_connections
        return create_engine(
            url,
            poolclass=_Pool,
            pool_size=min(_THREADS, most),
            max_overflow=max(0, most - _THREADS),
            pool_timeout=5,
            connect_args={**_POSTGRESQL, "prepare_threshold": None} if pooled else _POSTGRESQL,
        )
    path = url.removeprefix("sqlite:///")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"check_same_thread": False}, poolclass=_Pool, pool_size=_THREADS)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not behind our back
        cursor = connection.cursor()
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


@Once
def engine() -> Engine:
    """The engine of this process, made at first use."""
    return make_engine(settings().database_url, pooled=settings().is_pooled)


@contextmanager
def direct_connection() -> Iterator[Connection]:
    """A connection to the database itself, past any pooler, for what takes long or outlives a transaction."""
    if not settings().is_pooled:
        with engine().connect() as connection:
            yield connection
        return
    direct = make_engine(settings().database_direct_url)
    try:
        with direct.connect() as connection:
            yield connection
    finally:
        direct.dispose()


def use_engine(other: Engine | None) -> None:
    """Make this process use another engine, or with None a fresh one; the old one is closed."""
    before = engine.replace(other)
    if before is not None and before is not other:
        before.dispose()


@contextmanager
def transaction(*, read_only: bool = False) -> Iterator[Session]:
    """Run a block in one transaction: commit at its end, roll back if it raises.

    Beside ``at_once`` this is the only commit of the application. What the block announced with ``announce`` is told to
    the listeners after the commit, and not at all when nothing was committed: other processes hear of it from
    PostgreSQL, to which it is given inside the transaction.

    Args:
        read_only: the block only reads; on SQLite it then waits for no writer.
    """
    with Session(engine(), expire_on_commit=False) as session:
        if read_only:
            session.connection(execution_options={"read_only": True, "postgresql_readonly": True})
        try:
            yield session
            session.commit() if read_only else _commit(session)
        except BaseException:
            session.rollback()
            raise
        announced = session.info.pop(_ANNOUNCED, ())
    tell(announced)


def _commit(session: Session) -> None:
    session.flush()  # what fails here is not done for certain
    if session.get_bind().dialect.name == "postgresql" and (
        told := list(facts.encode(session.info.get(_ANNOUNCED, ())))
    ):
        session.execute(_NOTIFY, {"channel": CHANNEL, "payloads": told})
    with _committing():
        session.commit()


@contextmanager
def _committing() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated:
            raise CommitLost from error
        raise


def is_away(error: BaseException) -> bool:
    """Whether the database could not be reached or had no room: the same may well succeed in a moment.

    On PostgreSQL also where it ended a statement that waited for too long, or for another in a circle.
    """
    if isinstance(error, (CommitLost, NoConnection)):
        return True
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _SQLITE_AWAY
    return isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


@contextmanager
def at_once() -> Iterator[Connection]:
    """A connection for one statement that is a transaction by itself, where it is hot enough to need it.

    On PostgreSQL that is one round trip, and not one more before and after it.
    """
    opened: AbstractContextManager[Connection]
    if engine().dialect.name == "postgresql":
        opened = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
    else:
        opened = engine().begin()
    with opened as connection, _committing():
        yield connection


def alone(session: OrmSession, what: str) -> bool:
    """Whether this transaction is the only one in which this is done now; whoever is not comes back later.

    On SQLite whoever writes is always alone.
    """
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(func.hashtextextended(what, 0)))))


def in_turn(session: OrmSession, what: str) -> None:
    """Wait until no other transaction does this, and do it alone until this one ends.

    On SQLite whoever writes is always alone.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(what, 0))))


def announce(session: OrmSession, fact: object) -> None:
    """Tell every listener about ``fact`` once this transaction is committed."""
    session.info.setdefault(_ANNOUNCED, []).append(fact)


def tell(told: Iterable[object]) -> None:
    """Tell the listeners of this process about committed facts, in order.

    What a listener raises is logged: the work is committed, and its author must not hear that it failed.
    """
    for fact in told:
        _tell(fact, _listeners)
        if not (_channel_is_up and facts.is_shared(fact)):
            _tell(fact, _listeners_everywhere)


def tell_from_channel(told: Iterable[object]) -> None:
    """Tell those who listen everywhere about facts that came through the channel, this process's own among them."""
    for fact in told:
        _tell(fact, _listeners_everywhere)


def channel_is_up(is_up: bool) -> None:
    """From now on the channel brings shared facts, this process's own too; or it does not, and it is told directly."""
    global _channel_is_up  # noqa: PLW0603 - one channel a process
    _channel_is_up = is_up


def hears() -> bool | None:
    """Whether facts of other processes come through the channel; None on SQLite, where there is no other."""
    return _channel_is_up if engine().dialect.name == "postgresql" else None


def connections() -> tuple[int, int]:
    """How many connections of this process are in use, and how many there are."""
    pool = engine().pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout(), pool.checkedout() + pool.checkedin()


def _tell(fact: object, listeners: list[Callable[[object], None]]) -> None:
    for listener in tuple(listeners):
        try:
            listener(fact)
        except Exception:
            log.exception("a listener failed on %s", type(fact).__name__)


def listen(listener: Callable[[object], None], *, everywhere: bool = False) -> Callable[[], None]:
    """Call ``listener`` with every announced fact after its commit; returns how to stop.

    Listeners run in the committing thread, or in that of the channel: they must be quick.

    Args:
        everywhere: also with the shared facts of other processes, in the order of their commits.
    """
    listeners = _listeners_everywhere if everywhere else _listeners
    listeners.append(listener)
    return lambda: listeners.remove(listener) if listener in listeners else None


def violated(error: IntegrityError) -> str:
    """Name the constraint, index or trigger that refused a statement, the same on both engines."""
    original = error.orig
    diagnosis = getattr(original, "diag", None)
    if diagnosis is not None:
        return diagnosis.constraint_name or ""
    kind, _, name = str(original).partition(" constraint failed: ")
    if kind == "UNIQUE":
        return _unique_name(name)
    return name or kind  # a check's own name, or that of a trigger's RAISE(ABORT, 'name')


def _unique_name(columns: str) -> str:
    """Find the unique index or constraint over ``table.column, ...``, which is all that SQLite says."""
    pairs = [part.strip().split(".") for part in columns.split(",")]
    table = SQLModel.metadata.tables[pairs[0][0]]
    wanted = {column for _, column in pairs}
    unique: list[Index | UniqueConstraint] = [index for index in table.indexes if index.unique]
    unique += [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    for candidate in unique:
        if {column.name for column in candidate.columns} == wanted:
            return str(candidate.name)
    return columns


@cache
def _revisions() -> tuple[str, ...]:
    """The migrations of this version, the last first."""
    scripts = ScriptDirectory(str(Path(__file__).parent.parent / "alembic"))
    return tuple(script.revision for script in scripts.walk_revisions())


def is_migrated(session: OrmSession) -> bool:
    """Say whether the database has every migration of this version.

    It may have more: while a new version is rolled out, the old one goes on beside tables that have been expanded, and
    nothing that it needs is taken away before the version after that (docs/operations.md, "Upgrade").
    """
    revision = revision_of(session.connection())
    return revision is not None and revision not in _revisions()[1:]


def is_newer(connection: Connection) -> bool:
    """Say whether the database was migrated by a later version than this."""
    revision = revision_of(connection)
    return revision is not None and revision not in _revisions()


def revision_of(connection: Connection) -> str | None:
    """The revision to which the database was migrated; None when it has no tables of MHMS."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


COUNTED = 10_000
"""Where counting stops: nobody turns that many pages, and the first page of a million rows stays quick."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list: the rows and how many there are in all, at most ``COUNTED``."""

    rows: tuple[T, ...]
    total: int


def count(session: OrmSession, wanted: Select[Any], values: Mapping[str, Any] | None = None) -> int:
    """Count the rows of a statement without reading them, up to ``COUNTED``; ``values`` are those of its parameters."""
    ones: Select[Any] = wanted.with_only_columns(literal_column("1"), maintain_column_froms=True)
    some = ones.order_by(None).limit(COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some), values) or 0


class Clock:
    """The current instant; tests freeze or move it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """The current instant, aware UTC."""
        return self._frozen or datetime.now(UTC)

    def today(self) -> date:
        """The current day of the clinic, by its own time zone."""
        return self.now().astimezone(settings().zone).date()

    def freeze(self, instant: datetime | None) -> None:
        """Stand still at ``instant``, or run again when it is None."""
        with self._lock:
            self._frozen = instant


clock = Clock()
