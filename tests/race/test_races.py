"""Many people want the same thing at the same moment, in real processes on real databases."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import time as clock_time
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from mhms_app import db
from mhms_app.accounts import sessions
from mhms_app.availability import finding, lists
from mhms_app.availability import rules as slot_rules
from mhms_app.availability import service as availability
from mhms_app.availability.rules import Plan
from mhms_app.booking import rules
from mhms_app.booking import service as booking
from mhms_app.errors import ClinicError
from tests.race.cast import MORNING, Way, attempt, book, cast, count, what_must_never_be
from tests.race.crowd import CONNECTIONS, PROCESSES, Crowd

every_way = pytest.mark.parametrize("way", Way, ids=lambda way: way.name.lower())
REFUSALS = {error.__name__ for error in (rules.SlotTaken, rules.PatientBusy, rules.SlotWithdrawn)}

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@every_way
def test_500_attempts_on_one_slot_have_one_winner(database: str, crowd: Crowd, way: Way) -> None:
    people = cast(patients=50)
    answers = crowd.book(database, [attempt(token, people.slots[0]) for token in people.patients * 10], way=way)
    assert len(answers) == 500
    won = [answer for answer in answers if answer.reference]  # whoever asks again for what they have is given it
    assert len({(answer.attempt.token, answer.reference) for answer in won}) == 1
    assert {answer.refusal for answer in answers if answer not in won} == {"SlotTaken"}
    assert what_must_never_be() == []
    assert [count(f"SELECT count(*) FROM {table}") for table in ("appointment", "outbox_message")] == [1, 1]
    assert count("SELECT count(*) FROM audit_entry WHERE action = 'appointment.book'") == 1


@every_way
def test_patients_who_want_overlapping_slots_get_one_of_them(database: str, crowd: Crowd, way: Way) -> None:
    """Forty slots of eight doctors, all within two hours; everybody tries all of them, from several places at once."""
    people = cast(patients=6, doctors=8, slots=5)
    attempts = [attempt(token, slot_id) for token in people.patients for slot_id in people.slots]
    random.Random(7).shuffle(attempts)
    answers = crowd.book(database, attempts, way=way)
    assert what_must_never_be() == []
    assert {answer.refusal for answer in answers if answer.refusal} <= REFUSALS
    booked = sum(1 for answer in answers if answer.reference)
    assert booked == count("SELECT count(*) FROM appointment") > 0
    # Nobody was refused what they could have had: one after the other they are all refused again.
    assert [a for a in answers if a.refusal and book(attempt(a.attempt.token, a.attempt.slot_id)).reference] == []


@every_way
def test_one_request_from_every_process_is_one_appointment(database: str, crowd: Crowd, way: Way) -> None:
    """A double click, a second tab, a retry after a lost answer: everybody hears the same reference."""
    people = cast(patients=10, slots=10)
    requests = [attempt(token, slot_id) for token, slot_id in zip(people.patients, people.slots, strict=True)]
    answers = crowd.book(database, [request for request in requests for _ in range(PROCESSES * CONNECTIONS)], way=way)
    assert what_must_never_be() == []
    # Only without the locks can anybody be refused while their own request is under way; they then ask again.
    assert way is not Way.SHIPPED or all(answer.reference for answer in answers)
    heard = {(answer.attempt, answer.reference or book(answer.attempt).reference) for answer in answers}
    assert len(heard) == len(requests) == count("SELECT count(*) FROM appointment")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite lets one writer in at a time
def test_the_second_of_two_waits_for_the_first_and_is_refused(database: str) -> None:
    """The narrowest moment, held open: one booking is made but not committed when the other arrives."""
    people = cast(patients=2)
    first, second = (attempt(token, people.slots[0]) for token in people.patients)
    with ThreadPoolExecutor(1) as another:
        with db.transaction() as session:
            actor = sessions.resolve(session, first.token)
            booking.book(session, actor, slot_id=first.slot_id, reason="", key=first.key)
            answer = another.submit(book, second)
            while not (answer.done() or count(WAITING)):
                time.sleep(0.01)
        assert answer.result().refusal == "SlotTaken"
    assert what_must_never_be() == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_is_counted_under_a_lock_is_what_was_committed_before_it(database: str) -> None:
    """A statement that begins, then waits, counts the booking that commits meanwhile."""
    people = cast(patients=1)
    counting = """SELECT pg_advisory_xact_lock(1)::text, upcoming_appointments(id, :now),
        (SELECT count(*) FROM appointment) AS known_at_the_beginning FROM patient"""

    def count_after_waiting() -> tuple[int, int]:
        with db.transaction() as session:
            _, counted, known = session.execute(text(counting), {"now": MORNING}).one()
        return counted, known

    with ThreadPoolExecutor(1) as another:
        with db.transaction() as session:
            session.execute(text("SELECT pg_advisory_xact_lock(1)"))
            answer = another.submit(count_after_waiting)
            while not (answer.done() or count(WAITING)):
                time.sleep(0.01)
            assert book(attempt(people.patients[0], people.slots[0])).reference
        assert answer.result() == (1, 0)


def test_nobody_hoards_appointments_from_many_tabs(database: str, crowd: Crowd) -> None:
    people = cast(patients=4, slots=60)
    wanted = [attempt(people.patients[number % 4], slot_id) for number, slot_id in enumerate(people.slots)]
    answers = crowd.book(database, wanted)
    assert Counter(answer.refusal for answer in answers) == {
        "": 4 * rules.Policy().most_active,
        "TooManyAppointments": 20,
    }


def test_a_booked_slot_is_never_withdrawn_and_a_withdrawn_one_never_booked(database: str, crowd: Crowd) -> None:
    """The doctor's two tabs withdraw and publish again what patients on fourteen connections are booking."""
    people = cast(patients=40, slots=0)
    _publish(people.doctors[0])
    doctor = [partial(_change_slots, people.doctors[0], seed) for seed in range(2)]
    patients = [partial(_book_what_is_free, people.patients, seed) for seed in range(PROCESSES * CONNECTIONS - 2)]
    outcomes = crowd.together(database, [*doctor, *patients])
    withdrawn, booked = sum(outcomes[:2], Counter[str]()), sum(outcomes[2:], Counter[str]())
    assert what_must_never_be() == []
    assert withdrawn["withdrawn"] == count("SELECT count(*) FROM slot WHERE state = 'withdrawn'") > 0
    references = set(booked) - {"TooManyAppointments", *REFUSALS}
    assert len(references) == count("SELECT count(*) FROM slot WHERE state = 'booked'") > 0
    assert all(count(f"SELECT count(*) FROM appointment WHERE reference = '{one}'") == 1 for one in references)
    assert set(withdrawn) <= {"withdrawn", "Conflict", "SlotBooked", "SlotWithdrawn"}


DAY = MORNING.date()
PLAN = Plan(DAY, DAY, clock_time(10), clock_time(18), length=timedelta(minutes=5))


def _publish(token: str) -> None:
    with db.transaction() as session:
        availability.publish(session, sessions.resolve(session, token), plan=PLAN)


def _change_slots(token: str, seed: int) -> Counter[str]:
    """Withdraw some of what looks open, publish it again, and so on; count what came of it."""
    chance, outcomes = random.Random(seed), Counter[str]()
    for _ in range(20):
        with db.transaction(read_only=True) as session:
            week = lists.week_of_doctor(session, sessions.resolve(session, token), monday=DAY)
        some = chance.sample([slot.id for slot in week if slot.state == "open"], k=3)
        try:
            with db.transaction() as session:
                done = availability.withdraw(session, sessions.resolve(session, token), slot_ids=tuple(some))
            outcomes["withdrawn"] += done.withdrawn
            _publish(token)
        except ClinicError as refusal:
            outcomes[type(refusal).__name__] += 1
    return outcomes


def _book_what_is_free(tokens: tuple[str, ...], seed: int) -> Counter[str]:
    """Look at what is free and book some of it; count the answers."""
    chance, outcomes = random.Random(seed), Counter[str]()
    for _ in range(6):
        with db.transaction(read_only=True) as session:
            free = finding.free_slots(session, None, doctor_id=1, first=MORNING, last=MORNING + slot_rules.DAY)
        answer = book(attempt(chance.choice(tokens), chance.choice(free).id))
        outcomes[answer.refusal or answer.reference] += 1
    return outcomes
