"""A doctor's week as a visitor sees it, and what happens to it while they look; without a browser."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from sqlmodel import Session

from mhms_app import db
from mhms_app.accounts import sessions
from mhms_app.availability.finding import BookableWeek
from mhms_app.availability.models import Slot
from mhms_app.availability.slots import SlotRow, SlotsChanged
from mhms_app.booking import service as booking
from mhms_app.directory.service import DoctorRow
from mhms_app.facts import LookAgain
from mhms_app.live.hub import hub
from mhms_app.web import bridge
from mhms_app.web.public import doctor_week
from mhms_app.web.public.doctor_profile import Profile
from mhms_app.web.public.doctor_week import Day, Time
from tests import builders

MONDAY = date(2026, 11, 23)
NINE = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)  # Tuesday, 09:00 in Berlin
DOCTOR = DoctorRow(7, 1, "Dr. Amira Haddad", "Consultant", "", "German", 3, "Cardiology", "Building B", approved=True)


def slot(key: int, starts_at: datetime) -> SlotRow:
    return SlotRow(key, DOCTOR.id, starts_at, starts_at + timedelta(minutes=20), "open")


NINE_OCLOCK, TEN, TWO = slot(1, NINE), slot(2, NINE + timedelta(hours=1)), slot(3, NINE + timedelta(hours=5))

NEXT_WEEK = slot(8, NINE + timedelta(days=7))


@pytest.fixture
def profile(now: datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Profile]:
    """The page with Tuesday's three slots."""
    screen = Profile()
    screen._doctor_id = DOCTOR.id
    found = BookableWeek(DOCTOR, MONDAY, (NINE_OCLOCK, TEN, TWO), NEXT_WEEK, None)
    monkeypatch.setattr(bridge, "look", AsyncMock(return_value=found))
    screen._show(found, 0)
    yield screen
    hub.leave(screen)


def times(profile: Profile) -> list[tuple[str, bool]]:
    return [(shown.clock, shown.taken) for day in profile.days for shown in (*day.morning, *day.afternoon)]


def hear(profile: Profile, *gone: SlotRow, came: tuple[SlotRow, ...] = (), freed: tuple[SlotRow, ...] = ()) -> None:
    """What the hub does after a change: the room looks, and whoever stands apart is told."""
    known = {slot.id: slot for slot in (*bridge.look.return_value.free, *came, *freed)}  # type: ignore[attr-defined]
    free = tuple(sorted((s for s in known.values() if s not in gone), key=lambda slot: slot.starts_at))
    bridge.look.return_value = BookableWeek(DOCTOR, MONDAY, free, NEXT_WEEK, None)  # type: ignore[attr-defined]
    change = SlotsChanged(DOCTOR.id, tuple(slot.id for slot in gone), came=bool(came), freed=freed)
    look(profile, [change])


def look(profile: Profile, news: list[Any]) -> None:
    for name, value in asyncio.run(profile._week.look(news, AsyncMock())).items():
        setattr(profile, name, value)
    if profile._slot or profile._own:
        asyncio.run(profile._on_change(news))


def test_a_slot_is_named_by_its_time_first(profile: Profile) -> None:
    assert profile.days[1].morning[0] == Time(1, "09:00", "09:00, Tue 24 Nov")
    assert (profile.title, profile.zone, profile.day) == ("23 – 27 November", "Berlin time (CET)", 1)


def test_a_chosen_time_is_in_the_zone_of_its_own_day() -> None:
    at = datetime(2026, 10, 23, 8, 0, tzinfo=UTC)
    summer = SlotRow(9, 1, at, at + timedelta(minutes=20), "open")
    assert doctor_week.choice_of(summer, summer.starts_at).zone == "Berlin time (CEST)"


def test_days_are_monday_to_friday_unless_the_weekend_has_slots() -> None:
    def shown(*slots: SlotRow) -> list[Day]:
        return doctor_week.days_of(MONDAY, slots, frozenset(), today=MONDAY + timedelta(days=1))

    assert [day.weekday for day in shown(TEN)] == ["Mon", "Tue", "Wed", "Thu", "Fri"]
    assert [day.weekday for day in shown(slot(9, NINE + timedelta(days=4)))][-1] == "Sat"
    assert [(day.count, day.past, day.today) for day in shown(TEN)][:3] == [
        ("–", True, False),
        ("1", False, True),
        ("–", False, False),
    ]


def test_a_taken_slot_is_struck_through_and_then_gone(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    hear(profile, TEN)
    assert times(profile) == [("09:00", False), ("10:00", True), ("14:00", False)]
    assert (profile.days[1].count, profile.problem) == ("2", "")
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)
    look(profile, [])
    assert times(profile) == [("09:00", False), ("14:00", False)]


def test_whoever_had_chosen_it_hears_of_it_and_is_offered_what_follows(profile: Profile) -> None:
    profile._choose(TEN)
    profile._remember("Palpitations")
    hear(profile, TEN)
    assert profile.problem == profile.spoken == "10:00 has just been taken."
    assert [time.clock for time in profile.offers] == ["Tue 24 Nov, 14:00"]
    assert profile.reason == "Palpitations"


def test_a_chosen_slot_of_another_week_is_watched_too(profile: Profile) -> None:
    profile._choose(slot(9, NINE + timedelta(days=7)))
    hear(profile, slot(9, NINE))
    assert profile.problem == "09:00 has just been taken."


def test_what_somebody_holds_themselves_stays_free_for_them(profile: Profile) -> None:
    profile._choose(TEN)
    profile._own = (TEN,)
    hear(profile, TEN)
    assert (profile.problem, ("10:00", False) in times(profile)) == ("", True)
    assert TEN not in profile._week.free


def test_published_times_are_offered_until_they_are_asked_for(profile: Profile) -> None:
    three = slot(4, NINE + timedelta(hours=6))
    hear(profile, came=(three,))
    look(profile, [])
    assert (profile.news, ("15:00", False) in times(profile)) == (True, False)
    profile._show(bridge.look.return_value, hub.heard)  # type: ignore[attr-defined]
    assert (profile.news, ("15:00", False) in times(profile)) == (False, True)


def test_a_freed_slot_comes_back_by_itself(profile: Profile) -> None:
    hear(profile, TEN)
    hear(profile, freed=(TEN,))
    assert (profile.news, ("10:00", False) in times(profile)) == (False, True)


def test_what_was_missed_is_found_out(profile: Profile) -> None:
    profile._choose(TEN)
    bridge.look.return_value = BookableWeek(DOCTOR, MONDAY, (NINE_OCLOCK, TWO), NEXT_WEEK, None)  # type: ignore[attr-defined]
    look(profile, [LookAgain()])
    assert profile.problem == "10:00 has just been taken."


def test_a_slot_keeps_its_key_and_another_gets_a_new_one(profile: Profile) -> None:
    profile._choose(TEN)
    first = profile._key
    profile._choose(TEN)
    assert profile._key == first
    profile._choose(TWO)
    assert profile._key != first


def test_the_ways_in_lead_back_to_the_week_and_the_slot(profile: Profile) -> None:
    profile._choose(TEN)
    assert profile.address == "/doctors/7?week=2026-11-23&slot=2"
    assert profile.login_path == "/login?next=%2Fdoctors%2F7%3Fweek%3D2026-11-23%26slot%3D2"


@pytest.mark.parametrize(("length", "said"), [(399, ""), (450, "50 characters left"), (501, "1 character too many")])
def test_the_room_for_a_reason_is_told_when_it_gets_little(profile: Profile, length: int, said: str) -> None:
    profile._remember("x" * length)
    assert profile.room == said


def test_what_is_gone_is_taken_away_without_asking_the_database(profile: Profile) -> None:
    look(profile, [SlotsChanged(DOCTOR.id, (TEN.id,), came=False)])
    look(profile, [])
    assert times(profile) == [("09:00", False), ("10:00", True), ("14:00", False)]
    assert bridge.look.call_count == 0  # type: ignore[attr-defined]


def test_when_the_next_free_time_is_gone_the_one_after_it_is_named(profile: Profile) -> None:
    """In the week itself it is known; further on the database knows."""
    profile._show(BookableWeek(DOCTOR, MONDAY, (NINE_OCLOCK, TEN), NINE_OCLOCK, None), hub.heard)
    look(profile, [SlotsChanged(DOCTOR.id, (NINE_OCLOCK.id,), came=False)])
    assert (profile.following.id, bridge.look.call_count) == (TEN.id, 0)  # type: ignore[attr-defined]
    bridge.look.return_value = BookableWeek(DOCTOR, MONDAY, (), NEXT_WEEK, None)  # type: ignore[attr-defined]
    look(profile, [SlotsChanged(DOCTOR.id, (TEN.id,), came=False)])
    assert (profile.following.id, bridge.look.call_count) == (NEXT_WEEK.id, 1)  # type: ignore[attr-defined]


def test_whoever_steps_apart_is_drawn_what_the_room_was_told_meanwhile(profile: Profile) -> None:
    """The room speaks past the State of a tab: what that knew before says nothing about what the tab shows."""
    gone, freed = SlotsChanged(DOCTOR.id, (TEN.id,), came=False), SlotsChanged(DOCTOR.id, (), False, (TEN,))
    asyncio.run(profile._week.look([gone], AsyncMock()))
    profile._choose(TWO)
    asyncio.run(profile._week.look([freed], AsyncMock()))
    profile._clean()
    asyncio.run(profile._on_change([freed]))
    assert "days" in profile.dirty_vars
    profile._clean()
    asyncio.run(profile._on_change([]))
    assert "days" not in profile.dirty_vars


def test_a_refused_slot_lets_go_of_the_one_before(
    session: Session, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor, jo = builders.doctor(session), builders.patient(session)
    slots = [builders.slot(session, doctor, NINE + hours * timedelta(hours=1)) for hours in range(2)]
    held, taken = map(builders.key, slots)
    token = sessions.open_session(session, user_id=jo.user_id)
    rita = builders.actor(session, builders.patient(session, name="Rita Berg"))
    session.commit()
    monkeypatch.setattr(bridge, "session_token", lambda _screen: token)
    screen = Profile()

    async def choose_both() -> list[str]:
        await bridge.admit(screen)
        screen._doctor_id = builders.key(doctor)
        await screen._turn_to(MONDAY)
        await screen._pick(held)
        before = state_of(held)
        with db.transaction() as session:
            booking.book(session, rita, slot_id=taken, reason="", key="1")
        await screen._pick(taken)
        return [before, state_of(held), state_of(taken)]

    assert asyncio.run(choose_both()) == ["held", "open", "booked"]
    assert "has just been taken" in screen.problem
    hub.leave(screen)


def state_of(slot_id: int) -> str:
    with db.transaction(read_only=True) as session:
        return session.get_one(Slot, slot_id).state
