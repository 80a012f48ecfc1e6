"""Backoff and what an answer means."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhms_app.notifications import rules
from mhms_app.notifications.rules import Outcome, Verdict

attempts = st.integers(1, 1000)
chance = st.floats(0, 1, exclude_max=True)


@given(attempts, chance)
def test_a_delay_never_exceeds_its_bound_nor_the_longest(attempts: int, chance: float) -> None:
    delay = rules.delay_after(attempts, chance=chance)
    assert timedelta(0) <= delay <= rules.LONGEST_DELAY
    if attempts <= rules.MAX_ATTEMPTS:
        assert delay <= rules.FIRST_DELAY * 2 ** (attempts - 1)


@given(st.integers(1, rules.MAX_ATTEMPTS), chance)
def test_the_same_chance_waits_no_shorter_after_more_failures(attempts: int, chance: float) -> None:
    assert rules.delay_after(attempts, chance=chance) <= rules.delay_after(attempts + 1, chance=chance)


def test_all_attempts_together_outlast_a_night_and_end_within_two_days() -> None:
    bounds = [rules.delay_after(n, chance=1) for n in range(1, rules.MAX_ATTEMPTS)]
    assert sum(bounds, timedelta()) / 2 > timedelta(hours=12)
    assert sum(bounds, timedelta()) < timedelta(days=2)


@pytest.mark.parametrize(
    ("code", "answer", "expected"),
    [
        (200, {"status": "sent"}, Outcome(Verdict.SENT)),
        (200, {"status": "duplicate"}, Outcome(Verdict.SENT)),
        (200, {}, Outcome(Verdict.RETRY, "200")),
        (200, {"status": ["sent"]}, Outcome(Verdict.RETRY, "200")),
        (204, {"status": "sent"}, Outcome(Verdict.RETRY, "204")),
        (302, {}, Outcome(Verdict.RETRY, "302")),
        (401, {"error": "signature"}, Outcome(Verdict.RETRY, "401 signature")),
        (404, {}, Outcome(Verdict.RETRY, "404")),
        (409, {"error": "in_progress"}, Outcome(Verdict.RETRY, "409 in_progress")),
        (413, {"error": "too_large"}, Outcome(Verdict.DEAD, "413 too_large")),
        (429, {}, Outcome(Verdict.RETRY, "429")),
        (503, {"error": "try_again"}, Outcome(Verdict.RETRY, "503 try_again")),
        (
            422,
            {"error": "invalid", "detail": "recipient.email: refused by the mail server"},
            Outcome(Verdict.DEAD, "422 invalid recipient.email: refused by the mail server"),
        ),
        (422, {"error": "Jo <jo@example.com>", "detail": "jo@example.com is wrong"}, Outcome(Verdict.DEAD, "422")),
        (500, {"error": None, "detail": 7}, Outcome(Verdict.RETRY, "500")),
    ],
)
def test_what_an_answer_means(code: int, answer: dict[str, object], expected: Outcome) -> None:
    assert rules.meaning(code, answer.get) == expected


@pytest.mark.parametrize("verdict", Verdict)
def test_only_the_last_failure_is_final(verdict: Verdict) -> None:
    outcome = Outcome(verdict)
    assert rules.after(outcome, attempts=rules.MAX_ATTEMPTS - 1) is verdict
    last = rules.after(outcome, attempts=rules.MAX_ATTEMPTS)
    assert last is (Verdict.DEAD if verdict is Verdict.RETRY else verdict)
