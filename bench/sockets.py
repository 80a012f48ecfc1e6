"""Bookings a second through the real socket, in three set-ups.

Beside each stand an empty handler of the same page, and an application whose handler books with one statement and does
nothing else; beside all of them, the same from plain connections without any server in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from bench import plain, servers
from bench.people import MONDAY, People, gather
from bench.servers import SetUp
from bench.table import Row, per_second
from bench.visitors import Ask, Tab, visitors_of
from mhms_app import db, routes
from mhms_app.accounts.cookies import session_cookie
from mhms_app.web.public.doctor_profile import Profile
from tests.databases import fresh_database

SET_UPS = (
    servers.ALONE,
    SetUp("two workers, state in Redis", workers=2),
    SetUp("two machines of one worker, sticky balancer", machines=2),
)
TABS = 320  # below what one address may open; each shows another patient the page of another doctor
CLIENTS = (1, 8, 32)
ROUNDS = 2
AFTER_CHOOSING = 4.0  # seconds, until the screens that show the slot have said so and come to rest
SCREEN = Profile.get_full_name()
MINIMAL = "reflex___state____state.minimal____minimal"


def measure() -> Iterator[Row]:
    """Book on PostgreSQL with 1, 8 and 32 clients at work at once."""
    for clients in CLIENTS:
        raw, pgbench = plain.bookings_a_second(clients)
        yield Row(
            f"{clients} connections: five statements in psycopg, one in pgbench", *map(per_second, (raw, pgbench))
        )
    for set_up in SET_UPS:
        yield from _measure(set_up)


def _measure(set_up: SetUp) -> Iterator[Row]:
    with fresh_database("postgresql") as url:
        db.use_engine(db.make_engine(url))
        rounds = 1 + len(CLIENTS) * ROUNDS
        people, others = (gather(patients=TABS, doctors=TABS, slots=rounds + 1) for _ in range(2))
        db.use_engine(None)
        with servers.clinic(url, set_up) as address:
            of_clinic = _measure_clinic(address, people)
        with servers.minimal(url, set_up) as address:
            of_minimal = _measure_minimal(address, others)
    yield Row(f"{set_up.name}:")
    for clients in CLIENTS:
        (empty_rate, booked), (_, least_booked) = of_clinic[clients], of_minimal[clients]
        what = f"  {clients} client{'s' if clients > 1 else ''} at once"
        ours, empty, least = per_second(booked), per_second(empty_rate), per_second(least_booked)
        yield Row(f"{what}: booking, against an empty handler", ours, empty, booked / empty_rate)
        yield Row(f"{what}: booking, against a minimal one", ours, least, booked / least_booked, "0.70 or more")


Rates = dict[int, tuple[float, float]]
"""By the number of clients: events a second of an empty handler, and bookings a second."""


def _measure_clinic(address: str, people: People) -> Rates:
    pages = [routes.doctor_profile(doctor, week=MONDAY) for doctor in people.doctors]
    cookies = [f"{session_cookie()}={token}" for token in people.tokens]
    tabs = [Tab(address, page, cookie) for page, cookie in zip(pages, cookies, strict=True)]
    nothing = [[Ask(f"{SCREEN}.show_day", {"day": day}, until=f'"day_rx_state_":{day}')] * TABS for day in (3, 4)]
    confirm = [Ask(f"{SCREEN}.confirm", {"form": {"reason": ""}}, until="_redirect")] * TABS
    with visitors_of(tabs) as visitors:

        def book(slots: tuple[int, ...], clients: int) -> float:
            """Choose a slot each, which is not measured, then book it."""
            visitors.ask([_choose(slot_id) for slot_id in slots], at_once=max(CLIENTS))
            time.sleep(AFTER_CHOOSING)
            return visitors.ask(confirm, at_once=clients)

        return _rates(people, lambda number, clients: visitors.ask(nothing[number % 2], at_once=clients), book)


def _choose(slot_id: int) -> Ask:
    return Ask(f"{SCREEN}.choose", {"slot_id": slot_id}, until=f'"chosen_rx_state_":{{"id":{slot_id},')


def _measure_minimal(address: str, people: People) -> Rates:
    nothing = [Ask(f"{MINIMAL}.nothing", until="done_rx_state_")] * TABS
    with visitors_of([Tab(address, "/")] * TABS) as visitors:

        def book(slots: tuple[int, ...], clients: int) -> float:
            pairs = zip(slots, people.patients, strict=True)
            asks = [Ask(f"{MINIMAL}.book", {"slot": s, "patient": p}, until="done_rx_state_") for s, p in pairs]
            return visitors.ask(asks, at_once=clients)

        return _rates(people, lambda _, clients: visitors.ask(nothing, at_once=clients), book)


def _rates(
    people: People, nothing: Callable[[int, int], float], book: Callable[[tuple[int, ...], int], float]
) -> Rates:
    """The best of some rounds for each number of clients; the first round is only to warm up."""
    unused = zip(*people.slots, strict=True)  # the last one stays: a doctor with nothing left is another matter
    nothing(0, max(CLIENTS))
    book(next(unused), max(CLIENTS))
    rates: Rates = {}
    for clients in CLIENTS:
        rounds = [(nothing(number, clients), book(next(unused), clients)) for number in range(1, ROUNDS + 1)]
        rates[clients] = max(empty for empty, _ in rounds), max(booked for _, booked in rounds)
    return rates
