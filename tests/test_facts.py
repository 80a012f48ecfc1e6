"""What workers tell each other, and in which words."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mhms_app import db, facts
from mhms_app.accounts.sessions import SessionsEnded, hash_token
from mhms_app.availability.slots import ANY_FREE_TIME, SlotRow, SlotsChanged, free_times
from mhms_app.booking.news import ANY_PATIENT, PatientChanged, of_patient
from mhms_app.notifications.service import OutboxChanged

NINE = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
keys = some.integers(1, 2**31 - 1)
rows = some.builds(SlotRow, keys, keys, some.just(NINE), some.just(NINE), some.just("open"))
changes = some.builds(SlotsChanged, keys, some.lists(keys).map(tuple), some.booleans(), some.lists(rows).map(tuple))


@given(some.lists(changes | some.builds(PatientChanged, keys), max_size=20))
def test_what_is_told_is_what_is_heard(told: list[object]) -> None:
    payloads = list(facts.encode(told))
    assert [fact for payload in payloads for fact in facts.decode(payload)] == told
    assert all(len(payload.encode()) < 8000 for payload in payloads)


def test_what_concerns_this_process_alone_does_not_travel() -> None:
    assert list(facts.encode([OutboxChanged(), "anything"])) == []


def test_what_is_too_long_for_a_payload_is_told_in_parts_and_nothing_is_lost() -> None:
    ended = SessionsEnded(frozenset(hash_token(str(number)) for number in range(500)))
    change = SlotsChanged(7, tuple(range(5000)), came=True)
    payloads = list(facts.encode([ended, change]))
    assert all(len(payload.encode()) < 8000 for payload in payloads)
    heard = [fact for payload in payloads for fact in facts.decode(payload)]
    hashes = [fact.token_hashes for fact in heard if isinstance(fact, SessionsEnded)]
    parts = [fact for fact in heard if isinstance(fact, SlotsChanged)]
    assert frozenset().union(*hashes) == ended.token_hashes
    assert sorted(slot_id for part in parts for slot_id in part.gone) == list(range(5000))
    assert {(part.doctor_id, part.came) for part in parts} == {(7, True)}


def test_what_only_a_newer_version_knows_is_left_out() -> None:
    assert facts.decode('[["of tomorrow", {"x": 1}], ["patient", {"patient_id": 3}]]') == [PatientChanged(3)]


@pytest.mark.parametrize("payload", ["", "no json", "[1]", '[["patient", {}]]', '[["slots", {"doctor_id": "x"}]]'])
def test_what_cannot_be_read_is_refused(payload: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        facts.decode(payload)


def test_a_fact_names_whom_it_is_news_for() -> None:
    checked_in = SlotsChanged(7, gone=(), came=False)
    assert free_times(7) not in checked_in.topics
    assert {free_times(7), ANY_FREE_TIME} <= set(SlotsChanged(7, gone=(1,), came=False).topics)
    assert PatientChanged(3).topics == (of_patient(3), ANY_PATIENT)


def test_the_wire_is_what_the_guarded_statement_writes() -> None:
    """``booking.statement`` builds its payload in SQL; ``tests.live.test_channel`` hears it."""
    (payload,) = facts.encode([SlotsChanged(7, gone=(5,), came=False), PatientChanged(3)])
    slots, patient = json.loads(payload)
    assert slots == ["slots", {"doctor_id": 7, "gone": [5], "came": False, "freed": []}]
    assert patient == ["patient", {"patient_id": 3}]
    assert db.CHANNEL == "mhms"
