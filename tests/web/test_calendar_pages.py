"""What pages say about calendars; without a browser."""

from __future__ import annotations

from datetime import datetime

from mhms_app.calendars.rules import Shows
from mhms_app.calendars.service import FeedRow
from mhms_app.settings import settings
from mhms_app.web.components.feeds import Feed, new_feed, shown


def test_a_new_address_is_whole_and_opens_the_devices_own_calendar() -> None:
    new = new_feed("/calendar/token.ics")
    assert new.address == f"{settings().base_url}/calendar/token.ics"
    assert new.webcal == "webcal://" + new.address.partition("://")[2]


def test_an_address_says_what_it_shows_and_since_when(now: datetime) -> None:
    rows = [FeedRow(3, Shows.BUSY, now), FeedRow(4, Shows.INITIALS, now)]
    since = f"Since {now.day} {now:%b %Y}"
    assert shown(rows) == [Feed(3, "Busy times only", since), Feed(4, "With patients' initials", since)]
