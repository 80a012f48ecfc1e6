"""Who is served next, who is refused, and what is tried again."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest
from psycopg.errors import AdminShutdown
from sqlalchemy.exc import OperationalError

from mhms_app import db, turns
from mhms_app.errors import Busy, Conflict, OutcomeUnknown, TryAgain, Unreachable
from mhms_app.turns import Turns, Urgency

AWAY = OperationalError("SELECT 1", {}, AdminShutdown("the administrator said so"))


class Work:
    """One thread that is busy until the test lets it go, and what was done in which order."""

    def __init__(self) -> None:
        self.turns = Turns(1, lines=(3, 2, 1), name="test")
        self.done: list[str] = []
        self._go = threading.Event()

    async def occupy(self) -> asyncio.Task[bool]:
        task = asyncio.ensure_future(self.turns.run(self._go.wait, Urgency.ACT))
        await asyncio.sleep(0)
        return task

    async def ask(self, name: str, urgency: Urgency) -> asyncio.Task[None]:
        task = asyncio.ensure_future(self.turns.run(lambda: self.done.append(name), urgency))
        await asyncio.sleep(0)
        return task

    def go(self) -> None:
        self._go.set()


def test_acts_come_before_looks_and_both_before_strangers() -> None:
    async def main() -> list[str]:
        work = Work()
        first = await work.occupy()
        waiting = [await work.ask("stranger", Urgency.STRANGER), await work.ask("look", Urgency.LOOK)]
        waiting.append(await work.ask("act", Urgency.ACT))
        work.go()
        await asyncio.gather(first, *waiting)
        return work.done

    assert asyncio.run(main()) == ["act", "look", "stranger"]


def test_strangers_are_refused_while_there_is_room_for_those_inside() -> None:
    async def main() -> None:
        work = Work()
        first = await work.occupy()
        kept = [await work.ask("stranger", Urgency.STRANGER)]
        with pytest.raises(Busy):
            await work.turns.run(lambda: None, Urgency.STRANGER)
        kept.append(await work.ask("look", Urgency.LOOK))
        with pytest.raises(Busy):
            await work.turns.run(lambda: None, Urgency.LOOK)
        kept.append(await work.ask("act", Urgency.ACT))
        with pytest.raises(Busy):
            await work.turns.run(lambda: None, Urgency.ACT)
        work.go()
        await asyncio.gather(first, *kept)
        assert work.turns.waiting == 0
        await work.turns.run(lambda: None, Urgency.STRANGER)

    asyncio.run(main())


def test_whoever_leaves_the_line_takes_nobodys_turn() -> None:
    async def main() -> list[str]:
        work = Work()
        first = await work.occupy()
        leaving, staying = await work.ask("leaves", Urgency.ACT), await work.ask("stays", Urgency.LOOK)
        leaving.cancel()
        work.go()
        await asyncio.gather(first, staying)
        await work.turns.run(lambda: work.done.append("later"), Urgency.STRANGER)
        return work.done

    assert asyncio.run(main()) == ["stays", "later"]


def test_a_thread_sees_what_its_event_knows_of_itself() -> None:
    of_the_event: ContextVar[str] = ContextVar("of_the_event")

    async def main() -> str:
        of_the_event.set("4f2a9c1b")
        return await Turns(1, lines=(1, 1, 1), name="test").run(of_the_event.get, Urgency.ACT)

    assert asyncio.run(main()) == "4f2a9c1b"


def patiently(*answers: object, repeatable: bool = False, patience: float = 5) -> tuple[object, list[TryAgain]]:
    """What comes of a series of failures and answers, and what the person was told of meanwhile."""
    left, told = list(answers), []

    async def attempt() -> object:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def hear(problem: TryAgain) -> None:
        told.append(problem)

    return asyncio.run(turns.patiently(attempt, repeatable=repeatable, told=hear, patience=patience)), told


def test_what_failed_before_anything_was_done_is_done_again() -> None:
    answer, told = patiently(AWAY, Busy(), "done")
    assert answer == "done"
    assert [type(problem) for problem in told] == [Unreachable, Busy]


def test_a_lost_commit_is_repeated_only_where_that_does_nothing_twice() -> None:
    assert patiently(db.CommitLost(), "the same", repeatable=True)[0] == "the same"
    with pytest.raises(OutcomeUnknown):
        patiently(db.CommitLost(), "twice")


def test_nobody_waits_for_ever_and_nothing_is_said_to_be_undone_that_may_be_done() -> None:
    with pytest.raises(Unreachable):
        patiently(AWAY, patience=0)
    with pytest.raises(OutcomeUnknown):
        patiently(db.CommitLost(), AWAY, AWAY, repeatable=True, patience=0.3)


def test_a_refusal_is_an_answer() -> None:
    with pytest.raises(Conflict):
        patiently(Conflict(), "never asked")


def test_other_failures_are_nobodys_outage() -> None:
    with pytest.raises(ZeroDivisionError):
        patiently(ZeroDivisionError(), "never asked")
