# What the rule of times.yml finds, and what it lets through.
import datetime as dt
from datetime import UTC, date, datetime


def found(seconds):
    # ruleid: time-without-a-zone
    datetime.now()
    # ruleid: time-without-a-zone
    datetime.utcnow()
    # ruleid: time-without-a-zone
    dt.datetime.now()
    # ruleid: time-without-a-zone
    datetime.fromtimestamp(seconds)
    # ruleid: time-without-a-zone
    datetime.utcfromtimestamp(seconds)
    # ruleid: time-without-a-zone
    date.today()


def let_through(clock, seconds, when, zone):
    # ok: time-without-a-zone
    datetime.now(UTC)
    # ok: time-without-a-zone
    clock.now()
    # ok: time-without-a-zone
    datetime.fromtimestamp(seconds, UTC)
    # ok: time-without-a-zone
    when.astimezone(zone).date()
    # ok: time-without-a-zone
    when.replace(microsecond=0)
