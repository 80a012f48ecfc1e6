"""Decisions about delivering a message. Standard library only; ``now`` and chance are parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

MAX_ATTEMPTS = 15
FIRST_DELAY = timedelta(seconds=15)  # somebody waits for it: most failures are over in a moment
LONGEST_DELAY = timedelta(hours=12)

# Longer than one delivery can take (``senders.TIMEOUT``). A message is claimed only when it is sent at
# once, so a claim that is older belongs to a worker that died.
CLAIM = timedelta(minutes=2)

# What the Lambda says is shown to administrators: its own words, and nothing that could be personal.
_WORD = re.compile(r"[a-z_]{1,40}")
_DETAIL = re.compile(r"[a-z_.]{1,60}: [a-z_ ]{1,60}")


class Verdict(StrEnum):
    """What is to become of a message after an attempt."""

    SENT = "sent"
    RETRY = "retry"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended.

    Attributes:
        error: why it failed, such as ``503 try_again`` or ``timeout``; never personal data.
    """

    verdict: Verdict
    error: str = ""


def delay_after(attempts: int, *, chance: float) -> timedelta:
    """Say how long to wait after that many failed attempts: exponential backoff with full jitter.

    The upper bound doubles from fifteen seconds to twelve hours. All attempts together take 20 hours on
    average and 41 at most, so a night without a mail service loses nothing.

    Args:
        attempts: 1 after the first failure.
        chance: uniformly distributed in [0, 1); spreads the messages that failed together.
    """
    bound = min(LONGEST_DELAY, FIRST_DELAY * (1 << min(attempts, MAX_ATTEMPTS) - 1))
    return bound * chance


def after(outcome: Outcome, *, attempts: int) -> Verdict:
    """Say what becomes of a message after its attempt number ``attempts``: the last failure is final."""
    if outcome.verdict is Verdict.RETRY and attempts >= MAX_ATTEMPTS:
        return Verdict.DEAD
    return outcome.verdict


def meaning(code: int, answer: Callable[[str], object]) -> Outcome:
    """Say what an HTTP answer of the Lambda means.

    Only its own 200 counts as sent: a captive portal or a wrong address answers 200 to anything. 413 and
    422 will never change. All else may: an outage, a key in progress (409), or a fault in our configuration
    (401, 404), which somebody will repair while the message waits.

    Args:
        answer: looks a field up in the answer's JSON object.
    """
    status, error, detail = (answer(field) for field in ("status", "error", "detail"))
    if code == 200 and status in ("sent", "duplicate"):
        return Outcome(Verdict.SENT)
    words = [str(code)]
    if isinstance(error, str) and _WORD.fullmatch(error):
        words.append(error)
    if isinstance(detail, str) and (first := _DETAIL.match(detail)):
        words.append(first.group())
    return Outcome(Verdict.DEAD if code in (413, 422) else Verdict.RETRY, " ".join(words))
