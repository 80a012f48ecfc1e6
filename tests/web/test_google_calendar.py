"""What the section about a doctor's Google calendar says; without a browser."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mhms_app.calendars.google import Connection
from mhms_app.calendars.google_rules import Trouble
from mhms_app.calendars.rules import Shows
from mhms_app.web.doctor.google_calendar import stage_of, status


def connection(
    now: datetime, trouble: Trouble = Trouble.NONE, *, name: str = "Clinic", leaving: bool = False
) -> Connection:
    return Connection(name, Shows.BUSY, trouble, now - timedelta(minutes=5), now + timedelta(minutes=2), leaving)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (Trouble.NONE, "Last in step: Today 08:55."),
        (Trouble.OUTAGE, "Google does not answer at the moment. Next try: Today 09:02. Last in step: Today 08:55."),
        (Trouble.SLOW_DOWN, "Google asks us to slow down. Next try: Today 09:02. Last in step: Today 08:55."),
        (
            Trouble.CALENDAR,
            "This calendar is gone or no longer yours. Please choose another. Last in step: Today 08:55.",
        ),
    ],
)
def test_how_a_calendar_stands_is_said_in_words(now: datetime, trouble: Trouble, said: str) -> None:
    assert status(connection(now, trouble), now=now) == (said, "warn" if trouble else "ok")


def test_every_trouble_has_its_words(now: datetime) -> None:
    said = {status(connection(now, trouble), now=now)[0] for trouble in Trouble}
    assert len(said) == len(Trouble)


def test_what_is_not_in_step_yet_is_no_trouble(now: datetime) -> None:
    fresh = Connection("Clinic", Shows.BUSY, Trouble.NONE, None, now, leaving=False)
    assert status(fresh, now=now) == ("Your appointments are being written.", "info")


def test_the_section_is_not_there_without_credentials(now: datetime) -> None:
    assert stage_of(None, offered=False) == ""
    assert stage_of(None, offered=True) == "off"


def test_a_connection_leads_from_choosing_to_leaving(now: datetime) -> None:
    stages = [
        stage_of(connection(now, name=""), offered=True),
        stage_of(connection(now), offered=True),
        stage_of(connection(now, Trouble.RECONNECT, name=""), offered=True),
        stage_of(connection(now, leaving=True), offered=True),
    ]
    assert stages == ["choose", "on", "on", "leaving"]
