"""The demo clinic: enough believable people, slots and appointments for the first minute to convince.

It is the same clinic every time, relative to the day it is loaded on. Rows are written directly, so nobody
in it is sent an e-mail.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import chain
from math import sin
from random import Random
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import insert
from sqlmodel import Session, SQLModel, col, select

from mhms_app import db
from mhms_app.accounts import passwords
from mhms_app.accounts.models import Patient, User
from mhms_app.accounts.rules import search_key
from mhms_app.actor import Role
from mhms_app.audit import service as audit
from mhms_app.availability import rules
from mhms_app.availability.models import HoursException, Slot, SlotState, WorkingHours
from mhms_app.booking.models import Appointment, Status
from mhms_app.directory.models import Department, Doctor
from mhms_app.settings import settings

PASSWORD = "linden-tree-over-water"  # noqa: S105 - public on purpose; production refuses the demo clinic
ADMIN, DOCTOR, PATIENT = "admin@clinic.example", "doctor@clinic.example", "patient@clinic.example"

DAYS_BEHIND, DAYS_AHEAD = 56, 28
WEEKDAYS, EVERY_DAY = frozenset(range(5)), rules.EVERY_DAY


LUNCH = ((time(12, 30), time(13, 15)),)


class Hours(NamedTuple):
    """How a doctor works: on which days, from when until when, in slots of so many minutes."""

    weekdays: frozenset[int]
    start: time
    end: time
    minutes: int
    breaks: tuple[rules.Break, ...] = ()


EARLY = Hours(WEEKDAYS, time(8), time(14), 20)
FULL = Hours(WEEKDAYS, time(8, 30), time(16, 30), 30, LUNCH)
LATE = Hours(WEEKDAYS, time(12), time(18, 30), 25)
LONG_TALKS = Hours(frozenset({0, 1, 3}), time(9), time(16), 40, LUNCH)
MORNINGS = Hours(frozenset({0, 2, 3, 4}), time(8, 20), time(12, 20), 20)
AFTERNOONS = Hours(frozenset({0, 1, 2, 3}), time(13), time(18), 30)
TWO_DAYS = Hours(frozenset({1, 4}), time(9), time(17), 30, LUNCH)
QUICK = Hours(WEEKDAYS, time(9), time(15), 15, LUNCH)
EVERY_MORNING = Hours(EVERY_DAY, time(8), time(14), 20)
EVERY_EVENING = Hours(EVERY_DAY, time(13), time(21), 20, ((time(17), time(17, 40)),))
# The hours of the demo doctor, who is busy on whatever day somebody looks.
SHOWN = Hours(EVERY_DAY, time(8, 20), time(17), 20, ((time(12, 20), time(13, 20)),))


class Person(NamedTuple):
    """A doctor of the demo clinic."""

    name: str
    title: str
    languages: str
    hours: Hours
    bio: str


class Unit(NamedTuple):
    """A department of the demo clinic: what patients come with, and its doctors."""

    name: str
    location: str
    description: str
    reasons: tuple[str, ...]
    doctors: tuple[Person, ...]


UNITS = (
    Unit(
        "Cardiology",
        "Building B, 2nd floor",
        "Heart rhythm, blood pressure and everything that makes a heart beat out of turn.",
        (
            "Follow-up, blood pressure diary",
            "Palpitations since last week",
            "ECG result",
            "Shortness of breath on stairs",
            "Check of the new tablets",
            "Tightness in the chest when cycling",
        ),
        (
            Person(
                "Dr. Amira Haddad",
                "Consultant cardiologist",
                "English, Arabic, German",
                SHOWN,
                "Heart rhythm and high blood pressure. Draws every finding on paper, and gives you the drawing.",
            ),
            Person(
                "Dr. Matthias Keller",
                "Interventional cardiologist",
                "German, English",
                EARLY,
                "Has looked at coronary arteries for twenty years, and at patients for just as long. "
                "Swims before work.",
            ),
            Person(
                "Dr. Nkechi Eze",
                "Heart failure specialist",
                "English, Igbo, French",
                AFTERNOONS,
                "Builds a plan that fits into an ordinary week. Her patients know their numbers by heart.",
            ),
            Person(
                "Dr. Pavel Dvořák",
                "Cardiac imaging",
                "Czech, German, English",
                LONG_TALKS,
                "Echocardiography with time for questions. You see on the screen what he sees.",
            ),
        ),
    ),
    Unit(
        "Orthopedics",
        "Building A, ground floor",
        "Joints, backs and broken bones, with physiotherapy next door.",
        (
            "Knee pain when going downstairs",
            "Six weeks after the fracture",
            "Shoulder will not lift above the head",
            "Lower back pain, third week",
            "Second opinion before surgery",
            "Ankle twisted at football",
        ),
        (
            Person(
                "Dr. Samuel Okafor",
                "Knee and hip surgeon",
                "English, German",
                FULL,
                "Operates when exercise no longer helps, and says so when it still does. Former handball player.",
            ),
            Person(
                "Dr. Ingrid Solheim",
                "Shoulder and elbow surgeon",
                "Norwegian, German, English",
                MORNINGS,
                "Shoulders, mostly those of climbers and carpenters. Likes short letters and clear exercises.",
            ),
            Person(
                "Dr. Rafael Mendes",
                "Spine specialist",
                "Portuguese, Spanish, English",
                AFTERNOONS,
                "Most backs recover without a knife. He explains how, and checks that it happens.",
            ),
            Person(
                "Dr. Yuki Tanaka",
                "Sports medicine physician",
                "Japanese, English",
                LATE,
                "From weekend runners to a volleyball team. Evening hours, so that nobody misses school.",
            ),
        ),
    ),
    Unit(
        "Pediatrics",
        "Garden House",
        "From the first check-up to the last growing pain, with toys in the waiting room.",
        (
            "Check-up at eighteen months",
            "Cough that comes back at night",
            "Vaccination",
            "Rash after nursery",
            "Growing pains in both legs",
            "Ear ache since yesterday",
        ),
        (
            Person(
                "Dr. Lilla Varga",
                "Pediatrician",
                "Hungarian, German, English",
                EARLY,
                "Talks to the child first and to the parents second. Keeps a drawer of stickers for brave and "
                "less brave patients.",
            ),
            Person(
                "Dr. Kwame Asante",
                "Pediatrician, allergies and asthma",
                "English, Twi, German",
                FULL,
                "Helps children breathe through spring. Father of three, so not easily shocked.",
            ),
            Person(
                "Dr. Sofia Rinaldi",
                "Child development specialist",
                "Italian, English, German",
                LONG_TALKS,
                "Sleep, speech and school. Her appointments are long because children do not hurry.",
            ),
            Person(
                "Dr. Min-jun Seo",
                "Pediatrician",
                "Korean, English",
                LATE,
                "Late hours for families who work. Explains fever in one page.",
            ),
        ),
    ),
    Unit(
        "Dermatology",
        "Building C, 1st floor",
        "Skin, hair and nails, and a careful look at every mole.",
        (
            "Mole has changed its colour",
            "Yearly skin check",
            "Eczema on both hands",
            "Itching for a month",
            "Acne, treatment does not help",
            "Result of the sample",
        ),
        (
            Person(
                "Dr. Elif Yıldız",
                "Dermatologist",
                "Turkish, German, English",
                QUICK,
                "Skin cancer screening with a steady hand. Fifteen minutes are enough for most worries.",
            ),
            Person(
                "Dr. Henrik Lindqvist",
                "Dermatologist, eczema and psoriasis",
                "Swedish, English",
                MORNINGS,
                "Long-standing eczema is his daily work. Prefers one good cream to five.",
            ),
            Person(
                "Dr. Aisha Rahman",
                "Dermatologist and allergologist",
                "English, Bengali, Urdu",
                AFTERNOONS,
                "Finds out what the skin objects to. Runs the allergy laboratory on the same floor.",
            ),
            Person(
                "Dr. Gonzalo Prieto",
                "Skin surgeon",
                "Spanish, English, German",
                TWO_DAYS,
                "Removes what should not stay, with small scars. Paints watercolours at weekends.",
            ),
        ),
    ),
    Unit(
        "Neurology",
        "Building B, 4th floor",
        "Headache, nerves and memory, explained without jargon.",
        (
            "Migraine twice a week",
            "Tingling in the left hand",
            "Dizzy when standing up",
            "Memory, my daughter comes along",
            "Follow-up after the scan",
            "Tremor when writing",
        ),
        (
            Person(
                "Dr. Helena Brandt",
                "Consultant neurologist",
                "German, English",
                FULL,
                "Headache and migraine. Believes a good diary is worth more than a bad scan.",
            ),
            Person(
                "Dr. Arjun Nair",
                "Movement disorders specialist",
                "Malayalam, Hindi, English",
                LONG_TALKS,
                "Parkinson's disease and tremor. Measures progress in buttons closed and letters written.",
            ),
            Person(
                "Dr. Zofia Kamińska",
                "Neurologist, memory clinic",
                "Polish, German, English",
                MORNINGS,
                "Memory problems, with the family at the table. Never rushes an answer.",
            ),
            Person(
                "Dr. Tariq Aziz",
                "Nerve and muscle specialist",
                "Arabic, English, French",
                LATE,
                "Finds out why a hand falls asleep. Does the measurements himself, and explains them.",
            ),
        ),
    ),
    Unit(
        "General Medicine",
        "Building A, 1st floor",
        "The first address for everything else, open every day of the week.",
        (
            "Sore throat and fever",
            "Blood test results",
            "Prescription for asthma spray",
            "Tired for weeks",
            "Travel vaccination",
            "Sick note",
            "Check-up at thirty-five",
        ),
        (
            Person(
                "Dr. Clara Bauer",
                "General practitioner",
                "German, English",
                EVERY_MORNING,
                "Knows half the neighbourhood and their grandparents. Here on most mornings of the year.",
            ),
            Person(
                "Dr. Daniel Osei",
                "General practitioner",
                "English, French, German",
                EVERY_EVENING,
                "Evenings and weekends, when other doors are closed. Worked in emergency medicine for a decade.",
            ),
            Person(
                "Dr. Mei-Ling Wu",
                "General practitioner, diabetes care",
                "Mandarin, English",
                FULL,
                "Diabetes without lectures. Cooks with her patients twice a year.",
            ),
            Person(
                "Dr. Luca Ferrari",
                "Family physician",
                "Italian, German, English",
                AFTERNOONS,
                "Treats families as families. Answers the question that was not asked.",
            ),
            Person(
                "Dr. Noor El-Masri",
                "Travel medicine physician",
                "Arabic, English, Dutch",
                TWO_DAYS,
                "Vaccinations and everything you bring back from far away. Has been there herself.",
            ),
        ),
    ),
)
NEWCOMER = Person(
    "Dr. Emil Novak",
    "Dermatologist",
    "Slovak, German",
    EARLY,
    "Hand eczema and what causes it at work. Joins the clinic this month.",
)

PATIENTS = (  # noqa: SIM905 - as a list it would take sixty lines
    "Jo Moreau, Renata Nowak, Tobias Brandt, Chie Sato, Paula Fischer, Adaeze Obi, Björn Lund, Camila Rojas, "
    "Deniz Kaya, Erika Hoffmann, Farid Karimi, Greta Olsen, Hugo Lefèvre, Ivana Petrović, James Whitaker, "
    "Katarzyna Wójcik, Leon Schuster, Mariam Diallo, Nils Becker, Olga Sidorova, Priya Menon, Quentin Dubois, "
    "Rosa Delgado, Stefan Huber, Thandiwe Mokoena, Umut Demir, Valentina Greco, Wei Zhang, Xenia Papadakis, "
    "Yara Haddadin, Zoltán Kiss, Anneke de Vries, Boris Ilić, Chloe Bennett, David Rosen, Elena Marin, "
    "Finn O'Connor, Giulia Conti, Hana Suzuki, Ibrahim Sesay, Jana Svobodová, Karim Benali, Lotte Vermeer, "
    "Miguel Santos, Nadia Rahimi, Oskar Lindgren, Petra Zimmermann, Rahul Kapoor, Sanne Bakker, Tomás Herrera, "
    "Ursula Frei, Viktor Balogh, Wanjiru Kamau, Youssef Amrani, Zehra Aydın, Agnes Keller, Benedikt Wolf, "
    "Carmen Ortiz, Dmitri Volkov, Emma Lindholm"
).split(", ")
CANCELLATIONS = ("I have a cold and will book again.", "My train is cancelled.", "I found an earlier appointment.", "")


def load(session: Session) -> bool:
    """Load the demo clinic into a database without users; says whether it did."""
    if session.exec(select(User.id).limit(1)).first() is not None:
        return False
    _Clinic(session, db.clock.now().replace(microsecond=0)).fill()
    return True


@dataclass
class _Slot:
    """A row of ``Slot``, many times lighter."""

    doctor_id: int
    starts_at: datetime
    ends_at: datetime
    state: SlotState = SlotState.OPEN
    id: int = 0


class _Booking(NamedTuple):
    slot: _Slot
    patient: Patient
    status: Status
    reason: str


class _Clinic:
    """The clinic while it is being written; ``random`` draws the same numbers every time."""

    def __init__(self, session: Session, now: datetime) -> None:
        self.session, self.now, self.zone = session, now, settings().zone
        self.today = now.astimezone(self.zone).date()
        self.random = Random("Linden Clinic")  # noqa: S311 - it decides nothing that must be secret
        self.password_hash = passwords.hash_password(PASSWORD)
        self.busy: defaultdict[int, list[rules.Times]] = defaultdict(list)
        self.days_off: list[HoursException] = []

    def fill(self) -> None:
        """Write everything."""
        (admin,) = self.users(Role.ADMIN, ["Ines Carvalho"], first=ADMIN)
        doctors = self.doctors()
        patients = self.patients()
        slots = {person.name: list(self.slots(doctor, person.hours)) for person, doctor in doctors.items()}
        bookings = [*self.bookings_of_jo(patients[0], slots), *self.bookings(patients[1:], slots)]
        self.add_slots(list(chain.from_iterable(slots.values())))
        self.add(self.working_hours(doctor, person.hours) for person, doctor in doctors.items())
        self.add(self.days_off)
        self.add(self.appointments(bookings, {_key(doctor): doctor.department_id for doctor in doctors.values()}))
        audit.record(self.session, actor_id=admin.id, action="demo.load")
        self.session.flush()

    def add(self, rows: Iterable[SQLModel]) -> None:
        """Store rows and give them their keys."""
        self.session.add_all(rows)
        self.session.flush()

    def add_slots(self, slots: list[_Slot]) -> None:
        """Store thousands of slots in a moment and give them their keys."""
        rows = [
            {
                "doctor_id": s.doctor_id,
                "starts_at": s.starts_at,
                "ends_at": s.ends_at,
                "state": s.state.value,
                "from_hours": True,
            }
            for s in slots
        ]
        keys = self.session.scalars(insert(Slot).returning(col(Slot.id), sort_by_parameter_order=True), rows)
        for slot, key in zip(slots, keys, strict=True):
            slot.id = key or 0

    def users(self, role: Role, names: list[str], *, first: str) -> list[User]:
        """Accounts with one password; ``first`` is the address of the first."""
        found = [
            User(
                email=address,
                email_key=address,
                full_name=name,
                name_key=search_key(name),
                phone=f"+49 30 5550 {self.random.randrange(10_000):04}",
                role=role.value,
                password_hash=self.password_hash,
                created_at=self.now - timedelta(days=self.random.randint(60, 700)),
                email_confirmed_at=self.now,
            )
            for name, address in zip(names, [first, *map(_address, names[1:])], strict=True)
        ]
        self.add(found)
        return found

    def doctors(self) -> dict[Person, Doctor]:
        """The departments with their doctors; a newcomer waits for approval."""
        departments = [
            Department(
                name=unit.name,
                name_key=search_key(unit.name),
                description=unit.description,
                location=unit.location,
                horizon_weeks=DAYS_AHEAD // 7,
            )
            for unit in UNITS
        ]
        self.add(departments)
        at = {
            person: _key(department)
            for unit, department in zip(UNITS, departments, strict=True)
            for person in unit.doctors
        }
        at[NEWCOMER] = next(_key(department) for department in departments if department.name == "Dermatology")
        users = self.users(Role.DOCTOR, [person.name for person in at], first=DOCTOR)
        users[-1].created_at = self.now - timedelta(hours=20)  # nobody is left to wait for long
        doctors = {
            person: Doctor(
                user_id=_key(user),
                department_id=at[person],
                title=person.title,
                title_key=search_key(person.title),
                bio=person.bio,
                languages=person.languages,
                approved_at=None if person is NEWCOMER else user.created_at + timedelta(days=1),
            )
            for person, user in zip(at, users, strict=True)
        }
        self.add(doctors.values())
        return doctors

    def patients(self) -> list[Patient]:
        """The patients; the first is the one of the demo account."""
        patients = [Patient(user_id=_key(user)) for user in self.users(Role.PATIENT, list(PATIENTS), first=PATIENT)]
        self.add(patients)
        return patients

    def slots(self, doctor: Doctor, hours: Hours) -> Iterator[_Slot]:
        """Eight weeks behind and four ahead, with a few days off; most of what nobody wanted is forgotten."""
        lively = hours is SHOWN
        for offset in range(-DAYS_BEHIND, DAYS_AHEAD):
            day = self.today + timedelta(days=offset)
            if day.weekday() not in hours.weekdays or (not lively and self.random.random() < 0.06):
                if offset >= 0 and day.weekday() in hours.weekdays:
                    self.days_off.append(HoursException(doctor_id=_key(doctor), day=day, kind="off"))
                continue
            length = timedelta(minutes=hours.minutes)
            for starts_at, ends_at in rules.cut(
                day, hours.start, hours.end, length=length, breaks=hours.breaks, zone=self.zone
            ):
                if lively or offset >= 0 or self.random.random() < 0.25:
                    yield _Slot(_key(doctor), starts_at, ends_at)

    def working_hours(self, doctor: Doctor, hours: Hours) -> WorkingHours:
        """The rule from which the slots were made, and which makes those of the coming weeks."""
        since, until = hours.breaks[0] if hours.breaks else (None, None)
        return WorkingHours(
            doctor_id=_key(doctor),
            weekdays=rules.weekday_bits(hours.weekdays),
            start=hours.start,
            end=hours.end,
            slot_minutes=hours.minutes,
            break_start=since,
            break_end=until,
            valid_from=self.today - timedelta(days=DAYS_BEHIND),
        )

    def bookings_of_jo(self, jo: Patient, slots: dict[str, list[_Slot]]) -> Iterator[_Booking]:
        """The demo patient: two visits behind them and one in two days."""
        cardiologist, family_doctor = slots["Dr. Amira Haddad"], slots["Dr. Clara Bauer"]
        visits = (
            (self.first_open(family_doctor, -13), Status.COMPLETED, "Tired for weeks, heart beats fast at night"),
            (self.first_open(cardiologist, -6), Status.COMPLETED, "Palpitations, sent by Dr. Bauer"),
            (self.first_open(cardiologist, 2), Status.BOOKED, "Result of the 24-hour ECG"),
        )
        for slot, status, reason in visits:
            yield self.taken(slot, jo, status, reason)

    def first_open(self, slots: list[_Slot], offset: int) -> _Slot:
        """The first open slot from the middle of that day's morning on."""
        since = datetime.combine(self.today + timedelta(days=offset), time(10), self.zone)
        return next(slot for slot in slots if slot.state is SlotState.OPEN and slot.starts_at >= since)

    def bookings(self, patients: list[Patient], slots: dict[str, list[_Slot]]) -> Iterator[_Booking]:
        """What everybody else has booked, and in a few cases cancelled."""
        for unit in UNITS:
            for person in unit.doctors:
                for slot in slots[person.name]:
                    if slot.state is not SlotState.OPEN or self.random.random() > self.demand(person, slot):
                        continue
                    patient = self.somebody_free(patients, slot)
                    reason = self.random.choice((*unit.reasons, *unit.reasons, ""))
                    if self.random.random() < 0.06:
                        yield _Booking(slot, patient, Status.CANCELLED, reason)
                    else:
                        yield self.taken(slot, patient, self.status(slot), reason)

    def demand(self, person: Person, slot: _Slot) -> float:
        """How likely a slot is booked: less the further away it is, and not the same in every week gone by."""
        days = (slot.starts_at - self.now) / timedelta(days=1)
        week = 1 + 0.15 * sin(days // 7)
        if person.hours is SHOWN:
            return 0.75 * week if days < 1 else max(0.1, 0.6 - 0.06 * days)
        return 0.25 * week if days < 0 else max(0.01, 0.12 - 0.01 * days)

    def somebody_free(self, patients: list[Patient], slot: _Slot) -> Patient:
        """A patient who is nowhere else at that time; of a few, the one with the fewest visits."""
        times = (slot.starts_at, slot.ends_at)
        free = [one for one in patients if all(a >= times[1] or b <= times[0] for a, b in self.busy[_key(one)])]
        return min(self.random.sample(free, 3), key=lambda one: len(self.busy[_key(one)]))

    def status(self, slot: _Slot) -> Status:
        """What became of an appointment that was not cancelled."""
        if slot.ends_at <= self.now:
            return Status.NO_SHOW if self.random.random() < 0.06 else Status.COMPLETED
        return Status.CHECKED_IN if slot.starts_at <= self.now + timedelta(minutes=15) else Status.BOOKED

    def taken(self, slot: _Slot, patient: Patient, status: Status, reason: str) -> _Booking:
        """Take a slot for a patient."""
        slot.state = SlotState.BOOKED
        self.busy[_key(patient)].append((slot.starts_at, slot.ends_at))
        return _Booking(slot, patient, status, reason)

    def appointments(self, bookings: list[_Booking], department_of: dict[int, int]) -> Iterator[Appointment]:
        """The rows of the bookings, once the slots have their keys."""
        references = self.references()
        for slot, patient, status, reason in bookings:
            cancelled = status is Status.CANCELLED
            made = min(slot.starts_at, self.now) - timedelta(minutes=self.random.randint(200, 20_000))
            yield Appointment(
                reference=next(references),
                slot_id=slot.id,
                patient_id=_key(patient),
                doctor_id=slot.doctor_id,
                department_id=department_of[slot.doctor_id],
                starts_at=slot.starts_at,
                ends_at=slot.ends_at,
                status=status.value,
                reason=reason,
                idempotency_key=str(UUID(int=self.random.getrandbits(128), version=4)),
                sequence=int(cancelled),
                created_at=made,
                cancelled_at=made + timedelta(minutes=150) if cancelled else None,
                cancelled_by=patient.user_id if cancelled else None,
                cancel_reason=self.random.choice(CANCELLATIONS) if cancelled else "",
            )

    def references(self) -> Iterator[str]:
        """References such as MH-4K7D2Q, none twice."""
        given: set[str] = set()
        while True:
            reference = "MH-" + "".join(self.random.choices("23456789ABCDEFGHJKMNPQRSTUVWXYZ", k=6))
            if reference not in given:
                given.add(reference)
                yield reference


def _key(row: User | Department | Doctor | Patient) -> int:
    """The key of a stored row."""
    if row.id is None:
        raise RuntimeError("the row is not stored yet")
    return row.id


def _address(name: str) -> str:
    """An address that cannot exist (RFC 2606), made of the name: ``elif.yildiz@people.example``."""
    plain = (
        unicodedata.normalize("NFKD", name.removeprefix("Dr. ").replace("ı", "i")).encode("ascii", "ignore").decode()
    )
    words = ("".join(c for c in word if c.isalpha()) for word in plain.lower().split())
    return ".".join(words) + "@people.example"
