"""Of the tabs that are closed the States of the last ones are kept; those that are open keep theirs."""

from __future__ import annotations

import asyncio

import reflex as rx
from reflex.istate.manager.memory import StateManagerMemory

from mhms_app.live.leftovers import drop_oldest


def test_the_oldest_of_the_closed_are_dropped() -> None:
    async def main() -> None:
        states = StateManagerMemory()
        for name in ("oldest", "open", "old", "new"):
            await states.get_state(rx.BaseStateToken(ident=name, cls=rx.State))
            await asyncio.sleep(0.01)
        assert drop_oldest(states, connected={"open"}, most=1) == 2
        kept = {token.ident for _, token in states._token_expires_at.values()}
        assert kept == {"open", "new"}
        assert len(states.states) == 2
        await states.close()

    asyncio.run(main())


def test_a_state_that_is_at_work_is_left_alone() -> None:
    async def main() -> None:
        states = StateManagerMemory()
        token = rx.BaseStateToken(ident="busy", cls=rx.State)
        async with states.modify_state(token):
            assert drop_oldest(states, connected=(), most=0) == 0
        assert drop_oldest(states, connected=(), most=0) == 1
        await states.close()

    asyncio.run(main())
