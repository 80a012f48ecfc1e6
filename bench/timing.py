"""Does the time of an answer tell whether somebody has an account? Many tries of both kinds, in random order.

Everything goes through HTTP to the running application. Each try comes from an address of its own and asks for an
account of its own, so that no throttle answers in its place.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlencode

import bcrypt

from bench import servers
from bench.growth import insert_all, user
from bench.table import Row
from mhms_app import db, routes
from mhms_app.accounts.models import User
from tests.databases import ENGINES, fresh_database

TRIES = 200  # of each kind
WARM_UP = 20
SLOWEST = 0.1  # of the tries of a kind; what another program costs is no property of an answer
COST = "8"  # of bcrypt: enough that a login without it would be seen, and quick enough for many tries
KNOWN, CLOSED, UNKNOWN = range(3)
AIM = "1.00, and 0 in the interval"

Fields = Callable[[str], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Question:
    """A form, and two kinds of addresses that it is asked with.

    Attributes:
        fields: what is posted for an address.
        then: a page that is asked for on the same connection, so that work after the answer counts too.
    """

    what: str
    path: str
    fields: Fields
    kinds: tuple[int, int]
    then: str = ""
    aim: str = AIM


def _login(email: str) -> dict[str, str]:
    return {"email": email, "password": "not the password"}


def _signup(email: str) -> dict[str, str]:
    return {"email": email, "password": "violet harbour lantern 9", "role": "patient", "full_name": "New Person"}


def _forgot(email: str) -> dict[str, str]:
    return {"email": email}


QUESTIONS = (
    Question("login: wrong password, unknown address", routes.POST_LOGIN, _login, (KNOWN, UNKNOWN)),
    Question("login: closed account, unknown address", routes.POST_LOGIN, _login, (CLOSED, UNKNOWN)),
    Question("reset: an account, none", routes.POST_FORGOT, _forgot, (KNOWN, UNKNOWN)),
    Question("reset: a closed account, none", routes.POST_FORGOT, _forgot, (CLOSED, UNKNOWN)),
    Question("reset and the next page: an account, none", routes.POST_FORGOT, _forgot, (KNOWN, UNKNOWN), "/healthz"),
    Question("sign-up: taken, free", routes.POST_SIGNUP, _signup, (KNOWN, UNKNOWN), aim="the answer says it (ADR 16)"),
)


def measure() -> Iterator[Row]:
    """Both engines, one after the other."""
    for engine in ENGINES:
        with fresh_database(engine) as url:
            _add_people(url)
            with servers.clinic(url, settings={"MHMS_BCRYPT_COST": COST, "MHMS_TRUSTED_PROXY_HOPS": "1"}) as address:
                asker = _Asker(address)
                for question in QUESTIONS:
                    yield _row(f"{engine}, {question.what}", asker.ask(question), question.aim)


def _add_people(url: str) -> None:
    """Accounts enough for every try, half of them closed."""
    db.use_engine(db.make_engine(url))
    stored = bcrypt.hashpw(b"whatever it is", bcrypt.gensalt(int(COST))).decode()
    numbers = range(2 * len(QUESTIONS) * (TRIES + WARM_UP))
    people = [user(1 + number) | {"password_hash": stored, "active": number % 2 == KNOWN} for number in numbers]
    for person in people:
        del person["id"]  # the database counts, so that whoever signs up gets the next one
    insert_all(User, people)
    db.use_engine(None)


class _Asker:
    """Somebody who never asks twice from one address or for one account."""

    def __init__(self, address: str) -> None:
        self._address, self._asked, self._random = address, 0, random.Random(0)

    def ask(self, question: Question) -> tuple[list[float], list[float]]:
        """The seconds of every answer, of each of the two kinds."""
        tries = [*question.kinds] * TRIES
        self._random.shuffle(tries)
        seconds: dict[int, list[float]] = {kind: [] for kind in question.kinds}
        for number, kind in enumerate([*question.kinds] * (WARM_UP // 2) + tries):
            taken = self._try(question, kind)
            if number >= WARM_UP:
                seconds[kind].append(taken)
        first, second = (seconds[kind] for kind in question.kinds)
        return first, second

    def _try(self, question: Question, kind: int) -> float:
        self._asked += 1
        number = 2 * self._asked + (1 if kind == KNOWN else 0)  # growth.user: from 1; the odd ones are open
        email = f"person{number}@example.org" if kind != UNKNOWN else f"nobody{number}@example.org"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"http://{self._address}",
            "X-Forwarded-For": f"10.{self._asked >> 16 & 255}.{self._asked >> 8 & 255}.{self._asked & 255}",
        }
        connection = HTTPConnection(self._address)
        connection.connect()
        begin = time.perf_counter()
        connection.request("POST", question.path, urlencode(question.fields(email)), headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 303, (question.what, answer.status)
        if question.then:
            connection.request("GET", question.then)
            connection.getresponse().read()
        taken = time.perf_counter() - begin
        connection.close()
        return taken


def _row(what: str, seconds: tuple[list[float], list[float]], aim: str) -> Row:
    """The means of both kinds, their ratio, and their difference with its 95 % confidence interval (Welch)."""
    one, other = (sorted(times)[: round(len(times) * (1 - SLOWEST))] for times in seconds)
    means = [statistics.fmean(times) for times in (one, other)]
    width = 1.96 * math.sqrt(sum(statistics.variance(times) / len(times) for times in (one, other)))
    difference = (means[0] - means[1]) * 1000
    ours = f"{means[0] * 1000:.2f} ms, {difference:+.2f} ± {width * 1000:.2f}"
    return Row(what, ours, f"{means[1] * 1000:.2f} ms", means[0] / means[1], aim)
