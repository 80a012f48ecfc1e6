"""Guessing is slowed down, for a while and never for good; a success forgets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from limits.storage import memory

from mhms_app.accounts import throttle
from mhms_app.errors import TooManyAttempts


class Time:
    """A clock in the place of the ``time`` module."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def time(self) -> float:
        return self.seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    fake = Time()
    monkeypatch.setattr(memory, "time", fake)
    monkeypatch.setattr(throttle, "time", fake)
    throttle.reset()
    yield fake
    throttle.reset()


def attempts(**keys: str) -> tuple[int, int]:
    """How many attempts are let through now, and the seconds to wait after them."""
    for done in count():
        try:
            throttle.check(**keys)
        except TooManyAttempts as refusal:
            return done, refusal.retry_after
    raise AssertionError


def test_an_account_has_ten_tries_in_five_minutes(time: Time) -> None:
    done, wait = attempts(login_account="jo@example.com")
    assert (done, wait) == (10, 300)


def test_the_wait_that_is_told_is_the_wait_that_helps(time: Time) -> None:
    _, wait = attempts(login_account="jo@example.com")
    time.seconds += wait - 1
    assert attempts(login_account="jo@example.com") == (0, 1)
    time.seconds += 1.5
    assert attempts(login_account="jo@example.com")[0] == 10


def test_an_account_has_forty_tries_an_hour_and_is_never_closed_for_good(time: Time) -> None:
    start, done = time.seconds, 0
    while time.seconds < start + 3599:
        tried, wait = attempts(login_account="jo@example.com")
        done += tried
        time.seconds += min(wait + 1, 60)  # an attacker goes on knocking
    assert done == 40
    time.seconds = start + 3700
    throttle.check(login_account="jo@example.com")


def test_an_account_is_one_account_however_it_is_typed(time: Time) -> None:
    attempts(login_account="jo@example.com")
    for typed in ("JO@EXAMPLE.COM", " jo@Example.com "):
        assert attempts(login_account=typed)[0] == 0


def test_accounts_addresses_and_rules_do_not_count_for_each_other(time: Time) -> None:
    attempts(login_account="jo@example.com")
    assert attempts(login_account="ada@example.com")[0] == 10
    assert attempts(login_address="192.0.2.1")[0] == 60
    assert attempts(signup_address="192.0.2.1")[0] == 20
    assert attempts(login_address="192.0.2.2")[0] == 60


def test_the_first_rule_that_is_used_up_refuses(time: Time) -> None:
    attempts(login_account="jo@example.com")
    with pytest.raises(TooManyAttempts, match="5 minutes"):
        throttle.check(login_address="192.0.2.1", login_account="jo@example.com")


def test_a_success_forgets_the_failures_before_it(time: Time) -> None:
    for _ in range(9):
        throttle.check(login_account="jo@example.com")
    throttle.forget(login_account="Jo@example.com")
    assert attempts(login_account="jo@example.com")[0] == 10
