"""Busy times and the slots that they close; alone, and at the same moment as a booking."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from mhms_app import db
from mhms_app.actor import Actor
from mhms_app.availability import busy, rules
from mhms_app.availability.models import BusyTime, Slot
from mhms_app.availability.rules import Times
from mhms_app.booking import service as booking
from mhms_app.booking.rules import SlotWithdrawn
from mhms_app.directory.models import Doctor
from tests import builders
from tests.conftest import NOW

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
spans = st.tuples(st.integers(0, 200), st.integers(1, 40)).map(
    lambda pair: (NOW + pair[0] * MINUTE, NOW + sum(pair) * MINUTE)
)


@pytest.fixture
def doctor(database: str, now: datetime) -> Doctor:
    with db.transaction() as session:
        return builders.doctor(session)


def change(doctor: Doctor, events: dict[str, Times | None], *, all_of_them: bool = False) -> tuple[int, ...]:
    with db.transaction() as session:
        return busy.change(session, doctor_id=builders.key(doctor), events=events, all_of_them=all_of_them)


def closed_slots() -> list[int | None]:
    with db.transaction(read_only=True) as session:
        return [slot.id for slot in session.scalars(select(Slot).order_by(Slot.id)) if slot.busy]


@given(st.lists(spans))
def test_merged_times_are_the_same_time_in_order_and_apart(times: list[Times]) -> None:
    merged = rules.merged(times)
    assert all(before[1] < after[0] for before, after in pairwise(merged))

    def within(parts: list[Times] | tuple[Times, ...], at: datetime) -> bool:
        return any(starts_at <= at < ends_at for starts_at, ends_at in parts)

    for minutes in range(0, 245, 5):
        at = NOW + minutes * MINUTE
        assert within(merged, at) == within(times, at)


def test_a_slot_is_closed_as_long_as_something_overlaps_it(doctor: Doctor, now: datetime) -> None:
    at = now + timedelta(days=1)
    with db.transaction() as session:
        slot = builders.key(builders.slot(session, doctor, at, minutes=20))
        others = builders.key(builders.slot(session, builders.doctor(session), at))
    touching: dict[str, Times | None] = {"before": (at - HOUR, at), "after": (at + 20 * MINUTE, at + HOUR)}
    assert (change(doctor, touching), closed_slots()) == ((), [])
    change(doctor, {"a": (at - HOUR, at + MINUTE), "b": (at + 19 * MINUTE, at + HOUR)})
    assert (closed_slots(), others in closed_slots()) == ([slot], False)
    assert (change(doctor, {"a": None}), closed_slots()) == ((), [slot])
    assert (change(doctor, {"b": (at + HOUR, at + 2 * HOUR)}), closed_slots()) == ((slot,), [])


def test_what_is_not_named_is_over_when_all_are_named(doctor: Doctor, now: datetime) -> None:
    at = now + timedelta(days=1)
    with db.transaction() as session:
        builders.slot(session, doctor, at)
    change(doctor, {"a": (at, at + HOUR)})
    change(doctor, {"b": (at + HOUR, at + 2 * HOUR)}, all_of_them=True)
    assert closed_slots() == []
    change(doctor, {"past": (now - 9 * timedelta(days=1), now - 8 * timedelta(days=1))})
    with db.transaction(read_only=True) as session:
        assert [row.event_id for row in session.scalars(select(BusyTime))] == ["b"]


@pytest.mark.parametrize("repetition", range(3))
def test_a_booking_and_a_busy_time_at_the_same_moment(doctor: Doctor, now: datetime, repetition: int) -> None:
    at = now + timedelta(days=1)
    with db.transaction() as session:
        slots = [builders.key(builders.slot(session, doctor, at + number * HOUR)) for number in range(6)]
        patients = [builders.actor(session, builders.patient(session)) for _ in slots]
    barrier = threading.Barrier(len(slots) + 1)
    booked: list[int] = []
    refused: list[int] = []

    def book(patient: Actor, slot_id: int) -> None:
        barrier.wait()
        try:
            with db.transaction() as session:
                booking.book(session, patient, slot_id=slot_id, reason="", key=str(uuid4()))
        except SlotWithdrawn:
            refused.append(slot_id)
        else:
            booked.append(slot_id)

    def close() -> None:
        barrier.wait()
        change(doctor, {"trip": (at, at + timedelta(days=1))})

    threads = [threading.Thread(target=book, args=pair) for pair in zip(patients, slots, strict=True)]
    threads.append(threading.Thread(target=close))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(booked + refused) == slots  # one legal outcome each, and nobody met a deadlock
    assert closed_slots() == slots
    with db.transaction(read_only=True) as session:
        states = {slot.id: slot.state for slot in session.scalars(select(Slot))}
    assert {key for key, state in states.items() if state == "booked"} == set(booked)
