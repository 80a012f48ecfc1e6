"""What the page of second factors shows only once, over a connection that was lost; without a browser."""

from __future__ import annotations

import asyncio
from unittest.mock import AsyncMock

import pytest

from mhms_app.accounts.second_factor import Factors
from mhms_app.errors import Busy
from mhms_app.web import bridge
from mhms_app.web.account.security import Security

CODES = ["abcd-efgh", "jkmn-pqrs"]
FACTORS = Factors(app_since=None, passkeys=(), codes_left=2, is_duty=False)


@pytest.mark.parametrize("is_back", [True, False])
@pytest.mark.parametrize("outage", [[], [Busy()], [Busy(), Busy()]])
def test_it_stays_until_the_page_is_loaded_anew(
    monkeypatch: pytest.MonkeyPatch, outage: list[Exception], is_back: bool
) -> None:
    monkeypatch.setattr(bridge, "read", AsyncMock(side_effect=[*outage, FACTORS]))
    screen = Security()
    screen.viewer_role, screen.codes, screen._is_back = "patient", CODES, is_back
    for _ in (*outage, FACTORS):
        asyncio.run(Security.load.fn(screen))
    assert screen.codes == (CODES if is_back else [])
    assert not screen._is_back
