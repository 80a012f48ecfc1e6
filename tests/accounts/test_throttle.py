"""Guessing is slowed down, for a while and never for good; a success forgets. In memory and in a real Redis."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhms_app.accounts import throttle, throttle_store
from mhms_app.accounts.throttle import Pace
from mhms_app.accounts.throttle_store import Count
from mhms_app.errors import TooManyAttempts
from tests.databases import ROOT
from tests.redis_server import RedisServer, running_redis

JO = "jo@example.com"
HOUR = 3600


class Time:
    """A clock in the place of the ``time`` module."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def time(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy this machine is, a Redis that is there answers in time."""
    monkeypatch.setattr(throttle_store, "_PATIENCE", 60.0)


@pytest.fixture
def shared(redis: RedisServer, configure: Callable[[str, str], None]) -> Iterator[RedisServer]:
    """A Redis in which this process counts, and nothing is counted yet."""
    redis.stop()
    redis.start()
    configure("MHMS_REDIS_URL", redis.url)
    throttle.reset()
    yield redis
    throttle.reset()


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the attempts are counted; a test that asks for it runs with both."""
    if request.param == "redis":
        request.getfixturevalue("shared")
    throttle.reset()
    yield request.param
    throttle.reset()


@pytest.fixture
def time(store: str, monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr(throttle, "time", fake)
    monkeypatch.setattr(throttle_store, "time", fake)
    return fake


def attempts(**keys: str) -> tuple[int, int]:
    """How many attempts are let through now, and the seconds to wait after them."""
    for done in count():
        try:
            throttle.check(**keys)
        except TooManyAttempts as refusal:
            return done, refusal.retry_after
    raise AssertionError


def hammer(time: Time, seconds: float, **keys: str) -> int:
    """Knock every ten seconds for so long; how often it was let through."""
    end, done = time.seconds + seconds, 0
    while time.seconds < end:
        done += attempts(**keys)[0]
        time.seconds += 10
    return done


def test_a_place_has_eight_tries_and_then_each_waits_twice_as_long(time: Time) -> None:
    assert attempts(login_place=f"{JO} 192.0.2.1") == (8, 15)
    waits = []
    for wait in (15, 30, 60, 120, 240, 480):
        time.seconds += wait
        waits.append(attempts(login_place=f"{JO} 192.0.2.1"))
    assert [done for done, _ in waits] == [1] * 6
    assert [wait for _, wait in waits] == [30, 60, 120, 240, 480, 960]


def test_the_wait_that_is_told_is_the_wait_that_helps(time: Time) -> None:
    _, wait = attempts(login_place=JO)
    time.seconds += wait - 1
    assert attempts(login_place=JO) == (0, 1)
    time.seconds += 1
    assert attempts(login_place=JO)[0] == 1


@pytest.mark.parametrize("rule", sorted(throttle._PACES))
def test_no_wait_grows_beyond_its_longest_and_knocking_makes_none_longer(time: Time, rule: str) -> None:
    pace, key = throttle._PACES[rule], {rule.replace("-", "_"): "2001:db8::1"}
    done = hammer(time, 20 * HOUR, **key)
    assert done <= pace.free + 20 * HOUR / pace.longest + 12  # a dozen doublings
    assert attempts(**key)[1] <= pace.longest
    time.seconds += pace.longest
    throttle.check(**key)


def test_an_attempt_is_forgotten_after_a_while_and_all_of_them_at_last(time: Time) -> None:
    assert attempts(login_device=JO)[0] == 8
    time.seconds += 3 * 15 * 60
    assert attempts(login_device=JO)[0] == 3
    time.seconds += 5 * HOUR
    assert attempts(login_device=JO)[0] == 8


def test_an_account_is_one_account_however_it_is_typed(time: Time) -> None:
    attempts(code_account=JO)
    for typed in ("JO@EXAMPLE.COM", " jo@Example.com "):
        assert attempts(code_account=typed)[0] == 0


def test_the_addresses_of_one_network_are_one(time: Time) -> None:
    attempts(login_address="2001:db8:1:2::1")
    assert attempts(login_address="2001:db8:1:2:ffff::2")[0] == 0
    assert attempts(login_address="2001:db8:1:3::1")[0] == 60
    attempts(login_address="192.0.2.1")
    assert attempts(login_address="::ffff:192.0.2.1")[0] == 0
    assert attempts(login_address="192.0.2.2")[0] == 60


def test_accounts_addresses_and_rules_do_not_count_for_each_other(time: Time) -> None:
    attempts(login_account=JO)
    assert attempts(login_account="ada@example.com")[0] == 20
    assert attempts(login_address="192.0.2.1")[0] == 60
    assert attempts(signup_address="192.0.2.1")[0] == 20


def test_what_has_to_wait_counts_for_nobody_else(time: Time) -> None:
    place = f"{JO} 192.0.2.1"
    assert attempts(login_place=place, login_account=JO, login_address="192.0.2.1")[0] == 8
    for _ in range(100):
        attempts(login_place=place, login_account=JO, login_address="192.0.2.1")
    assert attempts(login_account=JO)[0] == 12
    assert attempts(login_address="192.0.2.1")[0] == 52


def test_the_longest_wait_is_told(time: Time) -> None:
    attempts(login_address="192.0.2.1")
    attempts(code_account=JO)
    with pytest.raises(TooManyAttempts, match="15 seconds"):
        throttle.check(login_address="192.0.2.1", code_account=JO)


def test_one_place_cannot_close_an_account_for_others(time: Time) -> None:
    """The owner at another place gets in at any time, even where nothing is known of them."""
    for _ in range(48):
        hammer(time, HOUR / 2, login_place=f"{JO} 192.0.2.66", login_account=JO, login_address="192.0.2.66")
        here = {"login_place": f"{JO} 198.51.100.7", "login_account": JO, "login_address": "198.51.100.7"}
        throttle.check(**here)
        throttle.forget(**here)


def test_many_places_cannot_close_an_account_for_whom_it_knows(time: Time) -> None:
    for number in range(200):
        attempts(login_place=f"{JO} 10.0.0.{number}", login_account=JO, login_address=f"10.0.0.{number}")
        time.seconds += 10
    with pytest.raises(TooManyAttempts):
        throttle.check(login_place=f"{JO} 198.51.100.7", login_account=JO)
    throttle.check(login_place=f"{JO} 198.51.100.7")
    throttle.check(login_device=f"{JO} of a known device")


def test_a_success_forgets_the_failures_of_that_person(time: Time) -> None:
    for _ in range(7):
        throttle.check(login_place=JO)
    throttle.forget(login_place="Jo@example.com")
    assert attempts(login_place=JO)[0] == 8


def test_a_success_among_many_takes_back_only_itself(time: Time) -> None:
    """Whoever guesses cannot log in as themselves between two guesses to be let on."""
    for _ in range(59):
        throttle.check(login_address="192.0.2.1")
        throttle.check(login_address="192.0.2.1")
        throttle.forget(login_address="192.0.2.1")
    assert attempts(login_address="192.0.2.1")[0] == 1


def test_many_at_once_are_counted_one_by_one(time: Time) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def attempt(_: int) -> bool:
        try:
            throttle.check(login_place=JO, login_account=JO)
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(100))) == 8


def test_one_process_remembers_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle_store, "_REMEMBERED", 10)
    memory = throttle_store.Memory()
    for number in range(1_000):
        memory.update([f"a{number}"], lambda _: [Count(1)])
    assert list(memory._counts) == [f"a{number}" for number in range(990, 1_000)]


@given(
    st.lists(st.floats(0, 1e6), max_size=80),
    st.integers(1, 60),
    st.floats(1, 600),
    st.floats(600, 3600),
)
def test_however_it_is_tried_the_wait_is_bounded_and_grows(
    pauses: list[float], free: int, first: float, longest: float
) -> None:
    pace, known, now = Pace(free, first, longest), Count(), 1e9
    for pause in pauses:
        now = max(now + pause, known.closed_until)
        before, known = known, pace.attempt(known, now)
        assert 0 <= known.closed_until - now <= longest
        assert known.level <= before.level + 1
        assert pace.attempt(known, now).closed_until >= known.closed_until
        assert pace.success(known, now) == Count(0, now, 0, now)


# Redis --------------------------------------------------------------------------------------------------


def test_two_workers_count_together(shared: RedisServer) -> None:
    code = "from mhms_app.accounts import throttle\nfor _ in range(5): throttle.check(login_place='jo@example.com')"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert attempts(login_place=JO)[0] == 3


def test_redis_learns_neither_addresses_nor_for_longer_than_it_must(shared: RedisServer) -> None:
    from redis import Redis

    throttle.check(login_place=f"{JO} 192.0.2.1", login_account=JO)
    stored = Redis.from_url(shared.url, decode_responses=True)
    names = stored.keys("*")
    assert len(names) == 2
    assert "example.com" not in "".join(names)
    assert all(0 < stored.ttl(name) <= HOUR for name in names)


def test_without_redis_people_get_in_and_guessing_is_counted_here(
    shared: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake = Time()
    monkeypatch.setattr(throttle_store, "time", fake)
    attempts(login_place=JO)
    shared.stop()
    with caplog.at_level(logging.INFO):
        assert attempts(login_place=JO)[0] == 8
        fake.seconds += 60
        assert attempts(login_place=JO)[0] == 0
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        shared.start()
        fake.seconds += 60
        assert attempts(login_place=JO)[0] == 8
    assert [record.message for record in caplog.records][1:] == ["Redis counts attempts again"]
