"""Public holidays of the clinic's country: days off for every doctor, when ``MHMS_HOLIDAYS`` names one."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import holidays


@lru_cache(maxsize=16)
def public_holidays(place: str, years: range) -> dict[date, str]:
    """The public holidays of some years by day, with their names in English where they have one.

    Args:
        place: a country or one of its regions by its ISO 3166 code, such as ``DE`` or ``DE-BE``; ``""`` has none.
    """
    if not place:
        return {}
    country, _, region = place.partition("-")
    found = holidays.country_holidays(country, subdiv=region or None, years=years, language="en_US")
    return dict(sorted(found.items()))
