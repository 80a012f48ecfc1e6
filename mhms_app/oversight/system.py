"""Is everything well, and if not, what to do: the same sentences for /admin/system and ``cli check``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlmodel import Session

from mhms_app import routes
from mhms_app.actor import Actor, Role, require_role
from mhms_app.oversight import figures
from mhms_app.oversight.figures import Figures
from mhms_app.settings import settings

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
MAIL_IS_LATE, MAIL_STANDS = 5 * _MINUTE, 15 * _MINUTE
SEALS_ARE_LATE = 10 * _MINUTE
SLOW = 0.25  # seconds, for the database's answer or the event loop
CROWDED = 100  # events and services that wait in one worker
LITTLE_ROOM, NO_ROOM = 2 * 1024**3, 200 * 1024**2  # bytes
GUESSING = 100  # refused logins in an hour

TASKS = {  # what runs by itself: its name, and how long it may be silent
    "mail": ("Sending e-mail", 5 * _MINUTE),
    "reminders": ("Reminders", 5 * _MINUTE),
    "summaries": ("Summaries of doctors' days", 5 * _MINUTE),
    "waiting list": ("The waiting list", 5 * _MINUTE),
    "leaves": ("Finishing leaves", 5 * _MINUTE),
    "holds": ("Ending holds", 5 * _MINUTE),
    "sessions": ("Ending sessions", 5 * _MINUTE),
    "working hours": ("Publishing working hours", 2 * _HOUR),
    "seals": ("Sealing the audit trail", 5 * _MINUTE),
    "tidying": ("Verifying the trail, removing what is too old", 2 * _HOUR),
    "calendars": ("Google calendars", 5 * _MINUTE),
}


class Mood(StrEnum):
    """How something stands."""

    WELL = "well"
    ATTENTION = "attention"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        words: how it stands, in whole sentences.
        advice: what to do; ``""`` when it is well.
        path: the page where one does it, or ``""``.
    """

    name: str
    words: str
    mood: Mood = Mood.WELL
    advice: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """How everything stands, with what that means."""

    figures: Figures
    findings: tuple[Finding, ...]


def look(session: Session, actor: Actor | None) -> System:
    """How everything stands, for an administrator."""
    require_role(actor, Role.ADMIN)
    found = figures.read(session)
    return System(found, judge(found))


def judge(found: Figures) -> tuple[Finding, ...]:
    """What the figures mean."""
    return tuple(_judge(found))


def _judge(found: Figures) -> Iterator[Finding]:
    yield _database(found)
    yield _mail(found)
    yield _workers(found)
    yield _tasks(found)
    yield _trail(found)
    if longest := settings().backup_max_age_days:
        yield _backup(found, longest=timedelta(days=longest))
    if found.redis is not None:
        yield _redis(found.redis)
    if deaf := [worker for worker in found.alive if worker.numbers.hears is False]:
        yield Finding(
            "Live screens",
            f"{_count(len(deaf), 'worker')} do{'es' if len(deaf) == 1 else ''} not hear what others change.",
            Mood.ATTENTION,
            "Open pages there are behind until they are loaded again. The connection is tried all the time: if this "
            "stays, look whether MHMS_DATABASE_DIRECT_URL reaches the database itself, past any pooler.",
        )
    yield _logins(found)
    yield _policy(found)


def _database(found: Figures) -> Finding:
    database = found.database
    stands = f"{database.name} answers in {max(1, round(database.seconds * 1000))} ms and holds {size(database.size)}."
    if database.room is not None and database.room < LITTLE_ROOM:
        return Finding(
            "Database",
            f"{stands} There is room for {size(database.room)} more on the disk.",
            Mood.BROKEN if database.room < NO_ROOM else Mood.ATTENTION,
            "Make room on the disk: when it is full, nothing can be booked.",
        )
    if database.seconds > SLOW:
        return Finding("Database", stands, Mood.ATTENTION, "It is slow: look at its load, its disk and the way there.")
    return Finding("Database", stands)


def _mail(found: Figures) -> Finding:
    outbox = found.outbox
    age = found.at - outbox.oldest_waiting_at if outbox.oldest_waiting_at else timedelta()
    waiting = f"{_count(outbox.waiting, 'message')} wait{'s' if outbox.waiting == 1 else ''}"
    path = routes.with_query(routes.ADMIN_EMAILS, state="waiting")
    if age > MAIL_IS_LATE:
        return Finding(
            "E-mail",
            f"{waiting}, the oldest for {lasting(age)}.",
            Mood.BROKEN if age > MAIL_STANDS else Mood.ATTENTION,
            "Nothing is lost: each is tried again. Look at the last errors there, and whether the e-mail service "
            "answers (python -m mhms_app.cli check).",
            path,
        )
    if outbox.dead:
        one = outbox.dead == 1
        return Finding(
            "E-mail",
            f"{_count(outbox.dead, 'message')} {'was' if one else 'were'} given up: every attempt has failed.",
            Mood.ATTENTION,
            f"Open {'it' if one else 'them'}, correct the cause, and send again.",
            routes.with_query(routes.ADMIN_EMAILS, state="dead"),
        )
    last = f"The last one was sent {lasting(found.at - outbox.last_sent_at)} ago." if outbox.last_sent_at else ""
    return Finding("E-mail", f"{waiting}." if outbox.waiting else f"Nothing is waiting. {last}".strip())


def _workers(found: Figures) -> Finding:
    alive = found.alive
    if not alive:
        return Finding("Workers", "None has spoken for a minute.", Mood.ATTENTION, "Start the app, or wait for it.")
    machines, tabs = {worker.machine for worker in alive}, sum(worker.numbers.sockets for worker in alive)
    stands = f"{_count(len(alive), 'worker')} on {_count(len(machines), 'machine')}, {_count(tabs, 'open tab')}."
    lag, waiting = (max(values) for values in zip(*((w.numbers.lag, w.numbers.waiting) for w in alive), strict=True))
    if lag > SLOW or waiting > CROWDED:
        return Finding(
            "Workers",
            f"{stands} One is late by {lag * 1000:.0f} ms, with {_count(waiting, 'thing')} waiting there.",
            Mood.ATTENTION,
            "More is asked than they can answer: look at the load of the machines, and add workers if it stays.",
        )
    return Finding("Workers", stands)


def _tasks(found: Figures) -> Finding:
    beats, begun = found.beats, min((worker.started_at for worker in found.alive), default=found.at)
    silent = [
        name
        for task, (name, longest) in TASKS.items()
        if runs(task) and found.at - max(beats.get(task, begun), begun) > longest
    ]
    if silent:
        return Finding(
            "Tasks",
            f"Not done for too long: {', '.join(silent)}.",
            Mood.ATTENTION,
            "They are tried again by themselves. The log says what keeps them: look for warnings that begin with their "
            "names; restart the app when there are none.",
        )
    return Finding("Tasks", "Everything that runs by itself has run in time.")


def runs(task: str) -> bool:
    """Whether this clinic has any use for the task."""
    return task != "calendars" or settings().has_google


def _trail(found: Figures) -> Finding:
    if found.check and found.check.problem:
        return Finding(
            "Audit trail",
            f"It is not whole: {found.check.problem}",
            Mood.BROKEN,
            "Keep the database as it is, compare with a backup, and look at who had access (docs/operations.md).",
            routes.ADMIN_AUDIT,
        )
    if found.unsealed_since and found.at - found.unsealed_since > SEALS_ARE_LATE:
        return Finding(
            "Audit trail",
            f"The oldest entry without a seal is {lasting(found.at - found.unsealed_since)} old.",
            Mood.ATTENTION,
            "It is sealed by itself while the app runs: the log says what keeps it.",
            routes.ADMIN_AUDIT,
        )
    whole = f", and was whole {lasting(found.at - found.check.at)} ago" if found.check else ""
    return Finding("Audit trail", f"It is sealed up to position {found.sealed_to}{whole}.")


def _backup(found: Figures, *, longest: timedelta) -> Finding:
    age = found.at - found.backed_up_at if found.backed_up_at else None
    stands = f"The last one was made {lasting(age)} ago." if age is not None else "None was ever made."
    if age is None or age > longest:
        return Finding(
            "Backup",
            stands,
            Mood.ATTENTION,
            "Let a timer run python -m mhms_app.cli backup. Where the database is saved otherwise, say so with "
            "MHMS_BACKUP_MAX_AGE_DAYS=0 (docs/operations.md).",
        )
    return Finding("Backup", stands)


def _redis(answers: bool) -> Finding:
    if answers:
        return Finding("Redis", "It answers.")
    return Finding(
        "Redis",
        "It does not answer.",
        Mood.BROKEN,
        "Pages wait until it is back; nothing that was booked is in it. Start it, and look at MHMS_REDIS_URL.",
    )


def _logins(found: Figures) -> Finding:
    total, now = sum(found.refused), max(found.refused[-2:], default=0)
    stands = f"{_count(total, 'login')} of the last day {'was' if total == 1 else 'were'} refused."
    if now > GUESSING:
        return Finding(
            "Logins",
            f"{stands} Of those {now} within an hour.",
            Mood.ATTENTION,
            "Somebody may be guessing: the throttle slows them down, and locks nobody out. The trail says from where.",
            routes.with_query(routes.ADMIN_AUDIT, group="signing-in"),
        )
    return Finding("Logins", stands if total else "No login of the last day was refused.")


def _policy(found: Figures) -> Finding:
    """Anybody can send a report, and extensions of browsers cause some: they are told, and worry nobody."""
    told = ", ".join(str(seen) for seen in found.violations[:3])
    stands = f"Browsers reported breaches: {told}." if told else "No browser has reported a breach."
    return Finding("Content policy", stands)


def size(number: float) -> str:
    """ "640 kB", "1.2 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit in ("B", "kB") or number >= 10 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def lasting(time: timedelta) -> str:
    """ "40 seconds", "3 minutes", "5 hours", "2 days"."""
    seconds = max(0, int(time.total_seconds()))
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            return _count(seconds // length, unit)
    return _count(seconds, "second")


def _count(number: int, one: str) -> str:
    return f"{number} {one if number == 1 else one + 's'}"
